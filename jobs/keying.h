#ifndef KEYING_H
#define KEYING_H
/*
 * The key of a job, and the hash by which the keys of other jobs see what it left.
 */
#include "active.h"

/* Writes a->encoding and a->key; what the job reads is hashed, the jobs that it needs are settled. Where it
 * is not known what one of them left, there is no key: a->keyed stays 0. */
int keying_make(active *a, deja_error *err);

/*
 * What a job left: path, content and executability of each of its outputs, and of what a link leads to when
 * that is a file; its standard output where it has none; of a call also its value (else NULL). `targets` as
 * deja_result has them, NULL: no output is a link. 0: not known, as what a link leads to cannot be read.
 */
int keying_left(const deja_output *outputs, size_t count, const deja_digest_item *targets,
                const deja_content *out, const deja_content *value, deja_hash *ret);

#endif
