#ifndef DEJA_POOL_H
#define DEJA_POOL_H
/*
 * Runs functions: tasks go in, outcomes come out in the order in which they end. Four backends, the same
 * contract:
 *
 *     process   workers forked from a zygote; survives crashes, enforces timeouts
 *     thread    threads of this process
 *     async     coroutines on one thread: tens of thousands of waits at once
 *     inline    in the thread that asks for outcomes
 *
 * It knows no cache. Open it early: the zygote is a copy of the program as it is then, and should be made
 * before threads and data exist.
 *
 * Threads: any thread may call, one at a time (the owner has a lock); only deja_pool_wait may run beside
 * other calls. In a forked child every call but deja_pool_close fails with DEJA_EFORK, and that gives back
 * memory and descriptors only.
 */
#include <deja/job.h>
#include <deja/trace.h>

typedef struct deja_pool deja_pool;

typedef struct deja_pool_options {
    uint32_t size;    /* sizeof *this */
    uint32_t workers; /* processes; threads too; 0: deja_cpu_count() */
    /* Runs before any task: once in the zygote (workers share what it made, copy-on-write), or once in each
     * worker with `init_each`. A failure fails deja_pool_open (zygote), or every task with its text. In this
     * process for the other backends: once. Its result is in `err`. */
    int (*init)(void *arg, deja_error *err);
    void *init_arg;
    uint32_t init_each;
    uint32_t max_tasks;     /* a worker ends after so many tasks and another takes its place; 0: never */
    uint64_t max_rss_bytes; /* ... after a task that left its peak resident set above this; 0: never */
    int32_t stage_folder;   /* descriptor of a folder for result arrays (O_TMPFILE), with the caller's; -1:
                               memory (memfd) */
    uint32_t stack_bytes;   /* of a coroutine; 0: 16 KB */
    int64_t grace_ms;       /* from TERM to KILL after a timeout; 0: 1000 */
    uint64_t heap_bytes; /* address space for shared arrays and arguments; 0: twice the memory of the machine.
                            Taken only as far as used */
    uint32_t no_process; /* 1: no zygote; tasks for DEJA_PROCESS are refused */
    uint32_t inline_apart; /* 1: inline tasks are run by deja_pool_work_run only, not by deja_pool_take:
                              outside of the lock that an owner holds for the other calls */
    /* Something tolerated or worth a word, said once: a coroutine that blocks, a worker that was lost while
     * idle. Called by calls of the pool, under no lock of its own. NULL: nobody listens. */
    void (*warn)(void *context, const char *text);
    void *warn_context;
    deja_trace *trace;
} deja_pool_options;

/* Starts the zygote (unless `no_process`) with stdio flushed; workers and threads start with the first task
 * that needs them. */
DEJA_API int deja_pool_open(deja_pool **ret, const deja_pool_options *options, deja_error *err);

/* Ends everything: processes at once (TERM, grace, KILL), threads and coroutines when their function returns.
 * Products that were handed out stay valid; shared arrays stay until freed. NULL is fine. */
DEJA_API void deja_pool_close(deja_pool *p);

/* ---- functions ---- */

typedef struct deja_pool_function_options {
    uint32_t size;
    uint32_t backend; /* deja_backend */
    const char *name; /* for messages; copied */
    deja_job_fn function;
    int64_t
        timeout_ms; /* of one task, from its start; 0: none. Enforced by process; elsewhere the task is late:
                       it is reported with DEJA_ETIMEDOUT in time, and its end is awaited at close */
    uint32_t retries;     /* a task whose worker was killed is tried so often again, but never after it killed
                             twice (quarantine) */
    uint32_t max_running; /* at once, of this function; 0: any number */
    double per_second;    /* starts a second, evenly; 0: any number */
    uint32_t capture; /* 1: what it writes to descriptors 1 and 2 is captured (process only), else it passes
                         through */
    /* Instead of `function` (NULL): the symbol of a library by its absolute path, which workers load and this
     * process never does. Process only. */
    const char *library, *symbol;
} deja_pool_function_options;

typedef struct deja_pool_function deja_pool_function;

/*
 * For process the function must lie in a file that is mapped (program or library): it is found again by
 * object and offset, and the object is known by its build-id (where it has none, by device, inode, size and
 * times). DEJA_EINVAL names what to use instead for one that lies in none (a callback made by ctypes or
 * LuaJIT). Valid until the pool is closed.
 *
 * A library is looked at here: DEJA_ENOTFOUND, DEJA_ETYPE (none, or for another machine), DEJA_EDENIED
 * (others may write to it or to its folder). What only loading shows (a symbol or a library that it lacks) is
 * the outcome of each task; so is DEJA_ECHANGED when it was replaced since.
 */
DEJA_API int deja_pool_define(deja_pool *p, const deja_pool_function_options *options,
                              deja_pool_function **ret, deja_error *err);

