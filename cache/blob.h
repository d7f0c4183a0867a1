#ifndef BLOB_H
#define BLOB_H
/*
 * Blobs: large contents as files "blobs/ab/cdef...", named by the hash of what is in them, mode 0444, never
 * rewritten. A blob is read through its descriptor: what was checked is what is used, whatever happens to the
 * name.
 */
#include "state.h"

#define BLOB_PATH 48 /* bytes of "blobs/ab/" and 30 digits, its NUL included */

void blob_path(const deja_hash *hash, char path[BLOB_PATH]);

/* An unnamed file where blobs live. Any thread. */
int blob_stage(const struct folder *f, deja_error *err);

/* 1 when a file of this name and size is there; nothing is said of what is in it. */
int blob_present(const struct folder *f, const deja_hash *hash, uint64_t size);

/*
 * A descriptor for reading, of a blob whose content is what its name says: hashed at its first use after boot
 * and whenever its stat data differ from those seen then. DEJA_ENOTFOUND, or DEJA_ECORRUPT with a warning;
 * lack of descriptors or memory is neither. Any thread.
 */
int blob_open(deja_cache *c, const deja_content *content, deja_error *err);

/* As blob_open without the descriptor; cheap when the blob was checked before. `ret_seen` (may be NULL) gets
   a mark of the file that was found sound. DEJA_ECANCELED when all is canceled. */
int blob_check(deja_cache *c, const deja_content *content, uint64_t *ret_seen, deja_error *err);

/* 1 when the blob is there and known to be sound, from one stat call; 0 when it would have to be opened. */
int blob_remembered(deja_cache *c, const deja_content *content, uint64_t *ret_seen);

/* A descriptor for the file of which a check said `seen`; never reads. DEJA_ENOTFOUND when it is gone, was
   replaced or written to. Any thread. */
int blob_open_seen(deja_cache *c, const deja_content *content, uint64_t seen, deja_error *err);

/* The content into a file, whose `path` is for messages. As blob_check, and DEJA_ENOTFOUND when the blob
   changed or went meanwhile: what was copied is not hashed, so it is to be what was checked. Any thread. */
int blob_copy(deja_cache *c, const deja_content *content, int to, const char *path, deja_error *err);

/*
 * Makes the content a durable blob: the stage `fd`, whose hash the caller has taken, is synced and gets the
 * name, unless a sound blob has it already. A damaged one is replaced. A failed fsync is final (PostgreSQL's
 * lesson). Any thread.
 */
int blob_publish(deja_cache *c, int fd, const deja_content *content, deja_error *err);

/* Removes a blob; one that is not there is fine. */
int blob_remove(const struct folder *f, const deja_hash *hash, deja_error *err);

/* Calls `each` for the hash of every blob of folder number `n` (0 to 255) until it returns non-zero. */
int blob_each(const struct folder *f, unsigned n, int (*each)(void *context, const deja_hash *hash),
              void *context, deja_error *err);

#endif
