/*
 * Shapes made and read.
 */
#include "matrix_shape.h"
#include <deja/cleanup.h>
#include <inttypes.h>
#include <string.h>

#define NONE UINT32_MAX

/* A shape that is being made. */
typedef struct maker {
    const matrix *m;
    const matrix_design *d;
    matrix_shape *s;
    deja_arena *arena;
    uint32_t *indices;   /* scratch: of each axis */
    uint32_t *positions; /* scratch: of each dimension */
    uint32_t *rows;      /* with room for a row of each entry */
    uint32_t row_count;
    uint64_t unexcluded; /* combinations that are not excluded */
    matrix_fault *fault;
    deja_error *err;
} maker;

static int fault(const maker *k, matrix_fault f)
{
    *k->fault = f;
    return DEJA_EINVAL;
}

static int no_memory(const maker *k)
{
    return deja_fail(k->err, DEJA_ENOMEM, "out of memory");
}

static int too_many(const maker *k)
{
    return deja_fail(k->err, DEJA_ELIMIT, "the matrix has more than %" PRIu32 " jobs", MATRIX_LIMIT);
}

/* ---- conditions ---- */

static int fits(const matrix_clause *c, uint32_t index)
{
    return index != NONE && (c->fits ? c->fits[index] : index == c->only);
}

static int holds(const matrix_condition *c, const uint32_t *indices)
{
    for (size_t i = 0; i < c->count; i++)
        if (!fits(&c->clauses[i], indices[c->clauses[i].axis]))
            return 0;
    return 1;
}

static int any_holds(const matrix_condition *c, size_t count, const uint32_t *indices)
{
    for (size_t i = 0; i < count; i++)
        if (holds(&c[i], indices))
            return 1;
    return 0;
}

static int passes_when(const matrix_design *d, const uint32_t *indices)
{
    return !d->has_when || any_holds(d->when, d->when_count, indices);
}

/* The values that entries give to a row, the last one's count; NONE where no entry gives any. */
static void add_values(const matrix *m, const matrix_shape *s, uint32_t *indices)
{
    for (size_t i = 0; i < m->count; i++)
        if (s->dim_of[i] == MATRIX_ADDED)
            indices[i] = NONE;
    for (size_t i = 0; i < s->added_count; i++)
        if (holds(&s->added[i].where, indices))
            for (size_t k = 0; k < s->added[i].added_count; k++)
                indices[s->added[i].added[k]] = s->added[i].value[k];
}

/* ---- dimensions ---- */

/* The indices of the axes by the positions of dimensions. */
static void place_axes(const matrix *m, const matrix_shape *s, const uint32_t *positions, uint32_t *indices)
{
    for (size_t i = 0; i < m->count; i++)
        indices[i] = s->dim_of[i] == MATRIX_ADDED ? NONE : positions[s->dim_of[i]];
}

/* The positions of dimensions from..to-1 in combination `number` of these. */
static void place(const matrix_shape *s, size_t from, size_t to, uint32_t number, uint32_t *positions)
{
    while (to-- > from) {
        positions[to] = number % s->dims[to];
        number /= s->dims[to];
    }
}

/* The combinations of dimensions from..to-1, at most `limit` + 1. */
static uint64_t combinations(const matrix_shape *s, size_t from, size_t to, uint64_t limit)
{
    uint64_t n = 1;
    for (size_t i = from; i < to; i++)
        if (s->dims[i] == 0)
            return 0;
    for (size_t i = from; i < to && n <= limit; i++)
        n *= s->dims[i];
    return n;
}

void matrix_shape_indices(const matrix *m, uint32_t number, uint32_t *indices)
{
    const matrix_shape *s = m->shape;
    uint32_t positions[MATRIX_DIMS];
    if (number >= s->product) {
        memcpy(indices, s->rows + (size_t)(number - s->product) * m->count, m->count * sizeof *indices);
        return;
    }
    uint32_t rest = number / s->tail, inner = rest % s->kept_count;
    place(s, s->high, s->dim_count, number % s->tail, positions);
    place(s, s->low, s->high, s->kept ? s->kept[inner] : inner, positions);
    place(s, 0, s->low, rest / s->kept_count, positions);
    place_axes(m, s, positions, indices);
    if (s->added_count)
        add_values(m, s, indices);
}

