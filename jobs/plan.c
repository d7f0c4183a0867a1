/*
 * A definition waits until all definitions that it needs as a whole are settled; then its instances are
 * handed out in order, each when the instances that it needs are settled, too. Of an instance that waits by
 * itself four bytes and a bit are kept, and where others need it what it left.
 */
#include "plan_state.h"
#include <deja/cleanup.h>
#include <string.h>

static const deja_error no_memory = {.code = DEJA_ENOMEM, .text = "plan: out of memory"};

static int out_of_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "%s", no_memory.text);
}

/* ---- what is ready ---- */

static int has_next(const node *n)
{
    return n->waits ? n->ready.count > 0 : n->next < n->count;
}

void plan_push(plan *p, uint32_t number)
{
    node *n = &p->nodes[number];
    int idle = n->linked && n->waits && n->settled < plan_wanted(n) && !has_next(n);
    if (n->queued || n->released || !n->selected || n->waiting > 0 || idle)
        return;
    n->queued = 1;
    uint32_t at = p->ready_count++;
    for (; at > 0 && p->ready[(at - 1) / 2] > number; at = (at - 1) / 2)
        p->ready[at] = p->ready[(at - 1) / 2];
    p->ready[at] = number;
}

static void pop_ready(plan *p)
{
    p->nodes[p->ready[0]].queued = 0;
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

/* ---- edges ---- */

static int take_pair(void *context, const makers_pair *pair, deja_error *err)
{
    plan *p = context;
    node *reader = &p->nodes[pair->reader], *maker = &p->nodes[pair->maker];
    int late = p->opening && p->opening->number != pair->reader;
    int added =
        edges_add(&p->edges, pair, late, p->opening || (reader->count == 1 && maker->count == 1), err);
    if (added <= 0 || !p->opening || (p->only && !maker->selected))
        return added < 0 ? added : 0;
    if (!maker->released)
        reader->waiting++;
    if (reader->selected && !p->only)
        plan_select_whole(p, pair->maker);
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
    if (status == 0 && def->needed && remains_init(&n->remains, count) < 0)
        status = out_of_memory(err);
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
        if (status == 0)
            status = batch_join(p->batch, def, err);
        if (status == 0 && !p->opening)
            status = edges_join(&p->edges, def, err);
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
            if (--unseen[n->dependants[i].from] == 0)
                p->work[end++] = n->dependants[i].from;
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
    return status < 0 ? status : makers_open(&p->makers, b, take_pair, p, err);
}

/* What an instance waits for by itself, and its job as a whole. */
static int count_waits(plan *p, uint32_t number, deja_error *err)
{
    node *n = &p->nodes[number];
    const graph_node *at = &p->edges.graph.nodes[number];
    for (size_t i = 0; i < at->need_count; i++) {
        if (!at->needs[i].links) {
            n->waiting++;
            continue;
        }
        if (!n->waits)
            n->waits = deja_calloc((size_t)n->count + 1, sizeof *n->waits);
        if (!n->waits || links_begin(at->needs[i].links, n->count, n->waits) < 0)
            return out_of_memory(err);
    }
    if (n->waits && numbers_init(&n->ready, n->count) < 0)
        return out_of_memory(err);
    return 0;
}

static int open_plan(plan **ret, batch *b, const selection *chosen, int only, deja_error *err)
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
    for (uint32_t i = 0; status == 0 && i < b->job_count; i++)
        status = count_waits(p, i, err);
    if (status == 0) {
        p->chosen = chosen;
        p->only = only;
        status = plan_select_chosen(p) < 0 ? out_of_memory(err) : 0;
    }
    if (status < 0) {
        plan_close(p);
        return status;
    }
    *ret = p;
    return 0;
}

int plan_open(plan **ret, batch *b, const selection *chosen, deja_error *err)
{
    return open_plan(ret, b, chosen, 0, err);
}

int plan_open_only(plan **ret, batch *b, const selection *chosen, deja_error *err)
{
    return open_plan(ret, b, chosen, 1, err);
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
    if (p->fed.feed)
        return 1;
    return n->selected && (n->whole || numbers_has(&n->wanted, index));
}

uint32_t plan_chosen(const plan *p, uint32_t number)
{
    return plan_wanted(&p->nodes[number]);
}

int plan_edge_of(const plan *p, uint32_t number, size_t i, plan_edge *ret)
{
    const graph_node *at = &p->edges.graph.nodes[number];
    const batch_job *def = &p->batch->jobs[number];
    if (i >= at->need_count)
        return 0;
    *ret = (plan_edge){.to = at->needs[i].to,
                       .need = i < def->need_count ? &def->needs[i] : NULL,
                       .file = edges_file(&at->needs[i]),
                       .order_only = !at->needs[i].data,
                       .by_instance = at->needs[i].links != NULL};
    return 1;
}

