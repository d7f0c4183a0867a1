/*
 * What waits for a job is told by definitions, each with the mean of its instances: exact where they are
 * alike, and no more than one number a definition.
 */
#include "estimates.h"
#include <deja/cleanup.h>
#include <deja/clock.h>

typedef struct typical {
    int64_t mean_ns;  /* -1: not known of it or any other */
    int64_t after_ns; /* of the longest chain that waits for it */
} typical;

struct estimates {
    history *history;
    typical *jobs; /* by number of their definition */
    int64_t longest_ns;
    double total_ns; /* of all instances that are known when it is opened */
    uint64_t instances;
};

/* The search takes some ten microseconds where a thousand jobs wait. */
#define DEAR_NS (10 * DEJA_MS_NS)
/* An order that can save less than this part of the run is not looked for. */
#define SAVED_PART 100

static int is_selected(const plan *p, uint32_t number)
{
    uint32_t count;
    return !plan_instances(p, number, &count) || count > 0;
}

/* Of a job without a record the mean of all that are recorded. */
static void learn_means(estimates *e, const batch *b, const plan *p)
{
    double sum = 0;
    uint64_t count = 0;
    for (uint32_t i = 0; i < b->job_count; i++) {
        int64_t longest;
        size_t n =
            is_selected(p, i) ? history_mean(e->history, &b->jobs[i], &e->jobs[i].mean_ns, &longest) : 0;
        if (n == 0) {
            e->jobs[i].mean_ns = -1;
            continue;
        }
        sum += (double)e->jobs[i].mean_ns * (double)n;
        count += n;
        e->longest_ns = longest > e->longest_ns ? longest : e->longest_ns;
    }
    for (uint32_t i = 0; count && i < b->job_count; i++)
        if (e->jobs[i].mean_ns < 0)
            e->jobs[i].mean_ns = (int64_t)(sum / (double)count);
}

static void add_up(estimates *e, const batch *b, const plan *p)
{
    for (uint32_t i = 0; i < b->job_count; i++) {
        uint32_t count = 0;
        plan_instances(p, i, &count);
        e->instances += count;
        e->total_ns += (double)e->jobs[i].mean_ns * count;
    }
}

/* A chain through a job that is not to be run ends before it. */
static void take_chain(estimates *e, const plan *p, uint32_t to, uint32_t from)
{
    int64_t chain = e->jobs[from].mean_ns + e->jobs[from].after_ns;
    if (chain > e->jobs[to].after_ns && is_selected(p, from))
        e->jobs[to].after_ns = chain;
}

/* Dependants before those that they need. Of a cycle, which no batch has, nothing is said. */
static int learn_chains(estimates *e, const graph *g, const plan *p)
{
    DEJA_AUTO_FREE uint32_t *unseen = deja_calloc((size_t)g->count + 1, sizeof *unseen);
    DEJA_AUTO_FREE uint32_t *order = deja_calloc((size_t)g->count + 1, sizeof *order);
    size_t first = 0, end = 0;
    if (!unseen || !order)
        return DEJA_ENOMEM;
    for (uint32_t i = 0; i < g->count; i++)
        if ((unseen[i] = (uint32_t)g->nodes[i].dependant_count) == 0)
            order[end++] = i;
    for (; first < end; first++) {
        const graph_node *at = &g->nodes[order[first]];
        for (size_t i = 0; i < at->need_count; i++) {
            take_chain(e, p, at->needs[i].to, order[first]);
            if (--unseen[at->needs[i].to] == 0)
                order[end++] = at->needs[i].to;
        }
    }
    return 0;
}

int estimates_open(estimates **ret, history *h, const batch *b, const plan *p, deja_error *err)
{
    estimates *e = deja_calloc(1, sizeof *e);
    int status = e ? 0 : DEJA_ENOMEM;
    if (e) {
        e->history = h;
        e->longest_ns = -1;
        e->jobs = deja_calloc((size_t)b->job_count + 1, sizeof *e->jobs);
        status = e->jobs ? 0 : DEJA_ENOMEM;
    }
    if (status == 0) {
        learn_means(e, b, p);
        if (e->longest_ns >= 0) {
            add_up(e, b, p);
            status = learn_chains(e, plan_graph(p), p);
        }
    }
    if (status < 0) {
        estimates_close(e);
        return deja_fail(err, status, "estimates: out of memory");
    }
    *ret = e;
    return 0;
}

void estimates_close(estimates *e)
{
    if (!e)
        return;
    deja_free(e->jobs);
    deja_free(e);
}

int64_t estimates_longest_ns(const estimates *e)
{
    return e->longest_ns;
}

int estimates_scatter(const estimates *e, unsigned slots)
{
    return e->total_ns >= (double)DEAR_NS * (double)e->instances ||
           (double)e->longest_ns * slots * SAVED_PART >= e->total_ns;
}

int64_t estimates_wall_ns(estimates *e, const batch_job *def, uint32_t index)
{
    int64_t wall;
    if (e->longest_ns < 0)
        return -1;
    return history_estimate(e->history, def, index, &wall) == HISTORY_UNKNOWN ? e->jobs[def->number].mean_ns
                                                                              : wall;
}

int64_t estimates_mean_ns(const estimates *e, uint32_t number)
{
    return e->jobs[number].mean_ns;
}

int64_t estimates_after_ns(const estimates *e, uint32_t number)
{
    return e->jobs[number].after_ns;
}
