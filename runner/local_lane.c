/*
 * Lanes: who claims items of a map and runs them. Items are claimed by one atomic add, in chunks that shrink
 * towards the end and hold about a millisecond of work; within a chunk they are timed in beats, so that items
 * of some nanoseconds pay for no clock.
 */
#include "limit.h"
#include "local.h"
#include "local_run.h"

#include <deja/clock.h>
#include <stdatomic.h>

enum {
    chunk_ns = 1000 * 1000,    /* of work */
    beat_least_ns = 10 * 1000, /* two looks at the clock cost some 60 ns */
    beat_most_ns = 100 * 1000,
    beat_most = 256,            /* items */
    turn_ns = 10 * 1000 * 1000, /* a coroutine lets others run after so much of items that do not wait */
    rate_slice_ns = 20 * 1000 * 1000, /* who waits for the rate looks so often whether it is to stop */
};

/* Items with a limit are begun one by one, and each has a time of its own. */
static int is_single(const local_run *r)
{
    return r->f->options.timeout_ms > 0 || r->f->options.per_second > 0;
}

static void set_walls(local_run *r, lane *l, uint64_t at, uint64_t n, int64_t total_ns)
{
    for (uint64_t i = at; i < at + n; i++)
        r->wall_ns[i] = (float)total_ns / (float)n;
    l->mean_ns = total_ns / (int64_t)n;
    if (total_ns < beat_least_ns && l->beat < beat_most)
        l->beat *= 2;
    else if (total_ns > beat_most_ns)
        l->beat = l->beat > 1 ? l->beat / 2 : 1;
}

/* `current` before `start_ns`: who looks for late ones reads them the other way round. */
static void announce(local_run *r, lane *l, uint64_t at, int64_t start)
{
    int64_t timeout_ns = r->f->options.timeout_ms * DEJA_MS_NS;
    if (timeout_ns <= 0)
        return;
    atomic_store(&l->current, at);
    atomic_store(&l->start_ns, start);
    local_deadline(r->ops.pool, start + timeout_ns);
}

static int is_stopped(local_run *r)
{
    return atomic_load_explicit(&r->stopped, memory_order_relaxed);
}

static void run_beat(local_run *r, lane *l, uint64_t at, uint64_t n, deja_sink *s)
{
    int64_t start = deja_monotonic_ns(NULL);
    uint64_t ended = 0, i = at;
    announce(r, l, at, start);
    do
        ended += local_item_run(r, l, i++, s);
    while (i < at + n && !is_stopped(r));
    atomic_store_explicit(&l->start_ns, 0, memory_order_release);
    set_walls(r, l, at, i - at, deja_monotonic_ns(NULL) - start);
    local_item_ended(r, ended);
    local_item_cancel(r, i, at + n);
}

/* 0: it was stopped meanwhile. */
static int wait_for_rate(local_run *r)
{
    for (int64_t at; (at = limit_claim(r->f, deja_monotonic_ns(NULL)));) {
        int64_t slice = deja_monotonic_ns(NULL) + rate_slice_ns;
        if (is_stopped(r))
            return 0;
        local_sleep_until(at < slice ? at : slice);
    }
    return 1;
}

/* Else a map of short items would run as long as it lasts, and be named for it. */
static void take_turns(lane *l)
{
    if (!deja_pool_in_coroutine())
        return;
    int64_t now = deja_monotonic_ns(NULL);
    if (l->turn_ns && now - l->turn_ns < turn_ns)
        return;
    if (l->turn_ns)
        local_sleep_until(now);
    l->turn_ns = now;
}

static void run_chunk(local_run *r, lane *l, uint64_t at, uint64_t end, deja_sink *s)
{
    while (at < end) {
        if (is_stopped(r) || !wait_for_rate(r)) {
            local_item_cancel(r, at, end);
            return;
        }
        uint64_t n = is_single(r) ? 1 : l->beat;
        n = n < end - at ? n : end - at;
        take_turns(l);
        run_beat(r, l, at, n, s);
        at += n;
    }
}

/* Guided (Polychronopoulos and Kuck, 1987): a share of what is left, at most a millisecond. */
static uint64_t chunk_size(const local_run *r, const lane *l)
{
    if (r->m->chunk)
        return r->m->chunk;
    uint64_t next = atomic_load_explicit(&r->next, memory_order_relaxed);
    uint64_t left = next < r->m->count ? r->m->count - next : 0;
    uint64_t share = left / (4 * (uint64_t)r->lanes);
    uint64_t most = l->mean_ns > 0 ? (uint64_t)(chunk_ns / l->mean_ns) : l->beat;
    uint64_t n = share < most ? share : most;
    return n ? n : 1;
}

/* 0: none is left. */
static int claim(local_run *r, const lane *l, uint64_t *ret_at, uint64_t *ret_end)
{
    uint64_t n = chunk_size(r, l), count = r->m->count;
    if (atomic_load_explicit(&r->next, memory_order_relaxed) >= count)
        return 0;
    n = n < count ? n : count; /* so that `next` cannot overflow */
    uint64_t at = atomic_fetch_add(&r->next, n);
    if (at >= count)
        return 0;
    *ret_at = at;
    *ret_end = n < count - at ? at + n : count;
    return 1;
}

static int init_nodes(local_run *r, lane *l)
{
    const deja_map_task *m = r->m;
    int nested = 0;
    for (uint32_t c = 0; c < m->columns; c++)
        nested |= m->column[c].split && deja_item_is_nested(m->column[c].split);
    if (!nested)
        return 0;
    l->node = deja_calloc(m->columns, sizeof *l->node);
    for (uint32_t c = 0; l->node && c < m->columns; c++)
        if (m->column[c].split && deja_item_is_nested(m->column[c].split))
            deja_item_node_init(m->column[c].split, &l->node[c]);
    return l->node ? 0 : -1;
}

int local_lane_init(local_run *r, lane *l)
{
    const deja_map_task *m = r->m;
    l->run = r;
    l->beat = 1;
    if (m->rows || !m->columns || !m->column)
        return 0;
    l->arg = deja_calloc(m->columns, sizeof *l->arg);
    for (uint32_t c = 0; l->arg && c < m->columns; c++)
        l->arg[c] = m->column[c].same;
    return l->arg ? init_nodes(r, l) : -1;
}

void local_lane_done(lane *l)
{
    deja_free(l->arg);
    deja_free(l->node);
}

void local_map_run_lane(void *arg, deja_sink *s)
{
    lane *l = arg;
    for (uint64_t at, end; claim(l->run, l, &at, &end);)
        run_chunk(l->run, l, at, end, s);
}

int64_t local_map_look(void *arg, int64_t now_ns)
{
    lane *l = arg;
    local_run *r = l->run;
    int64_t timeout_ns = r->f->options.timeout_ms * DEJA_MS_NS, start = atomic_load(&l->start_ns);
    uint64_t at = atomic_load(&l->current);
    if (timeout_ns <= 0 || !start)
        return INT64_MAX;
    if (now_ns < start + timeout_ns)
        return start + timeout_ns;
    if (atomic_load(&l->start_ns) == start)
        local_item_late(r, at);
    return INT64_MAX;
}
