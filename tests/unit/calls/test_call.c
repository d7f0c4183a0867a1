/* One call at a time: jobs/calls/call.c and flight.c. */
#include "calls.h"
#include <math.h>
#include <sys/wait.h>

/* BEHAVIOURS 1: a second identical call does not run the function; after forgetting it runs exactly once
 * again. */
static void test_call__runs_once_until_forgotten(void **state)
{
    (void)state;
    for (size_t i = 0; i < BACKENDS; i++) {
        deja *d = open_with(0);
        char name[16];
        snprintf(name, sizeof name, "add%zu", i);
        deja_fn *f = define_on(d, backends[i], name, add);
        long before = runs();
        assert_int_equal(call_i64(f, 2, 3), 5);
        assert_int_equal(call_i64(f, 2, 3), 5);
        assert_int_equal(runs(), before + 1);
        assert_int_equal(call_i64(f, 2, 4), 6);
        assert_int_equal(runs(), before + 2);
        assert_int_equal(deja_forget(f, DEJA_ARGS(2, 3), NULL), 1);
        assert_int_equal(deja_forget(f, DEJA_ARGS(2, 3), NULL), 0);
        assert_int_equal(call_i64(f, 2, 3), 5);
        assert_int_equal(call_i64(f, 2, 4), 6);
        assert_int_equal(runs(), before + 3);
        deja_close(d);
    }
}

static int same(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    (void)err;
    return deja_return_value(out, arg);
}

static int deepest(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    deja_value list[DEJA_DEPTH_MAX + 1] = {deja_i64(1)};
    (void)n;
    (void)err;
    for (int64_t i = 1; i <= arg->i64; i++)
        list[i] = deja_list(&list[i - 1], 1);
    return deja_return_value(out, &list[arg->i64]);
}

static void expect_deep(deja_results *r, int fits, const deja_error *err)
{
    assert_int_equal(r != NULL, fits);
    if (!fits) {
        assert_int_equal(err->code, DEJA_EINVAL);
        assert_non_null(strstr(err->text, "'deep'"));
        assert_non_null(strstr(err->text, "nested deeper than 63"));
        assert_true(strlen(err->text) < 100);
    }
    deja_results_free(r);
}

/* One limit: what was returned can be passed on. */
static void test_call__nests_as_deep_both_ways(void **state)
{
    (void)state;
    deja_error err;
    deja_value list[DEJA_DEPTH_MAX + 1] = {deja_i64(1)};
    for (int i = 1; i <= DEJA_DEPTH_MAX; i++)
        list[i] = deja_list(&list[i - 1], 1);
    for (size_t b = 0; b < 2 * BACKENDS; b++) {
        deja *d = open_with(b % 2 ? DEJA_NO_CACHE : 0);
        deja_fn *f = define_on(d, backends[b / 2], "deep", same);
        expect_deep(deja_call(f, &list[DEJA_DEPTH_MAX - 1], 1, &err), 1, &err);
        expect_deep(deja_call(f, &list[DEJA_DEPTH_MAX], 1, &err), 0, &err);
        deja_close(d);
        d = open_with(DEJA_NO_CACHE);
        f = define_on(d, backends[b / 2], "deep", deepest);
        expect_deep(deja_call(f, DEJA_ARGS(DEJA_DEPTH_MAX - 1), &err), 1, &err);
        expect_deep(deja_call(f, DEJA_ARGS(DEJA_DEPTH_MAX), &err), 0, &err);
        deja_close(d);
    }
}

static void test_call__is_answered_by_a_later_context(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        deja *d = open_with(0);
        assert_int_equal(call_i64(define_on(d, DEJA_PROCESS, "add", add), 20, 3), 23);
        deja_close(d);
        assert_int_equal(runs(), 1);
    }
}

