#ifndef LIMIT_H
#define LIMIT_H
/*
 * The limit of starts a second: evenly spaced, without bursts after a pause.
 */
#include "backend.h"

/* 0: a start is allowed now, and counted; else when to ask again (monotonic ns). Any thread. */
int64_t limit_claim(deja_pool_function *f, int64_t now_ns);

/* The same for a word that processes share, and the time between two starts. */
int64_t limit_claim_word(_Atomic int64_t *next_start_ns, int64_t interval_ns, int64_t now_ns);
int64_t limit_interval_ns(double per_second);

#endif
