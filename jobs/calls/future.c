/* Futures: begun, answered, waited for, taken. */
#include "future.h"
#include "flight.h"
#include "results.h"
#include "shared.h"
#include <deja/cleanup.h>
#include <deja/clock.h>

static void list_add(future_list *l, deja_future *future)
{
    future->list = l;
    future->prev = l->last;
    future->next = NULL;
    *(l->last ? &l->last->next : &l->first) = future;
    l->last = future;
}

static void list_remove(deja_future *future)
{
    future_list *l = future->list;
    *(future->prev ? &future->prev->next : &l->first) = future->next;
    *(future->next ? &future->next->prev : &l->last) = future->prev;
}

deja_future *future_new(deja_fn *f, future_list *home)
{
    deja_future *future = deja_calloc(1, sizeof *future);
    if (!future)
        return NULL;
    future->function = f;
    future->home = home;
    list_add(&f->d->waiting, future);
    f->d->progress.calls++;
    return future;
}

int future_is_answered(const deja_future *future)
{
    return future->list == future->home;
}

void future_answer(deja_future *future, answer a)
{
    deja_progress *p = &future->function->d->progress;
    future->answer = a;
    future->flight = NULL;
    future->sibling = NULL;
    p->done++;
    p->failed += a.code < 0;
    list_remove(future);
    list_add(future->home, future);
}

answer future_take(deja_future *future)
{
    answer a = future->answer;
    list_remove(future);
    deja_free(future);
    return a;
}

deja_future *future_first(const future_list *list)
{
    deja_future *future = list->first;
    while (future && future->wanted)
        future = future->next;
    return future;
}

/* Everything that may take long, without the lock. */
static int make_request(flight_request *q, deja_error *err)
{
    deja_fn *f = q->function;
    if (q->n > 0 && !q->args)
        return deja_fail(err, DEJA_EINVAL, "'%s': %zu arguments, but none given", f->name, q->n);
    int rc = context_check(err);
    if (rc < 0)
        return rc;
    rc = shared_freeze(f->d, q->args, q->n, err);
    if (rc < 0)
        return deja_fail_in(err, "'%s'", f->name);
    q->keyed = function_is_cached(f);
    if (q->keyed)
        return function_key(f, q->args, q->n, &q->key, err);
    return function_check(f, q->args, q->n, err);
}

static deja_future *begin(flight_request *q, future_list *home, uint64_t number, deja_error *err)
{
    deja_fn *f = q->function;
    deja_future *future = future_new(f, home);
    if (!future) {
        deja_fail(err, DEJA_ENOMEM, "'%s': out of memory", f->name);
        return NULL;
    }
    answer a;
    uint8_t found;
    future->number = number;
    flight_look_up(q, 1, &a, &found);
    f->d->progress.hits += found;
    if (found)
        future_answer(future, a);
    else
        flight_join_or_start(&q, &future, 1);
    context_wake(f->d);
    return future;
}

deja_future *future_begin(deja_fn *f, const deja_value *args, size_t n, uint32_t flags, future_list *home,
                          uint64_t number, deja_error *err)
{
    flight_request q = {.function = f, .args = args, .n = n, .flags = flags};
    deja_future *future = NULL;
    if (make_request(&q, err) == 0 && context_enter(f->d, err) == 0) {
        future = begin(&q, home, number, err);
        context_leave(f->d);
    }
    call_key_done(&q.key);
    return future;
}

deja_future *future_begin_failed(deja_fn *f, future_list *home, uint64_t number, const deja_error *why)
{
    if (context_enter(f->d, NULL) < 0)
        return NULL;
    deja_future *future = future_new(f, home);
    if (future) {
        future->number = number;
        future_answer(future, answer_of_error(why));
    }
    context_leave(f->d);
    return future;
}

/* ---- the calls ---- */

deja_future *deja_submit(deja_fn *f, const deja_value *args, size_t n, deja_error *err)
{
    if (!f)
        return NULL;
    uint64_t number = __atomic_fetch_add(&f->d->submitted, 1, __ATOMIC_RELAXED);
    return future_begin(f, args, n, 0, &f->d->finished, number, err);
}

void deja_future_set_user(deja_future *future, void *user)
{
    if (!future || context_enter(future->function->d, NULL) < 0)
        return;
    future->user = user;
    context_leave(future->function->d);
}

