#ifndef ARRAY_H
#define ARRAY_H
/*
 * What the files of this folder share about arrays: visiting the elements of any view in C order, and
 * checking a shape.
 */
#include <deja/hash.h>
#include <deja/value.h>

#define ARRAY_BYTES_MAX (UINT64_C(1) << 55) /* of one array; a node of an image has 56 bits for a length */

/* A visit of all elements in C order. `a` is borrowed and was checked. */
typedef struct array_walk {
    const deja_array *a;
    uint64_t size;                  /* of an element, bytes */
    uint64_t left;                  /* elements that are still to come */
    int64_t index[DEJA_NDIM_MAX];   /* of the next element */
    int64_t strides[DEJA_NDIM_MAX]; /* bytes */
    const char *row;                /* the present row: index 0 of the last axis */
} array_walk;

void array_walk_begin(array_walk *w, const deja_array *a);

/* Copies as many of the next elements as fit into `room` bytes, without gaps. Returns the bytes copied, 0 at
 * the end (or when not one fits). */
uint64_t array_walk_fill(array_walk *w, void *to, uint64_t room);

/* DEJA_EINVAL or DEJA_ETYPE for an array that is none. */
int array_check(const deja_array *a, deja_error *err);

/* As array_check for a dtype and a shape alone. */
int array_check_shape(uint32_t dtype, uint32_t ndim, const int64_t *shape, deja_error *err);

/* The alignment that the elements want, bytes: that of a part for complex ones. */
uint64_t array_alignment(uint32_t dtype);

/* 1: equal dtype, shape and bytes. */
int array_equal(const deja_array *a, const deja_array *b);

/* XXH3-128 of the elements in C order. 0 or DEJA_ENOMEM (never for a plain array). */
int array_hash(const deja_array *a, deja_hash *ret, deja_error *err);

#endif
