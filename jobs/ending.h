#ifndef ENDING_H
#define ENDING_H
/*
 * The ends of a job: each counts it, tells the plan and the listener, and retires the active.
 */
#include "active.h"

/* It could not be started: `status` is what env(1) would have ended with, or -1. */
void ending_never_ran(active *a, int status, const deja_error *why);

/* The run is stopped before it was started or answered. */
void ending_interrupted(active *a);

/* It is not started, or not again, for this reason. */
void ending_skipped(active *a, const char *reason);

/* It ran and failed, and is tried again after `retry_ns`: that is told, and nothing has ended. */
void ending_attempt(active *a, const deja_error *why, int64_t retry_ns);

/* A job that it needs failed, or, in a dry run, would run. */
void ending_blocked(active *a, const plan_ready *ready);

/* Dry run: a miss. */
void ending_would_run(active *a);

/* Answered from the cache; 0 when its streams cannot be read after all: then nothing has ended. */
int ending_hit(active *a);

/* It ran and failed, or was ended with the run, whatever its status was then. Its outputs go. */
void ending_failed(active *a, const deja_error *why);

/* It ran well: jobs that need it may start. `left` NULL: nobody asks. One of those below follows. */
void ending_settle(active *a, const deja_hash *left);

/* It ran well and its result is kept. */
void ending_kept(active *a);

/* It ran well, and its result was not to be kept. */
void ending_ran(active *a);

/* It ran well, but its result is unfit to be kept. */
void ending_unfit(active *a, const char *why);

/* It ran well, but the cache could not keep the result: the run goes on and says so at its end. */
void ending_not_kept(active *a, const char *why);

#endif
