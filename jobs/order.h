#ifndef ORDER_H
#define ORDER_H
/*
 * Which of the jobs that could start goes first: with recorded durations the one that begins the longest
 * chain of work, so that no long job is left over at the end; else the first of the batch. Private to the
 * conductor.
 */
#include "active.h"

/* 1 when the order is not that of the batch: something long is recorded, and several run at a time. Asks the
 * history once. */
int order_matters(flow *f);

/* Of those that wait for a slot, of which there is one at least. */
active *order_first(flow *f);

#endif
