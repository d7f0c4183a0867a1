#ifndef DEJA_RUNNER_CPU_H
#define DEJA_RUNNER_CPU_H
/*
 * How many CPUs the cgroups of this process allow. `root` is put in front of /proc and of the mount points,
 * "" for the real ones: tests bring their own.
 */

/* The smallest quota of the process's groups and those above them, rounded up to whole CPUs; 0 for none. */
int cpu_quota(const char *root);

#endif
