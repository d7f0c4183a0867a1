#ifndef DEJA_H
#define DEJA_H
/*
 * deja: remember what functions returned, and spread calls over processes that share memory.
 *
 *     deja *d = deja_open(NULL, &err);
 *     deja_fn *f = deja_define(d, "simulate", "1", simulate, NULL, &err);
 *     double y;
 *     if (deja_call_f64(f, DEJA_ARGS(1000, 0.01), &y, &err) == 0) // computed once, then answered from disk
 *         printf("%g\n", y);
 *     deja_close(d);
 *
 * Functions run in worker processes unless their definition says otherwise (DEJA_FN_OPTIONS). Workers see the
 * program's globals as they were when deja_open was called, changed only by the initialiser and by earlier
 * calls in the same worker: whatever a function needs is an argument, and whatever it makes is its result.
 * Open early, before threads and large data.
 *
 * Errors: a function that fails returns NULL or a negative code and writes *err (NULL is allowed). A NULL
 * handle is harmless: the call fails and leaves *err as the first failure wrote it, so that a program may
 * check once, at the end of a chain.
 *
 * Ownership: arguments are copied, results are borrowed until one named free. Results stay valid after
 * eviction, after deja_forget and after deja_close. Threads: any thread may call; a future has one waiter.
 * Callbacks run in the calling thread under no lock; those of a source, a validity rule and a warning may not
 * call with the same context. In a forked child every call but deja_close fails with DEJA_EFORK.
 *
 * Option structs begin with their size, which the macro fills; whatever is zero means the default; new
 * members come at the end only.
 *
 * The layers below have headers of their own (deja/cache.h, deja/runner.h, deja/pool.h, deja/dump.h...).
 */
#include <deja/error.h>
#include <deja/job.h>
#include <deja/value.h>

typedef struct deja deja;                 /* a context: a cache and workers */
typedef struct deja_fn deja_fn;           /* a defined function; the context's */
typedef struct deja_future deja_future;   /* a submitted call */
typedef struct deja_results deja_results; /* what one or many calls returned */

/* ---- opening ---- */

#define DEJA_NO_CACHE 1u /* nothing is looked up or kept, no files are made; all calls work */
#define DEJA_READONLY 2u /* answers, keeps nothing */
#define DEJA_REFRESH  4u /* computes everything again and keeps it */
#define DEJA_NO_SYNC  8u /* results may be lost in a power cut, never wrong; faster */
#define DEJA_INIT_EACH                                                                                       \
    16u /* `init` runs in every worker, not once in the process that they are forked from */
#define DEJA_NO_WORKERS 32u /* no process is made: functions of the process backend are refused */

typedef struct deja_options {
    uint32_t size;
    uint32_t flags;    /* DEJA_NO_CACHE ...; DEJA_MODE=off|readonly|refresh in the environment adds to them */
    const char *cache; /* folder; NULL: DEJA_CACHE, else XDG_CACHE_HOME/deja, else ~/.cache/deja */
    uint32_t workers;  /* processes at most, and threads; 0: the CPUs that this process may use */
    uint32_t stack_bytes; /* of a coroutine; 0: 16 KB */
    /* Runs once before any call, in the process that workers are forked from: they share its pages; and once
     * in this one before the first function of another backend is defined. Returns 0, or a negative code with
     * its error. May not call with this context. */
    int (*init)(void *arg, deja_error *err);
    void *init_arg;
    uint32_t max_tasks;     /* calls after which a worker is replaced; 0: never */
    uint32_t grace_ms;      /* from TERM to KILL after a timeout; 0: 1000 */
    uint64_t max_rss_bytes; /* a worker that had more memory than this is replaced; 0: never */
    uint64_t
        heap_bytes; /* address space for deja_array_new and arguments; 0: twice the memory of the machine */
    /* Something tolerated: the cache could not be opened or could not keep a result, a worker was lost, a
     * coroutine blocks. NULL: on standard error, one line each. */
    void (*warn)(void *context, const char *text);
    void *warn_context;
} deja_options;

#ifdef __cplusplus
/* In the order of their declaration, as C++20 demands. gcc -Wextra wants them all, or a struct filled by
 * hand: deja_options o = {}; o.size = sizeof o; o.workers = 2; */
