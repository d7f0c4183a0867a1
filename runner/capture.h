#ifndef DEJA_RUNNER_CAPTURE_H
#define DEJA_RUNNER_CAPTURE_H
/*
 * One stream of a job: kept in memory, moved to a spool file when it outgrows that. What cannot go to the
 * spool that was given goes to a memfd, else stays in memory up to 16 times the limit; what is lost after
 * that is counted.
 */
#include <deja/buffer.h>
#include <deja/runner.h>

/* Where streams go; one for a runner. */
typedef struct capture_store {
    uint64_t limit;                               /* bytes in memory */
    int (*spool)(void *context, deja_error *err); /* NULL: a memfd */
    void *context;
} capture_store;

typedef struct capture {
    deja_buffer memory;
    uint64_t len;  /* bytes kept, in memory or in the file */
    uint64_t lost; /* bytes that are not; once there is one, all that follow are */
    int fd;        /* the spool, -1: still in memory */
    int given;     /* 1: `fd` came from the store's spool, 0: it is a memfd */
    int32_t error, sys_errno;
} capture;

void capture_init(capture *c);
void capture_add(capture *c, const capture_store *store, const char *data, size_t len);

/* Moves the stream out and leaves an empty one. */
void capture_take(capture *c, deja_captured *ret);
void capture_done(capture *c);

/* Gives back what a captured stream owns and zeroes it. */
void captured_done(deja_captured *c);

#endif
