#ifndef ADOPT_H
#define ADOPT_H
/*
 * Outputs that lie there already, taken for what their job would make: for who comes from another tool, and
 * only on wish. Private to the conductor.
 *
 * Nobody can know that they are what the job makes of its inputs as they are. So a job is adopted only where
 * that is as likely as make(1) would have it: all its outputs are there, and none is older than anything that
 * it reads or that an instance which it needs left. One that needs what a job printed is not adopted: that
 * has no time; nor one with a depfile: only a run makes a list of what is read that can be relied on.
 *
 * What deja made is not taken for another tool's: it is of the command and the inputs of then, or of a run
 * that failed. So no job is adopted that the history knows, one that was adopted included, and no output that
 * changed since this run began. What is not known: outputs of a run that was killed before its
 * history was written, or that goes on, and what was put in place for a hit.
 */
#include "active.h"

/* A miss that has its claims: 1 when it is adopted: ADOPTED, with an outcome as if it had run well and said
 * nothing; 0: it is to be run. */
int adopt_take(active *a);

/* One that was adopted, to be sealed now; NULL: none is left. */
active *adopt_next(flow *f);

#endif
