#ifndef VALUE_PATTERN_H
#define VALUE_PATTERN_H
/*
 * A pattern over the values of an axis: `a*`, `[0-9]?`, `\*`. A value is a text, no path: `*` is any bytes,
 * slashes and leading dots included. One without * ? [ is a value; of ranges and linspaces it is compared as
 * a number.
 */
#include "matrix.h"
#include <deja/memory.h>

typedef struct value_pattern {
    const char *text;
    size_t len;
    const char *literal; /* the value that it stands for; NULL: a pattern */
} value_pattern;

/* Copies `text` into `arena`. 0 or DEJA_ENOMEM. */
int value_pattern_init(value_pattern *ret, const char *text, size_t len, deja_arena *arena);

/* 1 when value `index` of the axis matches. */
int value_pattern_matches(const value_pattern *p, const matrix_axis *a, uint32_t index);

#endif