/* BEHAVIOURS 2: the folder of the cache goes between calls. */
static void test_call__computes_again_without_its_folder(void **state)
{
    (void)state;
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_INLINE, "add", add);
    assert_int_equal(call_i64(f, 1, 1), 2);
    deja_close(d);
    assert_int_equal(rename("cache", "gone"), 0);
    d = open_with(0);
    f = define_on(d, DEJA_INLINE, "add", add);
    assert_int_equal(call_i64(f, 1, 1), 2);
    assert_int_equal(runs(), 2);
    deja_close(d);
}

/* BEHAVIOURS 3: no cache, no files, the same calls. */
static void test_call__works_without_a_cache(void **state)
{
    (void)state;
    deja_error err;
    char reference[DEJA_REFERENCE];
    deja *d = open_with(DEJA_NO_CACHE);
    deja_fn *f = define_on(d, DEJA_THREAD, "add", add);
    assert_int_equal(call_i64(f, 1, 1), 2);
    assert_int_equal(call_i64(f, 1, 1), 2);
    assert_int_equal(runs(), 2);
    assert_int_equal(deja_is_cached(f, DEJA_ARGS(1, 1), &err), 0);
    assert_int_equal(deja_forget(f, DEJA_ARGS(1, 1), &err), 0);
    assert_int_equal(deja_forget_function(f, &err), 0);
    assert_int_equal(deja_forget_all(d, &err), 0);
    assert_int_equal(deja_shelve(f, DEJA_ARGS(1, 1), reference, &err), DEJA_EINVAL);
    assert_int_equal(deja_sync(d, &err), 0);
    deja_close(d);
    assert_int_equal(access("cache", F_OK), -1);
}

/* BEHAVIOURS 4: a failure is never kept. */
static void test_call__fails_anew_each_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < BACKENDS; i++) {
        deja *d = open_with(0);
        deja_fn *f = define_on(d, backends[i], "fail_on_13", fail_on_13);
        long before = runs();
        for (int k = 1; k <= 2; k++) {
            deja_error err;
            assert_null(deja_call(f, DEJA_ARGS(13), &err));
            assert_int_equal(err.code, DEJA_EINVAL);
            assert_non_null(strstr(err.text, "'fail_on_13'"));
            assert_non_null(strstr(err.text, "13 is bad luck"));
            assert_int_equal(runs(), before + k);
        }
        deja_close(d);
    }
}

/* BEHAVIOURS 5: an ignored argument changes nothing, another one does. */
static void test_call__ignores_arguments(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    deja_fn *f =
        deja_define(d, "add", "1", add, DEJA_FN_OPTIONS(.backend = DEJA_INLINE, .ignore = 1u << 1), &err);
    assert_int_equal(call_i64(f, 1, 100), 101);
    assert_int_equal(call_i64(f, 1, 200), 101);
    assert_int_equal(call_i64(f, 2, 100), 102);
    assert_int_equal(runs(), 2);
    assert_int_equal(deja_sync(d, &err), 0);
    assert_int_equal(deja_is_cached(f, DEJA_ARGS(1, 300), &err), 1);
    assert_int_equal(deja_is_cached(f, DEJA_ARGS(1), &err), 0); /* how many there are counts */
    deja_close(d);
}

/* BEHAVIOURS 7: what was changed in place is another input. */
static int sum_bytes(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int64_t sum = 0;
    (void)n;
    (void)err;
    mark();
    for (uint64_t i = 0; i < arg->len; i++)
        sum += ((const unsigned char *)arg->bytes)[i];
    return deja_return(out, deja_i64(sum));
}

static void test_call__sees_a_change_in_place(void **state)
{
    (void)state;
    deja_error err;
    unsigned char data[3] = {1, 2, 3};
    int64_t x;
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_PROCESS, "sum", sum_bytes);
    const deja_value v = deja_bytes(data, sizeof data);
    assert_int_equal(deja_call_i64(f, &v, 1, &x, &err), 0);
    assert_int_equal(x, 6);
    data[0] = 10;
    assert_int_equal(deja_call_i64(f, &v, 1, &x, &err), 0);
    assert_int_equal(x, 15);
    deja_close(d);
}

