/*
 * Calls of functions in this process: whatever the backend, the same results, errors and limits.
 */
#include "no_process.h"
#include "pool_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>

static const uint32_t local[] = {DEJA_THREAD, DEJA_ASYNC, DEJA_INLINE};
enum { locals = sizeof local / sizeof *local };

static int triple(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg->kind != DEJA_I64)
        return deja_fail(err, DEJA_ETYPE, "wants one number");
    return deja_return(out, deja_i64(3 * arg->i64));
}

/* [a, b] of two texts. */
static int pair(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 2)
        return deja_fail(err, DEJA_ETYPE, "wants two");
    return deja_return(out, deja_list(arg, 2));
}

static int ones(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    double *x = deja_return_array(out, DEJA_F64, 1, (int64_t[]){arg->i64}, err);
    for (int64_t i = 0; x && i < arg->i64; i++)
        x[i] = (double)i;
    return x ? 0 : err->code;
}

static int silent_failure(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)out, (void)err;
    return (int)arg->i64;
}

static int nap(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    deja_sleep_ms(arg->i64);
    return deja_return(out, *arg);
}

static deja_pool_function *define(deja_pool *p, uint32_t kind, const char *name, deja_job_fn fn)
{
    return fixture_define(p, (deja_pool_function_options){.backend = kind, .name = name, .function = fn});
}

static void test_pool__results_come_back_from_every_backend(void **state)
{
    (void)state;
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(2);
        deja_pool_function *f = define(p, local[b], "triple", triple);
        int64_t sum = 0;
        for (int64_t i = 0; i < 500; i++)
            fixture_submit_i64(p, f, i);
        for (int64_t i = 0; i < 500; i++) {
            deja_task_outcome o = fixture_next(p);
            assert_int_equal(o.code, 0);
            assert_int_equal(o.product.scalar.kind, DEJA_I64);
            assert_int_equal(o.product.scalar.i64, 3 * (int64_t)(intptr_t)o.user);
            assert_true(o.wall_ns >= 0);
            sum += o.product.scalar.i64;
            fixture_done(&o);
        }
        assert_int_equal(sum, 3 * 499 * 500 / 2);
        deja_task_outcome none;
        assert_int_equal(deja_pool_take(p, &none, 1), 0);
        deja_pool_close(p);
    }
}

static void test_pool__arguments_are_copied_and_large_results_whole(void **state)
{
    (void)state;
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(1);
        char text[] = "first";
        deja_value args[2] = {deja_string(text), deja_string("second")};
        fixture_submit(p, define(p, local[b], "pair", pair), args, 2, NULL);
        memset(text, 'x', sizeof text - 1);
        deja_task_outcome o = fixture_next(p);
        deja_arena arena = {0};
        deja_value v;
        assert_int_equal(o.code, 0);
        assert_true(o.product.len > 0 && (uintptr_t)o.product.image % 64 == 0);
        assert_int_equal(deja_image_read(o.product.image, o.product.len, NULL, &arena, &v, NULL), 0);
        assert_int_equal(v.kind, DEJA_LIST);
        assert_string_equal(v.list[0].string, "first");
        assert_string_equal(v.list[1].string, "second");
        deja_arena_done(&arena);
        fixture_done(&o);
        deja_pool_close(p);
    }
}

static void test_pool__arrays_are_returned_where_they_were_made(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 3, 10000, 200000};
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(1);
        deja_pool_function *f = define(p, local[b], "ones", ones);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            fixture_submit_i64(p, f, sizes[i]);
            deja_task_outcome o = fixture_next(p);
            deja_arena arena = {0};
            deja_value v;
            assert_int_equal(o.code, 0);
            assert_int_equal(deja_image_read(o.product.image, o.product.len, NULL, &arena, &v, NULL), 0);
            assert_int_equal(v.array->shape[0], sizes[i]);
            assert_int_equal((uintptr_t)v.array->data % 64, 0);
            for (int64_t k = 0; k < sizes[i]; k += 997)
                assert_true(((double *)v.array->data)[k] == (double)k);
            deja_arena_done(&arena);
            fixture_done(&o);
        }
        deja_pool_close(p);
    }
}

