/* event.h: the vocabulary of the tape. One table gives each kind of step its name, its depth, its typed
 * arguments, its sentence and the lesson that explains it. Enum, screens, --plain, recordings, lessons
 * and docs/events.md come from this table; a test renders every row.
 *
 * Depth: a request is made of operations, an operation of events. A step of depth d begins a new part at
 * that level, so "next operation" is the next step whose depth is at most DEPTH_OPERATION.
 *
 * Arguments are 32-bit words; the letter behind the name says what they are:
 *   n node (index)   r request (index)   t token id   s slot   c count   k tick of the clock
 *   x name (store)   p policy            i signed number       f reason a request ended
 *   o count or flag that says nothing when it is 0                  u rules (classic, unified)
 *   m time of a schedule's clock, hundredths of a millisecond       h why a request waits on (enum sched_why)
 * NO_TOKEN stands for "the key ends here".
 *
 * Sentences:
 *   {arg}            the value, as its type is written: node 4 (D), request 2, " Where", 29
 *   {arg:word}       a count with its noun: "1 token", "29 tokens"
 *   {?arg:yes|no}    the first part if the argument is not 0, else the second; parts may hold {arg}; of a token: is there
 *                    one? of a policy: is it one of SGLang's, and not knowledge of what comes?
 *   {queue}          the requests that wait, in the order of the world's queue
 *   {1arg:is|are}    the first part if the argument is 1, else the second
 *   {=arg:other}     of two slots: how the tokens differ that they belong to at this moment, "" if one belongs to none
 */
#ifndef RADIXSCOPE_TAPE_EVENT_H
#define RADIXSCOPE_TAPE_EVENT_H

#include "base/buf.h"
#include "tape/world.h"

enum depth { DEPTH_REQUEST, DEPTH_OPERATION, DEPTH_EVENT };

#define EVENT_ARGS 8
#define NO_TOKEN 0xffffffffu

/*  X(ENUM, "name", DEPTH, "steps", "arguments", "sentence", "lesson anchor")
 * steps: the numbered steps of the algorithm (headers of cache/radix.h, req.h, evict.h) that this event
 * shows; the sentence begins with them. Written like a sentence; "": no numbered algorithm. */
