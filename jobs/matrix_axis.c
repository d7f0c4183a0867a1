/*
 * Axes.
 */
#include "matrix_axis.h"
#include "glob.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/text.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LIMIT UINT32_MAX           /* bytes of the values of one axis: offsets have 32 bits */
#define FILE_LIMIT ((size_t)1024 << 20) /* bytes of a file of lines */

static int init(matrix_axis *a, const char *name, matrix_kind kind, deja_error *err)
{
    *a = (matrix_axis){.kind = kind, .name = deja_strdup(name)};
    return a->name ? 0 : deja_fail(err, DEJA_ENOMEM, "out of memory");
}

static int too_many(const char *name, deja_error *err)
{
    return deja_fail(err, DEJA_ELIMIT, "'%s' has more than %" PRIu32 " values", name, MATRIX_LIMIT);
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

/* Whole steps from first to last. 0 when the step never arrives there, else 1. */
static int count_steps(int64_t first, int64_t last, int64_t step, uint64_t *ret)
{
    uint64_t span = first <= last ? (uint64_t)last - (uint64_t)first : (uint64_t)first - (uint64_t)last;
    if (step == 0 || (step < 0 && first < last))
        return 0;
    *ret = span / magnitude(step);
    return 1;
}

uint32_t matrix_own_count(const matrix_axis *a)
{
    return a->more ? a->count - a->more->count : a->count;
}

static double linspace_value(const matrix_axis *a, uint32_t index)
{
    uint32_t count = matrix_own_count(a);
    if (index == 0)
        return a->begin;
    if (index == count - 1)
        return a->end;
    return a->begin + (double)index * (a->end - a->begin) / (double)(count - 1);
}

static int64_t range_value(const matrix_axis *a, uint32_t index)
{
    return (int64_t)((uint64_t)a->first + (uint64_t)index * (uint64_t)a->step);
}

static int64_t find_text(const matrix_axis *a, const char *text)
{
    uint32_t count = matrix_own_count(a);
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(a->text + a->start[i], text) == 0)
            return i;
    return -1;
}

static int64_t find_integer(const matrix_axis *a, const char *text)
{
    int64_t v;
    if (deja_text_int(text, &v) || (a->step > 0 ? v < a->first : v > a->first))
        return -1;
    uint64_t span = a->step > 0 ? (uint64_t)v - (uint64_t)a->first : (uint64_t)a->first - (uint64_t)v;
    uint64_t size = magnitude(a->step);
    return span % size == 0 && span / size < matrix_own_count(a) ? (int64_t)(span / size) : -1;
}

static int64_t find_real(const matrix_axis *a, const char *text)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || strchr(" \t\n\v\f\r", *text) || !isfinite(v))
        return -1;
    uint32_t count = matrix_own_count(a);
    double near = a->end == a->begin ? 0 : (v - a->begin) / (a->end - a->begin) * (double)(count - 1);
    if (!(near >= -1 && near <= (double)count))
        return -1;
    int64_t from = (int64_t)near > 2 ? (int64_t)near - 2 : 0;
    for (int64_t i = from; i <= from + 4 && i < count; i++)
        if (linspace_value(a, (uint32_t)i) == v)
            return i;
    return -1;
}

/* The number of lines that are not empty. With `start`: where they begin, and each newline becomes a NUL. */
static uint32_t cut_lines(char *text, size_t len, uint32_t *start)
{
    uint32_t count = 0;
    for (size_t at = 0; at < len;) {
        char *newline = memchr(text + at, '\n', len - at);
        size_t end = newline ? (size_t)(newline - text) : len;
        if (end > at && start)
            start[count] = (uint32_t)at;
        count += end > at;
        if (newline && start)
            *newline = 0;
        at = end + 1;
    }
    return count;
}

