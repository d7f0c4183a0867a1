/* The rest of a run, see outlook.h. */
#include "outlook.h"
#include "estimates.h"
#include "order.h"

/* A job that runs is taken to have so much of what it has taken before it, at least: it may be overdue. */
#define OVERDUE_PART 8

typedef struct rest {
    double work_ns;    /* of all jobs */
    double longest_ns; /* of the longest chain */
} rest;

void outlook_note(active *a)
{
    flow *f = a->flow;
    if (!a->estimated || a->wall_ns < 0)
        return;
    f->expected_ns += a->wall_ns;
    f->taken_ns += a->outcome.wall_ns;
}

/* How much longer than recorded jobs take. Few of them say little: they count beside one as long as any. */
static double slowness(const flow *f)
{
    double longest = (double)estimates_longest_ns(f->estimates);
    return ((double)f->taken_ns + longest) / ((double)f->expected_ns + longest);
}

/* Which part of the jobs is not answered, by those of which that is known. */
static double missed_part(const flow *f)
{
    const flow_totals *t = &f->totals;
    uint64_t missed = t->ran + t->failed + t->running + f->missed.count + f->held + f->aside.count;
    return missed + t->hits ? (double)missed / (double)(missed + t->hits) : 1;
}

static void add_chain(rest *r, double ns)
{
    if (ns > r->longest_ns)
        r->longest_ns = ns;
}

/* By the mean of its instances, as if all of them were like those that are known. */
static void add_definition(rest *r, const flow *f, uint32_t number, double part)
{
    r->work_ns += (double)estimates_mean_ns(f->estimates, number) * part * plan_unsettled(f->plan, number);
}

/* More is known of one that waits for a slot or runs. */
static void add_active(rest *r, active *a, double part, double slow, int64_t now_ns)
{
    double left = 0, after = (double)estimates_after_ns(a->flow->estimates, a->job.def->number);
    if (a->stage < MISSED || a->stage > SEALING)
        return;
    if (a->stage <= RUNNING) {
        order_estimate(a);
        left = (double)a->wall_ns;
    }
    if (a->stage == RUNNING) {
        double taken = (double)(now_ns - a->started_ns);
        left -= taken / slow;
        left = left < taken / OVERDUE_PART / slow ? taken / OVERDUE_PART / slow : left;
    }
    r->work_ns += left - (double)estimates_mean_ns(a->flow->estimates, a->job.def->number) * part;
    add_chain(r, left + after);
}

static void add_list(rest *r, const active_list *l, double part, double slow, int64_t now_ns)
{
    for (active *a = l->first; a; a = a->next)
        add_active(r, a, part, slow, now_ns);
}

int64_t outlook_ns(flow *f, int64_t now_ns)
{
    flow_totals t;
    flow_totals_of(f, &t);
    int nothing_runs = t.running + t.ran + f->missed.count == 0; /* then nobody asks the history */
    if (nothing_runs || t.unexpanded || f->batch->jobs[0].feed || !order_estimates(f))
        return -1;
    rest r = {0};
    const double part = missed_part(f), slow = slowness(f);
    for (uint32_t i = 0; i < f->batch->job_count; i++)
        add_definition(&r, f, i, part);
    add_list(&r, &f->missed, part, slow, now_ns);
    add_list(&r, &f->aside, part, slow, now_ns);
    add_list(&r, &f->busy, part, slow, now_ns);
    double share = r.work_ns / f->options.slots;
    return (int64_t)((share > r.longest_ns ? share : r.longest_ns) * slow);
}
