#ifndef RESULT_TREE_H
#define RESULT_TREE_H
/*
 * `--results DIR`: a tree DIR/JOB/NAME=VALUE/.../ with the files stdout, stderr and meta.json of each job
 * that ended, answered ones included. One thread.
 *
 * A job's meta.json is removed first and written last: where it is, the others are whole and of the same run.
 * Of a skipped job there is nothing else.
 */
#include "flow.h"

typedef struct result_tree result_tree;

/* Makes the folder where it is not there. `run_id` is borrowed; "": there is none. */
int result_tree_open(result_tree **ret, const char *folder, const char *run_id, deja_error *err);

/* Writes what a job left that ended; of other events nothing. */
int result_tree_take(result_tree *r, const flow_event *event, deja_error *err);

/*
 * Appends the folder of an instance: its job and parameters as folders, below that of the results. Every name
 * is safe: '/', '%', control characters, a leading dot, and '=' in a parameter's name become %XX, as in a
 * URL. One that is longer than a file's name may be ends in %- and its hash; so does a single one for all
 * parameters where these are longer than a path may be.
 */
void result_tree_path(deja_buffer *b, const batch_job *def, uint32_t index);

/* NULL is fine. */
void result_tree_close(result_tree *r);

#endif
