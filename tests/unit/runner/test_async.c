/*
 * Coroutines: masses of waits at once, descriptors, late ones, blocking ones, overflowing ones.
 */
#include "no_process.h"
#include "pool_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#if defined(__SANITIZE_THREAD__)
enum { many = 1000 }; /* ThreadSanitizer knows some 8,000 fibers */
#elif defined(__SANITIZE_ADDRESS__)
enum { many = 5000 };
#else
enum { many = 100000 };
#endif

static _Atomic int alive;

static int waits(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    alive++;
    errno = (int)(arg->i64 % 100) + 1;
    for (int i = 0; i < 3; i++)
        deja_sleep_ms(20);
    alive--;
    if (errno != (int)(arg->i64 % 100) + 1)
        return deja_fail(err, DEJA_EIO, "errno became %d", errno);
    return deja_return(out, deja_i64(arg->i64 + 1));
}

/* Ends when all are there. */
static int gathers(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    alive++;
    errno = (int)(arg->i64 % 100) + 1;
    for (int i = 0; alive < many && i < 100; i++)
        deja_sleep_ms(100);
    if (errno != (int)(arg->i64 % 100) + 1 || alive != many)
        return deja_fail(err, DEJA_EIO, "errno became %d, %d are there", errno, alive);
    return deja_return(out, deja_i64(arg->i64 + 1));
}

static deja_pool_function *define(deja_pool *p, const char *name, deja_job_fn fn)
{
    return fixture_define(p,
                          (deja_pool_function_options){.backend = DEJA_ASYNC, .name = name, .function = fn});
}

/* All are there at once, each keeps its errno and its result, and none is lost. */
static void test_async__masses_wait_together(void **state)
{
    (void)state;
    deja_pool *p = fixture_open(1);
    deja_pool_function *f = define(p, "gathers", gathers);
    alive = 0;
    uint64_t sum = 0;
    for (int64_t i = 0; i < many; i++)
        fixture_submit_i64(p, f, i);
    for (int64_t i = 0; i < many; i++) {
        deja_task_outcome o = fixture_next(p);
        assert_int_equal(o.code, 0);
        assert_int_equal(o.product.scalar.i64, (int64_t)(intptr_t)o.user + 1);
        sum += (uint64_t)o.product.scalar.i64;
        fixture_done(&o);
    }
    assert_int_equal(sum, (uint64_t)many * (many + 1) / 2);
    deja_pool_close(p);
}

static deja_map_run *begin_map(deja_pool *p, deja_pool_function *f, deja_map_task *m, deja_value *rows)
{
    deja_error err;
    deja_map_run *r;
    m->size = sizeof *m;
    m->columns = 1;
    m->rows = rows;
    for (uint64_t i = 0; i < m->count; i++)
        rows[i] = deja_i64(1);
    if (deja_pool_map_begin(p, f, m, &r, &err) < 0)
        fail_msg("%s", err.text);
    return r;
}

/* As many items of a map as its function asks for. */
static void test_async__a_map_waits_together(void **state)
{
    (void)state;
    static deja_value rows[many];
    deja_pool *p = fixture_open(1);
    deja_pool_function *f = fixture_define(
        p, (deja_pool_function_options){
               .backend = DEJA_ASYNC, .name = "gathers", .function = gathers, .max_running = many});
    deja_map_task m = {.count = many};
    alive = 0;
    deja_map_run *r = begin_map(p, f, &m, rows);
    fixture_finish(p, r, many);
    for (uint64_t i = 0; i < many; i++)
        assert_int_equal(deja_map_run_item(r, i, NULL, NULL), 0);
    deja_map_run_free(r);
    deja_pool_close(p);
}

/* A ring of socket pairs: each waits for the byte of the one before. */
typedef struct link_fds {
    int in, out;
} link_fds;

static int pass_on(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    const link_fds *l = arg->bytes;
    char c = 0;
    int ready = deja_wait_fd(l->in, DEJA_READABLE, -1);
    if (ready != DEJA_READABLE || read(l->in, &c, 1) != 1)
        return deja_fail(err, DEJA_EIO, "ready %d", ready);
    c++;
    if (deja_wait_fd(l->out, DEJA_WRITABLE, 1000) <= 0 || write(l->out, &c, 1) != 1)
        return deja_fail(err, DEJA_EIO, "write");
    return deja_return(out, deja_i64(c));
}

