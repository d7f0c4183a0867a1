#ifndef HIT_H
#define HIT_H
/*
 * From an entry that was found to an answered job: its outputs are looked at, claimed and put in place where
 * they are not right.
 */
#include "active.h"

typedef enum hit_state {
    HIT_PENDING,  /* the cache has a step of it in hand: go on when that is finished */
    HIT_ANSWERED, /* checked, outputs in place */
    HIT_MISS,     /* evicted, damaged, no descriptor for it, of a status that counts no more: run the job */
    HIT_CANCELED, /* the run is to end now */
    HIT_HELD,     /* somebody else has a claim: ask again later */
    HIT_FAILED,   /* the outputs cannot be put in place: a->restore.step.error */
} hit_state;

/* Begins with a->entry (stage LOOKING or MISSED), goes on after a finished step (stage CHECKING, RESTORING
 * or REREADING). Once answered, the contents in a->entry->outputs are those in place. */
hit_state hit_advance(active *a);

#endif
