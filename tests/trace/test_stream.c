/* KV events and conversations that are played while they are read. The file is a FIFO that this test fills: what it has
 * not written yet cannot have been read, so nothing here depends on time. What comes of it is what the whole file gives. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "script/worker.h"
#include "tape/check.h"
#include "trace/conversations.h"
#include "trace/kv_import.h"
#include "trace/stream.h"
#include "trace/tracer.h"

enum { MANY = 20000, BLOCK = 4 };

static struct model *model;

static int open_box(void **state)
{
    struct err e = {0};
    (void)state;
    return model_open("data/model", &model, &e);
}

static int close_box(void **state)
{
    (void)state;
    model_close(model);
    return 0;
}

/* ---- files ------------------------------------------------------------------------------------------------ */

/* A server that stores and removes blocks: chains grow from any block, leaves go. A line a batch. */
static void make_events(uint64_t seed, uint32_t lines, struct buf *b)
{
    static uint32_t parent[3 * MANY + 4], kids[3 * MANY + 4], alive[3 * MANY + 4];
    struct prng rng;
    uint32_t made = 0, n = 0;
    prng_seed(&rng, seed);
    memset(kids, 0, sizeof kids);
    for (uint32_t i = 0; i < lines; i++) {
        uint32_t at = n > 0 ? prng_below(&rng, n) : 0, last = n > 0 ? alive[at] : 0;
        buf_printf(b, "{\"seq\":%u,\"ts\":%u.5,\"events\":[", i, i);
        if (n > 8 && prng_below(&rng, 3) == 0 && kids[last] == 0) {
            buf_printf(b, "[\"BlockRemoved\",[%u]]", last);
            alive[at] = alive[--n];
            kids[parent[last]]--;
        } else {
            uint32_t count = 1 + prng_below(&rng, 3), from = prng_below(&rng, 5) == 0 ? 0 : last;
            buf_puts(b, "[\"BlockStored\",[");
            for (uint32_t k = 1; k <= count; k++)
                buf_printf(b, "%s%u", k > 1 ? "," : "", made + k);
            buf_printf(b, from == 0 ? "],null,[" : "],%u,[", from);
            for (uint32_t k = 0; k < count; k++, from = made) {
                alive[n++] = ++made;
                parent[made] = from;
                kids[from]++;
                for (uint32_t j = 0; j < BLOCK; j++)
                    buf_printf(b, "%s%u", k + j > 0 ? "," : "", j == 0 ? made : made % 97 + j);
            }
            buf_printf(b, "],%d,null]", BLOCK);
        }
        buf_puts(b, "]}\n");
    }
    assert_false(b->failed);
}

/* Conversations of one to three turns; equal ones among them. */
static void make_talks(uint64_t seed, uint32_t lines, struct buf *b)
{
    struct prng rng;
    prng_seed(&rng, seed);
    for (uint32_t i = 0; i < lines; i++) {
        buf_puts(b, "{\"messages\":[");
        for (uint32_t turns = prng_below(&rng, 4) == 0 ? 2 : 1; turns > 0; turns--)
            buf_printf(b, "{\"role\":\"user\",\"content\":\"Hi %u\"}%s", prng_below(&rng, 90),
                       turns > 1 ? ",{\"role\":\"assistant\",\"content\":\"No\"}," : "");
        buf_puts(b, "]}\n");
    }
    assert_false(b->failed);
}

static void make_file(enum foreign_format f, uint32_t lines, struct buf *b)
{
    (f == FOREIGN_KV_EVENTS ? make_events : make_talks)(7, lines, b);
}

/* Where line n (from 1) ends. */
static size_t end_of_line(const struct buf *b, uint32_t n)
{
    const char *at = b->data;
    for (; n > 0; n--)
        at = strchr(at, '\n') + 1;
    return (size_t)(at - b->data);
}

/* ---- a file that is written while it is read --------------------------------------------------------------- */

struct pipe_file {
    char dir[64], path[96];
    int fd;
    struct lines *lines;  /* the reading end, before anything is written; for a stream to take */
    const char *bytes;    /* for the writer */
    size_t len;
    uint64_t cuts;        /* seed of the pieces; 0: all at once */
    pthread_t writer;
};

