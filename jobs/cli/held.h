#ifndef HELD_H
#define HELD_H
/*
 * Output of jobs that waits to be written: in memory up to a limit for all of it, beyond that in one unnamed
 * file; large files as descriptors of their own. One thread.
 */
#include <deja/buffer.h>
#include <deja/error.h>

/* Bytes: in memory, or off..off+len of a file. */
typedef struct held_span {
    const char *data;
    int fd; /* >= 0: in this file */
    uint64_t off, len;
} held_span;

/* A piece: the rest of one stream, then all of a second one. */
typedef struct held {
    struct held *next;
    uint64_t off;    /* of the first byte that is left, in data or in the file */
    uint64_t len[2]; /* bytes left: standard output, standard error */
    int fd;          /* -1: the bytes are in `data` */
    int more;        /* the owner's: the next piece belongs to the same output */
    uint32_t cap;    /* of data */
    char data[];
} held;

/* Zeroed memory with spool_fd -1 and a limit is ready. */
typedef struct held_pool {
    uint64_t limit, memory; /* bytes; what is kept in memory, overhead included */
    const char *folder;     /* of the unnamed file, NULL: chosen */
    int spool_fd;
    uint64_t spool_end;  /* bytes in the file */
    size_t spool_pieces; /* that are still in it */
    unsigned files;      /* pieces that are descriptors */
    int lost;            /* something could be kept nowhere: `trouble` */
    deja_error trouble;
} held_pool;

/* Opens an unnamed file in `folder`, NULL: TMPDIR, else in /var/tmp, else in /tmp. fd or negative code. */
int held_unnamed(const char *folder, deja_error *err);

/* An empty piece in memory with room for `cap` bytes, NULL when over the limit or out of memory. */
held *held_new(held_pool *p, uint32_t cap);

/* A piece, or a chain of them, with a copy of the bytes; NULL when both are empty or they could be kept
 * nowhere. */
held *held_keep(held_pool *p, const held_span *out, const held_span *err);

/* Adds to a piece made by held_new: 1, or 0 when it does not fit or would not be in order. */
int held_append(held *h, int stream, const char *data, size_t len);

/* Bytes at the front, at most `most`; from a file they are read into `buffer`. NULL and an error when they
 * cannot be. */
const char *held_peek(const held *h, char *buffer, size_t most, size_t *ret_len, deja_error *err);

/* The stream at the front: 0 output, 1 error. */
int held_stream(const held *h);

/* Takes `len` bytes off the front. */
void held_skip(held *h, size_t len);

/* Frees one piece. NULL is fine. */
void held_free(held_pool *p, held *h);

void held_pool_done(held_pool *p);

#endif
