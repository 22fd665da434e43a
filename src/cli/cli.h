/* cli.h: the command line. One table of commands, one of options; parsing, help and the shell tests come
 * from them. Each command is a function in a file of its own, cmd_NAME.c.
 *
 *      radixscope [COMMAND] [operands and options in any order] [-- operands]
 *
 * A command returns its exit code, or -1 with *e set, which main prints:
 *      0 all is well      1 it failed, or something differs      2 the command line is wrong
 *      130 interrupted by ^C
 * Results go to stdout, everything else to stderr. A reader that goes away (`| head`) ends the program
 * quietly.
 */
#ifndef RADIXSCOPE_CLI_CLI_H
#define RADIXSCOPE_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*  X(ENUM, "name", letter or 0, "VALUE" or NULL, "help") */
#define CLI_OPTIONS(X)                                                                                       \
    X(HELP, "help", 'h', NULL, "what a command does and takes")                                              \
    X(VERSION, "version", 'V', NULL, "the version")                                                          \
    X(PLAIN, "plain", 0, NULL, "plain text, one event a line; chosen by itself without a terminal")          \
    X(JSON, "json", 0, NULL, "JSON alone on standard output")                                                \
    X(MODEL, "model", 0, "DIR", "a model folder with config.json, tokenizer.json and safetensors")           \
    X(MAX, "max", 'n', "COUNT", "answers end after this many tokens")                                        \
    X(SYSTEM, "system", 0, "TEXT", "the system prompt for PROMPTS")                                          \
    X(ADAPTER, "adapter", 0, "NAME=DIR", "a LoRA adapter for PROMPTS: a folder in PEFT layout")              \
    X(TEMPERATURE, "temperature", 0, "NUMBER", "0: the best token; above: draw one, the more boldly")        \
    X(TOP_K, "top-k", 0, "COUNT", "draw from this many best tokens (0: all)")                                \
    X(TOP_P, "top-p", 0, "NUMBER", "draw from the best tokens that together reach this probability")         \
    X(MIN_P, "min-p", 0, "NUMBER", "draw from tokens at least this probable, the best one being 1")          \
    X(REPETITION_PENALTY, "repetition-penalty", 0, "NUMBER", "above 1: less of what was there")              \
    X(SEED, "seed", 0, "COUNT", "what is drawn depends on it alone (0)")                                     \
    X(STOP, "stop", 0, "TEXT", "end an answer where this text appears")                                      \
    X(POOL, "pool", 0, "SLOTS", "KV slots in the pool")                                                      \
    X(PAGE, "page", 0, "TOKENS", "tokens of a page")                                                         \
    X(POLICY, "policy", 0, "NAME", "eviction: lru, lfu, fifo, mru, filo, priority or slru (sweep: a list)")                  \
    X(RULES, "rules", 0, "classic|unified", "which of SGLang's caches")                                      \
    X(FAST, "fast", 0, NULL, "plain matrix products instead of exact mode")                                  \
    X(OUTPUT, "output", 'o', "FILE", "the file to write")                                                    \
    X(WITH_KV, "with-kv", 0, NULL, "also keep keys, values, queries and proofs: large, but all views work without a model") \
    X(BREAK, "break", 0, "row|slot", "for tests: damage the cache once; compare must notice")                \
    X(ASCII, "ascii", 0, NULL, "draw with ASCII characters only")                                            \
    X(THEME, "theme", 0, "NAME", "colours of the screen")                                                    \
    X(HISTORY, "history-mb", 0, "MB", "most megabytes of steps to keep; when they are full, the run ends")   \
    X(STEP, "step", 0, "STEP", "the step to export; the last one, unless this says another")                 \
    X(SIZE, "size", 0, "WxH", "columns and lines of the screen to export (80x24)")                           \
    X(FORMAT, "format", 0, "NAME", "screen: text, ansi, svg; tree: dot, json; metrics: json, csv; kv-events: jsonl, msgpack") \
    X(NO_SAVE, "no-save", 0, NULL, "keep no progress")                                                       \
    X(YES, "yes", 0, NULL, "do not ask")                                                                     \
    X(PRESENT, "present", 0, NULL, "give the lesson to a room: for the projector; others may follow")        \
    X(NOTES, "notes", 0, NULL, "the speaker's notes beside --present, in a second terminal")                 \
    X(FOLLOW, "follow", 0, NULL, "follow who presents the lesson on this machine, and answer")               \
    X(GROUP, "group", 0, "NAME", "with --present: this group may follow, too; without it the person alone")  \
    X(ROOM, "room", 0, "SOCKET", "with --follow, --notes: where the presenter is, if it is another person")  \
    X(ANSWERS, "answers", 0, NULL, "a handout with its answers")                                             \
    X(DESIGNS, "designs", 0, "LIST", "who races: radix,chain,trie,exact,none,bound (all of them)")           \
    X(POLICIES, "policies", 0, "LIST", "of the radix tree: lru,…,slru,belady, or all (lru,belady)")         \
    X(SPEED, "speed", 0, "STEPS", "steps a second of a cast (2)")                                            \
    X(FROM, "from", 0, "FORMAT|STEP", "import: the file's format; export: the first step of a cast")         \
    X(TO, "to", 0, "STEP", "the last step of a cast")                                                        \
    X(HASHES_ONLY, "hashes-only", 0, NULL, "write no text and no token that could be read back")             \
    X(DIFF, "diff", 0, NULL, "compare with what the simulator does on the same stores")                      \
    X(AGAINST, "against", 0, "RUN", "compare with the events of a script, a recording or a file of events")\
    X(CAPACITY, "capacity", 0, "LIST", "blocks that the cache of a trace holds, such as 1000,20000,unlimited") \
    X(BLOCK, "block", 0, "TOKENS", "tokens of a block: of a trace (512; Qwen-Bailian 16), of the race's chain (16)")\
    X(CSV, "csv", 0, NULL, "comma-separated values alone on standard output")                                \
    X(REQUESTS, "requests", 0, "A-B", "the requests of a trace to show or to take, counted from 1 (of KV events: the records)")