/* BEHAVIOURS 10: asking runs nothing, and honours the rule. BEHAVIOURS 11: a forced call replaces. */
static void test_call__is_cached_and_forced(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_THREAD, "add", add);
    assert_int_equal(deja_is_cached(f, DEJA_ARGS(1, 2), &err), 0);
    assert_int_equal(runs(), 0);
    for (int i = 0; i < 20; i++) { /* at once, though it may still be on its way to the disk */
        assert_int_equal(call_i64(f, i, 2), i + 2);
        assert_int_equal(deja_is_cached(f, DEJA_ARGS(i, 2), &err), 1);
    }
    deja_results *r = deja_call_forced(f, DEJA_ARGS(1, 2), &err);
    assert_non_null(r);
    assert_int_equal(deja_results_was_cached(r, 0), 0);
    deja_results_free(r);
    r = deja_call(f, DEJA_ARGS(1, 2), &err);
    assert_int_equal(deja_results_was_cached(r, 0), 1);
    deja_results_free(r);
    assert_int_equal(runs(), 21);
    deja_close(d);
}

DEJA_FUNC1(double, widen, float, x)
{
    return (double)x;
}

/* A float is rounded, but no other whole number, and nothing finite becomes infinite. */
static void test_call__float_parameters_refuse_what_does_not_fit(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(DEJA_NO_CACHE);
    deja_fn *f = define_on(d, DEJA_INLINE, "widen", widen);
    const double infinite = HUGE_VAL, most = 0x1.fffffep127;
    const deja_value good[] = {deja_i64(16777216), deja_i64(-16777218), deja_u64(INT64_C(1) << 53),
                               deja_f64(most), deja_f64(-infinite)};
    const double expected[] = {16777216, -16777218, 0x1p53, most, -infinite};
    const deja_value bad[] = {deja_i64(16777217), deja_i64(-16777217), deja_u64(16777217),
                              deja_f64(1e300),    deja_f64(-3.5e38),   deja_i64((INT64_C(1) << 53) + 2)};
    double x;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(deja_call_f64(f, &good[i], 1, &x, &err), 0);
        assert_true(x == expected[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(deja_call_f64(f, &bad[i], 1, &x, &err), DEJA_ETYPE);
    deja_close(d);
}

/* BEHAVIOURS 12 to 14: a reference is small, works in another context, and says when its result is gone. */
static void test_call__shelve_and_fetch(void **state)
{
    (void)state;
    deja_error err;
    char reference[DEJA_REFERENCE];
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_PROCESS, "add", add);
    assert_int_equal(deja_shelve(f, DEJA_ARGS(4, 5), reference, &err), 0);
    deja_close(d);
    d = open_with(DEJA_NO_WORKERS);
    deja_results *r = deja_fetch(d, reference, &err);
    assert_non_null(r);
    assert_int_equal(deja_results_at(r, 0)->i64, 9);
    deja_results_free(r);
    assert_int_equal(deja_forget_all(d, &err), 1);
    assert_int_equal(deja_forget_all(d, &err), 0);
    assert_null(deja_fetch(d, reference, &err));
    assert_int_equal(err.code, DEJA_ENOTFOUND);
    assert_null(deja_fetch(d, "deja:xyz", &err));
    assert_int_equal(err.code, DEJA_ESYNTAX);
    deja_close(d);
}

/* BEHAVIOURS 19: rules of validity. */
static int never(void *context, const deja_facts *facts)
{
    (*(int *)context)++;
    assert_true(facts->age_ms >= 0);
    assert_true(facts->wall_ns > 0);
    return 0;
}

static void test_call__asks_the_rule(void **state)
{
    (void)state;
    deja_error err;
    int asked = 0;
    deja *d = open_with(0);
    deja_fn *f =
        deja_define(d, "add", "1", add,
                    DEJA_FN_OPTIONS(.backend = DEJA_INLINE, .valid = never, .valid_context = &asked), &err);
    assert_int_equal(call_i64(f, 1, 2), 3);
    assert_int_equal(deja_sync(d, &err), 0);
    assert_int_equal(deja_is_cached(f, DEJA_ARGS(1, 2), &err), 0);
    assert_int_equal(call_i64(f, 1, 2), 3);
    assert_int_equal(runs(), 2);
    assert_true(asked >= 2);
    deja_fn *g =
        deja_define(d, "add", "2", add, DEJA_FN_OPTIONS(.backend = DEJA_INLINE, .max_age_ms = 50), &err);
    assert_int_equal(call_i64(g, 1, 2), 3);
    assert_int_equal(call_i64(g, 1, 2), 3);
    assert_int_equal(runs(), 3);
    assert_int_equal(deja_sync(d, &err), 0);
    usleep(80 * 1000);
    assert_int_equal(call_i64(g, 1, 2), 3);
    assert_int_equal(runs(), 4);
    deja_close(d);
}

/* Better than joblib, b: two versions in turn, both stay. */
static void test_call__keeps_all_versions(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    deja_fn *f[2];
    f[0] = deja_define(d, "add", "1", add, DEJA_FN_OPTIONS(.backend = DEJA_INLINE), &err);
    f[1] = deja_define(d, "add", "2", add, DEJA_FN_OPTIONS(.backend = DEJA_INLINE), &err);
    assert_ptr_not_equal(f[0], f[1]);
    for (int i = 0; i < 6; i++)
        assert_int_equal(call_i64(f[i % 2], 1, 2), 3);
    assert_int_equal(runs(), 2);
    assert_int_equal(deja_forget_function(f[0], &err), 2);
    deja_close(d);
}

/* BEHAVIOURS 8: two functions of one name. */
static void test_call__refuses_two_functions_of_one_name(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    deja_fn *f = deja_define(d, "add", "1", add, NULL, &err);
    assert_ptr_equal(deja_define(d, "add", "1", add, NULL, &err), f);
    assert_null(deja_define(d, "add", "1", fail_on_13, NULL, &err));
    assert_int_equal(err.code, DEJA_EEXIST);
    deja_fn *g = deja_define(d, "add", "1", fail_on_13, DEJA_FN_OPTIONS(.scope = "other"), &err);
    assert_non_null(g);
    assert_int_equal(call_i64(f, 1, 2), 3);
    int64_t x;
    assert_int_equal(deja_call_i64(g, DEJA_ARGS(1, 2), &x, &err), 0);
    assert_int_equal(x, 1);
    deja_close(d);
}

static int echo(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)err;
    mark();
    return n == 1 ? deja_return(out, *arg) : deja_return(out, deja_list(arg, n));
}

