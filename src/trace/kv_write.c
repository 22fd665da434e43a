/* kv_write.c: KV events as SGLang names them, JSONL and msgpack. */
#include <msgpack.h>

#include <string.h>

#include "base/xalloc.h"
#include "trace/kv_log.h"

/* ---- JSON ----------------------------------------------------------------------------------------------- */

static void json_hash(const struct kv_hash *h, struct buf *out)
{
    bool text = h->len != 8;
    if (text)
        buf_putc(out, '"');
    kv_hash_text(h, out);
    if (text)
        buf_putc(out, '"');
}

static void json_hashes(const struct kv_log *log, const struct kv_event *ev, struct buf *out)
{
    buf_puts(out, ",\"block_hashes\":[");
    for (uint32_t i = 0; i < ev->hashes; i++) {
        buf_puts(out, i > 0 ? "," : "");
        json_hash(&log->hash[log->list[ev->first + i]], out);
    }
    buf_putc(out, ']');
}

static void json_stored(const struct kv_log *log, const struct kv_event *ev, struct buf *out)
{
    buf_puts(out, ",\"parent_block_hash\":");
    if (ev->parent == KV_NONE)
        buf_puts(out, "null");
    else
        json_hash(&log->hash[ev->parent], out);
    buf_puts(out, ",\"token_ids\":[");
    for (uint32_t i = 0; i < ev->tokens; i++)
        buf_printf(out, "%s%u", i > 0 ? "," : "", log->token[ev->first_token + i]);
    buf_printf(out, "],\"block_size\":%u,\"lora_id\":", log->block_size);
    if (ev->lora != 0)
        buf_printf(out, "%u", ev->lora - 1);
    else
        buf_puts(out, "null");
}

static void json_event(const struct kv_log *log, const struct kv_event *ev, struct buf *out)
{
    static const char *const NAMES[] = {"BlockStored", "BlockRemoved", "AllBlocksCleared"};
    buf_printf(out, "{\"type\":\"%s\"", NAMES[ev->type]);
    if (ev->type != KV_CLEARED)
        json_hashes(log, ev, out);
    if (ev->type == KV_STORED)
        json_stored(log, ev, out);
    buf_puts(out, ev->type == KV_CLEARED ? "}" : ",\"medium\":\"GPU\"}");
}

/* How many events from i on are of its batch. */
static size_t batch_events(const struct kv_log *log, size_t i)
{
    size_t n = 1;
    while (i + n < log->events && log->event[i + n].batch == log->event[i].batch)
        n++;
    return n;
}

void kv_log_write_json(const struct kv_log *log, struct buf *out)
{
    for (size_t i = 0, n; i < log->events; i += n) {
        n = batch_events(log, i);
        buf_printf(out, "{\"seq\":%u,\"ts\":%.15g,\"events\":[", log->event[i].batch, log->event[i].ts);
        for (size_t j = i; j < i + n; j++) {
            buf_puts(out, j > i ? "," : "");
            json_event(log, &log->event[j], out);
        }
        buf_puts(out, "]}\n");
    }
}

/* ---- msgpack -------------------------------------------------------------------------------------------- */

static int pack_write(void *ctx, const char *bytes, size_t n)
{
    buf_add(ctx, bytes, n);
    return 0;
}

static void pack_text(msgpack_packer *p, const char *text)
{
    msgpack_pack_str(p, strlen(text));
    msgpack_pack_str_body(p, text, strlen(text));
}

static void pack_hash(msgpack_packer *p, const struct kv_hash *h)
{
    uint64_t id = 0;
    for (int i = 0; i < 8; i++)
        id = id << 8 | h->byte[i];
    if (h->len == 8) {
        msgpack_pack_int64(p, (int64_t)id);
        return;
    }
    msgpack_pack_bin(p, h->len);
    msgpack_pack_bin_body(p, h->byte, h->len);
}

static void pack_stored(msgpack_packer *p, const struct kv_log *log, const struct kv_event *ev)
{
    if (ev->parent == KV_NONE)
        msgpack_pack_nil(p);
    else
        pack_hash(p, &log->hash[ev->parent]);
    msgpack_pack_array(p, ev->tokens);
    for (uint32_t i = 0; i < ev->tokens; i++)
        msgpack_pack_uint32(p, log->token[ev->first_token + i]);
    msgpack_pack_uint32(p, log->block_size);
    if (ev->lora != 0)
        msgpack_pack_uint32(p, ev->lora - 1);
    else
        msgpack_pack_nil(p);
}

static void pack_event(msgpack_packer *p, const struct kv_log *log, const struct kv_event *ev)
{
    static const struct {
        const char *name;
        size_t fields;
    } SHAPE[] = {{"BlockStored", 7}, {"BlockRemoved", 3}, {"AllBlocksCleared", 1}};
    msgpack_pack_array(p, SHAPE[ev->type].fields);
    pack_text(p, SHAPE[ev->type].name);
    if (ev->type == KV_CLEARED)
        return;
    msgpack_pack_array(p, ev->hashes);
    for (uint32_t i = 0; i < ev->hashes; i++)
        pack_hash(p, &log->hash[log->list[ev->first + i]]);
    if (ev->type == KV_STORED)
        pack_stored(p, log, ev);
    pack_text(p, "GPU");
}

int kv_log_write_msgpack(const struct kv_log *log, struct buf *out, struct err *e)
{
    msgpack_packer p;
    msgpack_packer_init(&p, out, pack_write);
    for (size_t i = 0, n; i < log->events; i += n) {
        n = batch_events(log, i);
        msgpack_pack_array(&p, 2);
        msgpack_pack_uint32(&p, log->event[i].batch);
        msgpack_pack_array(&p, 2);
        msgpack_pack_double(&p, log->event[i].ts);
        msgpack_pack_array(&p, n);
        for (size_t j = i; j < i + n; j++)
            pack_event(&p, log, &log->event[j]);
    }
    return out->failed ? err_memory(e, out->len, "KV events") : 0;
}