static void test_pool__errors_name_the_function(void **state)
{
    (void)state;
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(1);
        deja_value wrong = deja_string("no number"), code = deja_i64(DEJA_EFULL), positive = deja_i64(7);
        fixture_submit(p, define(p, local[b], "triple", triple), &wrong, 1, NULL);
        deja_task_outcome o = fixture_next(p);
        assert_int_equal(o.code, DEJA_ETYPE);
        assert_string_equal(o.text, "'triple': wants one number");
        fixture_done(&o);
        deja_pool_function *f = define(p, local[b], "silent", silent_failure);
        fixture_submit(p, f, &code, 1, NULL);
        o = fixture_next(p);
        assert_int_equal(o.code, DEJA_EFULL);
        assert_string_equal(o.text, "'silent': no space left");
        fixture_done(&o);
        fixture_submit(p, f, &positive, 1, NULL);
        o = fixture_next(p);
        assert_int_equal(o.code, DEJA_EINVAL);
        assert_non_null(strstr(o.text, "'silent': returned 7"));
        fixture_done(&o);
        deja_pool_close(p);
    }
}

/* Behaviour 35: after a failure the same pool works again. */
static void test_pool__works_on_after_failures(void **state)
{
    (void)state;
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(2);
        deja_pool_function *f = define(p, local[b], "triple", triple);
        deja_value wrong = deja_null();
        for (int i = 0; i < 20; i++) {
            fixture_submit(p, f, &wrong, 1, NULL);
            deja_task_outcome o = fixture_next(p);
            assert_int_equal(o.code, DEJA_ETYPE);
            fixture_done(&o);
            fixture_submit_i64(p, f, i);
            o = fixture_next(p);
            assert_int_equal(o.product.scalar.i64, 3 * i);
            fixture_done(&o);
        }
        deja_pool_close(p);
    }
}

static _Atomic int now_running, most_running;

static int counted(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int running = ++now_running, most = most_running;
    while (running > most && !atomic_compare_exchange_weak(&most_running, &most, running))
        continue;
    nap(arg, n, out, err);
    now_running--;
    return 0;
}

static void test_pool__no_more_run_together_than_allowed(void **state)
{
    (void)state;
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(8);
        deja_pool_function *f = fixture_define(
            p, (deja_pool_function_options){
                   .backend = local[b], .name = "counted", .function = counted, .max_running = 3});
        now_running = most_running = 0;
        for (int i = 0; i < 40; i++)
            fixture_submit_i64(p, f, 5);
        for (int i = 0; i < 40; i++) {
            deja_task_outcome o = fixture_next(p);
            assert_int_equal(o.code, 0);
            fixture_done(&o);
        }
        assert_true(most_running <= 3);
        assert_true(local[b] == DEJA_INLINE || most_running > 1);
        deja_pool_close(p);
    }
}

static _Atomic int64_t started_ns[64];
static _Atomic int started;

static int stamped(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    started_ns[started++] = deja_monotonic_ns(NULL);
    return 0;
}

/* 20 starts at 200 a second need 95 ms at least, and never do more than a few begin at once. */
static void test_pool__starts_are_spaced_evenly(void **state)
{
    (void)state;
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(4);
        deja_pool_function *f = fixture_define(
            p, (deja_pool_function_options){
                   .backend = local[b], .name = "stamped", .function = stamped, .per_second = 200});
        started = 0;
        int64_t begin = deja_monotonic_ns(NULL);
        for (int i = 0; i < 20; i++)
            fixture_submit_i64(p, f, i);
        for (int i = 0; i < 20; i++) {
            deja_task_outcome o = fixture_next(p);
            fixture_done(&o);
        }
        assert_true(deja_monotonic_ns(NULL) - begin >= 95 * DEJA_MS_NS / 2);
        assert_int_equal(started, 20);
        assert_true(started_ns[19] - started_ns[0] >= 19 * 5 * DEJA_MS_NS / 2);
        deja_pool_close(p);
    }
}

