#ifndef BLOCKS_H
#define BLOCKS_H
/*
 * `deja map --pipe`: a stream cut at the ends of records into blocks, each of which is the standard input of
 * a job. The source of a feed. One thread.
 */
#include "feed.h"

typedef struct blocks {
    int fd;                 /* what is cut; the caller's */
    size_t size;            /* a block ends with the last record that ends within so many bytes */
    const char *record_end; /* not empty */
    deja_buffer data;       /* private: not handed out yet */
    size_t seen;            /* private: so far there is no end of a record, once the block is full */
    int ended;
} blocks;

/* `next` and `fd` of feed_options; `context` is the blocks. */
int blocks_next(void *context, feed_row **ret, deja_error *err);
int blocks_fd(void *context);

/* Safe on zeroed memory. */
void blocks_done(blocks *b);

#endif
