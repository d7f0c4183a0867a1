/* Shared arrays and memos: jobs/calls/shared.c and memo.c. */
#include "calls.h"
#include <sys/wait.h>

static int total(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    double sum = 0;
    (void)n;
    (void)err;
    mark();
    for (uint64_t i = 0; i < deja_array_count(arg->array); i++)
        sum += ((const double *)arg->array->data)[i];
    return deja_return(out, deja_f64(sum));
}

static int total_late(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    while (access("go", F_OK) != 0)
        deja_sleep_ms(1);
    return total(arg, n, out, err);
}

static int one(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg;
    (void)n;
    (void)err;
    return deja_return(out, deja_f64(1));
}

/* Ones, after which a call has got it. */
static deja_array *passed(deja *d, uint32_t backend)
{
    deja_error err;
    double sum;
    const int64_t shape[2] = {1000, 100};
    deja_array *a = deja_array_new(d, DEJA_F64, 2, shape, &err);
    if (!a)
        fail_msg("%s", err.text);
    for (int i = 0; i < 100000; i++)
        ((double *)a->data)[i] = 1;
    deja_fn *f = define_on(d, backend, "total", total);
    for (int i = 0; i < 2; i++) {
        if (deja_call_f64(f, DEJA_ARGS(a), &sum, &err) < 0)
            fail_msg("%s", err.text);
        assert_true(sum == 100000);
    }
    return a;
}

static void test_shared__is_passed_to_every_backend(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++) {
        deja *d = open_with(DEJA_NO_CACHE);
        deja_array_free(passed(d, backends[b]));
        deja_close(d);
    }
}

/* A write after the first call faults; a copy for editing does not. */
static void test_shared__is_frozen_by_its_first_call(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(DEJA_NO_CACHE);
    deja_array *a = passed(d, DEJA_PROCESS);
    assert_true(write_faults((double *)a->data + 5));
    deja_array *b = deja_array_edit(a, &err);
    assert_non_null(b);
    ((double *)b->data)[0] = 3;
    assert_true(((double *)a->data)[0] == 1);
    double sum;
    assert_int_equal(deja_call_f64(define_on(d, DEJA_PROCESS, "total", total), DEJA_ARGS(b), &sum, &err), 0);
    assert_true(sum == 100002);
    deja_close(d);
}

/* A view made by hand freezes what it lies in; results do not go where it is frozen. */
static void test_shared__views_freeze_it(void **state)
{
    (void)state;
    deja_error err;
    double sum;
    const int64_t shape[1] = {1000}, part[1] = {10};
    deja *d = open_with(DEJA_NO_CACHE);
    deja_array *a = deja_array_new(d, DEJA_F64, 1, shape, &err);
    deja_array view = {.data = (double *)a->data + 500, .dtype = DEJA_F64, .ndim = 1, .shape = part};
    deja_fn *f = define_on(d, DEJA_PROCESS, "total", total);
    const deja_column column = {.split = a};
    deja_results *r = deja_map_columns(define_on(d, DEJA_THREAD, "one", one), &column, 1,
                                       DEJA_MAP_OPTIONS(.into = a), &err);
    assert_null(r); /* it is an argument, too */
    deja_array_free(a);
    a = deja_array_new(d, DEJA_F64, 1, shape, &err);
    view.data = (double *)a->data + 500;
    assert_int_equal(deja_call_f64(f, DEJA_ARGS(&view), &sum, &err), 0);
    assert_true(write_faults(a->data));
    deja_close(d);
}

static deja_array *filled(deja *d, double with)
{
    deja_error err;
    const int64_t shape[1] = {100000};
    deja_array *a = deja_array_new(d, DEJA_F64, 1, shape, &err);
    if (!a)
        fail_msg("%s", err.text);
    for (int i = 0; i < shape[0]; i++)
        ((double *)a->data)[i] = with;
    return a;
}