static void test_pool__what_has_not_begun_can_be_canceled(void **state)
{
    (void)state;
    for (int b = 0; b < locals; b++)
        for (uint32_t limit = 0; limit < 2; limit++) {
            if (local[b] == DEJA_ASYNC && !limit)
                continue; /* all begin at once */
            deja_pool *p = fixture_open(1);
            deja_pool_function *f = fixture_define(
                p, (deja_pool_function_options){
                       .backend = local[b], .name = "nap", .function = nap, .max_running = limit});
            uint64_t first = fixture_submit_i64(p, f, 30), second = fixture_submit_i64(p, f, 1);
            assert_int_equal(deja_pool_cancel(p, second, 0), 1);
            assert_int_equal(deja_pool_cancel(p, second, 0), 0);
            deja_task_outcome o = fixture_next(p);
            assert_int_equal(o.task, second);
            assert_int_equal(o.code, DEJA_ECANCELED);
            assert_string_equal(o.text, "'nap': canceled");
            fixture_done(&o);
            o = fixture_next(p);
            assert_int_equal(o.task, first);
            assert_int_equal(o.code, 0);
            assert_int_equal(deja_pool_cancel(p, first, 0), 0);
            fixture_done(&o);
            fixture_submit_i64(p, f, 1);
            o = fixture_next(p);
            assert_int_equal(o.code, 0);
            fixture_done(&o);
            deja_pool_close(p);
        }
}

/* The mark comes while the function still runs; what it returns is dropped; close waits for it. */
static void test_pool__late_is_said_in_time(void **state)
{
    (void)state;
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(2);
        deja_pool_function *f =
            fixture_define(p, (deja_pool_function_options){
                                  .backend = local[b], .name = "nap", .function = counted, .timeout_ms = 50});
        now_running = 0;
        fixture_submit_i64(p, f, 400);
        deja_task_outcome o = fixture_next(p);
        assert_int_equal(o.code, DEJA_ETIMEDOUT);
        assert_string_equal(o.text, "'nap': timed out after 50 ms");
        assert_int_equal(now_running, local[b] == DEJA_INLINE ? 0 : 1);
        fixture_done(&o);
        fixture_submit_i64(p, f, 1);
        o = fixture_next(p);
        assert_int_equal(o.code, 0);
        fixture_done(&o);
        deja_pool_close(p);
        assert_int_equal(now_running, 0);
    }
}

static int hog(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)out, (void)err;
    usleep((useconds_t)arg->i64 * 1000);
    return 0;
}

/* Canceled while a backend holds them in its queue: each is reported once, and the queue stays whole. */
static void test_pool__queued_ones_are_canceled_in_any_order(void **state)
{
    (void)state;
    enum { count = 60 };
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(1);
        deja_pool_function *f = define(p, local[b], "hog", hog);
        uint64_t number[count];
        int canceled = 0, seen_canceled = 0;
        for (int i = 0; i < count; i++)
            number[i] = fixture_submit_i64(p, f, i ? 0 : 30);
        for (int i = 1; i < count; i += 2)
            canceled += deja_pool_cancel(p, number[i], 0);
        for (int i = 0; i < count; i++) {
            deja_task_outcome o = fixture_next(p);
            assert_true(o.code == 0 || o.code == DEJA_ECANCELED);
            seen_canceled += o.code == DEJA_ECANCELED;
            fixture_done(&o);
        }
        assert_int_equal(seen_canceled, canceled);
        assert_true(canceled > 0);
        deja_pool_close(p);
    }
}

static int failing_init(void *arg, deja_error *err)
{
    ++*(int *)arg;
    return deja_fail(err, DEJA_ENOTFOUND, "no model");
}

