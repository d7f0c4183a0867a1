#ifndef FUTURE_H
#define FUTURE_H
/*
 * One call that somebody wants the answer of. When it is answered it moves to the list that it was begun for.
 */
#include "context.h"
#include "function.h"

struct deja_future {
    deja_future *prev, *next; /* in `list` */
    future_list *list;        /* where it is now: d->waiting, or `home` */
    future_list *home;        /* where it goes when it is answered */
    deja_future *sibling;     /* another one for the same flight */
    deja_fn *function;
    flight *flight; /* NULL once it is answered */
    answer answer;
    void *user;
    uint64_t number; /* of the submit; the item of a map; the row of a stream */
    int wanted;      /* somebody waits for this very one */
};

/* Under the lock. NULL: out of memory. */
deja_future *future_new(deja_fn *f, future_list *home);

/* Under the lock: it is answered (takes `a`). */
void future_answer(deja_future *future, answer a);

int future_is_answered(const deja_future *future);

/* Under the lock: takes it off its list and frees it; its answer is the caller's (zeroed when that is not
 * wanted). */
answer future_take(deja_future *future);

/* The first in the list that nobody waits for, or NULL. */
deja_future *future_first(const future_list *list);

/* Under the lock: calls for this list that are not answered and that nobody waits for by name. */
int future_pending(const future_list *home, const deja *d);

/* Begins a call, in full: key, look-up, dispatch. Not under the lock. */
deja_future *future_begin(deja_fn *f, const deja_value *args, size_t n, uint32_t flags, future_list *home,
                          uint64_t number, deja_error *err);

/* One that could not be begun, answered with why. Not under the lock. NULL: neither could this one be. */
deja_future *future_begin_failed(deja_fn *f, future_list *home, uint64_t number, const deja_error *why);

void future_free_all(deja *d);

#endif
