#ifndef LAUNCH_H
#define LAUNCH_H
/*
 * From a job to a process: its program or shell, working directory, environment, standard input, and the
 * folders of its outputs.
 */
#include "active.h"

/* Finds the file of the job's program and notes it in a->program (empty: none). */
void launch_find_program(active *a);

/*
 * Removes old outputs and starts the process. DEJA_ERESOURCE: processes or descriptors are short, try again
 * later. Other codes are the job's failure; `ret_status` is then its exit status as env(1) would have it (127
 * not found, 126 not executable, -1).
 */
int launch_start(active *a, int *ret_status, deja_error *err);

/* 0, or DEJA_ERESOURCE with a text that says what the limit is, when there are too few descriptors for any
 * job. */
int launch_check_descriptors(deja_error *err);

#endif
