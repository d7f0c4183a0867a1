#ifndef MATRIX_H
#define MATRIX_H
/*
 * The instances of a job: rows of values, one of each axis. A row is computed from its number. Most matrices
 * are the product of their axes, in the order written, the last one fastest; others have a shape that says
 * what is different. After it is made a matrix is only read: any thread may.
 */
#include "matrix_axis.h"
#include <deja/memory.h>

/* A product of axes, or what `shape` makes of them; no axes make one job. */
typedef struct matrix {
    const matrix_axis *axes;
    size_t count;                     /* of axes */
    const struct matrix_shape *shape; /* NULL: the product */
} matrix;

/* The number of jobs, 0 when an axis is empty. DEJA_ELIMIT above MATRIX_LIMIT. */
int matrix_count(const matrix *m, uint32_t *ret, deja_error *err);

/* The index on each axis of job `number`. `indices` has m->count items. */
void matrix_indices(const matrix *m, uint32_t number, uint32_t *indices);

/* 1 when every combination of values is there, once, and numbers go by strides. */
int matrix_is_product(const matrix *m);

/* The axis of that name, NULL when there is none. */
const matrix_axis *matrix_axis_of(const matrix *m, const char *name);

/* ---- shapes ---- */

/* What is asked of one axis: `fits` has 1 for each of its values that will do; NULL: only value `only` does.
 */
typedef struct matrix_clause {
    size_t axis;
    const char *fits;
    uint32_t only; /* UINT32_MAX: none */
} matrix_clause;

/* All clauses hold; none hold always. */
typedef struct matrix_condition {
    const matrix_clause *clauses;
    size_t count;
} matrix_condition;

/* A row that is added, or values that are added to rows: of an axis of the group MATRIX_ADDED. */
typedef struct matrix_entry {
    matrix_condition where; /* rows that get its values; those of the product and of entries before it */
    const uint32_t
        *row; /* where there are none: a row of its own, an index of each axis; NULL: it lacks some */
    const size_t *added;   /* axes that get a value, */
    const uint32_t *value; /* and which */
    size_t added_count;
} matrix_entry;

#define MATRIX_ADDED UINT32_MAX

/* What is different from a product. Zeroed: nothing. */
typedef struct matrix_design {
    const uint32_t
        *groups; /* of each axis: axes of the same group advance together; a group is where its first axis is;
                    MATRIX_ADDED: entries say the values. NULL: each is one of its own */
    const matrix_condition *exclude; /* rows of the product that are left out */
    size_t exclude_count;
    const matrix_entry *entries;
    size_t entry_count;
    const matrix_condition *when; /* with any: only rows that one of them holds for */
    size_t when_count;
    int has_when;
} matrix_design;

/* What is wrong with a design, for messages. */
typedef struct matrix_fault {
    enum {
        MATRIX_UNEQUAL,  /* axis `one` and axis `other` of a group have different numbers of values */
        MATRIX_NO_ROW,   /* entry `one` holds for no row, and is none itself */
        MATRIX_NO_VALUE, /* no entry gives axis `one` a value in the row `indices` */
        MATRIX_EMPTY,    /* nothing is left */
        MATRIX_OTHER,    /* `err` says it */
    } kind;
    size_t one, other;
    uint32_t *indices;
} matrix_fault;

/*
 * Gives a matrix, whose axes have all their values, its shape, from `arena`. A row costs nothing where
 * conditions do not ask about it; else 4 bytes. Takes the time of looking at the product of the axes that
 * conditions ask about. Any failure fills `ret`.
 */
int matrix_shape_make(matrix *m, const matrix_design *d, deja_arena *arena, matrix_fault *ret,
                      deja_error *err);

#endif
