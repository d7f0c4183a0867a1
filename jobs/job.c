/*
 * Rendering: expressions of a definition get the values of one instance.
 */
#include "job.h"
#include "glob.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>

/* What expressions are resolved against. */
typedef struct scope {
    job *job;
    const char **list; /* scratch for list values, in the job's arena */
    int escape;        /* values go into a pattern: they stand for themselves */
} scope;

static int out_of_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "render job: out of memory");
}

/* Puts the place of byte `offset` of `text` in front of the message in `err`. */
static int fail_at(const batch *b, const batch_text *text, size_t offset, deja_error *err)
{
    if (!err)
        return DEJA_EINVAL;
    if (b->source.len == 0 || err->code == DEJA_ENOMEM)
        return err->code;
    deja_error inner = *err;
    source_fail(&b->source, source_mark_in(&b->source, text->at, text->template->source, offset), err, "%s",
                inner.text);
    err->code = inner.code;
    return err->code;
}

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
    uint32_t *indices = deja_arena_alloc(&j->arena, (m->count + 1) * sizeof *indices);
    j->values = deja_arena_alloc(&j->arena, (m->count + 1) * sizeof *j->values);
    if (!indices || !j->values)
        return out_of_memory(err);
    matrix_indices(m, j->index, indices);
    for (size_t i = 0; i < m->count; i++)
        j->values[i] = axis_value(j, &m->axes[i], indices[i]);
    return j->arena.failed ? out_of_memory(err) : 0;
}

static int set_scalar(scope *s, const char *value, template_value *ret, deja_error *err)
{
    *ret = (template_value){.data = value, .len = strlen(value)};
    if (!s->escape)
        return 0;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    glob_escape(&b, ret->data, ret->len);
    ret->len = b.len;
    ret->data = deja_arena_dup(&s->job->arena, b.data, b.len);
    return ret->data ? 0 : out_of_memory(err);
}

/* `value` with the attributes that follow names[0..first-1]. */
static int set_attributes(scope *s, const template_expr *e, size_t first, const char *value,
                          template_value *ret, deja_error *err)
{
    size_t len = strlen(value);
    for (size_t i = first; i < e->count; i++)
        if (template_attribute(value, len, e->names[i], &value, &len) < 0)
            return deja_fail(err, DEJA_EINVAL, "'.%s' is no attribute of a value", e->names[i]);
    const char *copy = e->count > first ? deja_arena_dup(&s->job->arena, value, len) : value;
    return copy ? set_scalar(s, copy, ret, err) : out_of_memory(err);
}

static int set_list(scope *s, const char **items, size_t count, template_value *ret, deja_error *err)
{
    for (size_t i = 0; s->escape && i < count; i++) {
        template_value item;
        if (set_scalar(s, items[i], &item, err) < 0)
            return err ? err->code : DEJA_ENOMEM;
        items[i] = item.data;
    }
    *ret = (template_value){.is_list = 1, .items = items, .count = count};
    return 0;
}

/* The outputs of every instance of a needed job, in batch order: number `only` of each, or all (only < 0). */
static int gather(scope *s, const batch_job *needed, long only, const char ***ret, size_t *ret_count,
                  deja_error *err)
{
    job other = {0};
    uint32_t count = 0;
    int status = matrix_count(needed->matrix, &count, err);
    size_t each = only < 0 ? needed->output_count : 1;
    const char **items = deja_arena_alloc(&s->job->arena, (size_t)count * each * sizeof *items + 1);
    size_t n = 0;
    if (!items)
        return out_of_memory(err);
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        status = job_render(&other, s->job->batch, needed, i, JOB_OUTPUTS, err);
        for (size_t k = 0; status == 0 && k < each; k++) {
            const char *path = other.outputs[only < 0 ? k : (size_t)only].path;
            items[n++] = deja_arena_dup(&s->job->arena, path, strlen(path));
        }
    }
    job_done(&other);
    if (status == 0 && s->job->arena.failed)
        status = out_of_memory(err);
    *ret = items;
    *ret_count = n;
    return status;
}

