#ifndef PRESSURE_H
#define PRESSURE_H
/*
 * Whether the machine has too much to do already for another job to start: --load and --memfree. It is looked
 * at once a second. One job may run whatever is seen, so that a run gets on. Private to the conductor.
 */
#include <stdint.h>

struct flow;

/* What was seen last. */
typedef struct pressure {
    int64_t looked_ns; /* monotonic; 0: never */
    double load;
    uint64_t memory_free; /* bytes */
    uint64_t running;     /* jobs of ours then */
} pressure;

/* 1 when nothing more is to start now. */
int pressure_is_high(struct flow *f);

/* When it is worth asking again, monotonic; INT64_MAX where it is not asked. */
int64_t pressure_next_ns(const struct flow *f);

#endif
