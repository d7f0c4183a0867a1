/*
 * Matrices that are read from what another job makes: `lines: ${{ list.outputs.out }}` is the path of that
 * output.
 */
#include "batch_matrix.h"
#include "batch_names.h"
#include <deja/cleanup.h>
#include <string.h>

int batch_read_origin(batch_reader *r, const yaml_node *n, const char *what, const char **ret,
                      const batch_text **ret_origin)
{
    batch_text text;
    *ret_origin = NULL;
    int code = read_text(r, n, what, &text);
    const template_expr *e = code ? NULL : template_only(text.template);
    if (code || !e || e->count < 2 || strcmp(e->names[1], "outputs") != 0)
        return code ? code : read_literal(r, n, what, ret);
    batch_text *origin = read_alloc(r, 1, sizeof *origin);
    if (!origin)
        return read_no_memory(r);
    *origin = text;
    *ret_origin = origin;
    *ret = e->names[0]; /* until batch_resolve_origins */
    return 0;
}

/* The path of an output of a job without a matrix: variables are all that can stand in it. */
static const char *path_of(batch_reader *r, const batch_output *o)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    const template_text *t = o->path.template;
    for (size_t i = 0; i < t->count; i++) {
        const char *value = t->source + t->parts[i].offset;
        size_t len = t->parts[i].len;
        if (t->parts[i].expr && read_var_value(r, t->parts[i].expr, &value, &len))
            len = 0; /* a mistake, told when its names are checked */
        deja_buffer_add(&b, value, len);
    }
    return b.failed ? NULL : deja_arena_dup(&r->b->arena, b.data, b.len);
}

static int resolve(batch_reader *r, const batch_job *job, const batch_text *origin, const char **ret)
{
    batch_subject s = {.r = r, .job = job, .expr = template_only(origin->template), .text = origin};
    batch_name name;
    if (batch_name_of(r->b, job, s.expr, &name))
        return batch_explain(&s, &name);
    const batch_job *needed = name.kind == BATCH_NAME_NEED_OUTPUT ? &r->b->jobs[name.job] : NULL;
    if (!needed || needed->matrix->count > 0 || s.expr->count > 3)
        return source_fail(
            &r->b->source, batch_place_of(&s), r->err,
            "a matrix is read from one file: expected ${{ JOB.outputs.NAME }} of a job without a matrix");
    *ret = path_of(r, &needed->outputs[name.index]);
    return *ret ? 0 : read_no_memory(r);
}

int batch_resolve_origins(batch_reader *r, batch_job *job)
{
    int code = 0;
    for (size_t i = 0; i < job->matrix->count && !code; i++) {
        batch_axis *a = &job->axes[i];
        batch_table *t = a->table;
        if (t && t->first == i && t->origin)
            code = resolve(r, job, t->origin, &t->path);
        else if (a->origin)
            code = resolve(r, job, a->origin, &a->texts[0]);
    }
    return code;
}
