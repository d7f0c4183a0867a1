/*
 * Opening, closing, the lock, and the loop of a context, see context.h.
 */
#include "context.h"
#include "flight.h"
#include "function.h"
#include "future.h"
#include "memo.h"
#include "shared.h"
#include "stream.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/place.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A worker has this long to begin (and to end) before somebody who waits looks again: only a safety net. */
#define NAP_MS 1000

int context_check(deja_error *err)
{
    if (!deja_pool_in_coroutine())
        return 0;
    return deja_fail(
        err, DEJA_EINVAL,
        "a coroutine cannot call deja, its stack is too small: let it return, and submit what follows "
        "from outside");
}

int context_enter(deja *d, deja_error *err)
{
    if (!d || context_check(err) < 0)
        return DEJA_EINVAL;
    if (d->owner != getpid())
        return deja_fail(err, DEJA_EFORK, "this process is a copy made by fork: open deja in it anew");
    pthread_mutex_lock(&d->lock);
    return 0;
}

/* Not under the lock. */
static void tell(const deja *d, const char *text)
{
    if (d->options.warn)
        d->options.warn(d->options.warn_context, text);
    else
        dprintf(STDERR_FILENO, "deja: %s\n", text);
}

void context_unlock(deja *d)
{
    if (d->keeper_waits && d->storing.first && !d->sleeping)
        pthread_cond_signal(&d->keep);
    pthread_mutex_unlock(&d->lock);
}

/* Under the lock, which is given back and not taken again. */
static void leave_and_tell(deja *d)
{
    deja_buffer texts = d->warnings;
    d->warnings = (deja_buffer){0};
    context_unlock(d);
    for (size_t at = 0; at < texts.len; at += strlen(texts.data + at) + 1)
        tell(d, texts.data + at);
    deja_buffer_done(&texts);
}

void context_leave(deja *d)
{
    leave_and_tell(d);
}

void context_warn(deja *d, const char *text)
{
    deja_buffer_add(&d->warnings, text, strlen(text) + 1);
    if (d->warnings.failed)
        deja_buffer_clear(&d->warnings); /* lack of memory drops warnings */
}

/* The pool's, which is called under the lock. */
static void warn_of_pool(void *context, const char *text)
{
    context_warn(context, text);
}

/* ---- the loop ---- */

static int collect_steps(deja *d)
{
    int any = 0;
    deja_step *step;
    for (; d->cache && d->steps > 0 && (step = deja_cache_next(d->cache)); any = 1) {
        step_waiter *w = step->user;
        d->steps--;
        w->finished(w, step);
    }
    return any;
}

static int collect_outcomes(deja *d)
{
    deja_task_outcome outcomes[64];
    int any = 0;
    size_t n;
    while ((n = deja_pool_take(d->pool, outcomes, 64)) > 0) {
        any = 1;
        for (size_t i = 0; i < n; i++)
            flight_outcome(outcomes[i].user, &outcomes[i]);
    }
    return any;
}

static int tell_warnings(deja *d)
{
    char *text;
    int any = 0;
    while (d->cache && (text = deja_cache_take_warning(d->cache))) {
        context_warn(d, text);
        deja_free(text);
        any = 1;
    }
    return any;
}

int context_collect(deja *d)
{
    int any = collect_steps(d);
    any |= collect_outcomes(d);
    any |= flight_ask_again(d);
    any |= tell_warnings(d);
    if (any)
        pthread_cond_broadcast(&d->changed);
    return any;
}

static int64_t ms_until(int64_t end_ns)
{
    int64_t now = deja_monotonic_ns(NULL);
    if (end_ns <= now)
        return 0;
    int64_t ms = (end_ns - now + DEJA_MS_NS - 1) / DEJA_MS_NS;
    return ms < NAP_MS ? ms : NAP_MS;
}

int64_t context_end_ns(int64_t timeout_ms)
{
    if (timeout_ms < 0 || timeout_ms > INT64_MAX / (2 * DEJA_MS_NS))
        return INT64_MAX;
    return deja_monotonic_ns(NULL) + timeout_ms * DEJA_MS_NS;
}

/* Nothing of the cache is under way: the pool's own word is the quickest to wait on. The keeper, which tells
 * nobody, does not ask again for claims of others either: that is for those who wait. */
static void sleep_for_all(deja *d, uint32_t seen, int64_t end_ns, int tells)
{
    int64_t aside = tells ? flight_next_ns(d) : INT64_MAX;
    int64_t ms = ms_until(end_ns < aside ? end_ns : aside);
    int cache_fd = d->steps > 0 ? deja_cache_fd(d->cache) : -1;
    int pool_fd = cache_fd >= 0 ? deja_pool_fd(d->pool, NULL) : -1;
    d->sleeping = 1;
    d->sleeps_on_cache = pool_fd >= 0;
    if (tells)
        leave_and_tell(d);
    else
        pthread_mutex_unlock(&d->lock);
    if (pool_fd < 0) {
        deja_pool_wait(d->pool, seen, cache_fd >= 0 && ms > 1 ? 1 : ms);
    } else {
        struct pollfd fds[2] = {{.fd = cache_fd, .events = POLLIN}, {.fd = pool_fd, .events = POLLIN}};
        poll(fds, 2, (int)ms);
    }
    pthread_mutex_lock(&d->lock);
    d->sleeping = 0;
    pthread_cond_broadcast(&d->changed);
}

