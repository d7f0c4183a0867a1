/*
 * Inputs and outputs rendered, and what only then can be said against them.
 */
#include "job_paths.h"
#include "feed.h"
#include "glob.h"
#include "job_scope.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>
#include <sys/stat.h>

static int is_clean(const char *path)
{
    for (const char *p = path; *p; p++)
        if (p[0] == '/' && (p[1] == '/' || p[1] == '\0' || p[1] == '.'))
            return 0;
    return path[0] != '.' && path[0] != '/' && path[0] != '\0';
}

const char *job_paths_place(job *j, const char *path)
{
    if (is_clean(path))
        return path;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_path_follow(&b, j->batch->folder, path);
    const char *inside = deja_path_inside(j->batch->folder, deja_buffer_string(&b));
    return b.failed ? NULL : deja_arena_dup(&j->arena, inside, strlen(inside));
}

/* The same for a pattern: its folders that are plain text. */
static const char *place_pattern(job *j, const char *pattern)
{
    size_t len = glob_base(pattern);
    char *base = len ? deja_arena_dup(&j->arena, pattern, len) : NULL;
    const char *placed = base ? job_paths_place(j, base) : NULL;
    if (len == 0 || !placed)
        return len == 0 ? pattern : NULL;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    if (strcmp(placed, ".") != 0)
        glob_escape(&b, placed, strlen(placed));
    if (b.len > 0 && b.data[b.len - 1] != '/')
        deja_buffer_add_char(&b, '/');
    deja_buffer_add_string(&b, pattern + len);
    return b.failed ? NULL : deja_arena_dup(&j->arena, b.data, b.len);
}

static int has_specials(const template_text *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const template_part *p = &t->parts[i];
        for (size_t k = 0; !p->expr && k < p->len; k++)
            if (memchr("*?[\\", t->source[p->offset + k], 4))
                return 1;
    }
    return 0;
}

static int add_input(job *j, size_t *cap, const batch_text *text, const char *path, int pattern,
                     deja_error *err)
{
    if (j->input_count == *cap) {
        size_t wanted = *cap ? 2 * *cap : 8;
        job_input *more = deja_arena_alloc(&j->arena, wanted * sizeof *more);
        if (!more)
            return scope_no_memory(err);
        if (j->input_count)
            memcpy(more, j->inputs, j->input_count * sizeof *more);
        j->inputs = more;
        *cap = wanted;
    }
    size_t len = strlen(path);
    if (len == 0) {
        deja_fail(err, DEJA_EINVAL, "an input's path is empty");
        return scope_fail_at(j->batch, text, 0, err);
    }
    job_input *in = &j->inputs[j->input_count];
    *in = (job_input){.pattern = pattern, .folder = !pattern && path[len - 1] == '/', .at = text->at};
    in->path = pattern ? place_pattern(j, path) : job_paths_place(j, path);
    j->input_count += in->path != NULL;
    return in->path ? 0 : scope_no_memory(err);
}

static int add_pattern_input(scope *s, size_t *cap, const batch_text *text, const char *word, deja_error *err)
{
    if (glob_is_pattern(word))
        return add_input(s->job, cap, text, word, 1, err);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    glob_unescape(&b, word);
    const char *path = deja_arena_dup(&s->job->arena, deja_buffer_string(&b), b.len);
    return path && !b.failed ? add_input(s->job, cap, text, path, 0, err) : scope_no_memory(err);
}

static int is_own_output(const job *j, const char *path)
{
    for (size_t i = 0; i < j->output_count; i++)
        if (strcmp(j->outputs[i].path, path) == 0)
            return 1;
    return 0;
}

