#include "trace/sweep.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "trace/stack_distance.h"

/* ---- lists ----------------------------------------------------------------------------------------------- */

/* Calls one(ctx, word, n) for each word between commas. */
static int each_word(const char *list, const char *what, int (*one)(void *ctx, const char *w, size_t n, struct err *e),
                     void *ctx, struct err *e)
{
    for (const char *at = list;; at++) {
        size_t n = strcspn(at, ",");
        if (n == 0)
            return err_usage(e, "the list of %s '%.60s' has an empty place: values stand between single commas", what, list);
        if (one(ctx, at, n, e) != 0)
            return -1;
        at += n;
        if (*at == '\0')
            return 0;
    }
}

struct numbers {
    uint32_t v[SWEEP_POINTS], n;
};

static int add_number(struct numbers *l, uint32_t v, struct err *e)
{
    if (l->n == SWEEP_POINTS)
        return err_usage(e, "a list has at most %d values", SWEEP_POINTS);
    l->v[l->n++] = v;
    return 0;
}

static int add_capacity(void *ctx, const char *w, size_t n, struct err *e)
{
    uint32_t v;
    return replay_capacity_parse(w, n, &v, e) != 0 ? -1 : add_number(ctx, v, e);
}

const char *sweep_policy_name(uint32_t policy)
{
    return policy == SWEEP_BOUND ? "bound" : policy == SWEEP_BLOCK_LRU ? "block-lru" : policy_name(policy);
}

const char *sweep_policy_about(uint32_t policy)
{
    switch (policy) {
    case SWEEP_BELADY: return "belady: the tree evicts the leaf that is read again last; need not be the best";
    case SWEEP_BOUND: return "bound: no cache; the most that any of this size could hit, knowing it all";
    case SWEEP_BLOCK_LRU: return "block LRU: by stack distance; no tree, single blocks, other figures than lru";
    default: return "";
    }
}

static int add_policy(void *ctx, const char *w, size_t n, struct err *e)
{
    char name[32] = "";
    uint32_t v;
    memcpy(name, w, n < sizeof name ? n : sizeof name - 1);
    for (v = POLICY_COUNT; v < SWEEP_POLICIES; v++)
        if (strcasecmp(name, sweep_policy_name(v)) == 0)
            return add_number(ctx, v, e);
    if (policy_parse(name, &v, NULL) == 0)
        return add_number(ctx, v, e);
    err_usage(e, "'%s' is no eviction policy", name);
    return err_hint(e, "use lru, lfu, fifo, mru, filo, priority or slru; belady, bound and block-lru look ahead");
}

static int make_points(struct sweep *s, const struct numbers *c, const struct numbers *p, struct err *e)
{
    if ((uint64_t)c->n * p->n > SWEEP_POINTS)
        return err_usage(e, "%u capacities and %u policies make more than %d points", c->n, p->n, SWEEP_POINTS);
    s->points = 0;
    s->point = xcalloc((size_t)c->n * p->n, sizeof *s->point);
    if (s->point == NULL)
        return err_memory(e, (size_t)c->n * p->n * sizeof *s->point, "the points of a sweep");
    for (uint32_t i = 0; i < c->n; i++)
        for (uint32_t k = 0; k < p->n; k++)
            s->point[s->points++] = (struct sweep_point){.capacity = c->v[i], .policy = p->v[k]};
    return 0;
}

int sweep_points(struct sweep *s, const char *capacities, const char *policies, struct err *e)
{
    struct numbers *l = xcalloc(2, sizeof *l);
    if (l == NULL)
        return err_memory(e, 2 * sizeof *l, "the lists of a sweep");
    int rc = each_word(capacities, "capacities", add_capacity, &l[0], e);
    for (uint32_t i = 0; policies == NULL && i < POLICY_COUNT; i++)
        l[1].v[l[1].n++] = i;
    if (rc == 0 && policies != NULL)
        rc = each_word(policies, "policies", add_policy, &l[1], e);
    if (rc == 0)
        rc = make_points(s, &l[0], &l[1], e);
    xfree(l);
    return rc;
}

void sweep_done(struct sweep *s)
{
    xfree(s->point);
    s->point = NULL;
    s->points = 0;
}

