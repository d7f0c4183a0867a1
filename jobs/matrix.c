/*
 * Numbers of instances and their values.
 */
#include "matrix.h"
#include "matrix_shape.h"
#include <inttypes.h>
#include <string.h>

int matrix_count(const matrix *m, uint32_t *ret, deja_error *err)
{
    uint64_t count = 1;
    if (m->shape) {
        *ret = m->shape->count;
        return 0;
    }
    for (size_t k = 0; k < m->count; k++)
        if (m->axes[k].count == 0) {
            *ret = 0;
            return 0;
        }
    for (size_t k = 0; k < m->count; k++) {
        count *= m->axes[k].count;
        if (count > MATRIX_LIMIT)
            return deja_fail(err, DEJA_ELIMIT, "the matrix has more than %" PRIu32 " jobs", MATRIX_LIMIT);
    }
    *ret = (uint32_t)count;
    return 0;
}

void matrix_indices(const matrix *m, uint32_t number, uint32_t *indices)
{
    if (m->shape) {
        matrix_shape_indices(m, number, indices);
        return;
    }
    for (size_t k = m->count; k-- > 0;) {
        indices[k] = number % m->axes[k].count;
        number /= m->axes[k].count;
    }
}

int matrix_is_product(const matrix *m)
{
    return !m->shape;
}

const matrix_axis *matrix_axis_of(const matrix *m, const char *name)
{
    for (size_t k = 0; k < m->count; k++)
        if (strcmp(m->axes[k].name, name) == 0)
            return &m->axes[k];
    return NULL;
}
