/*
 * The word needs, and cycles in it.
 */
#include "batch_matrix.h"
#include "batch_names.h"
#include "graph.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

static const char what[] = "the name of a job, a list of names, or a map from names to 'order' or 'all'";

static int unknown_job(batch_reader *r, const yaml_node *n)
{
    char word[SOURCE_WORD], hint[READ_HINT];
    const char **names = deja_calloc(r->b->job_count + 1, sizeof *names);
    if (!names)
        return read_no_memory(r);
    for (uint32_t i = 0; i < r->b->job_count; i++)
        names[i] = r->b->jobs[i].name;
    read_hint(hint, n->text, names, r->b->job_count);
    deja_free(names);
    return source_fail(&r->b->source, n->mark, r->err, "no job is called '%s'%s",
                       source_word(word, n->text, n->len), hint);
}

/* What stands behind the name of a needed job. */
enum { HOW_ORDER = 1, HOW_ALL = 2 };

static int read_need(batch_reader *r, const yaml_node *name, unsigned how, batch_job *job)
{
    char word[SOURCE_WORD];
    int code = read_scalar(r, name, "the name of a job");
    if (code)
        return code;
    const uint32_t *number = name_table_get(r->b->names, name->text, name->len);
    if (!number)
        return unknown_job(r, name);
    source_word(word, name->text, name->len);
    if (*number == job->number)
        return source_fail(&r->b->source, name->mark, r->err, "the job '%s' needs itself", word);
    batch_stamp *stamp = &r->stamps[*number];
    if (stamp->job == job->number + 1)
        return source_fail(&r->b->source, name->mark, r->err,
                           "'%s' stands here for the second time, after line %u column %u", word,
                           job->needs[stamp->need].at.line, job->needs[stamp->need].at.column);
    *stamp = (batch_stamp){.job = job->number + 1, .need = (uint32_t)job->need_count};
    job->needs[job->need_count++] = (batch_need){
        .job = *number, .order_only = (how & HOW_ORDER) != 0, .all = (how & HOW_ALL) != 0, .at = name->mark};
    if (!(how & HOW_ORDER))
        r->b->jobs[*number].needed = 1;
    return 0;
}

static int read_how(batch_reader *r, const yaml_node *n, unsigned *ret)
{
    unsigned how = n->kind != YAML_SCALAR          ? 0
                   : strcmp(n->text, "order") == 0 ? HOW_ORDER
                   : strcmp(n->text, "all") == 0   ? HOW_ALL
                                                   : 0;
    *ret |= how;
    return how ? 0 : read_expected(r, n, "'order', 'all', both as a list, or nothing");
}

static int read_pair(batch_reader *r, const yaml_pair *pair, batch_job *job)
{
    const yaml_node *n = pair->value;
    unsigned how = 0;
    int code = 0;
    if (n->kind == YAML_LIST)
        for (size_t i = 0; i < n->count && !code; i++)
            code = read_how(r, n->pairs[i].value, &how);
    else if (!yaml_is_null(n))
        code = read_how(r, n, &how);
    return code ? code : read_need(r, pair->key, how, job);
}

int batch_read_needs(batch_reader *r, const yaml_node *n, batch_job *job)
{
    if (n->kind == YAML_SCALAR && yaml_is_null(n))
        return read_expected(r, n, what);
    size_t count = n->kind == YAML_SCALAR ? 1 : n->count;
    job->needs = read_alloc(r, count, sizeof *job->needs);
    if (!job->needs)
        return read_no_memory(r);
    int code = n->kind == YAML_SCALAR ? read_need(r, n, 0, job) : 0;
    for (size_t i = 0; n->kind != YAML_SCALAR && i < n->count && !code; i++)
        code =
            n->kind == YAML_LIST ? read_need(r, n->pairs[i].value, 0, job) : read_pair(r, &n->pairs[i], job);
    return code;
}

/* Each job of the path needs the next one, the last one the first. */
static int fail_cycle(batch_reader *r, const uint32_t *path, size_t count)
{
    const batch_job *last = &r->b->jobs[path[count - 1]];
    const batch_need *need = last->needs;
    while (need->job != path[0])
        need++;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_addf(&b, "%s", r->b->jobs[path[0]].name);
    for (size_t i = 1; i < count && b.len < 300; i++)
        deja_buffer_addf(&b, " needs %s", r->b->jobs[path[i]].name);
    deja_buffer_addf(&b, "%s needs %s", b.len < 300 ? "" : " needs ...", r->b->jobs[path[0]].name);
    return source_fail(&r->b->source, need->at, r->err, "these jobs wait for each other: %s",
                       deja_buffer_string(&b));
}

int batch_check_cycles(batch_reader *r)
{
    graph g;
    uint32_t *path = NULL;
    size_t count;
    int status = graph_init(&g, r->b->job_count);
    for (uint32_t i = 0; i < r->b->job_count && status >= 0; i++)
        for (size_t k = 0; k < r->b->jobs[i].need_count && status >= 0; k++)
            status = graph_add(&g, i, &(graph_edge){.to = r->b->jobs[i].needs[k].job});
    if (status >= 0)
        status = graph_cycle(&g, UINT32_MAX, &path, &count);
    if (status > 0)
        status = fail_cycle(r, path, count);
    else if (status < 0)
        status = read_no_memory(r);
    deja_free(path);
    graph_done(&g);
    return status;
}

static int same_source(const batch_axis *a, const batch_axis *b)
{
    int of_jobs = a->origin || b->origin || (a->from == AXIS_TABLE && a->table->origin);
    if (a->from != b->from || a->count != b->count || of_jobs)
        return 0;
    if (a->from == AXIS_TABLE)
        return !b->table->origin && strcmp(a->table->path, b->table->path) == 0;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->texts[i], b->texts[i]) != 0)
            return 0;
    return 1;
}

/* An axis that is read as the axis of that name of a needed job is, has its values at the same time. */
static int is_known_with(const batch_reader *r, const batch_job *job, size_t axis)
{
    size_t at;
    for (size_t i = 0; i < job->need_count; i++) {
        const batch_job *needed = &r->b->jobs[job->needs[i].job];
        if (batch_find_axis(needed, job->matrix->axes[axis].name, &at) && !needed->matrix_waits &&
            same_source(&job->axes[axis], &needed->axes[at]))
            return 1;
    }
    return 0;
}

/* What its matrix reads may be made by the jobs that it needs. */
static int must_wait(const batch_reader *r, const batch_job *job)
{
    for (size_t i = 0; i < job->matrix->count; i++)
        if (job->axes[i].from != AXIS_FIXED && !is_known_with(r, job, i))
            return 1;
    return 0;
}

void batch_find_waiting(batch_reader *r)
{
    for (uint32_t i = 0; i < r->b->job_count; i++)
        r->b->jobs[i].matrix_waits = r->b->jobs[i].matrix_reads && r->b->jobs[i].need_count > 0;
    for (int changed = 1; changed;) {
        changed = 0;
        for (uint32_t i = 0; i < r->b->job_count; i++)
            if (r->b->jobs[i].matrix_waits && !must_wait(r, &r->b->jobs[i])) {
                r->b->jobs[i].matrix_waits = 0;
                changed = 1;
            }
    }
}