/* Axes of one group are one dimension. */
static int make_dims(maker *k)
{
    const matrix *m = k->m;
    matrix_shape *s = k->s;
    for (size_t i = 0; i < m->count; i++) {
        uint32_t group = k->d->groups ? k->d->groups[i] : (uint32_t)i;
        size_t first = 0;
        s->dim_of[i] = MATRIX_ADDED;
        if (group == MATRIX_ADDED)
            continue;
        while (k->d->groups && first < i && k->d->groups[first] != group)
            first++;
        first = k->d->groups ? first : i;
        if (first < i) {
            s->dim_of[i] = s->dim_of[first];
            if (s->dims[s->dim_of[i]] != matrix_own_count(&m->axes[i]))
                return fault(k, (matrix_fault){.kind = MATRIX_UNEQUAL, .one = first, .other = i});
        } else {
            s->dim_of[i] = (uint32_t)s->dim_count;
            s->dims[s->dim_count++] = matrix_own_count(&m->axes[i]);
        }
    }
    return 0;
}

static void ask(maker *k, const matrix_condition *c, int *ret_added)
{
    for (size_t i = 0; i < c->count; i++) {
        uint32_t dim = k->s->dim_of[c->clauses[i].axis];
        *ret_added |= dim == MATRIX_ADDED;
        if (dim == MATRIX_ADDED)
            continue;
        k->s->low = dim < k->s->low ? dim : k->s->low;
        k->s->high = dim + 1 > k->s->high ? dim + 1 : k->s->high;
    }
}

/* 1 when some row could be left without a value: no entry gives one to all. */
static int may_lack(const maker *k)
{
    for (size_t i = 0; i < k->m->count; i++) {
        int given = k->s->dim_of[i] != MATRIX_ADDED;
        for (size_t e = 0; !given && e < k->s->added_count; e++)
            for (size_t v = 0; v < k->s->added[e].added_count; v++)
                given |= k->s->added[e].where.count == 0 && k->s->added[e].added[v] == i;
        if (!given)
            return 1;
    }
    return 0;
}

/* Which dimensions conditions ask about. */
static void find_asked(maker *k)
{
    matrix_shape *s = k->s;
    int added = 0, unused = 0;
    s->low = s->dim_count;
    s->high = 0;
    for (size_t i = 0; i < k->d->exclude_count; i++)
        ask(k, &k->d->exclude[i], &added);
    for (size_t i = 0; i < k->d->when_count; i++)
        ask(k, &k->d->when[i], &added);
    if (added || may_lack(k))
        for (size_t i = 0; i < s->added_count; i++)
            ask(k, &s->added[i].where, &unused);
    if (s->low >= s->high)
        s->low = s->high = s->dim_count;
}

/* ---- rows of their own ---- */

/* 1 when a position of a dimension will do for a condition. */
static int position_fits(const maker *k, const matrix_condition *c, uint32_t dim, uint32_t position)
{
    for (size_t i = 0; i < c->count; i++)
        if (k->s->dim_of[c->clauses[i].axis] == dim && !fits(&c->clauses[i], position))
            return 0;
    return 1;
}

static int is_asked(const maker *k, const matrix_condition *c, size_t count, uint32_t dim)
{
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; i < c[n].count; i++)
            if (k->s->dim_of[c[n].clauses[i].axis] == dim)
                return 1;
    return 0;
}

/* 1 when the condition holds for some row of the product that is not excluded, the positions before `dim`
 * given. */
