#ifndef BACKEND_H
#define BACKEND_H
/*
 * What pool.c and the backends know of each other. pool.c owns tasks, their limits (max_running, per_second),
 * late marks and the list of finished ones; a backend runs what it is given. All calls come under the pool's
 * lock (its owner's), but pool_finished and pool_rung, which any thread calls.
 */
#include <deja/memory.h>
#include <deja/pool.h>

typedef struct task task;
typedef struct backend backend;

struct deja_pool_function {
    deja_pool *pool;
    deja_pool_function_options options; /* name is a copy of our own */
    uint32_t number;                    /* dense, from 0 */
    uint32_t running;                   /* tasks given to the backend and not finished */
    int64_t next_start_ns;              /* rate limit */
    task *first, *last;                 /* waiting for max_running or per_second */
    void *place;                        /* process: where workers find it */
    struct deja_pool_function *next;
};

struct task {
    task *next;
    deja_pool_function *function;
    deja_value
        *args; /* deja_value_dup of a list: thread, async, inline. process: NULL, it has its own copy */
    deja_task_outcome outcome;
    int64_t start_ns; /* monotonic; 0: not begun */
    uint32_t kills;   /* workers that it took with it */
    uint32_t slot;    /* process: its slot */
    int state;        /* pool.c: waiting, given, late, finished */
};

struct backend {
    /* Room for one more? Takes the task: 1; 0: full, ask again after something finished; negative: it failed
     * for good (outcome filled by the caller). `args`, `n` are those of the submit on the first try, NULL for
     * a task that waited (then task->args, or what prepare() kept). */
    int (*start)(backend *b, task *t, deja_error *err);
    /* process only (else NULL): copies the arguments when a task is submitted, since they cannot be kept by
     * pointer. */
    int (*prepare)(backend *b, task *t, const deja_value *args, size_t n, deja_error *err);
    /* Hands what has ended to pool_finished (process, inline). Never waits. */
    void (*collect)(backend *b);
    /* 1: taken back, not begun; 0: too late; with `kill` it is ended where that can be. */
    int (*cancel)(backend *b, task *t, int kill);
    void (*free_task)(backend *b, task *t); /* what prepare() made */
    /* A map, begun. The run's own first member is a deja_map_run with its ops. */
    int (*map_begin)(backend *b, deja_pool_function *f, const deja_map_task *m, deja_map_run **ret,
                     deja_error *err);
    void (*close)(backend *b);
};

/* What the calls of a map run do; every backend's run begins with this struct. */
struct deja_map_run {
    deja_pool *pool;
    uint64_t (*done)(deja_map_run *r);
    int (*item)(deja_map_run *r, uint64_t i, deja_product *ret_product, const char **ret_text);
    int64_t (*wall_ns)(const deja_map_run *r, uint64_t i);
    void (*stop)(deja_map_run *r);
    void (*free)(deja_map_run *r);
};

/* The outcome is filled. Any thread. */
void pool_finished(deja_pool *p, task *t);

/* Bumps deja_pool_seen() and wakes who sleeps in deja_pool_wait. Any thread. */
void pool_rung(deja_pool *p);

/* Each makes its backend; NULL and an error otherwise. */
backend *process_open(deja_pool *p, const deja_pool_options *options, uint32_t *bell,
                      deja_error *err); /* forks the zygote */
backend *thread_open(deja_pool *p, const deja_pool_options *options, deja_error *err);
backend *async_open(deja_pool *p, const deja_pool_options *options, deja_error *err);
backend *inline_open(deja_pool *p, const deja_pool_options *options, deja_error *err);

#endif
