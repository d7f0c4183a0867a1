/* Futures and streams: jobs/calls/future.c and stream.c. */
#include "calls.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Sleeps so many ms and returns them. */
static int nap(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    (void)err;
    deja_sleep_ms(arg->i64);
    return deja_return(out, *arg);
}

static void test_future__next_takes_each_once(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++) {
        deja_error err;
        char seen[500] = {0};
        deja *d = open_with(DEJA_NO_CACHE);
        deja_fn *f = define_on(d, backends[b], "add", add);
        for (int i = 0; i < 500; i++)
            assert_non_null(deja_submit(f, DEJA_ARGS(i), &err));
        deja_done done = {0};
        int rc, count = 0;
        while ((rc = deja_next(d, 10000, &done, &err)) > 0) {
            assert_int_equal(done.code, 0);
            assert_int_equal(done.value->i64, done.number);
            assert_int_equal(seen[done.number]++, 0);
            count++;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(count, 500);
        deja_close(d);
    }
}

/* BEHAVIOURS 38: fast results arrive before a slow one. */
static void test_future__fast_ones_come_first(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS - 1; b++) {
        deja_error err;
        deja *d = open_with(DEJA_NO_CACHE);
        deja_fn *f = define_on(d, backends[b], "nap", nap);
        deja_future *slow = deja_submit(f, DEJA_ARGS(700), &err);
        deja_future_set_user(slow, d);
        for (int i = 0; i < 9; i++)
            deja_submit(f, DEJA_ARGS(1), &err);
        deja_done done = {0};
        for (int i = 0; i < 10; i++) {
            assert_int_equal(deja_next(d, 10000, &done, &err), 1);
            assert_int_equal(done.value->i64, i < 9 ? 1 : 700);
            assert_ptr_equal(done.user, i < 9 ? NULL : d);
        }
        assert_int_equal(deja_next(d, 0, &done, &err), 0);
        deja_close(d);
    }
}

static void test_future__wait_and_timeouts(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(DEJA_NO_CACHE);
    deja_fn *f = define_on(d, DEJA_PROCESS, "nap", nap);
    deja_future *futures[2] = {deja_submit(f, DEJA_ARGS(300), &err), deja_submit(f, DEJA_ARGS(10), &err)};
    deja_done done = {0};
    assert_null(deja_wait(futures[0], 1, &err));
    assert_int_equal(err.code, DEJA_ETIMEDOUT);
    assert_int_equal(deja_wait_any(futures, 2, 10000, &err), 1);
    assert_int_equal(deja_wait_all(futures, 2, 1, &err), DEJA_ETIMEDOUT);
    assert_int_equal(deja_wait_all(futures, 2, 10000, &err), 0);
    for (int i = 0; i < 2; i++) {
        deja_results *r = deja_wait(futures[i], -1, &err);
        assert_int_equal(deja_results_at(r, 0)->i64, i ? 10 : 300);
        deja_results_free(r);
    }
    assert_int_equal(deja_next(d, 0, &done, &err), 0);
    deja_submit(f, DEJA_ARGS(300), &err);
    assert_int_equal(deja_next(d, 5, &done, &err), DEJA_ETIMEDOUT);
    assert_int_equal(deja_next(d, 10000, &done, &err), 1);
    deja_done_free(&done);
    deja_close(d);
}

static void test_future__cancel(void **state)
{
    (void)state;
    deja_error err;
    deja *d = deja_open(DEJA_OPTIONS(.flags = DEJA_NO_CACHE, .workers = 1), &err);
    deja_fn *f = define_on(d, DEJA_PROCESS, "nap", nap);
    double began = now();
    deja_future *running = deja_submit(f, DEJA_ARGS(60000), &err);
    deja_future *queued = deja_submit(f, DEJA_ARGS(60000), &err);
    assert_null(deja_wait(running, 50, &err));
    assert_int_equal(deja_cancel(queued), 1);
    assert_int_equal(deja_cancel(running), 1);
    assert_null(deja_wait(running, 10000, &err));
    assert_int_equal(err.code, DEJA_ECANCELED);
    assert_null(deja_wait(queued, 10000, &err));
    assert_int_equal(err.code, DEJA_ECANCELED);
    assert_true(now() - began < 20);
    deja_results *r = deja_call(f, DEJA_ARGS(1), &err);
    assert_non_null(r);
    deja_results_free(r);
    deja_close(d);
}

/* Who wants the same after it was canceled gets it. */
static void test_future__cancel_harms_no_later_call(void **state)
{
    (void)state;
    deja_error err;
    for (int i = 0; i < 5; i++) {
        deja *d = deja_open(DEJA_OPTIONS(.cache = "cache", .workers = 1), &err);
        deja_fn *f = define_on(d, DEJA_PROCESS, "nap", nap);
        deja_future *future = deja_submit(f, DEJA_ARGS(100 + i), &err);
        assert_null(deja_wait(future, 20, &err));
        assert_int_equal(deja_cancel(future), 1);
        deja_results *r = deja_call(f, DEJA_ARGS(100 + i), &err);
        if (!r)
            fail_msg("%s", err.text);
        deja_results_free(r);
        deja_close(d);
    }
}

