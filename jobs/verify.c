/* Results that wait for a look, see verify.h. */
#include "verify.h"
#include <deja/clock.h>

/* So many wait at most: each may hold memory and descriptors of its outputs. */
#define MOST 256

/* Waiting would hold up the end of the run, or keep what others are short of. */
static int is_urgent(const flow *f)
{
    size_t others = f->totals.running + f->preparing + f->missed.count + f->aside.count + (size_t)f->more;
    return others == 0 || f->stopping || f->failed || f->short_since_ns || f->verifying.count >= MOST;
}

remains_state verify(active *a, const batch_job **ret_changed)
{
    const flow *f = a->flow;
    const batch_job *def = a->job.def;
    int64_t later = 0, *ret_later = a->looks_now ? NULL : &later;
    *ret_changed = NULL;
    a->ask_again_ns = 0;
    for (size_t i = 0; i < def->need_count; i++) {
        const batch_job *needed = &f->batch->jobs[def->needs[i].job];
        remains_state known = def->needs[i].order_only ? REMAINS_SAME
                                                       : plan_changed(f->plan, &def->needs[i], a->job.index,
                                                                      a->ended_ns, ret_later);
        if (known == REMAINS_CHANGED)
            *ret_changed = needed;
        if (known == REMAINS_CHANGED)
            return known;
        a->ask_again_ns = later > a->ask_again_ns ? later : a->ask_again_ns;
    }
    if (!a->ask_again_ns)
        return REMAINS_SAME;
    active_enter(a, VERIFYING);
    return REMAINS_LOOK_LATER;
}

active *verify_next(flow *f)
{
    if (f->verifying.first && is_urgent(f)) {
        f->verifying.first->looks_now = 1;
        return f->verifying.first;
    }
    int64_t now = f->verifying.first ? deja_monotonic_ns(NULL) : 0;
    for (active *a = f->verifying.first; a; a = a->next)
        if (a->ask_again_ns <= now)
            return a;
    return NULL;
}

int64_t verify_next_ns(const flow *f)
{
    int64_t next = INT64_MAX;
    for (const active *a = f->verifying.first; a; a = a->next)
        next = a->ask_again_ns < next ? a->ask_again_ns : next;
    return next;
}
