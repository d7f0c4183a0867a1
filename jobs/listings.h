#ifndef LISTINGS_H
#define LISTINGS_H
/*
 * Patterns and folders that jobs read, found by the paths that they mean: by the hash of the plain text that
 * a pattern begins with. So neither many patterns nor many paths make the work grow as their product, unless
 * all patterns begin alike.
 */
#include "job.h"

typedef struct listing {
    uint64_t hash; /* of the plain text that it begins with */
    uint32_t reader;
    uint32_t found; /* number + 1 of the maker that it was found for last, see listings_find */
    int in_matrix;  /* the values of the reader's matrix are read from it */
    job_input input;
} listing;

/* Zeroed memory is empty. */
typedef struct listings {
    listing *items;
    size_t count, cap, sorted;
    size_t *lengths; /* of plain texts, each once */
    size_t length_count, length_cap;
    int has_absolute; /* some lie outside the batch's folder */
    deja_arena arena;
} listings;

/* Adds what `reader` reads; the same as one of the latest few is not added again. DEJA_ENOMEM. */
int listings_add(listings *l, uint32_t reader, const job_input *in, int in_matrix);

/* To be called after the last one was added, before any is looked for. */
void listings_sort(listings *l);

/* 1 when job `reader` has one. */
int listings_has(const listings *l, uint32_t reader);

/* Calls `found` for each listing that means `path`, made by job `maker` (each once a maker), of job `reader`
 * or
 * (-1) of any. A negative code ends it. */
int listings_find(listings *l, const char *path, uint32_t maker, int64_t reader,
                  int (*found)(void *context, const listing *of, const char *path, uint32_t maker,
                               deja_error *err),
                  void *context, deja_error *err);

void listings_done(listings *l);

#endif
