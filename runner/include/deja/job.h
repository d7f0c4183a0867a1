#ifndef DEJA_JOB_H
#define DEJA_JOB_H
/*
 * The side of the function: what it is called with, how it returns, and what a coroutine may call.
 *
 *     static int mean(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
 *     {
 *         if (n != 1 || arg->kind != DEJA_ARRAY)
 *             return deja_fail(err, DEJA_ETYPE, "mean wants one array");
 *         ...
 *         return deja_return(out, deja_f64(sum / count));
 *     }
 *
 * It returns 0 with a result (none given: null), or a negative code with its text in `err`; a positive number
 * counts as DEJA_EINVAL. Arguments are read-only and valid until it returns. In the process backend it runs
 * in a process of its own and sees the program's globals as they were when the context was opened, changed
 * only by the initialiser and by what earlier calls in the same worker left.
 */
#include <deja/value.h>

typedef struct deja_out {
    deja_value value;       /* what deja_return was given, where that is a scalar */
    struct deja_sink *sink; /* private: everything larger */
} deja_out;

typedef int (*deja_job_fn)(const deja_value *arg, size_t n, deja_out *out, deja_error *err);

/* Where a function runs, see deja/pool.h: process survives crashes and enforces timeouts. */
typedef enum deja_backend {
    DEJA_PROCESS = 0,
    DEJA_THREAD = 1,
    DEJA_ASYNC = 2,
    DEJA_INLINE = 3,
} deja_backend;

/* Copies `v` with all that it points to; the last call counts. 0 or a negative code, which the function
 * should return (its text reaches the caller as the item's error whatever the function says). */
DEJA_API int deja_return_value(deja_out *out, const deja_value *v);

/* The same; numbers cost two stores. */
static inline int deja_return(deja_out *out, deja_value v)
{
    if (v.kind > DEJA_F64 || out->value.kind > DEJA_F64)
        return deja_return_value(out, &v);
    out->value = v;
    return 0;
}

/*
 * Memory for an array that is the result: the function fills it, nothing is copied afterwards. With a cache
 * it is the file that becomes the blob, else memory that the caller maps. Zeroed. Room is reserved first: a
 * full file system is DEJA_EFULL, not a SIGBUS. NULL with an error (may be NULL) otherwise. Valid until the
 * function returns.
 */
DEJA_API void *deja_return_array(deja_out *out, uint32_t dtype, uint32_t ndim, const int64_t *shape,
                                 deja_error *err);

/* One parameter of a map: the same value for all, or an array split along its first axis (scalars of a 1-d
 * array, else sub-arrays of one dimension less). */
typedef struct deja_column {
    const deja_array *split; /* NULL: `same` */
    deja_value same;
} deja_column;

/* ---- coroutines: in the async backend others run meanwhile; elsewhere these simply block ---- */

/* Never shorter. 0 lets others run. */
DEJA_API void deja_sleep_ms(int64_t ms);

#define DEJA_READABLE 1
#define DEJA_WRITABLE 4
/* Waits until `fd` (non-blocking) is ready: the events that are (DEJA_READABLE | DEJA_WRITABLE, both after a
 * hang-up or error), 0 after `timeout_ms` (-1: never), or a negative code. One waiter for a descriptor and
 * direction (DEJA_EBUSY). DEJA_ECANCELED, at once and from then on, where its task was canceled with `kill`:
 * then it should return. */
DEJA_API int deja_wait_fd(int fd, int events, int64_t timeout_ms);

#endif
