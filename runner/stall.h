#ifndef STALL_H
#define STALL_H
/*
 * Coroutines that run without waiting, so that no other one does: named, once for a function. The loop's
 * thread sees it when the coroutine waits or ends at last, the pool's owner while it still runs.
 */
#include "backend.h"

typedef struct stall {
    _Atomic(task *) running; /* NULL: none */
    _Atomic int64_t since_ns;
} stall;

/* The loop's thread: before a coroutine goes on, and after it. */
void stall_begin(stall *s, task *t, int64_t now_ns);
void stall_end(stall *s, int64_t now_ns);

/* The owner: names what stalls the loop now, and says if it is late. Returns when to look again. */
int64_t stall_look(stall *s, int64_t now_ns);

#endif
