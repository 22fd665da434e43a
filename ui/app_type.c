#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "script/script.h"
#include "ui/app_parts.h"
#include "ui/key.h"

static void set_text(struct app *a, const char *text)
{
    snprintf(a->v.typed, sizeof a->v.typed, "%s", text);
}

/* ---- what could be typed ---------------------------------------------------------------------------- */

/* Settings make a world; this one is made. And a challenge of a lesson allows few. */
static bool may_type(const struct app *a, const struct script_command_info *i)
{
    return i->role != ROLE_SETTING && (a->feed->lesson == NULL || player_allows(a->feed->lesson, i->name));
}

/* The only command that begins with the first n bytes of the text, or -1 (several: *many of them). */
static int complete(const struct app *a, const char *text, size_t n, int *many)
{
    int found = -1;
    *many = 0;
    for (int k = 0; k < RXS_COUNT; k++) {
        const struct script_command_info *i = script_info((enum script_kind)k);
        if (!may_type(a, i) || strncmp(i->name, text, n) != 0)
            continue;
        if (strlen(i->name) == n) {
            *many = 1;
            return k; /* "set" is whole although "settle" might be another */
        }
        found = k;
        *many += 1;
    }
    return *many == 1 ? found : -1;
}

static void list_commands(struct app *a, const char *text, size_t n)
{
    size_t used = 0;
    for (int k = 0; k < RXS_COUNT; k++) {
        const struct script_command_info *i = script_info((enum script_kind)k);
        if (may_type(a, i) && strncmp(i->name, text, n) == 0 && used + 16 < sizeof a->v.hint)
            used += (size_t)snprintf(a->v.hint + used, sizeof a->v.hint - used, "%s%s", used > 0 ? " " : "",
                                     i->name);
    }
    if (used == 0)
        snprintf(a->v.hint, sizeof a->v.hint, "no such command%s",
                 a->feed->lesson != NULL && a->feed->lesson->challenge != NULL ? " in this challenge" : "");
}

/* "text:t ?ns:t" as people read it: TEXT [NS]. */
static size_t add_operands(const char *spec, char *out, size_t n)
{
    size_t used = 0;
    while (*spec != '\0' && used + 4 < n) {
        bool may = *spec == '?';
        spec += may;
        used += (size_t)snprintf(out + used, n - used, "%s", may ? "[" : "");
        for (; *spec != ':' && *spec != '\0' && used + 4 < n; spec++)
            out[used++] = (char)toupper((unsigned char)*spec);
        used += (size_t)snprintf(out + used, n - used, "%s ", may ? "]" : "");
        spec += strcspn(spec, " ");
        spec += strspn(spec, " ");
    }
    return used;
}

static void set_hint(struct app *a)
{
    const char *last = a->v.typed + script_last(a->v.typed);
    size_t word = strcspn(last, " ;");
    int many, k;
    a->v.hint[0] = '\0';
    if (a->v.typing != TYPE_COMMAND) {
        snprintf(a->v.hint, sizeof a->v.hint, "Enter: %s   Esc: leave it",
                 a->v.typing == TYPE_SAVE ? "save" : "find");
        return;
    }
    k = complete(a, last, word, &many);
    if (k < 0) {
        list_commands(a, last, word);
        return;
    }
    const struct script_command_info *i = script_info((enum script_kind)k);
    size_t used = add_operands(i->operands, a->v.hint, sizeof a->v.hint);
    snprintf(a->v.hint + used, sizeof a->v.hint - used, "- %s", i->help);
}

static void complete_word(struct app *a)
{
    size_t last = script_last(a->v.typed);
    int many, k = complete(a, a->v.typed + last, strlen(a->v.typed + last), &many);
    if (k >= 0 && a->v.typing == TYPE_COMMAND)
        snprintf(a->v.typed + last, sizeof a->v.typed - last, "%s ", script_info((enum script_kind)k)->name);
}

/* ---- commands typed before -------------------------------------------------------------------------- */

void app_remember(struct app *a, const char *line)
{
    if (a->pasts > 0 && strcmp(a->past[a->pasts - 1], line) == 0)
        return;
    char *copy = xstrdup(line);
    if (copy == NULL)
        return; /* one that cannot be called back */
    if (a->pasts == PAST_COMMANDS) {
        xfree(a->past[0]);
        memmove(a->past, a->past + 1, (PAST_COMMANDS - 1) * sizeof *a->past);
        a->pasts--;
    }
    a->past[a->pasts++] = copy;
}

static void call_back(struct app *a, int by)
{
    int at = a->past_at + by;
    if (a->v.typing != TYPE_COMMAND || at < 0 || at > a->pasts)
        return;
    a->past_at = at;
    set_text(a, at < a->pasts ? a->past[at] : "");
}

/* ---- running what was typed ------------------------------------------------------------------------- */

