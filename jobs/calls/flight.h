#ifndef FLIGHT_H
#define FLIGHT_H
/*
 * The conductor of calls. A flight computes one key once, for all who want it:
 *
 *     key       of function and arguments (function.c)
 *     lookup    a valid result answers at once                            cache
 *     dispatch  claimed against other processes, given to the pool        runner
 *     result    answers whoever waits
 *     store     sealed and committed, then the claim is given back        cache helpers
 *
 * All under the context's lock.
 */
#include "future.h"

/* Keys looked up in one read transaction at most. */
#define FLIGHT_GROUP 256

/* What one look-up or start needs, made without the lock. */
typedef struct flight_request {
    deja_fn *function;
    const deja_value *args;
    size_t n;
    uint32_t flags; /* DEJA_FORCE */
    int keyed;
    call_key key;       /* moves into a flight that is started */
    int64_t refused_ns; /* see flight_look_up */
} flight_request;

/* Looks `n` keys up in one read transaction (the lock may be let go for rules of validity, which are asked
 * once about an entry): found[i] is 1 where answers[i] is a valid result. */
void flight_look_up(flight_request *q, size_t n, answer *answers, uint8_t *found);

/* After misses, n of them at most FLIGHT_GROUP: each future joins the flight that makes the same, or one is
 * started for it. Lack of memory answers it. */
void flight_join_or_start(flight_request *const *q, deja_future *const *futures, size_t n);

/* The pool's outcome of a flight. */
void flight_outcome(flight *f, deja_task_outcome *o);

/* Flights whose claim is held elsewhere, when their time has come. 1: some were. */
int flight_ask_again(deja *d);
int64_t flight_next_ns(const deja *d);

/* Runs one call or map of the inline backend, out of the lock. 1: there was one. */
int flight_run_here(deja *d);

/* The future no longer wants it; a flight that nobody wants is ended where that can be. 1: it was. */
int flight_cancel(deja_future *future);

/* Frees a future that waits; a flight that nobody wants any more is ended where that can be. */
void flight_leave(deja_future *future);

/* The same, unless it is begun: 0. */
int flight_leave_unbegun(deja_future *future);

/* Before the context closes: whatever was not begun is not begun. */
void flight_cancel_all(deja *d);

/* Waits until all that is on its way into the cache now is durable, or is not kept. */
void flight_wait_kept(deja *d);
int flight_keeps(const deja *d, const deja_hash *hash);

#endif