static void wait_for_others(deja *d, int64_t end_ns)
{
    struct timespec until;
    int64_t aside = flight_next_ns(d);
    int64_t ns = deja_monotonic_ns(NULL) + ms_until(end_ns < aside ? end_ns : aside) * DEJA_MS_NS;
    until.tv_sec = ns / DEJA_S_NS;
    until.tv_nsec = ns % DEJA_S_NS;
    pthread_cond_timedwait(&d->changed, &d->lock, &until);
}

int context_turn(deja *d, int64_t end_ns)
{
    uint32_t seen = deja_pool_seen(d->pool);
    if (context_collect(d))
        return 1;
    if (flight_run_here(d)) {
        context_collect(d); /* before this thread asks for the same again */
        return 1;
    }
    if (end_ns != INT64_MAX && deja_monotonic_ns(NULL) >= end_ns)
        return 0;
    if (d->sleeping) {
        wait_for_others(d, end_ns);
        return 1;
    }
    sleep_for_all(d, seen, end_ns, 1);
    context_collect(d);
    return 1;
}

void context_began(deja *d)
{
    d->steps++;
    if (!d->sleeps_on_cache)
        context_wake(d);
}

/* ---- the keeper ---- */

/* Not on `changed`, which each result of a map changes. */
static void wait_to_keep(deja *d)
{
    d->keeper_waits = 1;
    pthread_cond_wait(&d->keep, &d->lock);
    d->keeper_waits = 0;
}

/*
 * Results go into the cache, and claims back, while nobody calls: a thread that takes its turn as long as
 * there are some. It runs no callbacks and no functions.
 */
static void *keep(void *context)
{
    deja *d = context;
    pthread_mutex_lock(&d->lock);
    while (!d->closing) {
        uint32_t seen = deja_pool_seen(d->pool);
        int any = collect_steps(d);
        any |= collect_outcomes(d);
        if (any)
            pthread_cond_broadcast(&d->changed);
        else if (!d->storing.first || d->sleeping)
            wait_to_keep(d);
        else
            sleep_for_all(d, seen, INT64_MAX, 0);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

void context_keep(deja *d)
{
    if (d->has_keeper)
        return;
    d->has_keeper =
        pthread_create(&d->keeper, NULL, keep, d) == 0; /* without it whoever calls next goes on */
}

static void end_keeper(deja *d)
{
    if (!d->has_keeper)
        return;
    d->closing = 1;
    pthread_cond_signal(&d->keep);
    context_wake(d);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->keeper, NULL);
    pthread_mutex_lock(&d->lock);
}

void context_wake(deja *d)
{
    if (d->sleeping)
        deja_pool_ring(d->pool);
}

/* ---- opening ---- */

static int open_claims(deja *d, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    deja_buffer_addf(&path, "%s/claims", d->folder);
    return path.failed ? deja_fail(err, DEJA_ENOMEM, "open deja: out of memory")
                       : deja_claims_open(&d->claims, path.data, err);
}

static int open_cache(deja *d, const deja_options *o, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer folder = {0};
    int rc = deja_place_cache(&folder, o->cache, NULL, err);
    if (rc < 0)
        return rc;
    deja_free(d->folder);
    d->folder = deja_buffer_take(&folder);
    deja_cache_options options = {.size = sizeof options,
                                  .flags = (d->flags & DEJA_READONLY ? DEJA_CACHE_READ_ONLY : 0) |
                                           (d->flags & DEJA_NO_SYNC ? DEJA_CACHE_NO_SYNC : 0),
                                  .folder = d->folder};
    rc = deja_cache_open(&d->cache, &options, err);
    return rc < 0 || d->flags & DEJA_READONLY ? rc : open_claims(d, err);
}

/* What cannot be kept is computed all the same. */
static void try_cache(deja *d, const deja_options *o)
{
    deja_error why;
    if (d->flags & DEJA_NO_CACHE || open_cache(d, o, &why) == 0)
        return;
    deja_claims_close(d->claims);
    deja_cache_close(d->cache);
    d->claims = NULL;
    d->cache = NULL;
    if (why.code == DEJA_ENOTFOUND && d->flags & DEJA_READONLY)
        return;
    deja_fail_in(&why, "continuing without a cache");
    tell(d, why.text);
}

static int open_pool(deja *d, deja_error *err)
{
    const deja_options *o = &d->options;
    deja_pool_options options = {.size = sizeof options,
                                 .workers = o->workers,
                                 .init = o->init,
                                 .init_arg = o->init_arg,
                                 .init_each = (d->flags & DEJA_INIT_EACH) != 0,
                                 .max_tasks = o->max_tasks,
                                 .max_rss_bytes = o->max_rss_bytes,
                                 .stage_folder = d->claims ? deja_cache_stage_folder(d->cache) : -1,
                                 .stack_bytes = o->stack_bytes,
                                 .grace_ms = o->grace_ms,
                                 .heap_bytes = o->heap_bytes,
                                 .no_process = (d->flags & DEJA_NO_WORKERS) != 0,
                                 .inline_apart = 1,
                                 .warn = warn_of_pool,
                                 .warn_context = d};
    return deja_pool_open(&d->pool, &options, err);
}

static int take_mode(deja *d, deja_error *err)
{
    deja_place_mode mode = DEJA_PLACE_USE;
    int rc = deja_place_mode_of(deja_place_env("DEJA_MODE"), &mode, err);
    d->flags |= mode == DEJA_PLACE_OFF        ? DEJA_NO_CACHE
                : mode == DEJA_PLACE_READONLY ? DEJA_READONLY
                : mode == DEJA_PLACE_REFRESH  ? DEJA_REFRESH
                                              : 0;
    return rc;
}

static int init_lock(deja *d)
{
    pthread_condattr_t clock;
    if (pthread_condattr_init(&clock))
        return -1;
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&d->changed, &clock) || pthread_cond_init(&d->keep, &clock) ||
                 pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_destroy(&clock);
    return failed ? -1 : 0;
}

