#ifndef OUTLOOK_H
#define OUTLOOK_H
/*
 * How long the rest of a run will take by what is recorded: the work that is left, shared out over the slots,
 * and never less than the longest chain of it; all of it longer or shorter as the jobs of this run have been
 * so far. Private to the conductor.
 */
#include "active.h"

/* From `now_ns` (wall clock) on; -1: nothing long is recorded, or it is not known how many jobs there are. */
int64_t outlook_ns(flow *f, int64_t now_ns);

/* A job's process or call has ended. */
void outlook_note(active *a);

#endif
