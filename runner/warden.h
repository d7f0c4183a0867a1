#ifndef DEJA_RUNNER_WARDEN_H
#define DEJA_RUNNER_WARDEN_H
/*
 * The warden: a small process that outlives a runner which died without closing, by the time it takes to end
 * its jobs. It sleeps on a pidfd of the runner's process; the runner notes each job's process group on a
 * board in shared memory, by plain stores. When the runner closes in order the warden is killed.
 */
#include "spawn.h"

#include <deja/clock.h>

enum {
    warden_slots = 65536, /* jobs at a time; only touched pages take memory */
    warden_id_bytes = 65, /* a run id with its NUL */
};

typedef struct warden_board {
    char run_id[warden_id_bytes];
    pid_t owner;                       /* the runner's process */
    _Atomic uint32_t high;             /* slots below this were ever used */
    spawn_failure failure;             /* of the child that is being spawned */
    _Atomic pid_t group[warden_slots]; /* process group of a running job, 0 for none */
} warden_board;

typedef struct warden {
    warden_board *board;
    pid_t pid;            /* 0 while there is none */
    int pidfd;            /* readable when it has died; -1: none, or no descriptor could be had */
    int64_t try_again_ns; /* not before this time, after a failure or a start */
} warden;

/* Makes the board; no process yet. */
int warden_init(warden *w, const char *run_id, deja_error *err);

/*
 * Starts the process unless it runs, at most once a second. A failure is tolerated: groups and PDEATHSIG
 * still hold. 1: it was started now.
 */
int warden_start(warden *w);

/* Reaps a process that has died, by somebody else's hand. */
void warden_forget(warden *w);

/* Goes on without the pidfd, where descriptors are short. 1: there was one. */
int warden_spare_descriptor(warden *w);

/* Ends and reaps the process, gives the board back. `own` 0 in a forked child, whose warden it is not. */
void warden_done(warden *w, int own);

#endif
