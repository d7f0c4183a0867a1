/*
 * Loading a batch: the file, its tree, its jobs, then what concerns several of them.
 */
#include "batch_join.h"
#include "batch_parts.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int add_job(batch_reader *r, const yaml_pair *pair, batch_job *job)
{
    uint32_t number = r->b->job_count;
    const uint32_t *other = name_table_get(r->b->names, pair->key->text, pair->key->len);
    char word[SOURCE_WORD], where[SOURCE_PLACE];
    int code = read_name(r, pair->key, "a job");
    if (code)
        return code;
    if (other)
        return source_fail(&r->b->source, pair->key->mark, r->err, "there is already a job '%s', %s",
                           source_word(word, pair->key->text, pair->key->len),
                           source_place(where, &r->b->source, r->b->jobs[*other].at, pair->key->mark));
    *job = r->defaults;
    job->name = read_keep(r, pair->key);
    job->number = number;
    job->at = pair->key->mark;
    if (!job->name || name_table_put(r->b->names, job->name, pair->key->len, number))
        return read_no_memory(r);
    r->b->job_count++;
    return batch_read_job(r, pair->value, job);
}

/* `may_lack`: of several files not each needs jobs. */
static int read_jobs(batch_reader *r, const yaml_node *root, int may_lack)
{
    const yaml_node *jobs = yaml_get(root, "jobs");
    if (!jobs && may_lack)
        return 0;
    if (!jobs)
        return source_fail(&r->b->source, root->mark, r->err,
                           "'jobs' is missing: expected 'jobs:' with the jobs by name below it");
    if (jobs->kind != YAML_MAP)
        return read_expected(r, jobs, "a map from names to jobs");
    if (jobs->count == 0)
        return source_fail(&r->b->source, jobs->mark, r->err, "'jobs' is empty");
    int code = 0;
    for (size_t i = 0; i < jobs->count && !code; i++)
        code = add_job(r, &jobs->pairs[i], &r->b->jobs[r->b->job_count]);
    return code;
}

static int read_needs(batch_reader *r, const yaml_node *jobs)
{
    int code = 0;
    for (size_t i = 0; jobs && i < jobs->count && !code; i++) {
        const yaml_pair *pair = &jobs->pairs[i];
        const yaml_node *needs = yaml_get(pair->value, "needs");
        const uint32_t *number = name_table_get(r->b->names, pair->key->text, pair->key->len);
        code = needs && number ? batch_read_needs(r, needs, &r->b->jobs[*number]) : 0;
    }
    return code;
}

static int check_jobs(batch_reader *r)
{
    int code = 0;
    for (uint32_t i = 0; i < r->b->job_count && !code; i++) {
        code = batch_check_names(r, &r->b->jobs[i]);
        if (!code)
            code = batch_check_paths(r, &r->b->jobs[i]);
    }
    return code ? code : batch_check_cycles(r);
}

static int are_expanded(const batch *b, const batch_job *job)
{
    for (size_t i = 0; i < job->need_count; i++)
        if (!b->jobs[job->needs[i].job].expanded)
            return 0;
    return job->expanded;
}

/* Where nothing has to be read for that. */
static int join_jobs(batch_reader *r)
{
    int code = 0;
    batch_find_waiting(r);
    for (uint32_t i = 0; i < r->b->job_count && !code; i++)
        if (are_expanded(r->b, &r->b->jobs[i]))
            code = batch_join(r->b, &r->b->jobs[i], r->err);
    return code;
}

/* How many there are in the maps called `word` at the tops of all files. */
static size_t count_at_top(const batch_parts *p, const char *word)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const yaml_node *n = yaml_get(p->list[i]->root, word);
        count += n && n->kind == YAML_MAP ? n->count : 0;
    }
    return count;
}

static int read_all_amounts(batch_reader *r, const batch_parts *p)
{
    size_t count = count_at_top(p, "resources");
    int code = 0;
    r->b->resources = count ? read_alloc(r, count, sizeof *r->b->resources) : NULL;
    if (count && !r->b->resources)
        return read_no_memory(r);
    for (size_t i = 0; i < p->count && !code; i++) {
        const yaml_node *n = yaml_get(p->list[i]->root, "resources");
        code = n ? batch_read_amounts(r, n) : 0;
    }
    return code;
}

static int read_all_vars(batch_reader *r, const batch_parts *p)
{
    size_t count = count_at_top(p, "vars");
    int code = 0;
    r->b->vars = count ? read_alloc(r, count, sizeof *r->b->vars) : NULL;
    if (count && !r->b->vars)
        return read_no_memory(r);
    for (size_t i = 0; i < p->count && !code; i++) {
        const yaml_node *n = yaml_get(p->list[i]->root, "vars");
        code = n ? batch_read_vars(r, n) : 0;
    }
    return code ? code : batch_check_settings(r->b, r->settings, r->err);
}