static int take_lines(matrix_axis *a, deja_buffer *b, const char *path, deja_error *err)
{
    if (b->len && memchr(b->data, 0, b->len))
        return deja_fail(err, DEJA_EINVAL, "'%s' holds a NUL byte", path);
    size_t len = b->len;
    a->text = deja_buffer_take(b);
    a->count = len ? cut_lines(a->text, len, NULL) : 0;
    a->start = deja_calloc((size_t)a->count + 1, sizeof *a->start);
    if (!a->start)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (len)
        cut_lines(a->text, len, a->start);
    return 0;
}

static int text_length(const char *const *values, size_t count, size_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < count; i++) {
        *ret += strlen(values[i]) + 1;
        if (*ret > TEXT_LIMIT)
            return 0;
    }
    return 1;
}

static int add_values(matrix_axis *a, const char *const *values, size_t count, deja_error *err)
{
    size_t len, at = 0;
    if (!text_length(values, count, &len))
        return deja_fail(err, DEJA_ELIMIT, "the values of '%s' have more than 4 GB", a->name);
    a->text = deja_realloc(NULL, len);
    a->start = deja_calloc(count + 1, sizeof *a->start);
    if (!a->text || !a->start)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(values[i]) + 1;
        memcpy(a->text + at, values[i], n);
        a->start[i] = (uint32_t)at;
        at += n;
    }
    a->count = (uint32_t)count;
    return 0;
}

/* Hands the axis out, or takes it apart after a failure. */
static int finish(matrix_axis *ret, matrix_axis *a, int code)
{
    if (code)
        matrix_axis_done(a);
    else
        *ret = *a;
    return code;
}

int matrix_list(matrix_axis *ret, const char *name, const char *const *values, size_t count, deja_error *err)
{
    if (count > MATRIX_LIMIT)
        return too_many(name, err);
    matrix_axis a;
    int code = init(&a, name, MATRIX_LIST, err);
    return finish(ret, &a, code ? code : add_values(&a, values, count, err));
}

int matrix_range(matrix_axis *ret, const char *name, int64_t first, int64_t last, int64_t step,
                 deja_error *err)
{
    uint64_t steps;
    if (!count_steps(first, last, step, &steps))
        return deja_fail(err, DEJA_EINVAL, "a step of %" PRId64 " never leads from %" PRId64 " to %" PRId64,
                         step, first, last);
    if (steps >= MATRIX_LIMIT)
        return too_many(name, err);
    matrix_axis a;
    int code = init(&a, name, MATRIX_RANGE, err);
    a.count = (uint32_t)steps + 1;
    a.first = first;
    a.step = first > last && step > 0 ? -step : step;
    return finish(ret, &a, code);
}

int matrix_linspace(matrix_axis *ret, const char *name, double begin, double end, int64_t count,
                    deja_error *err)
{
    if (count < 1)
        return deja_fail(err, DEJA_EINVAL, "a linspace has at least 1 value, not %" PRId64, count);
    if (count > (int64_t)MATRIX_LIMIT)
        return too_many(name, err);
    if (!isfinite(begin) || !isfinite(end) || !isfinite((end - begin) * (double)count))
        return deja_fail(err, DEJA_EINVAL, "the ends of a linspace must be finite and not too far apart");
    matrix_axis a;
    int code = init(&a, name, MATRIX_LINSPACE, err);
    a.count = (uint32_t)count;
    a.begin = begin;
    a.end = end;
    return finish(ret, &a, code);
}

int matrix_glob(matrix_axis *ret, const char *name, int dirfd, const char *pattern, deja_error *err)
{
    glob_list list = {0};
    int code = glob_find(dirfd, pattern, &list, err);
    if (!code)
        code = matrix_list(ret, name, list.paths, list.count, err);
    glob_list_done(&list);
    return code;
}

int matrix_lines(matrix_axis *ret, const char *name, int dirfd, const char *path, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    int code = deja_file_load(dirfd, path, FILE_LIMIT, &b, err);
    if (code)
        return code;
    matrix_axis a;
    code = init(&a, name, MATRIX_LIST, err);
    return finish(ret, &a, code ? code : take_lines(&a, &b, path, err));
}

