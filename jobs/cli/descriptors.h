#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H
/* The limit of open descriptors: deja has three for each running job, and the cache needs some. */
#include <sys/resource.h>

/* Raises the soft limit of descriptors to the hard one. 1: raised, *ret_before is the limit that jobs are to
 * get back (deja_runner_options.job_descriptors); 0: it stays as it is. */
int descriptors_raise(struct rlimit *ret_before);

#endif
