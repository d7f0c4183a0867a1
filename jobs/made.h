#ifndef MADE_H
#define MADE_H
/*
 * The paths that jobs make, each once: a set of their hashes, 16 bytes for each path and as much to spare.
 */
#include <deja/error.h>
#include <deja/hash.h>
#include <stddef.h>

/* Zeroed memory is an empty set. */
typedef struct made {
    deja_hash *slots; /* all zero: free */
    size_t count, cap;
} made;

/* Adds a path: 1; 0 when it is there already; DEJA_ENOMEM. */
int made_add(made *m, const char *path, deja_error *err);
void made_done(made *m);

#endif
