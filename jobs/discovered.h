#ifndef DISCOVERED_H
#define DISCOVERED_H
/*
 * Inputs that a job did not declare and named itself, in its depfile: part of its result after a run,
 * compared before a hit.
 */
#include "active.h"

/* The time by the clock that stamps files (time(7): it stands still for one tick). */
int64_t discovered_now_ns(void);

/* That time for a job that is about to start: later than when the run began, so that what was changed before
 * that is told from what changes under the job. Waits for the next tick, 10 ms at most, once in a run. */
int64_t discovered_since_ns(const flow *f);

/*
 * After a run that succeeded: reads the depfile and adds what it names to a->result, but what is declared, or
 * made by the job itself. Nothing without a depfile. Errors: it cannot be read, is no depfile, or names what
 * another job makes that this one does not wait for.
 */
int discovered_take(active *a, deja_error *err);

/* Has what a->entry discovered read again. 1 finished at once, 0 later (a->digest). */
int discovered_begin(active *a);

/* Then: 1 when all of it is as it was, and is not about to be made anew by somebody that the job does not
 * wait for. */
int discovered_same(const active *a);

#endif
