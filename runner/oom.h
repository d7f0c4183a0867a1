#ifndef DEJA_RUNNER_OOM_H
#define DEJA_RUNNER_OOM_H
/*
 * Evidence that the kernel's OOM killer ended a job. It kills by SIGKILL as anybody may, and leaves no mark
 * on the dead; what tells is the number of processes that it ended on this machine, `oom_kill` of
 * /proc/vmstat.
 */
#include <stdint.h>

typedef struct oom {
    int known;     /* `seen` is */
    uint64_t seen; /* victims that are accounted for */
} oom;

/* Reads the number in a text like /proc/vmstat. 1, or 0 when it is not there. */
int oom_read(const char *text, uint64_t *ret);

/* Takes the number as it is now: what comes later is news. */
void oom_open(oom *o);

/* A job was killed by somebody else: 1 when there is a victim since oom_open that no other job was blamed
 * for. */
int oom_blame(oom *o);

#endif