#define DEJA_OPTIONS_(type, ...) (&static_cast<const type &>(type{.size = sizeof(type), __VA_ARGS__}))
#else
#define DEJA_OPTIONS_(type, ...) (&(type){.size = sizeof(type), __VA_ARGS__})
#endif
#define DEJA_OPTIONS(...) DEJA_OPTIONS_(deja_options, __VA_ARGS__)

/*
 * NULL: all defaults. Forks the zygote, so standard output is flushed. A cache that cannot be used is a
 * warning: everything is computed. A zygote that somebody killed is not made anew, since by then the program
 * has threads: calls in processes fail with DEJA_EKILLED, until this context is closed and another one
 * opened. NULL with DEJA_EINVAL, DEJA_ENOMEM, DEJA_ERESOURCE or what `init` said.
 */
DEJA_API deja *deja_open(const deja_options *options, deja_error *err);

/* Waits until what is computed is kept, ends workers, frees functions, futures and streams; results live on.
 * NULL is fine. */
DEJA_API void deja_close(deja *d);

/* Waits until every result so far is durable. 0, or the code of the first that could not be kept since the
 * last call (it was a warning, too). */
DEJA_API int deja_sync(deja *d, deja_error *err);

/* ---- functions ---- */

/* How old and how dear a kept result is, for a validity rule. */
typedef struct deja_facts {
    uint32_t size;
    uint32_t reserved;
    int64_t age_ms;  /* since it was computed, by the wall clock; never negative */
    int64_t wall_ns; /* what computing it took */
    int64_t cpu_ns;
} deja_facts;

typedef struct deja_fn_options {
    uint32_t size;
    uint32_t backend;   /* deja_backend, see deja/job.h */
    const char *scope;  /* keeps programs apart that define the same name; NULL: the file name of the object
                           that holds the function: two programs `a.out` are one */
    uint64_t ignore;    /* bit i: argument i is no part of the key (a log level, a number of threads) */
    int64_t max_age_ms; /* an older result is computed again; 0: any age */
    /* 1: this result may be used; 0: compute again. After max_age_ms said yes. */
    int (*valid)(void *context, const deja_facts *facts);
    void *valid_context;
    int64_t timeout_ms;   /* of one call; 0: none */
    double per_second;    /* starts a second; 0: any number */
    uint32_t max_running; /* at once; 0: any number. With DEJA_ASYNC a map has 4096 at once unless this says
                             more, and where results are kept never more */
    uint32_t retries;     /* after its worker was killed; it is never tried again after two kills */
    uint32_t no_cache;    /* 1: computed at every call */
    uint32_t strict;      /* 1: the build-id of the object is in the key: a new build computes again */
} deja_fn_options;
#define DEJA_FN_OPTIONS(...) DEJA_OPTIONS_(deja_fn_options, __VA_ARGS__)

/*
 * Gives a C function its identity: scope, name and version. Results of other versions stay where they are.
 * Change the version when the function or anything that it calls changes: machine code is not looked at. The
 * same definition again gives the same handle; another function under this name is DEJA_EEXIST. DEJA_EINVAL
 * for a function that lies in no object (a callback of ctypes or LuaJIT) with DEJA_PROCESS.
 */
DEJA_API deja_fn *deja_define(deja *d, const char *name, const char *version, deja_job_fn function,
                              const deja_fn_options *options, deja_error *err);

/* ---- calling ---- */

#define DEJA_FORCE 1u /* compute even when there is a result, and replace it */

/* One call: the kept result, or a new one. One item; NULL on failure, which is never kept. */
DEJA_API deja_results *deja_call(deja_fn *f, const deja_value *args, size_t n, deja_error *err);
DEJA_API deja_results *deja_call_forced(deja_fn *f, const deja_value *args, size_t n, deja_error *err);

/* For a number: *ret (may be NULL) gets it; DEJA_ETYPE when the result is none. 0 or negative. A whole number
 * that does not fit is DEJA_ETYPE. */
DEJA_API int deja_call_f64(deja_fn *f, const deja_value *args, size_t n, double *ret, deja_error *err);
DEJA_API int deja_call_i64(deja_fn *f, const deja_value *args, size_t n, int64_t *ret, deja_error *err);

/* 1: a valid result is kept, 0: not. Computes and loads nothing. */
DEJA_API int deja_is_cached(deja_fn *f, const deja_value *args, size_t n, deja_error *err);

