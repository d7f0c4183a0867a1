/*
 * A definition waits until all definitions that it needs are settled; then its instances are handed out in
 * order. Of an instance nothing is kept but, where others need it, the 16 bytes of what it left.
 */
#include "plan.h"
#include "edges.h"
#include "fed.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <string.h>

/* Outputs of so many instances are not looked at again for each job that needs them. */
#define MANY 1000
/* The pause between two looks at these, and how often as long as the last look it is at least. */
#define LOOK_PAUSE_NS    (1 * DEJA_S_NS)
#define LOOK_PAUSE_OFTEN 4

/* What the plan knows of a definition. */
typedef struct node {
    uint8_t selected;        /* some of its instances, or all, are to be run */
    uint8_t whole;           /* all, whatever was chosen */
    uint8_t counted;         /* its instances are known, and what they make */
    uint8_t linked;          /* what they read, too */
    uint8_t released;        /* all its instances are settled, its dependants know */
    uint8_t left_unknown;    /* what some instance left is not known */
    uint32_t waiting;        /* edges to definitions that are not released */
    uint32_t count;          /* of instances, once it is counted */
    uint32_t next;           /* instance to hand out */
    uint32_t settled;        /* instances */
    plan_end end;            /* the worst of its instances */
    const deja_error *error; /* its instances cannot be known */
    deja_hash *left;         /* of each instance until it is released, when it is in some other job's key */
    deja_hash all_left;      /* once it is released */
    uint64_t *stamps;        /* of the outputs of each instance, as `left`, but kept */
    int64_t looked_ns;       /* when these were begun to be compared last, monotonic */
    int64_t look_again_ns;   /* for many of them: not before */
    uint8_t changed;         /* they are not what they were */
    const batch_job *blocked_by; /* once its instances are handed out */
    int would;
} node;

struct plan {
    batch *batch;
    const selection *chosen; /* NULL: all */
    fed fed;                 /* its feed NULL: the batch has none, and all below counts */
    edges edges;
    node *nodes;
    makers *makers;
    batch_job *opening; /* whose instances become known during the run, while they do; else NULL */
    uint32_t *ready;    /* definitions that may hand out instances: a heap, the first of the batch on top */
    uint32_t ready_count;
    uint32_t *work;      /* scratch for as many numbers as there are definitions */
    uint32_t unreleased; /* selected definitions that are not released */
    uint32_t uncounted;  /* selected definitions whose instances are not known */
    uint64_t total;      /* instances of selected definitions */
};

static const deja_error no_memory = {.code = DEJA_ENOMEM, .text = "plan: out of memory"};

static int out_of_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "%s", no_memory.text);
}

/* ---- what is ready ---- */

static void push_ready(plan *p, uint32_t number)
{
    uint32_t at = p->ready_count++;
    for (; at > 0 && p->ready[(at - 1) / 2] > number; at = (at - 1) / 2)
        p->ready[at] = p->ready[(at - 1) / 2];
    p->ready[at] = number;
}

static void pop_ready(plan *p)
{
    uint32_t last = p->ready[--p->ready_count], at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < p->ready_count && p->ready[child + 1] < p->ready[child])
            child++;
        if (child >= p->ready_count || p->ready[child] >= last)
            break;
        p->ready[at] = p->ready[child];
        at = child;
    }
    p->ready[at] = last;
}

static int has(const plan *p, const node *n, const batch_job *def, uint32_t index)
{
    return n->whole || selection_has(p->chosen, def, index);
}

/* How many of its instances are to be run, as far as they are known. */
static uint32_t count_chosen(const plan *p, const node *n)
{
    uint32_t chosen = 0;
    if (!n->selected || n->whole)
        return n->selected ? n->count : 0;
    for (uint32_t i = 0; i < n->count; i++)
        chosen += (uint32_t)has(p, n, &p->batch->jobs[n - p->nodes], i);
    return chosen;
}

/* 1 when that makes a difference. */
static int select_one(plan *p, uint32_t number, int whole)
{
    node *n = &p->nodes[number];
    int was = n->selected;
    if (was && (n->whole || !whole))
        return 0;
    p->total -= count_chosen(p, n);
    n->selected = 1;
    n->whole = whole;
    p->total += count_chosen(p, n);
    if (was)
        return 1;
    p->unreleased++;
    p->uncounted += !n->counted;
    if (n->waiting == 0)
        push_ready(p, number);
    return 1;
}

