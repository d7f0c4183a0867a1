#ifndef DEJA_RUNNER_H
#define DEJA_RUNNER_H
/*
 * Runs commands and hands back what happened: start some, wait on one descriptor, take finished outcomes.
 * Output is captured whole, the end of a job is the exit of its first process, and nothing that a job started
 * survives the runner, not even a SIGKILL of the program.
 *
 *     deja_runner *r;
 *     deja_runner_open(&r, &(deja_runner_options){.size = sizeof(deja_runner_options), .run_id = id}, &err);
 *     deja_runner_start(r, &(deja_command){.file = "/bin/date", .argv = argv, .env = environ, .stdin_fd =
 * -1}, &err); deja_outcome o; while (deja_runner_running(r) > 0 && deja_runner_next(r, -1, &o, &err) > 0) {
 *         use(&o);
 *         deja_outcome_done(&o);
 *     }
 *     deja_runner_close(r);
 *
 * Threads: one runner belongs to one thread at a time, several runners may live in one process. The thread
 * that starts a job must outlive it: the kernel kills the job with that thread (PR_SET_PDEATHSIG). In a
 * forked child every call fails with DEJA_EFORK, but deja_runner_close, which there gives back memory and
 * descriptors only.
 *
 * What a job sees: its own process group in the session of the program; standard input as given; the signal
 * mask given, or that of the calling thread at deja_runner_open; every signal at its default, but HUP, INT
 * and QUIT when they were ignored at deja_runner_open (nohup, `&`); descriptors of the program that are not
 * close-on-exec; DEJA_RUN in its environment.
 */
#include <deja/error.h>
#include <deja/trace.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>

typedef struct deja_runner deja_runner;

typedef struct deja_runner_options {
    uint32_t size; /* sizeof *this */

    /*
     * 1: the program makes no children but by this runner (a command line program). The runner then makes the
     * process the reaper of orphans (PR_SET_CHILD_SUBREAPER, put back at close) and takes every child that it
     * did not start itself for something that a job left behind. One such runner in a process at a time. 0:
     * the program's own children are never waited for or killed; what jobs leave behind is known by its mark
     * alone.
     */
    uint32_t owns_children;

    uint64_t capture_limit; /* bytes of one stream kept in memory before it spools; 0 = 4 MB */

    /*
     * Gives the descriptor of an empty unnamed file for a stream that outgrew the memory, or a negative code.
     * It is the runner's from then on and comes back in the outcome. NULL: a memfd. Called inside
     * deja_runner_next.
     */
    int (*spool)(void *context, deja_error *err);
    void *spool_context;

    /* Is shown each piece of output as it is read, before it is captured: standard output for `stream` 0,
     * error for 1. May not enter the runner. NULL: nobody is. Called inside deja_runner_next with `user` of
     * the command. */
    void (*output)(void *context, void *user, int stream, const char *data, uint64_t len);
    void *output_context;

    /* Needed: 1 to 64 letters, digits, '-', '_', '.'; unlike that of any other run. Copied. */
    const char *run_id;
    const char *outer_run; /* DEJA_RUN of this program's own environment, NULL when it has none. Copied */
    int64_t grace_ms;      /* from TERM to KILL; 0 = 5000 */
    deja_trace *trace;     /* a region "job" for each; NULL: none. Borrowed until close */

    /* The signal mask of jobs; NULL: that of the calling thread at deja_runner_open. A program that reads its
     * signals from a descriptor gives the mask that it had before. Copied */
    const sigset_t *signal_mask;

    /* RLIMIT_NOFILE of jobs; NULL: the program's own. For one that raised its soft limit: a job that uses
     * select(2) or closes all descriptors one by one wants the limit that the program was given. Copied */
    const struct rlimit *job_descriptors;

    /*
     * Descriptors that jobs leave to the program: deja_runner_start refuses one that would take a number
     * among the last `reserve_fds`, and two for each running job, below the soft limit: as many as its output
     * needs that outgrows the memory. With no job running it does not. 0: all are taken, and none kept for
     * output.
     */
    uint32_t reserve_fds;
} deja_runner_options;

/* What to run. All of it is borrowed until deja_runner_start returns. */
typedef struct deja_command {
    const char *const *argv; /* NULL-terminated; argv[0] as shown to the program */
    const char *file;        /* the program's path, absolute or relative to `cwd`; PATH is not searched */
    const char *const *env;  /* all of it, "NAME=value", NULL-terminated; the runner puts in its DEJA_RUN */
    const char *cwd;         /* NULL: the caller's */
    int stdin_fd;            /* -1: /dev/null */
    /* From its start; 0: none. After it the job is ended as by deja_runner_terminate. The time for which the
     * runner is suspended does not count. */
    int64_t timeout_ns;
    /* Of memory: that of all its processes together, by a control group, where this process may make some
     * (cgroup.h); then the kernel kills a job that goes beyond. Else of data that each of its processes may
     * have (RLIMIT_DATA, getrlimit(2)): private memory that can be written to; not what is reserved only,
     * mapped from files for reading, or shared. 0: no other limit than ours. */
    uint64_t memory_bytes;
    unsigned nice; /* added to our niceness, setpriority(2); 19 is the most that there is */
    void *user;    /* handed back in the outcome */
} deja_command;

/* One captured stream. Owned by the outcome; take what you keep (data: NULL, fd: -1 in its place). */
typedef struct deja_captured {
    char *data;   /* the stream, followed by a NUL that `len` does not count; NULL when empty or in `fd` */
    uint64_t len; /* bytes captured */
    int fd; /* >= 0: the whole stream is in this file from offset 0 to `len`; its position is undefined */
    int32_t error; /* 0, or the code why the spool could not be used (DEJA_EFULL...): not fit to be kept */
    int32_t sys_errno; /* the errno behind `error` */
    uint64_t lost; /* bytes that could be put nowhere and are missing at the end; 0 even after most errors */
} deja_captured;