/*
 * What identifies the build of the object that holds `function`: its build-id, else device, inode, size and
 * times of the file. *len: room, then bytes. DEJA_EINVAL when it lies in no file.
 */
DEJA_API int deja_pool_build_of(deja_job_fn function, unsigned char *ret, size_t *len, deja_error *err);

/* 0: it is of a library whose file was replaced or written to since it was defined: define it anew. A worker
 * that has the old one loaded fails tasks of the new. */
DEJA_API int deja_pool_is_current(const deja_pool_function *f);

/* ---- tasks ---- */

/* What a task made. Owned by who took it; deja_product_done gives it back. */
typedef struct deja_product {
    deja_value scalar; /* where `len` is 0: NULL, BOOL, I64, U64 or F64 */
    const void *image; /* deja/image.h, `len` bytes at a multiple of 64; read-only */
    uint64_t len;
    int32_t
        fd; /* >= 0: the file that holds exactly this image (a stage or a memfd); also mapped at `image` */
    int32_t kept; /* private: how `image` is given back */
} deja_product;

DEJA_API void deja_product_done(deja_product *p);

/* 1: its image is mapped read-only, a write faults; 0: it lies in memory (small ones do), or there is none.
 */
DEJA_API int deja_product_is_sealed(const deja_product *p);

/* Closes `fd`; the image stays. For who keeps many products and needs no file of them. */
DEJA_API void deja_product_close_file(deja_product *p);

typedef struct deja_task_outcome {
    uint64_t task; /* as deja_pool_submit returned */
    void *user;
    int32_t code;   /* 0 or negative */
    int32_t signal; /* that killed its worker, else 0 */
    int64_t wall_ns,
        cpu_ns; /* of the function; cpu_ns -1 where it is unknown (thread and async share a clock) */
    deja_product product;   /* code 0 */
    int32_t out_fd, err_fd; /* captured, whole, owned by the caller; -1 */
    char *text;             /* negative code: what happened, naming the function; deja_free */
} deja_task_outcome;

/*
 * Queues one call; arguments are copied (frozen arrays of the heap are not). 0 or a negative code. *ret_task
 * may be NULL. Cheap: a submit with its outcome takes below 2 us. Accepts any number; what does not fit into
 * the shared slots waits in memory.
 */
DEJA_API int deja_pool_submit(deja_pool *p, deja_pool_function *f, const deja_value *args, size_t n,
                              void *user, uint64_t *ret_task, deja_error *err);

/* Takes up to `most` outcomes, finished tasks in the order in which they ended; runs inline tasks (one, when
 * nothing else is finished). Never waits. */
DEJA_API size_t deja_pool_take(deja_pool *p, deja_task_outcome *ret, size_t most);

/* 1: it had not begun and never will (an outcome with DEJA_ECANCELED comes); 0: too late (it runs or has
 * ended; `kill` ends a process task that runs: DEJA_ECANCELED, too; it makes the deja_wait_fd of a coroutine
 * return DEJA_ECANCELED, and does nothing to sleeps, threads and inline tasks). */
DEJA_API int deja_pool_cancel(deja_pool *p, uint64_t task, int kill);

/* While it is held no timeout of a process task passes: for a program that stops its workers. */
DEJA_API void deja_pool_hold(deja_pool *p, int held);

/* A number that changes whenever deja_pool_take may have something new. */
DEJA_API uint32_t deja_pool_seen(const deja_pool *p);

/* Sleeps until deja_pool_seen() differs from `seen` or `timeout_ms` (-1: for ever) is over; after a short
 * spin. No lock is needed. Returns 1 when it differs, 0 on timeout. With inline tasks queued it returns at
 * once. */
DEJA_API int deja_pool_wait(deja_pool *p, uint32_t seen, int64_t timeout_ms);

/* Changes deja_pool_seen() and wakes who sleeps in deja_pool_wait. Any thread, any time. */
DEJA_API void deja_pool_ring(deja_pool *p);

/*
 * As deja_pool_submit, for a function of any backend but process that a function of this pool waits for: an
 * inline task before all others, beyond the limits of number and rate, which whoever waits holds himself.
 */
DEJA_API int deja_pool_submit_here(deja_pool *p, deja_pool_function *f, const deja_value *args, size_t n,
                                   void *user, uint64_t *ret_task, deja_error *err);

/* The same for a task that was submitted before and has not begun. 0: it has, or another thread is to run it.
 */
DEJA_API int deja_pool_hurry(deja_pool *p, uint64_t task);

/* An inline task that a thread is about to run, in its frame. */
typedef struct deja_pool_work {
    void *task; /* private, with `next` */
    struct deja_pool_work *next;
    void *user; /* of the submit; NULL: items of a map */
} deja_pool_work;