/* A job and all that it waits for. */
static void select_with_needs(plan *p, uint32_t number, int whole)
{
    size_t todo = 0;
    if (select_one(p, number, whole))
        p->work[todo++] = number;
    while (todo > 0) {
        const graph_node *n = &p->edges.graph.nodes[p->work[--todo]];
        for (size_t i = 0; i < n->need_count; i++)
            if (select_one(p, n->needs[i].to, 1))
                p->work[todo++] = n->needs[i].to;
    }
}

/* ---- edges ---- */

static int take_pair(void *context, const makers_pair *pair, deja_error *err)
{
    plan *p = context;
    int late = p->opening && p->opening->number != pair->reader;
    int added = edges_add(&p->edges, pair, late, err);
    if (added <= 0)
        return added;
    if (!p->nodes[pair->maker].released)
        p->nodes[pair->reader].waiting++;
    if (p->nodes[pair->reader].selected)
        select_with_needs(p, pair->maker, 1);
    return 0;
}

/* ---- instances ---- */

static int count_instances(plan *p, batch_job *def, deja_error *err)
{
    node *n = &p->nodes[def->number];
    uint32_t count = 0;
    int status = def->expanded ? 0 : batch_expand(p->batch, def, err);
    if (status == 0)
        status = matrix_count(def->matrix, &count, err);
    if (status == 0 && def->needed) {
        n->left = deja_calloc(count ? count : 1, sizeof *n->left);
        n->stamps = deja_calloc(count ? count : 1, sizeof *n->stamps);
        status = n->left && n->stamps ? 0 : out_of_memory(err);
    }
    n->count = status == 0 ? count : 0;
    n->counted = status == 0;
    return status;
}

/* What its expressions gather is not known before the jobs that it needs have their instances. */
static int knows_reads(const plan *p, const batch_job *def)
{
    for (size_t i = 0; i < def->need_count; i++)
        if (!p->nodes[def->needs[i].job].counted)
            return 0;
    return 1;
}

/* Adds what is known by now of the paths of a job; `ret_what` is what was added. */
static int add_paths(plan *p, batch_job *def, unsigned *ret_what, deja_error *err)
{
    node *n = &p->nodes[def->number];
    int status = 0;
    *ret_what = 0;
    if (!n->counted) {
        *ret_what = MAKERS_MADE;
        status = count_instances(p, def, err);
    }
    if (!n->linked && knows_reads(p, def)) {
        *ret_what |= MAKERS_READ;
        n->linked = 1;
    }
    return status < 0 || !*ret_what ? status : makers_add(p->makers, def, n->count, *ret_what, err);
}

/*
 * Jobs after those that they need, whatever their order in the file. All are added, selected or not: a file
 * may lead to any of them. There are no file edges yet, and `needs` has no cycles. A matrix that is read
 * waits for the jobs that it needs.
 */
static int add_jobs(plan *p, deja_error *err)
{
    DEJA_AUTO_FREE uint32_t *unseen = deja_calloc(p->batch->job_count + 1, sizeof *unseen);
    size_t first = 0, end = 0;
    if (!unseen)
        return out_of_memory(err);
    for (uint32_t i = 0; i < p->batch->job_count; i++) {
        unseen[i] = (uint32_t)p->edges.graph.nodes[i].need_count;
        if (unseen[i] == 0)
            p->work[end++] = i;
    }
    while (first < end) {
        uint32_t number = p->work[first++];
        batch_job *def = &p->batch->jobs[number];
        unsigned what;
        int status = def->matrix_waits ? 0 : add_paths(p, def, &what, err);
        if (status < 0)
            return status;
        const graph_node *n = &p->edges.graph.nodes[number];
        for (size_t i = 0; i < n->dependant_count; i++)
            if (--unseen[n->dependants[i]] == 0)
                p->work[end++] = n->dependants[i];
    }
    return 0;
}

static int alloc_plan(plan **ret, batch *b, deja_error *err)
{
    size_t count = (size_t)b->job_count + 1;
    plan *p = deja_calloc(1, sizeof *p);
    if (!p)
        return out_of_memory(err);
    p->batch = b;
    p->nodes = deja_calloc(count, sizeof *p->nodes);
    p->ready = deja_calloc(count, sizeof *p->ready);
    p->work = deja_calloc(count, sizeof *p->work);
    *ret = p;
    if (!p->nodes || !p->ready || !p->work)
        return out_of_memory(err);
    int status = edges_init(&p->edges, b, err);
    for (uint32_t i = 0; status == 0 && i < b->job_count; i++)
        p->nodes[i].waiting = (uint32_t)p->edges.graph.nodes[i].need_count;
    return status < 0 ? status : makers_open(&p->makers, b, take_pair, p, err);
}

