#ifndef LIVE_H
#define LIVE_H
/*
 * The output of running jobs as it comes, for `--line-buffer`: in whole lines, so that those of one job do
 * not come into those of another. What a line lacks at the end of its job is a newline; a line of more than a
 * megabyte is cut into such. One thread.
 */
#include "outbox.h"

/* With its box zeroed memory is ready. */
typedef struct live {
    outbox *box;
    int tag;         /* each line begins with its job's name */
    int only_errors; /* standard output is something else's */
    struct live_job *jobs;
} live;

/* A FLOW_OUTPUT. */
void live_add(live *l, const flow_event *event);

/* A job, or its attempt, has ended: writes what is left of its last lines. 1 when all that it wrote is
 * written now, 0 when nothing came while it ran. */
int live_end(live *l, const flow_event *event);

void live_done(live *l);

#endif
