#include "ui/command.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"

static const struct command_info COMMANDS[CMD_COUNT] = {
#define X(id, key, other, written, brief, help, group) [CMD_##id] = {key, other, written, brief, help, group},
    COMMAND_TABLE(X)
#undef X
};

const struct command_info *command_info(enum command c)
{
    return &COMMANDS[c];
}

enum command command_of(int key)
{
    for (int c = 0; c < CMD_COUNT; c++)
        if (key != 0 && (COMMANDS[c].key == key || COMMANDS[c].other == key))
            return (enum command)c;
    return CMD_NONE;
}

/* ---- bound by a person -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int key;
} KEYS[] = {
    {"Right", K_RIGHT},    {"Left", K_LEFT},         {"Up", K_UP},        {"Down", K_DOWN},   {"Home", K_HOME},
    {"End", K_END},        {"PageUp", K_PAGE_UP},    {"PageDown", K_PAGE_DOWN}, {"Space", ' '},  {"Tab", K_TAB},
    {"Enter", K_ENTER},    {"Esc", K_ESC},           {"Backspace", K_BACKSPACE}, {"Backtab", K_BACKTAB},
};

/* NEXT_OP as people write it: next-op. */
void command_name(enum command c, char out[24])
{
    static const char *const NAMES[CMD_COUNT] = {
#define X(id, ...) [CMD_##id] = #id,
        COMMAND_TABLE(X)
#undef X
    };
    size_t i = 0;
    for (; NAMES[c][i] != '\0' && i < 23; i++)
        out[i] = NAMES[c][i] == '_' ? '-' : (char)tolower((unsigned char)NAMES[c][i]);
    out[i] = '\0';
}

enum command command_named(const char *name)
{
    char one[24];
    for (int c = 0; c < CMD_COUNT; c++) {
        command_name((enum command)c, one);
        if (strcmp(one, name) == 0)
            return (enum command)c;
    }
    return CMD_NONE;
}

int key_named(const char *name)
{
    uint32_t code;
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (strcmp(name, KEYS[i].name) == 0)
            return KEYS[i].key;
    bool one = n > 0 && utf8_decode(name, n, &code) == n && code != UTF8_BAD && code > ' ' && code != 0x7f;
    return one && (code < '0' || code > '9') ? (int)code : K_NONE; /* digits begin a number */
}

int keymap_key(const struct keymap *k, enum command c)
{
    return k != NULL && k->key[c] != 0 ? k->key[c] : COMMANDS[c].key;
}

const char *keymap_written(const struct keymap *k, enum command c)
{
    return k != NULL && k->key[c] != 0 ? k->written[c] : COMMANDS[c].written;
}

/* What a person has bound wins over a second key of the table. */
enum command keymap_command(const struct keymap *k, int key)
{
    for (int c = 0; key != 0 && c < CMD_COUNT; c++)
        if (keymap_key(k, (enum command)c) == key)
            return (enum command)c;
    for (int c = 0; key != 0 && c < CMD_COUNT; c++)
        if (COMMANDS[c].other == key)
            return (enum command)c;
    return CMD_NONE;
}

bool keymap_conflict(const struct keymap *k, enum command *a, enum command *b)
{
    for (int i = 0; i < CMD_COUNT; i++)
        for (int j = i + 1; j < CMD_COUNT; j++)
            if (keymap_key(k, (enum command)i) == keymap_key(k, (enum command)j)) {
                *a = (enum command)i;
                *b = (enum command)j;
                return true;
            }
    return false;
}