int plan_makers(const plan *p, uint32_t number, size_t i, uint32_t index,
                void (*found)(void *context, uint32_t maker), void *context)
{
    const graph_edge *edge = &p->edges.graph.nodes[number].needs[i];
    numbers reader;
    for (uint32_t k = 0; !edge->links && k < p->nodes[edge->to].count; k++)
        found(context, k);
    if (!edge->links)
        return 0;
    int status = numbers_init(&reader, p->nodes[number].count);
    if (status == 0) {
        numbers_add(&reader, index);
        status = links_makers(edge->links, &reader, found, context);
    }
    numbers_done(&reader);
    return status;
}

/* ---- the run ---- */

/* Somebody has single instances of it in its key. */
static int is_left_singly(const plan *p, const batch_job *def)
{
    const graph_node *at = &p->edges.graph.nodes[def->number];
    for (size_t i = 0; i < at->dependant_count; i++) {
        const batch_job *reader = &p->batch->jobs[at->dependants[i].from];
        size_t place = at->dependants[i].place;
        if (place < reader->need_count && !reader->needs[place].all &&
            joint_shares(reader->matrix, def->matrix))
            return 1;
    }
    return 0;
}

static void release(plan *p, uint32_t number)
{
    node *n = &p->nodes[number];
    const graph_node *at = &p->edges.graph.nodes[number];
    remains_fold(&n->remains, n->whole && !is_left_singly(p, &p->batch->jobs[number]));
    n->released = 1;
    p->unreleased--;
    for (size_t i = 0; i < at->dependant_count; i++) {
        uint32_t from = at->dependants[i].from;
        node *dependant = &p->nodes[from];
        if (p->edges.graph.nodes[from].needs[at->dependants[i].place].links || dependant->error)
            continue;
        dependant->waiting--;
        plan_push(p, from);
    }
}

