#ifndef DEJA_CLEANUP_H
#define DEJA_CLEANUP_H
/*
 * Locals that own something give it back when they go out of scope (the compilers' cleanup attribute):
 *     DEJA_AUTO_FREE char *path = ...;      DEJA_AUTO_CLOSE int fd = open(...);      DEJA_AUTO_BUFFER
 * deja_buffer b = {0}; deja_take(p) moves a pointer out, deja_take_fd(fd) a descriptor: what is left behind
 * is NULL or -1.
 */
#include <deja/buffer.h>
#include <deja/memory.h>
#include <unistd.h>

static inline void deja_cleanup_free(void *p)
{
    deja_free(*(void **)p);
}

static inline void deja_cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline int deja_take_fd_(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

#define DEJA_AUTO_FREE   __attribute__((cleanup(deja_cleanup_free)))
#define DEJA_AUTO_CLOSE  __attribute__((cleanup(deja_cleanup_close)))
#define DEJA_AUTO_BUFFER __attribute__((cleanup(deja_buffer_done)))
#define DEJA_AUTO_ARENA  __attribute__((cleanup(deja_arena_done)))
#define deja_take(p)                                                                                         \
    __extension__({                                                                                          \
        __auto_type taken_ = (p);                                                                            \
        (p) = NULL;                                                                                          \
        taken_;                                                                                              \
    })
#define deja_take_fd(fd) deja_take_fd_(&(fd))

#endif
