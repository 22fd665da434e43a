/* command.h: everything a person can do, in one table. The keys, the footer and the help screen come from
 * it, so that they cannot disagree.
 */
#ifndef RADIXSCOPE_UI_COMMAND_H
#define RADIXSCOPE_UI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/key.h"

/*  X(ENUM, key, other key, "key as written", "short, for the footer", "help", "group") */
#define COMMAND_TABLE(X)                                                                                     \
    X(STEP, K_RIGHT, 0, "Right", "step", "one step forward", "time")                                         \
    X(BACK, K_LEFT, 0, "Left", "back", "one step back", "time")                                              \
    X(NEXT_OP, K_DOWN, 0, "Down", "next op", "to the next operation (match, evict, insert ...)", "time") \
    X(PREV_OP, K_UP, 0, "Up", "op before", "to the operation before", "time")                         \
    X(NEXT_REQUEST, ']', 0, "]", "next request", "to the next request; a number, then ]: to that request", "time") \
    X(PREV_REQUEST, '[', 0, "[", "request before", "to the request before", "time")                          \
    X(OUT, 'O', 0, "O", "out", "out: to the end of this operation; again: of its request", "time") \
    X(OUT_BACK, 'U', 0, "U", "out before", "back out: to where this operation began; again: its request", "time") \
    X(FIRST, K_HOME, 0, "Home", "first", "to the first step", "time")                                 \
    X(LAST, K_END, 0, "End", "last", "to the last step", "time")                                             \
    X(PLAY, ' ', 0, "Space", "play", "play by itself; again: stop", "time")                                  \
    X(FASTER, '+', 0, "+", "faster", "play faster", "time")                                                  \
    X(SLOWER, '-', 0, "-", "slower", "play slower", "time")                                                  \
    X(GOTO, 'G', 0, "G", "go to", "type a number, then G: go to that step; G alone: the last", "time")       \
    X(FIND, '/', 0, "/", "find", "find steps by any text, or kind:evict, node:B, slot:12, request:2, token:sky", "find") \
    X(FIND_NEXT, 'n', 0, "n", "next found", "to the next step found", "find")                                \
    X(FIND_PREV, 'N', 0, "N", "found before", "to the one found before", "find")                             \
    X(NODE, 't', 0, "t", "find node", "find a node by the text of its edge; again without a text: the next one", "find") \
    X(TOUCH_NEXT, '>', 0, ">", "next touch", "to the next step that touched the chosen node or slot", "find") \
    X(TOUCH_PREV, '<', 0, "<", "last touch", "to the step that touched it last: who wrote this?", "find")    \
    X(RETURN, K_BACKSPACE, K_DELETE, "Backspace", "return", "back to where you were before the last jump", "find") \
    X(COMMAND, ':', 0, ":", "command", "run a command from here: request, insert, match, evict, set ...; Tab completes", "act") \
    X(BRANCH, 'b', 0, "b", "branch", "the same moment in the next branch of history", "act")                 \
    X(COMPARE, 'B', 0, "B", "side by side", "two branches side by side, step locked to step; b: another one on the right", "act") \
    X(DIFFERENCE, 'D', 0, "D", "difference", "while comparing: to the next step at which the two histories differ", "act") \
    X(WHY, 'w', 0, "w", "why", "why did this happen? why not more from the cache? with steps to go to", "look") \
    X(LOG, 'l', 0, "l", "log", "the steps around this one, one a line", "look")                              \
    X(QUEUE, 'Q', 0, "Q", "queue", "of a schedule: the waiting queue in its order, the batch, TTFT, ITL, throughput", "look") \
    X(INVARIANTS, 'i', 0, "i", "invariants", "what must always hold, with the numbers of this moment", "look") \
    X(REQUESTS, 'r', 0, "r", "requests", "every request so far: what came from the cache, what was computed, why", "look") \
    X(CODE, 'c', 0, "c", "code", "the numbered algorithm and the lines of C that did this step", "look")         \
    X(NUMBERS, '#', 0, "#", "numbers", "hit rate, tokens saved and computed, slots: over time, before and after", "look") \
    X(ERROR, 'e', 0, "e", "error", "what made the run end early", "look")                                    \
    X(FORWARD, 'M', 0, "M", "forward pass", "the forward pass of this step, layer by layer: tokens, KV rows, FLOPs, logits", "inside") \
    X(ATTENTION, 'A', 0, "A", "attention", "attention of a layer and head as a heat map over cached and new tokens", "inside") \
    X(LENS, 'K', 0, "K", "KV lens", "the floats of K and V behind the chosen slot or node, and who reads them", "inside") \
    X(PROOF, '=', 0, "=", "proof", "the cold run of this request beside its cached run, layer by layer; again: exact or fast", "inside") \
    X(EFFECT, 'P', 0, "P", "poison", "whom the row reaches that was spoiled last (: poison SLOT, share SLOT SLOT)", "inside") \
    X(LAYER_PREV, '{', 0, "{", "layer before", "in these views: the layer before", "inside")                 \
    X(LAYER_NEXT, '}', 0, "}", "next layer", "in these views: the next layer", "inside")                     \
    X(HEAD_PREV, ',', 0, ",", "head before", "in these views: the head before", "inside")                    \
    X(HEAD_NEXT, '.', 0, ".", "next head", "in these views: the next head", "inside")                        \
    X(TOKEN_PREV, '(', 0, "(", "token before", "the column of the heat map, or the slot of the lens, before this one", "inside") \
    X(TOKEN_NEXT, ')', 0, ")", "next token", "the next column of the heat map, or slot of the lens", "inside") \
    X(FOCUS, K_TAB, 0, "Tab", "choose", "move the focus: tree, slots, none; Up and Down choose there", "look") \
    X(BIG, 'p', 0, "p", "projector", "for a projector: two panes and a large sentence; again: back", "look")  \
    X(SAVE, 'x', 0, "x", "save", "write this screen to a file: .txt, .ansi, .svg; .cast: the run from here on; .rxs, .rxt: the session", "look") \
    X(FOLD, 'f', 0, "f", "fold", "fold or unfold the node that is chosen (Tab) or that the step is about", "look") \
    X(ONLY, 'F', 0, "F", "one path", "of the tree, only the way to the node that is chosen; again: all of it", "look") \
    X(ORDER, 'o', 0, "o", "order", "order of siblings: as inserted, latest, most hits, longest first", "look") \
    X(MOUSE, 'm', 0, "m", "mouse", "mouse on or off: click a node, a slot; click or drag on the timeline; the wheel steps", "look") \
    X(THEME, 'T', 0, "T", "theme", "the next theme of colours", "look")                                      \
    X(HINT, 'h', 0, "h", "hint", "in a lesson: a hint; after three the solution", "lesson")                  \
    X(SKIP, 's', 0, "s", "skip", "in a lesson: leave this challenge out, or this question: its answer is told", "lesson")              \
    X(RESTART, 'R', 0, "R", "begin anew", "in a lesson: the challenge from its start, counted from 0", "lesson") \
    X(PART, 'u', 0, "u", "part before", "in a lesson: to the part before", "lesson")                         \
    X(HELP, '?', 0, "?", "keys", "this list; PageDown turns it, / searches it, Enter does what the chosen line says", "look")                                                        \
    X(CHOOSE, K_ENTER, '\n', "Enter", "go there", "in a list: go to the step of the chosen line, or do what it says; in a lesson: go on", "look")     \
    X(CLOSE, K_ESC, 0, "Esc", "close", "back to the stepper", "look")                                        \
    X(QUIT, 'q', 0, "q", "quit", "leave the program", "look")

enum command {
    CMD_NONE = -1,
#define X(id, ...) CMD_##id,
    COMMAND_TABLE(X)
#undef X
    CMD_COUNT
};

struct command_info {
    int key, other;
    const char *written, *brief, *help, *group;
};

const struct command_info *command_info(enum command c);
enum command command_of(int key); /* CMD_NONE: no command has this key */

/* Keys as a person has bound them (prefs.h). Zeroed: those of the table. A command that is bound anew leaves its key. */
struct keymap {
    int key[CMD_COUNT];                  /* 0: the table's */
    char written[CMD_COUNT][12];
};

enum command command_named(const char *name);             /* "next-op"; CMD_NONE */
void command_name(enum command c, char out[24]);
int key_named(const char *name);                          /* "F", "Space", "PageUp"; K_NONE: there is none */
enum command keymap_command(const struct keymap *k, int key);
const char *keymap_written(const struct keymap *k, enum command c); /* k NULL: the table's */
int keymap_key(const struct keymap *k, enum command c);
/* Two commands on one key: *a and *b, and true. */
bool keymap_conflict(const struct keymap *k, enum command *a, enum command *b);

#endif
