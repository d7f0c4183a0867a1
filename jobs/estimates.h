#ifndef ESTIMATES_H
#define ESTIMATES_H
/*
 * How long the jobs of a run will take by what is recorded of them, and how long the work is that cannot
 * begin before they have ended. Of a definition some bytes are kept, of an instance nothing. One thread.
 */
#include "history.h"

typedef struct estimates estimates;

/* Looks at the history once for each definition. Borrows all. DEJA_ENOMEM. */
int estimates_open(estimates **ret, history *h, const batch *b, const plan *p, deja_error *err);
void estimates_close(estimates *e); /* NULL is fine */

/* How long the longest job that is to be run took when it was quickest; -1: nothing is recorded. */
int64_t estimates_longest_ns(const estimates *e);

/*
 * 1 when it is worth the search which job goes first: where the longest one, left over at the end, would be a
 * hundredth of the run and more, or where the search is nothing beside the mean of the jobs.
 */
int estimates_scatter(const estimates *e, unsigned slots);

/*
 * How long an instance will run: by its own last runs, by those of the instances with the nearest parameters,
 * or as long as all others do in the mean; -1: nothing is recorded of any job.
 */
int64_t estimates_wall_ns(estimates *e, const batch_job *def, uint32_t index);

/* How long an instance of a job runs in the mean, as far as that is known; -1: nothing is recorded. */
int64_t estimates_mean_ns(const estimates *e, uint32_t number);

/* The longest chain of jobs that begins when an instance of job `number` has ended; 0: none waits. */
int64_t estimates_after_ns(const estimates *e, uint32_t number);

#endif
