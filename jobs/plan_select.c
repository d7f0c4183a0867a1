/*
 * Which instances are to be run. At the start jobs are gone through from those that nobody needs on, so that
 * what is wanted of a job is known before it is asked what that needs. A job that is wanted later, by way of
 * a matrix that became known during the run, is wanted as a whole.
 */
#include "plan_state.h"
#include <deja/cleanup.h>

uint32_t plan_wanted(const node *n)
{
    return !n->selected ? 0 : n->whole ? n->count : n->wanted.count;
}

/* It was over for those that were wanted so far. */
static void reopen(plan *p, uint32_t number)
{
    const graph_node *at = &p->edges.graph.nodes[number];
    p->nodes[number].released = 0;
    p->unreleased++;
    for (size_t i = 0; i < at->dependant_count; i++) {
        uint32_t from = at->dependants[i].from;
        if (!p->edges.graph.nodes[from].needs[at->dependants[i].place].links)
            p->nodes[from].waiting++;
    }
}

static void begin(plan *p, uint32_t number)
{
    node *n = &p->nodes[number];
    n->selected = 1;
    p->unreleased++;
    p->uncounted += !n->counted;
}

/* Those that were not wanted before and wait for nothing. */
static void make_ready(node *n)
{
    for (uint32_t i = 0; n->waits && i < n->count; i++)
        if (n->waits[i] == 0 && (!n->wanted.words || !numbers_has(&n->wanted, i)))
            numbers_add(&n->ready, i);
}

/* 1 when that makes a difference. */
static int want_all(plan *p, uint32_t number)
{
    node *n = &p->nodes[number];
    if (n->whole)
        return 0;
    if (!n->selected)
        begin(p, number);
    else if (n->released)
        reopen(p, number);
    p->total += n->count - n->wanted.count;
    make_ready(n);
    numbers_done(&n->wanted);
    n->whole = 1;
    plan_push(p, number);
    return 1;
}

void plan_select_whole(plan *p, uint32_t number)
{
    size_t todo = 0;
    if (want_all(p, number))
        p->work[todo++] = number;
    while (todo > 0) {
        const graph_node *n = &p->edges.graph.nodes[p->work[--todo]];
        for (size_t i = 0; i < n->need_count; i++)
            if (want_all(p, n->needs[i].to))
                p->work[todo++] = n->needs[i].to;
    }
}

/* ---- at the start ---- */

/* Some, of which so far there is none. */
static int want_some(plan *p, uint32_t number)
{
    node *n = &p->nodes[number];
    if (n->selected)
        return 0;
    begin(p, number);
    return n->counted ? numbers_init(&n->wanted, n->count) : 0;
}

static void want_one(plan *p, node *n, uint32_t index)
{
    p->total += (uint64_t)numbers_add(&n->wanted, index);
}

typedef struct wish {
    plan *plan;
    node *maker;
} wish;

static void want_maker(void *context, uint32_t maker)
{
    const wish *w = context;
    want_one(w->plan, w->maker, maker);
}

static int want_needed(plan *p, uint32_t number)
{
    const node *n = &p->nodes[number];
    const graph_node *at = &p->edges.graph.nodes[number];
    for (size_t i = 0; i < at->need_count; i++) {
        const graph_edge *edge = &at->needs[i];
        wish w = {.plan = p, .maker = &p->nodes[edge->to]};
        if (w.maker->whole)
            continue;
        if (!edge->links)
            want_all(p, edge->to);
        else if (want_some(p, edge->to) < 0 ||
                 links_makers(edge->links, n->whole ? NULL : &n->wanted, want_maker, &w) < 0)
            return DEJA_ENOMEM;
    }
    return 0;
}

