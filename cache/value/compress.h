#ifndef COMPRESS_H
#define COMPRESS_H
/*
 * zstd (RFC 8878), the only file that knows it.
 */
#include <deja/error.h>
#include <stddef.h>
#include <stdint.h>

#define COMPRESS_LEVEL_MOST 19 /* above it zstd wants more memory than it is worth */

/* Writes `len` bytes as one frame to `fd` from `offset` on; *ret_stored is its length. `path` is for the
 * message. */
int compress_to(int fd, uint64_t offset, const void *data, size_t len, int level, uint64_t *ret_stored,
                const char *path, deja_error *err);

/* Fills exactly `len` bytes from one frame of exactly `stored`. 0, DEJA_ECORRUPT or DEJA_ENOMEM; `to` may
 * have been written to. */
int compress_undo(const void *frame, size_t stored, void *to, size_t len, deja_error *err);

#endif
