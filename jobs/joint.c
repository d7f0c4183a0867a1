/*
 * The group of an instance is a number with a digit for each shared name: which of the maker's values it is.
 * Where that cannot be computed (a value stands twice, combinations are missing) it is written down.
 */
#include "joint.h"
#include "names.h"
#include <deja/cleanup.h>
#include <deja/memory.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* A name that both have. `ids` of the maker's values are their own indices, the first one's where a text
 * stands twice. */
typedef struct shared {
    const matrix_axis *maker, *reader;
    size_t maker_at, reader_at; /* among the axes of their matrices */
    uint32_t *maker_ids;        /* of each value; NULL: its index */
    uint32_t *reader_ids;       /* of each value, NONE: no maker has it; NULL: its index */
    int repeats;                /* a text stands twice, in either */
} shared;

/* A digit of a group, as instances of one side have it. */
typedef struct digit {
    uint32_t count, stride;  /* of the values in the side's matrix */
    const uint32_t *ids;     /* of each value: the digit; NULL: its index */
    const uint32_t *indices; /* of each digit: the value, or NONE; NULL: the same */
    uint32_t base;           /* how many digits there are */
} digit;

/* Names that only one side has. */
typedef struct rest {
    uint32_t count, stride;
} rest;

typedef struct side {
    digit *digits; /* one for each shared name, in the order of the maker's matrix */
    size_t digit_count;
    rest *rests;
    size_t rest_count;
    uint32_t each; /* members of a group, where it has any */
    /* written down, else NULL */
    uint32_t *groups;  /* of each instance */
    uint32_t *start;   /* of each group, and one more: where its members begin */
    uint32_t *members; /* in batch order within a group */
} side;

struct joint {
    side makers, readers;
    uint32_t groups;
    uint32_t *indices; /* scratch, while it is opened */
    deja_arena arena;
};

static int no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "match instances: out of memory");
}

static int find_axis(const matrix *m, const char *name, size_t *ret)
{
    for (*ret = 0; *ret < m->count; ++*ret)
        if (strcmp(m->axes[*ret].name, name) == 0)
            return 1;
    return 0;
}

int joint_shares(const matrix *reader, const matrix *needed)
{
    size_t both = 0, at;
    for (size_t i = 0; i < needed->count; i++)
        both += (size_t)find_axis(reader, needed->axes[i].name, &at);
    return both == 0 ? 0 : both == needed->count ? 2 : 1;
}

/* ---- values with equal texts ---- */

static int same_values(const matrix_axis *a, const matrix_axis *b)
{
    if (a->kind != b->kind || a->count != b->count || a->more || b->more)
        return 0;
    if (a->kind == MATRIX_RANGE)
        return a->first == b->first && a->step == b->step;
    if (a->kind == MATRIX_LINSPACE) /* bit for bit: 0.0 is another text than -0.0 */
        return memcmp(&a->begin, &b->begin, sizeof a->begin) == 0 &&
               memcmp(&a->end, &b->end, sizeof a->end) == 0;
    for (uint32_t i = 0; i < a->count; i++)
        if (strcmp(matrix_text(a, i), matrix_text(b, i)) != 0)
            return 0;
    return 1;
}

static const char *value_of(const matrix_axis *a, uint32_t index, deja_arena *texts)
{
    const char *text = matrix_text(a, index);
    if (text)
        return text;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    matrix_value(a, index, &b);
    return b.failed ? NULL : deja_arena_dup(texts, b.data, b.len);
}

/* Numbers the texts of the maker's values in `t`. */
static int number_makers(joint *j, shared *s, name_table *t, deja_arena *texts)
{
    uint32_t *ids = deja_arena_alloc(&j->arena, ((size_t)s->maker->count + 1) * sizeof *ids);
    if (!ids)
        return DEJA_ENOMEM;
    for (uint32_t i = 0; i < s->maker->count; i++) {
        const char *text = value_of(s->maker, i, texts);
        if (!text)
            return DEJA_ENOMEM;
        const uint32_t *there = name_table_get(t, text, strlen(text));
        ids[i] = there ? *there : i;
        s->repeats |= there != NULL;
        if (!there && name_table_put(t, text, strlen(text), i) < 0)
            return DEJA_ENOMEM;
    }
    if (s->repeats)
        s->maker_ids = ids;
    return 0;
}

