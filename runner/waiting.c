/*
 * Waiting inside of a function: a coroutine lets others run, elsewhere it blocks the thread.
 */
#include "async.h"
#include "local.h"

#include <deja/clock.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>

static int left_ms(int64_t until_ns)
{
    if (until_ns == INT64_MAX)
        return -1;
    int64_t left = (until_ns - deja_monotonic_ns(NULL) + DEJA_MS_NS - 1) / DEJA_MS_NS;
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static int64_t after_ms(int64_t ms)
{
    int64_t now = deja_monotonic_ns(NULL);
    return ms < 0 || ms > (INT64_MAX - now) / DEJA_MS_NS ? INT64_MAX : now + ms * DEJA_MS_NS;
}

static int wanted(int events)
{
    return (events & DEJA_READABLE ? POLLIN : 0) | (events & DEJA_WRITABLE ? POLLOUT : 0);
}

static int found(int revents)
{
    if (revents & (POLLERR | POLLHUP))
        return DEJA_READABLE | DEJA_WRITABLE;
    return (revents & POLLIN ? DEJA_READABLE : 0) | (revents & POLLOUT ? DEJA_WRITABLE : 0);
}

static int poll_fd(int fd, int events, int64_t until_ns)
{
    struct pollfd p = {.fd = fd, .events = (short)wanted(events)};
    for (;;) {
        int left = left_ms(until_ns);
        int rc = poll(&p, 1, left);
        if (rc > 0)
            return p.revents & POLLNVAL ? DEJA_EINVAL : found(p.revents);
        if (rc < 0 && errno != EINTR)
            return deja_code_of_errno(errno);
        if (rc == 0 && left == 0)
            return 0;
    }
}

void deja_sleep_ms(int64_t ms)
{
    if (ms >= 0)
        local_sleep_until(after_ms(ms));
}

int deja_wait_fd(int fd, int events, int64_t timeout_ms)
{
    if (fd < 0 || !wanted(events))
        return DEJA_EINVAL;
    coroutine *c = coroutine_current();
    if (c && timeout_ms != 0)
        return async_wait_fd(c, fd, events, after_ms(timeout_ms));
    return poll_fd(fd, events, after_ms(timeout_ms));
}
