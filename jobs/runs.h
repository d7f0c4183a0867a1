#ifndef RUNS_H
#define RUNS_H
/*
 * A folder of runs: one folder for each run, named so that names sort by time. A run that lives holds a lock
 * (flock(2)) on its file `state`; the lock dies with its process.
 */
#include <deja/buffer.h>

#define RUNS_KEEP 100 /* folders that stay */
#define RUNS_SLACK                                                                                           \
    24 /* so many more are let be, so that only one run in 25 has the work of removing old ones */
#define RUNS_PRUNE_MOST 32 /* folders removed in one go: work that a run's user waits for */
#define RUNS_ID         64 /* bytes of an id, its NUL included */
#define RUNS_STATE_SIZE 4096

/* First bytes of the file `state`: readers may map it. Integers in the machine's own order: it is read on
 * this machine only. */
typedef struct runs_state {
    char magic[8]; /* "dejarun1" */
    uint32_t pid;
    uint32_t slots;
    int64_t started_ns, updated_ns;                            /* wall clock */
    uint64_t total, done, hits, ran, failed, skipped, running; /* instances of jobs, as in flow_totals */
} runs_state;

/* "20261120-092329.123-4711": UTC to the millisecond and the process; attempt > 0 adds "-1". */
void runs_id(char id[RUNS_ID], int64_t wall_ns, int pid, unsigned attempt);
int runs_is_id(const char *name);

/* 1 when the run lives; its state is copied to `ret` (NULL allowed), zeros where it cannot be read. */
int runs_alive(int folder_fd, const char *id, runs_state *ret);

/* Appends "run ID (pid N), run ID (pid N)": the runs in `folder` that live, without `except` (NULL allowed).
 */
void runs_living(const char *folder, const char *except, deja_buffer *b);

/* When there are more than `keep + slack` runs: removes the oldest down to `keep`, RUNS_PRUNE_MOST of them at
   most, never one that lives. Returns how many. */
unsigned runs_prune(int folder_fd, unsigned keep, unsigned slack);

#endif
