/*
 * Longest chain first (T. C. Hu 1961; R. L. Graham 1969, SIAM J. Appl. Math. 17: without chains at most 4/3
 * of the best). A job is asked for its chain once, when it first waits for a slot.
 */
#include "order.h"
#include "estimates.h"

/* Where no job ran longer, the mean of this run says as much as the record. */
#define LONG_NS (10 * DEJA_MS_NS)

estimates *order_estimates(flow *f)
{
    if (!f->options.history)
        return NULL;
    if (!f->estimates && !f->estimates_failed)
        f->estimates_failed = estimates_open(&f->estimates, f->options.history, f->batch, f->plan, NULL) < 0;
    return f->estimates && estimates_longest_ns(f->estimates) >= LONG_NS ? f->estimates : NULL;
}

void order_estimate(active *a)
{
    estimates *e = a->flow->estimates;
    if (a->estimated)
        return;
    a->estimated = 1;
    a->wall_ns = estimates_wall_ns(e, a->job.def, a->job.index);
    a->chain_ns = a->wall_ns + estimates_after_ns(e, a->job.def->number);
}

int order_matters(flow *f)
{
    const flow_options *o = &f->options;
    return !o->batch_order && o->slots > 1 && !o->dry_run && order_estimates(f) &&
           estimates_scatter(f->estimates, o->slots);
}

static int64_t chain_of(active *a)
{
    order_estimate(a);
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
