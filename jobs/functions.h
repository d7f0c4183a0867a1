#ifndef FUNCTIONS_H
#define FUNCTIONS_H
/*
 * The functions that a batch calls, and the pool that runs them: workers of deja/pool.h, which load the
 * libraries. This process never does. Private to the conductor.
 */
#include "active.h"

typedef struct functions functions;

/* Starts the process that workers are made from: before there are threads. f->functions stays NULL where the
 * batch has no calls, and for a dry run. */
int functions_open(flow *f, deja_error *err);

/* Gives the call to a worker; a->task is its number. Negative: the job's failure. */
int functions_start(active *a, deja_error *err);

/* A call that has ended: 1 and its outcome (`user` is the active, whose product and `why` are set); 0: none.
 */
int functions_next(functions *fs, deja_outcome *ret);

size_t functions_running(const functions *fs);

/* Readable when a call may have ended; -1: none runs, or there is no descriptor for it. */
int functions_fd(functions *fs);

/* Ends what runs, by TERM and, after the grace, KILL; `kill`: at once. To be called again until nothing runs:
 * a function that was about to begin is not met by the first. */
void functions_stop(functions *fs, int kill);

/* SIGTSTP stops the workers, SIGCONT lets them go on. */
void functions_pass_on(functions *fs, int sig);

/* NULL is fine. */
void functions_close(functions *fs);

#endif
