#ifndef POOL_FIXTURE_H
#define POOL_FIXTURE_H
/*
 * A pool, functions for it, and its outcomes one by one.
 */
#include "backend.h"

#include <deja/clock.h>
#include <deja/image.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { fixture_patience_ms = 20000 };

static inline deja_pool *fixture_open(uint32_t workers)
{
    deja_error err = {0};
    deja_pool *p = NULL;
    deja_pool_options o = {.size = sizeof o, .workers = workers, .stage_folder = -1, .no_process = 1};
    if (deja_pool_open(&p, &o, &err) < 0)
        fail_msg("%s", err.text);
    return p;
}

static inline deja_pool_function *fixture_define(deja_pool *p, deja_pool_function_options o)
{
    deja_error err = {0};
    deja_pool_function *f = NULL;
    o.size = sizeof o;
    if (deja_pool_define(p, &o, &f, &err) < 0)
        fail_msg("%s", err.text);
    return f;
}

static inline uint64_t fixture_submit(deja_pool *p, deja_pool_function *f, const deja_value *args, size_t n,
                                      void *user)
{
    deja_error err = {0};
    uint64_t number = 0;
    if (deja_pool_submit(p, f, args, n, user, &number, &err) < 0)
        fail_msg("%s", err.text);
    return number;
}

static inline uint64_t fixture_submit_i64(deja_pool *p, deja_pool_function *f, int64_t x)
{
    deja_value v = deja_i64(x);
    return fixture_submit(p, f, &v, 1, (void *)(intptr_t)x);
}

/* The next outcome; the test fails when none comes. */
static inline deja_task_outcome fixture_next(deja_pool *p)
{
    deja_task_outcome o;
    int64_t end = deja_monotonic_ns(NULL) + fixture_patience_ms * DEJA_MS_NS;
    while (deja_monotonic_ns(NULL) < end) {
        uint32_t seen = deja_pool_seen(p);
        if (deja_pool_take(p, &o, 1) == 1)
            return o;
        deja_pool_wait(p, seen, fixture_patience_ms);
    }
    fail_msg("no outcome came");
    return (deja_task_outcome){0};
}

static inline void fixture_done(deja_task_outcome *o)
{
    deja_free(o->text);
    deja_product_done(&o->product);
}

/* Until all items of the run have ended. */
static inline void fixture_finish(deja_pool *p, deja_map_run *r, uint64_t count)
{
    int64_t end = deja_monotonic_ns(NULL) + fixture_patience_ms * DEJA_MS_NS;
    for (;;) {
        uint32_t seen = deja_pool_seen(p);
        if (deja_map_run_done(r) == count)
            return;
        if (deja_monotonic_ns(NULL) > end)
            fail_msg("the map did not end");
        deja_pool_wait(p, seen, fixture_patience_ms);
    }
}

#endif