/* Forgets one result (1: there was one), all results of a function in all its versions (how many), everything
 * in the cache (how many). */
DEJA_API int deja_forget(deja_fn *f, const deja_value *args, size_t n, deja_error *err);
DEJA_API int64_t deja_forget_function(deja_fn *f, deja_error *err);
DEJA_API int64_t deja_forget_all(deja *d, deja_error *err);

/* ---- results ---- */

DEJA_API size_t deja_results_count(const deja_results *r);

/* Borrowed until deja_results_free; NULL for an item that failed, and out of range. Read-only: a write to
 * it may fault, whatever its size, and does from 256 KB on; where it does not, what is written is neither
 * kept nor seen by other calls. */
DEJA_API const deja_value *deja_results_at(const deja_results *r, size_t i);

/* Why item i failed, naming function and item; NULL when it did not. Its code, 0 when it did not. */
DEJA_API const char *deja_results_error(const deja_results *r, size_t i);
DEJA_API int deja_results_code(const deja_results *r, size_t i);

/* 1: it was there when the call came, in the cache or on its way into it; 0: computed for this call, or for
 * several that waited for it together. */
DEJA_API int deja_results_was_cached(const deja_results *r, size_t i);

/* What computing it took, then or now. */
DEJA_API int64_t deja_results_wall_ns(const deja_results *r, size_t i);

/* NULL is fine. */
DEJA_API void deja_results_free(deja_results *r);

/* ---- references: results that are loaded later, by another process too ---- */

#define DEJA_REFERENCE 48 /* bytes, NUL included */

/* Computes what is not kept yet, waits until it is durable, and writes a reference to `ret`; nothing is
 * loaded on a hit. 0 or negative. */
DEJA_API int deja_shelve(deja_fn *f, const deja_value *args, size_t n, char ret[DEJA_REFERENCE],
                         deja_error *err);

/* One item. DEJA_ENOTFOUND when it was forgotten or evicted, DEJA_ECORRUPT when it is damaged, DEJA_ESYNTAX
 * when this is no reference. */
DEJA_API deja_results *deja_fetch(deja *d, const char *reference, deja_error *err);

/* ---- many calls ---- */

typedef struct deja_map_options {
    uint32_t size;
    uint32_t flags;           /* DEJA_FORCE */
    uint32_t stop_at_failure; /* 1: after the first failure nothing more is begun; what was not is
                                 DEJA_ECANCELED */
    uint32_t reserved;
    deja_array *into; /* results are numbers and go here: one axis, an element each, dtype BOOL, I64, U64 or
                         F64; made by deja_array_new nothing is copied */
} deja_map_options;
#define DEJA_MAP_OPTIONS(...) DEJA_OPTIONS_(deja_map_options, __VA_ARGS__)

/*
 * Calls `f` with each row of `columns` values: kept results from disk, all others on all workers; in the
 * order of the rows. Items fail alone. NULL only when nothing could be done at all. count 0 gives no results.
 */
DEJA_API deja_results *deja_map(deja_fn *f, const deja_value *rows, size_t count, size_t columns,
                                const deja_map_options *options, deja_error *err);

/* The same with a deja_column for each parameter (deja/job.h): arrays are split along their first axis, so
 * that a million numbers are not a million values. At least one is split, and their lengths agree. */
DEJA_API deja_results *deja_map_columns(deja_fn *f, const deja_column *columns, size_t count,
                                        const deja_map_options *options, deja_error *err);

/* ---- futures ---- */

/* Begins one call. Owned by the context until deja_next or deja_wait took it. */
DEJA_API deja_future *deja_submit(deja_fn *f, const deja_value *args, size_t n, deja_error *err);

/* A word of the caller's that comes back in deja_done. */
DEJA_API void deja_future_set_user(deja_future *future, void *user);

typedef struct deja_done {
    const deja_value *value; /* NULL when it failed */
    const char *error;       /* NULL when it did not */
    int32_t code;            /* 0 when it did not */
    int32_t was_cached;
    void *user;
    deja_fn *function;
    uint64_t number;       /* of the submit, from 0 */
    deja_results *results; /* what `value` and `error` lie in; set to NULL to keep them, then
                              deja_results_free is yours */
} deja_done;

