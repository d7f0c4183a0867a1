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

/* The PATH that the batch sets for the job, NULL when it sets none. */
const batch_env *job_paths_searched(const batch_job *def);

/* Where the program of a rendered job may lie, as the batch keeps paths: the place `at`, from 0 on. One where
 * it has a slash, else one in each folder of the PATH that the batch sets. NULL: there are no more, or out of
 * memory (the arena says so). */
const char *job_paths_program(job *j, size_t at);

#endif
