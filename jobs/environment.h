#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H
/*
 * The environment of a job: what it sees of the caller's, what the batch sets, what deja adds; and the part
 * of it that is in the job's key.
 */
#include "job.h"
#include <deja/key.h>

/* Value of `name` in a NULL-terminated list of "NAME=value", NULL when it is not there. */
const char *environment_get(const char *const *list, const char *name);

/*
 * Adds the variables that count for the result, sorted by name: those named under `env` and LANG, LC_*, TZ.
 * `outer` is the caller's environment. Secret ones only as a hash.
 */
int environment_key(deja_key *key, job *j, const char *const *outer, deja_error *err);

/*
 * The whole environment for the job's process, NULL-terminated, in the job's arena: the caller's (or the
 * clean one), what the batch sets, and of deja's own PWD (absolute folder `cwd`), DEJA_CLAIMS=`claims`, and
 * one thread for OpenMP and its kin, each of these only where the user did not set it.
 */
int environment_build(const char *const **ret, job *j, const char *const *outer, const char *cwd,
                      const char *claims, deja_error *err);

/* The PATH that the job will have, or the system's default. In the job's arena or borrowed from `outer`. */
const char *environment_path(job *j, const char *const *outer);

#endif
