#ifndef MATRIX_H
#define MATRIX_H
/*
 * The axes of a job and their product. A value is computed from its index, a job from its number: ranges and
 * linspaces store nothing, the lines of a file are loaded once. The names vary in the order written, the last
 * one fastest. After they are made, axes are only read: any thread may.
 */
#include <deja/buffer.h>
#include <stdint.h>

#define MATRIX_LIMIT UINT32_MAX /* jobs of one matrix; a job's number is 32 bits */

typedef enum matrix_kind {
    MATRIX_LIST,     /* texts: a list of scalars, the paths of a glob, the lines of a file */
    MATRIX_RANGE,    /* integers */
    MATRIX_LINSPACE, /* reals */
} matrix_kind;

/* One axis. Zeroed memory is an empty list. */
typedef struct matrix_axis {
    char *name;
    matrix_kind kind;
    uint32_t count;      /* of values */
    char *text;          /* LIST: the values, each followed by a NUL */
    uint32_t *start;     /* LIST: where each value begins in `text` */
    int64_t first, step; /* RANGE: value i = first + i * step */
    double begin, end;   /* LINSPACE: value i = begin + i * (end - begin) / (count - 1) */
} matrix_axis;

/* Makers write an axis into the caller's memory. DEJA_ELIMIT for more than MATRIX_LIMIT values, DEJA_EINVAL
 * for nonsense. */
int matrix_list(matrix_axis *ret, const char *name, const char *const *values, size_t count, deja_error *err);

/* Both ends; `step` is positive (1 unless given) and counts downwards when first > last: [5, 1] is 5 4 3 2 1,
   [0, 10, 4] is 0 4 8. A negative step is allowed where it leads from first to last. */
int matrix_range(matrix_axis *ret, const char *name, int64_t first, int64_t last, int64_t step,
                 deja_error *err);

/* `count` >= 1 numbers from begin to end, both finite; the last one is exactly `end`, one number is `begin`.
 */
int matrix_linspace(matrix_axis *ret, const char *name, double begin, double end, int64_t count,
                    deja_error *err);

/* The paths that match, sorted by bytes (perhaps none: the caller decides). */
int matrix_glob(matrix_axis *ret, const char *name, int dirfd, const char *pattern, deja_error *err);

/* The lines of a file without their newline, verbatim (a carriage return stays), empty ones skipped. A NUL in
 * it is DEJA_EINVAL. */
int matrix_lines(matrix_axis *ret, const char *name, int dirfd, const char *path, deja_error *err);

void matrix_axis_done(matrix_axis *a);

/* Appends value `index` (< count). A number is the shortest text that reads back equal. */
void matrix_value(const matrix_axis *a, uint32_t index, deja_buffer *b);

/* The same as a number: of a RANGE, of a LINSPACE. */
int64_t matrix_whole(const matrix_axis *a, uint32_t index);
double matrix_real(const matrix_axis *a, uint32_t index);

/* The text of a LIST value in place, NULL for other kinds. */
const char *matrix_text(const matrix_axis *a, uint32_t index);

/* Any value as text: in place, or, of a number, in `room`. */
#define MATRIX_ROOM 32
const char *matrix_spell(const matrix_axis *a, uint32_t index, char room[MATRIX_ROOM]);

/* The index of the first value that is spelled `text`; numbers of ranges and linspaces also by value
 * ("2.50"). -1 when there is none. */
int64_t matrix_find(const matrix_axis *a, const char *text);

/* A product of axes; no axes make one job. The axes are borrowed. */
typedef struct matrix {
    const matrix_axis *axes;
    size_t count; /* of axes */
} matrix;

/* The number of jobs, 0 when an axis is empty. DEJA_ELIMIT above MATRIX_LIMIT. */
int matrix_count(const matrix *m, uint32_t *ret, deja_error *err);

/* The index on each axis of job `number`, and back. `indices` has m->count items. */
void matrix_indices(const matrix *m, uint32_t number, uint32_t *indices);
uint32_t matrix_number(const matrix *m, const uint32_t *indices);

/* The axis of that name, NULL when there is none. */
const matrix_axis *matrix_axis_of(const matrix *m, const char *name);

#endif
