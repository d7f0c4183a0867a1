#ifndef PARAMS_H
#define PARAMS_H
/*
 * The parameters of an instance by name: what tells it from others of its job, whatever its number is.
 */
#include "batch.h"

typedef struct param {
    const char *name, *value; /* NUL-terminated; a value has no NUL in it */
} param;

/* Zeroed memory is an empty list, and one may be used again. */
typedef struct params {
    param items[BATCH_MOST_AXES]; /* sorted by name */
    size_t count;
    deja_buffer text; /* owns the values; `failed`: out of memory, and there are none */
} params;

/* Those of instance `index`; none where the job's instances are not known. */
void params_of(params *ret, const batch_job *def, uint32_t index);

/* A hash of all names and values; 0 of none. */
uint64_t params_hash(const params *p);

/*
 * How far two lists are apart: for each name 0 (equal values) to 1, numbers in between by how much they
 * differ, of those that only one of them has 1.
 */
double params_distance(const param *a, size_t a_count, const param *b, size_t b_count);

void params_done(params *p);

#endif
