#ifndef TIMER_HEAP_H
#define TIMER_HEAP_H
/*
 * Timers, the earliest first: a heap with four children a node, whose entries hold the time, so that ordering
 * touches no timer but to tell it its place. Zeroed memory is an empty heap. One thread at a time.
 */
#include <stddef.h>
#include <stdint.h>

typedef struct timer {
    uint32_t place; /* 0: not set; else its index and 1 */
    uint32_t kind;  /* the owner's */
} timer;

typedef struct timer_entry {
    int64_t at_ns;
    timer *timer;
} timer_entry;

typedef struct timer_heap {
    timer_entry *entry;
    size_t len, cap;
} timer_heap;

/* Room for `count` timers, so that timer_set cannot fail. 0 or -1. */
int timer_heap_reserve(timer_heap *h, size_t count);

/* Sets it, anew perhaps. */
void timer_set(timer_heap *h, timer *t, int64_t at_ns);

/* Not set is fine. */
void timer_clear(timer_heap *h, timer *t);

/* INT64_MAX: none is set. */
int64_t timer_heap_next_ns(const timer_heap *h);

/* The earliest, when it is due at `now_ns`, cleared; else NULL. */
timer *timer_heap_pop(timer_heap *h, int64_t now_ns);
void timer_heap_done(timer_heap *h);

#endif
