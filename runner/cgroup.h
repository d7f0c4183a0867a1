#ifndef DEJA_RUNNER_CGROUP_H
#define DEJA_RUNNER_CGROUP_H
/*
 * Control groups of jobs (cgroup v2, Documentation/admin-guide/cgroup-v2.rst in the kernel's sources), where
 * this process may make some: its own group was delegated to it, as by `systemd-run --user --scope -p
 * Delegate=yes`, or is the root of a container's. All of it is tried, and where something is refused there is
 * none: the caller has another limit.
 *
 * A group that hands a controller on may hold no processes itself. So ours go into a group beside those of
 * the jobs, unless others than we are in there, too: then there are no groups.
 */
#include <stdint.h>

typedef struct cgroup {
    int tried;
    int base;          /* our own group when we began; -1: no groups can be made */
    int moved;         /* we are in NAME.self now */
    const char *wants; /* the controller */
    char name[80];     /* of groups that we make: "deja-ID", and what follows a dot */
} cgroup;

/* Makes none yet. `run_id` has at most 64 letters. */
void cgroup_init(cgroup *g, const char *run_id);

/* Finds out, once, whether groups can be made below the group of this process, with the controller "memory".
 */
int cgroup_open(cgroup *g);

/* The same with another mounted tree and controller ("": none), for tests. */
int cgroup_open_in(cgroup *g, const char *root, const char *controller);

/*
 * A group for a job, limited to `bytes` of memory: a descriptor to which a process writes "0" to be in it;
 * the caller closes it. -1: there can be none.
 */
int cgroup_add(cgroup *g, uint64_t job, uint64_t bytes);

/* The job has ended: kills what is left in its group, and removes it. 1: its limit made the kernel kill one
 * of its processes. */
int cgroup_end(cgroup *g, uint64_t job);

/* Removes what is left, and puts this process back. */
void cgroup_close(cgroup *g);

#endif