/* Freed while calls want it: its memory is nobody else's until they are over. */
static void test_shared__stays_until_its_calls_are_over(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        deja_error err;
        deja_future *futures[8];
        unlink("go");
        deja *d = open_with(DEJA_NO_CACHE);
        deja_fn *f = define_on(d, backends[b], "total_late", total_late);
        for (int i = 0; i < 8; i++) {
            deja_array *a = filled(d, i);
            futures[i] = deja_submit(f, DEJA_ARGS(a), &err);
            deja_array_free(a);
        }
        for (int i = 0; i < 8; i++)
            filled(d, 77);
        close(open("go", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        for (int i = 0; i < 8; i++) {
            deja_results *r = deja_wait(futures[i], -1, &err);
            if (!r)
                fail_msg("%s", err.text);
            assert_true(deja_results_at(r, 0)->f64 == 100000. * i);
            deja_results_free(r);
        }
        deja_close(d);
    }
}

/* What was passed is the same for ever: a child that has the memory still could change it. */
static void test_shared__is_not_there_in_a_forked_child(void **state)
{
    (void)state;
    double sum;
    deja *d = open_with(0);
    deja_array *a = passed(d, DEJA_PROCESS);
    pid_t pid = fork();
    if (pid == 0) {
        if (!write_faults(a->data))
            _exit(1);
        deja_array_free(a);
        deja_close(d);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(deja_call_f64(define_on(d, DEJA_PROCESS, "total", total), DEJA_ARGS(a), &sum, NULL), 0);
    assert_true(sum == 100000);
    deja_close(d);
}

static void test_shared__is_kept_by_content(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        deja *d = open_with(0);
        passed(d, DEJA_PROCESS);
        deja_close(d);
        assert_int_equal(runs(), 1);
    }
}

static void test_shared__refuses_what_cannot_be(void **state)
{
    (void)state;
    deja_error err;
    const int64_t negative[1] = {-1}, huge[2] = {INT64_MAX, INT64_MAX}, large[1] = {INT64_C(1) << 45};
    deja *d = open_with(DEJA_NO_CACHE);
    assert_null(deja_array_new(d, DEJA_F64, 1, negative, &err));
    assert_int_equal(err.code, DEJA_EINVAL);
    assert_null(deja_array_new(d, DEJA_F64, 2, huge, &err));
    assert_null(deja_array_new(d, DEJA_U8, 1, large, &err));
    assert_int_equal(err.code, DEJA_EFULL);
    assert_null(deja_array_new(d, DEJA_STRING, 1, large, &err));
    deja_close(d);
}

static void test_memo__finds_what_was_stored(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        deja_error err;
        deja *d = open_with(DEJA_NO_WORKERS);
        deja_memo *m = deja_memo_new(d, "render", "4", &err);
        deja_memo_add(m, "size", deja_i64(1024));
        deja_memo_add(m, "what", deja_string("scene"));
        const deja_value *hit = deja_memo_find(m, &err);
        assert_int_equal(err.code, 0);
        if (i == 0) {
            assert_null(hit);
            const deja_value items[2] = {deja_string("picture"), deja_f64(0.5)};
            const deja_value v = deja_list(items, 2);
            hit = deja_memo_store(m, &v, 1000000, &err);
        }
        assert_non_null(hit);
        assert_int_equal(hit->len, 2);
        assert_string_equal(hit->list[0].string, "picture");
        deja_memo_free(m);
        m = deja_memo_new(d, "render", "4", &err);
        deja_memo_add(m, "size", deja_i64(1025));
        assert_null(deja_memo_find(m, &err));
        assert_int_equal(err.code, 0);
        deja_memo_add(m, "scene", deja_file("missing.obj"));
        assert_null(deja_memo_find(m, &err));
        assert_int_equal(err.code, DEJA_ENOTFOUND);
        assert_non_null(strstr(err.text, "'scene'"));
        deja_memo_free(m);
        deja_close(d);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_shared__is_passed_to_every_backend),
        CASE(test_shared__is_frozen_by_its_first_call),
        CASE(test_shared__views_freeze_it),
        CASE(test_shared__stays_until_its_calls_are_over),
        CASE(test_shared__is_not_there_in_a_forked_child),
        CASE(test_shared__is_kept_by_content),
        CASE(test_shared__refuses_what_cannot_be),
        CASE(test_memo__finds_what_was_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
