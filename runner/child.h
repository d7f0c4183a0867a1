#ifndef DEJA_RUNNER_CHILD_H
#define DEJA_RUNNER_CHILD_H
/*
 * One running command: its process, pipes, captured streams, and the steps of its end. A job has ended when
 * its first process has exited, the rest of its group was killed and is gone, and the pipes were drained.
 */
#include "capture.h"
#include "cgroup.h"
#include "oom.h"
#include "rest.h"
#include "spawn.h"
#include "warden.h"

#include <signal.h>
#include <sys/resource.h>

/* What all jobs of a runner share; borrowed by them. */
typedef struct child_host {
    int epoll;
    int owns_children;
    spawner spawner;
    warden warden;
    capture_store store;
    void (*output)(void *context, void *user, int stream, const char *data, uint64_t len); /* or NULL */
    void *output_context;
    deja_trace *trace;
    char **env; /* the environment of the job that is being started; `env_cap` pointers */
    size_t env_cap;
    uint64_t reserve_fds;  /* the next job keeps off the last so many numbers of descriptors; 0: off none */
    uint64_t fd_limit;     /* the soft limit when it was last looked at */
    uint64_t own_peak_rss; /* bytes; this process had at least so much */
    char *mark;            /* "DEJA_RUN=...", with room for the number of a job */
    size_t mark_len;       /* without that */
    uint64_t number;       /* of the last job that was started */
    struct child **slot;   /* the runner's table; borrowed */
    uint32_t slots;
    rest rest;
    oom oom;
    cgroup cgroup;
    char *scratch; /* child_scratch_bytes */
} child_host;

enum {
    child_scratch_bytes = 64 * 1024, /* a pipe's capacity: one read empties it */
    child_number_bytes = 22,         /* "#", the digits of a 64-bit number, NUL */
};

typedef enum child_part { child_exit, child_out, child_err, child_parts } child_part;

/* A descriptor in the epoll set; its event points here. */
typedef struct child_source {
    struct child *child;
    child_part part;
    int fd; /* -1: closed */
} child_source;

typedef struct child {
    child_source source[child_parts];
    capture capture[child_parts]; /* of child_out and child_err */
    deja_outcome outcome;
    pid_t pid;
    uint32_t slot;      /* on the warden's board */
    uint64_t number;    /* in its mark, from 1 */
    int grouped;        /* 1: it has a control group */
    int killed;         /* 1: by us */
    int exited;         /* 1: the first process was reaped, what it left may be dying */
    int group_gone;     /* 1: nobody of its group is left, the number may be another one's by now */
    int64_t end_at_ns;  /* when its timeout is over; 0: it has none, or that has been */
    int64_t kill_at_ns; /* when the grace after TERM is over; 0: no grace is running */
    int64_t look_at_ns; /* when to look at the group again; while `exited` */
    int64_t give_up_ns; /* when to end without waiting for the group any longer; while `exited` */
    char *name;         /* for the trace; NULL without one */
    struct child *next; /* in the list of finished ones */
} child;

/* Starts `command` in a slot of the board. A job whose program could not be executed is finished already (pid
 * 0). */
int child_start(child **ret, child_host *host, uint32_t slot, const deja_command *command, deja_error *err);

/* Handles an event of one of its sources. 1: the job has finished now. Events of closed sources do nothing.
 */
int child_handle(child *c, child_host *host, child_part part, uint32_t events);

/* Looks at the group of an exited job again. 1: the job has finished now. */
int child_look_again(child *c, child_host *host, int64_t now_ns);

/* Signals the job's group unless it has exited. */
void child_signal(child *c, int signal);

/* The same with a signal that is to end it; notes in the outcome that it was still running. */
void child_end(child *c, int signal);

/* The same with SIGTERM, for one whose timeout is over, and CONT. 1: it was still running. */
int child_time_out(child *c);

/* Puts a source with its descriptor into the epoll set. A negative errno. */
int child_watch(const child_host *host, child_source *source);

/* Takes it out, and closes it. */
void child_close_source(const child_host *host, child_source *source);

/* Waits for the first process. A negative errno when it cannot be waited for. */
int child_reap(const child *c, siginfo_t *info, struct rusage *usage);

/* Drains the pipes; the outcome is complete. */
void child_finish(child *c, child_host *host);

/* Gives everything back; a process that still runs is left to itself. */
void child_free(child *c, child_host *host);

#endif
