/*
 * Maps in this process: whatever the backend, every item once, in its place, with its own code.
 */
#include "no_process.h"
#include "pool_fixture.h"

#include <deja/image.h>
#include <stdatomic.h>
#include <stdio.h>

static const uint32_t local[] = {DEJA_THREAD, DEJA_ASYNC, DEJA_INLINE};
enum { locals = sizeof local / sizeof *local };

static _Atomic int calls, now_running, most_running;

/* a + 10 b, and the failures that the tests ask for. */
static int sum(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int running = ++now_running, most = most_running;
    while (running > most && !atomic_compare_exchange_weak(&most_running, &most, running))
        continue;
    calls++;
    if (n == 3)
        deja_sleep_ms(arg[2].i64);
    now_running--;
    if (n < 2 || arg[0].kind != DEJA_I64)
        return deja_fail(err, DEJA_ETYPE, "wants numbers");
    if (arg[0].i64 % 100 == 13)
        return deja_fail(err, DEJA_EIO, "item %lld is unlucky", (long long)arg[0].i64);
    return deja_return(out, deja_f64((double)arg[0].i64 + 10 * arg[1].f64));
}

static deja_map_run *begin(deja_pool *p, deja_pool_function *f, deja_map_task *m)
{
    deja_error err = {0};
    deja_map_run *r = NULL;
    m->size = sizeof *m;
    calls = now_running = most_running = 0;
    if (deja_pool_map_begin(p, f, m, &r, &err) < 0)
        fail_msg("%s", err.text);
    return r;
}

static deja_pool_function *define(deja_pool *p, uint32_t kind, deja_pool_function_options o)
{
    o.backend = kind;
    o.name = "sum";
    o.function = sum;
    return fixture_define(p, o);
}

static void check_sum(deja_map_run *r, uint64_t i)
{
    deja_product made;
    const char *text;
    int code = deja_map_run_item(r, i, &made, &text);
    if (i % 100 == 13) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "'sum': item %d is unlucky", (int)i);
        assert_int_equal(code, DEJA_EIO);
        assert_string_equal(text, wanted);
        return;
    }
    assert_int_equal(code, 0);
    assert_int_equal(made.scalar.kind, DEJA_F64);
    assert_true(made.scalar.f64 == (double)i + 10 * 0.5);
    assert_true(deja_map_run_wall_ns(r, i) >= 0);
    deja_product_done(&made);
}

/* Behaviours 31 and 32: order, for every number of workers and chunk; an empty input is an empty output. */
static void test_local_map__every_item_once_and_in_its_place(void **state)
{
    (void)state;
    static const uint64_t counts[] = {0, 1, 2, 3, 517, 5000};
    static const uint64_t chunks[] = {0, 1, 3, 12, UINT64_MAX};
    int64_t *x = deja_calloc(5000, sizeof *x);
    for (int64_t i = 0; i < 5000; i++)
        x[i] = i;
    for (int b = 0; b < locals; b++)
        for (uint32_t workers = 1; workers <= 3; workers += 2) {
            deja_pool *p = fixture_open(workers);
            deja_pool_function *f = define(p, local[b], (deja_pool_function_options){0});
            for (size_t k = 0; k < sizeof counts / sizeof *counts * 5; k++) {
                uint64_t count = counts[k / 5];
                int64_t shape = (int64_t)count;
                deja_array a = {.data = x, .dtype = DEJA_I64, .ndim = 1, .shape = &shape};
                deja_column c[2] = {{.split = &a}, {.same = deja_f64(0.5)}};
                deja_map_task m = {.columns = 2, .count = count, .column = c, .chunk = chunks[k % 5]};
                deja_map_run *r = begin(p, f, &m);
                fixture_finish(p, r, count);
                for (uint64_t i = 0; i < count; i++)
                    check_sum(r, i);
                assert_int_equal(calls, count);
                deja_map_run_free(r);
            }
            deja_pool_close(p);
        }
    deja_free(x);
}

static void test_local_map__rows_and_numbers_into_an_array(void **state)
{
    (void)state;
    enum { count = 300 };
    static deja_value rows[count][2];
    double *into = deja_calloc(count, sizeof *into);
    int64_t shape = count;
    deja_array a = {.data = into, .dtype = DEJA_F64, .ndim = 1, .shape = &shape};
    for (int i = 0; i < count; i++) {
        rows[i][0] = deja_i64(i);
        rows[i][1] = deja_f64(0.5);
    }
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(2);
        deja_pool_function *f = define(p, local[b], (deja_pool_function_options){0});
        deja_map_task m = {.columns = 2, .count = count, .rows = &rows[0][0], .into = &a};
        deja_map_run *r = begin(p, f, &m);
        fixture_finish(p, r, count);
        for (uint64_t i = 0; i < count; i++) {
            check_sum(r, i);
            assert_true(i % 100 == 13 || into[i] == (double)i + 5);
        }
        deja_map_run_free(r);
        deja_pool_close(p);
    }
    deja_free(into);
}

