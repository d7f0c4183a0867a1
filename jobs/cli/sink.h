#ifndef SINK_H
#define SINK_H
/*
 * A descriptor to which output goes, written without blocking although it is a blocking one (it belongs to
 * other processes too). One thread.
 */
#include <deja/error.h>
#include <stddef.h>
#include <sys/stat.h>

#define SINK_CHUNK (1 << 16) /* bytes of one write to a regular file */

typedef struct sink {
    int fd;
    const char *name; /* for messages */
    dev_t dev;        /* which file it is; 0 where that is not known */
    ino_t ino;
    int direct; /* never blocks for long: a regular file */
    int terminal;
    int mid_line;     /* the last byte written was no newline */
    int unread;       /* EPIPE: the reader went away */
    int dead;         /* a write failed: what goes there is dropped */
    deja_error error; /* of that write, code 0 for EPIPE */
} sink;

void sink_begin(sink *s, int fd, const char *name);

/* 1 when both are one file. */
int sink_is_same(const sink *a, const sink *b);

/* 1 when some bytes can be written without waiting. */
int sink_is_ready(const sink *s);

/* How many bytes to offer at a time. */
size_t sink_most(const sink *s);

/* Writes the front of `data`, as much as does not block: bytes written (or dropped), 0 when it would block.
 */
size_t sink_write(sink *s, const char *data, size_t len);

#endif