static void test_async__descriptors_wake_their_waiters(void **state)
{
    (void)state;
    enum { links = 50 };
    deja_pool *p = fixture_open(1);
    deja_pool_function *f = define(p, "pass_on", pass_on);
    int pair[links + 1][2];
    for (int i = 0; i <= links; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair[i]), 0);
    for (int i = 0; i < links; i++) {
        link_fds l = {pair[i][1], pair[i + 1][0]};
        deja_value v = deja_bytes(&l, sizeof l);
        fixture_submit(p, f, &v, 1, NULL);
    }
    assert_int_equal(write(pair[0][0], "\0", 1), 1);
    for (int i = 0; i < links; i++) {
        deja_task_outcome o = fixture_next(p);
        assert_int_equal(o.code, 0);
        assert_int_equal(o.product.scalar.i64, i + 1);
        fixture_done(&o);
    }
    char c = 0;
    assert_int_equal(read(pair[links][1], &c, 1), 1);
    assert_int_equal(c, links);
    for (int i = 0; i <= links; i++) {
        close(pair[i][0]);
        close(pair[i][1]);
    }
    deja_pool_close(p);
}

static int wait_for(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)err;
    return deja_return(out,
                       deja_i64(deja_wait_fd((int)arg[0].i64, (int)arg[1].i64, n > 2 ? arg[2].i64 : -1)));
}

static int64_t wait_result(deja_pool *p, deja_pool_function *f, int fd, int events, int64_t timeout_ms)
{
    deja_value v[3] = {deja_i64(fd), deja_i64(events), deja_i64(timeout_ms)};
    fixture_submit(p, f, v, 3, NULL);
    deja_task_outcome o = fixture_next(p);
    int64_t result = o.product.scalar.i64;
    fixture_done(&o);
    return result;
}

/* The same answers in a coroutine, in a thread and in the caller. */
static void test_async__waits_answer_alike_everywhere(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {DEJA_ASYNC, DEJA_THREAD, DEJA_INLINE};
    for (int k = 0; k < 3; k++) {
        deja_pool *p = fixture_open(1);
        deja_pool_function *f = fixture_define(
            p, (deja_pool_function_options){.backend = kinds[k], .name = "wait_for", .function = wait_for});
        int pair[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(wait_result(p, f, pair[0], DEJA_READABLE, 5), 0);
        assert_int_equal(wait_result(p, f, pair[0], DEJA_READABLE, 0), 0);
        assert_int_equal(wait_result(p, f, pair[0], DEJA_WRITABLE, -1), DEJA_WRITABLE);
        assert_int_equal(wait_result(p, f, pair[0], DEJA_READABLE | DEJA_WRITABLE, -1), DEJA_WRITABLE);
        assert_int_equal(wait_result(p, f, file, DEJA_READABLE, -1), DEJA_READABLE);
        assert_int_equal(wait_result(p, f, 1000000, DEJA_READABLE, 5), DEJA_EINVAL);
        assert_int_equal(wait_result(p, f, -1, DEJA_READABLE, 5), DEJA_EINVAL);
        assert_int_equal(wait_result(p, f, pair[0], 0, 5), DEJA_EINVAL);
        close(pair[1]);
        assert_int_equal(wait_result(p, f, pair[0], DEJA_READABLE, -1), DEJA_READABLE | DEJA_WRITABLE);
        close(pair[0]);
        close(file);
        deja_pool_close(p);
    }
}

static void test_async__one_waiter_for_a_descriptor_and_direction(void **state)
{
    (void)state;
    deja_pool *p = fixture_open(1);
    deja_pool_function *f = define(p, "wait_for", wait_for);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    deja_value v[2] = {deja_i64(pair[0]), deja_i64(DEJA_READABLE)};
    uint64_t first = fixture_submit(p, f, v, 2, NULL);
    fixture_submit(p, f, v, 2, NULL);
    deja_task_outcome o = fixture_next(p);
    assert_true(o.task != first);
    assert_int_equal(o.product.scalar.i64, DEJA_EBUSY);
    fixture_done(&o);
    assert_int_equal(write(pair[1], "x", 1), 1);
    o = fixture_next(p);
    assert_int_equal(o.task, first);
    assert_int_equal(o.product.scalar.i64, DEJA_READABLE);
    fixture_done(&o);
    close(pair[0]);
    close(pair[1]);
    deja_pool_close(p);
}

static void test_async__a_kill_ends_a_wait(void **state)
{
    (void)state;
    deja_pool *p = fixture_open(1);
    deja_pool_function *f = define(p, "wait_for", wait_for);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    deja_value v[2] = {deja_i64(pair[0]), deja_i64(DEJA_READABLE)}, none[2] = {deja_i64(-1), deja_i64(0)};
    uint64_t number = fixture_submit(p, f, v, 2, NULL);
    fixture_submit(p, f, none, 2, NULL);
    deja_task_outcome o = fixture_next(p); /* of the second: so the first has begun */
    assert_true(o.task != number);
    fixture_done(&o);
    assert_int_equal(deja_pool_cancel(p, number, 1), 0);
    o = fixture_next(p);
    assert_int_equal(o.task, number);
    assert_int_equal(o.product.scalar.i64, DEJA_ECANCELED);
    fixture_done(&o);
    close(pair[0]);
    close(pair[1]);
    deja_pool_close(p);
}

static int spins(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)out, (void)err;
    int64_t end = deja_monotonic_ns(NULL) + arg->i64 * DEJA_MS_NS;
    while (deja_monotonic_ns(NULL) < end)
        continue;
    return 0;
}

