#ifndef BACKEND_H
#define BACKEND_H
/*
 * What pool.c and the backends know of each other. pool.c owns tasks, their limits (max_running, per_second),
 * late marks and the list of finished ones; a backend runs what it is given. All calls come under the pool's
 * lock (its owner's), but those that say so: any thread calls pool_finished, pool_late, pool_rung, pool_due
 * and pool_warn.
 *
 * Limits and waiting tasks are looked at by the calls of the pool only: a program that calls none starts
 * none.
 */
#include <deja/memory.h>
#include <deja/pool.h>

typedef struct task task;
typedef struct backend backend;

struct deja_pool_function {
    deja_pool *pool;
    deja_pool_function_options options; /* name is a copy of our own */
    uint32_t number;                    /* dense, from 0 */
    uint32_t running;                   /* tasks and shares of maps given to the backend and not finished */
    _Atomic int64_t next_start_ns;      /* rate limit; limit_claim */
    _Atomic int64_t *shared_start_ns;   /* process: used instead; workers that run maps claim, too */
    task *first, *last;                 /* waiting for max_running, per_second or room in the backend */
    void *place;                        /* process: where workers find it */
    struct deja_pool_function *next;
    struct deja_pool_function *next_waiting; /* pool_limit.c: list of those with waiting tasks */
    int is_waiting;
    _Atomic int is_named; /* async: it blocked, and that was said */
};

/* Who moves a task on does it by compare-and-swap: the owner cancels, a thread begins, somebody finds it
 * late.
 */
enum task_state {
    task_waiting,  /* in the list of its function */
    task_given,    /* a backend has it */
    task_running,  /* its function was begun (only the local backends say so) */
    task_ended,    /* the outcome is filled */
    task_late,     /* reported as late; what it returns is dropped */
    task_canceled, /* reported as canceled; never begins */
};

struct task {
    task *next;
    deja_pool_function *function;
    deja_value *args; /* a list, deja_value_dup: thread, async, inline. process: NULL, it has its own copy */
    deja_task_outcome outcome;
    int64_t start_ns;  /* monotonic; 0: not begun */
    uint32_t kills;    /* workers that it took with it */
    uint32_t slot;     /* process: its slot */
    int kept_plain;    /* process: what `kept` is, values or an image of a list */
    void *kept;        /* process: arguments in the heap, while the task waits */
    uint64_t kept_len; /* values, or bytes */
    _Atomic int state;
    _Atomic uint32_t news; /* pool_news.c: what happened and was not dealt with */
    task *news_next;       /* pool_news.c: stack of those with news */
    uint32_t index;        /* task_table.c */
    uint32_t marks;        /* pool.c: is it in use, delivered, over? */
    task *prev;            /* pool.c: of the list of its function */
    task *ready_next;      /* pool.c: of the outcomes to be taken; a backend may still hold it */
    int is_queued;         /* inline: it stands in the queue */
    int is_first;          /* inline: wanted by a function that waits for it, before all others */
    void *lane;            /* local_map.c: the lane of a map that this task is; NULL for a call */
};

struct backend {
    /* Room for one more? Takes the task: 1; 0: full, ask again after something finished; negative: it failed
     * for good. `args`, `n` are those of the submit when it is tried for the first time, else NULL: then
     * t->args, or what prepare() kept. */
    int (*start)(backend *b, task *t, const deja_value *args, size_t n, deja_error *err);
    /* process only (else NULL: the pool copies to t->args): copies the arguments of a task that must wait,
     * since they cannot be kept by pointer. */
    int (*prepare)(backend *b, task *t, const deja_value *args, size_t n, deja_error *err);
    /* A function was defined: finds f->place. NULL: nothing to do. */
    int (*define)(backend *b, deja_pool_function *f, deja_error *err);
    /* Hands what has ended to pool_finished (process). Never waits. NULL: pool_finished comes by itself. */
    void (*collect)(backend *b);
    /* Tasks have ended, so that what max_running held back may go on. NULL: no need. */
    void (*resume)(backend *b);
    /* Reports what is late by pool_late. Returns when to look again (INT64_MAX: no need). Called when
     * pool_due() came. NULL: no need. */
    int64_t (*look)(backend *b, int64_t now_ns);
    /* 1: taken back, not begun, the backend has forgotten it; 2: it will not begin, but pool_finished is to
     * come; 0: too late; with `kill` it is ended where that can be. */
    int (*cancel)(backend *b, task *t, int kill);
    /* What prepare() made, or NULL. */
    void (*free_task)(backend *b, task *t);
    /* A map, begun. The run's own first member is a deja_map_run with its ops. */
    int (*map_begin)(backend *b, deja_pool_function *f, const deja_map_task *m, deja_map_run **ret,
                     deja_error *err);
    /* Processes that live now; NULL: none. */
    size_t (*pids)(backend *b, int64_t *ret, size_t most);
    /* As deja_pool_hold(). NULL: there is nothing to hold. */
    void (*hold)(backend *b, int held);
    /* free_task() was called for all tasks of process: it looks at none. No pool_finished comes after it. In
     * a forked child (pool_is_foreign) it gives back memory and descriptors only. */
    void (*close)(backend *b);
};

/* What the calls of a map run do; every backend's run begins with this struct. */
struct deja_map_run {
    deja_pool *pool;
    uint64_t (*done)(deja_map_run *r);
    int (*item)(deja_map_run *r, uint64_t i, deja_product *ret_product, const char **ret_text);
    int64_t (*wall_ns)(const deja_map_run *r, uint64_t i);
    uint64_t (*times)(const deja_map_run *r, uint16_t *ret); /* NULL: item by item */
    void (*stop)(deja_map_run *r);
    void (*free)(deja_map_run *r);
};

/* The outcome is filled, or the task is late or canceled and its end is known now. The backend forgets it.
 * Any thread. */
void pool_finished(deja_pool *p, task *t);

/* The same without ringing, for one of many: the last is followed by pool_rung. */
void pool_ended(deja_pool *p, task *t);

/* running -> late: reported at once with DEJA_ETIMEDOUT; pool_finished comes at its end. 1, or 0 when it
 * ended meanwhile. Any thread. */
int pool_late(deja_pool *p, task *t);

/* Bumps deja_pool_seen() and wakes who sleeps in deja_pool_wait. Any thread. */
void pool_rung(deja_pool *p);

/* A call of the pool is wanted at `at_ns` (monotonic), for look() of the backends. Any thread. */
void pool_due(deja_pool *p, int64_t at_ns);

/* Something to say to options.warn at the next call. Any thread. */
void pool_warn(deja_pool *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

const deja_pool_options *pool_options(const deja_pool *p);

/* 1: this is a forked child. */
int pool_is_foreign(const deja_pool *p);

/* Each makes its backend; NULL and an error otherwise. `bell` are the words of bell.h in shared memory, which
 * the zygote inherits at the same address; a worker rings it by bell_ring. process_open forks the zygote. */
backend *process_open(deja_pool *p, const deja_pool_options *options, uint32_t *bell, deja_error *err);
backend *thread_open(deja_pool *p, const deja_pool_options *options, deja_error *err);
backend *async_open(deja_pool *p, const deja_pool_options *options, deja_error *err);
backend *inline_open(deja_pool *p, const deja_pool_options *options, deja_error *err);

#endif
