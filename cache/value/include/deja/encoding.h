#ifndef DEJA_ENCODING_H
#define DEJA_ENCODING_H
/*
 * The canonical encoding of a value, for keys: equal values encode to equal bytes on every machine and for
 * ever (golden vectors), different ones to different bytes. Arrays and files stand in it by their 128-bit
 * content hash. Format in cache/value/FORMAT.md.
 */
#include <deja/buffer.h>
#include <deja/hash.h>
#include <deja/value.h>

typedef struct deja_encoding_options {
    /* The hash of an array's numbers (C order), for one who remembers it; NULL: computed. 0, or a negative
     * code. */
    int (*array_hash)(void *context, const deja_array *a, deja_hash *ret, deja_error *err);
    /* The hash of a file's content and its size; NULL: the file is read. 0, or a negative code. */
    int (*file_hash)(void *context, const char *path, deja_hash *ret, uint64_t *ret_size, deja_error *err);
    void *context;
} deja_encoding_options;

/* Appends the encoding of `v`. 0, DEJA_EINVAL or DEJA_ETYPE (deja_value_check), DEJA_ENOMEM, or what reading
 * a file said. `options` NULL: none. */
DEJA_API int deja_encode(deja_buffer *b, const deja_value *v, const deja_encoding_options *options,
                         deja_error *err);

/* XXH3-128 over the canonical encoding. */
DEJA_API int deja_value_hash(const deja_value *v, deja_hash *ret, deja_error *err);

#endif