static int find_row(maker *k, const matrix_condition *c, uint32_t dim)
{
    if (dim == k->s->dim_count) {
        place_axes(k->m, k->s, k->positions, k->indices);
        return !any_holds(k->d->exclude, k->d->exclude_count, k->indices);
    }
    int all_alike = !is_asked(k, c, 1, dim) && !is_asked(k, k->d->exclude, k->d->exclude_count, dim);
    uint32_t count = all_alike && k->s->dims[dim] ? 1 : k->s->dims[dim];
    for (uint32_t p = 0; p < count; p++) {
        k->positions[dim] = p;
        if (position_fits(k, c, dim, p) && find_row(k, c, dim + 1))
            return 1;
    }
    return 0;
}

static void give(const matrix_entry *e, uint32_t *row)
{
    for (size_t i = 0; i < e->added_count; i++)
        row[e->added[i]] = e->value[i];
}

/* Gives its values to rows of entries before it; 1 when there was one. */
static int give_to_rows(maker *k, const matrix_entry *e)
{
    int found = 0;
    for (uint32_t r = 0; r < k->row_count; r++) {
        uint32_t *row = k->rows + (size_t)r * k->m->count;
        if (!holds(&e->where, row))
            continue;
        give(e, row);
        found = 1;
    }
    return found;
}

static int take_entry(maker *k, size_t number)
{
    const matrix_entry *e = &k->d->entries[number];
    int found = give_to_rows(k, e);
    if (found || find_row(k, &e->where, 0))
        return 0;
    if (!e->row)
        return e->where.count ? fault(k, (matrix_fault){.kind = MATRIX_NO_ROW, .one = number}) : 0;
    uint32_t *row = k->rows + (size_t)k->row_count++ * k->m->count;
    memcpy(row, e->row, k->m->count * sizeof *row);
    for (size_t i = 0; i < number; i++)
        if (holds(&k->d->entries[i].where, row))
            give(&k->d->entries[i], row);
    give(e, row);
    return 0;
}

static int fail_no_value(const maker *k, const uint32_t *indices)
{
    size_t axis = 0;
    while (indices[axis] != NONE)
        axis++;
    uint32_t *copy = deja_arena_alloc(k->arena, k->m->count * sizeof *copy);
    if (!copy)
        return no_memory(k);
    memcpy(copy, indices, k->m->count * sizeof *copy);
    return fault(k, (matrix_fault){.kind = MATRIX_NO_VALUE, .one = axis, .indices = copy});
}

static int lacks_value(const maker *k, const uint32_t *indices)
{
    for (size_t i = 0; i < k->m->count; i++)
        if (indices[i] == NONE)
            return 1;
    return 0;
}

static int make_rows(maker *k)
{
    uint32_t kept = 0;
    size_t width = k->m->count;
    k->rows = deja_arena_alloc(k->arena, (k->d->entry_count * width + 1) * sizeof *k->rows);
    if (!k->rows)
        return no_memory(k);
    int code = 0;
    for (size_t i = 0; i < k->d->entry_count && !code; i++)
        code = take_entry(k, i);
    for (uint32_t r = 0; r < k->row_count && !code; r++) {
        uint32_t *row = k->rows + r * width;
        if (lacks_value(k, row))
            code = fail_no_value(k, row);
        else if (passes_when(k->d, row))
            memmove(k->rows + kept++ * width, row, width * sizeof *row);
    }
    k->s->rows = k->rows;
    k->unexcluded += k->row_count;
    k->row_count = kept;
    return code;
}

/* ---- what is kept of the product ---- */

/* 1 when combination `number` of the dimensions that are asked about stays. */
static int keeps(maker *k, uint32_t number, int check_values)
{
    place(k->s, k->s->low, k->s->high, number, k->positions);
    place_axes(k->m, k->s, k->positions, k->indices);
    if (any_holds(k->d->exclude, k->d->exclude_count, k->indices))
        return 0;
    k->unexcluded++;
    add_values(k->m, k->s, k->indices);
    if (check_values && lacks_value(k, k->indices))
        return fail_no_value(k, k->indices);
    return passes_when(k->d, k->indices);
}

