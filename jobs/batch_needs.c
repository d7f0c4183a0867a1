/*
 * The word needs, and cycles in it.
 */
#include "batch_read.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

static const char what[] = "the name of a job, a list of names, or a map from names to 'order'";

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

static int read_need(batch_reader *r, const yaml_node *name, int order_only, batch_job *job)
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
    job->needs[job->need_count++] = (batch_need){.job = *number, .order_only = order_only, .at = name->mark};
    if (!order_only)
        r->b->jobs[*number].needed = 1;
    return 0;
}

static int read_pair(batch_reader *r, const yaml_pair *pair, batch_job *job)
{
    const yaml_node *how = pair->value;
    int order = how->kind == YAML_SCALAR && strcmp(how->text, "order") == 0;
    if (!order && !yaml_is_null(how))
        return read_expected(r, how, "'order' or nothing");
    return read_need(r, pair->key, order, job);
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
    job->matrix_waits = job->matrix_reads && job->need_count > 0;
    return code;
}

/* A walk along needs, without recursion: a batch may be a chain of a million jobs. */
typedef struct walk {
    uint32_t *path; /* jobs from the start to the present one */
    size_t *next;   /* of each job on the path: the need to look at next */
    uint8_t *state; /* of each job of the batch */
    size_t depth;
} walk;

enum { UNSEEN, ON_PATH, DONE };

/* The path from job `first` on is a cycle that `last` closes. */
static int fail_cycle(batch_reader *r, const walk *w, uint32_t first, mark at)
{
    size_t from = w->depth - 1;
    while (w->path[from] != first)
        from--;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_addf(&b, "%s", r->b->jobs[first].name);
    for (size_t i = from + 1; i < w->depth && b.len < 300; i++)
        deja_buffer_addf(&b, " needs %s", r->b->jobs[w->path[i]].name);
    deja_buffer_addf(&b, "%s needs %s", b.len < 300 ? "" : " needs ...", r->b->jobs[first].name);
    return source_fail(&r->b->source, at, r->err, "these jobs wait for each other: %s",
                       deja_buffer_string(&b));
}

static void enter(walk *w, uint32_t job)
{
    w->state[job] = ON_PATH;
    w->path[w->depth] = job;
    w->next[w->depth++] = 0;
}

static int walk_from(batch_reader *r, walk *w, uint32_t start)
{
    enter(w, start);
    while (w->depth) {
        const batch_job *job = &r->b->jobs[w->path[w->depth - 1]];
        size_t i = w->next[w->depth - 1]++;
        if (i == job->need_count) {
            w->state[job->number] = DONE;
            w->depth--;
        } else if (w->state[job->needs[i].job] == ON_PATH) {
            return fail_cycle(r, w, job->needs[i].job, job->needs[i].at);
        } else if (w->state[job->needs[i].job] == UNSEEN) {
            enter(w, job->needs[i].job);
        }
    }
    return 0;
}

int batch_check_cycles(batch_reader *r)
{
    size_t n = r->b->job_count;
    walk w = {.path = deja_calloc(n + 1, sizeof *w.path),
              .next = deja_calloc(n + 1, sizeof *w.next),
              .state = deja_calloc(n + 1, 1)};
    int code = w.path && w.next && w.state ? 0 : read_no_memory(r);
    for (uint32_t i = 0; i < n && !code; i++)
        if (w.state[i] == UNSEEN)
            code = walk_from(r, &w, i);
    deja_free(w.path);
    deja_free(w.next);
    deja_free(w.state);
    return code;
}
