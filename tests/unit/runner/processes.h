#ifndef PROCESSES_H
#define PROCESSES_H
/*
 * A pool of processes for tests: open, define, call, and what the functions of the tests need. Needs
 * cmocka.h's own headers; include it first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <deja/clock.h>
#include <deja/image.h>
#include <deja/pool.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { processes_patience_ms = 20000 };

#define OPTIONS(...)                                                                                         \
    (&(deja_pool_options){                                                                                   \
        .size = sizeof(deja_pool_options), .stage_folder = -1, .heap_bytes = 1 << 30, __VA_ARGS__})

static inline deja_pool *processes_open(const deja_pool_options *options)
{
    deja_pool *p = NULL;
    deja_error err;
    if (deja_pool_open(&p, options, &err) < 0)
        fail_msg("%s", err.text);
    return p;
}

static inline deja_pool_function *processes_define(deja_pool *p, deja_pool_function_options o)
{
    deja_pool_function *f = NULL;
    deja_error err;
    o.size = sizeof o;
    if (deja_pool_define(p, &o, &f, &err) < 0)
        fail_msg("%s", err.text);
    return f;
}

#define DEFINE(p, f, ...)                                                                                    \
    processes_define(p, (deja_pool_function_options){.name = #f, .function = f, __VA_ARGS__})

static inline uint64_t processes_submit(deja_pool *p, deja_pool_function *f, const deja_value *args, size_t n,
                                        void *user)
{
    uint64_t task = 0;
    deja_error err;
    if (deja_pool_submit(p, f, args, n, user, &task, &err) < 0)
        fail_msg("%s", err.text);
    return task;
}

/* The next outcome, whoever's. */
static inline deja_task_outcome processes_next(deja_pool *p)
{
    deja_task_outcome o;
    int64_t end = deja_monotonic_ns(NULL) + processes_patience_ms * DEJA_MS_NS;
    for (;;) {
        uint32_t seen = deja_pool_seen(p);
        if (deja_pool_take(p, &o, 1))
            return o;
        if (deja_monotonic_ns(NULL) > end)
            fail_msg("no outcome within %d ms", processes_patience_ms);
        deja_pool_wait(p, seen, 1000);
    }
}

static inline void processes_done(deja_task_outcome *o)
{
    deja_product_done(&o->product);
    deja_free(o->text);
    if (o->out_fd >= 0)
        close(o->out_fd);
    if (o->err_fd >= 0)
        close(o->err_fd);
}

static inline deja_task_outcome processes_call(deja_pool *p, deja_pool_function *f, const deja_value *args,
                                               size_t n)
{
    uint64_t task = processes_submit(p, f, args, n, NULL);
    deja_task_outcome o = processes_next(p);
    assert_int_equal(o.task, task);
    return o;
}

#define ARGS(...) (const deja_value[]){__VA_ARGS__}, sizeof((deja_value[]){__VA_ARGS__}) / sizeof(deja_value)

/* Code 0 and this number. */
static inline void processes_expect(deja_task_outcome o, int64_t number)
{
    if (o.code < 0)
        fail_msg("%s", o.text);
    assert_int_equal(o.product.len, 0);
    assert_int_equal(o.product.scalar.kind, DEJA_I64);
    assert_int_equal(o.product.scalar.i64, number);
    processes_done(&o);
}

static inline void processes_expect_failure(deja_task_outcome o, int code, const char *words)
{
    assert_int_equal(o.code, code);
    if (!strstr(o.text, words))
        fail_msg("'%s' does not say '%s'", o.text, words);
    processes_done(&o);
}

/* 1 when the process exists and is no zombie: orphans are reaped when init likes. */
static inline int processes_alive(int64_t pid)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    char *got = fgets(line, sizeof line, f);
    fclose(f);
    const char *state = got ? strrchr(line, ')') : NULL;
    return state && state[2] != 'Z' && state[2] != 'X';
}

/* Waits until so many processes are there. */
static inline void processes_await(deja_pool *p, size_t count)
{
    for (int i = 0; i < 5000 && deja_pool_pids(p, NULL, 0) != count; i++)
        poll(NULL, 0, 1);
    assert_int_equal(deja_pool_pids(p, NULL, 0), count);
}

/* All processes of a list are gone, within a second. */
static inline int processes_gone(const int64_t *pids, size_t count)
{
    for (int i = 0; i < 200; i++) {
        size_t left = 0;
        for (size_t j = 0; j < count; j++)
            left += (size_t)processes_alive(pids[j]);
        if (!left)
            return 1;
        poll(NULL, 0, 5);
    }
    return 0;
}

#endif
