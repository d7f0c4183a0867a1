#ifndef DEJA_IMAGE_H
#define DEJA_IMAGE_H
/*
 * Images: a value as one run of bytes that is used where it lies, be it in a row of the database, in a mapped
 * blob, in memory shared with a worker or in a file of deja_dump(). Reading makes a few nodes and no copy of
 * text or numbers; arrays lie at multiples of 64 bytes from the beginning of the image. Nothing read is
 * believed: every length, kind and depth is checked, so that damaged or hostile bytes are DEJA_ECORRUPT and
 * never a fault.
 *
 * Format 1 in cache/value/FORMAT.md. Little-endian.
 */
#include <deja/buffer.h>
#include <deja/memory.h>
#include <deja/value.h>

/*
 * Memory that reader and writer share at the same address (the heap of a pool). An array without gaps that
 * lies in it whole is written as a reference, an offset and a shape, and read as a view. NULL: none, and a
 * reference is DEJA_ECORRUPT. Images that outlive the heap are written without.
 */
typedef struct deja_image_heap {
    const void *base;
    uint64_t len;
    /* For writing: 1 where these bytes do not change any more; an array elsewhere is copied. NULL: nothing
     * in the heap changes as long as the image is used. The answer stays the same from measuring to writing.
     */
    int (*is_fixed)(const void *context, const void *data, uint64_t len);
    const void *context;
} deja_image_heap;

/* Bytes of the image of `v`, a multiple of 8; UINT64_MAX for no value (deja_value_check says why). */
DEJA_API uint64_t deja_image_size(const deja_value *v, const deja_image_heap *heap);

/* Writes the image to `to`, which has room for deja_image_size() bytes and is aligned to 64. Returns its
 * size. `v` was measured before. */
DEJA_API uint64_t deja_image_write(const deja_value *v, const deja_image_heap *heap, void *to);

/* Appends it to an empty buffer, without a heap. Sticky. The memory is aligned to 16 only: good for writing
 * and, copied, for reading. */
DEJA_API void deja_image_add(deja_buffer *b, const deja_value *v);

/*
 * The value in an image. Nodes come from `arena`, text and numbers are borrowed from the image. `image` is
 * aligned to 16 (64 for arrays that are to be aligned so). A scalar takes nothing from the arena. 0,
 * DEJA_ECORRUPT, DEJA_EVERSION (a format of later times) or DEJA_ENOMEM.
 */
DEJA_API int deja_image_read(const void *image, size_t len, const deja_image_heap *heap, deja_arena *arena,
                             deja_value *ret, deja_error *err);

/*
 * The image of one array whose numbers somebody writes later: the head that goes in front of them. `head`
 * gets at most DEJA_IMAGE_HEAD_MOST bytes; the numbers follow at *ret_offset (a multiple of 64), the image
 * ends at *ret_size. 0 or DEJA_EINVAL (dtype, shape, too large).
 */
#define DEJA_IMAGE_HEAD_MOST 384
DEJA_API int deja_image_array_head(uint32_t dtype, uint32_t ndim, const int64_t *shape, void *head,
                                   uint64_t *ret_offset, uint64_t *ret_size, deja_error *err);
#endif
