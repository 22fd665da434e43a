/* script.h: the command language of .rxs files, of the ":" prompt and of --plain.
 *
 *      # three requests that share a prefix
 *      title "Shared system prompt"
 *      pool 128
 *      system "You are a helpful assistant."
 *      request "What color is the sky?" max=12 label=sky
 *      expect cached=0 prompt=36
 *
 * One command a line: a word, its operands in order, then options as name=value (a flag is its name
 * alone). A value is a bare word or a "text" with the escapes \" \\ \n \t \xHH \u{HEX}; # begins a
 * comment. Several stand on one line with ; between them (a ; in a text stands in quotes). Settings come before the
 * first action, because a world is made with them.
 *
 * Parsing runs nothing. A script that runs is immutable and owns all its texts; any thread may read it. Errors
 * name file, line and column, what was found there and what is possible.
 */
#ifndef RADIXSCOPE_SCRIPT_SCRIPT_H
#define RADIXSCOPE_SCRIPT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "cache/museum.h"

enum script_role {
    ROLE_SETTING,  /* before the first action, once */
    ROLE_ANYWHERE, /* changes what later commands mean, touches no cache */
    ROLE_ACTION,   /* makes steps */
    ROLE_PROMPT,   /* typed at a moment of a history: belongs to no script */
};

/* Operands and options are "name:type", separated by spaces; ? before an operand: may be left out.
 *   t text   n name (no spaces)   c count   z count from 1   i signed number   f decimal >= 0   p policy   ! flag
 *   s text, and the option may be given several times
 *   (a|b)  one of these words
 *
 *  X(ENUM, "word", ROLE, "operands", "options", "help") */
#define SCRIPT_REQUEST_OPTIONS                                                                               \
    "max:c label:t ns:t adapter:n shared_namespace:! session:t priority:i temperature:f top_k:c top_p:f min_p:f "\
    "repetition_penalty:f seed:c stop:s raw:! ids:! answer:t"
/* … and, with a schedule: when it comes, its routing key */
#define SCRIPT_SCHEDULED_OPTIONS " at:f routing:n"
#define SCRIPT_COMMANDS(X)                                                                                   \
    X(TITLE, "title", SETTING, "text:t", "", "the name people see")                                          \
    X(POOL, "pool", SETTING, "slots:z", "", "how many KV slots there are")                                   \
    X(PAGE, "page", SETTING, "tokens:z", "", "tokens of a page: matches and slots are whole pages")          \
    X(POLICY, "policy", SETTING, "name:p", "", "which unlocked leaf eviction takes first")                   \
    X(RULES, "rules", SETTING, "name:(classic|unified)", "", "which of SGLang's two caches is simulated")    \
    X(TOKENS, "tokens", SETTING, "kind:(model|words|letters|ids)", "",                                       \
      "who cuts text into tokens: the model; every word or letter is one; or texts are lists of token ids")                                \
    X(MODE, "mode", SETTING, "name:(exact|fast)", "",                                                        \
      "exact: the same bits with and without the cache; fast: plain matrix products")                        \
    X(CHUNK, "chunk", SETTING, "tokens:c", "", "prefill at most this many tokens at once (0: whole prompts)")\
    X(BUG, "bug", SETTING, "name:(" MUSEUM_NAMES ")", "hidden:!",                                            \
      "an engine of the bug museum: broken on purpose; hidden: the screen does not say how")                 \
    X(SCHEDULE, "schedule", SETTING, "policy:(fcfs|lpm|dfs-weight|lof|random|routing-key)",                   \
      "priorities:! low_first:! preempt:! batch:z prefill:z ttft:f itl:f",                                   \
      "requests arrive (at=MS), wait in this order and run in batches of at most batch; serve runs them")    \
    X(COST, "cost", SETTING, "", "gpu:n model:n tflops:f gbps:f overhead:f measured:!",                      \
      "what the schedule's clock is reckoned with: a GPU and a model, or this machine (measured)")           \
    X(SYSTEM, "system", ANYWHERE, "text:t", "", "the system prompt of the conversations that begin below")   \
    X(ADAPTER, "adapter", ANYWHERE, "name:n folder:t", "",                                                      \
      "load a LoRA adapter from a folder in PEFT layout; requests choose it with adapter=NAME")              \
    X(REQUEST, "request", ACTION, "text:t", SCRIPT_REQUEST_OPTIONS SCRIPT_SCHEDULED_OPTIONS,                                          \
      "a user message in a new conversation: prefill, answer, keep its KV in the tree")                      \
    X(TURN, "turn", ACTION, "text:t", SCRIPT_REQUEST_OPTIONS,                                                \
      "the next user message of the conversation that was answered last")                                    \
    X(WORKLOAD, "workload", ACTION, "name:n", "seed:c requests:z groups:c turns:c prefix:c question:c answer:c zipf:f",\
      "requests of a made-up workload: radixscope help workloads lists them and what each teaches")          \
    X(SERVE, "serve", ACTION, "", "passes:z",                                                                \
      "with a schedule: run until nobody waits or runs, or for so many forward passes")                      \
    X(ABORT, "abort", ACTION, "label:n", "at:f",                                                             \
      "with a schedule: the request of this label is aborted, now or at that many milliseconds")             \
    X(INSERT, "insert", ACTION, "text:t", "ns:t priority:i", "insert a key into the tree, with slots of its own") \
    X(MATCH, "match", ACTION, "text:t", "ns:t", "look for the longest cached prefix; may split a node")      \
    X(LOCK, "lock", ACTION, "name:n text:t", "ns:t", "hold the nodes that match text; unlock by name")       \
    X(UNLOCK, "unlock", ACTION, "name:n", "", "let go of what lock held under this name")                    \
    X(EVICT, "evict", ACTION, "tokens:c", "", "ask eviction to free this many slots")                        \
    X(REMOVE, "remove", ACTION, "text:t", "keep:c ns:t",                                                     \
      "take the end of a key out of the tree, all but its first keep tokens, as a server's recording says")  \
    X(SET, "set", ACTION, "what:(policy) name:p", "", "change the eviction policy from here on")             \
    X(RESET, "reset", ACTION, "", "", "forget the whole cache")                                              \
    X(POISON, "poison", ACTION, "slot:z", "layer:c head:c dim:c part:(key|value) bit:c",                     \
      "flip a bit of the KV row behind a slot, on purpose (the sign of all of it, unless options say less)") \
    X(SHARE, "share", ACTION, "slot:z other_slot:z", "",                                                           \
      "let a slot hold the KV row of another token, on purpose")                                             \
    X(SAY, "say", ACTION, "text:t", "", "a step that only says something")                                   \
    X(REST, "rest", PROMPT, "", "policy:p swap:! from:t to:t",                                               \
      "run what came after this moment once more, on a branch of its own: with another policy, the next two "\
      "requests in the other order, or one text in place of another")                                        \
    X(RERUN, "rerun", PROMPT, "", "page:z pool:z rules:(classic|unified) policy:p mode:(exact|fast)",                       \
      "run the whole script from its start with other settings, beside this history")                        \
    X(STATE, "state", PROMPT, "", "", "one line (rx1:...) with which `radixscope play` opens this scene at this step elsewhere") \
    X(EXPECT, "expect", ANYWHERE, "", SCRIPT_EXPECT_OPTIONS,                                                 \
      "stop with both values if this does not hold of the command above")

