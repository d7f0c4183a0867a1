#ifndef RUNS_H
#define RUNS_H
/*
 * A folder of runs: one folder for each run, named so that names sort by time. A run that lives holds a lock
 * (flock(2)) on its file `state`; the lock dies with its process.
 */
#include <deja/buffer.h>

#define RUNS_KEEP 100 /* folders that stay */
#define RUNS_YOUNG_S                                                                                         \
    600 /* seconds; younger ones stay, too, or a loop of short runs would remove what it has just made: ext4 \
           is slow to make files while it avoids recently freed inodes */
#define RUNS_MOST       2000                /* but never more than these */
#define RUNS_PRUNE_STEP 25                  /* so many new ones before old ones are looked for again */
#define RUNS_PRUNE_MOST 32                  /* folders removed in one go: work that a run's user waits for */
#define RUNS_OUTPUT     (UINT64_C(1) << 30) /* bytes of output of jobs that all runs keep together */
#define RUNS_ID         64                  /* bytes of an id, its NUL included */
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

/* Behind it, in the same file: jobs that run, those that run longest first, as many as fit: of each u64 start
 * (wall clock), u32 bytes of the name, the name (little-endian). A start of 0 ends the list. */
#define RUNS_NAME 255 /* bytes of a name at most */
typedef struct runs_job {
    int64_t started_ns;
    const char *name; /* of a writer NUL-terminated */
    size_t name_len;  /* of a reader */
} runs_job;

/* Reads the running jobs of a run that lives, after runs_alive: into `list`, whose names borrow from `b`.
 * Returns how many. */
size_t runs_running(int folder_fd, const char *id, deja_buffer *b, runs_job *list, size_t most);

/* "20261120-092329.123-4711": UTC to the millisecond and the process; attempt > 0 adds "-1". */
void runs_id(char id[RUNS_ID], int64_t wall_ns, int pid, unsigned attempt);
int runs_is_id(const char *name);

/* 1 when the run lives; its state is copied to `ret` (NULL allowed), zeros where it cannot be read. */
int runs_alive(int folder_fd, const char *id, runs_state *ret);

/* Appends "run ID (pid N), run ID (pid N)": the runs in `folder` that live, without `except` (NULL allowed).
 */
void runs_living(const char *folder, const char *except, deja_buffer *b);

/*
 * Removes the oldest runs down to RUNS_KEEP, with the limits above; never one that lives. Looks only when the
 * number of folders is a multiple of RUNS_PRUNE_STEP (where the file system tells it by st_nlink, else
 * always). Returns how many went.
 */
unsigned runs_prune(int folder_fd, int64_t now_ns);

/* Removes the files `output` of the oldest runs until all of them have `most` bytes at most; never of a run
 * that lives. Returns how many went. */
unsigned runs_prune_output(int folder_fd, uint64_t most);

#endif
