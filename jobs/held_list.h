#ifndef HELD_LIST_H
#define HELD_LIST_H
/*
 * Files of paths (job_list.h) on the disk, while a job runs. Jobs and runs that want the same list share its
 * file: each holds a lock on it (flock(2)), and the last one removes it.
 */
#include "active.h"

/* Puts all lists of a job in place. Errors name the file. */
int held_lists_write(active *a, deja_error *err);

/* It needs them no more. */
void held_lists_release(active *a);

#endif
