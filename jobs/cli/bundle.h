#ifndef BUNDLE_H
#define BUNDLE_H
/*
 * What one job of `deja map` gets: a row of arguments, several in turn, or as many as fit. The source of a
 * feed. One thread.
 */
#include "feed.h"
#include "rows.h"

typedef struct bundle_options {
    size_t each;      /* so many rows a job, the last one perhaps fewer; 0: as many as fit */
    size_t fit_bytes; /* into so many bytes */
    size_t times;     /* so often the arguments stand in a command */
    int is_shell;     /* they are quoted for a shell */
    unsigned slots;   /* what does not fill a command at the end is spread over so many */
} bundle_options;

typedef struct bundle {
    bundle_options options;
    rows *rows;
    texts texts;      /* of the job at hand */
    texts coming;     /* the row that perhaps fits in */
    size_t row_count; /* in `texts` */
    size_t bytes;     /* what they cost */
    size_t share;     /* at the end: so many texts a job; 0: it is not the end */
    size_t given;     /* at the end: so many are given */
    deja_error unfit; /* why there can be no job of these; code 0: there can */
} bundle;

/* `next` and `fd` of feed_options; `context` is the bundle. */
int bundle_next(void *context, feed_row **ret, deja_error *err);
int bundle_fd(void *context);

/* Bytes that the arguments of one command can have, whose own words, or shell text, have `fixed` bytes. */
size_t bundle_room(size_t fixed, int is_shell);

/* Safe on zeroed memory. The rows are the caller's. */
void bundle_done(bundle *b);

#endif
