#ifndef REMAINS_H
#define REMAINS_H
/*
 * What the settled instances of a job have left for others: a hash of each, and what is known of the files
 * since.
 */
#include "batch_join.h"
#include <deja/hash.h>

/* A look at the outputs of some instances. */
typedef struct remains_look {
    const joint *joint; /* whose: see batch_span */
    uint32_t group;
    int64_t looked_ns; /* when it was begun, monotonic; 0: never */
    int64_t again_ns;  /* of many: not before */
    int changed;       /* they are not what they were */
} remains_look;

/* Zeroed memory: nothing is kept. */
typedef struct remains {
    deja_hash *left; /* of each instance, zero: not known; NULL once it is folded */
    uint64_t *stamps;
    uint32_t count;
    int folded, all_known; /* `all` is made; of each one it is known */
    deja_hash all;
    remains_look all_look, latest_look;
} remains;

/* For `count` instances. DEJA_ENOMEM. */
int remains_init(remains *r, uint32_t count);
void remains_done(remains *r);

/* `left` NULL: not known. `stamp` is outputs_stamp() then. */
void remains_note(remains *r, uint32_t index, const deja_hash *left, uint64_t stamp);

/* 1 when it is known what an instance left. */
int remains_has(const remains *r, uint32_t index);

/* All are noted: makes one hash of them. `frees`: nobody asks for single ones. */
void remains_fold(remains *r, int frees);

/* What the instances of a span left, in batch order, as one hash: 1; 0 when it is not known of each. All of
 * them are noted; for a span of all it is folded. */
int remains_hash(const remains *r, const batch_span *span, deja_hash *ret);

typedef enum remains_state {
    REMAINS_SAME,      /* outputs are as they were when they were noted */
    REMAINS_CHANGED,   /* they are not */
    REMAINS_LOOK_LATER /* nobody looked since then, and looking is dear */
} remains_state;

/* Whether the outputs of a span were the same at `since_ns`, see plan_changed. */
remains_state remains_changed(remains *r, const batch *b, const batch_job *def, const batch_span *span,
                              int64_t since_ns, int64_t *ret_later_ns);

#endif
