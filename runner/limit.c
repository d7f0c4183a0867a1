/*
 * Starts a second. The next start is one interval after the last one was due, not after it happened, so that
 * a late look does not lower the rate; but never nearer than half an interval, so that nothing bursts.
 */
#include "limit.h"

#include <deja/clock.h>
#include <stdatomic.h>

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t limit_interval_ns(double per_second)
{
    double ns = (double)DEJA_S_NS / per_second;
    return ns < 1 ? 1 : ns > 9e18 ? INT64_MAX / 2 : (int64_t)ns;
}

int64_t limit_claim_word(_Atomic int64_t *next_start_ns, int64_t interval_ns, int64_t now_ns)
{
    int64_t at = atomic_load(next_start_ns);
    do {
        if (now_ns < at)
            return at;
    } while (!atomic_compare_exchange_weak(next_start_ns, &at,
                                           later(at + interval_ns, now_ns + interval_ns / 2 + 1)));
    return 0;
}

int64_t limit_claim(deja_pool_function *f, int64_t now_ns)
{
    if (!(f->options.per_second > 0))
        return 0;
    return limit_claim_word(f->shared_start_ns ? f->shared_start_ns : &f->next_start_ns,
                            limit_interval_ns(f->options.per_second), now_ns);
}