/* Closing with work unfinished ends at once where processes run. */
static void test_future__close_ends_what_runs(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_PROCESS, "nap", nap);
    double began = now();
    for (int i = 0; i < 10; i++)
        deja_submit(f, DEJA_ARGS(60000 + i), &err);
    deja_close(d);
    assert_true(now() - began < 20);
}

/* Better than joblib, a: four who want the same at once get one run. */
typedef struct caller {
    deja_fn *f;
    int64_t result;
    int rc;
} caller;

static int slow_add(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    (void)err;
    mark();
    deja_sleep_ms(200);
    return deja_return(out, deja_i64(arg[0].i64 + arg[1].i64));
}

static void *call_thread(void *context)
{
    caller *c = context;
    c->rc = deja_call_i64(c->f, DEJA_ARGS(20, 22), &c->result, NULL);
    return NULL;
}

static void test_future__equal_calls_of_threads_run_once(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++) {
        char name[16];
        long before = runs();
        deja *d = open_with(0);
        snprintf(name, sizeof name, "slow%zu", b);
        caller callers[4];
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            callers[i] = (caller){.f = define_on(d, backends[b], name, slow_add)};
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, call_thread, &callers[i]);
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(callers[i].rc, 0);
            assert_int_equal(callers[i].result, 42);
        }
        assert_int_equal(runs(), before + 1);
        deja_close(d);
    }
}

/* Two threads share a context, each with calls of its own. */
static void *many_calls(void *context)
{
    caller *c = context;
    for (int64_t i = 0; i < 200 && c->rc == 0; i++) {
        int64_t x = 0;
        c->rc = deja_call_i64(c->f, DEJA_ARGS(i, c->result), &x, NULL);
        if (x != i + c->result)
            c->rc = -100;
    }
    return NULL;
}

static void test_future__two_threads_share_a_context(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++) {
        deja *d = open_with(b % 2 ? 0 : DEJA_NO_CACHE);
        deja_fn *f = define_on(d, backends[b], "add", add);
        caller callers[2] = {{.f = f, .result = 1000}, {.f = f, .result = 2000}};
        pthread_t threads[2];
        for (int i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, many_calls, &callers[i]);
        for (int i = 0; i < 2; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(callers[i].rc, 0);
        }
        deja_close(d);
    }
}

/* ---- streams ---- */

typedef struct source {
    int64_t next, end, fails_at;
} source;

static int pull(void *context, deja_value *row, deja_error *err)
{
    source *s = context;
    if (s->next == s->fails_at)
        return deja_fail(err, DEJA_EIO, "the source broke");
    if (s->next == s->end)
        return 0;
    row[0] = deja_i64(s->next++);
    return 1;
}

/* BEHAVIOURS 33: rows are pulled while there is room, and no earlier. */
static void test_stream__is_lazy_and_in_order(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++)
        for (uint32_t in_flight = 1; in_flight <= 3; in_flight += 2) {
            deja_error err;
            source s = {.end = 50, .fails_at = -1};
            deja *d = open_with(DEJA_NO_CACHE);
            deja_stream *stream = deja_stream_open(define_on(d, backends[b], "add", add), 1, pull, &s,
                                                   DEJA_STREAM_OPTIONS(.in_flight = in_flight), &err);
            assert_int_equal(s.next, 0);
            deja_done done = {0};
            for (int64_t i = 0; i < 50; i++) {
                assert_int_equal(deja_stream_next(stream, 10000, &done, &err), 1);
                assert_int_equal(done.value->i64, i);
                assert_true(s.next <= i + in_flight);
            }
            assert_int_equal(deja_stream_next(stream, 10000, &done, &err), 0);
            deja_stream_close(stream);
            deja_close(d);
        }
}

/* BEHAVIOURS 36: an error of the source at item 0, 5 or 19 reaches the caller after what was taken before. */
static void test_stream__tells_an_error_of_its_source(void **state)
{
    (void)state;
    static const int64_t places[] = {0, 5, 19};
    for (int k = 0; k < 3; k++) {
        deja_error err;
        source s = {.end = 20, .fails_at = places[k]};
        deja *d = open_with(DEJA_NO_CACHE);
        deja_stream *stream =
            deja_stream_open(define_on(d, DEJA_THREAD, "add", add), 1, pull, &s, NULL, &err);
        deja_done done = {0};
        for (int64_t i = 0; i < places[k]; i++)
            assert_int_equal(deja_stream_next(stream, 10000, &done, &err), 1);
        assert_int_equal(deja_stream_next(stream, 10000, &done, &err), DEJA_EIO);
        assert_non_null(strstr(err.text, "the source broke"));
        deja_stream_close(stream);
        deja_close(d);
    }
}

