/*
 * Loading a batch: the file, its tree, its jobs, then what concerns several of them.
 */
#include "batch_join.h"
#include "batch_read.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char *const top_words[] = {"version", "vars", "defaults", "jobs", NULL};

/* What users would look for at the top of the file, though it belongs in a job or in defaults. */
static const char *const inner_words[] = {"run",     "shell", "matrix", "when",  "inputs",
                                          "outputs", "env",   "stdin",  "needs", NULL};

/* A file of a later deja is told from one with mistakes. */
static int check_newer(batch_reader *r, const yaml_node *root)
{
    const yaml_node *n = yaml_get(root, "version");
    int64_t version;
    if (!n || !yaml_int(n, &version) || version <= 1)
        return 0;
    return source_fail(&r->b->source, n->mark, r->err,
                       "version %s: this deja knows only version 1 of batch files", n->text);
}

static int read_version(batch_reader *r, const yaml_node *root)
{
    const yaml_node *n = yaml_get(root, "version");
    int64_t version;
    if (!n)
        return source_fail(&r->b->source, root->mark, r->err,
                           "'version' is missing: begin the file with the line 'version: 1'");
    return yaml_int(n, &version) && version == 1 ? 0
                                                 : read_expected(r, n, "1, the version of the batch file");
}

static int add_job(batch_reader *r, const yaml_pair *pair, batch_job *job)
{
    uint32_t number = r->b->job_count;
    int code = read_name(r, pair->key, "a job");
    if (code)
        return code;
    *job = r->defaults;
    job->name = read_keep(r, pair->key);
    job->number = number;
    job->at = pair->key->mark;
    if (!job->name || name_table_put(r->b->names, job->name, pair->key->len, number))
        return read_no_memory(r);
    r->b->job_count++;
    return batch_read_job(r, pair->value, job);
}

static int read_jobs(batch_reader *r, const yaml_node *root)
{
    const yaml_node *jobs = yaml_get(root, "jobs");
    if (!jobs)
        return source_fail(&r->b->source, root->mark, r->err,
                           "'jobs' is missing: expected 'jobs:' with the jobs by name below it");
    if (jobs->kind != YAML_MAP)
        return read_expected(r, jobs, "a map from names to jobs");
    if (jobs->count == 0)
        return source_fail(&r->b->source, jobs->mark, r->err, "'jobs' is empty");
    r->b->jobs = read_alloc(r, jobs->count, sizeof *r->b->jobs);
    r->stamps = deja_calloc(jobs->count, sizeof *r->stamps);
    if (!r->b->jobs || !r->stamps)
        return read_no_memory(r);
    int code = 0;
    for (size_t i = 0; i < jobs->count && !code; i++)
        code = add_job(r, &jobs->pairs[i], &r->b->jobs[i]);
    for (size_t i = 0; i < jobs->count && !code; i++) {
        const yaml_node *needs = yaml_get(jobs->pairs[i].value, "needs");
        code = needs ? batch_read_needs(r, needs, &r->b->jobs[i]) : 0;
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

/* A word of a job at the top of the file: the user forgot a level. */
static int check_level(batch_reader *r, const yaml_node *root)
{
    for (size_t i = 0; i < root->count; i++)
        for (size_t w = 0; inner_words[w]; w++)
            if (strcmp(root->pairs[i].key->text, inner_words[w]) == 0)
                return source_fail(&r->b->source, root->pairs[i].key->mark, r->err,
                                   "'%s' belongs in a job: jobs: {NAME: {%s: ...}}", inner_words[w],
                                   inner_words[w]);
    return 0;
}

static int read_root(batch_reader *r, const yaml_node *root)
{
    if (yaml_is_null(root))
        return source_fail(&r->b->source, root->mark, r->err,
                           "the file is empty: expected 'version: 1' and 'jobs:'");
    if (root->kind != YAML_MAP)
        return read_expected(r, root, "a map with 'version' and 'jobs'");
    int code = check_newer(r, root);
    if (!code)
        code = check_level(r, root);
    if (!code)
        code = read_check_words(r, root, "a batch", top_words);
    if (!code)
        code = read_version(r, root);
    const yaml_node *defaults = yaml_get(root, "defaults"), *vars = yaml_get(root, "vars");
    if (!code && vars)
        code = batch_read_vars(r, vars);
    if (!code)
        code = batch_check_settings(r->b, r->settings, r->err);
    if (!code && defaults)
        code = batch_read_defaults(r, defaults);
    if (!code)
        code = read_jobs(r, root);
    if (!code)
        code = check_jobs(r);
    return code ? code : join_jobs(r);
}

static int read_tree(batch_reader *r)
{
    deja_arena tree = {0};
    yaml_node *root = NULL;
    int code = yaml_parse(&r->b->source, &tree, &root, r->err);
    if (!code)
        code = batch_job_defaults(r, &r->defaults);
    if (!code)
        code = read_root(r, root);
    deja_arena_done(&tree);
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
    deja_free(b->text);
    deja_arena_done(&b->arena);
    deja_free(b);
}

const batch_job *batch_find(const batch *b, const char *name, size_t len)
{
    const uint32_t *number = name_table_get(b->names, name, len);
    return number ? &b->jobs[*number] : NULL;
}