int matrix_set_plain(matrix_axis *a, const uint8_t *plain, deja_error *err)
{
    a->plain = deja_dup(plain, a->count ? a->count : 1);
    return a->plain ? 0 : deja_fail(err, DEJA_ENOMEM, "out of memory");
}

int matrix_extend(matrix_axis *a, const char *const *values, const uint8_t *plain, size_t count,
                  deja_error *err)
{
    if (a->more || count > MATRIX_LIMIT - a->count)
        return too_many(a->name, err);
    matrix_axis *more = deja_calloc(1, sizeof *more);
    if (!more)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    int code = matrix_list(more, a->name, values, count, err);
    if (!code)
        code = matrix_set_plain(more, plain, err);
    if (code) {
        matrix_axis_done(more);
        deja_free(more);
        return code;
    }
    a->more = more;
    a->count += more->count;
    return 0;
}

void matrix_axis_done(matrix_axis *a)
{
    if (!a)
        return;
    deja_free(a->name);
    deja_free(a->text);
    deja_free(a->start);
    deja_free(a->plain);
    matrix_axis_done(a->more);
    deja_free(a->more);
    *a = (matrix_axis){0};
}

/* Decimal digits by hand: a batch of a million jobs writes a few million numbers, and printf takes longer
 * than all the rest. Returns where they begin in `room`. */
static const char *spell_integer(int64_t v, char room[MATRIX_ROOM])
{
    size_t n = MATRIX_ROOM;
    uint64_t rest = magnitude(v);
    room[--n] = '\0';
    do
        room[--n] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (v < 0)
        room[--n] = '-';
    return room + n;
}

/* The axis that has the value itself, and its index there. */
static const matrix_axis *owner(const matrix_axis *a, uint32_t *index)
{
    uint32_t count = matrix_own_count(a);
    if (*index < count)
        return a;
    *index -= count;
    return a->more;
}

const char *matrix_spell(const matrix_axis *a, uint32_t index, char room[MATRIX_ROOM])
{
    a = owner(a, &index);
    switch (a->kind) {
    case MATRIX_LIST:
        break;
    case MATRIX_RANGE:
        return spell_integer(range_value(a, index), room);
    case MATRIX_LINSPACE:
        deja_text_double(linspace_value(a, index), room);
        return room;
    }
    return a->text + a->start[index];
}

void matrix_value(const matrix_axis *a, uint32_t index, deja_buffer *b)
{
    char room[MATRIX_ROOM];
    deja_buffer_add_string(b, matrix_spell(a, index, room));
}

int64_t matrix_whole(const matrix_axis *a, uint32_t index)
{
    return range_value(a, index);
}

double matrix_real(const matrix_axis *a, uint32_t index)
{
    return linspace_value(a, index);
}

matrix_kind matrix_kind_of(const matrix_axis *a, uint32_t index)
{
    return owner(a, &index)->kind;
}

int matrix_is_plain(const matrix_axis *a, uint32_t index)
{
    a = owner(a, &index);
    return a->plain && a->plain[index];
}

const char *matrix_text(const matrix_axis *a, uint32_t index)
{
    a = owner(a, &index);
    return a->kind == MATRIX_LIST ? a->text + a->start[index] : NULL;
}

static int64_t find_own(const matrix_axis *a, const char *text)
{
    switch (a->kind) {
    case MATRIX_LIST:
        return find_text(a, text);
    case MATRIX_RANGE:
        return find_integer(a, text);
    case MATRIX_LINSPACE:
        return find_real(a, text);
    }
    return -1;
}

int64_t matrix_find(const matrix_axis *a, const char *text)
{
    int64_t own = find_own(a, text), more = own < 0 && a->more ? find_text(a->more, text) : -1;
    return more < 0 ? own : matrix_own_count(a) + more;
}
