#ifndef MATRIX_AXIS_H
#define MATRIX_AXIS_H
/*
 * One name of a matrix with its values. A value is computed from its index: ranges and linspaces store
 * nothing, the lines of a file are loaded once. After they are made, axes are only read: any thread may.
 */
#include <deja/buffer.h>
#include <stdint.h>

#define MATRIX_LIMIT UINT32_MAX /* jobs of one matrix; a job's number is 32 bits */
#define MATRIX_DIMS  100        /* axes of one matrix at most; they are searched one by one */

typedef enum matrix_kind {
    MATRIX_LIST,     /* texts: a list of scalars, the paths of a glob, the lines of a file */
    MATRIX_RANGE,    /* integers */
    MATRIX_LINSPACE, /* reals */
} matrix_kind;

/* One axis. Zeroed memory is an empty list. */
typedef struct matrix_axis {
    char *name;
    matrix_kind kind;
    uint32_t count;           /* of values, those in `more` included */
    uint8_t *plain;           /* LIST: 1 for each value that was written without quotes; NULL: none was */
    struct matrix_axis *more; /* a list of values that come behind the others; NULL */
    char *text;               /* LIST: the values, each followed by a NUL */
    uint32_t *start;          /* LIST: where each value begins in `text` */
    int64_t first, step;      /* RANGE: value i = first + i * step */
    double begin, end;        /* LINSPACE: value i = begin + i * (end - begin) / (count - 1) */
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

/* Says of each value of a list whether it is plain (copied). DEJA_ENOMEM. */
int matrix_set_plain(matrix_axis *a, const uint8_t *plain, deja_error *err);

/* Adds values behind all others, once. DEJA_ENOMEM, DEJA_ELIMIT. */
int matrix_extend(matrix_axis *a, const char *const *values, const uint8_t *plain, size_t count,
                  deja_error *err);

void matrix_axis_done(matrix_axis *a);

/* Appends value `index` (< count). A number is the shortest text that reads back equal. */
void matrix_value(const matrix_axis *a, uint32_t index, deja_buffer *b);

/* The same as a number: of a RANGE, of a LINSPACE. */
int64_t matrix_whole(const matrix_axis *a, uint32_t index);
double matrix_real(const matrix_axis *a, uint32_t index);

/* What kind of value it is: those of `more` are texts. */
matrix_kind matrix_kind_of(const matrix_axis *a, uint32_t index);

/* 1 for a text that was written without quotes: it may stand for a number, a truth value, null. */
int matrix_is_plain(const matrix_axis *a, uint32_t index);

/* How many values it has without those of `more`. */
uint32_t matrix_own_count(const matrix_axis *a);

/* The text of a LIST value in place, NULL for other kinds. */
const char *matrix_text(const matrix_axis *a, uint32_t index);

/* Any value as text: in place, or, of a number, in `room`. */
#define MATRIX_ROOM 32
const char *matrix_spell(const matrix_axis *a, uint32_t index, char room[MATRIX_ROOM]);

/* The index of the first value that is spelled `text`; numbers of ranges and linspaces also by value
 * ("2.50"). -1 when there is none. */
int64_t matrix_find(const matrix_axis *a, const char *text);

#endif