/* The sum of a row of a matrix, as a text: something large that comes in and goes out. */
static int row_text(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg->kind != DEJA_ARRAY || arg->array->ndim != 1)
        return deja_fail(err, DEJA_ETYPE, "wants a row");
    double total = 0, *row = deja_calloc((size_t)arg->array->shape[0], sizeof *row);
    deja_array_pack(arg->array, row);
    for (int64_t i = 0; i < arg->array->shape[0]; i++)
        total += row[i];
    deja_free(row);
    char text[32];
    snprintf(text, sizeof text, "%g", total);
    return deja_return(out, deja_string(text));
}

/* A transposed view: strides count. */
static void test_local_map__rows_of_a_view_come_as_arrays(void **state)
{
    (void)state;
    double x[3][4];
    for (int i = 0; i < 12; i++)
        x[i / 4][i % 4] = i;
    deja_array a = {.data = x,
                    .dtype = DEJA_F64,
                    .ndim = 2,
                    .shape = (int64_t[]){4, 3},
                    .strides = (int64_t[]){sizeof(double), 4 * sizeof(double)}};
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(2);
        deja_pool_function *f = fixture_define(
            p, (deja_pool_function_options){.backend = local[b], .name = "row", .function = row_text});
        deja_map_task m = {.columns = 1, .count = 4, .column = &(deja_column){.split = &a}};
        deja_map_run *r = begin(p, f, &m);
        fixture_finish(p, r, 4);
        for (uint64_t i = 0; i < 4; i++) {
            char wanted[32];
            deja_product made;
            deja_arena arena = {0};
            deja_value v;
            snprintf(wanted, sizeof wanted, "%g", 12.0 + 3 * (double)i);
            assert_int_equal(deja_map_run_item(r, i, &made, NULL), 0);
            assert_int_equal(deja_image_read(made.image, made.len, NULL, &arena, &v, NULL), 0);
            assert_string_equal(v.string, wanted);
            deja_arena_done(&arena);
            deja_product_done(&made);
        }
        deja_map_run_free(r);
        deja_pool_close(p);
    }
}

/* Behaviour 34: after a failure nothing more is begun, and the rest says so. */
static void test_local_map__stops_at_a_failure(void **state)
{
    (void)state;
    enum { count = 400 };
    static deja_value rows[count][3];
    for (int i = 0; i < count; i++) {
        rows[i][0] = deja_i64(i + 12);
        rows[i][1] = deja_f64(0.5);
        rows[i][2] = deja_i64(10);
    }
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(2);
        deja_pool_function *f = define(p, local[b], (deja_pool_function_options){.max_running = 2});
        deja_map_task m = {.columns = 3, .count = count, .rows = &rows[0][0], .stop_at_failure = 1};
        deja_map_run *r = begin(p, f, &m);
        fixture_finish(p, r, count);
        assert_int_equal(deja_map_run_item(r, 1, NULL, NULL), DEJA_EIO);
        const char *text;
        assert_int_equal(deja_map_run_item(r, count - 1, NULL, &text), DEJA_ECANCELED);
        assert_string_equal(text, "'sum': canceled");
        assert_true(calls < 20);
        deja_map_run_free(r);
        deja_pool_close(p);
    }
}

static void test_local_map__limits_hold(void **state)
{
    (void)state;
    enum { count = 20 };
    static deja_value rows[count][3];
    for (int i = 0; i < count; i++) {
        rows[i][0] = deja_i64(i + 20);
        rows[i][1] = deja_f64(0.5);
        rows[i][2] = deja_i64(2);
    }
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(4);
        deja_pool_function *f =
            define(p, local[b], (deja_pool_function_options){.max_running = 2, .per_second = 400});
        deja_map_task m = {.columns = 3, .count = count, .rows = &rows[0][0]};
        int64_t start = deja_monotonic_ns(NULL);
        deja_map_run *r = begin(p, f, &m);
        fixture_finish(p, r, count);
        assert_true(deja_monotonic_ns(NULL) - start >= (count - 1) * DEJA_S_NS / 400 / 2);
        assert_true(most_running <= 2);
        assert_int_equal(calls, count);
        deja_map_run_free(r);
        deja_pool_close(p);
    }
}

