#ifndef DEJA_CLOCK_H
#define DEJA_CLOCK_H
/*
 * Time. Durations come from the monotonic clock, only time stamps for people from the wall clock. Code that
 * must be testable takes a `const deja_clock *`; NULL stands for the system's.
 */
#include <deja/error.h>
#include <stdint.h>

#define DEJA_MS_NS INT64_C(1000000)    /* nanoseconds in a millisecond */
#define DEJA_S_NS  INT64_C(1000000000) /* nanoseconds in a second */

typedef struct deja_clock {
    int64_t (*monotonic_ns)(void *context);
    int64_t (*wall_ns)(void *context); /* since 1970-01-01 UTC */
    void *context;
} deja_clock;

DEJA_API int64_t deja_monotonic_ns(const deja_clock *clock);
DEJA_API int64_t deja_wall_ns(const deja_clock *clock);

#endif
