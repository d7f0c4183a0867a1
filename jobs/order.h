#ifndef ORDER_H
#define ORDER_H
/*
 * Which of the jobs that could start goes first: with recorded durations the one that begins the longest
 * chain of work, so that no long job is left over at the end; else the first of the batch. Private to the
 * conductor.
 */
#include "active.h"

/* What is recorded of this batch; NULL: nothing that takes long. Asks the history once. */
struct estimates *order_estimates(flow *f);

/* Fills in how long a job will run, and the longest chain that begins with it. There are estimates. */
void order_estimate(active *a);

/* 1 when the order is not that of the batch: something long is recorded, and several run at a time. */
int order_matters(flow *f);

/* Of those that wait for a slot, of which there is one at least. */
active *order_first(flow *f);

#endif
