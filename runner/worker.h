#ifndef WORKER_H
#define WORKER_H
/*
 * A worker: takes tasks from the control block and runs them, until it is ended. worker.c has its loop,
 * worker_call.c one call, worker_map.c a share of a map.
 */
#include "function_place.h"
#include "library.h"
#include "result_sink.h"
#include "shop.h"
#include <deja/image.h>
#include <unistd.h>

typedef struct worker {
    const shop *shop;
    board *board;
    uint32_t index, birth;
    int socket;
    uint64_t socket_inode;
    volatile unsigned char *own; /* 1; a page that is zero in a process forked by a function */
    deja_sink sink;
    deja_arena arena;      /* arguments of one call */
    deja_image_heap heap;  /* where references of arguments lead to */
    deja_job_fn *function; /* by number; NULL: not found yet */
    size_t function_cap;
    loaded_library *loaded;    /* libraries that functions are in by their symbol */
    uint64_t tasks;            /* ended here */
    int64_t spin_ns;           /* now; adapted */
    int64_t cpu_ns, cpu_at_ns; /* processor time, and when it was read */
    deja_error init;           /* code != 0: of the initialiser, the answer to every task */
    deja_error err;            /* of the current call */
    int streams[2];            /* standard output and error, kept; -1: not needed yet */
} worker;

/* Never returns. `init_failure`: NULL, or why the initialiser is not tried again. */
_Noreturn void worker_run(const shop *s, uint32_t index, uint32_t birth, const char *init_failure);

/* Ends this worker in good order; another takes its place. */
_Noreturn void worker_leave(worker *w);

/* The function of a place; NULL with w->err. */
deja_job_fn worker_function(worker *w, const function_place *p);

/* A function may begin: from now on it is ended after `deadline_ns` (INT64_MAX: never). */
void worker_begin_turn(worker *w, int64_t deadline_ns);

/* It has returned. Does not return itself where the turn was condemned. */
void worker_end_turn(worker *w);

/* After a function: a process that it forked ends here. */
static inline void worker_check_self(const worker *w)
{
    if (__builtin_expect(!*w->own, 0))
        _exit(0);
}

/* Sends a descriptor; waits while the program takes none. Leaves when the socket is lost. */
void worker_send(worker *w, uint32_t kind, uint64_t note, uint64_t len, uint64_t item, int fd);

/* An error as the result of a slot. */
void worker_put_text(slot *s, const deja_error *err);

/* worker_call.c, worker_map.c: the slot gets its result. */
void worker_call(worker *w, uint64_t note);
void worker_map(worker *w, uint64_t note);

#endif