/* At which step a job failed to become its program. */
enum deja_exec_step {
    DEJA_EXEC_DONE = 0,    /* it did not fail */
    DEJA_EXEC_CWD = 1,     /* entering `cwd` */
    DEJA_EXEC_FILE = 2,    /* executing `file` (or its interpreter: ENOENT for a file that exists) */
    DEJA_EXEC_PREPARE = 3, /* standard streams, process group */
};

/* Whether a job that somebody else killed was a victim of the kernel's OOM killer. */
enum deja_oom {
    DEJA_OOM_NONE = 0,   /* nothing speaks for it */
    DEJA_OOM_LIMIT = 2,  /* it reached its own limit, memory_bytes */
    DEJA_OOM_LIKELY = 1, /* since the runner was opened that has ended a process of this machine for which no
                            other job accounts */
};

/* What became of the processes that a job had left running. */
enum deja_rest {
    DEJA_REST_NONE = 0, /* there were none */
    DEJA_REST_KILLED = 1,
    DEJA_REST_DOUBTFUL =
        2, /* while it ran, one appeared that may be its own or another job's, and lives on */
};

typedef struct deja_outcome {
    void *user;
    int32_t exec_errno; /* 0, or why the program never ran; then status is 127 (ENOENT) or 126 */
    int32_t exec_step;  /* enum deja_exec_step */
    int32_t
        status; /* exit status, 0 to 255; -1 when killed by a signal, or when the program took it (wait(2)) */
    int32_t signal; /* the signal that killed it, else 0 */
    int32_t core;   /* 1: it dumped core */
    /*
     * 1: deja_runner_terminate or deja_runner_kill signalled it while it ran, so its end may be their doing;
     * 0: it ended by itself, even if its outcome was not taken yet when the run was told to end.
     */
    int32_t terminated;
    int32_t oom;       /* enum deja_oom */
    int32_t timed_out; /* 1: it was ended since its timeout had passed; then `terminated` is 0 */
    /*
     * DEJA_REST_KILLED: others that it had started were alive when its first process had ended, and were
     * killed: what they were writing may be cut, whatever `status` says. One whom the job itself killed with
     * SIGKILL and did not wait for counts, too. Without `owns_children` who left its process group (setsid)
     * is not counted, and one of the group is that had ended when its new parent had not waited for it yet.
     */
    int32_t killed_rest; /* enum deja_rest */
    int64_t pid;         /* of its first process, for messages; gone */
    int64_t start_ns;    /* monotonic */
    int64_t wall_ns;
    int64_t cpu_ns; /* user and system, of the first process and the descendants it waited for */
    /*
     * Largest resident set among those. 0 when unknown: the kernel counts the spawning process's own peak in,
     * so what is not larger than the program itself cannot be told (exec_mmap in fs/exec.c).
     */
    uint64_t peak_rss_bytes;
    deja_captured out, err;
} deja_outcome;

/* DEJA_EINVAL for a bad run_id, DEJA_ERESOURCE without descriptors. Starts no process. */
DEJA_API int deja_runner_open(deja_runner **ret, const deja_runner_options *options, deja_error *err);

/*
 * Starts one command and returns when it has become its program. A command that cannot be executed is no
 * error here but an outcome with exec_errno. DEJA_ERESOURCE: descriptors (sys_errno EMFILE, for want of the
 * reserve too), processes or memory are short, nothing was started and nothing is lost: try again when
 * another job ended.
 */
DEJA_API int deja_runner_start(deja_runner *r, const deja_command *command, deja_error *err);

/*
 * An epoll descriptor, borrowed: readable when deja_runner_next has something to do, be it only moving output
 * or a grace that ran out. Call deja_runner_next with timeout 0 until it returns 0, then poll.
 */
DEJA_API int deja_runner_fd(const deja_runner *r);

/*
 * Waits up to `timeout_ms` (0: not at all, -1: for ever) and takes one finished outcome into *ret (give back
 * with deja_outcome_done). 1: taken; 0: none in that time, or nothing is running; negative: error. Outcomes
 * come in the order in which jobs ended.
 */
DEJA_API int deja_runner_next(deja_runner *r, int timeout_ms, deja_outcome *ret, deja_error *err);

/* Jobs that were started and whose outcome is not taken yet. */
DEJA_API uint32_t deja_runner_running(const deja_runner *r);

/* Sends `signal` (SIGTERM, say) and CONT to all running groups, SIGKILL to those that are left after the
 * grace. */
DEJA_API void deja_runner_terminate(deja_runner *r, int signal);

/* SIGKILL to all running groups, now. */
DEJA_API void deja_runner_kill(deja_runner *r);

/* SIGTSTP to all running groups; SIGCONT. In between no timeout passes. */
DEJA_API void deja_runner_suspend(deja_runner *r);
DEJA_API void deja_runner_resume(deja_runner *r);

/*
 * Kills and reaps all that still runs, strays of ended jobs included, drops outcomes that were not taken,
 * ends the warden. Waits for what does not die no longer than 5 s. NULL is fine.
 */
DEJA_API void deja_runner_close(deja_runner *r);

/* Gives back what the outcome owns and zeroes it. Zeroed memory and NULL are fine. */
DEJA_API void deja_outcome_done(deja_outcome *o);

/*
 * CPUs that this process may use: the smaller of the affinity mask and the cgroup quota (v2 cpu.max, v1
 * cpu.cfs_quota_us, of its group and all above) rounded up, at least 1.
 */
DEJA_API int deja_cpu_count(void);

#endif
