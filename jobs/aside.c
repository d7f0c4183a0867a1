/* Jobs set aside, see aside.h. */
#include "aside.h"
#include "environment.h"
#include <deja/cleanup.h>
#include <deja/clock.h>

/* A claim that somebody else has is asked for again after this time, doubled up to the second one. */
#define FIRST_NS (1 * DEJA_MS_NS)
#define MOST_NS  (100 * DEJA_MS_NS)
/* A run within a job waits no longer. */
#define NESTED_NS (10 * DEJA_S_NS)
/* After this long a job that is set aside says so. */
#define SAY_NS (300 * DEJA_MS_NS)

/* Another job of this run that has what `a` wants, or NULL. */
static active *find_maker(const active *a)
{
    for (active *b = a->flow->busy.first; b; b = b->next)
        if (b->claimed && a->keyed && b->keyed && deja_hash_equal(&a->key, &b->key))
            return b;
    return NULL;
}

static void say(active *a)
{
    DEJA_AUTO_BUFFER deja_buffer reason = {0};
    flow_event event = active_event(a, FLOW_WAITING);
    active *maker = find_maker(a);
    if (maker)
        deja_buffer_addf(&reason, "'%s' makes the same", active_name(maker));
    event.reason = reason.len ? deja_buffer_string(&reason) : NULL;
    active_tell(a->flow, &event);
}

void aside_add(active *a)
{
    int64_t now = deja_monotonic_ns(NULL);
    if (a->aside_ns == 0)
        a->aside_since_ns = now;
    a->aside_ns = a->aside_ns == 0 ? FIRST_NS : a->aside_ns * 2 > MOST_NS ? MOST_NS : a->aside_ns * 2;
    a->ask_again_ns = now + a->aside_ns;
    if (!a->said_waiting && now - a->aside_since_ns > SAY_NS) {
        a->said_waiting = 1;
        say(a);
    }
    deja_entry_free(a->entry);
    a->entry = NULL;
    active_enter(a, ASIDE);
}

void aside_until(active *a, int64_t at_ns)
{
    a->aside_ns = 0;
    a->ask_again_ns = a->not_before_ns = at_ns;
    active_enter(a, ASIDE);
}

int aside_is_over(const active *a)
{
    return a->aside_ns > 0 && environment_get(a->flow->options.environment, "DEJA_CLAIMS") &&
           deja_monotonic_ns(NULL) - a->aside_since_ns > NESTED_NS;
}

int aside_wake(flow *f)
{
    int woken = 0;
    int64_t now = f->aside.first ? deja_monotonic_ns(NULL) : 0;
    for (active *a = f->aside.first, *next; a; a = next) {
        next = a->next;
        if (a->ask_again_ns > now)
            continue;
        a->not_before_ns = 0;
        active_enter(a, a->keyed && f->options.lookup && !active_is_stale(a) ? LOOKING : MISSED);
        woken = 1;
    }
    return woken;
}

void aside_hurry(flow *f, const deja_hash *key)
{
    for (active *a = f->aside.first; a; a = a->next)
        if (a->keyed && deja_hash_equal(&a->key, key))
            a->ask_again_ns = a->not_before_ns;
}

int64_t aside_next_ns(const flow *f)
{
    int64_t next = INT64_MAX;
    for (const active *a = f->aside.first; a; a = a->next)
        next = a->ask_again_ns < next ? a->ask_again_ns : next;
    return next;
}