/*
 * Takes whichever is finished first. `done` begins zeroed; what it held from an earlier call is freed. 1: one
 * more; 0: none left (nothing is held any more); DEJA_ETIMEDOUT after `timeout_ms` (-1: never); negative:
 * error. Futures that somebody waits for are not taken.
 */
DEJA_API int deja_next(deja *d, int64_t timeout_ms, deja_done *done, deja_error *err);

/* Frees what `done` holds, for a loop that is left early. */
DEJA_API void deja_done_free(deja_done *done);

/* One item, and the future is gone; NULL with DEJA_ETIMEDOUT leaves it. A call that failed is NULL with its
 * error, and gone, too. */
DEJA_API deja_results *deja_wait(deja_future *future, int64_t timeout_ms, deja_error *err);

/* Waits until one (its index) or all (0) of the futures are finished, and takes none. DEJA_ETIMEDOUT. */
DEJA_API int64_t deja_wait_any(deja_future *const *futures, size_t count, int64_t timeout_ms,
                               deja_error *err);
DEJA_API int deja_wait_all(deja_future *const *futures, size_t count, int64_t timeout_ms, deja_error *err);

/* 1: it was not begun, or its process is being ended: it finishes with DEJA_ECANCELED (one that is ending
 * just now may still succeed); 0: too late, or others want the same result. */
DEJA_API int deja_cancel(deja_future *future);

/* ---- streams: inputs that do not fit in memory, or are not there yet ---- */

/* Writes the next row to `row` (borrowed until the next call): 1, 0 at the end, negative with an error. */
typedef int (*deja_source)(void *context, deja_value *row, deja_error *err);

typedef struct deja_stream_options {
    uint32_t size;
    uint32_t in_flight; /* rows taken and not yet handed out, at most; 0: four for each worker */
    uint32_t unordered; /* 1: whichever is finished first */
    uint32_t flags;     /* DEJA_FORCE */
} deja_stream_options;
#define DEJA_STREAM_OPTIONS(...) DEJA_OPTIONS_(deja_stream_options, __VA_ARGS__)

typedef struct deja_stream deja_stream;
DEJA_API deja_stream *deja_stream_open(deja_fn *f, size_t columns, deja_source source, void *context,
                                       const deja_stream_options *options, deja_error *err);

/* As deja_next for the calls of this stream. A row that cannot be begun (a file that is not there) fails
 * alone. An error of the source is returned when what was taken before is handed out. */
DEJA_API int deja_stream_next(deja_stream *s, int64_t timeout_ms, deja_done *done, deja_error *err);

/* Cancels what is not begun, ends what runs in processes, and frees. NULL is fine. */
DEJA_API void deja_stream_close(deja_stream *s);

/* ---- progress ---- */

typedef struct deja_progress {
    uint32_t size;    /* filled by the caller */
    uint32_t running; /* with a backend now, waiting ones included */
    uint64_t calls;   /* begun since the context was opened, items of maps included */
    uint64_t done, hits, failed;
} deja_progress;

/* Never waits. Any thread, also while another is in deja_map. */
DEJA_API void deja_progress_get(deja *d, deja_progress *ret);

/* ---- shared arrays ---- */

/*
 * A zeroed array that workers map at the same address: passed to calls it is never copied, and hashed once
 * however often. The first call that gets it makes the caller's mapping read-only: a later write faults;
 * deja_array_edit gives a writable copy. In a forked child it is not mapped. NULL with DEJA_EFULL when there
 * is no room (never SIGBUS), DEJA_EINVAL.
 */
DEJA_API deja_array *deja_array_new(deja *d, uint32_t dtype, uint32_t ndim, const int64_t *shape,
                                    deja_error *err);
DEJA_API deja_array *deja_array_edit(const deja_array *a, deja_error *err);

/* Calls that got it and are under way keep it until they end. Not while deja_map has it. NULL is fine.
 * deja_close frees the rest. */
DEJA_API void deja_array_free(deja_array *a);

/* ---- around code that is already there ---- */

typedef struct deja_memo deja_memo;

/* Name and version are all that tells memos of different programs apart: there is no scope. */
DEJA_API deja_memo *deja_memo_new(deja *d, const char *name, const char *version, deja_error *err);

/* Adds to the key; the first failure is told by find and store. `v` is not kept. */
DEJA_API void deja_memo_add(deja_memo *m, const char *name, deja_value v);

