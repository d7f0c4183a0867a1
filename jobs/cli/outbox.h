#ifndef OUTBOX_H
#define OUTBOX_H
/*
 * What goes to standard output and standard error, in one order, without ever waiting for a reader.
 *
 * Bytes are queued and written when the descriptor takes them: a regular file at once; a pipe or a terminal
 * when poll(2) says so, at most PIPE_BUF bytes at a time, which then do not block (pipe(7)); the descriptors
 * stay as they were inherited. What waits is kept in memory up to a limit, beyond that in one unnamed file;
 * large files are kept as descriptors.
 *
 * Lines of ours go to standard error between the streams of jobs, never into one. A status line is drawn on a
 * terminal while nothing is half-written, and cleared before anything else appears there.
 *
 * One thread.
 */
#include "flow.h"

typedef struct outbox outbox;

typedef struct outbox_options {
    int out_fd, err_fd;    /* borrowed */
    uint64_t memory_limit; /* bytes kept in memory; 0: 64 MB */
    const char *folder;    /* of the unnamed file; NULL: TMPDIR, else /var/tmp, else /tmp */
} outbox_options;

int outbox_open(outbox **ret, const outbox_options *options, deja_error *err);

/* Queues a job's standard output and, after it, its standard error. NULL stands for nothing. */
void outbox_put(outbox *o, const flow_bytes *out, const flow_bytes *err);

/* Queues one output in parts: with `more` nothing may come between this part and the next one. */
void outbox_put_part(outbox *o, const flow_bytes *out, int more);

/* Output could not be had: outbox_trouble tells of the first time. */
void outbox_lose(outbox *o, const deja_error *err);

/* Keeps the same for later; NULL when both are empty. */
typedef struct outbox_held outbox_held;
outbox_held *outbox_hold(outbox *o, const flow_bytes *out, const flow_bytes *err);

/* Queues what was held and frees it. NULL is fine. */
void outbox_release(outbox *o, outbox_held *held);

/* Queues text of ours for standard error: whole lines, escaped already. */
void outbox_line(outbox *o, const char *text, size_t len);

/* 1 when standard error is a terminal. */
int outbox_terminal(const outbox *o);

/* 0 when that terminal belongs to another group of processes: we run in the background. */
int outbox_foreground(const outbox *o);

/* Columns of its window, 80 where it does not say. */
size_t outbox_columns(const outbox *o);

/* The line to be shown on the terminal while nothing else is written, at most as wide as it; NULL or "" for
 * none. */
void outbox_status(outbox *o, const char *line);

/* Takes the status line away until the next outbox_status. */
void outbox_clear_status(outbox *o);

/* Writes what can be written without waiting, a bounded amount. */
void outbox_pump(outbox *o);

/* Fills in what to poll for; returns how many, 0 when nothing waits. */
size_t outbox_poll(const outbox *o, struct pollfd fds[2]);

int outbox_empty(const outbox *o);

/* 1 when the reader of standard output went away (EPIPE): what is put there is dropped. */
int outbox_unread(const outbox *o);

/* The first thing that went wrong but for that: 1 and the error. The same each time. */
int outbox_trouble(const outbox *o, deja_error *ret);

/* Drops what is still queued. NULL is fine. */
void outbox_close(outbox *o);

/* Gives back what was held and is not wanted any more. NULL is fine. */
void outbox_drop(outbox *o, outbox_held *held);

#endif
