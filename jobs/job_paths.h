#ifndef JOB_PATHS_H
#define JOB_PATHS_H
/*
 * The paths of an instance. Private to job*.c.
 */
#include "job.h"

/* The path as the batch keeps it: relative to its folder when inside, else absolute. NULL without memory. */
const char *job_paths_place(job *j, const char *path);

/* Both need the values of the matrix. */
int job_paths_outputs(job *j, deja_error *err);
int job_paths_inputs(job *j, deja_error *err);

/* Where the program of a rendered job lies, as the batch keeps paths; NULL when it has none or is looked for
 * in PATH, or out of memory (the arena says so). */
const char *job_paths_program(job *j);

#endif