static int ticks(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)out, (void)err;
    for (int64_t i = 0; i < arg->i64; i++)
        deja_sleep_ms(1);
    return 0;
}

/* Items that do not wait: others have their turns between them. */
static void test_async__a_map_takes_turns(void **state)
{
    (void)state;
    enum { items = 500 };
    static deja_value rows[items];
    deja_pool *p = fixture_open(1);
    deja_pool_function *f =
        fixture_define(p, (deja_pool_function_options){
                              .backend = DEJA_ASYNC, .name = "spins", .function = spins, .max_running = 1});
    deja_map_task m = {.count = items};
    deja_map_run *r = begin_map(p, f, &m, rows);
    fixture_submit_i64(p, define(p, "ticks", ticks), 5);
    deja_task_outcome o = fixture_next(p);
    assert_true(deja_map_run_done(r) < items);
    fixture_done(&o);
    fixture_finish(p, r, items);
    deja_map_run_free(r);
    deja_pool_close(p);
}

static void keep_warning(void *context, const char *text)
{
    char *kept = context;
    strcat(kept, text);
    strcat(kept, "\n");
}

static void test_async__who_blocks_is_named_once(void **state)
{
    (void)state;
    char warnings[4096] = "";
    deja_pool *p;
    deja_pool_options o = {.size = sizeof o,
                           .workers = 1,
                           .stage_folder = -1,
                           .no_process = 1,
                           .warn = keep_warning,
                           .warn_context = warnings};
    assert_int_equal(deja_pool_open(&p, &o, NULL), 0);
    deja_pool_function *f = define(p, "hog", spins);
    for (int i = 0; i < 3; i++)
        fixture_submit_i64(p, f, 120);
    for (int i = 0; i < 3; i++) {
        deja_task_outcome out = fixture_next(p);
        fixture_done(&out);
    }
    deja_task_outcome none;
    deja_pool_take(p, &none, 1);
    assert_non_null(strstr(warnings, "'hog' ran for 1"));
    assert_null(strstr(strstr(warnings, "'hog'") + 1, "'hog'"));
    deja_pool_close(p);
}

static _Atomic int may_end;

/* Until the test has seen its name; some 20 s at most. */
static int never_waits(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    for (int i = 0; i < 20000 && !may_end; i++)
        usleep(1000);
    return may_end ? 0 : deja_fail(err, DEJA_EINVAL, "nobody named it");
}

/* Nothing else comes from it: whoever waits for anything else sees it while it runs, and that it is late. */
static void test_async__who_never_waits_is_named_meanwhile(void **state)
{
    (void)state;
    char warnings[4096] = "";
    deja_pool *p;
    deja_task_outcome out;
    deja_pool_options o = {.size = sizeof o,
                           .workers = 1,
                           .stage_folder = -1,
                           .no_process = 1,
                           .warn = keep_warning,
                           .warn_context = warnings};
    assert_int_equal(deja_pool_open(&p, &o, NULL), 0);
    may_end = 0;
    fixture_submit_i64(p, define(p, "stuck", never_waits), 1);
    for (int i = 0; i < 200 && !warnings[0]; i++) {
        uint32_t seen = deja_pool_seen(p);
        assert_int_equal(deja_pool_take(p, &out, 1), 0);
        deja_pool_wait(p, seen, 100);
    }
    assert_non_null(strstr(warnings, "'stuck' ran for "));
    may_end = 1;
    out = fixture_next(p);
    assert_int_equal(out.code, 0);
    fixture_done(&out);
    may_end = 0;
    deja_pool_function *f = fixture_define(
        p, (deja_pool_function_options){
               .backend = DEJA_ASYNC, .name = "late", .function = never_waits, .timeout_ms = 10});
    fixture_submit_i64(p, f, 1);
    out = fixture_next(p);
    assert_int_equal(out.code, DEJA_ETIMEDOUT);
    fixture_done(&out);
    may_end = 1;
    deja_pool_close(p);
}

