/*
 * A definition waits until all definitions that it needs are settled; then its instances are handed out in
 * order. Of an instance nothing is kept but, where others need it, the 16 bytes of what it left.
 */
#include "plan.h"
#include "outputs.h"
#include <deja/cleanup.h>
#include <string.h>

/* What the plan knows of a definition. */
typedef struct node {
    int selected;
    int indexed;       /* its outputs are in the index, its file edges are made */
    int released;      /* all its instances are settled, its dependants know */
    uint32_t waiting;  /* edges to definitions that are not settled */
    uint32_t count;    /* of instances, once it is expanded */
    uint32_t next;     /* instance to hand out */
    uint32_t settled;  /* instances */
    plan_end end;      /* the worst of its instances: LEFT, UNKNOWN, FAILED */
    deja_error *error; /* it could not be expanded */
    deja_hash *left;   /* of each instance, when some other job needs them */
    uint64_t *reads;   /* hashes of the paths that its instances read, until the file edges are made */
    size_t read_count, read_cap;
    uint32_t *dependants; /* definitions that have an edge to this one */
    size_t dependant_count, dependant_cap;
    uint32_t *needs; /* the same edges from the other side */
    size_t need_count, need_cap;
} node;

struct plan {
    batch *batch;
    node *nodes;
    outputs_index index;
    int has_outputs;     /* some job has */
    uint32_t first;      /* no definition before this one has anything to hand out */
    uint32_t unreleased; /* selected definitions that are not settled */
    uint32_t unindexed;  /* selected definitions whose instances are not known */
    uint64_t total;      /* instances of selected definitions */
};

static int has_edge(const node *n, uint32_t to)
{
    for (size_t i = 0; i < n->need_count; i++)
        if (n->needs[i] == to)
            return 1;
    return 0;
}

static int append(uint32_t **items, size_t *count, size_t *cap, uint32_t item)
{
    uint32_t *more = deja_grow(*items, *count, cap, sizeof *more);
    if (!more)
        return DEJA_ENOMEM;
    *items = more;
    more[(*count)++] = item;
    return 0;
}

/* `from` needs `to`. A definition that is settled already is no edge. */
static int add_edge(plan *p, uint32_t from, uint32_t to, deja_error *err)
{
    node *n = &p->nodes[from], *needed = &p->nodes[to];
    if (from == to || has_edge(n, to))
        return 0;
    if (append(&n->needs, &n->need_count, &n->need_cap, to) < 0 ||
        append(&needed->dependants, &needed->dependant_count, &needed->dependant_cap, from) < 0)
        return deja_fail(err, DEJA_ENOMEM, "plan: out of memory");
    n->waiting++;
    return 0;
}

/* Depth first from `at`; `path` holds the way to it. Non-zero when `target` was reached. */
static int reaches(const plan *p, uint32_t at, uint32_t target, uint8_t *seen, uint32_t *path, size_t *depth)
{
    path[(*depth)++] = at;
    if (at == target)
        return 1;
    seen[at] = 1;
    for (size_t i = 0; i < p->nodes[at].need_count; i++) {
        uint32_t next = p->nodes[at].needs[i];
        if (!seen[next] && reaches(p, next, target, seen, path, depth))
            return 1;
    }
    (*depth)--;
    return 0;
}

/* An edge that follows from a file must not close a cycle: says which links it would have. */
static int check_cycle(plan *p, uint32_t from, uint32_t to, const job_input *in, deja_error *err)
{
    const batch *b = p->batch;
    DEJA_AUTO_FREE uint8_t *seen = deja_calloc(b->job_count, 1);
    DEJA_AUTO_FREE uint32_t *path = deja_calloc(b->job_count + 1, sizeof *path);
    size_t depth = 0;
    if (!seen || !path)
        return deja_fail(err, DEJA_ENOMEM, "plan: out of memory");
    if (!reaches(p, to, from, seen, path, &depth))
        return 0;
    DEJA_AUTO_BUFFER deja_buffer links = {0};
    deja_buffer_addf(&links, "'%s' reads '%s' of '%s'", b->jobs[from].name, in->path, b->jobs[to].name);
    for (size_t i = 0; i + 1 < depth; i++)
        deja_buffer_addf(&links, ", '%s' needs '%s'", b->jobs[path[i]].name, b->jobs[path[i + 1]].name);
    return source_fail(&b->source, in->at, err, "jobs wait for each other: %s", deja_buffer_string(&links));
}

