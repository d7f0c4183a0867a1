#ifndef DEJA_RUNNER_SPAWN_H
#define DEJA_RUNNER_SPAWN_H
/*
 * Making processes: the only place of clone and exec. A job's process shares our memory until it has executed
 * its program (CLONE_VM|CLONE_VFORK), so nothing is copied and a failure is reported by a plain store.
 */
#include <deja/error.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Why a child never became its program; in memory shared with it. */
typedef struct spawn_failure {
    _Atomic int32_t sys_errno; /* 0: it did */
    _Atomic int32_t step;      /* enum deja_exec_step */
} spawn_failure;

typedef struct spawner {
    char *stack;             /* of the child while it shares our memory; the lowest page is a guard */
    size_t stack_size;       /* bytes, guard included */
    uint64_t mask;           /* the kernel's signal set that jobs get */
    uint64_t keep;           /* signals that stay ignored in jobs */
    uint64_t ignored;        /* signals that are put back to their default in jobs */
    pid_t owner;             /* this process */
    int sets_descriptors;    /* 1: jobs get this RLIMIT_NOFILE: */
    uint64_t descriptors[2]; /* soft and hard, as the kernel has them */
} spawner;

typedef struct spawn_request {
    const char *file;
    char *const *argv;
    char *const *env;
    const char *cwd;        /* NULL: ours */
    int in, out, err;       /* the child's standard streams; in -1: /dev/null; out and err above 2 */
    _Atomic pid_t *note;    /* shared memory: holds the child's pid before it runs its first instruction */
    int cgroup;             /* a descriptor of its group, see cgroup.h; -1: none */
    uint64_t data_bytes;    /* its RLIMIT_DATA where it is in no such group; 0: ours */
    unsigned nice;          /* added to our niceness */
    spawn_failure *failure; /* shared memory: zeroed by the caller, written by the child */
} spawn_request;

/* Takes the calling thread's signal mask and this process's dispositions as they are now. */
int spawner_init(spawner *s, deja_error *err);
void spawner_done(spawner *s);

/*
 * Starts a job in a process group of its own and returns when it runs its program or has failed to. The pid
 * (and its pidfd in *ret_pidfd), or a negative errno when no process was made.
 */
pid_t spawn_job(const spawner *s, const spawn_request *q, int *ret_pidfd);

/*
 * A plain copy of this process that runs `run` with all signals blocked and exits with 0. It is no child for
 * ordinary wait(2) calls and sends no SIGCHLD (clone(2): exit signal 0, __WCLONE). `run` may be called in a
 * process that had threads: async-signal-safe code only. As spawn_job returns; `ret_pidfd` may be NULL.
 */
pid_t spawn_copy(void (*run)(const void *context), const void *context, int *ret_pidfd);

#endif