/* Values of every kind come back equal, computed and kept, from every backend. */
static void test_call__returns_every_kind(void **state)
{
    (void)state;
    const double numbers[6] = {1, 2, 3, 4, 5, 6};
    const int64_t shape[2] = {2, 3};
    const deja_array array = {.data = (void *)numbers, .dtype = DEJA_F64, .ndim = 2, .shape = shape};
    const deja_value items[2] = {deja_string("a\nb"), deja_f64(0.5)};
    const deja_pair pairs[2] = {{"x", deja_list(items, 2)}, {"y", deja_null()}};
    const deja_value zoo[] = {deja_null(),          deja_bool(1),          deja_i64(-7),
                              deja_u64(UINT64_MAX), deja_f64(-0.0),        deja_string(""),
                              deja_string("text"),  deja_bytes("\0\1", 2), deja_of_array(&array),
                              deja_list(items, 2),  deja_list(NULL, 0),    deja_map_of(pairs, 2)};
    for (size_t b = 0; b < BACKENDS; b++) {
        deja *d = open_with(0);
        char name[16];
        snprintf(name, sizeof name, "echo%zu", b);
        deja_fn *f = define_on(d, backends[b], name, echo);
        for (size_t i = 0; i < 2 * sizeof zoo / sizeof *zoo; i++) {
            deja_error err;
            const deja_value *v = &zoo[i / 2];
            deja_results *r = deja_call(f, v, 1, &err);
            if (!r)
                fail_msg("%s", err.text);
            assert_true(deja_value_equal(deja_results_at(r, 0), v));
            assert_int_equal(deja_results_was_cached(r, 0), i % 2);
            deja_results_free(r);
            assert_int_equal(deja_sync(d, NULL), 0);
        }
        deja_close(d);
    }
}

