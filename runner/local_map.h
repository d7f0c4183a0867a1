#ifndef LOCAL_MAP_H
#define LOCAL_MAP_H
/*
 * Maps in this process: lanes, which are tasks of the map's function, claim chunks of items until none is
 * left. So limits of the function hold for calls and maps together. A map that a function of the pool makes
 * has one lane, run by whoever waits for it.
 */
#include "backend.h"
#include "result_sink.h"

/* At most `lanes` at once. */
int local_map_begin(deja_pool_function *f, const deja_map_task *m, uint32_t lanes, deja_map_run **ret,
                    deja_error *err);

/* For the task that is a lane: its body, a look at its item, its end (owner). */
void local_map_run_lane(void *lane, deja_sink *s);
int64_t local_map_look(void *lane, int64_t now_ns);
void local_map_lane_over(task *t);

#endif