static int make_kept(maker *k, uint32_t inner)
{
    int check_values = may_lack(k);
    uint32_t *kept = NULL;
    size_t cap = 0, count = 0;
    for (uint32_t i = 0; i < inner; i++) {
        int code = keeps(k, i, check_values);
        uint32_t *grown = code > 0 ? deja_grow(kept, count, &cap, sizeof *grown) : kept;
        if (code < 0 || (code > 0 && !grown)) {
            deja_free(kept);
            return code < 0 ? code : no_memory(k);
        }
        kept = grown;
        if (code)
            kept[count++] = i;
    }
    uint32_t *copy = count < inner ? deja_arena_alloc(k->arena, (count + 1) * sizeof *copy) : NULL;
    if (copy && count)
        memcpy(copy, kept, count * sizeof *copy);
    deja_free(kept);
    k->s->kept = copy;
    k->s->kept_count = (uint32_t)count;
    return count < inner && !copy ? no_memory(k) : 0;
}

static int make_product(maker *k)
{
    matrix_shape *s = k->s;
    uint64_t lead = combinations(s, 0, s->low, MATRIX_LIMIT),
             inner = combinations(s, s->low, s->high, MATRIX_LIMIT),
             tail = combinations(s, s->high, s->dim_count, MATRIX_LIMIT);
    int exists = lead && inner && tail;
    s->tail = 1;
    if (!exists)
        return 0;
    memset(k->positions, 0, (s->dim_count + 1) * sizeof *k->positions);
    if (lead > MATRIX_LIMIT || inner > MATRIX_LIMIT || tail > MATRIX_LIMIT)
        return too_many(k);
    int code = make_kept(k, (uint32_t)inner);
    if (code)
        return code;
    if (lead * tail > MATRIX_LIMIT || lead * tail * s->kept_count > MATRIX_LIMIT)
        return s->kept_count ? too_many(k) : 0;
    s->tail = (uint32_t)tail;
    s->product = (uint32_t)(lead * tail * s->kept_count);
    return 0;
}

/* ---- making ---- */

static int alloc(maker *k)
{
    size_t axes = k->m->count + 1, entries = k->d->entry_count;
    matrix_entry *added = deja_arena_alloc(k->arena, (entries + 1) * sizeof *added);
    k->s = deja_arena_alloc(k->arena, sizeof *k->s);
    if (!k->s || !added)
        return no_memory(k);
    *k->s = (matrix_shape){.dim_of = deja_arena_alloc(k->arena, axes * sizeof(uint32_t)),
                           .dims = deja_arena_alloc(k->arena, axes * sizeof(uint32_t)),
                           .added = added};
    k->indices = deja_arena_alloc(k->arena, axes * sizeof *k->indices);
    k->positions = deja_arena_alloc(k->arena, axes * sizeof *k->positions);
    if (!k->s->dim_of || !k->s->dims || !k->indices || !k->positions)
        return no_memory(k);
    for (size_t i = 0; i < entries; i++)
        if (k->d->entries[i].added_count)
            added[k->s->added_count++] = k->d->entries[i];
    return 0;
}

int matrix_shape_make(matrix *m, const matrix_design *d, deja_arena *arena, matrix_fault *ret,
                      deja_error *err)
{
    maker k = {.m = m, .d = d, .arena = arena, .fault = ret, .err = err};
    *ret = (matrix_fault){.kind = MATRIX_OTHER};
    int code = alloc(&k);
    if (!code)
        code = make_dims(&k);
    if (code)
        return code;
    find_asked(&k);
    code = make_rows(&k);
    if (!code)
        code = make_product(&k);
    if (code)
        return code;
    if (d->exclude_count && k.unexcluded == 0 && combinations(k.s, 0, k.s->dim_count, 1) > 0)
        return fault(&k, (matrix_fault){.kind = MATRIX_EMPTY});
    if (k.s->product > MATRIX_LIMIT - k.row_count)
        return too_many(&k);
    k.s->count = k.s->product + k.row_count;
    m->shape = k.s;
    return 0;
}