#define CLI_RUN_OPTIONS "model max system adapter pool page policy rules fast " CLI_SAMPLING_OPTIONS
#define CLI_SAMPLING_OPTIONS "temperature top-k top-p min-p repetition-penalty seed stop "
#define CLI_EXPORT_OPTIONS "step size format speed theme ascii from to block "

/*  X(function name, "name", "operands", "its options", "one line", "more, for help COMMAND") */
#define CLI_COMMANDS(X)                                                                                      \
    X(play, "play", "[SCENARIO | FILE.rxs | TRACE | rx1:…]", CLI_RUN_OPTIONS "history-mb plain ascii theme capacity block requests",               \
      "watch a scenario step by step, forwards and backwards",                                               \
      "Opens the stepper at the first step: Right and Left step, Down and Up go by operation, q leaves,\n"   \
      "? lists the keys. Without a terminal, or with --plain, the run is printed, one event a line;\n"       \
      "at a terminal --plain also takes commands (next, back, op, show, help, quit).\n"                      \
      "SCENARIO is a name that `radixscope` alone lists; the default is shared-system-prompt. rx1:… is a\n"  \
      "state string, which `:state` shows: it opens the same scene at the same step. TRACE is a trace of hash\n"\
      "ids, recorded KV events or conversations (help import): the stepper opens at once and reads on.")                       \
    X(lesson, "lesson", "[NAME | FILE.md | list | check FILE… | new FILE | sheet NAME | notes NAME | export NAME | reset NAME | keys NAME | figures]", \
      "plain ascii theme model no-save yes seed present notes follow group room output answers",                                                                \
      "take a lesson; without a name: the list",                                                             \
      "A lesson is text, then an action of the real engine, then a pause; a question comes before the step\n"\
      "that decides it. NAME is an id or a number from the list, FILE.md a lesson anywhere. With --plain, or\n"\
      "without a terminal, it is a conversation in lines. Progress is kept in $XDG_STATE_HOME/radixscope\n" \
      "(--no-save: not). sheet prints the summary, notes what a speaker needs, reset forgets a lesson.\n"   \
      "check proves one: everything is run and answered; new begins one; figures lists what text can\n"     \
      "measure (docs/writing-lessons.md). lesson liar --seed N is made from N: three engines, one of them\n" \
      "with a bug; every N is another one. export writes a handout: Markdown, or with -o FILE.html a page for\n" \
      "the printer; --answers shows what it else leaves open. In a room: --present on the projector, --notes\n" \
      "for the speaker, --follow for everybody else (docs/classroom.md); nothing listens on a network.")                                                                  \
    X(run, "run", "PROMPT… | FILE.rxs", CLI_RUN_OPTIONS "history-mb json plain",                             \
      "answer prompts with the radix cache and say what was reused",                                         \
      "Each PROMPT is a user message in the model's own chat form; requests run one after another on one\n"  \
      "cache. A FILE.rxs is run as it is (docs/commands.md). --plain prints every event as well.")           \
    X(compare, "compare", "[PROMPT… | SCENARIO.rxs]", CLI_RUN_OPTIONS "history-mb json break",                          \
      "run cold and cached side by side: same tokens, same logits?",                                         \
      "Every request runs twice: on the shared cache, and alone on an empty one. Shown are the tokens\n"     \
      "computed and reused, wall time and FLOPs of both, whether the answers agree token by token, and the\n"\
      "largest difference of any logit over all positions that both compute (0 in exact mode).\n"            \
      "Exit code 1 on any difference. The default is the scenario shared-system-prompt.")                    \
    X(race, "race", "WORKLOAD | SCENARIO | FILE.rxs | TRACE",                                                        \
      "model max pool page designs policies block json csv plain ascii theme",                              \
      "cache designs and eviction policies side by side on one workload",                                    \
      "Every request and insert of the script goes through each design, one at a time, with equally many\n"  \
      "slots. Printed are hits, evictions, bytes of metadata and operations, a ledger of tokens saved, and the\n" \
      "first request where a design differs from the first one. In a terminal the stepper opens there: with two\n" \
      "policies of the radix tree, side by side, or with the lists of another design (block table, free list)\n"\
      "beside the tree: b changes what is on the right, D goes to the next difference. belady looks ahead and evicts the leaf that is\n" \
      "read again last: on nodes of unequal size not always the best. bound is the most any of them could hit.\n" \
      "help workloads lists the workloads. TRACE: as for sweep; each hash id is a token there, --pool counts blocks\n" \
      "(1000), and belady runs only if --policies names it.")                                                                 \
    X(replay, "replay", "FILE.rxt | FILE.rxs | TRACE", "history-mb plain ascii theme model capacity policy block requests ", \
      "open a recording, run a script, or replay a trace, and step through it",                              \
      "A recording opens without a model. With --plain, or without a terminal, every event is printed.\n"    \
      "TRACE: .jsonl, .jsonl.zst, .jsonl.gz as for sweep; tokens are hash ids, the rule is sweep's. The cache\n" \
      "holds --capacity blocks (1000); --requests A-B shows only these step by step; --policy belady looks ahead.")                       \
    X(record, "record", "FILE.rxs", CLI_RUN_OPTIONS "history-mb output with-kv",                                     \
      "run a script and save all its steps as a recording",                                                  \
      "Writes FILE.rxt in this folder, or what -o names (docs/rxt.md). --with-kv keeps keys, values and\n"    \
      "queries of every token, the proof of every request in both modes, and the reach of spoiled rows.")                                  \
    X(export, "export",                                                                                      \
      "(screen | cast | tree | metrics | mooncake | perfetto | kv-events | rxs) SCENARIO | FILE.rxs | FILE.rxt",\
      CLI_RUN_OPTIONS CLI_EXPORT_OPTIONS "history-mb output",                                                \
      "write a screen, a whole run or the tree for other programs",                                          \
      "screen: one step as text, ansi (with colours) or svg. cast: the run as an asciicast (version 3), with\n"\
      "a mark at every operation. tree: the tree at one step, for Graphviz (dot) or as json. metrics: every\n"\
      "request and the totals, json or csv. mooncake: a trace with hash_ids. perfetto: a timeline for\n"    \
      "ui.perfetto.dev. kv-events: what SGLang would have published, jsonl or msgpack. rxs: the script.\n"   \
      "Written to standard output, or to what -o names. What each holds: docs/export.md.")                   \
    X(import, "import", "FILE", "from output model max pool page policy rules hashes-only diff against requests block", \
      "turn KV events, recorded conversations or requests of a trace into a script or a recording",          \
      "The format is found from the content; --from names it: kv-events (SGLang, vLLM; JSONL or msgpack),\n"  \
      "conversations (JSONL with messages), mooncake (JSONL with hash_ids). --requests A-B cuts out a part, at\n" \
      "most 60 requests (of KV events: records), as a scenario.\n"                                             \
      "-o OUT.rxs writes a script, -o OUT.rxt runs it and saves the recording; without -o only a summary is\n" \
      "printed. KV events: --diff replays what was stored on the simulator, whose own eviction makes room;\n" \
      "--against compares with a run. Exit code 1 on the first difference. Formats and rules: docs/import.md.") \
    X(sweep, "sweep", "TRACE", "capacity policy block json csv plain ascii theme",                           \
      "replay a trace at many cache sizes and policies: which share of its blocks would hit",                \
      "TRACE: JSON lines as Mooncake and Qwen-Bailian publish them, plain, .zst or .gz; - is standard input.\n" \
      "--capacity and --policy take lists separated by commas; without them: a range of sizes, all policies.\n"\
      "Every point is an exact replay of the whole trace on a cache of its own, on all cores. When slots are\n"\
      "missing, the shortfall is evicted. At a terminal the points are drawn; Enter opens the stepper at one.\n"\
      "--policy can also name belady (the tree evicts the leaf that is read again last), bound (the most that any\n"\
      "cache of this size could hit) and block-lru (no tree: single blocks, by stack distance; other figures than\n"\
      "lru). They look ahead, so the whole trace is kept in memory.")\
    X(lint, "lint", "FILE.jsonl", "model json",                                                              \
      "where do prompts leave the beginning of earlier ones, what does it cost, and why?",                   \
      "FILE: one request a line, {\"messages\":[…],\"tools\":[…]}, as a program sent them; - is standard input.\n" \
      "Each prompt is written in the model's chat form, cut into its tokens, and compared with the one of the\n" \
      "last 16 that is most like it. Told are the token and the message where they part, how many tokens\n" \
      "behind that are in both and computed again, and causes that the texts prove: a time, an id, other tools,\n" \
      "lines in another order, a history that was cut. Exit code 1 if something is computed again.")         \
    X(doctor, "doctor", "", "model json",                                                                    \
      "check this machine: libraries, model, data, terminal",                                                \
      "Exit code 1 if something that radixscope needs is missing.")                                          \
    X(completion, "completion", "(bash | zsh | fish | scenarios)", "",                                       \
      "print what a shell needs to complete command lines",                                                  \
      "`make install` puts them where the shells look. By hand: eval \"$(radixscope completion bash)\".\n"    \
      "scenarios prints the names that `play` takes, which the shells ask for.")                             \
    X(help, "help", "[COMMAND | script | workloads | events | man]", "", "this list, or what one command does",          \
      "script: the language of .rxs files. workloads: made-up request streams, their shapes and what each teaches.\n" \
      "events: the kinds of steps. man: the manual page, for man(1).")

