#ifndef MAKERS_H
#define MAKERS_H
/*
 * Who makes what others read: the pairs of definitions of which one reads, by name, by a pattern, in a
 * folder, or as standard input, what instances of the other one make. Paths are added when they are known;
 * the pairs are found among all that were added.
 */
#include "outputs.h"

typedef struct makers makers;

#define MAKERS_ALL UINT32_MAX

typedef struct makers_pair {
    uint32_t reader, maker;             /* numbers of definitions, perhaps the same one */
    uint32_t reader_index, maker_index; /* instances, or MAKERS_ALL where that is not told */
    const char *read;                   /* the path or pattern that is read; borrowed during the call */
    const char *made;                   /* the path that is made; borrowed during the call */
    mark at;                            /* of what reads */
    int in_matrix;                      /* read for the values of the reader's matrix */
} makers_pair;

/* A negative code ends the search and is its result. A pair may come more than once. */
typedef int (*makers_found)(void *context, const makers_pair *pair, deja_error *err);

/* Borrows the batch. DEJA_ENOMEM. */
int makers_open(makers **ret, batch *b, makers_found found, void *context, deja_error *err);

/*
 * Takes in paths of all instances of `def`, which is expanded: what they make, what they read (for that the
 * jobs whose outputs they gather must be expanded, too), or both. Errors with their place: two instances make
 * one path, an output is also an input.
 */
#define MAKERS_MADE 1u
#define MAKERS_READ 2u
int makers_add(makers *m, const batch_job *def, uint32_t instances, unsigned what, deja_error *err);

/* Finds the pairs among all that were added. */
int makers_link_all(makers *m, deja_error *err);

/* After makers_link_all: finds the pairs with what was added of `def` since. */
int makers_link(makers *m, const batch_job *def, unsigned what, deja_error *err);

/* Who makes `path`: 1 and the numbers of definition and instance, 0 nobody (as far as is known by now), or
 * negative. */
int makers_find(const makers *m, const char *path, uint32_t *ret_job, uint32_t *ret_index, deja_error *err);

void makers_close(makers *m);

#endif
