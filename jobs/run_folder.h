#ifndef RUN_FOLDER_H
#define RUN_FOLDER_H
/*
 * The folder of one run in the making, and the file `state` that tells others that the run lives. One thread.
 */
#include "flow.h"
#include "runs.h"

typedef struct run_folder {
    const char *runs; /* the folder of all runs; borrowed */
    char id[RUNS_ID];
    int64_t start_ns; /* wall clock */
    unsigned slots;
    int runs_fd, fd; /* -1: not made */
    int state_fd;    /* holds the lock; -1 */
} run_folder;

/* Touches no file. */
void run_folder_init(run_folder *f, const char *runs, int64_t start_ns, unsigned slots);

/*
 * Makes it, and the folder of all runs when that is missing. One that others may write to is refused:
 * DEJA_EDENIED. A taken id is replaced by another one.
 */
int run_folder_make(run_folder *f, deja_error *err);

/* Makes and locks `state`. */
int run_folder_live(run_folder *f, deja_error *err);

/* Writes how far the run is, and which jobs run; `t` may be NULL. */
int run_folder_tell(const run_folder *f, const flow_totals *t, const runs_job *running, size_t count,
                    int64_t now_ns, deja_error *err);

/* Gives up the lock. */
void run_folder_close(run_folder *f);

#endif
