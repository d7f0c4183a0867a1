#ifndef DEJA_ITEM_H
#define DEJA_ITEM_H
/*
 * What goes into and comes out of the items of a map, the same for every backend: elements of arrays as
 * values, results as elements of `into`.
 */
#include <deja/pool.h>

/* Checks what a map says of itself: columns that are as long as it has items, an `into` that can take them.
 */
DEJA_API int deja_items_check(const deja_map_task *m, const char *name, deja_error *err);

/* The head of a sub-array of a column, for deja_item_value. */
typedef struct deja_item_node {
    deja_array array;
    int64_t shape[DEJA_NDIM_MAX], strides[DEJA_NDIM_MAX];
} deja_item_node;

/* 1: the items of `a` along its first axis are arrays and need a node each. */
DEJA_API int deja_item_is_nested(const deja_array *a);

/* Fills what is the same for all items; once before deja_item_value. */
DEJA_API void deja_item_node_init(const deja_array *a, deja_item_node *node);

/* Item i of `a` along its first axis: a scalar, or a view by `node` (valid until the next one). */
DEJA_API deja_value deja_item_value(const deja_array *a, uint64_t i, deja_item_node *node);

/* Stores a scalar as an element of `dtype`: the same kind, or a whole number where nothing is lost. 0 or
 * DEJA_ETYPE. */
DEJA_API int deja_item_store(const deja_value *v, uint32_t dtype, void *data, uint64_t i, deja_error *err);

/* The scalar at place i of plain numbers of `dtype` (BOOL, I64, U64, F64). */
DEJA_API deja_value deja_item_load(uint32_t dtype, const void *data, uint64_t i);

#endif
