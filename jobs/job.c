/*
 * Rendering: expressions of a definition get the values of one instance.
 */
#include "job.h"
#include "feed.h"
#include "job_call.h"
#include "job_paths.h"
#include "job_scope.h"
#include <deja/cleanup.h>
#include <string.h>

static const char *axis_value(job *j, const matrix_axis *axis, uint32_t index)
{
    const char *text = matrix_text(axis, index);
    if (text)
        return text;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    matrix_value(axis, index, &b);
    return deja_arena_dup(&j->arena, b.data, b.len);
}

static int render_values(job *j, deja_error *err)
{
    const matrix *m = j->def->matrix;
    if (j->def->feed) {
        j->row = feed_get(j->def->feed, j->index);
        return j->row ? 0 : deja_fail(err, DEJA_EINVAL, "its arguments are forgotten");
    }
    uint32_t *indices = deja_arena_alloc(&j->arena, (m->count + 1) * sizeof *indices);
    j->values = deja_arena_alloc(&j->arena, (m->count + 1) * sizeof *j->values);
    if (!indices || !j->values)
        return scope_no_memory(err);
    matrix_indices(m, j->index, indices);
    for (size_t i = 0; i < m->count; i++)
        j->values[i] = axis_value(j, &m->axes[i], indices[i]);
    return j->arena.failed ? scope_no_memory(err) : 0;
}

static int render_argv(scope *s, deja_error *err)
{
    job *j = s->job;
    template_words words = {0};
    int status = 0;
    for (size_t i = 0; status == 0 && i < j->def->word_count; i++) {
        size_t offset = 0;
        status = template_render_words(j->def->words[i].template, scope_resolve, s, &words, &j->arena,
                                       &offset, err);
        if (status < 0)
            scope_fail_at(j->batch, &j->def->words[i], offset, err);
    }
    if (status == 0 && (words.count == 0 || words.words[0][0] == '\0')) {
        deja_fail(err, DEJA_EINVAL, "the command is empty after substitution");
        status = scope_fail_at(j->batch, &j->def->words[0], 0, err);
    }
    const char **argv = deja_arena_alloc(&j->arena, (words.count + 1) * sizeof *argv);
    if (argv && status == 0) {
        memcpy(argv, words.words, words.count * sizeof *argv);
        argv[words.count] = NULL;
        j->argv = argv;
        j->program = argv[0];
    }
    template_words_done(&words);
    return status < 0 ? status : argv ? 0 : scope_no_memory(err);
}

static int render_shell(scope *s, deja_error *err)
{
    job *j = s->job;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    size_t offset = 0;
    if (shell_render(j->def->text, scope_resolve, s, &b, &offset, err) < 0)
        return scope_fail_at(j->batch, &j->def->words[0], offset, err);
    j->text = deja_arena_dup(&j->arena, deja_buffer_string(&b), b.len);
    size_t n = 0;
    while (j->def->shell[n])
        n++;
    const char **argv = deja_arena_alloc(&j->arena, (n + 2) * sizeof *argv);
    if (!argv || !j->text || b.failed)
        return scope_no_memory(err);
    memcpy(argv, j->def->shell, n * sizeof *argv);
    argv[n] = j->text;
    argv[n + 1] = NULL;
    j->shell = argv;
    if (shell_is_posix(j->def->shell, n))
        j->program = shell_first_word(j->text, &j->arena);
    if (j->def->is_direct)
        j->argv = (const char *const *)shell_words(j->text, &j->arena);
    return j->arena.failed ? scope_no_memory(err) : 0;
}

/* A path of the batch that is not an output: cwd, stdin. */
static int render_place(scope *s, const batch_text *text, const char **ret, deja_error *err)
{
    const char *given;
    int status = scope_render(s, text, &given, err);
    if (status < 0)
        return status;
    if (given[0] == '\0') {
        deja_fail(err, DEJA_EINVAL, "the path is empty");
        return scope_fail_at(s->job->batch, text, 0, err);
    }
    *ret = job_paths_place(s->job, given);
    return *ret ? 0 : scope_no_memory(err);
}

static int render_command(job *j, deja_error *err)
{
    scope s = {.job = j};
    if (j->def->run == BATCH_CALL)
        return job_call_render(&s, err);
    int status = j->def->run == BATCH_ARGV ? render_argv(&s, err) : render_shell(&s, err);
    if (status == 0 && j->def->cwd)
        status = render_place(&s, j->def->cwd, &j->cwd, err);
    if (status == 0 && j->def->stdin_path)
        status = render_place(&s, j->def->stdin_path, &j->stdin_path, err);
    return status;
}

void job_name(deja_buffer *b, const batch_job *def, uint32_t index)
{
    deja_buffer_add_string(b, def->name);
    if (def->feed) {
        feed_name(def->feed, index, b);
        return;
    }
    const matrix *m = def->matrix;
    if (m->count == 0 || !def->expanded)
        return;
    uint32_t indices[BATCH_MOST_AXES];
    matrix_indices(m, index, indices);
    for (size_t i = 0; i < m->count; i++) {
        deja_buffer_add_string(b, i == 0 ? "[" : ",");
        deja_buffer_add_string(b, m->axes[i].name);
        deja_buffer_add_char(b, '=');
        matrix_value(&m->axes[i], indices[i], b);
    }
    deja_buffer_add_char(b, ']');
}

int job_render(job *ret, const batch *b, const batch_job *def, uint32_t index, unsigned parts,
               deja_error *err)
{
    deja_arena arena = ret->arena;
    deja_arena_reset(&arena);
    *ret = (job){.batch = b, .def = def, .index = index, .cwd = ".", .arena = arena};
    int status = render_values(ret, err);
    if (status == 0 && parts & JOB_OUTPUTS)
        status = job_paths_outputs(ret, err);
    if (status == 0 && parts & JOB_INPUTS)
        status = job_paths_inputs(ret, err);
    if (status == 0 && parts & JOB_COMMAND)
        status = render_command(ret, err);
    return status;
}

int job_env_value(job *j, size_t i, const char **ret, deja_error *err)
{
    scope s = {.job = j};
    return scope_render(&s, &j->def->env[i].value, ret, err);
}

int job_is_ok_status(const batch_job *def, int status)
{
    for (size_t i = 0; i < def->ok_count; i++)
        if (def->ok_status[i] == status)
            return 1;
    return 0;
}

void job_done(job *j)
{
    deja_arena_done(&j->arena);
}
