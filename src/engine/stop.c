#include "engine/stop.h"

#include "model/sample.h"

int stop_push(struct stop_watch *s, uint32_t token, uint32_t *before, struct err *e)
{
    size_t seen = s->text.len;
    if (s->count == 0)
        return 0;
    tokenizer_stream_push(s->tokenizer, &s->stream, token, &s->text);
    if (s->text.failed)
        return err_memory(e, seen, "the text of an answer");
    size_t at = sample_find_stop(buf_text(&s->text), s->text.len, seen, s->stops, s->count);
    if (at == s->text.len)
        return 0;
    *before = (uint32_t)at;
    return 1;
}

void stop_done(struct stop_watch *s)
{
    buf_free(&s->text);
}