/* Behaviour 41: the initialiser runs before any task, once. */
static void test_pool__a_failed_initialiser_fails_each_task(void **state)
{
    (void)state;
    int calls = 0;
    deja_pool *p;
    deja_pool_options o = {.size = sizeof o,
                           .workers = 1,
                           .stage_folder = -1,
                           .no_process = 1,
                           .init = failing_init,
                           .init_arg = &calls};
    assert_int_equal(deja_pool_open(&p, &o, NULL), 0);
    for (int b = 0; b < locals; b++) {
        deja_pool_function *f = define(p, local[b], "triple", triple);
        fixture_submit_i64(p, f, 1);
        deja_task_outcome out = fixture_next(p);
        assert_int_equal(out.code, DEJA_ENOTFOUND);
        assert_string_equal(out.text, "initialiser: no model");
        fixture_done(&out);
        deja_value one = deja_i64(1);
        assert_int_equal(deja_pool_submit_here(p, f, &one, 1, NULL, NULL, NULL), 0);
        out = fixture_next(p);
        assert_int_equal(out.code, DEJA_ENOTFOUND);
        assert_string_equal(out.text, "initialiser: no model");
        fixture_done(&out);
    }
    assert_int_equal(calls, 1);
    deja_pool_close(p);
}

static const deja_pool *asked[2];

/* A pause lets other coroutines ask meanwhile. */
static int ask(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)err;
    int before = deja_pool_is_inside(asked[0]) + 10 * deja_pool_is_inside(asked[1]);
    deja_sleep_ms(5);
    int after = deja_pool_is_inside(asked[0]) + 10 * deja_pool_is_inside(asked[1]);
    return deja_return(out, deja_i64(before == after ? after : -1));
}

/* Owners of a pool call it one at a time. */
static pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER;

/* In this thread. Another one may take the outcome, which is the same for all. */
static int64_t ask_here(deja_pool *p, deja_pool_function *f)
{
    deja_pool_work work;
    deja_task_outcome o;
    pthread_mutex_lock(&owner);
    int rc = deja_pool_submit_here(p, f, NULL, 0, NULL, NULL, NULL);
    int taken = rc == 0 && deja_pool_work_take(p, &work);
    pthread_mutex_unlock(&owner);
    if (!taken)
        return -1;
    deja_pool_work_run(p, &work);
    pthread_mutex_lock(&owner);
    size_t got = deja_pool_take(p, &o, 1);
    pthread_mutex_unlock(&owner);
    return got ? o.product.scalar.i64 : -1;
}

static int ask_nested(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    int before = deja_pool_is_inside(asked[0]) + 10 * deja_pool_is_inside(asked[1]);
    int64_t inner = ask_here((deja_pool *)(uintptr_t)asked[1], (deja_pool_function *)(uintptr_t)arg->u64);
    int after = deja_pool_is_inside(asked[0]) + 10 * deja_pool_is_inside(asked[1]);
    return deja_return(out, deja_i64(before + 100 * inner + 10000 * after));
}

static deja_pool *open_apart(void)
{
    deja_pool *p = NULL;
    const deja_pool_options o = {
        .size = sizeof o, .workers = 2, .stage_folder = -1, .no_process = 1, .inline_apart = 1};
    assert_int_equal(deja_pool_open(&p, &o, NULL), 0);
    return p;
}

/* Two digits each: inside of the second pool, of the first. */
static void test_pool__a_task_knows_whose_it_is(void **state)
{
    enum { tasks = 20 };
    (void)state;
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(2), *q = open_apart();
        deja_pool_function *f = define(p, local[b], "ask_nested", ask_nested),
                           *g = define(q, local[b], "ask", ask);
        asked[0] = p;
        asked[1] = q;
        assert_int_equal(deja_pool_is_inside(p) + deja_pool_is_inside(q), 0);
        for (int i = 0; i < tasks; i++)
            fixture_submit_i64(p, f, (int64_t)(intptr_t)g);
        for (int i = 0; i < tasks; i++) {
            deja_task_outcome o = fixture_next(p);
            assert_int_equal(o.product.scalar.i64, 11101);
            fixture_done(&o);
        }
        assert_int_equal(deja_pool_is_inside(p) + deja_pool_is_inside(q), 0);
        deja_pool_close(p);
        deja_pool_close(q);
    }
}

