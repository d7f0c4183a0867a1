#ifndef BELL_H
#define BELL_H
/*
 * A bell: a number that rises whenever there may be something new, and a sleep until it does. Two words in
 * memory that may be shared between processes, zeroed at first: the number, and how many sleep. Any thread of
 * any process may ring.
 */
#include <stdint.h>

enum { bell_words = 2 };

/* A futex call only where somebody sleeps. */
void bell_ring(uint32_t *bell);

/* Sleeps until the number differs from `seen` or `until_ns` (monotonic; INT64_MAX: for ever) is over. Returns
 * 1 when it differs, 0 when the time is over. Spins at first, for at most `spin_ns`. */
int bell_wait(uint32_t *bell, uint32_t seen, int64_t until_ns, int64_t spin_ns);

#endif
