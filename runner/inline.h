#ifndef INLINE_H
#define INLINE_H
/*
 * The inline backend: a queue of tasks that are run by whoever waits for outcomes. What a function of the
 * pool calls itself stands in it, too, before all others and whatever its backend: all that could run it may
 * be waiting for it.
 */
#include "backend.h"

/* A task, given (task_given), to be run next. Owner. */
void inline_put_first(backend *b, task *t);

/* t is in the queue: it is run next. 0: it is not there (any more). Owner. */
int inline_hurry(backend *b, task *t);

/* Takes the next one that the calling thread may run: one that is inside of the pool gets only what was put
 * first. 0: none. Owner. */
int inline_take(backend *b, deja_pool_work *ret);

/* Runs what was taken. Any thread, no lock. */
void inline_run(backend *b, deja_pool_work *w);

#endif
