#ifndef FED_H
#define FED_H
/*
 * The plan of a job whose instances come from a feed: nothing waits for anything, and no two make one path.
 * Private to plan.c.
 */
#include "feed.h"
#include "made.h"
#include "plan.h"

typedef struct fed {
    batch *batch;
    batch_job *def;
    feed *feed;
    made made;
} fed;

/* Takes the only job of the batch, which has a feed. */
void fed_init(fed *f, batch *b);

/* As plan_next. */
int fed_next(fed *f, plan_ready *ret);

/* Safe on zeroed memory. */
void fed_done(fed *f);

#endif
