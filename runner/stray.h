#ifndef DEJA_RUNNER_STRAY_H
#define DEJA_RUNNER_STRAY_H
/*
 * Strays: processes that jobs left behind in other groups and sessions. They are found in /proc by the run's
 * id in their environment (DEJA_RUN=ID or OUTER:ID:INNER), by their group, and by being a child of one that
 * was found. Raw system calls and no allocation: the warden calls this in a copy of a process that may have
 * had threads.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define STRAY_WARDEN_NAME "deja-warden" /* what wardens call themselves */

enum { stray_patience_ms = 1000 }; /* enough for a nested warden, whose runner is dead, to end its own jobs */

typedef struct stray_hunt {
    const char *run_id;
    const _Atomic pid_t *group; /* process groups that are strays as a whole, 0 for none; NULL without */
    uint32_t groups;
    pid_t parent; /* all children of this process are strays; 0: of none */
    pid_t warden; /* never a stray: the runner's own; 0: none */
} stray_hunt;

/* What /proc says of one process. */
typedef struct stray_sight {
    pid_t group;
    int is_warden;       /* it calls itself one */
    int has_environment; /* 0: not to be read, or it has none yet, as in the middle of execve(2) */
    int marked;          /* with the run's id */
    uint64_t job;        /* the number behind it, 0 without */
} stray_sight;

/* 1, or 0 for a process that is dead or gone. */
int stray_look_at(pid_t pid, const char *run_id, stray_sight *ret);

/*
 * Looks once through /proc for living strays but the calling process. Returns how many there were; -1 when
 * /proc cannot be read or there is no memory for the table. `patient` 0: all get SIGKILL. 1:
 *
 * - They get SIGSTOP until a sweep finds them all stopped, and only then SIGKILL: one that forks between our
 *   look and its death would leave a child that nothing connects with the run.
 * - Those that call themselves wardens are left alone. The warden of a runner inside a job knows process
 * groups that nobody else does, and ends by itself once that runner is dead. But any job can take the name.
 */
int stray_sweep(const stray_hunt *hunt, int patient);

/* Sweeps until a sweep finds nothing, at most `limit_ms`, patiently for stray_patience_ms. -1 as above. */
int stray_hunt_down(const stray_hunt *hunt, int limit_ms);

#endif
