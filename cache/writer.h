#ifndef WRITER_H
#define WRITER_H
/*
 * The one writer of a process: a thread that commits sealed results in groups, at most 20 ms or 1,000 rows at
 * a time. It and its connection come with the first result.
 */
#include "db.h"
#include "state.h"

typedef struct writer writer;

/* A sealed result whose blobs are published and whose record is encoded. */
typedef struct writer_item {
    struct writer_item *next;
    deja_step *step; /* finished after the commit */
    db_put_args put;
    const int *blob_fds; /* the stage behind each of put.blobs, should its file be gone again */
} writer_item;

int writer_open(writer **ret, deja_cache *c, deja_error *err);

/* Commits it with others and finishes its step. Any thread. */
void writer_add(writer *w, writer_item *item);

/* 1: what waits need not wait for company. Any thread. */
void writer_hurry(writer *w, int hurry);

/* After the last step has finished: ends the thread, tidies the WAL. NULL is fine. */
void writer_close(writer *w);

#endif