#define EVENT_TABLE(X)                                                                                       \
    X(START, "start", OPERATION, "", "pool:c page:c policy:p rules:u",                                       \
      "The cache is empty: {pool:slot} {1pool:is|are} free, pages of {page:token}, eviction policy {policy}, "          \
      "{?rules:unified tree|classic RadixCache} rules. The tree has only its root.", "slots")                \
    X(SET, "set", OPERATION, "", "name:x value:x", "{name} is now {value}.", "sandbox")                      \
    X(NOTE, "note", OPERATION, "", "text:x", "{text}", "sandbox")                                            \
    X(RESET, "reset", OPERATION, "", "units:c pages:c",                                                      \
      "The cache is reset: {units:token} {1units:is|are} forgotten and every slot of the tree is free.", "slots")        \
    /* a request's life (sglang §4) */                                                                       \
    X(REQUEST, "request", REQUEST, "", "req:r tokens:c ns:x label:x",                                        \
      "{req} arrives with {tokens:prompt token}{?ns: in namespace {ns}|}. Nothing is computed yet.",         \
      "life")                                                                                                \
    X(REFUSE, "refuse", OPERATION, "", "req:r need:c have:c reason:f",                                       \
      "{req} cannot run: {reason}. It needs {need} and there {1have:is|are} {have}.", "life")                           \
    X(PREFILL, "prefill", OPERATION, "", "req:r from:c count:c cached:c",                                    \
      "Prefill: the model computes {count:token} of {req} in one pass, from position {from} on{?cached:; the "\
      "{cached:token} before that {1cached:is not computed: its KV row is|are not computed: their KV rows are} read|}.", "life")                      \
    X(DECODE, "decode", OPERATION, "", "req:r pos:c token:t",                                                \
      "Decode: the model computes the last token {token} of {req} (position {pos}) and reads the "           \
      "KV rows of all the tokens before it.", "life")                                                        \
    X(KV_WRITE, "kv_write", EVENT, "", "req:r from:c count:c slot:s",                                        \
      "Keys and values of {count:token} of {req} are written into {?count:{1count:its slot|its slots}|no slots}, "             \
      "beginning at slot {slot}.", "slots")                                                                  \
    X(POISON, "poison", OPERATION, "", "slot:s bit:c floats:c one:o layer:c row:c old:c",                    \
      "Poison, on purpose: bit {bit} of {floats:float} behind slot {slot} is flipped, in "                   \
      "{?one:layer {layer}|every layer}. It is a new row ({row} instead of {old}): a step back brings the "  \
      "right one again. Whoever reads the slot from here on reads this.", "slots")                           \
    X(SHARE, "share", OPERATION, "", "slot:s with:s row:c old:c",                                            \
      "Shared wrongly, on purpose: slot {slot} now leads to a copy of what was computed for slot {with}"     \
      "{=slot:with}, with the past that it has there. Whoever reads the slot from here on reads this.",      \
      "slots")                                                                                               \
    X(SAMPLE, "sample", EVENT, "", "req:r token:t pos:c",                                                    \
      "The model's next token is {token}: position {pos} of {req}. It has no KV until it is computed.",      \
      "life")                                                                                                \
    X(ANSWER, "answer", OPERATION, "", "req:r tokens:c cached:c computed:c reason:f cut:o",                  \
      "{?cut:{req} is cut off: {reason}. Generated until then: {tokens:token}; what it generated is given "  \
      "back, its prompt stays in the tree|{req} is answered ({reason}): {tokens:token} generated}. Of its "  \
      "prompt {cached:token} came from the cache, {computed} computed.", "life")                             \
    /* the schedule (sglang §4, §6, §7): src/engine/sched.h */                                               \
    X(SCHEDULE, "schedule", OPERATION, "", "policy:x batch:c prefill:c chunk:o priorities:o low_first:o preempt:o", \
      "From here on requests are scheduled: {policy} orders the waiting queue{?priorities:, {?low_first:low|high} priorities " \
      "first|}{?preempt:, and a much more urgent request may take a running one's place|}. At most {batch:request} at a time; " \
      "a prefill pass takes at most {prefill:token}{?chunk: and cuts prompts into chunks of {chunk}|}.", "schedule") \
    X(COST, "cost", EVENT, "", "cost:x", "The clock is virtual: {cost}.", "schedule")                        \
    X(PLAN, "plan", REQUEST, "", "req:r tokens:c max:c at:m ns:x label:x given:o",                           \
      "{req}, of {tokens:prompt token}{?ns: in namespace {ns}|}, will arrive at {at}; it may generate up to {max:token}" \
      "{?given:. Its answer is given: no model runs|}.", "schedule")                                         \
    X(ARRIVE, "arrive", OPERATION, "", "req:r waiting:c now:m",                                              \
      "{now}: {req} enters the waiting queue; waiting now: {waiting}.", "schedule")                          \
    X(IDLE, "idle", OPERATION, "", "until:m",                                                                \
      "Nothing waits and nothing runs: the clock leaps to {until}.", "schedule")                             \
    X(ROUND, "order_queue", OPERATION, "", "policy:x waiting:c running:c asked:x now:m",                     \
      "{now}: who goes next? {policy} orders {waiting:waiting request}; running: {running}{?asked:. ({asked} looks nothing " \
      "up when so many wait)|}.", "schedule")                                                                \
    X(HELD_BACK, "held_back", EVENT, "", "req:r by:r shared:c prefix:c",                                     \
      "{req} is held back this round: {by} is before it and will compute {shared:token} that {req} begins with, too; in the " \
      "tree it has {prefix}.", "schedule")                                                                   \
    X(RANKED, "ranked", EVENT, "", "req:r prefix:c waiting:c held:c",                                        \
      "The order stands: {queue}; {req} is first ({prefix:token} cached) of {waiting}{?held:; held back: {held}|}.", "schedule") \
    X(TAKEN, "taken", EVENT, "", "req:r from:c count:c need:c left:c",                                       \
      "{req} may run: it asks for {need:slot} (what must be computed, what it may generate, a page); {left} can be had. This " \
      "pass computes {count:token} from position {from} on.", "schedule")                                    \
    X(LEFT, "left_waiting", EVENT, "", "req:r why:h need:c left:c",                                          \
      "{req} stays in the queue: {why} (it asks for {need}, {left} can be had). The pass ends here.", "schedule") \
    X(FULL, "batch_full", EVENT, "", "running:c",                                                            \
      "The batch is full ({running:request}): no prefill until one of them ends.", "schedule")               \
    X(WAITS, "waits_again", EVENT, "", "req:r waiting:c",                                                    \
      "{req} stands at the end of the waiting queue; waiting: {waiting}. What it has generated is kept.", "schedule") \
    X(CHUNK, "chunk", OPERATION, "", "req:r from:c count:c rest:c",                                          \
      "The chunked request goes first: {count:token} more of {req}, from position {from} on; {rest} {1rest:remains|remain} after that.", \
      "schedule")                                                                                            \
    X(PASS, "forward", OPERATION, "", "requests:c tokens:c decode:o given:o took:m now:m",                   \
      "{?decode:Decode|Prefill}: one forward pass {?given:would compute|computes} {tokens:token} of {requests:request}. It takes " \
      "{took}{?given: (no model runs: answers are given)|}.", "schedule")                                    \
    X(SHARED_READ, "shared_read", EVENT, "", "jobs:c positions:c rows:c alone:c",                            \
      "Attention over the batch: {jobs:request} {1jobs:has|have} the same rows at their first {positions:position}. These are "\
      "multiplied with all their queries at once, then each one's own rows with its own query, and the two are merged "\
      "by maximum and sum: the same bits. In each layer {rows:row} {1rows:is|are} read, {alone} without sharing.", "batches")\
    X(PART, "part", EVENT, "", "req:r from:c count:c",                                                       \
      "{req} has {count:token} in this pass, from position {from} on.", "schedule")                       \
    X(GIVEN, "given", EVENT, "", "req:r token:t pos:c",                                                      \
      "The next token of {req} is {token} (position {pos}), as the script gives it.", "schedule")            \
    X(CLOCK, "clock", EVENT, "", "now:m waiting:c running:c",                                                \
      "The pass is over at {now}. Waiting: {waiting}; running: {running}.", "schedule")                      \
    X(SHORT, "short_of_slots", OPERATION, "", "need:c free:c running:c",                                     \
      "Decode needs {need:new slot} for {running:request}, and {free} are free after eviction: somebody must give way. The " \
      "batch is sorted: most outputs first, then shorter prompts; who stands last goes first.", "schedule")  \
    X(RETRACT, "retract", OPERATION, "", "req:r outputs:c need:c free:c running:c",                          \
      "Decode needs {need:new slot}, free: {free}. {req} is retracted: it has generated fewest ({outputs:token}). Its own slots go " \
      "back, it waits again; {running:request} {1running:goes|go} on.", "schedule")                                          \
    X(RATIO, "new_token_ratio", EVENT, "", "permille:c was:c",                                               \
      "new_token_ratio is now {permille} in 1000 (it was {was}): so much of what running requests may still generate is " \
      "kept free at admission.", "schedule")                                                                 \
    X(PREEMPT, "preempt", OPERATION, "", "req:r by:r mine:i theirs:i",                                       \
      "{by} (priority {theirs}) takes the place of {req} (priority {mine}): it waits again.", "schedule")    \
    X(TIMES, "times", EVENT, "", "req:r ttft:m gap:m total:m good:o",                                        \
      "{req} had its first token after {ttft}, waited at most {gap} for another one, and took {total} in all{?good:: within " \
      "the limits|: not within the limits}.", "schedule")                                                    \
    X(GONE, "gone", EVENT, "", "req:r waiting:c running:c",                                                  \
      "{req} is gone. Waiting: {waiting}; running: {running}.", "schedule")                                  \
    X(ABORT_PLANNED, "abort_planned", OPERATION, "", "req:r at:m", "{req} will be aborted at {at}.", "schedule") \
    X(ABORT, "abort", OPERATION, "", "req:r", "{req} is aborted: its own slots go back, what was "           \
      "inserted stays in the tree.", "life")                                                                 \
    /* match_prefix (sglang §2 "match", steps 1 to 4) */                                                     \
    X(MATCH, "match_prefix", OPERATION, "M1", "req:r units:c of:c ns:x left:o page:o again:o key:x",         \
      "match_prefix{?again:, again: {req} looks for what it has just inserted, to use the tree's own slots|" \
      ": which prefix of {?req:{req}|{?key:\"{key}\"|the key}} is cached? It looks for {units} of {of:token}"\
      "{?left:{?req:: the last one must be computed to get an answer|}{?page:; only whole pages of {page} "  \
      "count|}|}}.", "match")                                                                                \
    X(MATCH_NOTHING, "match_nothing", EVENT, "M1", "units:c page:c",                                         \
      "{?page:There is nothing to look for: what may be reused of {units:token} fills no page of {page}. The "\
      "tree is not touched|The cache is off: nothing is looked for, everything must be computed}.", "match") \
    X(WALK, "walk", EVENT, "M3b", "node:n units:c total:c",                                                   \
      "{1units:The|All} {units:token} of {node} {1units:equals the key's next one|equal the key's next ones}: the walk goes down, {total} matched so far. "  \
      "The node's last access is now.", "match")                                                             \
    X(MISS, "no_child", EVENT, "M3", "node:n next:t",                                                        \
      "{node} has no child that begins with {next}: the walk ends here.", "match")                           \
    X(SPLIT, "split_node", EVENT, "S1 S2 S3", "node:n upper:n at:c units:c req:r next:t have:t rest:c",      \
      "{node} is split after {at} of {units:token}: {?req:{req}|the key} {?next:goes on with {next}|ends} "  \
      "where the tree has {have}. Now {upper} holds the first {at:token} and {node} the last {rest}; nothing "\
      "is computed or copied.", "split")                                                                     \
    X(MATCHED, "matched", EVENT, "M4", "node:n units:c of:c req:r left:o",                                   \
      "match_prefix returns {units:slot} and {node}: {?left:{units} of {of:token} can be reused"                  \
      "{?req:; {left} of {req} must be computed|}|{1of:the|all} {of:token} of the key {1of:is|are} in the tree}.", "match")     \
    /* inc_lock_ref, dec_lock_ref */                                                                         \
    X(LOCK, "inc_lock_ref", OPERATION, "", "node:n req:r holder:x",                                          \
      "inc_lock_ref: {?req:{req}|{?holder:{holder}|a holder}} holds {node} and every node above it; eviction may not take "\
      "them.", "locks")                                                                                      \
    X(LOCK_NODE, "lock", EVENT, "{?moved:L1 |}L2", "node:n lock:c moved:c",                                  \
      "{node} is held by {lock:holder}.{?moved: Protected, no longer evictable: {moved:token}.|}", "locks")   \
    X(UNLOCK, "dec_lock_ref", OPERATION, "", "node:n req:r holder:x",                                        \
      "dec_lock_ref: {?req:{req}|{?holder:{holder}|a holder}} lets go of {node} and every node above it.", "locks")\
    X(UNLOCK_NODE, "unlock", EVENT, "{?moved:L1 |}L2", "node:n lock:c moved:c",                              \
      "{node} is held by {lock:holder}.{?moved: Evictable again: {moved:token}.|}", "locks")                  \
    X(ADMIT, "admit", EVENT, "", "req:r units:c of:c",                                                       \
      "{?units:The first {units:position} of {req}'s row {1units:points to the tree's slot|point to the tree's slots}"                          \
      "|{req} starts with an empty row}; its row has {of} positions.", "life")                               \
    /* slots (sglang §3) */                                                                                  \
    X(ALLOC, "alloc", OPERATION, "", "req:r want:c free:c key:x",                                            \
      "{?req:{req}|{?key:\"{key}\"|The key}} needs {want:new slot}; free: {free}.", "slots")                 \
    X(TAKE, "take", EVENT, "", "req:r count:c first:s free:c",                                               \
      "{count:slot} taken from the front of the free list, beginning with slot {first}; {free} left.", "slots")\
    X(ALLOC_FAIL, "alloc_fail", EVENT, "", "want:c free:c held:c",                                           \
      "It cannot be done: {want:slot} needed, {free} free, and nothing more can be evicted.", "slots")       \
    X(FREE, "free", EVENT, "", "count:c first:s free:c",                                                     \
      "{count:slot} back on the free list, beginning with slot {first}; {free} free now.", "slots")          \
    X(FREE_DUPLICATES, "free_duplicates", EVENT, "{?req:U2|}", "req:r count:c first:s free:c",               \
      "{count:slot} of {?req:{req}|the caller} held what the tree already has: back on the free list as "    \
      "duplicates; {free} free now.", "slots")                                                               \
    X(FREE_TAIL, "free_tail", EVENT, "{?req:F2|}", "req:r count:c first:s free:c",                           \
      "{count:slot} of {?req:{req}|the caller} did not enter the tree (the key ends inside a page, or nothing "\
      "was inserted): back on the free list; {free} free now.", "slots")                                     \
    /* insert (sglang §2 "insert", steps 1 to 5) */                                                          \
    X(INSERT, "insert", OPERATION, "I1", "req:r units:c ns:x",                                               \
      "insert: {units:token} of {?req:{req}|the key} and the {1units:slot that holds its|slots that hold their} KV enter the tree.",      \
      "insert")                                                                                              \
    X(INSERT_WALK, "insert_walk", EVENT, "I2", "node:n units:c hits:c",                                      \
      "{node} has the next {units:token} already: hit_count is now {hits}.", "insert")                       \
    X(LEAF, "new_leaf", EVENT, "I4", "node:n parent:n units:c first:t",                                      \
      "{node} is made below {parent}: it takes the remaining {units:token}, from {first} on, and {1units:its slot|their slots}.", "insert")                                                                                    \
    X(INSERTED, "inserted", EVENT, "I5", "node:n matched:c added:c",                                         \
      "insert is done. Already in the tree: {matched:token}; new: {added}.", "insert")                       \
    /* cache_unfinished_req, cache_finished_req (sglang §4) */                                               \
    X(CACHE_UNFINISHED, "cache_unfinished_req", OPERATION, "U1", "req:r units:c chunked:o",                  \
      "cache_unfinished_req: {?units:the computed tokens of {req} become shareable before it is answered"    \
      "{?chunked: (one more chunk will follow)|}|no page of {req} becomes shareable}.", "life")              \
    X(ROW, "row", EVENT, "U3 U4", "req:r from:c count:c units:c",                                            \
      "{?count:{req} lets go of {count:duplicate} from position {from} on and reads the tree's slots there"  \
      "|Nothing to rewrite: the tree holds {req}'s own slots}. Its first {units:slot} {1units:is|are} the tree's now.",  \
      "life")                                                                                                \
    X(CACHE_FINISHED, "cache_finished_req", OPERATION, "{?insert:F1|F2}", "req:r units:c insert:c",                       \
      "cache_finished_req: {req} leaves; {?insert:its {units:token} with KV {1units:stays|stay} in the tree for others|"    \
      "nothing of it is inserted}.", "life")                                                                 \
    X(RELEASED, "released", EVENT, "F3", "req:r node:n",                                                     \
      "{req} has gone: no slot is its own any more.", "life")                                                \
    /* evict (sglang §2 "evict", steps 1 and 2) */                                                           \
    X(EVICT, "evict", OPERATION, "E1", "want:c free:c leaves:c policy:p req:r",                              \
      "evict({want}): {?req:{req} needs slots, free: {free}|slots are wanted}. Candidates: {leaves:unlocked leaf}"\
      ", in the order of {policy}. Locked nodes cannot go.", "eviction")                                     \
    X(VICTIM, "evict_node", EVENT, "E2a", "node:n units:c freed:c want:c key:k policy:w next:n next_key:k",  \
      "{node} goes: {?policy:{?next:of the leaves that may go, {policy}|no other leaf may go}|{policy}} "       \
      "(tick {key}{?next:; next would be {next}, tick {next_key}|}). {units:slot} free again, {freed} so far, {want} asked " \
      "for: nodes go whole. Who needs its tokens next must compute them.", "eviction")                        \
    X(NEW_CANDIDATE, "candidate", EVENT, "E2b", "node:n",                                                    \
      "{node} has lost its last child and nobody holds it: it can go next.", "eviction")                     \
    X(EVICTED, "evicted", EVENT, "E2", "freed:c want:c left:c",                                              \
      "evict is done: {freed:slot} freed, {want} asked for; candidates left: {left}.", "eviction")           \
    /* sessions (sglang §5) */                                                                               \
    X(TAG, "tag", EVENT, "", "node:n session:x", "{node} is tagged with session {session}.", "namespaces")   \
    X(CLOSE_SESSION, "close_session", OPERATION, "", "session:x leaves:c",                                   \
      "Session {session} closes: {leaves:tagged node} may go at once.", "namespaces")                        \
    X(CLOSED_NODE, "close_node", EVENT, "", "node:n units:c",                                                \
      "{node} belonged to the closed session alone: it goes and its {units:slot} {1units:is|are} free.", "namespaces")   \
    X(CLOSED, "closed", EVENT, "", "session:x nodes:c",                                                      \
      "Session {session} is closed: {nodes:node} went.", "namespaces")                                       \
    /* what a recording of another server says, and no rule here decides */                                  \
    X(REMOVE, "remove", OPERATION, "", "units:c from:c ns:x",                                                \
      "remove: the last {units:token} of a key {1units:goes|go}, from position {from} on. No policy chose {1units:it|them}: whoever "  \
      "gave the command did.", "eviction")                                                                   \
    X(REMOVED_NODE, "remove_node", EVENT, "", "node:n units:c free:c",                                       \
      "{node} goes: {units:slot} back on the free list; {free} free now.", "eviction")\
    /* a trace of hash ids (trace/replay.h) */                                                               \
    X(SERVED, "served", OPERATION, "", "req:r cached:c computed:c",                                              \
      "{req} of the trace is served: {cached:block} of its prompt came from the cache, {computed} had to be computed.", \
      "life")                                                                                                \
    X(SKIPPED, "skipped", OPERATION, "", "requests:c blocks:c hits:c",                                           \
      "{requests:request} of the trace came before and {1requests:was|were} played without steps: {hits} of {blocks:block} hit.", \
      "life")