int plan_open(plan **ret, batch *b, const selection *chosen, deja_error *err)
{
    plan *p = NULL;
    int status = alloc_plan(&p, b, err);
    if (status == 0 && b->job_count == 1 && b->jobs[0].feed) {
        fed_init(&p->fed, b);
        *ret = p;
        return 0;
    }
    if (status == 0)
        status = add_jobs(p, err);
    if (status == 0)
        status = makers_link_all(p->makers, err);
    if (status == 0)
        status = edges_check_cycles(&p->edges, UINT32_MAX, err);
    if (status < 0) {
        plan_close(p);
        return status;
    }
    p->chosen = chosen;
    for (uint32_t i = 0; i < b->job_count; i++) {
        selection_part part = selection_of(chosen, &b->jobs[i]);
        if (part != SELECTION_NONE)
            select_with_needs(p, i, part == SELECTION_ALL);
    }
    *ret = p;
    return 0;
}

int plan_instances(const plan *p, uint32_t number, uint32_t *ret)
{
    if (p->fed.feed)
        return feed_count(p->fed.feed, ret);
    const node *n = &p->nodes[number];
    *ret = n->selected ? n->count : 0;
    return !n->selected || n->counted;
}

int plan_has(const plan *p, uint32_t number, uint32_t index)
{
    const node *n = &p->nodes[number];
    return p->fed.feed || (n->selected && has(p, n, &p->batch->jobs[number], index));
}

/* ---- the run ---- */

static void release(plan *p, uint32_t number)
{
    node *n = &p->nodes[number];
    const graph_node *links = &p->edges.graph.nodes[number];
    if (n->left)
        n->all_left = deja_hash_bytes(n->left, n->count * sizeof *n->left);
    deja_free(n->left);
    n->left = NULL;
    n->released = 1;
    p->unreleased--;
    for (size_t i = 0; i < links->dependant_count; i++) {
        node *dependant = &p->nodes[links->dependants[i]];
        if (!dependant->error && --dependant->waiting == 0 && dependant->selected)
            push_ready(p, links->dependants[i]);
    }
}

/* The first needed job that failed; else, in a dry run, the last one that would run and matters: for the
 * instances of a job all do that it waits for. */
static void find_blocker(plan *p, uint32_t number)
{
    node *n = &p->nodes[number];
    const graph_node *links = &p->edges.graph.nodes[number];
    for (size_t i = 0; i < links->need_count; i++) {
        const graph_edge *edge = &links->needs[i];
        plan_end end = p->nodes[edge->to].end;
        if (end == PLAN_LEFT || (end == PLAN_UNKNOWN && !edge->data && n->counted) ||
            (end == PLAN_MISSING && !edge->data))
            continue;
        n->blocked_by = &p->batch->jobs[edge->to];
        n->would = end == PLAN_UNKNOWN;
        if (!n->would)
            return;
    }
}

static int learn_paths(plan *p, batch_job *def, deja_error *err)
{
    unsigned what;
    int status = add_paths(p, def, &what, err);
    if (status == 0)
        status = makers_link(p->makers, def, what, err);
    return status < 0 ? status : edges_check_cycles(&p->edges, def->number, err);
}

/*
 * The jobs that it needs are settled: now its instances are known and what they read, and a file may lead to
 * jobs that it has to wait for after all. Where they cannot be known it has a single one, to tell why.
 */
static void open_job(plan *p, batch_job *def)
{
    node *n = &p->nodes[def->number];
    deja_error why = {0};
    uint32_t before = count_chosen(p, n), uncounted = !n->counted;
    find_blocker(p, def->number);
    p->opening = def;
    if (!n->blocked_by &&
        (learn_paths(p, def, &why) < 0 || (!n->whole && selection_check(p->chosen, def, &why) < 0))) {
        n->error = deja_dup(&why, sizeof why);
        n->error = n->error ? n->error : &no_memory;
        n->waiting = 0;
    }
    p->opening = NULL;
    if (n->error || !n->counted)
        n->count = n->whole = 1;
    n->counted = n->linked = 1;
    p->uncounted -= uncounted;
    p->total += count_chosen(p, n) - before;
}

/* Instances that are not to be run end unseen. */
static void pass_over(plan *p, const batch_job *def)
{
    node *n = &p->nodes[def->number];
    for (; n->next < n->count && !has(p, n, def, n->next); n->next++)
        n->settled++;
}

