/* Single flight between processes, and what happens when a result cannot be kept: jobs/calls/flight.c. */
#include "calls.h"
#include <signal.h>
#include <sys/wait.h>

enum { items = 60, programs = 4 };

static int slow_double(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    (void)err;
    mark();
    deja_sleep_ms(3);
    return deja_return(out, deja_i64(2 * arg->i64));
}

/* One program: all items, those of the others included. */
static int map_all(uint32_t backend)
{
    deja_error err;
    deja_value rows[items];
    deja *d = deja_open(DEJA_OPTIONS(.cache = "cache", .workers = 2), &err);
    deja_fn *f = deja_define(d, "slow_double", "1", slow_double, DEJA_FN_OPTIONS(.backend = backend), &err);
    for (int i = 0; i < items; i++)
        rows[i] = deja_i64(i);
    deja_results *r = deja_map(f, rows, items, 1, NULL, &err);
    int wrong = !r;
    for (size_t i = 0; r && i < items; i++)
        wrong |= deja_results_code(r, i) != 0 || deja_results_at(r, i)->i64 != 2 * (int64_t)i;
    deja_results_free(r);
    deja_close(d);
    return wrong;
}

/* PROMISES: each key is computed once, however many processes want it at the same time. */
static void test_flight__each_key_once_among_processes(void **state)
{
    (void)state;
    for (size_t b = 0; b < BACKENDS; b++) {
        pid_t pids[programs];
        unlink("runs");
        for (int i = 0; i < programs; i++)
            if ((pids[i] = fork()) == 0)
                _exit(map_all(backends[b]));
        for (int i = 0; i < programs; i++) {
            int status;
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(runs(), items);
        deja *d = open_with(DEJA_NO_WORKERS);
        assert_int_equal(deja_forget_all(d, NULL), items);
        deja_close(d);
    }
}

/* The claim of a program that is killed dies with it: another one computes. */
static void test_flight__goes_on_after_a_killed_owner(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(map_all(DEJA_THREAD));
    while (runs() < 5)
        usleep(1000);
    pid_t other = fork();
    if (other == 0)
        _exit(map_all(DEJA_THREAD));
    usleep(10 * 1000);
    kill(pid, SIGKILL);
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    assert_true(runs() >= items && runs() <= 2 * items);
}

static int warnings;

static void count_warning(void *context, const char *text)
{
    char *last = context;
    snprintf(last, 1024, "%s", text);
    warnings++;
}

static int large(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    static char text[1 << 20];
    (void)n;
    (void)err;
    memset(text, 'a' + (int)arg->i64, sizeof text);
    const deja_value v = deja_bytes(text, sizeof text);
    return deja_return(out, v);
}

/* BEHAVIOURS 18: what cannot be kept is delivered all the same, with one warning that names the cause. */
static void test_flight__delivers_what_cannot_be_kept(void **state)
{
    (void)state;
    deja_error err;
    char last[1024] = "";
    warnings = 0;
    deja *d = deja_open(DEJA_OPTIONS(.cache = "cache", .warn = count_warning, .warn_context = last), &err);
    deja_fn *f = define_on(d, DEJA_THREAD, "large", large);
    assert_int_equal(rename("cache/blobs", "gone"), 0);
    FILE *file = fopen("cache/blobs", "w"); /* where a folder is wanted */
    fclose(file);
    for (int i = 0; i < 3; i++) {
        deja_results *r = deja_call(f, DEJA_ARGS(i), &err);
        if (!r)
            fail_msg("%s", err.text);
        assert_int_equal(deja_results_at(r, 0)->len, 1 << 20);
        assert_int_equal(((const char *)deja_results_at(r, 0)->bytes)[77], 'a' + i);
        deja_results_free(r);
    }
    assert_true(deja_sync(d, &err) < 0);
    assert_non_null(strstr(err.text, "the result of large("));
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last, "is not kept"));
    assert_int_equal(deja_sync(d, &err), 0);
    deja_close(d);
}

static void test_flight__readonly_and_refresh(void **state)
{
    (void)state;
    deja *d = open_with(0);
    assert_int_equal(call_i64(define_on(d, DEJA_INLINE, "add", add), 1, 2), 3);
    deja_close(d);
    d = open_with(DEJA_READONLY);
    deja_fn *f = define_on(d, DEJA_INLINE, "add", add);
    assert_int_equal(call_i64(f, 1, 2), 3);
    assert_int_equal(runs(), 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(call_i64(f, 1, 3), 4);
    assert_int_equal(runs(), 3);
    deja_close(d);
    d = open_with(DEJA_REFRESH);
    assert_int_equal(call_i64(define_on(d, DEJA_INLINE, "add", add), 1, 2), 3);
    assert_int_equal(runs(), 4);
    deja_close(d);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_flight__each_key_once_among_processes),
        CASE(test_flight__goes_on_after_a_killed_owner),
        CASE(test_flight__delivers_what_cannot_be_kept),
        CASE(test_flight__readonly_and_refresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
