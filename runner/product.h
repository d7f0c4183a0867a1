#ifndef PRODUCT_H
#define PRODUCT_H
/*
 * Making products: the memory or file that holds an image, and how it is given back by deja_product_done.
 */
#include <deja/pool.h>

enum product_kept {
    product_kept_none = 0,   /* a scalar, or nothing to give back */
    product_kept_map = -1,   /* `image` is a mapping of `len` bytes */
    product_kept_memory = 1, /* and above: `image` lies so many bytes, less 1, after what deja_free takes */
};

/* A scalar. */
deja_product product_of_scalar(const deja_value *v);

/* `len` bytes of zeroed memory at a multiple of 64, writable through *ret_data. 0 or DEJA_ENOMEM. */
int product_alloc(uint64_t len, deja_product *ret, void **ret_data, deja_error *err);

/* The same as an unnamed file of exactly this length, all of its room reserved: below `stage_folder`, or a
 * memfd where that is -1 or its file system has no such files. 0, DEJA_EFULL... */
int product_alloc_file(int stage_folder, uint64_t len, deja_product *ret, void **ret_data, deja_error *err);

/* From now on a write to it faults, where it has pages of its own. */
void product_freeze(deja_product *p);

/* Takes the `len` bytes of `fd` (taken) as a product: mapped read-only, but read where they are few
 * (sink_file_bytes), so that no descriptor is held for them. 0 or a negative code (fd closed). A file that
 * is shorter is DEJA_ECORRUPT; a memfd is sealed against getting shorter, and against writing where no
 * writable mapping is left. */
int product_of_file(int fd, uint64_t len, deja_product *ret, deja_error *err);

/* Copies `len` bytes (to a multiple of 64). 0 or DEJA_ENOMEM. */
int product_of_bytes(const void *image, uint64_t len, deja_product *ret);

#endif