/* A job of which only some are wanted hands them out one by one. */
static int begin_some(node *n)
{
    if (!n->waits) {
        n->waits = deja_calloc((size_t)n->count + 1, sizeof *n->waits);
        if (!n->waits || numbers_init(&n->ready, n->count) < 0)
            return DEJA_ENOMEM;
    }
    for (uint32_t i = 0; numbers_next(&n->wanted, i, &i); i++)
        if (n->waits[i] == 0)
            numbers_add(&n->ready, i);
    return 0;
}

int plan_select_known(plan *p, const batch_job *def)
{
    node *n = &p->nodes[def->number];
    if (n->wanted.words)
        return 0;
    if (numbers_init(&n->wanted, n->count) < 0)
        return DEJA_ENOMEM;
    for (uint32_t i = 0; i < n->count; i++)
        if (selection_has(p->chosen, def, i))
            numbers_add(&n->wanted, i);
    return begin_some(n);
}

static int want_chosen(plan *p, const batch_job *def)
{
    node *n = &p->nodes[def->number];
    selection_part part = selection_of(p->chosen, def);
    if (part == SELECTION_ALL)
        want_all(p, def->number);
    else if (part == SELECTION_SOME && !n->whole && want_some(p, def->number) < 0)
        return DEJA_ENOMEM;
    for (uint32_t i = 0; part == SELECTION_SOME && !n->whole && n->counted && i < n->count; i++)
        if (selection_has(p->chosen, def, i))
            want_one(p, n, i);
    return 0;
}

/* Dependants before those that they need: a batch has no cycles. */
static int visit(plan *p)
{
    DEJA_AUTO_FREE uint32_t *unseen = deja_calloc((size_t)p->batch->job_count + 1, sizeof *unseen);
    DEJA_AUTO_FREE uint32_t *order = deja_calloc((size_t)p->batch->job_count + 1, sizeof *order);
    size_t first = 0, end = 0;
    int status = 0;
    if (!unseen || !order)
        return DEJA_ENOMEM;
    for (uint32_t i = 0; i < p->batch->job_count; i++)
        if ((unseen[i] = (uint32_t)p->edges.graph.nodes[i].dependant_count) == 0)
            order[end++] = i;
    while (status == 0 && first < end) {
        uint32_t number = order[first++];
        const graph_node *at = &p->edges.graph.nodes[number];
        status = want_chosen(p, &p->batch->jobs[number]);
        if (status == 0 && p->nodes[number].selected && !p->only)
            status = want_needed(p, number);
        for (size_t i = 0; i < at->need_count; i++)
            if (--unseen[at->needs[i].to] == 0)
                order[end++] = at->needs[i].to;
    }
    return status;
}

/* What is not to be run is not waited for either. */
static void nothing_arrives(void *context, uint32_t reader)
{
    const wish *w = context;
    w->maker->waits[reader]--;
}

static void pass_over(plan *p, uint32_t number)
{
    node *n = &p->nodes[number];
    const graph_node *at = &p->edges.graph.nodes[number];
    for (size_t i = 0; !n->whole && i < at->dependant_count; i++) {
        wish w = {.plan = p, .maker = &p->nodes[at->dependants[i].from]};
        links *by_instance =
            p->edges.graph.nodes[at->dependants[i].from].needs[at->dependants[i].place].links;
        for (uint32_t k = 0; by_instance && k < n->count; k++)
            if (!plan_has(p, number, k))
                links_settle(by_instance, k, 0, nothing_arrives, &w);
        w.maker->waiting -= !by_instance && !n->selected;
    }
}

static int make_all_ready(plan *p)
{
    for (uint32_t i = 0; i < p->batch->job_count; i++) {
        node *n = &p->nodes[i];
        if (n->whole)
            make_ready(n);
        else if (n->selected && n->counted && begin_some(n) < 0)
            return DEJA_ENOMEM;
        plan_push(p, i);
    }
    return 0;
}

int plan_select_chosen(plan *p)
{
    int status = visit(p);
    for (uint32_t i = 0; status == 0 && p->only && i < p->batch->job_count; i++)
        pass_over(p, i);
    return status < 0 ? status : make_all_ready(p);
}