static void pipe_open(struct pipe_file *p)
{
    struct err e = {0};
    *p = (struct pipe_file){.dir = "/tmp/radixscope-stream-XXXXXX"};
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/f.jsonl", p->dir);
    assert_int_equal(mkfifo(p->path, 0600), 0);
    p->fd = open(p->path, O_RDWR | O_CLOEXEC); /* the reader's open waits for nobody, and sees no end before we close */
    assert_true(p->fd >= 0);
    p->lines = lines_open(p->path, &e);
    assert_non_null(p->lines);
}

static void pipe_end(struct pipe_file *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

static void pipe_done(struct pipe_file *p)
{
    pipe_end(p);
    unlink(p->path);
    rmdir(p->dir);
}

/* In any thread: no assertion of cmocka's. */
static void put(struct pipe_file *p, const char *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t some = write(p->fd, bytes + at, n - at);
        if (some <= 0)
            abort();
        at += (size_t)some;
    }
}

static void *write_all(void *arg)
{
    struct pipe_file *p = arg;
    struct prng rng;
    prng_seed(&rng, p->cuts);
    for (size_t at = 0; at < p->len;) {
        size_t n = p->cuts == 0 ? p->len : 1 + prng_below(&rng, prng_below(&rng, 50) == 0 ? 9000 : 60);
        n = n < p->len - at ? n : p->len - at;
        put(p, p->bytes + at, n);
        at += n;
    }
    pipe_end(p);
    return NULL;
}

static void write_rest(struct pipe_file *p, const char *bytes, size_t n, uint64_t cuts)
{
    p->bytes = bytes;
    p->len = n;
    p->cuts = cuts;
    assert_int_equal(pthread_create(&p->writer, NULL, write_all, p), 0);
}

/* ---- a stream on a worker ---------------------------------------------------------------------------------- */

struct play {
    struct stream *stream;
    struct script *head;
    struct worker *w;
    struct worker_status st;
    struct stream_status read;
};

/* Takes the lines. */
static struct stream *open_stream(struct lines *l, enum foreign_format f, const struct stream_options *o, struct err *e)
{
    enum foreign_format found = FOREIGN_COUNT;
    char *bytes;
    size_t n;
    if (l == NULL || lines_first(l, &bytes, &n, e) != 0)
        fail_msg("%s", e->what);
    assert_int_equal(foreign_detect(lines_name(l), bytes, n, &found, e), 0);
    assert_int_equal(found, f);
    struct stream *s = stream_new(l, f, o, e);
    if (s == NULL || stream_begin(s, model, e) == 0)
        return s;
    stream_free(s);
    return NULL;
}

/* As show.c does it: everything is ready, nothing has run. */
static void play_open(struct play *p, struct pipe_file *file, enum foreign_format f)
{
    struct err e = {0};
    struct stream_options o = {.most = 1 << 20};
    struct runner_config cfg = {.model = model};
    *p = (struct play){.stream = open_stream(file->lines, f, &o, &e)};
    if (p->stream == NULL)
        fail_msg("%s", e.what);
    const char *head = stream_head(p->stream);
    p->head = script_parse("", head, strlen(head), 1, &e);
    p->w = p->head != NULL ? worker_new(p->head, &cfg, &e) : NULL;
    if (p->w == NULL)
        fail_msg("%s", e.what);
}

static void play_start(struct play *p)
{
    struct err e = {0};
    struct worker_source from = {.next = stream_next, .done = stream_done, .stop = stream_stop, .ctx = p->stream};
    struct script *again = script_parse("", p->head->source, p->head->source_len, 1, &e);
    assert_int_equal(worker_submit(p->w, again, -1, 0, &e), 0);
    assert_int_equal(worker_stream(p->w, &from, &e), 0);
}

static void play_done(struct play *p)
{
    worker_free(p->w);
    script_free(p->head);
    stream_free(p->stream);
}

static void look(struct play *p)
{
    worker_drain(p->w);
    worker_get_status(p->w, &p->st);
    stream_get_status(p->stream, &p->read);
}

/* Sleep until so much has run: the screen's way, by what makes the descriptor readable. */
static void wait_done(struct play *p, uint64_t done)
{
    for (look(p); p->read.done < done; look(p)) {
        struct pollfd news = {.fd = worker_fd(p->w), .events = POLLIN};
        assert_int_equal(p->st.state == WORKER_FAILED || p->read.ended, 0);
        poll(&news, 1, -1);
    }
}