static int set_gathered(scope *s, const template_expr *e, const batch_name *name, template_value *ret,
                        deja_error *err)
{
    const char **items = NULL;
    size_t count = 0;
    long only = name->kind == BATCH_NAME_NEED_OUTPUT ? (long)name->index : -1;
    int status = gather(s, &s->job->batch->jobs[name->job], only, &items, &count, err);
    if (status < 0)
        return status;
    if (name->is_list)
        return set_list(s, items, count, ret, err);
    return set_attributes(s, e, name->attributes, items[0], ret, err);
}

/* Paths being listed, in the job's arena. */
typedef struct path_list {
    const char **items;
    size_t count, cap;
} path_list;

static int add_path(job *j, path_list *l, const char *path, deja_error *err)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        const char **items = deja_arena_alloc(&j->arena, cap * sizeof *items);
        if (!items)
            return out_of_memory(err);
        if (l->count)
            memcpy(items, l->items, l->count * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->count++] = path;
    return 0;
}

/* What a pattern among the inputs matches now. */
static int add_matches(job *j, path_list *l, const char *pattern, deja_error *err)
{
    glob_list found = {0};
    int status = glob_find(j->batch->folder_fd, pattern, &found, err);
    for (size_t i = 0; status == 0 && i < found.count; i++) {
        const char *path = deja_arena_dup(&j->arena, found.paths[i], strlen(found.paths[i]));
        status = path ? add_path(j, l, path, err) : out_of_memory(err);
    }
    glob_list_done(&found);
    return status;
}

static int set_inputs(scope *s, template_value *ret, deja_error *err)
{
    job *j = s->job;
    path_list l = {0};
    int status = 0;
    for (size_t i = 0; status == 0 && i < j->input_count; i++)
        status = j->inputs[i].pattern ? add_matches(j, &l, j->inputs[i].path, err)
                                      : add_path(j, &l, j->inputs[i].path, err);
    return status < 0 ? status : set_list(s, l.items, l.count, ret, err);
}

static int set_outputs(scope *s, template_value *ret, deja_error *err)
{
    job *j = s->job;
    path_list l = {0};
    int status = 0;
    for (size_t i = 0; status == 0 && i < j->output_count; i++)
        status = add_path(j, &l, j->outputs[i].path, err);
    return status < 0 ? status : set_list(s, l.items, l.count, ret, err);
}

static int resolve(void *context, const template_expr *e, template_value *ret, deja_error *err)
{
    scope *s = context;
    job *j = s->job;
    batch_name name;
    if (batch_name_of(j->batch, j->def, e, &name) < 0)
        return deja_fail(err, DEJA_EINVAL, "unknown name '%s'", e->names[0]);
    switch (name.kind) {
    case BATCH_NAME_AXIS:
        return set_attributes(s, e, name.attributes, j->values[name.index], ret, err);
    case BATCH_NAME_OUTPUT:
        return set_attributes(s, e, name.attributes, j->outputs[name.index].path, ret, err);
    case BATCH_NAME_OUTPUTS:
        return set_outputs(s, ret, err);
    case BATCH_NAME_INPUTS:
        return set_inputs(s, ret, err);
    case BATCH_NAME_NEED_OUTPUTS:
    case BATCH_NAME_NEED_OUTPUT:
        break;
    }
    return set_gathered(s, e, &name, ret, err);
}

static int render_text(scope *s, const batch_text *text, const char **ret, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    size_t offset = 0;
    if (template_render(text->template, resolve, s, &b, &offset, err) < 0)
        return fail_at(s->job->batch, text, offset, err);
    *ret = deja_arena_dup(&s->job->arena, deja_buffer_string(&b), b.len);
    return *ret && !b.failed ? 0 : out_of_memory(err);
}

