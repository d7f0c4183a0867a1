#ifndef PIECE_H
#define PIECE_H
/*
 * One content of a result on its way in: taken hold of in memory where it is small, in a stage where it is
 * large. Files are copied before they are hashed, so that what is stored is what was hashed, whatever happens
 * to them afterwards.
 */
#include "state.h"

typedef struct piece {
    int fd;     /* a stage with a large content, or -1 */
    void *data; /* memory with a small one, or NULL where it is borrowed */
} piece;

/* The first `len` bytes of an open file; `what` is its name in messages. DEJA_ECHANGED when it has fewer, or
   is small and has more. May be called again for the same piece. */
int piece_take_file(deja_cache *c, int fd, uint64_t len, const char *what, piece *p, deja_stored *ret,
                    deja_error *err);

/* All of a stream. Memory is borrowed where it is small; a file that is a stage already becomes the blob
 * itself. */
int piece_take_bytes(deja_cache *c, const deja_payload *bytes, const char *what, piece *p, deja_stored *ret,
                     deja_error *err);

/* The text of a symbolic link. */
int piece_take_link(int root_fd, const char *path, piece *p, deja_stored *ret, deja_error *err);

/* A zeroed piece holds descriptor 0: begin with fd -1. */
void piece_done(piece *p);

#endif