/* ---- the same read whole ----------------------------------------------------------------------------------- */

static void whole_script(enum foreign_format f, const char *bytes, size_t len, uint32_t pool, struct buf *out)
{
    struct err e = {0};
    struct kv_log log = {0};
    struct kv_summary sum;
    struct conversations how = {.pool = pool, .more = ""};
    struct conversations_summary talks;
    int rc = f == FOREIGN_CONVERSATIONS ? conversations_import("f.jsonl", bytes, len, model, &how, out, &talks, &e)
             : kv_log_parse("f.jsonl", bytes, len, &log, &e) != 0
                 ? -1
                 : kv_import(&log, "f.jsonl", KV_AS_RECORDED, pool, "", out, &sum, &e);
    kv_log_free(&log);
    if (rc != 0)
        fail_msg("%s", e.what);
}

/* A script behind its settings, which differ in the title. */
static const char *commands(const char *text)
{
    const char *at = strstr(text, "\npage ");
    assert_non_null(at);
    return strchr(at + 1, '\n') + 1;
}

/* The world of the stream is the one that this script gives. */
static void same_as_script(struct play *p, const char *text)
{
    struct err e = {0};
    struct runner_config cfg = {.model = model};
    struct script *s = script_parse("", text, strlen(text), 1, &e);
    struct runner *r = s != NULL ? runner_new(s, &cfg, &e) : NULL;
    if (r == NULL || runner_script(r, s, &e) != RUN_DONE)
        fail_msg("%s", e.what);
    assert_true(world_equal(tape_world(runner_tape(r)), tape_world(worker_tape(p->w))));
    assert_int_equal(tape_length(runner_tape(r), 0), tape_length(worker_tape(p->w), 0));
    assert_int_equal(world_check(tape_scene(worker_tape(p->w)), &e), 0);
    runner_free(r);
    script_free(s);
}

/* … and the whole file's is that one, in a pool of the same size. */
static void same_as_whole(struct play *p, enum foreign_format f, const char *bytes, size_t len)
{
    struct buf text = {0};
    whole_script(f, bytes, len, tape_world(worker_tape(p->w))->head.pool, &text);
    assert_string_equal(commands(stream_text(p->stream)), commands(buf_text(&text)));
    same_as_script(p, buf_text(&text));
    buf_free(&text);
}

/* ---- cases ------------------------------------------------------------------------------------------------- */

/* Everything is there to be looked at after the first line; then the file comes piece by piece, and with it the steps. */
static void plays_while_it_reads(enum foreign_format f, uint32_t lines)
{
    struct buf b = {0};
    struct pipe_file file;
    struct play p;
    uint32_t steps = 1;
    make_file(f, lines, &b);
    pipe_open(&file);
    size_t at = end_of_line(&b, 1);
    put(&file, b.data, at);
    play_open(&p, &file, f);
    assert_int_equal(tape_length(worker_tape(p.w), 0), 1); /* the tape is there, and a reader could look at its start */
    play_start(&p);
    for (uint32_t n = 5; n <= 45; n += 20) {
        size_t end = end_of_line(&b, n);
        put(&file, b.data + at, end - at);
        at = end;
        wait_done(&p, f == FOREIGN_KV_EVENTS ? n - 2 : n); /* of KV events the last chain may go on in the next line */
        assert_int_equal(p.st.state, WORKER_RUNNING);
        assert_false(p.read.ended);
        assert_true(tape_length(worker_tape(p.w), 0) > steps);
        steps = tape_length(worker_tape(p.w), 0);
        if (f == FOREIGN_CONVERSATIONS) {
            assert_int_not_equal(tape_find_request(worker_tape(p.w), 0, n), 0); /* a jump to it */
            assert_int_equal(tape_find_request(worker_tape(p.w), 0, 3 * n), 0); /* and to one that has not come */
        }
    }
    write_rest(&file, b.data + at, b.len - at, 0);
    worker_wait(p.w);
    pthread_join(file.writer, NULL);
    look(&p);
    assert_int_equal(p.st.state, WORKER_IDLE);
    assert_true(p.read.ended);
    assert_int_equal(p.read.bytes, b.len);
    assert_true(p.read.done >= lines);
    same_as_whole(&p, f, b.data, b.len);
    play_done(&p);
    pipe_done(&file);
    buf_free(&b);
}

