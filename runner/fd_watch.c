/*
 * Descriptors that are waited for. EPOLLONESHOT disarms with the event; the registration stays for the next
 * wait, and whether there is one is asked of the kernel: the descriptor may have been closed meanwhile.
 */
#include "fd_watch.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/job.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

static uint32_t wanted(const fd_waiters *f)
{
    return (f->waiter[fd_watch_reader] ? (uint32_t)EPOLLIN : 0) |
           (f->waiter[fd_watch_writer] ? (uint32_t)EPOLLOUT : 0) | (uint32_t)EPOLLONESHOT;
}

static int arm(fd_watch *w, int fd)
{
    struct epoll_event e = {.events = wanted(&w->fd[fd]), .data.fd = fd};
    if (epoll_ctl(w->epoll, EPOLL_CTL_MOD, fd, &e) == 0)
        return 0;
    return errno == ENOENT ? epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &e) : -1;
}

/* Disarmed means gone: an armed one without wishes would still tell of a hang-up. */
static void rearm(fd_watch *w, int fd)
{
    if (wanted(&w->fd[fd]) == (uint32_t)EPOLLONESHOT)
        epoll_ctl(w->epoll, EPOLL_CTL_DEL, fd, NULL);
    else
        arm(w, fd);
}

static int make_room(fd_watch *w, int fd)
{
    size_t cap = w->cap ? w->cap : 64;
    while (cap <= (size_t)fd)
        cap *= 2;
    if (cap == w->cap)
        return 0;
    fd_waiters *grown = deja_realloc_array(w->fd, cap, sizeof *grown);
    if (!grown)
        return DEJA_ENOMEM;
    memset(grown + w->cap, 0, (cap - w->cap) * sizeof *grown);
    w->fd = grown;
    w->cap = cap;
    return 0;
}

static int is_taken(const fd_waiters *f, int events)
{
    return ((events & DEJA_READABLE) && f->waiter[fd_watch_reader]) ||
           ((events & DEJA_WRITABLE) && f->waiter[fd_watch_writer]);
}

static void forget(fd_waiters *f, const void *waiter)
{
    for (int i = 0; i < fd_watch_directions; i++)
        if (f->waiter[i] == waiter)
            f->waiter[i] = NULL;
}

int fd_watch_init(fd_watch *w)
{
    *w = (fd_watch){.epoll = deja_file_above_standard(epoll_create1(EPOLL_CLOEXEC))};
    return w->epoll < 0 ? -1 : 0;
}

int fd_watch_add(fd_watch *w, int fd, int events, void *waiter)
{
    if (make_room(w, fd) < 0)
        return DEJA_ENOMEM;
    fd_waiters *f = &w->fd[fd];
    if (is_taken(f, events))
        return DEJA_EBUSY;
    if (events & DEJA_READABLE)
        f->waiter[fd_watch_reader] = waiter;
    if (events & DEJA_WRITABLE)
        f->waiter[fd_watch_writer] = waiter;
    if (arm(w, fd) == 0)
        return 0;
    int error = errno;
    forget(f, waiter);
    return error == EPERM   ? events /* a regular file: epoll_ctl(2), as poll(2) has it */
           : error == EBADF ? DEJA_EINVAL
                            : deja_code_of_errno(error);
}

void fd_watch_remove(fd_watch *w, int fd, void *waiter)
{
    forget(&w->fd[fd], waiter);
    rearm(w, fd);
}

void fd_watch_handle(fd_watch *w, int fd, uint32_t events, void (*wake)(void *waiter, int events))
{
    fd_waiters *f = &w->fd[fd];
    void *reader = f->waiter[fd_watch_reader], *writer = f->waiter[fd_watch_writer];
    int both = (events & (EPOLLERR | EPOLLHUP)) != 0;
    int readable = both || (events & EPOLLIN) ? DEJA_READABLE : 0;
    int writable = both || (events & EPOLLOUT) ? DEJA_WRITABLE : 0;
    int result = readable | writable;
    void *first = readable ? reader : NULL, *second = writable && writer != first ? writer : NULL;
    if (first)
        forget(f, first);
    if (second)
        forget(f, second);
    if (f->waiter[fd_watch_reader] || f->waiter[fd_watch_writer])
        arm(w, fd);
    if (first)
        wake(first, first == writer || both ? result : readable);
    if (second)
        wake(second, second == reader || both ? result : writable);
}

void fd_watch_done(fd_watch *w)
{
    deja_cleanup_close(&w->epoll);
    deja_free(w->fd);
    *w = (fd_watch){.epoll = -1};
}
