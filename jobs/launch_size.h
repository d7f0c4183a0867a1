#ifndef LAUNCH_SIZE_H
#define LAUNCH_SIZE_H
/* Commands that are more than the kernel takes: said in words that help, before it says "Argument list too
 * long". */
#include "job.h"

/* The limits of execve(2): 128 KiB for a word, and for all of words and environment what sysconf(_SC_ARG_MAX)
 * says. 0, or DEJA_ELIMIT with the expression that stands for most of it, and what to use instead. */
int launch_check_size(const job *j, const char *const *argv, const char *const *env, deja_error *err);

#endif
