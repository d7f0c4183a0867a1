#ifndef FEED_H
#define FEED_H
/*
 * Instances that become known while the run goes on: rows of arguments, pulled from a source when the run can
 * take one more, and forgotten when their job is over. Not more is held than the jobs in flight need, however
 * many rows there are. One thread.
 */
#include <deja/buffer.h>
#include <deja/key.h>
#include <stdint.h>

typedef struct feed feed;

/* The arguments of one instance. One allocation, and perhaps a descriptor. */
typedef struct feed_row {
    struct feed_row *next; /* private */
    uint32_t index;
    uint32_t count;
    const char **values;  /* NUL-terminated, `count` of them */
    size_t bytes;         /* what it holds, for the limit */
    int fd;               /* what its job reads as standard input, from its first byte on; -1: nothing */
    deja_content content; /* of that */
    deja_error *error;    /* there can be no such job: why; else NULL */
} feed_row;

typedef struct feed_options {
    /* The next row: 1; 0: it is not there yet, see `fd`; FEED_END: there is none; negative: the source
     * failed, and has ended. */
    int (*next)(void *context, feed_row **ret, deja_error *err);
    /* The descriptor that has to be readable for `next` to get on. */
    int (*fd)(void *context);
    void *context;
    const char *const *names; /* of the first `name_count` arguments; others are called by their number */
    size_t name_count;
    size_t rows_most;  /* so many rows are held at once ... */
    size_t bytes_most; /* ... or bytes, but for the last row */
    int names_files;   /* an argument that is the path of a file or folder is an input */
} feed_options;

enum { FEED_END = 2 };

/* Borrows what the options point to. DEJA_ENOMEM. */
int feed_open(feed **ret, const feed_options *options, deja_error *err);

/* A row of these values, `fd` -1. NULL: out of memory. */
feed_row *feed_row_new(const char *const *values, const size_t *lens, size_t count);
void feed_row_free(feed_row *row); /* closes its descriptor; NULL is fine */

/* The next instance: 1 and its number, with `*ret_error` NULL or, borrowed until it is dropped, why it cannot
 * run. 0: none now, or never, see feed_fd and feed_finished. */
int feed_next(feed *f, uint32_t *ret, const deja_error **ret_error);

/* An instance that was handed out cannot run: why, borrowed until it is dropped. */
const deja_error *feed_refuse(feed *f, uint32_t index, const deja_error *why);

/* Of an instance that was handed out and not dropped, else NULL. */
const feed_row *feed_get(const feed *f, uint32_t index);

/* Its result is known; nobody asks for its row any more. */
void feed_settle(feed *f);
void feed_drop(feed *f, uint32_t index);

/* To be polled for POLLIN before feed_next is called again; -1: after a drop. */
int feed_fd(const feed *f);

/* How many instances there are by now: 1 when that is all. */
int feed_count(const feed *f, uint32_t *ret);

/* All there are have been handed out and are settled. */
int feed_finished(const feed *f);

int feed_names_files(const feed *f);

/* The name of argument `at` (from 0): of the header, or its number. Appended. */
void feed_argument_name(const feed *f, uint32_t at, deja_buffer *b);

/* "[1=a,2=b]" for people: of many arguments the first few. Appended. */
void feed_name(const feed *f, uint32_t index, deja_buffer *b);

/* NULL is fine. */
void feed_close(feed *f);

#endif