static void test_events_while_they_are_read(void **state)
{
    (void)state;
    plays_while_it_reads(FOREIGN_KV_EVENTS, MANY);
}

static void test_talks_while_they_are_read(void **state)
{
    (void)state;
    plays_while_it_reads(FOREIGN_CONVERSATIONS, 150);
}

/* Script after script until there is no more; what has been given then. */
static const char *drain(struct stream *s, struct err *e)
{
    struct script *one;
    uint64_t before = 0;
    struct stream_status st;
    for (; (one = stream_next(s, e)) != NULL; before = st.done) {
        script_free(one);
        stream_done(s);
        stream_get_status(s, &st);
        assert_true(st.done >= before && !st.ended);
    }
    stream_get_status(s, &st);
    assert_true(st.ended);
    return stream_text(s);
}

/* Large files from the disk: the same commands, line for line. */
static void test_large_files(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        enum foreign_format f = k == 0 ? FOREIGN_KV_EVENTS : FOREIGN_CONVERSATIONS;
        char path[] = "/tmp/radixscope-large-XXXXXX";
        struct err e = {0};
        struct stream_options o = {0};
        struct buf b = {0}, whole = {0};
        make_file(f, MANY, &b);
        int fd = mkstemp(path);
        assert_true(fd >= 0 && write(fd, b.data, b.len) == (ssize_t)b.len && close(fd) == 0);
        struct stream *s = open_stream(lines_open(path, &e), f, &o, &e);
        assert_non_null(s);
        const char *text = drain(s, &e);
        assert_false(e.set);
        whole_script(f, b.data, b.len, 0, &whole);
        assert_string_equal(commands(text), commands(buf_text(&whole)));
        stream_free(s);
        unlink(path);
        buf_free(&b);
        buf_free(&whole);
    }
}

/* Packed values arrive cut anywhere. */
static void test_packed_values_in_pieces(void **state)
{
    struct buf text = {0}, packed = {0}, whole = {0};
    struct kv_log log;
    struct err e = {0};
    (void)state;
    make_events(3, 400, &text);
    assert_int_equal(kv_log_parse("f", text.data, text.len, &log, &e), 0);
    assert_int_equal(kv_log_write_msgpack(&log, &packed, &e), 0);
    kv_log_free(&log);
    whole_script(FOREIGN_KV_EVENTS, packed.data, packed.len, 0, &whole);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct pipe_file file;
        struct stream_options o = {0};
        size_t len = seed < 5 ? packed.len : packed.len - 3; /* the last one is cut off */
        pipe_open(&file);
        write_rest(&file, packed.data, len, seed);
        struct stream *s = open_stream(file.lines, FOREIGN_KV_EVENTS, &o, &e);
        assert_non_null(s);
        const char *made = drain(s, &e);
        assert_int_equal(e.set, seed == 5);
        if (seed < 5)
            assert_string_equal(commands(made), commands(buf_text(&whole)));
        else
            assert_non_null(strstr(e.what, "is damaged or cut off"));
        pthread_join(file.writer, NULL);
        stream_free(s);
        pipe_done(&file);
    }
    buf_free(&text);
    buf_free(&packed);
    buf_free(&whole);
}

