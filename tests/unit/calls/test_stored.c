/* Results on their way into the cache, which are asked for meanwhile: jobs/calls/flight.c. */
#include "calls.h"

enum { times = 8 };

/* add(x, y) with the key of x alone. */
static deja_fn *define_first(deja *d, uint32_t backend)
{
    deja_error err;
    deja_fn *f = deja_define(d, "add", "1", add, DEJA_FN_OPTIONS(.backend = backend, .ignore = 2), &err);
    if (!f)
        fail_msg("%s", err.text);
    return f;
}

static int64_t forced_i64(deja_fn *f, int64_t a, int64_t b)
{
    deja_error err;
    deja_results *r = deja_call_forced(f, DEJA_ARGS(a, b), &err);
    if (!r)
        fail_msg("%s", err.text);
    int64_t x = deja_results_at(r, 0)->i64;
    deja_results_free(r);
    return x;
}

/* A forced call replaces the result: whoever calls after it gets the new one, durable or not. */
static void test_stored__replaced_results_are_gone(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++) {
        deja *d = open_with(0);
        deja_fn *f = define_first(d, backends[b]);
        for (int64_t i = 0; i < times; i++)
            call_i64(f, i, 100);
        assert_int_equal(deja_sync(d, NULL), 0);
        for (int64_t i = 0; i < times; i++) {
            assert_int_equal(forced_i64(f, i, 200), i + 200);
            assert_int_equal(call_i64(f, i, 300), i + 200);
            assert_int_equal(forced_i64(f, i, 400), i + 400);
            assert_int_equal(call_i64(f, i, 500), i + 400);
        }
        assert_int_equal(deja_sync(d, NULL), 0);
        for (int64_t i = 0; i < times; i++)
            assert_int_equal(call_i64(f, i, 600), i + 400);
        assert_int_equal(deja_forget_all(d, NULL), times);
        deja_close(d);
    }
}

static void check_map(deja_fn *f, int64_t add_to, uint32_t flags, int64_t expected)
{
    deja_error err;
    deja_value rows[2 * times];
    for (int64_t i = 0; i < times; i++) {
        rows[2 * i] = deja_i64(i);
        rows[2 * i + 1] = deja_i64(add_to);
    }
    deja_results *r = deja_map(f, rows, times, 2, DEJA_MAP_OPTIONS(.flags = flags), &err);
    if (!r)
        fail_msg("%s", err.text);
    for (int64_t i = 0; i < times; i++)
        assert_int_equal(deja_results_at(r, (size_t)i)->i64, i + expected);
    deja_results_free(r);
}

static void test_stored__replaced_results_of_a_map_are_gone(void **state)
{
    (void)state;
    deja *d = open_with(0);
    deja_fn *f = define_first(d, DEJA_THREAD);
    check_map(f, 100, 0, 100);
    assert_int_equal(deja_sync(d, NULL), 0);
    for (int64_t i = 1; i < 10; i++) {
        check_map(f, 100 + i, DEJA_FORCE, 100 + i);
        check_map(f, 50, 0, 100 + i);
    }
    deja_close(d);
}

static int never(void *context, const deja_facts *facts)
{
    (void)facts;
    ++*(int *)context;
    return 0;
}

/* A rule that refuses every result: each call computes, whether the one before is durable or not. */
static void test_stored__the_rule_of_validity_holds(void **state)
{
    (void)state;
    deja_error err;
    for (size_t b = 0; b < BACKENDS; b++) {
        int asked = 0;
        unlink("runs");
        deja *d = open_with(0);
        deja_fn *f = deja_define(
            d, "add", "1", add,
            DEJA_FN_OPTIONS(.backend = backends[b], .valid = never, .valid_context = &asked), &err);
        for (int i = 1; i <= 10; i++) {
            assert_int_equal(call_i64(f, 1, (int64_t)b), 1 + (int64_t)b);
            assert_int_equal(runs(), i);
        }
        assert_int_equal(asked, 9);
        assert_int_equal(deja_forget_all(d, NULL), 1);
        deja_close(d);
    }
}

