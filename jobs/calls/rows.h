#ifndef ROWS_H
#define ROWS_H
/*
 * Items of a map: from arrays that are split along their first axis to values, and from results to elements.
 */
#include <deja/job.h>

/* The value of column `c` for item i: a number (F32 as F64, small integers as I64 or U64), or (in *view) the
 * sub-array, or what is the same for all. */
void rows_value(const deja_column *c, uint64_t i, deja_value *ret, deja_array *view);

/* Writes a number as element i of an array of BOOL, I64, U64 or F64. 0, or DEJA_ETYPE when it is none or does
 * not fit. */
int rows_put(const deja_array *into, uint64_t i, const deja_value *v, deja_error *err);

#endif
