#ifndef SINK_H
#define SINK_H
/*
 * Where the result of one call goes while its function runs: numbers into deja_out itself, all else as an
 * image, into memory or, for deja_return_array, into an unnamed file that later becomes the blob. Used in
 * workers and in this process alike. One thread at a time.
 */
#include <deja/buffer.h>
#include <deja/pool.h>

typedef struct deja_sink {
    int stage_folder;  /* -1: memfd */
    deja_buffer image; /* of deja_return_value */
    int fd;            /* of deja_return_array; -1 */
    void *map;         /* that file, mapped: head and numbers */
    uint64_t map_len;
    deja_error failed; /* code != 0: the first failure of a deja_return... */
} deja_sink;

void sink_init(deja_sink *s, int stage_folder);

/* Ready for another call; keeps memory where that is cheap. */
void sink_clear(deja_sink *s);

/* Moves out what the function returned. 0 or the code of `failed`. */
int sink_take(deja_sink *s, const deja_out *out, deja_product *ret, deja_error *err);
void sink_done(deja_sink *s);

/* Maps the `len` bytes of `fd` (taken) read-only as a product; 0 or a negative code (fd closed). */
int product_of_file(int fd, uint64_t len, deja_product *ret, deja_error *err);

/* Copies `len` bytes (to a multiple of 64). 0 or DEJA_ENOMEM. */
int product_of_bytes(const void *image, uint64_t len, deja_product *ret, deja_error *err);

#endif