/* 1 MB, so that it is a blob. */
static int make_array(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    const int64_t shape[1] = {1 << 17};
    (void)n;
    mark();
    double *y = deja_return_array(out, DEJA_F64, 1, shape, err);
    if (!y)
        return DEJA_ENOMEM;
    for (int64_t i = 0; i < shape[0]; i++)
        y[i] = (double)(i + arg->i64);
    return 0;
}

/* BEHAVIOURS 15: mapped on the first call as on the later ones; valid after everything is closed. */
static void test_call__maps_large_arrays(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++) {
        deja_results *r[2];
        for (int i = 0; i < 2; i++) {
            deja_error err;
            deja *d = open_with(0);
            r[i] =
                deja_call(define_on(d, backends[b], "make_array", make_array), DEJA_ARGS((int64_t)b), &err);
            if (!r[i])
                fail_msg("%s", err.text);
            if (i)
                deja_forget_all(d, &err);
            deja_close(d);
        }
        assert_int_equal(runs(), b + 1);
        for (int i = 0; i < 2; i++) {
            const deja_array *a = deja_results_at(r[i], 0)->array;
            assert_int_equal(a->shape[0], 1 << 17);
            assert_int_equal((uintptr_t)a->data % 64, 0);
            for (int k = 0; k < 1 << 17; k++)
                assert_true(((const double *)a->data)[k] == (double)(k + (int64_t)b));
            deja_results_free(r[i]);
        }
    }
}

static void test_call__refuses_bad_arguments(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_PROCESS, "add", add);
    const deja_value bad = {.kind = 99};
    assert_null(deja_call(f, &bad, 1, &err));
    assert_int_equal(err.code, DEJA_ETYPE);
    assert_non_null(strstr(err.text, "'add'"));
    assert_null(deja_call(f, NULL, 1, &err));
    assert_int_equal(err.code, DEJA_EINVAL);
    assert_int_equal(deja_is_cached(f, NULL, 1, &err), DEJA_EINVAL);
    assert_null(deja_call(f, DEJA_ARGS("text"), &err));
    assert_int_equal(err.code, DEJA_ETYPE);
    assert_int_equal(call_i64(f, 1, 2), 3);
    deja_close(d);
    /* a chain of NULLs is harmless and keeps the first failure */
    deja_fail(&err, DEJA_EFULL, "first");
    f = deja_define(NULL, "add", "1", add, NULL, &err);
    assert_null(f);
    assert_null(deja_call(f, DEJA_ARGS(1), &err));
    assert_null(deja_submit(f, DEJA_ARGS(1), &err));
    assert_null(deja_map(f, NULL, 0, 0, NULL, &err));
    assert_true(deja_next(NULL, 0, &(deja_done){0}, &err) < 0);
    deja_close(NULL);
    assert_int_equal(err.code, DEJA_EFULL);
}

static int hash_file(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    mark();
    FILE *file = fopen(arg->string, "r");
    if (!file)
        return deja_fail(err, DEJA_ENOTFOUND, "no file '%s'", arg->string);
    int c = fgetc(file);
    fclose(file);
    return deja_return(out, deja_i64(c));
}

