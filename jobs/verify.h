#ifndef VERIFY_H
#define VERIFY_H
/*
 * Results that wait for a look at what the jobs that they need left: the outputs of these are inputs, too,
 * and a result counts when a look that began after its job's end finds them as they were. Where there are so
 * many that looking is dear, one look serves all who wait for it. They take no slot.
 */
#include "active.h"

/* What is known of the needed jobs of a job whose result is sealed; `ret_changed` is the one whose outputs
 * are not what they were, else NULL. REMAINS_LOOK_LATER: it waits now, see verify_next. */
remains_state verify(active *a, const batch_job **ret_changed);

/* One that need not wait any longer, to be verified again, or NULL. To be asked when all is dispatched that
 * can be: with nothing else to be done nobody waits. */
active *verify_next(flow *f);

/* When there will be one (monotonic), INT64_MAX: none waits. */
int64_t verify_next_ns(const flow *f);

#endif
