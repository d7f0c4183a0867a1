/*
 * What rules make of a matrix, once its names have their values.
 */
#include "batch_matrix.h"
#include "names.h"
#include <deja/cleanup.h>
#include <inttypes.h>
#include <string.h>

/* A shape that is being prepared. */
typedef struct work {
    const batch *b;
    batch_job *job;
    matrix_axis *axes;
    size_t count;      /* of axes */
    deja_arena *arena; /* what lives as long as the batch */
    deja_arena scratch;
    deja_error *err;
} work;

static int no_memory(const work *w)
{
    return deja_fail(w->err, DEJA_ENOMEM, "out of memory");
}

static void *alloc(deja_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    void *p = __builtin_mul_overflow(count ? count : 1, size, &bytes) ? NULL : deja_arena_alloc(arena, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

/* ---- values that only `include` has ---- */

/* The plain value that a clause asks for, NULL for more than one, or a pattern. */
static const char *plain_value(const batch_clause *c)
{
    return !c->negated && c->count == 1 ? c->patterns[0].literal : NULL;
}

/* New values of one axis. */
typedef struct extra {
    name_table seen;
    const char **texts;
    uint8_t *plain;
    size_t count;
} extra;

static int note_value(const work *w, size_t axis, const char *text, int plain, extra *x)
{
    size_t len = strlen(text);
    if (name_table_get(&x->seen, text, len) || matrix_find(&w->axes[axis], text) >= 0)
        return 0;
    x->texts[x->count] = text;
    x->plain[x->count++] = (uint8_t)plain;
    return name_table_put(&x->seen, text, len, 0) ? no_memory(w) : 0;
}

static int note_values(const work *w, const batch_entry *e, size_t axis, extra *x)
{
    int code = 0;
    for (size_t i = 0; i < e->where.count && !code; i++) {
        const batch_clause *c = &e->where.clauses[i];
        const char *text = c->axis == axis ? plain_value(c) : NULL;
        code = text ? note_value(w, axis, text, c->plain[0], x) : 0;
    }
    for (size_t i = 0; i < e->given_count && !code; i++)
        if (e->given[i].axis == axis)
            code = note_value(w, axis, e->given[i].text, e->given[i].plain, x);
    return code;
}

static int extend_axis(work *w, size_t axis)
{
    const batch_rules *rules = w->job->rules;
    extra x = {.texts = alloc(&w->scratch, rules->entry_count, sizeof *x.texts),
               .plain = alloc(&w->scratch, rules->entry_count, 1)};
    int code = x.texts && x.plain ? 0 : no_memory(w);
    for (size_t i = 0; i < rules->entry_count && !code; i++)
        code = note_values(w, &rules->entries[i], axis, &x);
    if (!code && x.count)
        code = matrix_extend(&w->axes[axis], x.texts, x.plain, x.count, w->err);
    name_table_done(&x.seen);
    return code;
}

/* ---- conditions ---- */

static int clause_fits(const batch_clause *c, const matrix_axis *a, uint32_t index)
{
    for (size_t i = 0; i < c->count; i++)
        if (value_pattern_matches(&c->patterns[i], a, index))
            return !c->negated;
    return c->negated;
}

/* What is asked of values that are known when the batch is written, and that none has, is a mistake. */
static int fail_never(const work *w, const batch_clause *c)
{
    const matrix_axis *a = &w->axes[c->axis];
    return source_fail(&w->b->source, c->at, w->err, "no value of '%s' %s", a->name,
                       c->negated ? "is left: all of them match" : "matches this");
}

/* One index where one value fits, so that a thousand rows over a million values are small. */
static int bind_clause(work *w, deja_arena *arena, const batch_clause *from, matrix_clause *ret,
                       uint32_t *ret_fitting)
{
    const matrix_axis *a = &w->axes[from->axis];
    DEJA_AUTO_FREE uint8_t *fits = deja_calloc((size_t)a->count + 1, 1);
    *ret = (matrix_clause){.axis = from->axis, .only = UINT32_MAX};
    *ret_fitting = 0;
    if (!fits)
        return no_memory(w);
    for (uint32_t v = 0; v < a->count; v++)
        if (clause_fits(from, a, v)) {
            ret->only = v;
            fits[v] = 1;
            ++*ret_fitting;
        }
    if (*ret_fitting <= 1)
        return 0;
    ret->fits = deja_arena_dup(arena, fits, a->count);
    return ret->fits ? 0 : no_memory(w);
}

static int bind(work *w, deja_arena *arena, const batch_condition *c, int must_fit, matrix_condition *ret)
{
    matrix_clause *clauses = alloc(arena, c->count, sizeof *clauses);
    if (!clauses)
        return no_memory(w);
    for (size_t i = 0; i < c->count; i++) {
        const batch_clause *from = &c->clauses[i];
        uint32_t fitting;
        int code = bind_clause(w, arena, from, &clauses[i], &fitting);
        if (code)
            return code;
        if (must_fit && !fitting && w->job->axes[from->axis].from == AXIS_FIXED)
            return fail_never(w, from);
    }
    *ret = (matrix_condition){.clauses = clauses, .count = c->count};
    return 0;
}

static int bind_all(work *w, const batch_condition *c, size_t count, const matrix_condition **ret)
{
    matrix_condition *bound = alloc(&w->scratch, count, sizeof *bound);
    int code = bound ? 0 : no_memory(w);
    for (size_t i = 0; i < count && !code; i++)
        code = bind(w, &w->scratch, &c[i], 1, &bound[i]);
    *ret = bound;
    return code;
}

/* ---- rows of include ---- */

/* Its index on each axis; NULL when it lacks some, or asks for more than one value. */
static int bind_row(work *w, const batch_entry *e, const uint32_t **ret)
{
    uint32_t *row = alloc(&w->scratch, w->count, sizeof *row);
    *ret = NULL;
    if (!row)
        return no_memory(w);
    for (size_t i = 0; i < w->count; i++)
        row[i] = UINT32_MAX;
    for (size_t i = 0; i < e->where.count; i++) {
        const batch_clause *c = &e->where.clauses[i];
        if (!plain_value(c))
            return 0;
        row[c->axis] = (uint32_t)matrix_find(&w->axes[c->axis], plain_value(c));
    }
    for (size_t i = 0; i < w->count; i++)
        if (row[i] == UINT32_MAX && w->job->axes[i].group != MATRIX_ADDED)
            return 0;
    *ret = row;
    return 0;
}

static int bind_entry(work *w, const batch_entry *e, matrix_entry *ret)
{
    size_t *added = alloc(w->arena, e->given_count, sizeof *added);
    uint32_t *value = alloc(w->arena, e->given_count, sizeof *value);
    if (!added || !value)
        return no_memory(w);
    for (size_t i = 0; i < e->given_count; i++) {
        added[i] = e->given[i].axis;
        value[i] = (uint32_t)matrix_find(&w->axes[added[i]], e->given[i].text);
    }
    *ret = (matrix_entry){.added = added, .value = value, .added_count = e->given_count};
    int code = bind(w, w->arena, &e->where, 0, &ret->where);
    return code ? code : bind_row(w, e, &ret->row);
}

static int bind_entries(work *w, const matrix_entry **ret)
{
    const batch_rules *rules = w->job->rules;
    matrix_entry *entries = alloc(&w->scratch, rules->entry_count, sizeof *entries);
    int code = entries ? 0 : no_memory(w);
    for (size_t i = 0; i < w->count && !code && rules->entry_count; i++)
        code = extend_axis(w, i);
    for (size_t i = 0; i < rules->entry_count && !code; i++)
        code = bind_entry(w, &rules->entries[i], &entries[i]);
    *ret = entries;
    return code;
}

/* ---- what can be wrong ---- */

/* Names that a row of its own lacks. */
static void list_missing(const work *w, const batch_entry *e, deja_buffer *b)
{
    for (size_t i = 0; i < w->count; i++) {
        const char *value = w->job->axes[i].group == MATRIX_ADDED ? "" : NULL;
        for (size_t k = 0; k < e->where.count && !value; k++)
            if (e->where.clauses[k].axis == i)
                value = plain_value(&e->where.clauses[k]);
        if (!value)
            deja_buffer_addf(b, "%s'%s'", b->len ? ", " : "", w->axes[i].name);
    }
}

static int fail_no_value(const work *w, const matrix_fault *f)
{
    DEJA_AUTO_BUFFER deja_buffer row = {0};
    for (size_t i = 0; i < w->count; i++)
        if (f->indices[i] != UINT32_MAX) {
            deja_buffer_addf(&row, "%s%s=", row.len ? "," : "", w->axes[i].name);
            matrix_value(&w->axes[i], f->indices[i], &row);
        }
    return source_fail(&w->b->source, w->job->axes[f->one].at, w->err,
                       "'%s' has no value in '%s[%s]': begin 'include' with one for all rows, {%s: VALUE}",
                       w->axes[f->one].name, w->job->name, deja_buffer_string(&row), w->axes[f->one].name);
}

static int explain(const work *w, const matrix_fault *f, const deja_error *problem)
{
    const source *s = &w->b->source;
    const batch_rules *rules = w->job->rules;
    DEJA_AUTO_BUFFER deja_buffer missing = {0};
    switch (f->kind) {
    case MATRIX_UNEQUAL:
        return source_fail(s, w->job->axes[f->other].at, w->err,
                           "'%s' has %" PRIu32 " values, '%s' has %" PRIu32
                           ": what advances together has as many",
                           w->axes[f->other].name, matrix_own_count(&w->axes[f->other]), w->axes[f->one].name,
                           matrix_own_count(&w->axes[f->one]));
    case MATRIX_NO_ROW:
        list_missing(w, &rules->entries[f->one], &missing);
        return source_fail(
            s, rules->entries[f->one].where.at, w->err,
            "no row of the matrix matches this, and to be a row of its own it lacks a plain value "
            "of %s",
            deja_buffer_string(&missing));
    case MATRIX_NO_VALUE:
        return fail_no_value(w, f);
    case MATRIX_EMPTY:
        return source_fail(s, rules->exclude[0].at, w->err, "'exclude' leaves nothing of the matrix");
    case MATRIX_OTHER:
        break;
    }
    if (problem->code == DEJA_ENOMEM)
        return no_memory(w);
    return source_fail(s, w->job->axes[0].at, w->err, "%s", problem->text);
}

static int make_shape(work *w)
{
    const batch_rules *rules = w->job->rules;
    uint32_t *groups = alloc(&w->scratch, w->count, sizeof *groups);
    matrix_design d = {.groups = groups,
                       .exclude_count = rules->exclude_count,
                       .entry_count = rules->entry_count,
                       .when_count = rules->when_count,
                       .has_when = rules->has_when};
    matrix_fault f;
    deja_error problem = {0};
    if (!groups)
        return no_memory(w);
    for (size_t i = 0; i < w->count; i++)
        groups[i] = w->job->axes[i].group;
    int code = bind_entries(w, &d.entries);
    if (!code)
        code = bind_all(w, rules->exclude, rules->exclude_count, &d.exclude);
    if (!code)
        code = bind_all(w, rules->when, rules->when_count, &d.when);
    if (code)
        return code;
    return matrix_shape_make(w->job->matrix, &d, w->arena, &f, &problem) ? explain(w, &f, &problem) : 0;
}

int batch_shape(batch *b, batch_job *job, deja_error *err)
{
    uint32_t count;
    work w = {.b = b,
              .job = job,
              .axes = (matrix_axis *)job->matrix->axes,
              .count = job->matrix->count,
              .arena = &b->arena,
              .err = err};
    int code = job->rules ? make_shape(&w) : 0;
    deja_arena_done(&w.scratch);
    deja_error problem;
    if (!code && matrix_count(job->matrix, &count, &problem))
        code = source_fail(&b->source, job->matrix_reads ? job->axes[0].at : job->matrix_at, err, "%s",
                           problem.text);
    job->expanded = !code;
    return code;
}
