/*
 * The system's clocks behind an interface that tests can replace.
 */
#include <deja/clock.h>
#include <time.h>

/* clock_gettime cannot fail for these two clocks with a valid pointer: clock_gettime(2). */
static int64_t system_ns(clockid_t id)
{
    struct timespec now = {0};
    clock_gettime(id, &now);
    return now.tv_sec * DEJA_S_NS + now.tv_nsec;
}

int64_t deja_monotonic_ns(const deja_clock *clock)
{
    return clock ? clock->monotonic_ns(clock->context) : system_ns(CLOCK_MONOTONIC);
}

int64_t deja_wall_ns(const deja_clock *clock)
{
    return clock ? clock->wall_ns(clock->context) : system_ns(CLOCK_REALTIME);
}