static void test_stored__refresh_computes_each_time(void **state)
{
    (void)state;
    deja *d = open_with(DEJA_REFRESH);
    deja_fn *f = define_on(d, DEJA_THREAD, "add", add);
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(call_i64(f, 1, 2), 3);
        assert_int_equal(runs(), i);
    }
    deja_close(d);
}

static void test_stored__counts_as_cached(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_THREAD, "add", add);
    for (int64_t i = 0; i < times; i++)
        for (int again = 0; again < 2; again++) {
            deja_results *r = deja_call(f, DEJA_ARGS(i, 0), &err);
            assert_int_equal(deja_results_was_cached(r, 0), again);
            deja_results_free(r);
        }
    deja_progress p = {.size = sizeof p};
    deja_progress_get(d, &p);
    assert_int_equal(p.hits, times);
    deja_close(d);
}

static int count_up(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    const int64_t shape[1] = {arg->i64};
    double *p = deja_return_array(out, DEJA_F64, 1, shape, err);
    for (int64_t i = 0; p && i < shape[0]; i++)
        p[i] = (double)i;
    return p ? 0 : DEJA_ENOMEM;
}

static void check_first(deja_fn *f, int64_t count)
{
    deja_error err;
    deja_results *r = deja_call(f, DEJA_ARGS(count), &err);
    if (!r)
        fail_msg("%s", err.text);
    const deja_array *a = deja_results_at(r, 0)->array;
    assert_true(((const double *)a->data)[0] == 0);
    assert_true(write_faults(a->data) || 8 * count < 256 * 1024); /* else it is written, against the rules */
    deja_results_free(r);
}

/* What a program writes into a result is neither kept nor seen by others. */
static void test_stored__is_what_was_returned(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++)
        for (int64_t count = 1000; count <= 100000; count *= 10) {
            for (int context = 0; context < 2; context++) {
                deja *d = open_with(0);
                deja_fn *f = define_on(d, backends[b], "count_up", count_up);
                for (int i = 0; i < 3; i++)
                    check_first(f, count);
                deja_close(d);
            }
            deja *d = open_with(DEJA_NO_WORKERS);
            assert_int_equal(deja_forget_all(d, NULL), 1);
            deja_close(d);
        }
}

/* What was just computed and kept is referred to, whatever a rule says about using it again; refreshed, it is
 * computed again. */
static void test_stored__shelves_what_it_has_kept(void **state)
{
    (void)state;
    deja_error err;
    char reference[DEJA_REFERENCE];
    int asked = 0;
    for (uint32_t flags = 0; flags <= DEJA_REFRESH; flags += DEJA_REFRESH) {
        deja *d = open_with(flags);
        deja_fn *f = flags ? define_on(d, DEJA_THREAD, "add", add)
                           : deja_define(d, "add", "1", add,
                                         DEJA_FN_OPTIONS(.valid = never, .valid_context = &asked), &err);
        for (int i = 1; i <= 3; i++) {
            unlink("runs");
            if (deja_shelve(f, DEJA_ARGS(2, 3), reference, &err) < 0)
                fail_msg("%s", err.text);
            assert_int_equal(runs(), 1);
            deja_results *r = deja_fetch(d, reference, &err);
            assert_non_null(r);
            assert_int_equal(deja_results_at(r, 0)->i64, 5);
            deja_results_free(r);
        }
        deja_close(d);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_stored__replaced_results_are_gone),  CASE(test_stored__replaced_results_of_a_map_are_gone),
        CASE(test_stored__the_rule_of_validity_holds), CASE(test_stored__refresh_computes_each_time),
        CASE(test_stored__counts_as_cached),           CASE(test_stored__is_what_was_returned),
        CASE(test_stored__shelves_what_it_has_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