static int is_clean(const char *path)
{
    for (const char *p = path; *p; p++)
        if (p[0] == '/' && (p[1] == '/' || p[1] == '\0' || p[1] == '.'))
            return 0;
    return path[0] != '.' && path[0] != '/' && path[0] != '\0';
}

/* The path as the batch keeps it: relative to its folder when inside, else absolute. */
static const char *place(job *j, const char *path)
{
    if (is_clean(path))
        return path;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_path_join(&b, j->batch->folder, path);
    const char *inside = deja_path_inside(j->batch->folder, deja_buffer_string(&b));
    return b.failed ? NULL : deja_arena_dup(&j->arena, inside, strlen(inside));
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
            return out_of_memory(err);
        if (j->input_count)
            memcpy(more, j->inputs, j->input_count * sizeof *more);
        j->inputs = more;
        *cap = wanted;
    }
    size_t len = strlen(path);
    if (len == 0) {
        deja_fail(err, DEJA_EINVAL, "an input's path is empty");
        return fail_at(j->batch, text, 0, err);
    }
    job_input *in = &j->inputs[j->input_count];
    *in = (job_input){.pattern = pattern, .folder = !pattern && path[len - 1] == '/', .at = text->at};
    in->path = pattern ? path : place(j, path);
    j->input_count += in->path != NULL;
    return in->path ? 0 : out_of_memory(err);
}

static int add_pattern_input(scope *s, size_t *cap, const batch_text *text, const char *word, deja_error *err)
{
    if (glob_is_pattern(word))
        return add_input(s->job, cap, text, word, 1, err);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    glob_unescape(&b, word);
    const char *path = deja_arena_dup(&s->job->arena, deja_buffer_string(&b), b.len);
    return path && !b.failed ? add_input(s->job, cap, text, path, 0, err) : out_of_memory(err);
}

static int render_inputs(job *j, deja_error *err)
{
    size_t cap = 0;
    for (size_t i = 0; i < j->def->input_count; i++) {
        const batch_text *text = &j->def->inputs[i];
        scope s = {.job = j, .escape = has_specials(text->template)};
        template_words words = {0};
        size_t offset = 0;
        int status = template_render_words(text->template, resolve, &s, &words, &j->arena, &offset, err);
        if (status < 0)
            fail_at(j->batch, text, offset, err);
        for (size_t k = 0; status == 0 && k < words.count; k++)
            status = s.escape ? add_pattern_input(&s, &cap, text, words.words[k], err)
                              : add_input(j, &cap, text, words.words[k], 0, err);
        template_words_done(&words);
        if (status < 0)
            return status;
    }
    return 0;
}

/* An output may lie outside only when the batch says so with an absolute path. */
static int check_output(job *j, const batch_text *text, const char *given, const char *path, deja_error *err)
{
    size_t len = strlen(given);
    if (len == 0)
        deja_fail(err, DEJA_EINVAL, "an output's path is empty");
    else if (given[0] != '/' && (path[0] == '/' || strcmp(path, ".") == 0))
        deja_fail(
            err, DEJA_EINVAL,
            "output '%s' lies outside the folder of the batch: write it as an absolute path if that is meant",
            given);
    else if (given[len - 1] == '/')
        deja_fail(err, DEJA_EINVAL, "output '%s' is a folder: outputs are files, name each of them", given);
    else
        return 0;
    return fail_at(j->batch, text, 0, err);
}

static int render_outputs(job *j, deja_error *err)
{
    size_t count = j->def->output_count;
    job_output *outputs = deja_arena_alloc(&j->arena, (count + 1) * sizeof *outputs);
    if (!outputs)
        return out_of_memory(err);
    scope s = {.job = j};
    for (size_t i = 0; i < count; i++) {
        const batch_output *def = &j->def->outputs[i];
        const char *given;
        int status = render_text(&s, &def->path, &given, err);
        if (status < 0)
            return status;
        outputs[i] = (job_output){.name = def->name, .path = place(j, given), .at = def->path.at};
        if (!outputs[i].path)
            return out_of_memory(err);
        status = check_output(j, &def->path, given, outputs[i].path, err);
        if (status < 0)
            return status;
    }
    j->outputs = outputs;
    j->output_count = count;
    return 0;
}

