/*
 * Coroutines that run without waiting, see stall.h.
 */
#include "stall.h"
#include "local.h"

#include <deja/clock.h>
#include <stdatomic.h>

enum { most_ms = 100 };

static void name(task *t, int64_t ns)
{
    deja_pool_function *f = t->function;
    if (ns <= most_ms * DEJA_MS_NS || atomic_exchange(&f->is_named, 1))
        return;
    pool_warn(f->pool,
              "'%s' ran for %lld ms without waiting: meanwhile no other coroutine ran; the thread backend "
              "suits it better",
              f->options.name, (long long)(ns / DEJA_MS_NS));
}

void stall_begin(stall *s, task *t, int64_t now_ns)
{
    atomic_store_explicit(&s->since_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&s->running, t, memory_order_release);
}

void stall_end(stall *s, int64_t now_ns)
{
    task *t = atomic_load_explicit(&s->running, memory_order_relaxed);
    int64_t ns = now_ns - atomic_load_explicit(&s->since_ns, memory_order_relaxed);
    atomic_store_explicit(&s->running, NULL, memory_order_relaxed);
    if (ns > most_ms * DEJA_MS_NS)
        name(t, ns);
}

/* Only the owner frees tasks, so the task is there even where it has ended meanwhile; the time may be that of
 * the one after it, which is shorter. */
int64_t stall_look(stall *s, int64_t now_ns)
{
    int64_t again = now_ns + most_ms * DEJA_MS_NS, late = INT64_MAX;
    task *t = atomic_load_explicit(&s->running, memory_order_acquire);
    if (t) {
        name(t, now_ns - atomic_load_explicit(&s->since_ns, memory_order_relaxed));
        late = local_look(t, now_ns);
    }
    return late < again ? late : again;
}
