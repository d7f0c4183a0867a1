#ifndef FD_WATCH_H
#define FD_WATCH_H
/*
 * Who waits for which descriptor: one coroutine for a descriptor and direction, by epoll. A descriptor is
 * armed only while somebody waits for it, so that a number that was closed and given out again wakes nobody.
 * One thread at a time.
 */
#include <stddef.h>
#include <stdint.h>

enum { fd_watch_reader, fd_watch_writer, fd_watch_directions };

typedef struct fd_waiters {
    void *waiter[fd_watch_directions];
} fd_waiters;

typedef struct fd_watch {
    int epoll;
    fd_waiters *fd; /* by number */
    size_t cap;
} fd_watch;

/* 0 or -1 with errno. */
int fd_watch_init(fd_watch *w);

/* `events` as of deja_wait_fd. 0; `events` for a file that is always ready; or a negative code: DEJA_EBUSY
 * where another waits so, DEJA_EINVAL for no descriptor. */
int fd_watch_add(fd_watch *w, int fd, int events, void *waiter);

/* It waits no longer, the event did not come. */
void fd_watch_remove(fd_watch *w, int fd, void *waiter);

/* What epoll told of `fd`: calls `wake` for who waited, with the events of deja_wait_fd. */
void fd_watch_handle(fd_watch *w, int fd, uint32_t events, void (*wake)(void *waiter, int events));
void fd_watch_done(fd_watch *w);

#endif
