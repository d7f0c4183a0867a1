/* Many calls: jobs/calls/map.c. */
#include "calls.h"

static int64_t scale(int64_t i)
{
    return 3 * i + 1;
}

static int triple(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    (void)err;
    return deja_return(out, deja_i64(scale(arg->i64)));
}

static deja_value *numbers(size_t count)
{
    deja_value *rows = calloc(count ? count : 1, sizeof *rows);
    for (size_t i = 0; i < count; i++)
        rows[i] = deja_i64((int64_t)i);
    return rows;
}

static void check_all(const deja_results *r, size_t count)
{
    assert_int_equal(deja_results_count(r), count);
    for (size_t i = 0; i < count; i++) {
        if (deja_results_error(r, i))
            fail_msg("%zu: %s", i, deja_results_error(r, i));
        assert_int_equal(deja_results_at(r, i)->i64, scale((int64_t)i));
    }
}

/* BEHAVIOURS 31 and 32: in order on every backend for any number of workers; none lost, doubled or moved. */
static void test_map__is_in_order_on_every_backend(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 12, 517, 3000};
    for (uint32_t workers = 1; workers <= 3; workers += 2)
        for (size_t b = 0; b < BACKENDS; b++) {
            deja_error err;
            deja *d = deja_open(DEJA_OPTIONS(.flags = DEJA_NO_CACHE, .workers = workers), &err);
            deja_fn *f = define_on(d, backends[b], "triple", triple);
            for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
                deja_value *rows = numbers(counts[k]);
                deja_results *r = deja_map(f, rows, counts[k], 1, NULL, &err);
                check_all(r, counts[k]);
                deja_results_free(r);
                free(rows);
            }
            deja_close(d);
        }
}

static void test_map__answers_hits_and_computes_misses(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++) {
        deja_error err;
        char name[16];
        deja *d = open_with(0);
        snprintf(name, sizeof name, "triple%zu", b);
        deja_fn *f = define_on(d, backends[b], name, triple);
        deja_value *rows = numbers(5000);
        deja_results *r = deja_map(f, rows, 1000, 1, NULL, &err);
        check_all(r, 1000);
        deja_results_free(r);
        assert_int_equal(deja_sync(d, &err), 0);
        r = deja_map(f, rows, 5000, 1, NULL, &err);
        check_all(r, 5000);
        size_t cached = 0;
        for (size_t i = 0; i < 5000; i++)
            cached += (size_t)deja_results_was_cached(r, i);
        assert_int_equal(cached, 1000);
        deja_results_free(r);
        free(rows);
        deja_close(d);
    }
}

/* One bad item does not sink the rest; with stop_at_failure what was not begun is canceled. */
static void test_map__fails_item_by_item(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++)
        for (uint32_t flags = 0; flags <= DEJA_NO_CACHE; flags += DEJA_NO_CACHE) {
            deja_error err;
            deja *d = open_with(flags);
            deja_fn *f = define_on(d, backends[b], "fail_on_13", fail_on_13);
            deja_value *rows = numbers(40);
            deja_results *r = deja_map(f, rows, 40, 1, NULL, &err);
            for (size_t i = 0; i < 40; i++) {
                assert_int_equal(deja_results_code(r, i), i == 13 ? DEJA_EINVAL : 0);
                assert_true((deja_results_at(r, i) == NULL) == (i == 13));
            }
            assert_non_null(strstr(deja_results_error(r, 13), "13 is bad luck"));
            assert_non_null(strstr(deja_results_error(r, 13), "item 13"));
            deja_results_free(r);
            free(rows);
            rows = numbers(20000);
            r = deja_map(f, rows, 20000, 1, DEJA_MAP_OPTIONS(.stop_at_failure = 1), &err);
            size_t canceled = 0, failed = 0;
            for (size_t i = 0; i < 20000; i++) {
                canceled += deja_results_code(r, i) == DEJA_ECANCELED;
                failed += deja_results_code(r, i) == DEJA_EINVAL;
            }
            assert_int_equal(failed, 1);
            assert_true(canceled > 0);
            deja_results_free(r);
            free(rows);
            deja_close(d);
        }
}

static int product(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 2 || arg[0].kind != DEJA_F64 || arg[1].kind != DEJA_I64)
        return deja_fail(err, DEJA_ETYPE, "wants f64 and i64, got %s and %s", deja_kind_name(arg[0].kind),
                         deja_kind_name(arg[1].kind));
    return deja_return(out, deja_f64(arg[0].f64 * (double)arg[1].i64));
}