/* Commands that read their own words: int run(int argc, char **argv).
 *
 *  X(function name, "name", "operands", "one line", "more, for help COMMAND") */
#define CLI_TOOLS(X)                                                                                         \
    X(conform, "conform", "[--tape] [--check] FILE…",                                                        \
      "replay recordings of the real SGLang, compare after every operation",                                 \
      "Every FILE is replayed on an empty cache; recordings of the scheduler are told by their first line, and\n"\
      "each of their cases begins with a cache of its own. --tape records as well, and goes back and forward\n"\
      "over all of it; --check runs every invariant after every operation. Exit code 1 on any difference.")           \
    X(check_model, "check-model", "DIR [--json]",                                                            \
      "does a model folder compute what its expect.json or reference.json says?",                            \
      "expect.json and expect.safetensors: logits, greedy tokens and token ids of transformers, each prompt\n"\
      "also split at every place. reference.json, which the model in the box has: token ids, greedy tokens\n"\
      "and text of every conversation. Exit code 1 on any difference.")

enum cli_option {
#define X(id, ...) OPT_##id,
    CLI_OPTIONS(X)
#undef X
    OPT_COUNT
};

/* A row of the tables above, for whoever prints them: help, the manual, the completions. */
struct cli_option_info {
    const char *name, *value, *help;
    char letter;
};

