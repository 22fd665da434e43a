/* kv_log.h: the KV events that a server published (sglang §8), read from a file or taken from a tape.
 *
 * A file is JSONL (one record a line) or a row of msgpack values; a record is, in the shapes in which SGLang and
 * vLLM send them (array_like structs) or in which people print them:
 *      [ts, [event, …], rank?]                      a batch
 *      [seq, batch]  [topic, seq, batch]            with its sequence number; in msgpack seq may be 8 big-endian
 *                                                   bytes and batch the packed bytes, as the ZMQ frames are
 *      {"seq":…, "ts":…, "events":[…]}              the same by name
 *      event alone
 * and an event is
 *      ["BlockStored", hashes, parent|null, token_ids, block_size, lora_id?, medium?]
 *      ["BlockRemoved", hashes, medium?]            ["AllBlocksCleared"]
 *      {"type":"BlockStored", "block_hashes":…, "parent_block_hash":…, …}
 * A hash is a 64-bit number, signed or not, or bytes (msgpack) or hexadecimal text of up to 32 bytes.
 *
 * A sequence number that does not follow its predecessor becomes an event of its own, KV_GAP. The log owns all.
 */
#ifndef RADIXSCOPE_TRACE_KV_LOG_H
#define RADIXSCOPE_TRACE_KV_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct tape;

enum kv_type { KV_STORED, KV_REMOVED, KV_CLEARED, KV_GAP };
enum { KV_HASH_BYTES = 32 };
#define KV_NONE 0xffffffffu

struct kv_hash {
    uint8_t len, byte[KV_HASH_BYTES]; /* a number is its 8 bytes, big-endian */
};

struct kv_event {
    enum kv_type type;
    uint32_t record;               /* line of a JSONL file, number of a msgpack value, step of a tape */
    uint32_t batch;                /* counts from 0 */
    uint32_t first, hashes;        /* extent of log.list */
    uint32_t parent;               /* number of a hash; KV_NONE: the root */
    uint32_t first_token, tokens;  /* extent of log.token */
    uint32_t lora;                 /* lora_id + 1; 0: none */
    bool elsewhere;                /* not in the memory of the GPU */
    int64_t from, to;              /* KV_GAP: the numbers that are missing; to < from: they began again */
    double ts;
};

struct kv_log {
    struct kv_event *event;        /* (events) */
    struct kv_hash *hash;          /* (hashes) each once; events name them by number */
    uint32_t *list, *token;
    uint32_t block_size;           /* units of a block; 0: nothing was stored */
    size_t events, hashes, lists, tokens;
    size_t event_cap, hash_cap, list_cap, token_cap;
    uint32_t *slot;                /* (slots) open addressing: number of a hash + 1 */
    size_t slots;
    int64_t seq;                   /* of the last batch; -1: none was given */
    int64_t first_seq;             /* of the first; -1 */
    int64_t rank;                  /* attn_dp_rank; -1: not said */
    uint32_t batches;
    uint32_t records;              /* of a file, read by kv_log_parse */
};

/* Read a file's bytes; `name` stands for it in errors, which say record, field and reason. kv_log_free also after
 * a failure. */
int kv_log_parse(const char *name, const char *bytes, size_t len, struct kv_log *out, struct err *e);

/* The same record by record, for files that are still being read: an empty log, then every line of a JSONL file or
 * every packed value. What a record says stands behind what the log holds; a record that is wrong may leave a part of
 * itself there. */
struct kv_reader {
    const char *name;              /* borrowed; stands for the file in errors */
    struct kv_log *log;            /* borrowed */
    bool text;                     /* lines, not values */
    uint32_t record;               /* read last, from 1 */
    uint64_t byte;                 /* of the file: where the next value begins */
    int event;                     /* in its batch, from 0; -1: the batch itself */
    struct err *e;                 /* of the call at hand */
};

bool kv_is_text(const char *bytes, size_t len);   /* the beginning of a file: is it JSONL? */
void kv_reader_begin(struct kv_reader *r, const char *name, bool text, struct kv_log *log); /* empties the log */
int kv_reader_line(struct kv_reader *r, const char *line, size_t len, struct err *e);
/* *used: bytes of the value; 0: more are needed, where `more` may come. */
int kv_reader_value(struct kv_reader *r, const char *bytes, size_t len, bool more, size_t *used, struct err *e);

/* What SGLang would have published during the run on the branch of the tape that is written: a batch an operation,
 * ts is the step at which it ends. */
int kv_log_of_tape(const struct tape *t, struct kv_log *out, struct err *e);
void kv_log_free(struct kv_log *log);

/* Append one JSON object a line, or one msgpack value [seq, [ts, [event, …]]], a batch. */
void kv_log_write_json(const struct kv_log *log, struct buf *out);
int kv_log_write_msgpack(const struct kv_log *log, struct buf *out, struct err *e);

uint32_t kv_hash_number(struct kv_log *log, const struct kv_hash *h); /* KV_NONE: no memory */
struct kv_hash kv_hash_of_id(int64_t id);
void kv_hash_text(const struct kv_hash *h, struct buf *out);          /* "-42", or hexadecimal */
struct kv_event *kv_log_add(struct kv_log *log, enum kv_type type);   /* NULL: no memory */
bool kv_log_add_hash(struct kv_log *log, struct kv_event *ev, uint32_t number); /* to the last event */
bool kv_log_add_token(struct kv_log *log, struct kv_event *ev, uint32_t token);

#endif
