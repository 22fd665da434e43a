#include "ui/prefs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "ui/key.h"
#include "ui/theme.h"
#include "ui/view.h"

enum { PREFS_MAX = 1 << 16 };

struct reading {
    const char *name;
    unsigned line;
    struct prefs *out;
    struct err *e;
};

static int wrong(const struct reading *r, const char *what, const char *value, const char *hint)
{
    err_set(r->e, "%s:%u: %s '%s'", r->name, r->line, what, value);
    return err_hint(r->e, "%s", hint);
}

static int read_bool(const struct reading *r, const char *value, bool *out)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        return wrong(r, "this is neither on nor off:", value, "write on or off");
    *out = strcmp(value, "on") == 0;
    return 0;
}

/* Steps a second: the nearest of the speeds there are. */
static int read_speed(const struct reading *r, const char *value)
{
    char *end;
    double tenths = strtod(value, &end) * 10;
    if (*end != '\0' || end == value || !(tenths > 0))
        return wrong(r, "this is no number of steps a second:", value, "write 2, or 0.5");
    r->out->speed = 0;
    while (r->out->speed < VIEW_SPEEDS - 1 && view_speed_tenths(r->out->speed) < tenths)
        r->out->speed++;
    return 0;
}

static int read_theme(const struct reading *r, const char *value)
{
    if (theme_find(value) == NULL)
        return wrong(r, "there is no theme", value, "themes: default, dark, light, contrast, blue-yellow, mono");
    snprintf(r->out->theme, sizeof r->out->theme, "%s", value);
    return 0;
}

/* "key.fold = }": the command's name is that of its row in command.h. */
static int read_key(const struct reading *r, const char *name, const char *value)
{
    struct prefs *p = r->out;
    enum command c = command_named(name);
    int key = key_named(value);
    if (c == CMD_NONE)
        return wrong(r, "there is no command", name, "docs/keys.md lists their names");
    if (key == K_NONE || strlen(value) >= sizeof p->keys.written[c])
        return wrong(r, "this is no key:", value, "one character (no digit), or a name such as Space, PageUp, Home");
    p->keys.key[c] = key;
    snprintf(p->keys.written[c], sizeof p->keys.written[c], "%s", value);
    p->key_line[c] = r->line;
    return 0;
}

/* Only when all is read: two commands may change places. */
static int check_keys(struct reading *r)
{
    enum command a, b;
    char first[24], second[24];
    struct prefs *p = r->out;
    if (!keymap_conflict(&p->keys, &a, &b))
        return 0;
    command_name(a, first);
    command_name(b, second);
    unsigned line = p->key_line[a] > p->key_line[b] ? p->key_line[a] : p->key_line[b];
    err_set(r->e, "%s:%u: the key %s would be both %s and %s; no key is bound anew", r->name, line,
            keymap_written(&p->keys, a), first, second);
    memset(&p->keys, 0, sizeof p->keys);
    return err_hint(r->e, "bind the other one, too");
}

static int read_setting(const struct reading *r, const char *name, const char *value)
{
    if (strncmp(name, "key.", 4) == 0)
        return read_key(r, name + 4, value);
    if (strcmp(name, "theme") == 0)
        return read_theme(r, value);
    if (strcmp(name, "speed") == 0)
        return read_speed(r, value);
    if (strcmp(name, "ascii") == 0)
        return read_bool(r, value, &r->out->ascii);
    if (strcmp(name, "mouse") == 0)
        return read_bool(r, value, &r->out->mouse);
    if (strcmp(name, "projector") == 0)
        return read_bool(r, value, &r->out->projector);
    return wrong(r, "there is no setting", name, "settings: theme, speed, ascii, mouse, projector, key.COMMAND");
}

static char *trim(char *text)
{
    static const char SPACE[] = " \t\r";
    text += strspn(text, SPACE);
    size_t n = strlen(text);
    while (n > 0 && strchr(SPACE, text[n - 1]) != NULL)
        text[--n] = '\0';
    return text;
}

static int read_line(const struct reading *r, char *line)
{
    char *comment = strchr(line, '#'); /* "key.x = #" binds that key */
    const char *is = strchr(line, '=');
    if (is != NULL && strncmp(line + strspn(line, " \t"), "key.", 4) == 0 && is + 1 + strspn(is + 1, " \t") == comment)
        comment = strchr(comment + 1, '#');
    if (comment != NULL)
        *comment = '\0';
    line = trim(line);
    if (*line == '\0')
        return 0;
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return wrong(r, "this is not 'setting = value':", line, "for example: theme = dark");
    *equals = '\0';
    return read_setting(r, trim(line), trim(equals + 1));
}

int prefs_parse(const char *name, const char *text, size_t len, struct prefs *out, struct err *e)
{
    struct reading r = {name, 0, out, e};
    char line[256];
    int rc = 0;
    *out = (struct prefs){.speed = -1};
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - text) - at : len - at;
        r.line++;
        snprintf(line, sizeof line, "%.*s", n < sizeof line ? (int)n : (int)sizeof line - 1, text + at);
        rc = read_line(&r, line) != 0 ? -1 : rc;
        at += n + 1;
    }
    return check_keys(&r) != 0 ? -1 : rc;
}

int prefs_load(struct prefs *out, struct err *e)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool absolute = xdg != NULL && xdg[0] == '/'; /* a relative one is to be ignored, says the standard */
    char path[1024];
    char *text;
    size_t len;
    *out = (struct prefs){.speed = -1};
    int n = absolute ? snprintf(path, sizeof path, "%s/radixscope/config", xdg)
                     : snprintf(path, sizeof path, "%s/.config/radixscope/config", home != NULL ? home : "");
    if (n < 0 || (size_t)n >= sizeof path || access(path, F_OK) != 0)
        return 0;
    if (file_read(path, PREFS_MAX, &text, &len, e) != 0)
        return -1;
    int rc = prefs_parse(path, text, len, out, e);
    xfree(text);
    return rc;
}
