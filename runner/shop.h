#ifndef SHOP_H
#define SHOP_H
/*
 * What the program, the zygote and the workers of a process pool share: the control block and the heap by
 * mapping, the rest by copy, as it was at the fork.
 */
#include "board.h"
#include "heap.h"
#include <deja/pool.h>
#include <sys/types.h>

typedef struct shop {
    boards boards;
    heap *heap;
    uint32_t *bell; /* bell.h */
    deja_pool_options options;
    int64_t spin_ns;   /* a worker looks for work so long before it sleeps */
    int *program_ends; /* sockets of wire.h, one for each worker's place */
    int *worker_ends;
    int zygote_program; /* the program's end of the socket to the zygote */
    int zygote_end;
    int program; /* pidfd */
    pid_t program_pid;
} shop;

/* One byte from the program to the zygote. */
enum zygote_word { zygote_look = 'l', zygote_quit = 'q' };

/* Bytes from the zygote to the program, once: its pid, then 0 or the code of a failed start (its text is in
 * the control block). Afterwards nothing but the end of the file. */
typedef struct zygote_hello {
    int32_t pid, code;
} zygote_hello;

#endif
