/*
 * A descriptor that tells of the bell: a thread sleeps on the bell and writes to an eventfd. Workers do not
 * write to it themselves: a function that closed its descriptors would write to whatever has the number now.
 */
#include "pool_state.h"

#include <deja/clock.h>
#include <deja/file.h>
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Of a look that is due and that nobody does: not more often than this. */
enum { nag_ms = 1 };

static void signal_fd(const deja_pool *p)
{
    ssize_t rc = eventfd_write(p->fd, 1);
    (void)rc; /* EAGAIN: it is readable as it is */
}

static void *watch(void *arg)
{
    deja_pool *p = arg;
    uint32_t seen = deja_pool_seen(p);
    struct timespec nag = {.tv_nsec = nag_ms * DEJA_MS_NS};
    while (!p->fd_stop) {
        int64_t due = p->due_ns;
        if (!bell_wait(p->bell, seen, due, 0))
            clock_nanosleep(CLOCK_MONOTONIC, 0, &nag, NULL);
        seen = deja_pool_seen(p);
        signal_fd(p);
    }
    return NULL;
}

int pool_fd_open(deja_pool *p, deja_error *err)
{
    sigset_t all, old;
    p->fd = deja_file_above_standard(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    if (p->fd < 0)
        return deja_fail_errno(err, "make a descriptor for events");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&p->fd_thread, NULL, watch, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        return 0;
    close(p->fd);
    p->fd = -1;
    errno = rc;
    return deja_fail_errno(err, "start a thread");
}

void pool_fd_clear(deja_pool *p)
{
    eventfd_t ignored;
    if (p->fd >= 0)
        (void)!eventfd_read(p->fd, &ignored);
}

void pool_fd_remind(deja_pool *p)
{
    if (p->fd >= 0 && (p->ready || p->inline_work))
        signal_fd(p);
}

void pool_fd_close(deja_pool *p)
{
    if (p->fd < 0)
        return;
    if (!pool_is_foreign(p)) {
        p->fd_stop = 1;
        pool_rung(p);
        pthread_join(p->fd_thread, NULL);
    }
    close(p->fd);
    p->fd = -1;
}