static int number_readers(joint *j, shared *s, const name_table *t, deja_arena *texts)
{
    DEJA_AUTO_FREE uint8_t *seen = deja_calloc((size_t)s->maker->count + 1, 1);
    s->reader_ids = deja_arena_alloc(&j->arena, ((size_t)s->reader->count + 1) * sizeof *s->reader_ids);
    if (!s->reader_ids || !seen)
        return DEJA_ENOMEM;
    for (uint32_t i = 0; i < s->reader->count; i++) {
        const char *text = value_of(s->reader, i, texts);
        if (!text)
            return DEJA_ENOMEM;
        const uint32_t *there = name_table_get(t, text, strlen(text));
        s->reader_ids[i] = there ? *there : NONE;
        s->repeats |= there && seen[*there]++;
    }
    return 0;
}

/* Numbers of a range all differ; where both sides have the same there is nothing to look up. */
static int compare_values(joint *j, shared *s)
{
    int same = same_values(s->maker, s->reader);
    if (same && s->maker->kind == MATRIX_RANGE)
        return 0;
    name_table t = {0};
    deja_arena texts = {0};
    int status = number_makers(j, s, &t, &texts);
    if (status == 0 && !same)
        status = number_readers(j, s, &t, &texts);
    if (same)
        s->reader_ids = s->maker_ids;
    name_table_done(&t);
    deja_arena_done(&texts);
    return status;
}

static int find_shared(joint *j, const matrix *reader, const matrix *needed, shared **ret, size_t *ret_count)
{
    shared *all = deja_arena_alloc(&j->arena, (needed->count + 1) * sizeof *all);
    size_t n = 0, at;
    if (!all)
        return DEJA_ENOMEM;
    for (size_t i = 0; i < needed->count; i++) {
        if (!find_axis(reader, needed->axes[i].name, &at))
            continue;
        all[n] =
            (shared){.maker = &needed->axes[i], .reader = &reader->axes[at], .maker_at = i, .reader_at = at};
        if (compare_values(j, &all[n++]) < 0)
            return DEJA_ENOMEM;
    }
    *ret = all;
    *ret_count = n;
    return 0;
}

/* ---- by strides ---- */

static uint32_t stride_of(const matrix *m, size_t at)
{
    uint32_t stride = 1;
    for (size_t i = at + 1; i < m->count; i++)
        stride *= m->axes[i].count;
    return stride;
}

static const uint32_t *invert(joint *j, const uint32_t *ids, uint32_t count, uint32_t base)
{
    uint32_t *indices = deja_arena_alloc(&j->arena, ((size_t)base + 1) * sizeof *indices);
    for (uint32_t i = 0; indices && i < base; i++)
        indices[i] = NONE;
    for (uint32_t i = 0; indices && i < count; i++)
        if (ids[i] != NONE)
            indices[ids[i]] = i;
    return indices;
}

static int is_shared(const shared *all, size_t count, size_t at, int of_maker)
{
    for (size_t i = 0; i < count; i++)
        if ((of_maker ? all[i].maker_at : all[i].reader_at) == at)
            return 1;
    return 0;
}

static int fill_side(joint *j, side *s, const matrix *m, const shared *all, size_t count, int is_maker)
{
    s->digits = deja_arena_alloc(&j->arena, (count + 1) * sizeof *s->digits);
    s->rests = deja_arena_alloc(&j->arena, (m->count + 1) * sizeof *s->rests);
    s->each = 1;
    if (!s->digits || !s->rests)
        return DEJA_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        size_t at = is_maker ? all[i].maker_at : all[i].reader_at;
        const uint32_t *ids = is_maker ? NULL : all[i].reader_ids;
        digit *d = &s->digits[s->digit_count++];
        *d = (digit){
            .count = m->axes[at].count, .stride = stride_of(m, at), .ids = ids, .base = all[i].maker->count};
        if (ids && !(d->indices = invert(j, ids, d->count, d->base)))
            return DEJA_ENOMEM;
    }
    for (size_t i = 0; i < m->count; i++)
        if (!is_shared(all, count, i, is_maker)) {
            s->rests[s->rest_count++] = (rest){.count = m->axes[i].count, .stride = stride_of(m, i)};
            s->each *= m->axes[i].count;
        }
    return 0;
}