enum event_kind {
#define X(id, ...) EV_##id,
    EVENT_TABLE(X)
#undef X
    EV_COUNT
};

struct event_info {
    const char *name, *steps, *args, *sentence, *lesson;
    uint8_t depth, nargs;
};

/* How words that the tape does not know are written: token text needs a tokenizer. Either may be NULL. */
struct event_words {
    void *ctx;
    /* Appends the text of a token, quoted, to b. */
    void (*token)(void *ctx, uint32_t id, struct buf *b);
};

const struct event_info *event_info(unsigned kind);
int event_find(const char *name);                         /* kind, or -1 */
int event_arg(unsigned kind, const char *name);           /* position of an argument, or -1 */
char event_arg_type(unsigned kind, int arg);              /* its letter */
const char *event_arg_name(unsigned kind, int arg, int *len);

/* Can an event of this kind be a part of that operation? Operations nest (a decode allocates), and some
 * events come when the inner one is over. */
bool event_part_of(unsigned kind, unsigned operation);

/* The node, request or slot that a step is about: the first argument of that type, 0 if it has none. */
uint32_t event_about(unsigned kind, const uint32_t *args, char type);

/* Append the numbers of the algorithm's steps that the event shows: "M3", "S1 S2 S3", "" for none. */
void event_steps(unsigned kind, const uint32_t *args, struct buf *b);

/* Append the step's sentence, after those numbers in brackets. `sc` is the moment after the step. */
void event_sentence(struct scene sc, const struct event_words *words, unsigned kind, const uint32_t *args,
                    struct buf *b);

/* Append the arguments as "name=value …" (the --plain line). */
void event_fields(struct scene sc, const struct event_words *words, unsigned kind, const uint32_t *args,
                  struct buf *b);

/* How a node is called: "the root", "node 4 (D)"; ids 1 to 26 also have a letter. */
void node_call(const struct world *w, uint32_t node, struct buf *b);
char node_letter(const struct world *w, uint32_t node); /* 'A'…'Z', '#' for later ids, '/' for the root */
const char *finish_reason_text(uint32_t reason);

#endif
