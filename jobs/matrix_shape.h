#ifndef MATRIX_SHAPE_H
#define MATRIX_SHAPE_H
/*
 * What makes a matrix more than a product. Private to matrix.c and matrix_shape.c.
 *
 * Axes that advance together are one dimension. Conditions ask about dimensions low..high-1 only: rows are
 * numbered as (combination before these, one of the combinations that are kept, combination behind); then
 * come rows of their own.
 */
#include "matrix.h"

typedef struct matrix_shape {
    uint32_t *dim_of; /* of each axis, or MATRIX_ADDED */
    uint32_t *dims;   /* how many positions each dimension has */
    size_t dim_count;
    size_t low, high;
    uint32_t tail;        /* combinations of the dimensions from `high` on */
    const uint32_t *kept; /* those of low..high-1 that are kept, in order; NULL: all */
    uint32_t kept_count;
    uint32_t product;          /* rows of the product that are kept */
    const uint32_t *rows;      /* rows of their own: an index of each axis */
    uint32_t count;            /* of all rows */
    const matrix_entry *added; /* entries that give values, in order */
    size_t added_count;
} matrix_shape;

/* As matrix_indices, of a matrix with this shape. */
void matrix_shape_indices(const matrix *m, uint32_t number, uint32_t *indices);

#endif
