/*
 * Tasks in this process. What a function took longer than its timeout is late, whether somebody saw it in
 * time or not; so the outcome does not depend on who looks when.
 */
#include "local.h"

#include "async.h"
#include "invoke.h"
#include "local_map.h"

#include <deja/clock.h>
#include <errno.h>
#include <stdatomic.h>
#include <time.h>

static int64_t timeout_ns(const task *t)
{
    return t->function->options.timeout_ms * DEJA_MS_NS;
}

static void begin(task *t)
{
    int64_t now = deja_monotonic_ns(NULL);
    __atomic_store_n(&t->start_ns, now, __ATOMIC_RELEASE);
    if (t->function->options.timeout_ms > 0)
        local_deadline(t->function->pool, now + timeout_ns(t));
}

static void fill(task *t, int code, int64_t wall_ns, deja_product *made, const deja_error *err)
{
    t->outcome.wall_ns = wall_ns;
    if (code == 0)
        t->outcome.product = *made;
    else
        t->outcome.text = deja_strdup(err->text);
    t->outcome.code = code;
}

static void run_call(task *t, deja_sink *s)
{
    const deja_pool_function_options *o = &t->function->options;
    deja_product made;
    deja_error err;
    begin(t);
    int code = invoke(o->function, o->name, t->args->list, t->args->len, s, &made, &err);
    int64_t wall = deja_monotonic_ns(NULL) - t->start_ns;
    int running = task_running;
    if (o->timeout_ms > 0 && wall >= timeout_ns(t))
        pool_late(t->function->pool, t);
    if (atomic_compare_exchange_strong(&t->state, &running, task_ended))
        fill(t, code, wall, &made, &err);
    else if (code == 0)
        deja_product_done(&made);
}

void local_execute(task *t, deja_sink *s)
{
    int given = task_given;
    if (!atomic_compare_exchange_strong(&t->state, &given, task_running))
        return;
    if (t->lane)
        local_map_run_lane(t->lane, s);
    else
        run_call(t, s);
}

void local_fail(task *t, int code, const char *text)
{
    int given = task_given;
    if (!atomic_compare_exchange_strong(&t->state, &given, task_ended))
        return;
    t->outcome.code = code;
    t->outcome.text = deja_strdup(text);
}

int local_cancel(backend *b, task *t, int kill)
{
    (void)b, (void)kill;
    int given = task_given;
    return atomic_compare_exchange_strong(&t->state, &given, task_canceled) ? 2 : 0;
}

int64_t local_look(task *t, int64_t now_ns)
{
    if (t->lane)
        return local_map_look(t->lane, now_ns);
    int64_t start = __atomic_load_n(&t->start_ns, __ATOMIC_ACQUIRE);
    if (t->function->options.timeout_ms <= 0 || t->state != task_running || !start)
        return INT64_MAX;
    if (now_ns < start + timeout_ns(t))
        return start + timeout_ns(t);
    pool_late(t->function->pool, t);
    return INT64_MAX;
}

void local_deadline(deja_pool *p, int64_t at_ns)
{
    coroutine *c = coroutine_current();
    if (c)
        async_deadline(c, at_ns);
    else
        pool_due(p, at_ns);
}

void local_sleep_until(int64_t at_ns)
{
    coroutine *c = coroutine_current();
    if (c) {
        async_sleep_until(c, at_ns);
        return;
    }
    struct timespec at = {.tv_sec = at_ns / DEJA_S_NS, .tv_nsec = at_ns % DEJA_S_NS};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
}

int local_stage_folder(const deja_pool_options *o)
{
    return o->stage_folder >= 0 ? o->stage_folder : sink_memory;
}
