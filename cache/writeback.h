#ifndef WRITEBACK_H
#define WRITEBACK_H
/*
 * A large file on its way to the disk while something else is done with it. Only a beginning: what makes it
 * durable is the fsync(2) that comes later and finds less to do. Of a second thread, because asking the
 * kernel to begin takes nearly as long as the writing.
 */
#include <deja/stop.h>
#include <pthread.h>
#include <stdint.h>

typedef struct writeback {
    pthread_t thread;
    int fd;
    uint64_t len;
    const deja_stop *stop;
    _Atomic int ended;
    int is_running;
} writeback;

/* Nothing where the file is too small to be worth a thread, or there is none. `w` and fd stay until the end.
 */
void writeback_begin(writeback *w, int fd, uint64_t len, const deja_stop *stop);

/* Soon: what was not begun is not. */
void writeback_end(writeback *w);

#endif
