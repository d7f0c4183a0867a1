#ifndef SHARED_H
#define SHARED_H
/*
 * Shared arrays of a context: frozen by the first call that gets them, hashed once.
 */
#include "context.h"

/* Shared arrays anywhere in the arguments become read-only. Not under the lock. */
int shared_freeze(deja *d, const deja_value *args, size_t n, deja_error *err);

/* 1: it lies in an array that is read-only. Not under the lock. */
int shared_is_frozen(deja *d, const deja_array *a);

/* The hash of an array's numbers; of a shared one it is remembered. Not under the lock. */
int shared_hash(deja *d, const deja_array *a, deja_hash *ret, deja_error *err);

/* The shared arrays among the arguments of a call, which stay until it is over, freed or not. Under the lock.
 * *ret (NULL before) stays NULL where there are none. 0: out of memory. */
typedef struct shared_held shared_held;
int shared_hold(deja *d, const deja_value *args, size_t n, shared_held **ret);
void shared_let_go(shared_held *h); /* NULL is fine */

void shared_free_all(deja *d);

#endif
