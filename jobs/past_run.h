#ifndef PAST_RUN_H
#define PAST_RUN_H
/*
 * The record of a run as record.h wrote it, or is writing it now. It may be cut, damaged, of another version,
 * or pruned while it is read: what is not there is not told, and nothing worse happens. One thread.
 */
#include "flow.h"
#include "runs.h"

/* A run in short. */
typedef struct past_run {
    char id[RUNS_ID];
    int fd;                                /* its folder */
    int readable;                          /* its meta.json is */
    int lives;                             /* it goes on */
    int ended;                             /* it came to its end: totals and what is behind them are known */
    deja_buffer batch, command, arguments; /* path; "run"; words, blanks between them */
    int64_t start_ns, end_ns;              /* wall clock */
    unsigned slots;
    uint32_t pid;
    flow_totals totals; /* while it lives those of a second ago */
    int exit_status;
    runs_state state;  /* while it lives */
    deja_buffer names; /* of the jobs, each with its NUL */
    size_t name_count;
} past_run;

/* Of the folder of runs: opens run `id`. DEJA_ENOTFOUND. Zeroed memory before the first time. */
int past_run_open(past_run *ret, int runs_fd, const char *id, deja_error *err);
void past_run_close(past_run *r);

/* One line of jobs.jsonl. */
typedef struct past_job {
    int failed;
    deja_buffer label; /* "count[text=a,n=1]" */
    deja_buffer job;
    deja_buffer reason; /* or why it was not kept; empty: neither */
    int keyed;
    deja_hash key;
    int exit_status; /* -1: none */
    int signal;
    int64_t start_ns, wall_ns, cpu_ns;
    uint64_t peak_rss_bytes, out_bytes, err_bytes;
    int64_t output_at; /* -1: its output is not in the file `output` */
    unsigned log;      /* number of its own log; 0: it has none */
} past_job;

/* Calls `each` for all jobs that ran, as they ended, until it returns non-zero, which is returned. */
int past_run_jobs(const past_run *r, int (*each)(void *context, const past_job *j), void *context);

/* The key of a hit: name of the job and index in its matrix then. 1 or 0. */
int past_run_hit(const past_run *r, const char *name, uint32_t index, deja_hash *ret);

/* A descriptor for standard output (which 0) or error (1) of a job that ran, and where in it it is; -1: it is
 * not there (any more). The caller closes it. */
int past_run_output(const past_run *r, const past_job *j, int which, uint64_t *ret_at);

/* Appends the path of a job's own log below the run's folder; nothing when there is none. */
void past_run_log(const past_run *r, const past_job *j, int which, deja_buffer *b);

/* Ids of all runs, newest first, each of RUNS_ID bytes, to be freed. NULL: none. */
typedef char past_id[RUNS_ID];
past_id *past_runs(int runs_fd, size_t *ret_count);

/* The id that `word` stands for: "last", or the beginning of one, whole or its time ("092329").
 * DEJA_ENOTFOUND, and DEJA_EINVAL when there are several. */
int past_run_find(int runs_fd, const char *word, char ret[RUNS_ID], deja_error *err);

#endif
