#ifndef PLAN_H
#define PLAN_H
/*
 * The plan of a run: which instances there are, which may start, and what those that are settled have left
 * for the jobs that need them. Who waits for whom is written under `needs`, or follows from files (an input
 * that is another job's output): instance by instance where both jobs' instances are known when the run
 * starts, else for all.
 */
#include "graph.h"
#include "job.h"
#include "remains.h"
#include "selection.h"

typedef struct plan plan;

/* How an instance ended, as far as others are concerned. */
typedef enum plan_end {
    PLAN_LEFT,    /* it is right */
    PLAN_UNKNOWN, /* dry run: it would run, what it leaves cannot be told */
    PLAN_MISSING, /* it failed and may: jobs that need what it leaves are not run, those that only come after
                     it are */
    PLAN_FAILED,  /* jobs that need it are not run */
} plan_end;

/* An instance that may start now, or cannot start any more. */
typedef struct plan_ready {
    batch_job *def;
    uint32_t index;
    const batch_job
        *blocked_by; /* NULL, or the needed job an instance of which failed (or, dry, would run) */
    int would;       /* blocked_by would run; it did not fail */
    const deja_error
        *error; /* NULL, or why the job's instances cannot be known; borrowed until the plan is closed */
} plan_ready;

/*
 * Expands all jobs that can be, indexes their outputs, adds the edges that follow from files. Of the
 * instances those that `chosen` has are run (NULL: all), and those that they need. Borrows both. Errors are
 * about the batch. Takes a second or so for a million instances.
 */
int plan_open(plan **ret, batch *b, const selection *chosen, deja_error *err);

/* The same without what the chosen ones need: what that would have left is taken as it lies there. */
int plan_open_only(plan **ret, batch *b, const selection *chosen, deja_error *err);

/* How many instances job `number` has, chosen or not; 0 when none is: 1; 0 when that is not known yet. */
int plan_instances(const plan *p, uint32_t number, uint32_t *ret);

/* 1 when instance `index` of a job, whose instances are known, is to be run. */
int plan_has(const plan *p, uint32_t number, uint32_t index);

/* How many instances of job `number` are to be run, as far as they are known. */
uint32_t plan_chosen(const plan *p, uint32_t number);

/* That one job waits for another one. */
typedef struct plan_edge {
    uint32_t to;            /* the job that is waited for */
    const batch_need *need; /* where it is written; NULL: it follows from a file */
    const char *file;       /* then: the path or pattern that is read */
    int order_only, by_instance;
} plan_edge;

/* Edge `i` of job `number`: 1; 0 when it has no more. */
int plan_edge_of(const plan *p, uint32_t number, size_t i, plan_edge *ret);

/* The instances of the other job that instance `index` waits for by that edge, in any order, perhaps twice.
 * Of both jobs the instances are known. DEJA_ENOMEM. */
int plan_makers(const plan *p, uint32_t number, size_t i, uint32_t index,
                void (*found)(void *context, uint32_t maker), void *context);

/* The next instance in batch order that is ready: 1, or 0 when none is at the moment. */
int plan_next(plan *p, plan_ready *ret);

/* An instance that plan_next gave has ended. `left` is the hash of what it left, NULL when that is not known;
 * `stamp` is outputs_stamp() of it then. */
void plan_settle(plan *p, const batch_job *def, uint32_t index, plan_end end, const deja_hash *left,
                 uint64_t stamp);

/* What those instances left that instance `index` of the job with `need` needs by that, in batch order, as
 * one hash: 1; 0 when it is not known of each. All are settled. */
int plan_left(plan *p, const batch_need *need, uint32_t index, deja_hash *ret);

/* 1 for a plan of plan_open_only. */
int plan_is_only(const plan *p);

/* 1 when instance `maker` of a needed job is not run (plan_open_only), and plan_note was not told what it
 * left. */
int plan_is_lying(const plan *p, uint32_t number, uint32_t maker);

/* What lies there of such an instance, as for plan_settle. */
void plan_note(plan *p, uint32_t number, uint32_t maker, const deja_hash *left, uint64_t stamp);

/*
 * Whether the outputs of these were the same at `since_ns` (monotonic) as when they ended: told by a look
 * that began then or later. The outputs of more than a thousand instances are looked at once a second at
 * most; when the next look may be is put into `ret_later_ns`, and NULL has them looked at now.
 */
remains_state plan_changed(plan *p, const batch_need *need, uint32_t index, int64_t since_ns,
                           int64_t *ret_later_ns);

/* Where instances come from a feed that has none at the moment: what is to be polled before plan_next; else
 * -1. */
int plan_fd(const plan *p);

typedef enum plan_made {
    PLAN_MADE_BY_NOBODY,
    PLAN_MADE_BEFORE, /* by an instance that it needs, or by a job all of whose instances it waits for by way
                         of others that it waits for as a whole */
    PLAN_MADE_ANYTIME /* by one that it may not wait for, or out of memory */
} plan_made;

/* Who makes what instance `index` of `def` reads without having said so; `ret_maker` is who, NULL for nobody.
 */
plan_made plan_made_by(const plan *p, const batch_job *def, uint32_t index, const char *path,
                       const batch_job **ret_maker);

/* How many instances of job `number` are to be run and not settled, as far as they are known. Not of a feed.
 */
uint32_t plan_unsettled(const plan *p, uint32_t number);

/* 1 when every instance is settled. */
int plan_finished(const plan *p);

/* Number of instances to be run as far as they are known, and whether some job's number is not known yet. */
uint64_t plan_total(const plan *p, int *ret_unexpanded);

/* Who waits for whom, by definitions; edges may come when instances become known. Borrowed. */
const graph *plan_graph(const plan *p);

/* NULL is fine. */
void plan_close(plan *p);

#endif
