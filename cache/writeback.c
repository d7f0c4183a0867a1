/*
 * The beginning of writing a file to the disk, see writeback.h.
 */
#include "writeback.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>

#define WORTH_BYTES (16 * 1024 * 1024) /* some 8 ms of a disk */
#define PIECE_BYTES (16 * 1024 * 1024) /* between two looks whether it is to end */

static void *write_pieces(void *arg)
{
    writeback *w = arg;
    for (uint64_t at = 0; at < w->len && !atomic_load(&w->ended) && !deja_stop_wished(w->stop);
         at += PIECE_BYTES)
        if (sync_file_range(w->fd, (off_t)at, PIECE_BYTES, SYNC_FILE_RANGE_WRITE) < 0)
            break; /* fsync says what is wrong */
    return NULL;
}

void writeback_begin(writeback *w, int fd, uint64_t len, const deja_stop *stop)
{
    sigset_t all, old;
    *w = (writeback){.fd = fd, .len = len, .stop = stop};
    if (len < WORTH_BYTES)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    w->is_running = pthread_create(&w->thread, NULL, write_pieces, w) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void writeback_end(writeback *w)
{
    atomic_store(&w->ended, 1);
    if (w->is_running)
        pthread_join(w->thread, NULL);
    w->is_running = 0;
}
