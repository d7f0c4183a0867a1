#ifndef OUTPUTS_H
#define OUTPUTS_H
/*
 * Outputs: who makes which path, and the life of an output around a run.
 */
#include "job.h"
#include <deja/cache.h>

/*
 * Which instance makes which path. Kept for each output are a 64-bit hash of its path and the numbers of its
 * job; paths are rendered again where hashes are equal. Zeroed memory is empty.
 */
typedef struct outputs_index {
    struct outputs_slot *slots;
    size_t count, cap;
} outputs_index;

/* Adds the outputs of an instance. An error with its place: another one makes the same path. */
int outputs_index_add(outputs_index *x, const batch *b, const job *j, deja_error *err);

/* The hash of a path in the index, and whether some path with this hash is in it, made by job `maker` or (-1)
 * by any. */
uint64_t outputs_path_hash(const char *path);
int outputs_index_has(const outputs_index *x, uint64_t hash, int64_t maker);

/* The job that makes `path`: 1 and its numbers, 0 none, negative error. */
int outputs_index_find(const outputs_index *x, const batch *b, const char *path, uint32_t *ret_job,
                       uint32_t *ret_index, deja_error *err);
void outputs_index_done(outputs_index *x);

/* An error with its place when an output of an instance that was added is also its input: by name, by
 * pattern, or inside an input folder. */
int outputs_check_inputs(const outputs_index *x, const job *j, deja_error *err);

/* 1 when an input means `path`: by name, by pattern, as a folder around it. Both are relative or both
 * absolute, else 0. */
int outputs_match(const job_input *in, const char *path);

/* The name under which an output is claimed: a hash of its absolute path, its folder without links. */
deja_hash outputs_claim(const batch *b, const char *path);

/* A hash of the stat data of its outputs as they are, of files that links among them lead to, and of the way
 * to both (way.h): another one after any of them was replaced, written to, renamed or removed, and after a
 * link on the way was switched. */
uint64_t outputs_stamp(const job *j);

/*
 * Before a run: makes the outputs' folders, removes old outputs. DEJA_EEXIST when a folder is in the way,
 * DEJA_EINVAL, with nothing removed, when an old output is one of `reads` by way of a link.
 */
int outputs_prepare(const job *j, const deja_digest_item *reads, size_t read_count, deja_error *err);

/* After a run that succeeded: every output is there and is a file or a link. */
int outputs_check(const job *j, deja_error *err);

/* After a run that failed. What cannot be removed is left. */
void outputs_remove(const job *j);

#endif