/* The kept value, or NULL: *err tells a miss (code 0) from trouble. Borrowed until deja_memo_free. */
DEJA_API const deja_value *deja_memo_find(deja_memo *m, deja_error *err);

/* Keeps a copy. cost_ns: what computing it took. Returns that copy; NULL when it could not be kept. */
DEJA_API const deja_value *deja_memo_store(deja_memo *m, const deja_value *v, int64_t cost_ns,
                                           deja_error *err);
DEJA_API void deja_memo_free(deja_memo *m);

/* ---- sugar: macros only, no symbols; C, not C++ ---- */

#ifndef __cplusplus
/* A C expression as a value, by its type; any other type does not compile. */
#define DEJA_VALUE(x)                                                                                        \
    _Generic((x),                                                                                            \
        _Bool: deja_bool,                                                                                    \
        char: deja_i64,                                                                                      \
        signed char: deja_i64,                                                                               \
        short: deja_i64,                                                                                     \
        int: deja_i64,                                                                                       \
        long: deja_i64,                                                                                      \
        long long: deja_i64,                                                                                 \
        unsigned char: deja_u64,                                                                             \
        unsigned short: deja_u64,                                                                            \
        unsigned: deja_u64,                                                                                  \
        unsigned long: deja_u64,                                                                             \
        unsigned long long: deja_u64,                                                                        \
        float: deja_f64,                                                                                     \
        double: deja_f64,                                                                                    \
        char *: deja_string,                                                                                 \
        const char *: deja_string,                                                                           \
        deja_array *: deja_of_array,                                                                         \
        const deja_array *: deja_of_array,                                                                   \
        deja_value: deja_same_,                                                                              \
        deja_value *: deja_copy_,                                                                            \
        const deja_value *: deja_copy_)(x)

static inline deja_value deja_same_(deja_value v)
{
    return v;
}

static inline deja_value deja_copy_(const deja_value *v)
{
    return v ? *v : deja_null();
}

/* Up to 12 C expressions as the arguments `args, n` of a call; without any: DEJA_NO_ARGS. */
#define DEJA_ARGS(...) (const deja_value[]){DEJA_EACH_(__VA_ARGS__)}, (DEJA_COUNT_(__VA_ARGS__))
#define DEJA_NO_ARGS   NULL, 0

#define DEJA_COUNT_(...)                                       DEJA_13TH_(__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define DEJA_13TH_(a, b, c, d, e, f, g, h, i, j, k, l, n, ...) n
#define DEJA_EACH_(...)                                                                                      \
    DEJA_13TH_(__VA_ARGS__, DEJA_E12_, DEJA_E11_, DEJA_E10_, DEJA_E9_, DEJA_E8_, DEJA_E7_, DEJA_E6_,         \
               DEJA_E5_, DEJA_E4_, DEJA_E3_, DEJA_E2_, DEJA_E1_, )                                           \
    (__VA_ARGS__)
#define DEJA_E1_(x)       DEJA_VALUE(x)
#define DEJA_E2_(x, ...)  DEJA_VALUE(x), DEJA_E1_(__VA_ARGS__)
#define DEJA_E3_(x, ...)  DEJA_VALUE(x), DEJA_E2_(__VA_ARGS__)
#define DEJA_E4_(x, ...)  DEJA_VALUE(x), DEJA_E3_(__VA_ARGS__)
#define DEJA_E5_(x, ...)  DEJA_VALUE(x), DEJA_E4_(__VA_ARGS__)
#define DEJA_E6_(x, ...)  DEJA_VALUE(x), DEJA_E5_(__VA_ARGS__)
#define DEJA_E7_(x, ...)  DEJA_VALUE(x), DEJA_E6_(__VA_ARGS__)
#define DEJA_E8_(x, ...)  DEJA_VALUE(x), DEJA_E7_(__VA_ARGS__)
#define DEJA_E9_(x, ...)  DEJA_VALUE(x), DEJA_E8_(__VA_ARGS__)
#define DEJA_E10_(x, ...) DEJA_VALUE(x), DEJA_E9_(__VA_ARGS__)
#define DEJA_E11_(x, ...) DEJA_VALUE(x), DEJA_E10_(__VA_ARGS__)
#define DEJA_E12_(x, ...) DEJA_VALUE(x), DEJA_E11_(__VA_ARGS__)