/* A file is its content: whatever its name, and another one when it was written to. */
static void test_call__takes_files_by_content(void **state)
{
    (void)state;
    deja_error err;
    int64_t x;
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_THREAD, "hash_file", hash_file);
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(i ? "b" : "a", "w");
        fputs("xyz", file);
        fclose(file);
    }
    const deja_value a = deja_file("a"), b = deja_file("b"), none = deja_file("none");
    assert_int_equal(deja_call_i64(f, &a, 1, &x, &err), 0);
    assert_int_equal(x, 'x');
    assert_int_equal(deja_call_i64(f, &b, 1, &x, &err), 0);
    assert_int_equal(runs(), 1);
    FILE *file = fopen("a", "w");
    fputs("yyy", file);
    fclose(file);
    assert_int_equal(deja_call_i64(f, &a, 1, &x, &err), 0);
    assert_int_equal(x, 'y');
    assert_int_equal(runs(), 2);
    assert_true(deja_call_i64(f, &none, 1, &x, &err) < 0);
    assert_int_equal(err.code, DEJA_ENOTFOUND);
    deja_close(d);
}

/* What was made of a file that changed meanwhile is handed out and not kept. */
static int grow_file(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    (void)err;
    mark();
    FILE *file = fopen(arg->string, "a");
    fputs("more", file);
    fclose(file);
    return deja_return(out, deja_i64(1));
}

static void ignore(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static void test_call__does_not_keep_what_a_changed_file_made(void **state)
{
    (void)state;
    deja_error err;
    deja *d = deja_open(DEJA_OPTIONS(.cache = "cache", .warn = ignore), &err);
    deja_fn *f = define_on(d, DEJA_THREAD, "grow_file", grow_file);
    FILE *file = fopen("a", "w");
    fputs("xyz", file);
    fclose(file);
    const deja_value a = deja_file("a");
    assert_int_equal(deja_call_i64(f, &a, 1, NULL, &err), 0);
    assert_int_equal(deja_sync(d, &err), DEJA_ECHANGED);
    assert_non_null(strstr(err.text, "file 'a' changed"));
    file = fopen("a", "w");
    fputs("xyz", file);
    fclose(file);
    assert_int_equal(deja_is_cached(f, &a, 1, &err), 0);
    deja_close(d);
}

/* Functions that call functions, in the thread that waits: neither stuck nor one upon the other. */
typedef struct nest {
    deja_fn *inner, *outer;
} nest;

static nest nested;

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
    int rc = deja_call_i64(nested.inner, DEJA_ARGS(arg->i64), &x, err);
    return rc < 0 ? rc : deja_return(out, deja_i64(2 * x));
}

static int around(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int64_t x;
    (void)n;
    int rc = deja_call_i64(nested.outer, DEJA_ARGS(arg->i64), &x, err);
    return rc < 0 ? rc : deja_return(out, deja_i64(-x));
}

static void test_call__may_be_nested_here(void **state)
{
    (void)state;
    deja_error err;
    deja_value rows[3000];
    deja *d = open_with(0);
    nested = (nest){.inner = define_on(d, DEJA_INLINE, "inner", inner)};
    nested.outer = define_on(d, DEJA_INLINE, "outer", outer);
    deja_fn *f = define_on(d, DEJA_INLINE, "around", around);
    /* both want outer(5), which the first one runs when the second is begun */
    deja_future *first = deja_submit(nested.outer, DEJA_ARGS(5), &err),
                *second = deja_submit(f, DEJA_ARGS(5), &err);
    deja_results *r = deja_wait(second, 10000, &err);
    assert_int_equal(deja_results_at(r, 0)->i64, -12);
    deja_results_free(r);
    r = deja_wait(first, 10000, &err);
    assert_int_equal(deja_results_at(r, 0)->i64, 12);
    deja_results_free(r);
    for (int i = 0; i < 3000; i++)
        rows[i] = deja_i64(i);
    r = deja_map(nested.outer, rows, 3000, 1, NULL, &err);
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(deja_results_at(r, i)->i64, 2 * (int64_t)i + 2);
    deja_results_free(r);
    deja_close(d);
}

/* With one thread the inner call would wait for the outer one for ever; in a coroutine there is no room for
 * it. */