/* `in` may be made by another job: then that one comes first. */
static int add_file_edge(plan *p, const job *j, const job_input *in, deja_error *err)
{
    uint32_t maker, index;
    int status = outputs_index_find(&p->index, p->batch, in->path, &maker, &index, err);
    if (status <= 0 || has_edge(&p->nodes[j->def->number], maker) || p->nodes[maker].released)
        return status < 0 ? status : 0;
    if (maker == j->def->number)
        return source_fail(
            &p->batch->source, in->at, err,
            "input '%s' is made by another instance of '%s': an instance cannot wait for one of its own job",
            in->path, j->def->name);
    status = check_cycle(p, j->def->number, maker, in, err);
    return status < 0 ? status : add_edge(p, j->def->number, maker, err);
}

static int add_file_edges(plan *p, const job *j, deja_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < j->input_count; i++)
        if (!j->inputs[i].pattern && !j->inputs[i].folder)
            status = add_file_edge(p, j, &j->inputs[i], err);
    if (status == 0 && j->stdin_path)
        status = add_file_edge(p, j, &(job_input){.path = j->stdin_path, .at = j->def->stdin_path->at}, err);
    return status;
}

/* What is needed to know the paths of a job. */
static unsigned path_parts(const batch_job *def)
{
    return def->stdin_path ? JOB_ALL : JOB_FILES;
}

/* Some path that it reads may be another job's output, as far as hashes tell. */
static int may_read_outputs(const plan *p, const node *n)
{
    for (size_t i = 0; i < n->read_count; i++)
        if (outputs_index_has_hash(&p->index, n->reads[i]))
            return 1;
    return 0;
}

static int link_files(plan *p, const batch_job *def, deja_error *err)
{
    job j = {0};
    node *n = &p->nodes[def->number];
    int status = 0, maybe = may_read_outputs(p, n);
    deja_free(n->reads);
    n->reads = NULL;
    n->read_count = n->read_cap = 0;
    for (uint32_t i = 0; maybe && status == 0 && i < n->count; i++) {
        status = job_render(&j, p->batch, def, i, path_parts(def), err);
        if (status == 0)
            status = add_file_edges(p, &j, err);
    }
    job_done(&j);
    return status;
}

static int note_read(node *n, const char *path)
{
    uint64_t hash = outputs_path_hash(path);
    if (n->read_count && n->reads[n->read_count - 1] == hash)
        return 0;
    uint64_t *more = deja_grow(n->reads, n->read_count, &n->read_cap, sizeof *more);
    if (!more)
        return DEJA_ENOMEM;
    n->reads = more;
    more[n->read_count++] = hash;
    return 0;
}

static int note_reads(node *n, const job *j, deja_error *err)
{
    int status = j->stdin_path ? note_read(n, j->stdin_path) : 0;
    for (size_t i = 0; status == 0 && i < j->input_count; i++)
        if (!j->inputs[i].pattern && !j->inputs[i].folder)
            status = note_read(n, j->inputs[i].path);
    return status == 0 ? 0 : deja_fail(err, DEJA_ENOMEM, "plan: out of memory");
}

/* One pass over the instances: their outputs into the index, what they read noted for the file edges. */
static int index_paths(plan *p, const batch_job *def, deja_error *err)
{
    node *n = &p->nodes[def->number];
    job j = {0};
    int status = 0,
        has_paths = def->output_count > 0 || (p->has_outputs && (def->input_count > 0 || def->stdin_path));
    for (uint32_t i = 0; has_paths && status == 0 && i < n->count; i++) {
        status = job_render(&j, p->batch, def, i, path_parts(def), err);
        if (status == 0)
            status = outputs_index_add(&p->index, p->batch, &j, err);
        if (status == 0 && p->has_outputs)
            status = note_reads(n, &j, err);
    }
    job_done(&j);
    return status;
}