/*
 * A job function from an ordinary one:
 *
 *     DEJA_FUNC2(double, simulate, int64_t, steps, double, dt) { return integrate(steps, dt); }
 *
 * defines the deja_job_fn `simulate`, which refuses a wrong number of arguments and wrong types by name.
 * Types: the integer types, float, double, bool, const char *, const deja_array *, const deja_value *. An
 * integer that does not fit its type is refused; a floating-point parameter takes whole numbers that it can
 * hold, and a float is rounded but never beyond its range. What is returned is anything that DEJA_VALUE
 * takes; text and arrays are copied before the function's own variables are gone, so they must outlive its
 * `return` (static, or an argument).
 */
#define DEJA_FUNC1(R, name, T1, a1) DEJA_FUNC_(R, name, 1, (T1 a1), (a1), DEJA_TAKE_(name, 0, T1, a1))
#define DEJA_FUNC2(R, name, T1, a1, T2, a2)                                                                  \
    DEJA_FUNC_(R, name, 2, (T1 a1, T2 a2), (a1, a2), DEJA_TAKE_(name, 0, T1, a1) DEJA_TAKE_(name, 1, T2, a2))
#define DEJA_FUNC3(R, name, T1, a1, T2, a2, T3, a3)                                                          \
    DEJA_FUNC_(R, name, 3, (T1 a1, T2 a2, T3 a3), (a1, a2, a3),                                              \
               DEJA_TAKE_(name, 0, T1, a1) DEJA_TAKE_(name, 1, T2, a2) DEJA_TAKE_(name, 2, T3, a3))
#define DEJA_FUNC4(R, name, T1, a1, T2, a2, T3, a3, T4, a4)                                                  \
    DEJA_FUNC_(R, name, 4, (T1 a1, T2 a2, T3 a3, T4 a4), (a1, a2, a3, a4),                                   \
               DEJA_TAKE_(name, 0, T1, a1) DEJA_TAKE_(name, 1, T2, a2) DEJA_TAKE_(name, 2, T3, a3)           \
                   DEJA_TAKE_(name, 3, T4, a4))
#define DEJA_FUNC5(R, name, T1, a1, T2, a2, T3, a3, T4, a4, T5, a5)                                          \
    DEJA_FUNC_(R, name, 5, (T1 a1, T2 a2, T3 a3, T4 a4, T5 a5), (a1, a2, a3, a4, a5),                        \
               DEJA_TAKE_(name, 0, T1, a1) DEJA_TAKE_(name, 1, T2, a2) DEJA_TAKE_(name, 2, T3, a3)           \
                   DEJA_TAKE_(name, 3, T4, a4) DEJA_TAKE_(name, 4, T5, a5))
#define DEJA_FUNC6(R, name, T1, a1, T2, a2, T3, a3, T4, a4, T5, a5, T6, a6)                                  \
    DEJA_FUNC_(R, name, 6, (T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6), (a1, a2, a3, a4, a5, a6),             \
               DEJA_TAKE_(name, 0, T1, a1) DEJA_TAKE_(name, 1, T2, a2) DEJA_TAKE_(name, 2, T3, a3)           \
                   DEJA_TAKE_(name, 3, T4, a4) DEJA_TAKE_(name, 4, T5, a5) DEJA_TAKE_(name, 5, T6, a6))

#define DEJA_FUNC_(R, name, count, params, names, takes)                                                     \
    static R name##_typed_ params;                                                                           \
    static int name(const deja_value *deja_arg_, size_t deja_n_, deja_out *deja_out_, deja_error *deja_err_) \
    {                                                                                                        \
        if (deja_n_ != count)                                                                                \
            return deja_fail(deja_err_, DEJA_EINVAL, "takes %d arguments, got %zu", count, deja_n_);         \
        takes R deja_result_ = name##_typed_ names;                                                          \
        return deja_return(deja_out_, DEJA_VALUE(deja_result_));                                             \
    }                                                                                                        \
    static R name##_typed_ params

