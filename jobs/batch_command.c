/*
 * A batch of one command, without a file. Its texts are literal: nothing in them is an expression, no path a
 * pattern.
 */
#include "batch_read.h"
#include "glob.h"
#include "replacement.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>

static size_t count_list(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static int check_path(batch_reader *r, const char *path, const char *what)
{
    return *path ? 0 : deja_fail(r->err, DEJA_EINVAL, "the path of an %s is empty", what);
}

static int set_inputs(batch_reader *r, const batch_command *c, batch_job *job)
{
    const char *const *paths = c->inputs;
    job->inputs = read_alloc(r, count_list(paths), sizeof *job->inputs);
    int code = job->inputs ? 0 : read_no_memory(r);
    for (; paths && paths[job->input_count] && !code; job->input_count++) {
        const char *path = paths[job->input_count];
        DEJA_AUTO_BUFFER deja_buffer escaped = {0};
        code = check_path(r, path, "input");
        glob_escape(&escaped, path, strlen(path));
        if (!code && escaped.failed)
            code = read_no_memory(r);
        if (!code)
            code = batch_command_word(r, c, deja_buffer_string(&escaped), &job->inputs[job->input_count]);
    }
    return code;
}

/* A relative path that leads out of the folder is what the user typed: it is meant, and made absolute. */
static int set_output(batch_reader *r, const batch_command *c, const char *path, batch_output *ret)
{
    int code = check_path(r, path, "output");
    if (code)
        return code;
    if (path[strlen(path) - 1] == '/')
        return deja_fail(r->err, DEJA_EINVAL, "the output '%s' is a folder: name the files in it", path);
    ret->name = "";
    if (c->feed) {
        code = batch_command_word(r, c, path, &ret->path);
        return code || c->syntax->most == 1 || !replacement_has_all(ret->path.template)
                   ? code
                   : deja_fail(r->err, DEJA_EINVAL, "the output '%s' would be several files: name each",
                               path);
    }
    DEJA_AUTO_BUFFER deja_buffer joined = {0};
    deja_path_follow(&joined, r->b->folder, path);
    if (joined.failed)
        return read_no_memory(r);
    const char *inside = deja_path_inside(r->b->folder, deja_buffer_string(&joined));
    if (strcmp(inside, ".") == 0)
        return deja_fail(r->err, DEJA_EINVAL, "the output '%s' is the working folder itself", path);
    return batch_command_literal(r, inside, &ret->path);
}

static int set_outputs(batch_reader *r, const batch_command *c, batch_job *job)
{
    const char *const *paths = c->outputs;
    job->outputs = read_alloc(r, count_list(paths), sizeof *job->outputs);
    int code = job->outputs ? 0 : read_no_memory(r);
    for (; paths && paths[job->output_count] && !code; job->output_count++)
        code = set_output(r, c, paths[job->output_count], &job->outputs[job->output_count]);
    return code;
}

static int set_env(batch_reader *r, const char *const *names, batch_job *job)
{
    job->env = read_alloc(r, count_list(names), sizeof *job->env);
    int code = job->env ? 0 : read_no_memory(r);
    for (size_t i = 0; names && names[i] && !code; i++) {
        size_t known = 0;
        while (known < job->env_count && strcmp(job->env[known].name, names[i]) != 0)
            known++;
        if (known < job->env_count)
            continue;
        if (!batch_env_name(names[i]))
            return deja_fail(r->err, DEJA_EINVAL, "'%s' cannot name an environment variable", names[i]);
        const char *name = deja_arena_dup(&r->b->arena, names[i], strlen(names[i]));
        if (!name)
            return read_no_memory(r);
        job->env[job->env_count++] = (batch_env){.name = name, .secret = batch_secret_name(name)};
    }
    return code;
}

static int set_label(batch_reader *r, const char *text, const char **ret)
{
    if (!text)
        return 0;
    *ret = deja_arena_dup(&r->b->arena, text, strlen(text));
    return *ret ? 0 : read_no_memory(r);
}

static int set_stdin(batch_reader *r, const char *path, batch_job *job)
{
    if (!path)
        return 0;
    batch_text *text = read_alloc(r, 1, sizeof *text);
    if (!text)
        return read_no_memory(r);
    int code = check_path(r, path, "input");
    job->stdin_path = text;
    return code ? code : batch_command_literal(r, path, text);
}

static int set_job(batch_reader *r, const batch_command *command, batch_job *job)
{
    int code = batch_job_defaults(r, job);
    if (code)
        return code;
    job->feed = command->feed;
    job->cache = !command->no_cache;
    code = batch_read_matrix(r, NULL, NULL, job);
    if (!code)
        code = batch_command_words(r, command, job);
    if (!code)
        code = set_inputs(r, command, job);
    if (!code)
        code = set_outputs(r, command, job);
    if (!code)
        code = set_env(r, command->env, job);
    if (!code)
        code = set_stdin(r, command->stdin_path, job);
    if (!code)
        code = set_label(r, command->version, &job->version);
    return code ? code : set_label(r, command->scope, &job->scope);
}

int batch_from_command(batch **ret, const char *folder, const batch_command *command, deja_error *err)
{
    deja_error unused;
    batch_reader r = {.err = err ? err : &unused};
    int code = batch_new(&r, folder);
    if (!code) {
        r.b->source = (source){.path = "", .text = "", .len = 0};
        r.b->absolute_keys = !command->anywhere;
        r.b->jobs = read_alloc(&r, 1, sizeof *r.b->jobs);
        code = r.b->jobs ? 0 : read_no_memory(&r);
    }
    if (!code) {
        r.b->job_count = 1;
        code = set_job(&r, command, &r.b->jobs[0]);
    }
    if (!code)
        code = batch_check_paths(&r, &r.b->jobs[0]);
    if (!code && name_table_put(r.b->names, r.b->jobs[0].name, strlen(r.b->jobs[0].name), 0))
        code = read_no_memory(&r);
    if (code) {
        batch_free(r.b);
        return code;
    }
    *ret = r.b;
    return 0;
}