int context_options(void *ret, size_t size, const void *given, const char *macro, deja_error *err)
{
    uint32_t own = 0;
    if (!given)
        return 0;
    memcpy(&own, given, sizeof own);
    if (own < 2 * sizeof own || own > size)
        return deja_fail(err, DEJA_EINVAL, "options of %u bytes: make them by %s()", own, macro);
    memcpy(ret, given, own);
    return 0;
}

deja *deja_open(const deja_options *options, deja_error *err)
{
    deja *d = deja_calloc(1, sizeof *d);
    if (!d || init_lock(d) < 0) {
        deja_free(d);
        deja_fail(err, DEJA_ENOMEM, "open deja: out of memory");
        return NULL;
    }
    d->owner = getpid();
    int rc = context_options(&d->options, sizeof d->options, options, "DEJA_OPTIONS", err);
    d->flags = d->options.flags;
    if (rc == 0)
        rc = take_mode(d, err);
    if (rc == 0) {
        try_cache(d, &d->options);
        rc = open_pool(d, err);
    }
    d->options.cache = NULL;
    if (rc < 0) {
        deja_close(d);
        return NULL;
    }
    if (err)
        err->code = 0;
    return d;
}

/* What is computed is kept; what is not begun is forgotten. */
static void settle(deja *d)
{
    flight_cancel_all(d);
    while (d->flight_count > 0)
        context_turn(d, INT64_MAX);
}

static void close_all(deja *d)
{
    deja_pool_close(d->pool);
    deja_claims_close(d->claims);
    deja_cache_close(d->cache);
    deja_free(d->folder);
    deja_free(d->table);
    pthread_cond_destroy(&d->changed);
    pthread_cond_destroy(&d->keep);
    pthread_mutex_destroy(&d->lock);
    deja_free(d);
}

/*
 * In a forked child: the threads of the cache are not there, and SQLite must not be touched. What would hold
 * up others is given back: the claims' descriptors.
 */
static void close_copy(deja *d)
{
    deja_pool_close(d->pool);
    deja_claims_close(d->claims);
}

void deja_close(deja *d)
{
    if (!d)
        return;
    if (d->owner != getpid()) {
        close_copy(d);
        return;
    }
    pthread_mutex_lock(&d->lock);
    if (d->pool)
        settle(d);
    end_keeper(d);
    stream_free_all(d);
    future_free_all(d);
    memo_free_all(d);
    leave_and_tell(d);
    shared_free_all(d);
    function_free_all(d);
    close_all(d);
}

int deja_sync(deja *d, deja_error *err)
{
    int rc = context_enter(d, err);
    if (rc < 0)
        return rc;
    flight_wait_kept(d);
    rc = d->not_kept.code;
    if (rc < 0)
        deja_fail(err, rc, "%s", d->not_kept.text);
    d->not_kept.code = 0;
    context_leave(d);
    return rc;
}

void deja_progress_get(deja *d, deja_progress *ret)
{
    if (context_enter(d, NULL) < 0)
        return;
    uint32_t size = ret->size < sizeof *ret ? ret->size : sizeof *ret;
    deja_progress now = d->progress;
    now.size = ret->size;
    memcpy(ret, &now, size);
    context_leave(d);
}