static void test_pool__a_descriptor_tells_of_outcomes(void **state)
{
    (void)state;
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(1);
        deja_pool_function *f = define(p, local[b], "nap", nap);
        int fd = deja_pool_fd(p, NULL);
        assert_true(fd > 2);
        assert_int_equal(deja_pool_fd(p, NULL), fd);
        for (int i = 0; i < 3; i++)
            fixture_submit_i64(p, f, 10);
        for (int taken = 0; taken < 3;) {
            deja_task_outcome o;
            assert_true(deja_wait_fd(fd, DEJA_READABLE, fixture_patience_ms) > 0);
            if (deja_pool_take(p, &o, 1) == 1) {
                taken++;
                fixture_done(&o);
            }
        }
        deja_pool_close(p);
    }
}

static void test_pool__a_forked_child_is_told(void **state)
{
    (void)state;
    deja_pool *p = fixture_open(1);
    deja_pool_function *f = define(p, DEJA_THREAD, "triple", triple);
    fixture_submit_i64(p, f, 1);
    pid_t pid = fork();
    if (pid == 0) {
        deja_error err = {0};
        deja_value v = deja_i64(1);
        int rc = deja_pool_submit(p, f, &v, 1, NULL, NULL, &err);
        deja_pool_close(p);
        _exit(rc == DEJA_EFORK ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    deja_task_outcome o = fixture_next(p);
    assert_int_equal(o.product.scalar.i64, 3);
    fixture_done(&o);
    deja_pool_close(p);
}

static void test_pool__closes_with_work_left(void **state)
{
    (void)state;
    for (int b = 0; b < locals; b++) {
        deja_pool *p = fixture_open(2);
        deja_pool_function *f = fixture_define(
            p, (deja_pool_function_options){
                   .backend = local[b], .name = "pair", .function = pair, .max_running = b ? 0 : 5});
        deja_value args[2] = {deja_string("a"), deja_string("b")};
        for (int i = 0; i < 200; i++)
            fixture_submit(p, f, args, 2, NULL);
        deja_pool_close(p);
    }
}

static void test_pool__bad_calls_are_refused(void **state)
{
    (void)state;
    deja_error err = {0};
    deja_pool *p = NULL;
    deja_pool_function *f = NULL;
    deja_pool_options none = {0};
    assert_int_equal(deja_pool_open(&p, &none, &err), DEJA_EINVAL);
    p = fixture_open(1);
    deja_pool_function_options o = {.size = sizeof o, .backend = 9, .name = "f", .function = triple};
    assert_int_equal(deja_pool_define(p, &o, &f, &err), DEJA_EINVAL);
    o.backend = DEJA_PROCESS;
    assert_int_equal(deja_pool_define(p, &o, &f, &err), DEJA_EINVAL);
    assert_non_null(strstr(err.text, "without processes"));
    f = define(p, DEJA_THREAD, "triple", triple);
    deja_value bad = deja_value_of(77, 0);
    assert_true(deja_pool_submit(p, f, &bad, 1, NULL, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "'triple'"));
    assert_int_equal(deja_pool_cancel(p, 123456, 0), 0);
    deja_pool_close(p);
    deja_pool_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool__results_come_back_from_every_backend),
        cmocka_unit_test(test_pool__arguments_are_copied_and_large_results_whole),
        cmocka_unit_test(test_pool__arrays_are_returned_where_they_were_made),
        cmocka_unit_test(test_pool__errors_name_the_function),
        cmocka_unit_test(test_pool__works_on_after_failures),
        cmocka_unit_test(test_pool__no_more_run_together_than_allowed),
        cmocka_unit_test(test_pool__starts_are_spaced_evenly),
        cmocka_unit_test(test_pool__what_has_not_begun_can_be_canceled),
        cmocka_unit_test(test_pool__queued_ones_are_canceled_in_any_order),
        cmocka_unit_test(test_pool__late_is_said_in_time),
        cmocka_unit_test(test_pool__a_task_knows_whose_it_is),
        cmocka_unit_test(test_pool__a_failed_initialiser_fails_each_task),
        cmocka_unit_test(test_pool__a_descriptor_tells_of_outcomes),
        cmocka_unit_test(test_pool__a_forked_child_is_told),
        cmocka_unit_test(test_pool__closes_with_work_left),
        cmocka_unit_test(test_pool__bad_calls_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
