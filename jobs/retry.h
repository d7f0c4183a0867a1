#ifndef RETRY_H
#define RETRY_H
/*
 * A failed job that is tried again: it waits among those set aside, without a slot and without claims, and
 * begins like any other. Private to the conductor.
 */
#include "active.h"

/* How long to wait before attempt `attempt` (2 is the first repetition); `chance` (any number) decides about
 * the jitter. */
int64_t retry_delay_ns(const batch_retries *r, unsigned attempt, uint64_t chance);

/* Its process has ended and failed (`why`, as outcome_judge has it): 1 when it is tried again, and waits for
 * that now; 0 when this is its failure. */
int retry_later(active *a, const deja_error *why);

/* The run ends while it waits: it is told as skipped. */
void retry_give_up(active *a);

#endif
