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

/* What deja itself sets. */
typedef struct environment_own {
    const char *cwd;    /* absolute: PWD */
    const char *claims; /* DEJA_CLAIMS; NULL: none */
    unsigned threads;   /* of OpenMP and its kin; 0: one */
    const char *gpus;   /* CUDA_VISIBLE_DEVICES; NULL: as outside */
} environment_own;

/*
 * The whole environment for the job's process, NULL-terminated, in the job's arena: the caller's (or the
 * clean one), what the batch sets, and deja's own. Of these PWD, numbers of threads and GPUs are the user's
 * where the batch sets them, numbers of threads also where they are set outside.
 */
int environment_build(const char *const **ret, job *j, const char *const *outer, const environment_own *own,
                      deja_error *err);

/* The PATH that the job will have, or the system's default. In the job's arena or borrowed from `outer`. */
const char *environment_path(job *j, const char *const *outer);

#endif