/* The second of three names a file that is not there. */
static int pull_files(void *context, deja_value *row, deja_error *err)
{
    static const char *const names[] = {"one", "missing", "three"};
    int *i = context;
    (void)err;
    if (*i == 3)
        return 0;
    row[0] = deja_file(names[(*i)++]);
    return 1;
}

static void write_word(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(path, f);
    assert_int_equal(fclose(f), 0);
}

static int name_of_file(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    return deja_return(out, deja_string(arg->string));
}

/* As an item of a map, a row that has no key fails alone and in its place. */
static void test_stream__fails_a_row_without_key_alone(void **state)
{
    static const int expected[] = {0, DEJA_ENOTFOUND, 0};
    write_word("one");
    write_word("three");
    for (uint32_t unordered = 0; unordered < 2; unordered++) {
        int pulled = 0, seen[2] = {0};
        deja_error err;
        deja_done done = {0};
        deja *d = open_with(0);
        deja_stream *stream = deja_stream_open(define_on(d, DEJA_THREAD, "name", name_of_file), 1, pull_files,
                                               &pulled, DEJA_STREAM_OPTIONS(.unordered = unordered), &err);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(deja_stream_next(stream, 10000, &done, &err), 1);
            assert_true(unordered || done.code == expected[i]);
            if (done.code < 0)
                assert_non_null(strstr(done.error, "missing"));
            seen[done.code < 0]++;
        }
        assert_int_equal(deja_stream_next(stream, 10000, &done, &err), 0);
        assert_int_equal(seen[0], 2);
        assert_int_equal(seen[1], 1);
        deja_progress p = {.size = sizeof p};
        deja_progress_get(d, &p);
        assert_int_equal(p.calls, 3);
        assert_int_equal(p.done, 3);
        assert_int_equal(p.failed, 1);
        deja_stream_close(stream);
        deja_close(d);
    }
    (void)state;
}

/* BEHAVIOURS 39: dropping a half-read stream ends the rest soon, and the context works on. */
static void test_stream__can_be_dropped(void **state)
{
    (void)state;
    deja_error err;
    source s = {.end = 100, .fails_at = -1};
    double began = now();
    deja *d = open_with(DEJA_NO_CACHE);
    deja_fn *f = define_on(d, DEJA_PROCESS, "nap", nap);
    s.next = 10;
    deja_stream *stream = deja_stream_open(f, 1, pull, &s, DEJA_STREAM_OPTIONS(.in_flight = 20), &err);
    deja_done done = {0};
    assert_int_equal(deja_stream_next(stream, 10000, &done, &err), 1);
    deja_done_free(&done);
    for (int i = 0; i < 5; i++)
        deja_submit(f, DEJA_ARGS(30000), &err);
    deja_stream_close(stream);
    deja_close(d);
    assert_true(now() - began < 20);
}

/* BEHAVIOURS 38, as a stream. */
static int pull_slow_first(void *context, deja_value *row, deja_error *err)
{
    int64_t *i = context;
    (void)err;
    row[0] = deja_i64(*i == 0 ? 800 : 1);
    return (*i)++ < 10;
}

static void test_stream__unordered_gives_the_fastest_first(void **state)
{
    (void)state;
    deja_error err;
    int64_t i = 0;
    deja *d = open_with(DEJA_NO_CACHE);
    deja_stream *stream = deja_stream_open(define_on(d, DEJA_PROCESS, "nap", nap), 1, pull_slow_first, &i,
                                           DEJA_STREAM_OPTIONS(.in_flight = 10, .unordered = 1), &err);
    deja_done done = {0};
    for (int k = 0; k < 10; k++) {
        assert_int_equal(deja_stream_next(stream, 10000, &done, &err), 1);
        assert_int_equal(done.value->i64, k < 9 ? 1 : 800);
    }
    assert_int_equal(deja_stream_next(stream, 10000, &done, &err), 0);
    deja_stream_close(stream);
    deja_close(d);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_future__next_takes_each_once),
        CASE(test_future__fast_ones_come_first),
        CASE(test_future__wait_and_timeouts),
        CASE(test_future__cancel),
        CASE(test_future__cancel_harms_no_later_call),
        CASE(test_future__close_ends_what_runs),
        CASE(test_future__equal_calls_of_threads_run_once),
        CASE(test_future__two_threads_share_a_context),
        CASE(test_stream__is_lazy_and_in_order),
        CASE(test_stream__tells_an_error_of_its_source),
        CASE(test_stream__fails_a_row_without_key_alone),
        CASE(test_stream__can_be_dropped),
        CASE(test_stream__unordered_gives_the_fastest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