/* Its matrix or the matrices that its expressions gather are not known before these jobs are done. */
static int must_wait(const plan *p, const batch_job *def)
{
    if (def->matrix_waits && p->nodes[def->number].waiting > 0)
        return 1;
    for (size_t i = 0; i < def->need_count; i++)
        if (!p->batch->jobs[def->needs[i].job].expanded)
            return 1;
    return 0;
}

static int index_job(plan *p, batch_job *def, deja_error *err)
{
    node *n = &p->nodes[def->number];
    int status = def->expanded ? 0 : batch_expand(p->batch, def, err);
    if (status == 0)
        status = matrix_count(def->matrix, &n->count, err);
    if (status == 0)
        status = index_paths(p, def, err);
    if (status == 0 && def->needed && !n->left) {
        n->left = deja_calloc(n->count ? n->count : 1, sizeof *n->left);
        status = n->left ? 0 : deja_fail(err, DEJA_ENOMEM, "plan: out of memory");
    }
    n->indexed = status == 0;
    return status;
}

static void select_needed(plan *p, uint32_t number)
{
    node *n = &p->nodes[number];
    if (n->selected)
        return;
    n->selected = 1;
    const batch_job *def = &p->batch->jobs[number];
    for (size_t i = 0; i < def->need_count; i++)
        select_needed(p, def->needs[i].job);
}

static void select_all(plan *p, const uint8_t *selected)
{
    for (uint32_t i = 0; i < p->batch->job_count; i++)
        if (!selected || selected[i])
            select_needed(p, i);
}

static int make_edges(plan *p, deja_error *err)
{
    for (uint32_t i = 0; i < p->batch->job_count; i++)
        for (size_t k = 0; k < p->batch->jobs[i].need_count; k++) {
            int status = add_edge(p, i, p->batch->jobs[i].needs[k].job, err);
            if (status < 0)
                return status;
        }
    return 0;
}

/*
 * Jobs that gather others can be indexed only after these, whatever their order in the file: passes until
 * nothing moves. All jobs are indexed, selected or not: a file may lead to any of them.
 */
static int index_jobs(plan *p, deja_error *err)
{
    for (int moved = 1; moved;) {
        moved = 0;
        for (uint32_t i = 0; i < p->batch->job_count; i++) {
            batch_job *def = &p->batch->jobs[i];
            if (p->nodes[i].indexed || must_wait(p, def))
                continue;
            int status = index_job(p, def, err);
            if (status < 0)
                return status;
            moved = 1;
        }
    }
    for (uint32_t i = 0; i < p->batch->job_count; i++) {
        int status = p->nodes[i].indexed ? link_files(p, &p->batch->jobs[i], err) : 0;
        if (status < 0)
            return status;
    }
    return 0;
}

/* A selected job that reads a file of another one needs that one, too. */
static void select_makers(plan *p)
{
    for (int moved = 1; moved;) {
        moved = 0;
        for (uint32_t i = 0; i < p->batch->job_count; i++)
            for (size_t k = 0; p->nodes[i].selected && k < p->nodes[i].need_count; k++)
                if (!p->nodes[p->nodes[i].needs[k]].selected) {
                    select_needed(p, p->nodes[i].needs[k]);
                    moved = 1;
                }
    }
}

static void count_selected(plan *p)
{
    p->unreleased = p->unindexed = p->first = 0;
    p->total = 0;
    for (uint32_t i = 0; i < p->batch->job_count; i++) {
        const node *n = &p->nodes[i];
        p->unreleased += n->selected && !n->released;
        p->unindexed += n->selected && !n->indexed;
        p->total += n->selected ? n->count : 0;
    }
}

