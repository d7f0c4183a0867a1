/*
 * Longest chain first (T. C. Hu 1961; R. L. Graham 1969, SIAM J. Appl. Math. 17: without chains at most 4/3
 * of the best). A job is asked for its chain once, when it first waits for a slot.
 */
#include "order.h"
#include "estimates.h"

/* Where no job ran longer, the order gives less than looking for it costs: 5 us with 1,024 that wait. */
#define LONG_NS (10 * DEJA_MS_NS)

int order_matters(flow *f)
{
    if (!f->options.history || f->options.slots < 2 || f->options.dry_run)
        return 0;
    if (!f->estimates && !f->estimates_failed)
        f->estimates_failed = estimates_open(&f->estimates, f->options.history, f->batch, f->plan, NULL) < 0;
    return f->estimates && estimates_longest_ns(f->estimates) >= LONG_NS;
}

static int64_t chain_of(active *a)
{
    estimates *e = a->flow->estimates;
    if (!a->estimated) {
        a->estimated = 1;
        a->wall_ns = estimates_wall_ns(e, a->job.def, a->job.index);
        a->chain_ns = a->wall_ns + estimates_after_ns(e, a->job.def->number);
    }
    return a->chain_ns;
}

active *order_first(flow *f)
{
    active *first = f->missed.first;
    if (!order_matters(f))
        return first;
    for (active *a = first->next; a; a = a->next)
        if (chain_of(a) > chain_of(first))
            first = a;
    return first;
}