/* Deeper than the stack, but within the memory of its neighbours. The call by a volatile pointer and the use
 * of `local` after it keep the compiler from making it a loop. */
static int overflows(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    static const volatile deja_job_fn again = overflows;
    volatile char local[1024];
    memset((char *)local, 'x', sizeof local);
    deja_value less = deja_i64(arg->i64 - 1);
    int rc = arg->i64 > 0 ? again(&less, n, out, err) : 0;
    return rc + (local[arg->i64] != 'x');
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void overflow_in_child(int report)
{
    struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    dup2(report, STDERR_FILENO);
    deja_pool *p = fixture_open(1);
    deja_pool_function *f = define(p, "overflows", overflows), *neighbour = define(p, "waits", waits);
    for (int i = 0; i < 4; i++)
        fixture_submit_i64(p, neighbour, 0);
    fixture_submit_i64(p, f, 20);
    for (int i = 0; i < 5; i++)
        fixture_next(p);
    _exit(0);
}
#endif

static void test_async__an_overflow_is_named(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)overflows;
    skip(); /* stacks are larger there */
#else
    int report[2], status;
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        overflow_in_child(report[1]);
    close(report[1]);
    char text[512] = "";
    assert_true(read(report[0], text, sizeof text - 1) > 0);
    close(report[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "coroutine 'overflows' overflowed its stack of 16384 bytes"));
#endif
}

/* Memory of stacks goes back when nothing runs for a while; the next ones work as before. */
static void test_async__works_on_after_a_pause(void **state)
{
    (void)state;
    deja_pool *p = fixture_open(1);
    deja_pool_function *f = define(p, "waits", waits);
    for (int round = 0; round < 2; round++) {
        for (int64_t i = 0; i < 100; i++)
            fixture_submit_i64(p, f, i);
        for (int64_t i = 0; i < 100; i++) {
            deja_task_outcome o = fixture_next(p);
            assert_int_equal(o.code, 0);
            fixture_done(&o);
        }
        usleep(250 * 1000);
    }
    deja_pool_close(p);
}

static void test_async__close_waits_for_what_runs(void **state)
{
    (void)state;
    deja_pool *p = fixture_open(1);
    deja_pool_function *f = define(p, "waits", waits);
    alive = 0;
    for (int64_t i = 0; i < 300; i++)
        fixture_submit_i64(p, f, i);
    while (!alive)
        usleep(1000);
    deja_pool_close(p);
    assert_int_equal(alive, 0);
}

static int sleep_long(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    deja_sleep_ms(arg->i64);
    return deja_return(out, *arg);
}

/* What was submitted and has not begun is left, what lives ends; meanwhile the loop sleeps. The limit is half
 * of what a loop that never sleeps takes. */
static void test_async__close_sleeps_over_what_is_late(void **state)
{
    enum { nap_ms = 600 };
    (void)state;
    deja_pool *p = fixture_open(2);
    deja_pool_function *f = fixture_define(
        p, (deja_pool_function_options){
               .backend = DEJA_ASYNC, .name = "sleep_long", .function = sleep_long, .timeout_ms = 20});
    struct timespec before, after;
    fixture_submit_i64(p, f, nap_ms);
    deja_task_outcome o = fixture_next(p);
    assert_int_equal(o.code, DEJA_ETIMEDOUT);
    fixture_done(&o);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    deja_pool_close(p);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t used_ns = (after.tv_sec - before.tv_sec) * DEJA_S_NS + after.tv_nsec - before.tv_nsec;
    assert_true(used_ns < nap_ms / 2 * DEJA_MS_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_async__masses_wait_together),
        cmocka_unit_test(test_async__a_map_waits_together),
        cmocka_unit_test(test_async__a_map_takes_turns),
        cmocka_unit_test(test_async__descriptors_wake_their_waiters),
        cmocka_unit_test(test_async__waits_answer_alike_everywhere),
        cmocka_unit_test(test_async__one_waiter_for_a_descriptor_and_direction),
        cmocka_unit_test(test_async__a_kill_ends_a_wait),
        cmocka_unit_test(test_async__who_blocks_is_named_once),
        cmocka_unit_test(test_async__who_never_waits_is_named_meanwhile),
        cmocka_unit_test(test_async__an_overflow_is_named),
        cmocka_unit_test(test_async__works_on_after_a_pause),
        cmocka_unit_test(test_async__close_sleeps_over_what_is_late),
        cmocka_unit_test(test_async__close_waits_for_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