static int render_argv(scope *s, deja_error *err)
{
    job *j = s->job;
    template_words words = {0};
    int status = 0;
    for (size_t i = 0; status == 0 && i < j->def->word_count; i++) {
        size_t offset = 0;
        status =
            template_render_words(j->def->words[i].template, resolve, s, &words, &j->arena, &offset, err);
        if (status < 0)
            fail_at(j->batch, &j->def->words[i], offset, err);
    }
    if (status == 0 && (words.count == 0 || words.words[0][0] == '\0')) {
        deja_fail(err, DEJA_EINVAL, "the command is empty after substitution");
        status = fail_at(j->batch, &j->def->words[0], 0, err);
    }
    const char **argv = deja_arena_alloc(&j->arena, (words.count + 1) * sizeof *argv);
    if (argv && status == 0) {
        memcpy(argv, words.words, words.count * sizeof *argv);
        argv[words.count] = NULL;
        j->argv = argv;
        j->program = argv[0];
    }
    template_words_done(&words);
    return status < 0 ? status : argv ? 0 : out_of_memory(err);
}

static int render_shell(scope *s, deja_error *err)
{
    job *j = s->job;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    size_t offset = 0;
    if (shell_render(j->def->text, resolve, s, &b, &offset, err) < 0)
        return fail_at(j->batch, &j->def->words[0], offset, err);
    j->text = deja_arena_dup(&j->arena, deja_buffer_string(&b), b.len);
    size_t n = 0;
    while (j->def->shell[n])
        n++;
    const char **argv = deja_arena_alloc(&j->arena, (n + 2) * sizeof *argv);
    if (!argv || !j->text || b.failed)
        return out_of_memory(err);
    memcpy(argv, j->def->shell, n * sizeof *argv);
    argv[n] = j->text;
    argv[n + 1] = NULL;
    j->shell = argv;
    if (shell_is_posix(j->def->shell, n))
        j->program = shell_first_word(j->text, &j->arena);
    if (j->def->is_direct)
        j->argv = (const char *const *)shell_words(j->text, &j->arena);
    return j->arena.failed ? out_of_memory(err) : 0;
}

/* A path of the batch that is not an output: cwd, stdin. */
static int render_place(scope *s, const batch_text *text, const char **ret, deja_error *err)
{
    const char *given;
    int status = render_text(s, text, &given, err);
    if (status < 0)
        return status;
    if (given[0] == '\0') {
        deja_fail(err, DEJA_EINVAL, "the path is empty");
        return fail_at(s->job->batch, text, 0, err);
    }
    *ret = place(s->job, given);
    return *ret ? 0 : out_of_memory(err);
}

static int render_command(job *j, deja_error *err)
{
    scope s = {.job = j};
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
    const matrix *m = def->matrix;
    if (m->count == 0 || !def->expanded)
        return;
    uint32_t stride = 1;
    for (size_t i = 1; i < m->count; i++)
        stride *= m->axes[i].count;
    for (size_t i = 0; i < m->count; i++) {
        deja_buffer_add_string(b, i == 0 ? "[" : ",");
        deja_buffer_add_string(b, m->axes[i].name);
        deja_buffer_add_char(b, '=');
        matrix_value(&m->axes[i], index / stride % m->axes[i].count, b);
        if (i + 1 < m->count)
            stride /= m->axes[i + 1].count;
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
        status = render_outputs(ret, err);
    if (status == 0 && parts & JOB_INPUTS)
        status = render_inputs(ret, err);
    if (status == 0 && parts & JOB_COMMAND)
        status = render_command(ret, err);
    return status;
}

int job_env_value(job *j, size_t i, const char **ret, deja_error *err)
{
    scope s = {.job = j};
    return render_text(&s, &j->def->env[i].value, ret, err);
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