/* The digits of a group, NONE when no instance of the side has them; else the least member. */
static uint32_t base_of(const side *s, uint32_t group)
{
    uint32_t base = 0;
    for (size_t i = s->digit_count; i-- > 0;) {
        const digit *d = &s->digits[i];
        uint32_t value = group % d->base;
        value = d->indices ? d->indices[value] : value;
        if (value == NONE)
            return NONE;
        base += value * d->stride;
        group /= d->base;
    }
    return base;
}

static uint32_t group_of(const side *s, uint32_t index)
{
    if (s->groups)
        return s->groups[index];
    uint32_t group = 0;
    for (size_t i = 0; i < s->digit_count; i++) {
        const digit *d = &s->digits[i];
        uint32_t value = index / d->stride % d->count;
        value = d->ids ? d->ids[value] : value;
        if (value == NONE)
            return NONE;
        group = group * d->base + value;
    }
    return group;
}

static uint32_t count_of(const side *s, uint32_t group)
{
    if (s->start)
        return s->start[group + 1] - s->start[group];
    return base_of(s, group) == NONE ? 0 : s->each;
}

static uint32_t member_of(const side *s, uint32_t group, uint32_t number)
{
    if (s->members)
        return s->members[s->start[group] + number];
    uint32_t index = base_of(s, group);
    for (size_t i = s->rest_count; i-- > 0;) {
        index += number % s->rests[i].count * s->rests[i].stride;
        number /= s->rests[i].count;
    }
    return index;
}

/* ---- written down ---- */

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static uint32_t place_of(const uint64_t *sorted, uint32_t count, uint64_t number)
{
    const uint64_t *found = bsearch(&number, sorted, count, sizeof *sorted, compare_numbers);
    return found ? (uint32_t)(found - sorted) : NONE;
}

static uint32_t sort_unique(uint64_t *numbers, uint32_t count)
{
    uint32_t n = 0;
    if (count)
        qsort(numbers, count, sizeof *numbers, compare_numbers);
    for (uint32_t i = 0; i < count; i++)
        if (n == 0 || numbers[i] != numbers[n - 1])
            numbers[n++] = numbers[i];
    return n;
}

static uint32_t id_of(joint *j, const matrix *m, uint32_t index, size_t axis, const uint32_t *ids)
{
    matrix_indices(m, index, j->indices);
    return ids ? ids[j->indices[axis]] : j->indices[axis];
}

/* Groups by one more name: those that had one number and agree in this name, too, have one number again. */
static int refine(joint *j, const shared *s, const matrix *reader, uint32_t readers, const matrix *needed,
                  uint32_t makers)
{
    DEJA_AUTO_FREE uint64_t *sorted = deja_calloc((size_t)makers + 1, sizeof *sorted);
    uint64_t base = (uint64_t)s->maker->count + 1;
    if (!sorted)
        return DEJA_ENOMEM;
    for (uint32_t i = 0; i < makers; i++)
        sorted[i] = j->makers.groups[i] * base + id_of(j, needed, i, s->maker_at, s->maker_ids);
    j->groups = sort_unique(sorted, makers);
    for (uint32_t i = 0; i < makers; i++)
        j->makers.groups[i] = place_of(
            sorted, j->groups, j->makers.groups[i] * base + id_of(j, needed, i, s->maker_at, s->maker_ids));
    for (uint32_t i = 0; i < readers; i++) {
        uint32_t id = id_of(j, reader, i, s->reader_at, s->reader_ids), group = j->readers.groups[i];
        j->readers.groups[i] =
            id == NONE || group == NONE ? NONE : place_of(sorted, j->groups, group * base + id);
    }
    return 0;
}

static int list_members(joint *j, side *s, uint32_t count)
{
    s->start = deja_arena_alloc(&j->arena, ((size_t)j->groups + 2) * sizeof *s->start);
    s->members = deja_arena_alloc(&j->arena, ((size_t)count + 1) * sizeof *s->members);
    if (!s->start || !s->members)
        return DEJA_ENOMEM;
    memset(s->start, 0, ((size_t)j->groups + 2) * sizeof *s->start);
    for (uint32_t i = 0; i < count; i++)
        if (s->groups[i] != NONE)
            s->start[s->groups[i] + 2]++;
    for (uint32_t g = 0; g < j->groups; g++)
        s->start[g + 2] += s->start[g + 1];
    for (uint32_t i = 0; i < count; i++)
        if (s->groups[i] != NONE)
            s->members[s->start[s->groups[i] + 1]++] = i;
    return 0;
}

