#ifndef NPY_H
#define NPY_H
/*
 * The head of an .npy file, format 1.0 to 3.0:
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
#include <deja/value.h>

typedef struct npy_head {
    uint32_t dtype, ndim;
    int64_t shape[DEJA_NDIM_MAX];
    int is_fortran;  /* the first axis varies fastest */
    int is_big;      /* big-endian */
    uint64_t offset; /* of the elements in the file */
} npy_head;

/* 1: these bytes begin as an .npy does. */
int npy_is(const void *file, size_t len);

/* Any bytes; what lies behind the head is not looked at. 0, DEJA_ECORRUPT, DEJA_EVERSION, DEJA_ETYPE. */
int npy_parse(const void *file, size_t len, npy_head *ret, deja_error *err);

/* Turns the bytes of each element (of each part of a complex one) around. */
void npy_swap(void *data, uint32_t dtype, uint64_t bytes);

#endif
