#ifndef RESOURCES_H
#define RESOURCES_H
/*
 * What running jobs share: slots, memory, named resources, the limit and the rate of each job. There is so
 * much of each; a job takes all that it asks for or waits, without any of it, at the stage HELD. Private to
 * the conductor.
 *
 * Nobody waits for ever: what can never fit is refused before anything runs, and the first job in batch order
 * that has waited for a while gets what becomes free.
 */
#include "active.h"

typedef struct resources resources;

/* Sets f->resources: what the batch says there is, options.resources instead where they name it. Errors are
 * those of a batch in which a job to be run can never start. */
int resources_open(flow *f, deja_error *err);

/* The same question without a run: is there a job that asks for more than the batch itself says there is? */
int resources_check(const batch *b, deja_error *err);

/* Takes all that `a` asks for: 1; 0: it has to wait. Given back when it enters a stage but RUNNING, or
 * retires. */
int resources_take(active *a);
void resources_give(active *a);

/* `a` is about to enter stage `s`, to retire. */
void resources_enter(active *a, stage s);
void resources_leave(active *a);

/* 1 when a slot is free. */
int resources_have_slot(const flow *f);

/* The first of those that wait and can start now goes to MISSED. */
void resources_wake(flow *f);

/* Monotonic: when one that waits for its rate may start; INT64_MAX: none does. */
int64_t resources_next_ns(const flow *f);

/* The one at MISSED that goes before all others there, since it has waited for so long; NULL: none. */
active *resources_favoured(const flow *f);

active_list *resources_list(const flow *f, const batch_job *def); /* those of a job that wait */
active *resources_first(const flow *f);                           /* of all that wait, or NULL */

/* How many CPUs it may keep busy. */
unsigned resources_cpus(const active *a);

/* Appends the numbers or names of the GPUs that it has got, separated by commas; nothing where it asks for
 * none. */
void resources_gpus(const active *a, deja_buffer *ret);

/* NULL is fine. */
void resources_close(resources *rs);

#endif