/* The first needed job that failed; else, in a dry run, the last one that would run and matters. */
static void find_blocker(plan *p, uint32_t number, uint32_t index)
{
    node *n = &p->nodes[number];
    const graph_node *at = &p->edges.graph.nodes[number];
    n->blocked_by = NULL;
    n->blocker_known = !n->waits;
    for (size_t i = 0; i < at->need_count; i++) {
        const graph_edge *edge = &at->needs[i];
        plan_end end = p->nodes[edge->to].end;
        if (end != PLAN_LEFT && edge->links)
            end = (plan_end)links_worst(edge->links, index);
        int ordered = !edge->links && !edge->data;
        if (end == PLAN_LEFT || (end == PLAN_UNKNOWN && ordered && n->counted) ||
            (end == PLAN_MISSING && ordered))
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
    int status = 0;
    for (size_t i = 0; status == 0 && i < def->need_count; i++) /* where these are not run themselves */
        if (!p->nodes[def->needs[i].job].counted)
            status = count_instances(p, &p->batch->jobs[def->needs[i].job], err);
    if (status == 0)
        status = add_paths(p, def, &what, err);
    if (status == 0)
        status = makers_link(p->makers, def, what, err);
    return status < 0 ? status : edges_check_cycles(&p->edges, def->number, err);
}

/* ... and which of them are to be run. */
static int learn_instances(plan *p, batch_job *def, deja_error *err)
{
    int status = learn_paths(p, def, err), in_part = !p->nodes[def->number].whole;
    if (status == 0 && in_part)
        status = selection_check(p->chosen, def, err);
    if (status == 0 && in_part && plan_select_known(p, def) < 0)
        status = out_of_memory(err);
    return status;
}

/*
 * The jobs that it needs are settled: now its instances are known and what they read, and a file may lead to
 * jobs that it has to wait for after all. Where they cannot be known it has a single one, to tell why.
 */
static void open_job(plan *p, batch_job *def)
{
    node *n = &p->nodes[def->number];
    deja_error why = {0};
    uint32_t before = n->count, total = plan_wanted(n), uncounted = !n->counted;
    find_blocker(p, def->number, 0);
    p->opening = def;
    if (!n->blocked_by && learn_instances(p, def, &why) < 0) {
        n->error = deja_dup(&why, sizeof why);
        n->error = n->error ? n->error : &no_memory;
        n->waiting = 0;
    }
    p->opening = NULL;
    n->blocker_known = n->blocked_by != NULL;
    n->promised = n->error ? before : 0;
    if (n->error || !n->counted) {
        n->count = n->whole = 1;
        deja_free(n->waits);
        n->waits = NULL;
        numbers_done(&n->ready);
        numbers_done(&n->wanted);
    }
    n->counted = n->linked = 1;
    p->uncounted -= uncounted;
    p->total = p->total - total + plan_wanted(n);
}

/* The first definition that is ready and has an instance to hand out; NULL: none. */
static batch_job *next_job(plan *p)
{
    while (p->ready_count > 0) {
        uint32_t number = p->ready[0];
        node *n = &p->nodes[number];
        if (n->linked && has_next(n))
            return &p->batch->jobs[number];
        pop_ready(p);
        if (!n->linked) {
            open_job(p, &p->batch->jobs[number]);
            plan_push(p, number);
        } else if (n->settled == plan_wanted(n) && !n->released) {
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
    uint32_t index = n->next;
    if (n->waits && numbers_next(&n->ready, 0, &index))
        numbers_remove(&n->ready, index);
    else
        n->next++;
    if (!n->blocker_known && !n->error)
        find_blocker(p, def->number, index);
    *ret = (plan_ready){
        .def = def, .index = index, .error = n->error, .blocked_by = n->blocked_by, .would = n->would};
    return 1;
}

/* A job of which some instances may be ready now. */
typedef struct arrivals {
    plan *plan;
    uint32_t number;
} arrivals;

static void arrive(void *context, uint32_t index)
{
    const arrivals *a = context;
    node *n = &a->plan->nodes[a->number];
    if (--n->waits[index] == 0 && plan_has(a->plan, a->number, index))
        numbers_add(&n->ready, index);
}

static void tell_dependants(plan *p, uint32_t number, uint32_t index, plan_end end)
{
    const graph_node *n = &p->edges.graph.nodes[number];
    for (size_t i = 0; i < n->dependant_count; i++) {
        arrivals a = {.plan = p, .number = n->dependants[i].from};
        links *by_instance = p->edges.graph.nodes[a.number].needs[n->dependants[i].place].links;
        if (!by_instance)
            continue;
        links_settle(by_instance, index, (links_end)end, arrive, &a);
        plan_push(p, a.number);
    }
}

void plan_settle(plan *p, const batch_job *def, uint32_t index, plan_end end, const deja_hash *left,
                 uint64_t stamp)
{
    if (p->fed.feed) {
        feed_settle(p->fed.feed);
        return;
    }
    node *n = &p->nodes[def->number];
    remains_note(&n->remains, index, left, stamp);
    if (end > n->end)
        n->end = end;
    uint32_t last = n->error ? n->promised : index + 1;
    for (uint32_t i = n->error ? 0 : index; i < last; i++)
        tell_dependants(p, def->number, i, end);
    if (++n->settled == plan_wanted(n))
        release(p, def->number);
}

int plan_is_only(const plan *p)
{
    return p->only;
}

int plan_is_lying(const plan *p, uint32_t number, uint32_t maker)
{
    return p->only && !plan_has(p, number, maker) && !remains_has(&p->nodes[number].remains, maker);
}

void plan_note(plan *p, uint32_t number, uint32_t maker, const deja_hash *left, uint64_t stamp)
{
    remains_note(&p->nodes[number].remains, maker, left, stamp);
    p->nodes[number].remains.folded = 0;
}

int plan_left(plan *p, const batch_need *need, uint32_t index, deja_hash *ret)
{
    batch_span span = batch_span_of(p->batch, need, index);
    remains *r = &p->nodes[need->job].remains;
    if (p->only && !span.joint && !r->folded)
        remains_fold(r, 0);
    return remains_hash(r, &span, ret);
}

remains_state plan_changed(plan *p, const batch_need *need, uint32_t index, int64_t since_ns,
                           int64_t *ret_later_ns)
{
    node *n = &p->nodes[need->job];
    batch_span span = batch_span_of(p->batch, need, index);
    return remains_changed(&n->remains, p->batch, &p->batch->jobs[need->job], &span, since_ns, ret_later_ns);
}

int plan_fd(const plan *p)
{
    return p->fed.feed ? feed_fd(p->fed.feed) : -1;
}

plan_made plan_made_by(const plan *p, const batch_job *def, uint32_t index, const char *path,
                       const batch_job **ret_maker)
{
    uint32_t maker, instance;
    int found = p->makers ? makers_find(p->makers, path, &maker, &instance, NULL) : 0;
    *ret_maker = found > 0 ? &p->batch->jobs[maker] : NULL;
    if (found <= 0)
        return found < 0 ? PLAN_MADE_ANYTIME : PLAN_MADE_BY_NOBODY;
    const graph_node *n = &p->edges.graph.nodes[def->number];
    for (size_t i = 0; i < n->need_count; i++)
        if (n->needs[i].to == maker &&
            (!n->needs[i].links || links_waits(n->needs[i].links, index, instance)))
            return PLAN_MADE_BEFORE;
    return graph_waits_for(&p->edges.graph, def->number, maker) > 0 ? PLAN_MADE_BEFORE : PLAN_MADE_ANYTIME;
}

uint32_t plan_unsettled(const plan *p, uint32_t number)
{
    return plan_wanted(&p->nodes[number]) - p->nodes[number].settled;
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

const graph *plan_graph(const plan *p)
{
    return &p->edges.graph;
}

void plan_close(plan *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; p->nodes && i < p->batch->job_count; i++) {
        if (p->nodes[i].error != &no_memory)
            deja_free((void *)p->nodes[i].error);
        deja_free(p->nodes[i].waits);
        numbers_done(&p->nodes[i].ready);
        numbers_done(&p->nodes[i].wanted);
        remains_done(&p->nodes[i].remains);
    }
    fed_done(&p->fed);
    makers_close(p->makers);
    edges_done(&p->edges);
    deja_free(p->nodes);
    deja_free(p->ready);
    deja_free(p->work);
    deja_free(p);
}
