#ifndef RESULTS_H
#define RESULTS_H
/*
 * What one or many calls returned, as it is handed out: values side by side, and the holders that they lie
 * in.
 */
#include "future.h"

/* `count` items without an answer yet. NULL: out of memory. */
deja_results *results_new(size_t count);

/*
 * The same for results that lie in an array of the caller's: their values are null. Whether item i failed (0)
 * and how long it took is for deja_map_run_times to be written to results_times(); failures are put.
 */
deja_results *results_new_elsewhere(size_t count);
uint16_t *results_times(deja_results *r);

/* Item i has this answer, which is taken. */
void results_put(deja_results *r, size_t i, answer a);

/* Under the lock: the answer of `future` in *done; the future is gone. 1, or DEJA_ENOMEM (it is gone, too).
 */
int results_of_future(deja_future *future, deja_done *done, deja_error *err);

#endif