/* ---- a batch --------------------------------------------------------------------------------------------- */

struct batch {
    uint32_t *ids;
    size_t ids_n, ids_cap;
    uint32_t *len;           /* (n) ids of each request */
    size_t n, len_cap;
    bool first, last;        /* of the trace */
};

static bool batch_add(struct batch *b, const struct mooncake_request *r)
{
    void *ids = b->ids, *len = b->len;
    bool ok = xgrow(&ids, &b->ids_cap, b->ids_n + r->n, sizeof *b->ids);
    b->ids = ids;
    ok = ok && xgrow(&len, &b->len_cap, b->n + 1, sizeof *b->len);
    b->len = len;
    if (!ok)
        return false;
    if (r->n > 0)
        memcpy(b->ids + b->ids_n, r->ids, r->n * sizeof *r->ids);
    b->ids_n += r->n;
    b->len[b->n++] = r->n;
    return true;
}

/* What the threads share while they play a batch. */
struct play {
    struct sweep *s;
    const struct batch *b;
    uint64_t most;           /* blocks of the whole trace, at most; 0: nobody knows */
    struct replay *replay;   /* (points); t == NULL: not open */
    bool ahead;              /* the whole trace is one batch, and … */
    struct future future;    /* … this is what comes */
    uint32_t *distance;      /* stack_distances; NULL: nobody asks */
    atomic_uint next, ended; /* the next point to be taken; points that are done */
    atomic_bool stop;
    pthread_mutex_t lock;    /* of failure */
    pthread_cond_t over;
    struct err failure;
};

static bool stopped(const struct play *p)
{
    return atomic_load(&p->stop) || (p->s->cancel != NULL && atomic_load(p->s->cancel));
}

static int play_batch(struct play *p, struct replay *r, const uint32_t *ids, struct err *e)
{
    for (size_t i = 0; i < p->b->n && !((i & 255) == 0 && stopped(p)); i++) {
        if (replay_request(r, ids, p->b->len[i], e) != 0)
            return -1;
        ids += p->b->len[i];
    }
    return 0;
}

/* What no cache has to be replayed for. */
static int look_point(const struct play *p, struct sweep_point *point, struct err *e)
{
    const struct future *f = &p->future;
    uint32_t pool = point->capacity == REPLAY_UNLIMITED ? UINT32_MAX : point->capacity;
    point->f = (struct replay_figures){.requests = f->requests, .blocks = f->total};
    for (uint32_t d = 1; point->policy == SWEEP_BLOCK_LRU && d <= f->nodes && d <= pool; d++)
        point->f.hit_blocks += p->distance[d];
    if (point->policy != SWEEP_BOUND)
        return 0;
    for (uint32_t r = 0; r < f->requests; r++)
        point->f.too_big += f->request[r].slots > pool;
    return future_bound(f, pool, NULL, &point->f.hit_blocks, e);
}

static int play_point(struct play *p, uint32_t i, struct err *e)
{
    struct replay *r = &p->replay[i];
    struct sweep_point *point = &p->s->point[i];
    if (!sweep_has_cache(point))
        return look_point(p, point, e);
    bool belady = point->policy == SWEEP_BELADY;
    uint64_t whole = p->b->first && p->b->last ? p->b->ids_n + 1 : p->most;
    if (r->t == NULL && replay_open(r, point->capacity, belady ? POLICY_LRU : point->policy, whole, false, e) != 0)
        return -1;
    if (belady)
        replay_foresee(r, &p->future);
    int rc = play_batch(p, r, belady ? p->future.page : p->b->ids, e);
    point->f = r->f;
    if (p->b->last)
        replay_close(r);
    return rc;
}

