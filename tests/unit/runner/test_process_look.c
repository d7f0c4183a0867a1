/*
 * What tells nothing by itself: processes of a pool that somebody stopped.
 */
#include "processes.h"

#include <sys/wait.h>

static int64_t stopped[2]; /* to go on after a failure, too */

static char state_of(int64_t pid)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    fclose(f);
    return strrchr(line, ')')[2];
}

static void stop(int64_t pid)
{
    stopped[stopped[0] != 0] = pid;
    assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
    for (int i = 0; i < 5000 && state_of(pid) != 'T'; i++)
        poll(NULL, 0, 1);
    assert_int_equal(state_of(pid), 'T');
}

static int go_on(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        if (stopped[i] > 0)
            kill((pid_t)stopped[i], SIGCONT);
    stopped[0] = stopped[1] = 0;
    return 0;
}

static int twice(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    return deja_return(out, deja_i64(2 * arg->i64));
}

static int leave(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    _exit(3);
}

static int hang(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    for (;;)
        poll(NULL, 0, -1);
    return 0;
}

/* The zygote and two workers, which have nothing to do. */
static deja_pool *open_idle(int64_t pids[3], deja_pool_function **ret)
{
    deja_pool *p = processes_open(OPTIONS(.workers = 2, .grace_ms = 100));
    *ret = DEFINE(p, twice);
    processes_expect(processes_call(p, *ret, ARGS(deja_i64(1))), 2);
    processes_await(p, 3);
    assert_int_equal(deja_pool_pids(p, pids, 3), 3);
    return p;
}

static void test_process_look__a_stopped_worker_holds_up_nobody(void **state)
{
    (void)state;
    int64_t pids[3];
    deja_pool_function *f;
    deja_pool *p = open_idle(pids, &f);
    for (int w = 1; w < 3; w++) {
        stop(pids[w]);
        for (int64_t i = 0; i < 20; i++)
            processes_expect(processes_call(p, f, ARGS(deja_i64(i))), 2 * i);
        go_on(NULL);
    }
    deja_pool_close(p);
}

/* In the midst of a map, too: what it has not begun is done by the other one. */
static void test_process_look__a_stopped_zygote_goes_on(void **state)
{
    (void)state;
    int64_t pids[3];
    deja_pool_function *f;
    deja_pool *p = open_idle(pids, &f);
    stop(pids[0]);
    for (int i = 0; i < 3; i++)
        processes_expect_failure(processes_call(p, DEFINE(p, leave), NULL, 0), DEJA_EKILLED, "status 3");
    stop(pids[0]);
    processes_expect_failure(processes_call(p, DEFINE(p, hang, .timeout_ms = 20), NULL, 0), DEJA_ETIMEDOUT,
                             "after its limit of 20 ms");
    processes_expect(processes_call(p, f, ARGS(deja_i64(4))), 8);
    deja_pool_close(p);
}

static void test_process_look__a_stopped_pool_leaves_nothing(void **state)
{
    (void)state;
    int64_t pids[3];
    deja_pool_function *f;
    deja_pool *p = open_idle(pids, &f);
    stop(pids[0]);
    stop(pids[1]);
    deja_pool_close(p);
    assert_true(processes_gone(pids, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_process_look__a_stopped_worker_holds_up_nobody, go_on),
        cmocka_unit_test_teardown(test_process_look__a_stopped_zygote_goes_on, go_on),
        cmocka_unit_test_teardown(test_process_look__a_stopped_pool_leaves_nothing, go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
