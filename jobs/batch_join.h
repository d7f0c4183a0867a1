#ifndef BATCH_JOIN_H
#define BATCH_JOIN_H
/*
 * Which instances of a needed job an instance needs: those that agree with it in the values of all names that
 * both matrices have, or all.
 */
#include "batch.h"
#include "joint.h"

/* The instances of a needed job that one instance needs. */
typedef struct batch_span {
    const joint *joint; /* NULL: all */
    uint32_t group;
    uint32_t count;
} batch_span;

/*
 * Prepares the needs of `def` for batch_span_of; it and all jobs that it needs must be expanded. Nothing is
 * done twice. An error with its place when an instance needs one that there is not.
 */
int batch_join(const batch *b, batch_job *def, deja_error *err);

/* 1 when an instance of `def` never needs more than one of the job that it needs. */
int batch_needs_single(const batch *b, const batch_job *def, const batch_need *need);

/* After batch_join. */
batch_span batch_span_of(const batch *b, const batch_need *need, uint32_t index);

/* Number `i` < span.count of its instances, in batch order. */
uint32_t batch_span_at(const batch_span *s, uint32_t i);

#endif