int plan_open(plan **ret, batch *b, const uint8_t *selected, deja_error *err)
{
    plan *p = deja_calloc(1, sizeof *p);
    if (p) {
        p->batch = b;
        p->nodes = deja_calloc(b->job_count ? b->job_count : 1, sizeof *p->nodes);
    }
    if (!p || !p->nodes) {
        deja_free(p);
        return deja_fail(err, DEJA_ENOMEM, "plan: out of memory");
    }
    for (uint32_t i = 0; i < b->job_count; i++)
        p->has_outputs |= b->jobs[i].output_count > 0;
    select_all(p, selected);
    int status = make_edges(p, err);
    if (status == 0)
        status = index_jobs(p, err);
    if (status < 0) {
        plan_close(p);
        return status;
    }
    select_makers(p);
    count_selected(p);
    *ret = p;
    return 0;
}

static void release(plan *p, node *n)
{
    n->released = 1;
    p->unreleased--;
    for (size_t i = 0; i < n->dependant_count; i++) {
        p->nodes[n->dependants[i]].waiting--;
        if (n->dependants[i] < p->first)
            p->first = n->dependants[i];
    }
}

/* Makes a job whose needs are settled ready to hand out its instances; one that fails has a single one to
 * tell why. */
static void open_job(plan *p, batch_job *def)
{
    node *n = &p->nodes[def->number];
    deja_error why = {0};
    if (index_job(p, def, &why) < 0 || link_files(p, def, &why) < 0) {
        n->error = deja_dup(&why, sizeof why);
        n->count = 1;
    }
    n->indexed = 1;
    select_makers(p);
    count_selected(p);
}

static const batch_job *find_blocker(const plan *p, const node *n, int *ret_would)
{
    const batch_job *would = NULL;
    for (size_t i = 0; i < n->need_count; i++) {
        const node *needed = &p->nodes[n->needs[i]];
        if (needed->end == PLAN_FAILED) {
            *ret_would = 0;
            return &p->batch->jobs[n->needs[i]];
        }
        if (needed->end == PLAN_UNKNOWN)
            would = &p->batch->jobs[n->needs[i]];
    }
    *ret_would = would != NULL;
    return would;
}

int plan_next(plan *p, plan_ready *ret)
{
    for (uint32_t i = p->first; i < p->batch->job_count; i++) {
        node *n = &p->nodes[i];
        if (n->selected && n->waiting == 0 && !n->indexed)
            open_job(p, &p->batch->jobs[i]);
        if (n->selected && n->waiting == 0 && n->count == 0 && !n->released) {
            release(p, n);
            return plan_next(p, ret);
        }
        int used_up = !n->selected || (n->indexed && n->next == n->count && n->waiting == 0);
        if (used_up && i == p->first)
            p->first++;
        if (used_up || n->waiting > 0)
            continue;
        *ret = (plan_ready){.def = &p->batch->jobs[i], .index = n->next++, .error = n->error};
        ret->blocked_by = find_blocker(p, n, &ret->would);
        return 1;
    }
    return 0;
}

void plan_settle(plan *p, const batch_job *def, uint32_t index, plan_end end, const deja_hash *left)
{
    node *n = &p->nodes[def->number];
    if (n->left && left)
        n->left[index] = *left;
    if (end == PLAN_FAILED || n->end == PLAN_LEFT)
        n->end = end;
    if (++n->settled == n->count)
        release(p, n);
}

deja_hash plan_left(const plan *p, const batch_job *def)
{
    const node *n = &p->nodes[def->number];
    return deja_hash_bytes(n->left, n->left ? n->count * sizeof *n->left : 0);
}

int plan_finished(const plan *p)
{
    return p->unreleased == 0;
}

uint64_t plan_total(const plan *p, int *ret_unexpanded)
{
    *ret_unexpanded = p->unindexed > 0;
    return p->total;
}

void plan_close(plan *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->batch->job_count; i++) {
        node *n = &p->nodes[i];
        deja_free(n->error);
        deja_free(n->left);
        deja_free(n->reads);
        deja_free(n->dependants);
        deja_free(n->needs);
    }
    outputs_index_done(&p->index);
    deja_free(p->nodes);
    deja_free(p);
}