/* Those of the files that it includes, then its own; of each file once. */
static int read_defaults(batch_reader *r, batch_part *part, const batch_part *whose)
{
    const yaml_node *defaults = yaml_get(part->root, "defaults");
    int code = 0;
    if (part->defaults_of == whose)
        return 0;
    part->defaults_of = whose;
    for (size_t i = 0; i < part->include_count && !code; i++)
        code = read_defaults(r, part->includes[i], whose);
    return !code && defaults ? batch_read_defaults(r, defaults) : code;
}

static int read_part(batch_reader *r, batch_part *part)
{
    int code = batch_job_defaults(r, &r->defaults);
    if (!code)
        code = read_defaults(r, part, part);
    return code ? code : read_jobs(r, part->root, part->include_count > 0 || part->from);
}

static int read_parts(batch_reader *r, const batch_parts *p)
{
    size_t count = count_at_top(p, "jobs");
    r->b->jobs = read_alloc(r, count, sizeof *r->b->jobs);
    r->stamps = deja_calloc(count + 1, sizeof *r->stamps);
    if (!r->b->jobs || !r->stamps)
        return read_no_memory(r);
    int code = read_all_vars(r, p);
    if (!code)
        code = read_all_amounts(r, p);
    for (size_t i = 0; i < p->count && !code; i++)
        code = read_part(r, p->list[i]);
    for (size_t i = 0; i < p->count && !code; i++)
        code = read_needs(r, yaml_get(p->list[i]->root, "jobs"));
    for (uint32_t i = 0; i < r->b->job_count && !code; i++)
        code = batch_resolve_origins(r, &r->b->jobs[i]);
    if (!code && r->b->job_count == 0)
        code = source_fail(&r->b->source, p->list[p->count - 1]->root->mark, r->err,
                           "there are no jobs, neither here nor in what it includes");
    if (!code)
        code = check_jobs(r);
    return code ? code : join_jobs(r);
}

static int read_tree(batch_reader *r)
{
    batch_parts p = {0};
    int code = batch_parts_load(r, &p);
    if (!code)
        code = read_parts(r, &p);
    batch_parts_done(&p);
    deja_free(r->stamps);
    return code;
}

int batch_new(batch_reader *r, const char *folder)
{
    r->b = deja_calloc(1, sizeof *r->b);
    if (!r->b)
        return read_no_memory(r);
    r->b->folder_fd = -1;
    r->b->names = deja_calloc(1, sizeof *r->b->names);
    r->b->folder = deja_arena_dup(&r->b->arena, folder, strlen(folder));
    if (!r->b->names || !r->b->folder)
        return read_no_memory(r);
    r->b->folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return r->b->folder_fd < 0 ? deja_fail_errno(r->err, "open folder '%s'", folder) : 0;
}

int batch_take_text(batch **ret, const char *path, char *text, size_t len, const char *folder,
                    const batch_settings *settings, deja_error *err)
{
    deja_error unused;
    batch_reader r = {.err = err ? err : &unused, .settings = settings};
    int code = batch_new(&r, folder);
    if (!code) {
        r.b->text = deja_take(text);
        const char *name = deja_arena_dup(&r.b->arena, path, strlen(path));
        r.b->source = (source){.path = name, .text = r.b->text, .len = len};
        code = name ? read_tree(&r) : read_no_memory(&r);
    }
    deja_free(text);
    if (code) {
        batch_free(r.b);
        return code;
    }
    *ret = r.b;
    return 0;
}

int batch_load_text(batch **ret, const char *path, const char *text, size_t len, const char *folder,
                    deja_error *err)
{
    char *copy = deja_dup(text, len);
    return copy ? batch_take_text(ret, path, copy, len, folder, NULL, err)
                : deja_fail(err, DEJA_ENOMEM, "out of memory");
}

void batch_free(batch *b)
{
    if (!b)
        return;
    for (uint32_t i = 0; i < b->job_count; i++) {
        const matrix *m = b->jobs[i].matrix;
        for (size_t k = 0; m && k < m->count; k++)
            matrix_axis_done((matrix_axis *)&m->axes[k]);
        for (size_t k = 0; k < b->jobs[i].need_count; k++)
            joint_close(b->jobs[i].needs[k].joint);
    }
    if (b->folder_fd >= 0)
        close(b->folder_fd);
    if (b->names)
        name_table_done(b->names);
    deja_free(b->names);
    deja_free((void *)b->warnings);
    deja_free(b->others);
    deja_free(b->text);
    deja_arena_done(&b->arena);
    deja_free(b);
}

const batch_job *batch_find(const batch *b, const char *name, size_t len)
{
    const uint32_t *number = name_table_get(b->names, name, len);
    return number ? &b->jobs[*number] : NULL;
}
