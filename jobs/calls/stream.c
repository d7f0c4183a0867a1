/* Streams, see stream.h. The source is asked in the calling thread, under no lock, and only while there is
 * room. */
#include "stream.h"
#include "flight.h"
#include "results.h"
#include <deja/clock.h>
#include <deja/runner.h>

#define IN_FLIGHT 4 /* for each worker */

struct deja_stream {
    deja_fn *function;
    deja_stream *next;
    deja_source source;
    void *context;
    deja_stream_options options;
    size_t columns;
    deja_value *row;
    future_list answered; /* and not yet handed out */
    uint64_t pulled, handed;
    int ended;         /* the source has no more */
    deja_error failed; /* of the source */
};

/* ---- pulling ---- */

/* Rows taken that the caller has not got yet. */
static uint64_t in_flight(const deja_stream *s)
{
    return s->pulled - s->handed;
}

/* A row that cannot be begun (a file that is not there) fails alone. 0: not even that. */
static int begin(deja_stream *s, deja_error *why)
{
    if (!future_begin(s->function, s->row, s->columns, s->options.flags, &s->answered, s->pulled, why) &&
        !future_begin_failed(s->function, &s->answered, s->pulled, why))
        return 0;
    s->pulled++;
    return 1;
}

/* Begins calls while there is room. Not under the lock. */
static void pull(deja_stream *s)
{
    while (!s->ended && in_flight(s) < s->options.in_flight) {
        deja_error why = {0};
        int more = s->source(s->context, s->row, &why);
        if (more > 0 && begin(s, &why))
            continue;
        s->ended = 1;
        if (more != 0)
            s->failed = why.code < 0 ? why : (deja_error){.code = DEJA_EINVAL, .text = "the source failed"};
    }
}

/* The next to be handed out: any, or the first in order. */
static deja_future *next_of(const deja_stream *s)
{
    deja_future *future = s->answered.first;
    while (future && !s->options.unordered && future->number != s->handed)
        future = future->next;
    return future;
}

static int finish(deja_stream *s, deja_error *err)
{
    return s->failed.code < 0 ? deja_fail(err, s->failed.code, "%s", s->failed.text) : 0;
}

static int hand_out(deja_stream *s, deja_done *done, deja_error *err)
{
    int rc = results_of_future(next_of(s), done, err);
    s->handed++;
    return rc;
}

static int wait_for_next(deja_stream *s, int64_t timeout_ms, deja_done *done, deja_error *err)
{
    deja *d = s->function->d;
    int64_t end_ns = context_end_ns(timeout_ms);
    int rc = context_enter(d, err);
    if (rc < 0)
        return rc;
    while (!next_of(s))
        if (!context_turn(d, end_ns)) {
            context_leave(d);
            return deja_fail(err, DEJA_ETIMEDOUT, "'%s': nothing finished within %lld ms", s->function->name,
                             (long long)timeout_ms);
        }
    rc = hand_out(s, done, err);
    context_leave(d);
    return rc;
}

int deja_stream_next(deja_stream *s, int64_t timeout_ms, deja_done *done, deja_error *err)
{
    deja_done_free(done);
    if (!s)
        return DEJA_EINVAL;
    pull(s);
    return in_flight(s) == 0 ? finish(s, err) : wait_for_next(s, timeout_ms, done, err);
}

/* ---- opening and closing ---- */

static deja_stream *make(deja_fn *f, size_t columns, const deja_stream_options *o)
{
    deja_stream *s = deja_calloc(1, sizeof *s);
    deja_value *row = deja_calloc(columns, sizeof *row);
    if (!s || !row) {
        deja_free(s);
        deja_free(row);
        return NULL;
    }
    s->options = *o;
    if (s->options.in_flight == 0)
        s->options.in_flight =
            IN_FLIGHT * (f->d->options.workers ? f->d->options.workers : (uint32_t)deja_cpu_count());
    s->function = f;
    s->columns = columns;
    s->row = row;
    return s;
}

deja_stream *deja_stream_open(deja_fn *f, size_t columns, deja_source source, void *context,
                              const deja_stream_options *options, deja_error *err)
{
    deja_stream_options own = {0};
    if (!f || context_options(&own, sizeof own, options, "DEJA_STREAM_OPTIONS", err) < 0)
        return NULL;
    if (!source) {
        deja_fail(err, DEJA_EINVAL, "'%s': a stream needs a source", f->name);
        return NULL;
    }
    deja_stream *s = make(f, columns, &own);
    if (!s) {
        deja_fail(err, DEJA_ENOMEM, "'%s': out of memory", f->name);
        return NULL;
    }
    s->source = source;
    s->context = context;
    if (context_enter(f->d, err) < 0) {
        deja_free(s->row);
        deja_free(s);
        return NULL;
    }
    s->next = f->d->streams;
    f->d->streams = s;
    context_leave(f->d);
    return s;
}

/* Under the lock. */
static void free_stream(deja_stream *s)
{
    deja *d = s->function->d;
    deja_stream **at = &d->streams;
    while (*at && *at != s)
        at = &(*at)->next;
    if (*at)
        *at = s->next;
    for (deja_future *future = d->waiting.first, *next; future; future = next) {
        next = future->next;
        if (future->home == &s->answered)
            flight_leave(future);
    }
    while (s->answered.first) {
        answer a = future_take(s->answered.first);
        answer_done(&a);
    }
    deja_free(s->row);
    deja_free(s);
}

void stream_free_all(deja *d)
{
    while (d->streams)
        free_stream(d->streams);
}

void deja_stream_close(deja_stream *s)
{
    if (!s || context_enter(s->function->d, NULL) < 0)
        return;
    deja *d = s->function->d;
    free_stream(s);
    context_leave(d);
}