#define DEJA_TAKE_(name, i, T, a)                                                                              \
    T a;                                                                                                       \
    if (_Generic((T *)0,                                                                                     \
            float *: deja_take_f32_,                                                                         \
            double *: deja_take_f64_,                                                                        \
            const char **: deja_take_string_,                                                                \
            const deja_array **: deja_take_array_,                                                           \
            const deja_value **: deja_take_value_,                                                           \
            _Bool *: deja_take_bool_,                                                                        \
            char *: deja_take_whole_,                                                                        \
            signed char *: deja_take_whole_,                                                                 \
            short *: deja_take_whole_,                                                                       \
            int *: deja_take_whole_,                                                                         \
            long *: deja_take_whole_,                                                                        \
            long long *: deja_take_whole_,                                                                   \
            unsigned char *: deja_take_whole_,                                                               \
            unsigned short *: deja_take_whole_,                                                              \
            unsigned *: deja_take_whole_,                                                                    \
            unsigned long *: deja_take_whole_,                                                               \
            unsigned long long *: deja_take_whole_)(&deja_arg_[i], &a, sizeof a, DEJA_IS_SIGNED_(T))) \
        return deja_fail(deja_err_, DEJA_ETYPE, "argument %d ('%s') is %s, expected %s", i + 1, #a,            \
                         deja_kind_name(deja_arg_[i].kind), #T);

#define DEJA_IS_SIGNED_(T)                                                                                   \
    _Generic((T *)0, unsigned char * : 0, unsigned short * : 0, unsigned * : 0, unsigned long * : 0,         \
             unsigned long long * : 0, default : 1)

/* These write to `to`, of the parameter's type, and return 0, or 1 for a value that it cannot hold. */
static inline int deja_take_f64_(const deja_value *v, void *to, size_t size, int is_signed)
{
    double x = v->kind == DEJA_F64 ? v->f64 : v->kind == DEJA_I64 ? (double)v->i64 : (double)v->u64;
    (void)is_signed;
    if (v->kind == DEJA_I64   ? v->i64 > (INT64_C(1) << 53) || v->i64 < -(INT64_C(1) << 53)
        : v->kind == DEJA_U64 ? v->u64 > (UINT64_C(1) << 53)
                              : v->kind != DEJA_F64)
        return 1;
    memcpy(to, &x, size);
    return 0;
}

static inline int deja_take_f32_(const deja_value *v, void *to, size_t size, int is_signed)
{
    double x;
    if (deja_take_f64_(v, &x, sizeof x, is_signed))
        return 1;
    double distance = x < 0 ? -x : x;
    if (distance > 0x1.fffffep127 && distance <= 0x1.fffffffffffffp1023) /* of float, and of double */
        return 1;
    float y = (float)x;
    if (v->kind != DEJA_F64 && (int64_t)y != (int64_t)x)
        return 1;
    memcpy(to, &y, size);
    return 0;
}

static inline int deja_take_bool_(const deja_value *v, void *to, size_t size, int is_signed)
{
    _Bool truth = v->i64 != 0;
    (void)is_signed;
    if (v->kind != DEJA_BOOL)
        return 1;
    memcpy(to, &truth, size);
    return 0;
}

static inline int deja_take_whole_(const deja_value *v, void *to, size_t size, int is_signed)
{
    if (v->kind != DEJA_I64 && v->kind != DEJA_U64)
        return 1;
    int is_big = v->kind == DEJA_U64 && v->u64 > INT64_MAX;
    int bits = (int)size * 8 - is_signed;
    if (is_big       ? bits < 64
        : v->i64 < 0 ? !is_signed || v->i64 < INT64_MIN >> (63 - bits)
                     : bits < 63 && v->i64 >> bits)
        return 1;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(to, &v->i64, size);
#else
    memcpy(to, (const char *)&v->i64 + sizeof v->i64 - size, size);
#endif
    return 0;
}

static inline int deja_take_string_(const deja_value *v, void *to, size_t size, int is_signed)
{
    (void)is_signed;
    if (v->kind != DEJA_STRING && v->kind != DEJA_FILE)
        return 1;
    memcpy(to, &v->string, size);
    return 0;
}

static inline int deja_take_array_(const deja_value *v, void *to, size_t size, int is_signed)
{
    (void)is_signed;
    if (v->kind != DEJA_ARRAY)
        return 1;
    memcpy(to, &v->array, size);
    return 0;
}

static inline int deja_take_value_(const deja_value *v, void *to, size_t size, int is_signed)
{
    (void)is_signed;
    memcpy(to, &v, size);
    return 0;
}
#endif
#endif
