/*
 * Arguments rendered. An expression that stands alone has the type of its value; all other text is text.
 */
#include "job_call.h"
#include "batch_read.h"
#include "job_paths.h"
#include "scalar.h"

static int set_axis(job *j, size_t axis, deja_value *ret, deja_error *err)
{
    const matrix_axis *a = &j->def->matrix->axes[axis];
    const char *text = j->values[axis];
    uint32_t indices[BATCH_MOST_AXES];
    matrix_indices(j->def->matrix, j->index, indices);
    matrix_kind kind = matrix_kind_of(a, indices[axis]);
    if (kind == MATRIX_RANGE)
        *ret = deja_i64(matrix_whole(a, indices[axis]));
    else if (kind == MATRIX_LINSPACE)
        *ret = deja_f64(matrix_real(a, indices[axis]));
    else if (matrix_is_plain(a, indices[axis]))
        return scalar_of(text, strlen(text), ret, err);
    else
        *ret = deja_string(text);
    return 0;
}

static int set_var(const batch_var *v, deja_value *ret, deja_error *err)
{
    if (v->plain)
        return scalar_of(v->text, strlen(v->text), ret, err);
    *ret = deja_string(v->text);
    return 0;
}

static int set_texts(job *j, const template_value *list, deja_value *ret, deja_error *err)
{
    deja_value *items = deja_arena_alloc(&j->arena, (list->count + 1) * sizeof *items);
    if (!items)
        return scope_no_memory(err);
    for (size_t i = 0; i < list->count; i++)
        items[i] = deja_string(list->items[i]);
    *ret = deja_list(items, list->count);
    return 0;
}

static int set_alone(scope *s, const template_text *t, deja_value *ret, deja_error *err)
{
    batch_name name;
    template_value value;
    const template_expr *e = t->parts[0].expr;
    job *j = s->job;
    if (batch_name_of(j->batch, j->def, e, &name) == 0 && name.kind == BATCH_NAME_AXIS &&
        name.attributes == e->count)
        return set_axis(j, name.index, ret, err);
    if (batch_name_of(j->batch, j->def, e, &name) == 0 && name.kind == BATCH_NAME_VAR &&
        name.attributes == e->count)
        return set_var(&j->batch->vars[name.index], ret, err);
    int status = template_value_of(t, &t->parts[0], scope_resolve, s, &value, err);
    if (status < 0)
        return status;
    if (value.is_list)
        return set_texts(j, &value, ret, err);
    const char *text = deja_arena_dup(&j->arena, value.data, value.len);
    *ret = deja_string_n(text, value.len);
    return text ? 0 : scope_no_memory(err);
}

static int set_text(scope *s, const batch_text *text, deja_value *ret, deja_error *err)
{
    const char *rendered;
    if (template_only(text->template)) {
        int status = set_alone(s, text->template, ret, err);
        return status < 0 ? scope_fail_at(s->job->batch, text, 0, err) : 0;
    }
    int status = scope_render(s, text, &rendered, err);
    if (status == 0)
        *ret = deja_string(rendered);
    return status;
}

/* The path as its input has it (job_paths_inputs), which was checked there. */
static int set_file(scope *s, const batch_text *text, deja_value *ret, deja_error *err)
{
    const char *given;
    int status = scope_render(s, text, &given, err);
    if (status < 0)
        return status;
    size_t len = strlen(given);
    if (len == 0 || given[len - 1] == '/') {
        deja_fail(err, DEJA_EINVAL, "'%s' is a folder: an argument is one file", given);
        return scope_fail_at(s->job->batch, text, 0, err);
    }
    const char *path = job_paths_place(s->job, given);
    *ret = path ? deja_file(path) : deja_null();
    return path ? 0 : scope_no_memory(err);
}

static int set_value(scope *s, const batch_value *v, deja_value *ret, deja_error *err);

static int set_list(scope *s, const batch_value *v, deja_value *ret, deja_error *err)
{
    deja_value *items = deja_arena_alloc(&s->job->arena, (v->count + 1) * sizeof *items);
    int status = items ? 0 : scope_no_memory(err);
    for (size_t i = 0; i < v->count && status == 0; i++)
        status = set_value(s, &v->items[i], &items[i], err);
    *ret = deja_list(items, v->count);
    return status;
}

static int set_map(scope *s, const batch_value *v, deja_value *ret, deja_error *err)
{
    deja_pair *pairs = deja_arena_alloc(&s->job->arena, (v->count + 1) * sizeof *pairs);
    int status = pairs ? 0 : scope_no_memory(err);
    for (size_t i = 0; i < v->count && status == 0; i++) {
        pairs[i].key = v->names[i];
        status = set_value(s, &v->items[i], &pairs[i].value, err);
    }
    *ret = deja_map_of(pairs, v->count);
    return status;
}

static int set_value(scope *s, const batch_value *v, deja_value *ret, deja_error *err)
{
    switch (v->kind) {
    case BATCH_VALUE_TEXT:
        return set_text(s, &v->text, ret, err);
    case BATCH_VALUE_FILE:
        return set_file(s, &v->text, ret, err);
    case BATCH_VALUE_LIST:
        return set_list(s, v, ret, err);
    case BATCH_VALUE_MAP:
        return set_map(s, v, ret, err);
    case BATCH_VALUE:
        break;
    }
    *ret = v->value;
    return 0;
}

int job_call_render(scope *s, deja_error *err)
{
    job *j = s->job;
    deja_value list;
    j->library = job_paths_place(j, j->def->library);
    if (!j->library)
        return scope_no_memory(err);
    int status = set_list(s, &j->def->with, &list, err);
    j->args = list.list;
    j->arg_count = j->def->with.count;
    return status;
}