static int write_down(joint *j, const shared *all, size_t count, const matrix *reader, uint32_t readers,
                      const matrix *needed, uint32_t makers)
{
    j->makers.groups = deja_arena_alloc(&j->arena, ((size_t)makers + 1) * sizeof *j->makers.groups);
    j->readers.groups = deja_arena_alloc(&j->arena, ((size_t)readers + 1) * sizeof *j->readers.groups);
    j->indices = deja_arena_alloc(&j->arena, (reader->count + needed->count) * sizeof *j->indices);
    if (!j->makers.groups || !j->readers.groups || !j->indices)
        return DEJA_ENOMEM;
    memset(j->makers.groups, 0, makers * sizeof *j->makers.groups);
    memset(j->readers.groups, 0, readers * sizeof *j->readers.groups);
    for (size_t i = 0; i < count; i++)
        if (refine(j, &all[i], reader, readers, needed, makers) < 0)
            return DEJA_ENOMEM;
    if (list_members(j, &j->makers, makers) < 0)
        return DEJA_ENOMEM;
    return list_members(j, &j->readers, readers);
}

/* ---- life ---- */

static int compute(joint *j, const shared *all, size_t count, const matrix *reader, const matrix *needed)
{
    j->groups = 1;
    for (size_t i = 0; i < count; i++)
        j->groups *= all[i].maker->count;
    if (fill_side(j, &j->makers, needed, all, count, 1) < 0)
        return DEJA_ENOMEM;
    return fill_side(j, &j->readers, reader, all, count, 0);
}

static int can_compute(const shared *all, size_t count, const matrix *reader, const matrix *needed)
{
    for (size_t i = 0; i < count; i++)
        if (all[i].repeats)
            return 0;
    return matrix_is_product(reader) && matrix_is_product(needed);
}

static int find_missing(const joint *j, uint32_t readers, uint32_t *ret)
{
    for (uint32_t i = 0; i < readers; i++)
        if (group_of(&j->readers, i) == NONE || count_of(&j->makers, group_of(&j->readers, i)) == 0) {
            *ret = i;
            return DEJA_ENOTFOUND;
        }
    return 0;
}

static int prepare(joint *j, const matrix *reader, const matrix *needed, uint32_t *ret_missing,
                   deja_error *err)
{
    shared *all = NULL;
    size_t count = 0;
    uint32_t readers, makers;
    int status = matrix_count(reader, &readers, err);
    if (status == 0)
        status = matrix_count(needed, &makers, err);
    if (status < 0)
        return status;
    if (find_shared(j, reader, needed, &all, &count) < 0)
        return no_memory(err);
    status = can_compute(all, count, reader, needed)
                 ? compute(j, all, count, reader, needed)
                 : write_down(j, all, count, reader, readers, needed, makers);
    return status < 0 ? no_memory(err) : find_missing(j, readers, ret_missing);
}

int joint_open(joint **ret, const matrix *reader, const matrix *needed, uint32_t *ret_missing,
               deja_error *err)
{
    joint *j = deja_calloc(1, sizeof *j);
    int status = j ? prepare(j, reader, needed, ret_missing, err) : no_memory(err);
    if (status < 0)
        joint_close(j);
    else
        *ret = j;
    return status;
}

void joint_close(joint *j)
{
    if (!j)
        return;
    deja_arena_done(&j->arena);
    deja_free(j);
}

uint32_t joint_groups(const joint *j)
{
    return j->groups;
}

uint32_t joint_of_reader(const joint *j, uint32_t reader)
{
    return group_of(&j->readers, reader);
}

uint32_t joint_of_maker(const joint *j, uint32_t maker)
{
    return group_of(&j->makers, maker);
}

int joint_is_single(const joint *j)
{
    for (uint32_t g = 0; j->makers.start && g < j->groups; g++)
        if (count_of(&j->makers, g) != 1)
            return 0;
    return j->makers.start || j->makers.each == 1;
}

uint32_t joint_maker_count(const joint *j, uint32_t group)
{
    return count_of(&j->makers, group);
}

uint32_t joint_maker(const joint *j, uint32_t group, uint32_t i)
{
    return member_of(&j->makers, group, i);
}

uint32_t joint_reader_count(const joint *j, uint32_t group)
{
    return count_of(&j->readers, group);
}

uint32_t joint_reader(const joint *j, uint32_t group, uint32_t i)
{
    return member_of(&j->readers, group, i);
}
