/*
 * Names resolved. Gathering renders the outputs of other instances, and nothing else of them.
 */
#include "job_scope.h"
#include "batch_join.h"
#include "batch_names.h"
#include "glob.h"
#include "job_list.h"
#include "replacement.h"
#include <deja/cleanup.h>
#include <string.h>

static int set_scalar(scope *s, const char *value, template_value *ret, deja_error *err)
{
    *ret = (template_value){.data = value, .len = strlen(value)};
    if (!s->escape)
        return 0;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    glob_escape(&b, ret->data, ret->len);
    ret->len = b.len;
    ret->data = deja_arena_dup(&s->job->arena, b.data, b.len);
    return ret->data ? 0 : scope_no_memory(err);
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
    return copy ? set_scalar(s, copy, ret, err) : scope_no_memory(err);
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

/* The outputs of the instances of a needed job that this one needs, in batch order: number `only` of each, or
 * all (only < 0). */
static int gather(scope *s, const batch_need *need, long only, const char ***ret, size_t *ret_count,
                  deja_error *err)
{
    job other = {0};
    const batch_job *needed = &s->job->batch->jobs[need->job];
    batch_span span = batch_span_of(s->job->batch, need, s->job->index);
    size_t each = only < 0 ? batch_listed_outputs(needed) : 1;
    const char **items = deja_arena_alloc(&s->job->arena, ((size_t)span.count * each + 1) * sizeof *items);
    size_t n = 0;
    int status = 0;
    if (!items)
        return scope_no_memory(err);
    for (uint32_t i = 0; status == 0 && i < span.count; i++) {
        status = job_render(&other, s->job->batch, needed, batch_span_at(&span, i), JOB_OUTPUTS, err);
        for (size_t k = 0; status == 0 && k < each; k++) {
            const char *path = other.outputs[only < 0 ? k : (size_t)only].path;
            items[n++] = deja_arena_dup(&s->job->arena, path, strlen(path));
        }
    }
    job_done(&other);
    if (status == 0 && s->job->arena.failed)
        status = scope_no_memory(err);
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
    int status = gather(s, batch_find_need(s->job->def, name->job), only, &items, &count, err);
    if (status == 0 && name->listed) {
        status = job_list_add(s->job, items, count, name->listed == '0' ? '\0' : '\n', &items[0], err);
        count = 1;
    }
    if (status < 0)
        return status;
    if (name->is_list)
        return set_list(s, items, count, ret, err);
    if (count != 1)
        return deja_fail(err, DEJA_EINVAL,
                         count ? "'%s' has more than one instance to take an output of"
                               : "there is no '%s' to take an output of: its 'when' does not hold",
                         e->names[0]);
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
            return scope_no_memory(err);
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
        status = path ? add_path(j, l, path, err) : scope_no_memory(err);
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
    for (size_t i = 0; status == 0 && i < batch_listed_outputs(j->def); i++)
        status = add_path(j, &l, j->outputs[i].path, err);
    return status < 0 ? status : set_list(s, l.items, l.count, ret, err);
}

/* A replacement string. */
static int set_replaced(scope *s, const template_expr *e, template_value *ret, deja_error *err)
{
    int status = replacement_resolve(s->job->row, e, &s->job->arena, ret, err);
    if (status < 0 || !s->escape)
        return status;
    if (!ret->is_list)
        return set_scalar(s, ret->data, ret, err);
    const char **items = deja_arena_alloc(&s->job->arena, (ret->count + 1) * sizeof *items);
    if (!items)
        return scope_no_memory(err);
    for (size_t i = 0; i < ret->count; i++)
        items[i] = ret->items[i];
    return set_list(s, items, ret->count, ret, err);
}

int scope_resolve(void *context, const template_expr *e, template_value *ret, deja_error *err)
{
    scope *s = context;
    job *j = s->job;
    if (j->row)
        return set_replaced(s, e, ret, err);
    batch_name name;
    if (batch_name_of(j->batch, j->def, e, &name) < 0)
        return deja_fail(err, DEJA_EINVAL, "unknown name '%s'", e->names[0]);
    switch (name.kind) {
    case BATCH_NAME_AXIS:
        return set_attributes(s, e, name.attributes, j->values[name.index], ret, err);
    case BATCH_NAME_VAR:
        return set_attributes(s, e, name.attributes, j->batch->vars[name.index].text, ret, err);
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

int scope_no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "render job: out of memory");
}

int scope_fail_at(const batch *b, const batch_text *text, size_t offset, deja_error *err)
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

int scope_render(scope *s, const batch_text *text, const char **ret, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    size_t offset = 0;
    if (template_render(text->template, scope_resolve, s, &b, &offset, err) < 0)
        return scope_fail_at(s->job->batch, text, offset, err);
    *ret = deja_arena_dup(&s->job->arena, deja_buffer_string(&b), b.len);
    return *ret && !b.failed ? 0 : scope_no_memory(err);
}
