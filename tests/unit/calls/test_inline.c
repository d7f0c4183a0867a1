/* Calls that run in the thread that waits for them: the inline backend, and what functions call themselves.
 */
#include "calls.h"
#include <deja/clock.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* What functions here call. */
static deja_fn *callee;

static int inner(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    (void)err;
    return deja_return(out, deja_i64(arg->i64 + 1));
}

static int outer(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int64_t x;
    (void)n;
    int rc = deja_call_i64(callee, DEJA_ARGS(arg->i64), &x, err);
    return rc < 0 ? rc : deja_return(out, deja_i64(2 * x));
}

static _Atomic int now_running, most_running;

static int counted_nap(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int running = ++now_running, most = most_running;
    (void)n, (void)err;
    while (running > most && !atomic_compare_exchange_weak(&most_running, &most, running))
        continue;
    usleep((useconds_t)arg->i64 * 1000);
    now_running--;
    return deja_return(out, *arg);
}

static void *call_twice(void *f)
{
    for (int64_t i = 1; i <= 2; i++)
        call_i64(f, i, 0);
    return NULL;
}

static deja_fn *define_limited(deja *d, const char *name, deja_job_fn function, deja_fn_options o)
{
    deja_error err;
    o.size = sizeof o;
    deja_fn *f = deja_define(d, name, "1", function, &o, &err);
    if (!f)
        fail_msg("%s", err.text);
    return f;
}

/* Of time, rate and number: the same where the caller runs the function as elsewhere. */
static void test_inline__limits_hold_for_every_backend(void **state)
{
    (void)state;
    for (size_t b = 1; b < BACKENDS; b++)
        for (uint32_t flags = 0; flags <= DEJA_NO_CACHE; flags += DEJA_NO_CACHE) {
            deja_error err;
            deja *d = open_with(flags | DEJA_REFRESH);
            const uint32_t backend = backends[b];
            deja_fn *late = define_limited(d, "late", counted_nap,
                                           (deja_fn_options){.backend = backend, .timeout_ms = 20}),
                    *often = define_limited(d, "often", counted_nap,
                                            (deja_fn_options){.backend = backend, .per_second = 200}),
                    *one = define_limited(d, "one", counted_nap,
                                          (deja_fn_options){.backend = backend, .max_running = 1});
            assert_null(deja_call(late, DEJA_ARGS(60), &err));
            assert_int_equal(err.code, DEJA_ETIMEDOUT);
            assert_non_null(strstr(err.text, "'late': timed out after 20 ms"));
            assert_int_equal(deja_is_cached(late, DEJA_ARGS(60), NULL), 0);
            int64_t begin = deja_monotonic_ns(NULL);
            for (int64_t i = 0; i < 10; i++)
                call_i64(often, 0, i);
            assert_true(deja_monotonic_ns(NULL) - begin >= 9 * 5 * DEJA_MS_NS / 2);
            pthread_t other;
            deja_value rows[4] = {deja_i64(1), deja_i64(2), deja_i64(3), deja_i64(4)};
            most_running = 0;
            assert_int_equal(pthread_create(&other, NULL, call_twice, one), 0);
            deja_results *r = deja_map(one, rows, 4, 1, NULL, &err);
            assert_int_equal(deja_results_at(r, 3)->i64, 4);
            deja_results_free(r);
            pthread_join(other, NULL);
            assert_int_equal(most_running, 1);
            deja_close(d);
        }
}

/* n calls deep. Each waits for the one inside of it, which so needs no turn. */
static int deep(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int64_t x = 0;
    (void)n;
    int rc = arg->i64 ? deja_call_i64(callee, DEJA_ARGS(arg->i64 - 1), &x, err) : 0;
    return rc < 0 ? rc : deja_return(out, deja_i64(x + 1));
}

static void test_inline__nested_ones_need_no_turn(void **state)
{
    (void)state;
    for (uint32_t backend = DEJA_THREAD; backend <= DEJA_INLINE; backend += DEJA_INLINE - DEJA_THREAD) {
        deja_error err;
        int64_t x;
        deja *d = open_with(DEJA_NO_CACHE);
        callee = define_limited(d, "deep", deep,
                                (deja_fn_options){.backend = backend, .max_running = 1, .per_second = 0.001});
        assert_int_equal(deja_call_i64(callee, DEJA_ARGS(5), &x, &err), 0);
        assert_int_equal(x, 6);
        deja_close(d);
    }
}

/* A function that is not begun yet is wanted by one that runs: it is begun beyond its limits. */
static void test_inline__nested_ones_hurry_what_waits(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    callee =
        define_limited(d, "inner", inner, (deja_fn_options){.backend = DEJA_INLINE, .per_second = 0.001});
    deja_fn *f = define_on(d, DEJA_INLINE, "outer", outer);
    assert_int_equal(call_i64(callee, 1, 0), 2); /* the next one may begin in 1000 s */
    deja_future *waits = deja_submit(callee, DEJA_ARGS(7), &err);
    assert_int_equal(call_i64(f, 7, 0), 16);
    deja_results *r = deja_wait(waits, 10000, &err);
    assert_int_equal(deja_results_at(r, 0)->i64, 8);
    deja_results_free(r);
    deja_close(d);
}

/* With one thread, which waits for the map that it began. */
static int map_inside(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    deja_value rows[20];
    int64_t sum = 0;
    (void)n;
    for (int i = 0; i < 20; i++)
        rows[i] = deja_i64(arg->i64 + i);
    deja_results *r = deja_map(callee, rows, 20, 1, NULL, err);
    if (!r)
        return err->code;
    for (size_t i = 0; i < 20; i++)
        sum += deja_results_at(r, i)->i64;
    deja_results_free(r);
    return deja_return(out, deja_i64(sum));
}

static void test_inline__may_map_inside(void **state)
{
    (void)state;
    for (size_t b = 1; b < BACKENDS; b++)
        for (uint32_t flags = 0; flags <= DEJA_NO_CACHE; flags += DEJA_NO_CACHE) {
            deja_error err;
            deja *d =
                deja_open(DEJA_OPTIONS(.flags = flags | DEJA_REFRESH, .cache = "cache", .workers = 1), &err);
            callee = define_on(d, backends[b], "inner", inner);
            deja_fn *f =
                define_on(d, backends[b] == DEJA_ASYNC ? DEJA_THREAD : backends[b], "outer", map_inside);
            assert_int_equal(call_i64(f, 0, 0), 210);
            assert_int_equal(call_i64(f, 1, 0), 230);
            deja_close(d);
        }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_inline__limits_hold_for_every_backend),
        CASE(test_inline__nested_ones_need_no_turn),
        CASE(test_inline__nested_ones_hurry_what_waits),
        CASE(test_inline__may_map_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