/* A wrong line is said when everything before it has been played, and that stays. */
static void test_wrong_line(void **state)
{
    static const struct {
        enum foreign_format f;
        const char *line, *said;
    } BAD[] = {
        {FOREIGN_KV_EVENTS, "{\"seq\":40,\"events\":[[\"BlockStored\",[900],null,[1,2,3,4],4],[\"BlockRemoved\",[\"zz\"]]]}\n",
         "line 41, event 1: field \"block_hashes\": a block's hash is a 64-bit number or up to 32 bytes"},
        {FOREIGN_KV_EVENTS, "{\"seq\":40,\n", "line 41 is no JSON"},
        {FOREIGN_KV_EVENTS, "{\"seq\":40,\"events\":[[\"BlockStored\",[900],900,[1,2,3,4],4]]}\n", "f.jsonl: record 41: block 900 is"},
        {FOREIGN_CONVERSATIONS, "{\"messages\":[{\"role\":\"king\",\"content\":\"x\"}]}\n",
         "line 41: field \"messages[0].role\": system, user or assistant is needed"},
        {FOREIGN_CONVERSATIONS, "{\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}\n",
         "line 41: field \"messages\": no user message asks for an answer"},
        {FOREIGN_CONVERSATIONS, "nonsense\n", "line 41 is no JSON"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct buf b = {0}, good = {0};
        struct pipe_file file;
        struct play p;
        make_file(BAD[i].f, 40, &good);
        buf_add(&b, good.data, good.len);
        buf_puts(&b, BAD[i].line);
        make_file(BAD[i].f, 3, &b);
        pipe_open(&file);
        write_rest(&file, b.data, b.len, 0);
        play_open(&p, &file, BAD[i].f);
        play_start(&p);
        worker_wait(p.w);
        pthread_join(file.writer, NULL);
        look(&p);
        assert_int_equal(p.st.state, WORKER_FAILED);
        if (strstr(p.st.failure.what, BAD[i].said) == NULL || strstr(p.st.failure.what, "f.jsonl") == NULL)
            fail_msg("%s", p.st.failure.what);
        same_as_whole(&p, BAD[i].f, good.data, good.len);
        play_done(&p);
        pipe_done(&file);
        buf_free(&b);
        buf_free(&good);
    }
}

static struct stream *stream_of(const char *text, const struct stream_options *o, struct err *e)
{
    enum foreign_format f;
    if (foreign_detect("f.jsonl", text, strlen(text), &f, e) != 0)
        return NULL;
    struct lines *l = lines_of("f.jsonl", text, strlen(text), e);
    struct stream *s = l != NULL ? stream_new(l, f, o, e) : NULL;
    if (s == NULL || stream_begin(s, model, e) == 0)
        return s;
    stream_free(s);
    return NULL;
}

/* How far a stream comes while its file has not ended: of KV events the last script waits for the end. */
static uint64_t last_done(const char *text, enum foreign_format f)
{
    struct err e = {0};
    struct stream_options o = {0};
    struct stream_status st = {0};
    struct stream *s = stream_of(text, &o, &e);
    struct script *one = s != NULL ? stream_next(s, &e) : NULL;
    uint64_t done = 0;
    while (one != NULL) {
        done = st.done;
        script_free(one);
        stream_done(s);
        stream_get_status(s, &st);
        one = stream_next(s, &e);
    }
    stream_free(s);
    return f == FOREIGN_KV_EVENTS ? done : st.done;
}

/* Cancelled, or left, while nothing comes from the file: nobody waits for it. */
static void test_cancel(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        enum foreign_format f = way % 2 == 0 ? FOREIGN_KV_EVENTS : FOREIGN_CONVERSATIONS;
        struct buf b = {0};
        struct pipe_file file;
        struct play p;
        make_file(f, 30, &b);
        pipe_open(&file);
        put(&file, b.data, b.len);
        play_open(&p, &file, f);
        play_start(&p);
        wait_done(&p, last_done(b.data, f));
        if (way < 2) {
            worker_cancel(p.w);
            worker_wait(p.w);
            look(&p);
            assert_int_equal(p.st.state, WORKER_CANCELLED);
            same_as_script(&p, stream_text(p.stream)); /* what can be kept is what has run */
            struct err e = {0};
            assert_int_equal(worker_submit_line(p.w, "evict 0", -1, 0, &e), 0); /* and it goes on with what is asked */
            worker_wait(p.w);
            look(&p);
            assert_int_equal(p.st.state, WORKER_IDLE);
            assert_int_equal(world_check(tape_scene(worker_tape(p.w)), &e), 0);
        }
        play_done(&p);
        pipe_done(&file);
        buf_free(&b);
    }
}

