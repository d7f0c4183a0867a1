#ifndef ASIDE_H
#define ASIDE_H
/*
 * Jobs set aside: somebody else has a claim on what they make. They take no slot and ask again, after 1 ms
 * rising to 100 ms.
 */
#include "active.h"

/* Sets it aside, without its entry. After a while it is told for whom it waits, once. */
void aside_add(active *a);

/* 1 when it is to go on without its claims: this run is part of a job that holds claims itself, and for whom
 * it waits may be waiting for that one. */
int aside_is_over(const active *a);

/* Sends those whose time has come back to where they came from: 1 when there were any. */
int aside_wake(flow *f);

/* Somebody of this run gave the claim on this key back: who waits for it asks at once. */
void aside_hurry(flow *f, const deja_hash *key);

/* When the next one is to be asked again (monotonic), INT64_MAX: none is aside. */
int64_t aside_next_ns(const flow *f);

/* `a` is to be tried again at `at_ns` (monotonic), not before. */
void aside_until(active *a, int64_t at_ns);

#endif
