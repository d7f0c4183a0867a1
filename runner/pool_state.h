#ifndef POOL_STATE_H
#define POOL_STATE_H
/*
 * A pool, and its parts: news (what happened in other threads), limits (what waits), the bell. Under the
 * owner's lock but what is atomic.
 */
#include "bell.h"
#include "task_table.h"
#include <pthread.h>

enum { backends = 4 };

typedef struct task_list {
    task *first, *last; /* linked by next and prev */
} task_list;

typedef struct pool_warning {
    struct pool_warning *next;
    char text[];
} pool_warning;

struct deja_pool {
    deja_pool_options options;
    backend *backend[backends]; /* by deja_backend; NULL: not opened yet */
    deja_pool_function *functions;
    uint32_t function_count;
    deja_pool_function *waiting; /* with waiting tasks, linked by next_waiting */
    task_table tasks;
    task *ready, *ready_last; /* to be taken, linked by ready_next */
    _Atomic(task *) news;
    _Atomic(pool_warning *) warnings;
    _Atomic int64_t due_ns;       /* of the next look of a backend; INT64_MAX: none */
    _Atomic uint32_t inline_work; /* for deja_pool_wait: a take has something to run */
    _Atomic int64_t spin_ns;      /* of deja_pool_wait, adaptive */
    uint32_t *bell;               /* bell_words in a shared mapping */
    uint32_t *own;                /* 1, in a page that is wiped on fork */
    int init_done;
    deja_error init_error;
    int fd; /* eventfd; -1 */
    pthread_t fd_thread;
    _Atomic int fd_stop;
};

void list_append(task_list *l, task *t);
void list_prepend(task_list *l, task *t);
void list_remove(task_list *l, task *t);

/* ---- pool_news.c ---- */

/* Deals with everything that happened: ended tasks to `ready`, warnings to their listener. */
void pool_absorb(deja_pool *p);

/* Not wanted any more, or given out. Freed when no backend has it. */
void pool_deliver(deja_pool *p, task *t);

/* No backend has it any more. Freed when it was delivered. */
void pool_over(deja_pool *p, task *t);

/* To be taken, with this code. */
void pool_report(deja_pool *p, task *t, int code);
void pool_drop_warnings(deja_pool *p);

/* ---- pool_limit.c ---- */

/* A task of f, new: begins it or lets it wait. 0 or a negative code (the task is not taken). */
int pool_put(deja_pool *p, deja_pool_function *f, task *t, const deja_value *args, size_t n, deja_error *err);

/* The same for one that a function of the pool waits for: to the inline backend, before all others and beyond
 * the limits of number and rate. */
int pool_put_here(deja_pool *p, deja_pool_function *f, task *t, const deja_value *args, size_t n,
                  deja_error *err);

/* 1: t waited for its turn or for a thread to run it here, and is run next. */
int pool_hurry(deja_pool *p, task *t);

/* Begins what waits and may begin. */
void pool_start_waiting(deja_pool *p);

/* Out of the list of its function, where it waits. */
void pool_unqueue(task *t);

/* Absorbs, looks at what is due, begins what may begin. */
void pool_pump(deja_pool *p);

/* ---- pool.c ---- */

int pool_open_backend(deja_pool *p, uint32_t kind, deja_error *err);

/* Runs an inline task, unless they are run apart. */
void pool_work(deja_pool *p);

/* ---- pool_fd.c ---- */

int pool_fd_open(deja_pool *p, deja_error *err);

/* Before a take, and after it: what is left must be seen. */
void pool_fd_clear(deja_pool *p);
void pool_fd_remind(deja_pool *p);

void pool_fd_close(deja_pool *p);

#endif