struct cli_command_info {
    const char *name, *operands, *options, *brief, *more;
};

struct scene_string;

struct cli {
    const char *program;            /* argv[0] */
    const char *name;               /* the command's; NULL: none was given */
    char **arg;                     /* (args) operands */
    int args;
    uint32_t start;                 /* step to open the stepper at; 0: the first */
    bool home;           /* opened from the home screen, which comes back */
    uint32_t left_at;               /* the step where the stepper was left; 0: it was not shown */
    struct scene_string *place;     /* play: opened from a state string; the caller's. NULL: not */
    const char *option[OPT_COUNT];  /* its value, "" for a flag, NULL: not given */
};

typedef int (*cli_function)(struct cli *c, struct err *e);

#define X(id, ...) int cmd_##id(struct cli *c, struct err *e);
CLI_COMMANDS(X)
#undef X
int cmd_home(struct cli *c, struct err *e); /* radixscope alone */

/* Parse and run; returns the exit code. Prints errors. */
int cli_main(int argc, char **argv);

/* Append the list of commands, or the help of one (NULL: *e names the nearest). */
void cli_help(struct buf *out);
int cli_help_command(const char *name, struct buf *out, struct err *e);

const struct cli_option_info *cli_option_info(enum cli_option which);
struct cli_command_info cli_command_at(unsigned i); /* the tools come last; name NULL: past the end */
bool cli_takes(const struct cli_command_info *command, enum cli_option which);

/* The value of an option that is a count; `otherwise` when it is not given. */
int cli_count(const struct cli *c, enum cli_option which, uint32_t otherwise, uint32_t *out, struct err *e);

static inline bool cli_has(const struct cli *c, enum cli_option which)
{
    return c->option[which] != 0;
}

/* Write everything to stdout; -1 if that is impossible (err_closed tells a reader that went away). */
int cli_print(struct buf *b, struct err *e);
int cli_flush(struct err *e);

#endif