static void *work(void *arg)
{
    struct play *p = arg;
    uint32_t i;
    while (!stopped(p) && (i = atomic_fetch_add(&p->next, 1)) < p->s->points) {
        struct err e = {0};
        int rc = play_point(p, i, &e);
        pthread_mutex_lock(&p->lock);
        if (rc != 0 && !p->failure.set)
            p->failure = e;
        if (rc != 0)
            atomic_store(&p->stop, true);
        atomic_fetch_add(&p->ended, 1);
        pthread_cond_signal(&p->over);
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

/* Threads of a sweep leave signals to the thread that asked for it. */
static uint32_t start_threads(struct play *p, uint32_t n, pthread_t *thread)
{
    sigset_t all, before;
    uint32_t started = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started < n && pthread_create(&thread[started], NULL, work, p) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static uint32_t thread_count(const struct sweep *s)
{
    long cores = s->threads != 0 ? (long)s->threads : sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t n = cores < 1 ? 1 : cores > SWEEP_THREADS ? SWEEP_THREADS : (uint32_t)cores;
    return n < s->points ? n : s->points;
}

static void tell(const struct sweep *s, struct sweep_progress *at, uint32_t points_done)
{
    at->points_done = points_done;
    at->points = s->points;
    if (s->progress != NULL)
        s->progress(s->ctx, at);
}

/* Wait for the threads and say meanwhile how far they are. */
static void watch(struct play *p, struct sweep_progress *at)
{
    uint32_t told = 0;
    pthread_mutex_lock(&p->lock);
    while (told < p->s->points && !stopped(p)) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 100000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&p->over, &p->lock, &soon);
        told = atomic_load(&p->ended);
        pthread_mutex_unlock(&p->lock);
        tell(p->s, at, told);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
}

static int play_all(struct play *p, struct sweep_progress *at, struct err *e)
{
    pthread_t thread[SWEEP_THREADS];
    atomic_store(&p->next, 0);
    atomic_store(&p->ended, 0);
    uint32_t n = start_threads(p, thread_count(p->s), thread);
    if (n == 0) /* this thread can do it as well */
        work(p);
    else
        watch(p, at);
    for (uint32_t i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    if (p->failure.set && e != NULL)
        *e = p->failure;
    return p->failure.set ? -1 : 0;
}

/* ---- the trace ------------------------------------------------------------------------------------------- */

/* Requests until the batch is full. `ahead` holds the request that did not fit. */
static int read_batch(struct play *p, struct batch *b, struct mooncake *m, struct lines *l,
                      struct mooncake_request *ahead, bool *held, struct sweep_progress *at, struct err *e)
{
    size_t most = p->ahead ? SIZE_MAX : p->s->batch != 0 ? p->s->batch : SWEEP_BATCH;
    int rc = 1;
    b->ids_n = b->n = 0;
    while (!stopped(p)) {
        if (!*held && (rc = mooncake_next(m, ahead, e)) <= 0)
            break;
        *held = b->n > 0 && (b->ids_n + ahead->n > most || b->n >= most);
        if (*held)
            break;
        if (!batch_add(b, ahead))
            return err_memory(e, b->ids_cap * 8, "a batch of requests");
        at->requests++;
        at->bytes = lines_taken(l);
        if ((at->requests & 0x3fff) == 0)
            tell(p->s, at, 0);
    }
    b->last = rc == 0;
    return rc < 0 ? -1 : 0;
}

/* What comes, when some point asks for it: the batch is the whole trace then. */
static int look_ahead(struct play *p, const struct batch *b, struct err *e)
{
    bool distances = false;
    for (uint32_t i = 0; i < p->s->points; i++)
        distances = distances || p->s->point[i].policy == SWEEP_BLOCK_LRU;
    if (!p->ahead)
        return 0;
    if (future_of_ids(&p->future, b->ids, b->len, (uint32_t)b->n, e) != 0)
        return err_hint(e, "leave out belady, bound and block-lru, which look ahead");
    p->distance = distances ? stack_distances(&p->future) : NULL;
    return !distances || p->distance != NULL ? 0 : err_memory(e, p->future.nodes * 4ull, "stack distances");
}

static int play_trace(struct play *p, struct lines *l, struct mooncake *m, struct batch *b, struct err *e)
{
    struct sweep_progress at = {.size = lines_size(l)};
    struct mooncake_request ahead;
    bool held = false;
    for (b->first = true; !b->last || b->first; b->first = false) {
        if (read_batch(p, b, m, l, &ahead, &held, &at, e) != 0)
            return -1;
        if (!stopped(p) && look_ahead(p, b, e) != 0)
            return -1;
        p->most = lines_values(l);
        p->s->block = mooncake_block(m);
        p->s->kind = mooncake_get_kind(m);
        if (stopped(p) || play_all(p, &at, e) != 0)
            return p->failure.set ? -1 : 0;
    }
    return 0;
}

enum sweep_result sweep_run(struct sweep *s, struct lines *l, struct err *e)
{
    struct batch b = {0};
    struct play p = {.s = s, .b = &b, .replay = xcalloc(s->points, sizeof *p.replay)};
    for (uint32_t i = 0; i < s->points; i++)
        p.ahead = p.ahead || s->point[i].policy >= POLICY_COUNT;
    struct mooncake *m = p.replay != NULL ? mooncake_new(l, s->block, e) : NULL;
    int rc = p.replay == NULL ? err_memory(e, s->points * sizeof *p.replay, "a sweep") : -1;
    if (m != NULL) {
        pthread_mutex_init(&p.lock, NULL);
        pthread_cond_init(&p.over, NULL);
        rc = play_trace(&p, l, m, &b, e);
        pthread_cond_destroy(&p.over);
        pthread_mutex_destroy(&p.lock);
    }
    for (uint32_t i = 0; p.replay != NULL && i < s->points; i++)
        replay_close(&p.replay[i]);
    mooncake_free(m);
    future_done(&p.future);
    xfree(p.distance);
    xfree(p.replay);
    xfree(b.ids);
    xfree(b.len);
    return rc != 0 ? SWEEP_FAILED : s->cancel != NULL && atomic_load(s->cancel) ? SWEEP_CANCELLED : SWEEP_DONE;
}

/* ---- results --------------------------------------------------------------------------------------------- */

void sweep_capacity(uint32_t capacity, struct buf *out)
{
    if (capacity == REPLAY_UNLIMITED)
        buf_puts(out, "unlimited");
    else
        buf_printf(out, "%u", capacity);
}

/* What only a cache has. */
static void put_evicted(const struct sweep_point *p, const char *nodes, const char *blocks, const char *none, struct buf *out)
{
    buf_puts(out, nodes);
    if (sweep_has_cache(p))
        buf_printf(out, "%llu%s%llu", (unsigned long long)p->f.evicted_nodes, blocks, (unsigned long long)p->f.evicted_blocks);
    else
        buf_printf(out, "%s%s%s", none, blocks, none);
}

void sweep_json(const struct sweep_point *p, struct buf *out)
{
    bool all = p->capacity == REPLAY_UNLIMITED;
    buf_printf(out, "{\"policy\": \"%s\", \"capacity\": %s", sweep_policy_name(p->policy), all ? "\"" : "");
    sweep_capacity(p->capacity, out);
    buf_printf(out, "%s, \"requests\": %llu, \"blocks\": %llu, \"hit_blocks\": %llu, \"hit_rate\": %.6f, \"requests_too_big\": %llu",
               all ? "\"" : "", (unsigned long long)p->f.requests, (unsigned long long)p->f.blocks,
               (unsigned long long)p->f.hit_blocks, replay_hit_rate(&p->f), (unsigned long long)p->f.too_big);
    put_evicted(p, ", \"evicted_nodes\": ", ", \"evicted_blocks\": ", "null", out);
    buf_puts(out, "}\n");
}

void sweep_csv_head(struct buf *out)
{
    buf_puts(out, "policy,capacity,requests,blocks,hit_blocks,hit_rate,requests_too_big,evicted_nodes,evicted_blocks\n");
}

void sweep_csv(const struct sweep_point *p, struct buf *out)
{
    buf_printf(out, "%s,", sweep_policy_name(p->policy));
    sweep_capacity(p->capacity, out);
    buf_printf(out, ",%llu,%llu,%llu,%.6f,%llu", (unsigned long long)p->f.requests, (unsigned long long)p->f.blocks,
               (unsigned long long)p->f.hit_blocks, replay_hit_rate(&p->f), (unsigned long long)p->f.too_big);
    put_evicted(p, ",", ",", "", out);
    buf_putc(out, '\n');
}