/* Arguments that are paths of files or folders. What is neither is a word like others. */
static int add_named_files(job *j, size_t *cap, deja_error *err)
{
    static const batch_text nowhere;
    for (uint32_t i = 0; i < j->row->count; i++) {
        struct stat st;
        const char *path = j->row->values[i];
        if (fstatat(j->batch->folder_fd, path, &st, 0) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
            continue;
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        deja_buffer_addf(&b, "%s%s", path, S_ISDIR(st.st_mode) ? "/" : "");
        const char *copy = deja_arena_dup(&j->arena, deja_buffer_string(&b), b.len);
        if (!copy || b.failed)
            return scope_no_memory(err);
        const char *placed = job_paths_place(j, path);
        int status = placed && is_own_output(j, placed) ? 0 : add_input(j, cap, &nowhere, copy, 0, err);
        if (status < 0)
            return status;
    }
    return 0;
}

int job_paths_inputs(job *j, deja_error *err)
{
    size_t cap = 0;
    for (size_t i = 0; i < j->def->input_count; i++) {
        const batch_text *text = &j->def->inputs[i];
        scope s = {.job = j, .escape = has_specials(text->template)};
        template_words words = {0};
        size_t offset = 0;
        int status =
            template_render_words(text->template, scope_resolve, &s, &words, &j->arena, &offset, err);
        if (status < 0)
            scope_fail_at(j->batch, text, offset, err);
        for (size_t k = 0; status == 0 && k < words.count; k++)
            status = s.escape ? add_pattern_input(&s, &cap, text, words.words[k], err)
                              : add_input(j, &cap, text, words.words[k], 0, err);
        template_words_done(&words);
        if (status < 0)
            return status;
    }
    return j->row && feed_names_files(j->def->feed) ? add_named_files(j, &cap, err) : 0;
}

/* An output may lie outside only when the batch says so with an absolute path. */
static int check_output(job *j, const batch_text *text, const char *given, const char *path, deja_error *err)
{
    size_t len = strlen(given);
    if (len == 0)
        deja_fail(err, DEJA_EINVAL, "an output's path is empty");
    else if (given[0] != '/' && ((path[0] == '/' && !j->row) || strcmp(path, ".") == 0))
        deja_fail(
            err, DEJA_EINVAL,
            "output '%s' lies outside the folder of the batch: write it as an absolute path if that is meant",
            given);
    else if (given[len - 1] == '/')
        deja_fail(err, DEJA_EINVAL, "output '%s' is a folder: outputs are files, name each of them", given);
    else
        return 0;
    return scope_fail_at(j->batch, text, 0, err);
}

int job_paths_outputs(job *j, deja_error *err)
{
    size_t count = j->def->output_count;
    job_output *outputs = deja_arena_alloc(&j->arena, (count + 1) * sizeof *outputs);
    if (!outputs)
        return scope_no_memory(err);
    scope s = {.job = j};
    for (size_t i = 0; i < count; i++) {
        const batch_output *def = &j->def->outputs[i];
        const char *given;
        int status = scope_render(&s, &def->path, &given, err);
        if (status < 0)
            return status;
        outputs[i] = (job_output){.name = def->name, .path = job_paths_place(j, given), .at = def->path.at};
        if (!outputs[i].path)
            return scope_no_memory(err);
        status = check_output(j, &def->path, given, outputs[i].path, err);
        if (status < 0)
            return status;
    }
    j->outputs = outputs;
    j->output_count = count;
    return 0;
}

const batch_env *job_paths_searched(const batch_job *def)
{
    for (size_t i = 0; i < def->env_count; i++)
        if (def->env[i].set && strcmp(def->env[i].name, "PATH") == 0)
            return &def->env[i];
    return NULL;
}

/* A path as the command sees it: relative to its folder. */
static const char *place_from_cwd(job *j, const char *folder, size_t len, const char *word)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    if (len == 0 || folder[0] != '/')
        deja_buffer_addf(&b, "%s/", j->cwd);
    deja_buffer_add(&b, folder, len);
    deja_buffer_addf(&b, "%s%s", len ? "/" : "", word);
    char *path = b.failed ? NULL : deja_arena_dup(&j->arena, b.data, b.len);
    return path ? job_paths_place(j, path) : NULL;
}

const char *job_paths_program(job *j, size_t at)
{
    const char *folders;
    if (j->library)
        return at > 0 ? NULL : j->library;
    if (j->program && strchr(j->program, '/'))
        return at > 0                 ? NULL
               : j->program[0] == '/' ? job_paths_place(j, j->program)
                                      : place_from_cwd(j, "", 0, j->program);
    const batch_env *path = j->program ? job_paths_searched(j->def) : NULL;
    if (!path || job_env_value(j, (size_t)(path - j->def->env), &folders, NULL) < 0)
        return NULL;
    for (; at > 0; at--) {
        folders += strcspn(folders, ":");
        if (*folders++ == '\0')
            return NULL;
    }
    return place_from_cwd(j, folders, strcspn(folders, ":"), j->program);
}