/* The late item is told while it runs (where somebody else can look), others go on, freeing waits for it. */
static void test_local_map__a_late_item_is_marked(void **state)
{
    (void)state;
    static deja_value rows[6][3];
    for (int i = 0; i < 6; i++) {
        rows[i][0] = deja_i64(i);
        rows[i][1] = deja_f64(0.5);
        rows[i][2] = deja_i64(i == 2 ? 300 : 0);
    }
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(2);
        deja_pool_function *f = define(p, local[b], (deja_pool_function_options){.timeout_ms = 100});
        deja_map_task m = {.columns = 3, .count = 6, .rows = &rows[0][0]};
        deja_map_run *r = begin(p, f, &m);
        fixture_finish(p, r, 6);
        const char *text;
        assert_int_equal(now_running, local[b] == DEJA_INLINE ? 0 : 1);
        assert_int_equal(deja_map_run_item(r, 2, NULL, &text), DEJA_ETIMEDOUT);
        assert_string_equal(text, "'sum': timed out after 100 ms");
        assert_int_equal(deja_map_run_item(r, 5, NULL, NULL), 0);
        deja_map_run_free(r);
        assert_int_equal(now_running, 0);
        deja_pool_close(p);
    }
}

/* Behaviour 39: dropped half-way, it ends what runs and begins nothing more. Runs stand beside each other. */
static void test_local_map__is_freed_half_way(void **state)
{
    (void)state;
    enum { count = 1000 };
    static deja_value rows[count][3];
    for (int i = 0; i < count; i++) {
        rows[i][0] = deja_i64(20);
        rows[i][1] = deja_f64(0.5);
        rows[i][2] = deja_i64(5);
    }
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(2);
        deja_pool_function *f = define(p, local[b], (deja_pool_function_options){.max_running = 3});
        deja_map_task m = {.columns = 3, .count = count, .rows = &rows[0][0]}, none = m;
        deja_map_run *r = begin(p, f, &m), *second = begin(p, f, &none);
        while (deja_map_run_done(r) < 4)
            deja_pool_wait(p, deja_pool_seen(p), 5);
        deja_map_run_free(second);
        deja_map_run_stop(r);
        fixture_finish(p, r, count);
        assert_true(calls < count || local[b] == DEJA_INLINE); /* which is done by who asks first */
        deja_map_run_free(r);
        fixture_submit(p, f, rows[0], 3, NULL);
        deja_task_outcome o = fixture_next(p);
        assert_int_equal(o.code, 0);
        fixture_done(&o);
        deja_pool_close(p);
    }
}

static void test_local_map__bad_descriptions_are_refused(void **state)
{
    (void)state;
    deja_error err = {0};
    deja_map_run *r;
    deja_pool *p = fixture_open(1);
    deja_pool_function *f = define(p, DEJA_THREAD, (deja_pool_function_options){0});
    int64_t five = 5, x[5] = {0};
    deja_array a = {.data = x, .dtype = DEJA_I64, .ndim = 1, .shape = &five}, text = a;
    text.dtype = DEJA_I8;
    deja_map_task m = {.size = sizeof m, .columns = 1, .count = 4, .column = &(deja_column){.split = &a}};
    assert_int_equal(deja_pool_map_begin(p, f, &m, &r, &err), DEJA_EINVAL);
    assert_string_equal(err.text, "'sum': parameter 1 has 5 items, the map 4");
    m.count = 5;
    m.into = &text;
    assert_int_equal(deja_pool_map_begin(p, f, &m, &r, &err), DEJA_ETYPE);
    m.into = NULL;
    m.column = NULL;
    assert_int_equal(deja_pool_map_begin(p, f, &m, &r, &err), DEJA_EINVAL);
    m.size = 3;
    assert_int_equal(deja_pool_map_begin(p, f, &m, &r, &err), DEJA_EINVAL);
    deja_pool_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_map__every_item_once_and_in_its_place),
        cmocka_unit_test(test_local_map__rows_and_numbers_into_an_array),
        cmocka_unit_test(test_local_map__rows_of_a_view_come_as_arrays),
        cmocka_unit_test(test_local_map__stops_at_a_failure),
        cmocka_unit_test(test_local_map__limits_hold),
        cmocka_unit_test(test_local_map__a_late_item_is_marked),
        cmocka_unit_test(test_local_map__is_freed_half_way),
        cmocka_unit_test(test_local_map__bad_descriptions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
