#ifndef ASYNC_H
#define ASYNC_H
/*
 * What a coroutine may ask of its loop. All of it is called within a coroutine.
 */
#include "coroutine.h"

/* Others run until then. */
void async_sleep_until(coroutine *c, int64_t at_ns);

/* As deja_wait_fd. */
int async_wait_fd(coroutine *c, int fd, int events, int64_t until_ns);

/* What it runs is late from `at_ns` on. */
void async_deadline(coroutine *c, int64_t at_ns);

#endif
