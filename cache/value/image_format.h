#ifndef IMAGE_FORMAT_H
#define IMAGE_FORMAT_H
/*
 * What writer and reader of images agree on: format 1 of FORMAT.md. An image is a head and one node; a node
 * is a word and what follows it, at multiples of 8. The low byte of a word is the kind, the rest the length;
 * of an array its dtype, its number of dimensions and where its elements are.
 */
#include <stdint.h>

#define IMAGE_MAGIC      UINT32_C(0x616a6564) /* "deja" */
#define IMAGE_FORMAT     UINT32_C(1)
#define IMAGE_HEAD       8  /* bytes: magic, format */
#define IMAGE_WORD       8  /* bytes */
#define IMAGE_DATA_ALIGN 64 /* of an array's elements, from the beginning of the image; a cache line */
#define IMAGE_INLINE     0  /* elements follow at the next multiple of IMAGE_DATA_ALIGN */
#define IMAGE_HEAP       1  /* an offset into the heap follows */

static inline uint64_t image_round(uint64_t n, uint64_t to)
{
    return (n + to - 1) & ~(to - 1);
}

static inline uint64_t image_word(uint32_t kind, uint64_t len)
{
    return kind | len << 8;
}

static inline uint64_t image_array_word(uint32_t kind, uint32_t dtype, uint32_t ndim, uint32_t place)
{
    return kind | (uint64_t)dtype << 8 | (uint64_t)ndim << 16 | (uint64_t)place << 24;
}

#endif