/* A trace of hash ids does not keep anybody waiting either. */
static void test_tracer_lets_go(void **state)
{
    struct pipe_file file;
    struct err e = {0};
    struct trace_options o = {.capacity = 10};
    struct tracer_status st;
    (void)state;
    pipe_open(&file);
    lines_close(file.lines); /* it opens by name */
    const char *line = "{\"timestamp\":0,\"input_length\":600,\"output_length\":1,\"hash_ids\":[1,2]}\n";
    put(&file, line, strlen(line));
    struct tracer *t = tracer_new(file.path, &o, &e);
    assert_non_null(t);
    assert_int_equal(tracer_start(t, &e), 0);
    do { /* its next request is read now, or waited for */
        struct pollfd news = {.fd = tracer_fd(t), .events = POLLIN};
        poll(&news, 1, -1);
        tracer_drain(t);
        tracer_get_status(t, &st);
    } while (st.requests == 0);
    tracer_cancel(t);
    tracer_wait(t);
    tracer_get_status(t, &st);
    assert_true(st.cancelled && !st.failed);
    tracer_free(t);
    pipe_done(&file);
}

/* What is wrong from the start is told before anything is opened. */
static void test_wrong_from_the_start(void **state)
{
    static const struct {
        const char *text, *said;
    } BAD[] = {
        {"{\"seq\":0,\"events\":[]}\n{\"seq\":1,\"events\":[[\"BlockRemoved\",[1]]]}\n", "nothing is stored in it"},
        {"{\"seq\":0,\"events\":[]}\n", "holds no KV events"},
        {"{\"seq\":0,\"events\":[[\"BlockStored\",[1],null,[5,6,7],2]]}\n", "line 1, event 0: field \"token_ids\""},
        {"{\"messages\":[]}\n", "line 1: field \"messages\": a list of messages is needed"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":5}]}\n", "line 1: field \"messages[0].content\""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct err e = {0};
        struct stream_options o = {0};
        assert_null(stream_of(BAD[i].text, &o, &e));
        if (!e.set || strstr(e.what, BAD[i].said) == NULL)
            fail_msg("%zu: %s", i, e.what);
    }
}

/* The tree outgrows a pool that nobody asked for: an error, where evictions would be made up. */
static void test_pool_too_small(void **state)
{
    struct buf b = {0};
    (void)state;
    make_events(5, 300, &b);
    for (int asked = 0; asked < 2; asked++) {
        struct err e = {0};
        struct stream_options o = {.most = asked ? 0 : 400, .pool = asked ? 400 : 0};
        struct stream *s = stream_of(b.data, &o, &e);
        assert_non_null(s);
        assert_non_null(strstr(stream_head(s), "pool 400\n"));
        drain(s, &e);
        assert_int_equal(e.set, !asked);
        assert_true(asked || (strstr(e.what, "the tree holds more than the 400 tokens of the pool") != NULL &&
                              strstr(e.hint, "--pool") != NULL));
        stream_free(s);
    }
    buf_free(&b);
}

/* Memory that runs out anywhere is an error, and nothing is lost. */
static void test_no_memory(void **state)
{
    static const char *const TEXT[] = {
        "{\"seq\":2,\"events\":[[\"BlockStored\",[1,2],null,[5,6],1],[\"BlockStored\",[3],9,[7],1]]}\n"
        "{\"seq\":3,\"events\":[[\"BlockRemoved\",[2]],[\"BlockStored\",[4],null,[8],1]]}\n",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"},"
        "{\"role\":\"user\",\"content\":\"c\"}]}\n{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n"};
    unsigned long failed = 0;
    (void)state;
    for (unsigned long n = 1; n < 300; n++) {
        struct err e = {0};
        struct stream_options o = {0};
        xalloc_fail_at(n / 2 + 1, true);
        struct stream *s = stream_of(TEXT[n % 2], &o, &e);
        struct script *one;
        while (s != NULL && !e.set && (one = stream_next(s, &e)) != NULL) {
            script_free(one);
            stream_done(s);
        }
        failed += xalloc_failures() > 0;
        assert_int_equal(e.set, xalloc_failures() > 0);
        xalloc_fail_at(0, false);
        stream_free(s);
    }
    assert_true(failed > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_while_they_are_read), cmocka_unit_test(test_talks_while_they_are_read),
        cmocka_unit_test(test_large_files),                cmocka_unit_test(test_packed_values_in_pieces),
        cmocka_unit_test(test_wrong_line),                 cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_tracer_lets_go),             cmocka_unit_test(test_wrong_from_the_start),
        cmocka_unit_test(test_pool_too_small),             cmocka_unit_test(test_no_memory),
    };
    alarm(300); /* nobody waits for ever */
    return cmocka_run_group_tests(tests, open_box, close_box);
}
