#ifndef INSIDE_H
#define INSIDE_H
/*
 * Which pools the calling thread, or the coroutine that it runs, is running a task of: what waits there for
 * another task of the same pool may wait for itself.
 */
#include <deja/pool.h>

/* In the caller's frame from enter to leave; the latest leaves first. A coroutine has a chain of its own, so
 * that one that waits in the midst of it harms no other. */
typedef struct inside {
    const deja_pool *pool;
    struct inside *outer;
} inside;

void inside_enter(inside *i, const deja_pool *p);
void inside_leave(const inside *i);

#endif