/* The line that opens this place elsewhere, or why there is none. */
static void show_state(struct app *a)
{
    struct ui_place place = {a->m.branch, a->m.at, app_view_id(a->v.show), a->v.beside};
    struct buf b = {0};
    struct err e = {0};
    if (a->feed->state == NULL)
        app_say(a, "This is a recording: its file and the number of the step say where you are.");
    else if (a->feed->state(a->feed->ctx, &place, &b, &e) != 0)
        app_say(a, e.what);
    else if (b.len + 1 > sizeof a->v.message)
        app_say(a, "The state string is too long for the screen: play --plain prints it with `state`.");
    else
        app_say(a, buf_text(&b));
    buf_free(&b);
}

static void send_command(struct app *a)
{
    struct err e = {0};
    const char *word = a->v.typed + strspn(a->v.typed, " ");
    if (strcmp(word, "state") == 0) {
        show_state(a);
        return;
    }
    if (app_room_refuses(a))
        return;
    if (a->feed->command == NULL) {
        app_say(a, "This is a recording: there is no engine to run a command.");
        return;
    }
    app_wake(a); /* news from before must not be taken for the end of this command */
    uint32_t from = app_act_point(a);
    if (a->feed->lesson != NULL) {
        app_lesson_run(a, from, a->v.typed);
        return;
    }
    int rc = a->feed->command(a->feed->ctx, a->m.branch, from, a->v.typed, &e);
    if (rc < 0) {
        snprintf(a->v.message, sizeof a->v.message, "%.300s%s%.240s", e.what, e.hint[0] != '\0' ? "; " : "",
                 e.hint);
        return;
    }
    app_remember(a, a->v.typed);
    if (rc == 1) {
        a->v.beside = 0;
        app_say(a, "It runs on its own, beside this history: B shows both.");
        return;
    }
    if (from != a->m.at) {
        app_goto(a, from);
        snprintf(a->v.message, sizeof a->v.message,
                 "It acts after step %u, when this operation and request are done.", from);
    }
    a->following = a->v.waiting = a->progress.working = true; /* until the worker says otherwise */
}

/* The text field is closed by now: the screen is saved as it was before it was opened. */
static void save_screen(struct app *a)
{
    struct err e = {0};
    char path[sizeof a->v.typed];
    memcpy(path, a->v.typed, sizeof path);
    a->v.typed[0] = '\0';
    if (app_save(a, path, &e) != 0)
        snprintf(a->v.message, sizeof a->v.message, "%.240s", e.what);
    else
        snprintf(a->v.message, sizeof a->v.message, "Written to %.200s.", path);
}

static void enter(struct app *a)
{
    enum typing what = a->v.typing;
    a->v.typing = TYPE_NOTHING;
    if (what == TYPE_FIND) {
        if (a->v.typed[0] != '\0')
            snprintf(a->find, sizeof a->find, "%.60s", a->v.typed);
        app_find(a, 1);
    } else if (what == TYPE_NODE) {
        if (a->v.typed[0] != '\0')
            snprintf(a->find_node, sizeof a->find_node, "%.60s", a->v.typed);
        app_find_node(a);
    } else if (what == TYPE_SAVE && a->v.typed[0] != '\0') {
        save_screen(a);
    } else if (what == TYPE_COMMAND && a->v.typed[strspn(a->v.typed, " ")] != '\0') {
        send_command(a);
    }
    a->v.typed[0] = '\0';
}

/* ---- the text field --------------------------------------------------------------------------------- */

void app_type_begin(struct app *a, enum typing what)
{
    a->v.typing = what;
    a->v.playing = false;
    a->v.typed[0] = '\0';
    if (what == TYPE_SAVE)
        snprintf(a->v.typed, sizeof a->v.typed, "radixscope-step-%u.svg", a->m.at);
    a->past_at = a->pasts;
    set_hint(a);
}

static void erase(struct app *a)
{
    size_t n = strlen(a->v.typed);
    while (n > 0 && ((unsigned char)a->v.typed[--n] & 0xc0) == 0x80)
        ; /* a whole character */
    a->v.typed[n] = '\0';
}

static void append(struct app *a, int key)
{
    size_t n = strlen(a->v.typed);
    if (n + 5 < sizeof a->v.typed)
        a->v.typed[n + utf8_encode((uint32_t)key, a->v.typed + n)] = '\0';
}

void app_type(struct app *a, int key)
{
    switch (key) {
    case K_ESC:
        a->v.typing = TYPE_NOTHING;
        a->v.typed[0] = '\0';
        break;
    case K_ENTER:
    case '\n': enter(a); break;
    case K_TAB: complete_word(a); break;
    case K_UP: call_back(a, -1); break;
    case K_DOWN: call_back(a, 1); break;
    case 21: a->v.typed[0] = '\0'; break; /* ^U */
    case 8:
    case K_BACKSPACE:
    case K_DELETE: erase(a); break;
    default:
        if (key >= ' ' && key < K_LEFT)
            append(a, key);
    }
    if (a->v.typing == TYPE_KEYS) { /* found while it is typed */
        snprintf(a->v.search, sizeof a->v.search, "%.30s", a->v.typed);
        a->v.line = 0;
    }
    set_hint(a);
}