/* What expect can ask; the runner measures each by its name. */
#define SCRIPT_EXPECT_OPTIONS                                                                                \
    "prompt:c cached:c computed:c generated:c matched:c added:c freed:c nodes:c leaves:c free:c used:c "     \
    "evictable:c protected:c requests:c text:t answer:t diff_over:f event:n no_event:n "                     \
    "outcome:(answered|refused|no_slots)"

enum script_kind {
#define X(id, ...) RXS_##id,
    SCRIPT_COMMANDS(X)
#undef X
    RXS_COUNT
};

struct script_command_info {
    const char *name, *operands, *options, *help;
    enum script_role role;
};

enum { SCRIPT_ARGS = 24 };

/* An operand or option as it was written. */
struct script_arg {
    const char *spec;     /* its "name:type" in the table */
    char *text;           /* owned; as written, escapes done, a NUL behind */
    size_t len;
    double number;        /* of c, i and f; of (a|b): which word; of p: the policy */
    uint32_t column;      /* where its value begins */
};

struct script_command {
    enum script_kind kind;
    uint32_t line, column;
    uint32_t nargs;
    struct script_arg *arg; /* (nargs) in the order in which they were written; owned by the script */
};

struct script {
    char *name;              /* the file's, or what stands for it in errors */
    char *source;            /* the text it was parsed from */
    size_t source_len;
    struct script_command *command; /* (count) */
    uint32_t count;
    bool unchecked;          /* its expectations were written for other settings: they are not checked */
};

enum token_source { TOKENS_MODEL, TOKENS_WORDS, TOKENS_LETTERS, TOKENS_IDS };

/* What `schedule` and `cost` ask for. Times are milliseconds; 0: not said. */
struct script_schedule {
    bool on;
    uint32_t policy;         /* enum sched_policy */
    bool priorities, low_first, preempt, measured;
    uint32_t batch, prefill;
    double ttft, itl, tflops, gbps, overhead;
    const char *gpu, *model; /* the script's; NULL: not said */
};

/* What the settings at a script's head ask for. */
struct script_settings {
    const char *title;       /* the script's, or its name */
    uint32_t pool, page, policy, rules, chunk, bug;
    enum token_source tokens;
    bool fast;
    bool pool_given;
    struct script_schedule schedule;
};

enum { SCRIPT_POOL = 256 };  /* slots without a `pool` line */

/* Parse text. `first_line` is the number of its first line (1 for a file). Name "": nobody knows it as a file, and
 * errors name no place. NULL and *e on failure. */
struct script *script_parse(const char *name, const char *text, size_t len, uint32_t first_line, struct err *e);
struct script *script_load(const char *path, struct err *e);
void script_free(struct script *s);

void script_settings(const struct script *s, struct script_settings *out);

/* Can every command run with these settings (a request needs a model's tokens, and so on)? */
int script_check(const struct script *s, const struct script_settings *with, struct err *e);

/* Set *e to "file:line:column: …" for a command (or one of its arguments, column != 0). Returns -1. */
int script_fail(const struct script *s, const struct script_command *c, uint32_t column, struct err *e,
                const char *fmt, ...) PRINTF_LIKE(5, 6);

const struct script_command_info *script_info(enum script_kind kind);
int script_find(const char *name);                                            /* kind, or -1 */
const struct script_arg *script_arg(const struct script_command *c, const char *name); /* NULL: not given */
const char *script_text(const struct script_command *c, const char *name);           /* NULL: not given */
uint32_t script_count(const struct script_command *c, const char *name, uint32_t otherwise);

/* Append "request TEXT [max=COUNT] …" as help shows it. */
void script_synopsis(enum script_kind kind, struct buf *b);

/* Append a command as one line that parses to the same command. */
void script_write(const struct script_command *c, struct buf *b);

/* Where the last command of a line that is still typed begins. */
size_t script_last(const char *line);

/* Append text as a quoted string of the language. */
void script_quote(const char *text, size_t len, struct buf *b);

#endif
