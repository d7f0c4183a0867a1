#ifndef CONTEXT_H
#define CONTEXT_H
/*
 * What an open deja is made of, its lock, and its one loop. Calls of any thread change it under the lock; who
 * has to wait takes turns: one thread sleeps on the pool and the cache, outside of the lock, the others on a
 * condition.
 */
#include "answer.h"
#include <deja.h>
#include <deja/claim.h>
#include <pthread.h>

/* Whose step of the cache it is: step->user points to one of these. */
typedef struct step_waiter {
    void (*finished)(struct step_waiter *w, deja_step *step);
} step_waiter;

typedef struct flight flight;

typedef struct flight_list {
    flight *first, *last;
} flight_list;

typedef struct future_list {
    deja_future *first, *last;
} future_list;

struct deja {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something finished, or the thread that slept for all is back */
    pid_t owner;
    uint32_t flags;
    deja_options options; /* `cache` is not kept */
    char *folder;         /* of the cache, "" without */
    deja_cache *cache;    /* NULL: none */
    deja_claims *claims;  /* NULL: nothing is kept */
    deja_pool *pool;
    deja_fn *functions;
    flight **table; /* flights with a key, by key */
    size_t table_size, flight_count;
    flight_list aside;    /* their claim is held elsewhere */
    flight_list storing;  /* results on their way into the cache, oldest first */
    size_t storing_count; /* flights in `storing` */
    uint64_t stored;      /* the last one's serial */
    future_list waiting, finished;
    size_t steps;         /* of the cache, under way */
    deja_buffer warnings; /* not told yet, each with its NUL */
    pthread_t keeper;     /* moves results into the cache while nobody calls */
    pthread_cond_t keep;  /* the keeper's: somebody left while results are on their way, or the end */
    int has_keeper, keeper_waits, closing;
    int sleeping;        /* a thread sleeps for all, */
    int sleeps_on_cache; /* on the steps of the cache, too */
    deja_error not_kept; /* of the first result that could not be kept since deja_sync */
    uint64_t submitted;
    deja_progress progress;
    deja_memo *memos;
    deja_stream *streams;
    struct deja_shared *arrays;
};

/* 0 and the lock is held, or DEJA_EFORK, or DEJA_EINVAL for NULL (err as it was). */
int context_enter(deja *d, deja_error *err);
void context_leave(deja *d);

/* Under the lock: lets it go for a while, as pthread_mutex_unlock, but results go on into the cache. */
void context_unlock(deja *d);

/* 0, or DEJA_EINVAL: a coroutine's stack is too small for any call. For those that do much before they enter.
 */
int context_check(deja_error *err);

/*
 * Under the lock: does what is due; if that was nothing, sleeps until something may have changed, at most
 * until `end_ns` (monotonic; INT64_MAX: for ever). 1: something happened; 0: the time is over.
 */
int context_turn(deja *d, int64_t end_ns);

/* Under the lock: begins to count a step that goes on. */
void context_began(deja *d);

/* Under the lock: does what is due. 1: something happened. */
int context_collect(deja *d);

/* Under the lock: a result is on its way into the cache, and somebody must see to it. */
void context_keep(deja *d);

/* Under the lock: a thread that sleeps looks again. */
void context_wake(deja *d);

/* Copies an option struct by the size in its first member; what is missing stays as it is in *ret. NULL:
 * nothing. 0, or DEJA_EINVAL for a size that no version had. */
int context_options(void *ret, size_t size, const void *given, const char *macro, deja_error *err);

/* The end of a wait that begins now; timeout_ms -1: INT64_MAX. */
int64_t context_end_ns(int64_t timeout_ms);

/* Under the lock: to be told when the lock is given back. */
void context_warn(deja *d, const char *text);

#endif