/* The first definition that is ready and has an instance to hand out; NULL: none. */
static batch_job *next_job(plan *p)
{
    while (p->ready_count > 0) {
        uint32_t number = p->ready[0];
        node *n = &p->nodes[number];
        if (n->linked)
            pass_over(p, &p->batch->jobs[number]);
        if (n->linked && n->next < n->count)
            return &p->batch->jobs[number];
        pop_ready(p);
        if (!n->linked) {
            open_job(p, &p->batch->jobs[number]);
            if (n->waiting == 0)
                push_ready(p, number);
        } else if (n->settled == n->count && !n->released) {
            release(p, number);
        }
    }
    return NULL;
}

int plan_next(plan *p, plan_ready *ret)
{
    if (p->fed.feed)
        return fed_next(&p->fed, ret);
    batch_job *def = next_job(p);
    if (!def)
        return 0;
    node *n = &p->nodes[def->number];
    if (n->next == 0 && !n->blocked_by)
        find_blocker(p, def->number);
    *ret = (plan_ready){
        .def = def, .index = n->next++, .error = n->error, .blocked_by = n->blocked_by, .would = n->would};
    return 1;
}

void plan_settle(plan *p, const batch_job *def, uint32_t index, plan_end end, const deja_hash *left,
                 uint64_t stamp)
{
    if (p->fed.feed) {
        feed_settle(p->fed.feed);
        return;
    }
    node *n = &p->nodes[def->number];
    if (n->stamps)
        n->stamps[index] = stamp;
    if (n->left && left)
        n->left[index] = *left;
    n->left_unknown |= !left;
    if (end > n->end)
        n->end = end;
    if (++n->settled == n->count)
        release(p, def->number);
}

int plan_left(const plan *p, const batch_job *def, deja_hash *ret)
{
    const node *n = &p->nodes[def->number];
    *ret = n->all_left;
    return !n->left_unknown;
}

static int compare_stamps(const plan *p, const batch_job *def, const node *n)
{
    job j = {0};
    int same = 1;
    for (uint32_t i = 0; same && i < n->count; i++)
        same = job_render(&j, p->batch, def, i, JOB_OUTPUTS, NULL) == 0 && outputs_stamp(&j) == n->stamps[i];
    job_done(&j);
    return same;
}

static void look(plan *p, const batch_job *def, node *n)
{
    n->looked_ns = deja_monotonic_ns(NULL);
    n->changed = !compare_stamps(p, def, n);
    int64_t now = deja_monotonic_ns(NULL), pause = LOOK_PAUSE_OFTEN * (now - n->looked_ns);
    n->look_again_ns = n->count > MANY ? now + (pause > LOOK_PAUSE_NS ? pause : LOOK_PAUSE_NS) : 0;
}

plan_look plan_changed(plan *p, const batch_job *def, int64_t since_ns, int64_t *ret_later_ns)
{
    node *n = &p->nodes[def->number];
    if (def->output_count == 0 || !n->stamps || n->changed || n->end != PLAN_LEFT)
        return n->changed ? PLAN_CHANGED : PLAN_SAME;
    if (n->looked_ns && n->looked_ns >= since_ns)
        return PLAN_SAME;
    if (ret_later_ns && n->look_again_ns > deja_monotonic_ns(NULL)) {
        *ret_later_ns = n->look_again_ns;
        return PLAN_LOOK_LATER;
    }
    look(p, def, n);
    return n->changed ? PLAN_CHANGED : PLAN_SAME;
}

int plan_fd(const plan *p)
{
    return p->fed.feed ? feed_fd(p->fed.feed) : -1;
}

int plan_finished(const plan *p)
{
    return p->fed.feed ? feed_finished(p->fed.feed) : p->unreleased == 0;
}

uint64_t plan_total(const plan *p, int *ret_unexpanded)
{
    uint32_t count;
    if (p->fed.feed) {
        *ret_unexpanded = !feed_count(p->fed.feed, &count);
        return count;
    }
    *ret_unexpanded = p->uncounted > 0;
    return p->total;
}

void plan_close(plan *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; p->nodes && i < p->batch->job_count; i++) {
        if (p->nodes[i].error != &no_memory)
            deja_free((void *)p->nodes[i].error);
        deja_free(p->nodes[i].left);
        deja_free(p->nodes[i].stamps);
    }
    fed_done(&p->fed);
    makers_close(p->makers);
    edges_done(&p->edges);
    deja_free(p->nodes);
    deja_free(p->ready);
    deja_free(p->work);
    deja_free(p);
}