/* Arrays split along their first axis, results as one array: shared or the caller's own, with and without a
 * cache. */
static void test_map__splits_columns_into_an_array(void **state)
{
    (void)state;
    enum { count = 3000 };
    static double x[count], y[count];
    const int64_t shape[1] = {count};
    for (int i = 0; i < count; i++)
        x[i] = 0.5 * i;
    for (size_t b = 0; b < BACKENDS; b++)
        for (int variant = 0; variant < 4; variant++) {
            deja_error err;
            deja *d = open_with(variant & 1 ? 0 : DEJA_NO_CACHE);
            deja_fn *f = define_on(d, backends[b], "product", product);
            deja_array in = {.data = x, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
            deja_array own = {.data = y, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
            deja_array *shared = deja_array_new(d, DEJA_F64, 1, shape, &err);
            assert_non_null(shared);
            deja_array *into = variant & 2 ? shared : &own;
            const deja_column columns[2] = {{.split = &in}, {.same = deja_i64(4)}};
            memset(y, 0, sizeof y);
            deja_results *r = deja_map_columns(f, columns, 2, DEJA_MAP_OPTIONS(.into = into), &err);
            if (!r)
                fail_msg("%s", err.text);
            for (int i = 0; i < count; i++) {
                assert_int_equal(deja_results_code(r, (size_t)i), 0);
                assert_true(((double *)into->data)[i] == 2.0 * i);
            }
            deja_results_free(r);
            deja_close(d);
        }
}

/* What fails does so alone, and all have taken their time, where results are no answers of their own. */
static void test_map__fails_item_by_item_into_an_array(void **state)
{
    (void)state;
    enum { count = 100 };
    static int64_t x[count], y[count];
    const int64_t shape[1] = {count};
    for (int i = 0; i < count; i++)
        x[i] = i;
    for (size_t b = 0; b < BACKENDS; b++) {
        deja_error err;
        deja *d = open_with(DEJA_NO_CACHE);
        deja_fn *f = define_on(d, backends[b], "fail_on_13", fail_on_13);
        deja_array in = {.data = x, .dtype = DEJA_I64, .ndim = 1, .shape = shape};
        deja_array into = {.data = y, .dtype = DEJA_I64, .ndim = 1, .shape = shape};
        const deja_column column = {.split = &in};
        memset(y, -1, sizeof y);
        deja_results *r = deja_map_columns(f, &column, 1, DEJA_MAP_OPTIONS(.into = &into), &err);
        if (!r)
            fail_msg("%s", err.text);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(deja_results_code(r, i), i == 13 ? DEJA_EINVAL : 0);
            assert_int_equal(deja_results_at(r, i) == NULL, i == 13);
            assert_int_equal(y[i], i == 13 ? -1 : (int64_t)i); /* untouched */
            assert_int_equal(deja_results_error(r, i) == NULL, i != 13);
            assert_int_equal(deja_results_was_cached(r, i), 0);
            assert_true(i == 13 || deja_results_wall_ns(r, i) > 0);
        }
        assert_non_null(strstr(deja_results_error(r, 13), "item 13"));
        assert_non_null(strstr(deja_results_error(r, 13), "13 is bad luck"));
        assert_null(deja_results_at(r, count));
        deja_progress p = {.size = sizeof p};
        deja_progress_get(d, &p);
        assert_int_equal(p.calls, count);
        assert_int_equal(p.done, count);
        assert_int_equal(p.failed, 1);
        deja_results_free(r);
        deja_close(d);
    }
}

static int sum_row(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    double sum = 0;
    (void)n;
    if (arg->kind != DEJA_ARRAY || arg->array->ndim != 1 || arg->array->dtype != DEJA_F64)
        return deja_fail(err, DEJA_ETYPE, "wants a row");
    for (int64_t i = 0; i < arg->array->shape[0]; i++)
        sum += ((const double *)arg->array->data)[i];
    return deja_return(out, deja_f64(sum));
}

static void test_map__splits_rows_of_a_matrix(void **state)
{
    (void)state;
    double x[6] = {1, 2, 3, 4, 5, 6};
    const int64_t shape[2] = {2, 3};
    deja_array in = {.data = x, .dtype = DEJA_F64, .ndim = 2, .shape = shape};
    const deja_column column = {.split = &in};
    for (size_t b = 0; b < BACKENDS; b++)
        for (uint32_t flags = 0; flags <= DEJA_NO_CACHE; flags += DEJA_NO_CACHE) {
            deja_error err;
            deja *d = open_with(flags);
            deja_results *r =
                deja_map_columns(define_on(d, backends[b], "sum_row", sum_row), &column, 1, NULL, &err);
            if (!r)
                fail_msg("%s", err.text);
            assert_int_equal(deja_results_count(r), 2);
            assert_null(deja_results_error(r, 0));
            assert_true(deja_results_at(r, 0)->f64 == 6);
            assert_true(deja_results_at(r, 1)->f64 == 15);
            deja_results_free(r);
            deja_close(d);
        }
}

static void test_map__refuses_what_does_not_fit(void **state)
{
    (void)state;
    deja_error err;
    double x[3] = {0};
    const int64_t three[1] = {3}, two[1] = {2};
    deja_array a = {.data = x, .dtype = DEJA_F64, .ndim = 1, .shape = three};
    deja_array b = {.data = x, .dtype = DEJA_F64, .ndim = 1, .shape = two};
    const deja_column unequal[2] = {{.split = &a}, {.split = &b}}, none[1] = {{.same = deja_i64(1)}};
    deja *d = open_with(DEJA_NO_CACHE);
    deja_fn *f = define_on(d, DEJA_INLINE, "product", product);
    assert_null(deja_map_columns(f, unequal, 2, NULL, &err));
    assert_non_null(strstr(err.text, "column 2 has 2 items, an earlier one 3"));
    assert_null(deja_map_columns(f, none, 1, NULL, &err));
    assert_int_equal(err.code, DEJA_EINVAL);
    assert_null(deja_map_columns(f, unequal, 1, DEJA_MAP_OPTIONS(.into = &b), &err));
    assert_int_equal(err.code, DEJA_EINVAL);
    deja_close(d);
}

/* What a double cannot hold fails its item, whoever stores it; and nothing of it is left. */
static void test_map__into_refuses_what_would_be_rounded(void **state)
{
    (void)state;
    const int64_t shape[1] = {3};
    const deja_value rows[3] = {deja_i64((INT64_C(1) << 53) + 1), deja_i64((INT64_C(1) << 53) + 2),
                                deja_string("x")};
    for (size_t b = 0; b < BACKENDS; b++)
        for (uint32_t flags = 0; flags <= DEJA_NO_CACHE; flags += DEJA_NO_CACHE) {
            deja_error err;
            double y[3] = {0};
            deja_array into = {.data = y, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
            deja *d = open_with(flags);
            deja_results *r = deja_map(define_on(d, backends[b], "fail_on_13", fail_on_13), rows, 3, 1,
                                       DEJA_MAP_OPTIONS(.into = &into), &err);
            assert_non_null(r);
            assert_int_equal(deja_results_code(r, 0), DEJA_ETYPE);
            assert_int_equal(deja_results_code(r, 1), 0);
            assert_true(y[1] == 9007199254740994.0);
            assert_int_equal(deja_results_code(r, 2), DEJA_ETYPE);
            deja_results_free(r);
            deja_close(d);
        }
}

static void test_map__computes_equal_items_once(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    deja_value rows[300];
    for (int i = 0; i < 300; i++)
        rows[i] = deja_i64(i % 3);
    deja_results *r =
        deja_map(define_on(d, DEJA_PROCESS, "fail_on_13", fail_on_13), rows, 300, 1, NULL, &err);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(deja_results_at(r, i)->i64, i % 3);
    assert_int_equal(runs(), 3);
    deja_results_free(r);
    deja_close(d);
}

/* What the pool gets is checked before: an item with what is no value fails alone, as with a cache. */
static void test_map__refuses_what_is_no_value_item_by_item(void **state)
{
    (void)state;
    const int64_t five[1] = {5}, shape[1] = {4};
    const deja_pair equal[2] = {{"k", deja_i64(1)}, {"k", deja_i64(2)}};
    const deja_array without = {.dtype = DEJA_F64, .ndim = 1, .shape = five};
    const deja_value bad[] = {deja_string_n("a\0b", 3), deja_map_of(equal, 2), deja_value_of(99, 0),
                              deja_value_of(DEJA_LIST, 3), deja_of_array(&without)};
    for (size_t b = 0; b < BACKENDS; b++)
        for (uint32_t flags = 0; flags <= DEJA_NO_CACHE; flags += DEJA_NO_CACHE)
            for (size_t k = 0; k < 2 * sizeof bad / sizeof *bad; k++) {
                deja_error err;
                int64_t y[4] = {-1, -1, -1, -1};
                deja_array into = {.data = y, .dtype = DEJA_I64, .ndim = 1, .shape = shape};
                const deja_value rows[4] = {deja_i64(5), bad[k / 2], deja_i64(13), deja_i64(7)};
                deja *d = open_with(flags);
                deja_results *r = deja_map(define_on(d, backends[b], "fail_on_13", fail_on_13), rows, 4, 1,
                                           DEJA_MAP_OPTIONS(.into = k & 1 ? &into : NULL), &err);
                if (!r)
                    fail_msg("%s", err.text);
                assert_int_equal(deja_results_code(r, 0), 0);
                assert_int_equal(deja_results_code(r, 1), deja_value_check(&bad[k / 2], NULL));
                assert_non_null(strstr(deja_results_error(r, 1), "item 1: 'fail_on_13': argument 1"));
                assert_non_null(strstr(deja_results_error(r, 2), "item 2: 'fail_on_13': 13 is bad luck"));
                assert_int_equal(deja_results_code(r, 3), 0);
                assert_int_equal(k & 1 ? y[0] : deja_results_at(r, 0)->i64, 5);
                assert_int_equal(k & 1 ? y[3] : deja_results_at(r, 3)->i64, 7);
                assert_int_equal(y[1], -1);
                assert_int_equal(y[2], -1);
                deja_results_free(r);
                deja_close(d);
            }
}

static void test_map__stops_at_what_is_no_value(void **state)
{
    (void)state;
    const deja_value rows[4] = {deja_i64(5), deja_i64(6), deja_value_of(DEJA_LIST, 3), deja_i64(7)};
    for (size_t b = 0; b < BACKENDS; b++) {
        deja_error err;
        deja *d = open_with(DEJA_NO_CACHE);
        deja_results *r = deja_map(define_on(d, backends[b], "fail_on_13", fail_on_13), rows, 4, 1,
                                   DEJA_MAP_OPTIONS(.stop_at_failure = 1), &err);
        assert_non_null(r);
        assert_int_equal(deja_results_at(r, 1)->i64, 6);
        assert_int_equal(deja_results_code(r, 2), DEJA_EINVAL);
        assert_int_equal(deja_results_code(r, 3), DEJA_ECANCELED);
        deja_results_free(r);
        r = deja_map(define_on(d, backends[b], "fail_on_13", fail_on_13), &rows[2], 1, 1, NULL, &err);
        assert_non_null(r);
        assert_int_equal(deja_results_code(r, 0), DEJA_EINVAL);
        deja_results_free(r);
        deja_close(d);
    }
}

static deja_fn *nested;

/* A map of one item within an item. */
static int map_inside(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    deja_results *r = deja_map(nested, arg, 1, 1, NULL, err);
    if (!r)
        return err->code;
    int rc = deja_return(out, *deja_results_at(r, 0));
    deja_results_free(r);
    return rc;
}

/* More items than the cache keeps at a time, each of which waits for another that is cached. */
static void test_map__within_many_items_ends(void **state)
{
    (void)state;
    enum { count = 4500 };
    deja_error err;
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_THREAD, "map_inside", map_inside);
    nested = define_on(d, DEJA_THREAD, "triple", triple);
    deja_value *rows = numbers(count);
    alarm(300);
    deja_results *r = deja_map(f, rows, count, 1, NULL, &err);
    alarm(0);
    check_all(r, count);
    deja_results_free(r);
    free(rows);
    deja_close(d);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_map__is_in_order_on_every_backend),
        CASE(test_map__answers_hits_and_computes_misses),
        CASE(test_map__fails_item_by_item),
        CASE(test_map__splits_columns_into_an_array),
        CASE(test_map__fails_item_by_item_into_an_array),
        CASE(test_map__splits_rows_of_a_matrix),
        CASE(test_map__refuses_what_does_not_fit),
        CASE(test_map__into_refuses_what_would_be_rounded),
        CASE(test_map__computes_equal_items_once),
        CASE(test_map__refuses_what_is_no_value_item_by_item),
        CASE(test_map__stops_at_what_is_no_value),
        CASE(test_map__within_many_items_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