int deja_next(deja *d, int64_t timeout_ms, deja_done *done, deja_error *err)
{
    deja_done_free(done);
    int64_t end_ns = context_end_ns(timeout_ms);
    int rc = context_enter(d, err);
    if (rc < 0)
        return rc;
    deja_future *future;
    while (!(future = future_first(&d->finished)) && future_pending(&d->finished, d))
        if (!context_turn(d, end_ns)) {
            rc = deja_fail(err, DEJA_ETIMEDOUT, "nothing finished within %lld ms", (long long)timeout_ms);
            break;
        }
    if (future)
        rc = results_of_future(future, done, err);
    context_leave(d);
    return rc;
}

void deja_done_free(deja_done *done)
{
    if (!done)
        return;
    deja_results_free(done->results);
    *done = (deja_done){0};
}

static deja_results *take_waited(deja_future *future, deja_error *err)
{
    deja_done done = {0};
    if (results_of_future(future, &done, err) < 0)
        return NULL;
    if (done.code == 0)
        return done.results;
    deja_fail(err, done.code, "%s", done.error);
    deja_done_free(&done);
    return NULL;
}

deja_results *deja_wait(deja_future *future, int64_t timeout_ms, deja_error *err)
{
    int64_t end_ns = context_end_ns(timeout_ms);
    if (!future || context_enter(future->function->d, err) < 0)
        return NULL;
    deja *d = future->function->d;
    future->wanted++;
    while (!future_is_answered(future) && context_turn(d, end_ns))
        ;
    deja_results *r = NULL;
    if (future_is_answered(future)) {
        r = take_waited(future, err);
    } else {
        future->wanted--;
        deja_fail(err, DEJA_ETIMEDOUT, "'%s': not finished within %lld ms", future->function->name,
                  (long long)timeout_ms);
    }
    context_leave(d);
    return r;
}

static int64_t first_answered(deja_future *const *futures, size_t count, size_t *ret_answered)
{
    int64_t first = -1;
    *ret_answered = 0;
    for (size_t i = 0; i < count; i++)
        if (futures[i] && future_is_answered(futures[i])) {
            (*ret_answered)++;
            first = first < 0 ? (int64_t)i : first;
        }
    return first;
}

/* So that deja_next of another thread takes none of them. */
static void want(deja_future *const *futures, size_t count, int more)
{
    for (size_t i = 0; i < count; i++)
        if (futures[i])
            futures[i]->wanted += more;
}

static int64_t wait_for(deja_future *const *futures, size_t count, size_t needed, int64_t timeout_ms,
                        deja_error *err)
{
    int64_t end_ns = context_end_ns(timeout_ms);
    size_t i = 0, answered;
    while (i < count && !futures[i])
        i++;
    if (i == count)
        return deja_fail(err, DEJA_EINVAL, "wait: no futures");
    deja *d = futures[i]->function->d;
    int64_t rc = context_enter(d, err), first;
    if (rc < 0)
        return rc;
    want(futures, count, 1);
    while ((first = first_answered(futures, count, &answered)), answered < needed)
        if (!context_turn(d, end_ns)) {
            rc = deja_fail(err, DEJA_ETIMEDOUT, "%zu of %zu finished within %lld ms", answered, count,
                           (long long)timeout_ms);
            break;
        }
    want(futures, count, -1);
    context_leave(d);
    return rc < 0 ? rc : first;
}

int64_t deja_wait_any(deja_future *const *futures, size_t count, int64_t timeout_ms, deja_error *err)
{
    return wait_for(futures, count, 1, timeout_ms, err);
}

int deja_wait_all(deja_future *const *futures, size_t count, int64_t timeout_ms, deja_error *err)
{
    size_t real = 0;
    for (size_t i = 0; i < count; i++)
        real += futures[i] != NULL;
    int64_t rc = real ? wait_for(futures, count, real, timeout_ms, err) : 0;
    return rc < 0 ? (int)rc : 0;
}

int deja_cancel(deja_future *future)
{
    if (!future || context_enter(future->function->d, NULL) < 0)
        return 0;
    deja *d = future->function->d;
    int canceled = flight_cancel(future);
    context_leave(d);
    return canceled;
}

int future_pending(const future_list *home, const deja *d)
{
    for (const deja_future *future = d->waiting.first; future; future = future->next)
        if (future->home == home && !future->wanted)
            return 1;
    return 0;
}

static void free_list(future_list *l)
{
    while (l->first) {
        answer a = future_take(l->first);
        answer_done(&a);
    }
}

void future_free_all(deja *d)
{
    free_list(&d->waiting);
    free_list(&d->finished);
}