/* Takes the next inline task that the calling thread may run: one that runs a task of this pool gets only
 * what such a one waits for. 1, or 0: none. It is to be run at once; `ret` stays where it is meanwhile. */
DEJA_API int deja_pool_work_take(deja_pool *p, deja_pool_work *ret);

/* Runs it; deja_pool_take has its outcome. Any thread, no lock. */
DEJA_API void deja_pool_work_run(deja_pool *p, deja_pool_work *w);

/* 1: the calling thread (or coroutine) runs a task of this pool, in any backend but process. Who waits there
 * for another task of the pool may wait for ever: all that could run it may be waiting, too. Any thread, no
 * lock. */
DEJA_API int deja_pool_is_inside(const deja_pool *p);

/* 1: the caller is a coroutine of the async backend, on a small stack. Any thread, no lock. */
DEJA_API int deja_pool_in_coroutine(void);

/* A descriptor for event loops (an eventfd, made by the first call), readable when deja_pool_seen() changed
 * since the last deja_pool_take; -1 without descriptors. */
DEJA_API int deja_pool_fd(deja_pool *p, deja_error *err);

/* ---- many calls of one function ---- */

typedef struct deja_map_task {
    uint32_t size;
    uint32_t columns;          /* parameters */
    uint64_t count;            /* items */
    const deja_column *column; /* either columns with `columns` entries ... */
    const deja_value *rows;    /* ... or count * columns values, row after row */
    deja_array *into; /* NULL, or a plain array of `count` scalars of dtype BOOL, I64, U64 or F64: results are
                         numbers and go there; in the heap (deja_pool_array_new) nothing is copied. A frozen
                         one is DEJA_EINVAL */
    uint64_t chunk;   /* items claimed at once; 0: guided */
    uint32_t
        stop_at_failure; /* 1: after the first failure no further item is begun: those have DEJA_ECANCELED */
} deja_map_task;

typedef struct deja_map_run deja_map_run;

/* All of `m` is borrowed until deja_map_run_free, and does not change until then. Several runs and tasks may
 * be under way. 0 or a negative code. Every backend; inline items run one after the other in who takes them,
 * by deja_pool_take, deja_map_run_done or deja_pool_work_run. */
DEJA_API int deja_pool_map_begin(deja_pool *p, deja_pool_function *f, const deja_map_task *m,
                                 deja_map_run **ret, deja_error *err);

/* Items that have ended; equal to count: all is done. Looks at what happened meanwhile, never waits;
 * deja_pool_seen() changes at its end and at trouble. */
DEJA_API uint64_t deja_map_run_done(deja_map_run *r);

/* Item i, after its end: 0 or its negative code; *ret_text (may be NULL) is borrowed; *ret_product (may be
 * NULL) is moved out, once (with `into`: a scalar). */
DEJA_API int deja_map_run_item(deja_map_run *r, uint64_t i, deja_product *ret_product, const char **ret_text);

/* Wall time of item i in ns (within a chunk of very short items: their mean). */
DEJA_API int64_t deja_map_run_wall_ns(const deja_map_run *r, uint64_t i);

/* After the end, of all items in one pass: ret[i] is 0 where item i failed, else how long it took, for
 * deja_map_time_ns. Returns how many failed. */
DEJA_API uint64_t deja_map_run_times(deja_map_run *r, uint16_t *ret);
DEJA_API int64_t deja_map_time_ns(uint16_t time);

/* Begins no more items. */
DEJA_API void deja_map_run_stop(deja_map_run *r);

/* Stops, waits for what is running, frees. NULL is fine. */
DEJA_API void deja_map_run_free(deja_map_run *r);

/* ---- memory that workers map ---- */

/* A zeroed array in the heap: workers see it at the same address, read-only; it is not mapped in other
 * children of this process. Room is reserved (DEJA_EFULL, not SIGBUS). */
DEJA_API int deja_pool_array_new(deja_pool *p, uint32_t dtype, uint32_t ndim, const int64_t *shape,
                                 deja_array **ret, deja_error *err);
DEJA_API void deja_pool_array_free(deja_pool *p, deja_array *a);

/* From now on a write by this process faults. 0 or negative. Idempotent. */
DEJA_API int deja_pool_array_freeze(deja_pool *p, const deja_array *a, deja_error *err);

/* 1: its data lie in the heap, in an array that was frozen (a view of a part as well). */
DEJA_API int deja_pool_array_is_frozen(const deja_pool *p, const deja_array *a);

/* 1: its data lie in the heap. */
DEJA_API int deja_pool_array_is_shared(const deja_pool *p, const deja_array *a);

/* ---- looking in ---- */

/* Processes of the pool that live now, the zygote first, for tests and for people. Returns how many; writes
 * at most `most`. */
DEJA_API size_t deja_pool_pids(deja_pool *p, int64_t *ret, size_t most);

#endif