static void test_call__may_be_nested_in_a_thread(void **state)
{
    (void)state;
    deja_error err;
    deja *d = deja_open(DEJA_OPTIONS(.flags = DEJA_NO_CACHE, .workers = 1), &err);
    nested.inner = define_on(d, DEJA_THREAD, "inner", inner);
    nested.outer = define_on(d, DEJA_THREAD, "outer", outer);
    for (int64_t i = 0; i < 20; i++) {
        int64_t x;
        assert_int_equal(deja_call_i64(nested.outer, DEJA_ARGS(i), &x, &err), 0);
        assert_int_equal(x, 2 * i + 2);
    }
    deja_fn *f = define_on(d, DEJA_ASYNC, "around", around);
    assert_null(deja_call(f, DEJA_ARGS(1), &err));
    assert_int_equal(err.code, DEJA_EINVAL);
    assert_non_null(strstr(err.text, "a coroutine cannot call deja"));
    deja_close(d);
}

static int itself(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int64_t x = 0;
    (void)n;
    int rc = deja_call_i64(nested.inner, DEJA_ARGS(arg->i64), &x, err);
    return rc < 0 ? rc : deja_return(out, deja_i64(x));
}

static void test_call__cannot_wait_for_itself(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    nested.inner = define_on(d, DEJA_INLINE, "itself", itself);
    assert_null(deja_call(nested.inner, DEJA_ARGS(1), &err));
    assert_int_equal(err.code, DEJA_EBUSY);
    deja_close(d);
}

/* Two contexts of one thread on one cache: what the first one makes is there for the second. */
static void test_call__holds_up_no_other_context(void **state)
{
    (void)state;
    deja *d = open_with(0), *e = open_with(0);
    deja_fn *f = define_on(d, DEJA_THREAD, "add", add), *g = define_on(e, DEJA_THREAD, "add", add);
    for (int64_t i = 0; i < 5; i++) {
        assert_int_equal(call_i64(f, i, 1), i + 1);
        assert_int_equal(call_i64(g, i, 1), i + 1);
        assert_int_equal(runs(), i + 1);
    }
    deja_close(d);
    deja_close(e);
}

/* In a forked child nothing works, and nothing of the parent is harmed. */
static void test_call__survives_a_fork(void **state)
{
    (void)state;
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_PROCESS, "add", add);
    assert_int_equal(call_i64(f, 1, 2), 3);
    pid_t pid = fork();
    if (pid == 0) {
        deja_error err;
        int ok = deja_call(f, DEJA_ARGS(5, 6), &err) == NULL && err.code == DEJA_EFORK;
        ok = ok && deja_submit(f, DEJA_ARGS(5, 6), &err) == NULL && err.code == DEJA_EFORK;
        deja_close(d);
        _exit(ok ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(call_i64(f, 5, 6), 11);
    assert_int_equal(call_i64(f, 1, 2), 3);
    assert_int_equal(runs(), 2);
    deja_close(d);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_call__runs_once_until_forgotten),
        CASE(test_call__nests_as_deep_both_ways),
        CASE(test_call__is_answered_by_a_later_context),
        CASE(test_call__computes_again_without_its_folder),
        CASE(test_call__works_without_a_cache),
        CASE(test_call__fails_anew_each_time),
        CASE(test_call__ignores_arguments),
        CASE(test_call__sees_a_change_in_place),
        CASE(test_call__is_cached_and_forced),
        CASE(test_call__float_parameters_refuse_what_does_not_fit),
        CASE(test_call__shelve_and_fetch),
        CASE(test_call__asks_the_rule),
        CASE(test_call__keeps_all_versions),
        CASE(test_call__refuses_two_functions_of_one_name),
        CASE(test_call__returns_every_kind),
        CASE(test_call__maps_large_arrays),
        CASE(test_call__refuses_bad_arguments),
        CASE(test_call__takes_files_by_content),
        CASE(test_call__does_not_keep_what_a_changed_file_made),
        CASE(test_call__may_be_nested_here),
        CASE(test_call__may_be_nested_in_a_thread),
        CASE(test_call__cannot_wait_for_itself),
        CASE(test_call__holds_up_no_other_context),
        CASE(test_call__survives_a_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
