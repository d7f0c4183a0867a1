/*
 * Workers are killed at random moments while tasks run: none is lost, none runs twice without being told of
 * as killed, and the pool keeps its size. A program that is killed leaves no process behind.
 */
#include "processes.h"

#include <fcntl.h>
#include <sys/wait.h>

enum { tasks = 20000, kills = 200, workers = 3 };

/* Counts itself in a file: an append of one record is whole or not there. */
static int count_me(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    int fd = open(arg[1].string, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, &arg[0].i64, 8) != 8)
        return deja_fail_errno(err, "count");
    close(fd);
    return deja_return(out, arg[0]);
}

static int sleep_long(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)err;
    deja_sleep_ms(60000);
    return deja_return(out, deja_null());
}

typedef struct tally {
    unsigned char told[tasks], killed[tasks];
    int count, losses;
} tally;

static void take_all(deja_pool *p, tally *t)
{
    deja_task_outcome o;
    while (deja_pool_take(p, &o, 1)) {
        intptr_t i = (intptr_t)o.user;
        assert_int_equal(t->told[i]++, 0);
        if (o.code == DEJA_EKILLED) {
            assert_int_equal(o.signal, SIGKILL);
            t->killed[i] = 1;
            t->losses++;
        } else {
            assert_int_equal(o.code, 0);
            assert_int_equal(o.product.scalar.i64, i);
        }
        t->count++;
        processes_done(&o);
    }
}

static void kill_one(deja_pool *p)
{
    int64_t pids[workers + 1];
    size_t n = deja_pool_pids(p, pids, workers + 1);
    if (n > 1)
        kill((pid_t)pids[1 + (size_t)rand() % (n - 1)], SIGKILL);
}

static void check_calls(const char *path, const tally *t)
{
    static unsigned char calls[tasks];
    int fd = open(path, O_RDONLY);
    for (int64_t i; read(fd, &i, 8) == 8;)
        calls[i]++;
    close(fd);
    for (int i = 0; i < tasks; i++) {
        assert_int_equal(t->told[i], 1);
        assert_true(t->killed[i] ? calls[i] <= 1 : calls[i] == 1);
    }
}

static void test_pool_kill__no_task_is_lost_or_doubled(void **state)
{
    (void)state;
    static tally t;
    char path[] = "/tmp/deja-test-XXXXXX";
    close(mkstemp(path));
    srand(11);
    deja_pool *p = processes_open(OPTIONS(.workers = workers));
    deja_pool_function *f = DEFINE(p, count_me);
    int killed = 0;
    int64_t end = deja_monotonic_ns(NULL) + 100 * DEJA_S_NS;
    for (int next = 0; t.count < tasks && deja_monotonic_ns(NULL) < end;) {
        uint32_t seen = deja_pool_seen(p);
        for (int i = 0; i < 100 && next < tasks && next - t.count < 60; i++, next++)
            processes_submit(p, f, ARGS(deja_i64(next), deja_string(path)), (void *)(intptr_t)next);
        take_all(p, &t);
        if (killed < kills && t.count > killed * (tasks / kills) / 2) {
            for (int spin = rand() % 3000; spin > 0; spin--)
                seen = deja_pool_seen(p);
            kill_one(p);
            killed++;
        }
        deja_pool_wait(p, seen, 100);
    }
    assert_int_equal(t.count, tasks);
    assert_int_equal(killed, kills);
    assert_true(t.losses > 0 && t.losses <= kills);
    check_calls(path, &t);
    unlink(path);
    processes_await(p, workers + 1);
    deja_pool_close(p);
}

/* In another process: what it leaves is nobody's. */
static void run_program(int out)
{
    int64_t pids[workers + 1] = {0};
    deja_pool *p = processes_open(OPTIONS(.workers = workers));
    deja_pool_function *f = DEFINE(p, sleep_long);
    for (int i = 0; i < 2 * workers; i++)
        processes_submit(p, f, NULL, 0, NULL);
    processes_await(p, workers + 1);
    deja_pool_pids(p, pids, workers + 1);
    if (write(out, pids, sizeof pids) != sizeof pids)
        _exit(1);
    poll(NULL, 0, 60000);
    _exit(2);
}

static void test_pool_kill__a_killed_program_leaves_no_process(void **state)
{
    (void)state;
    int out[2];
    int64_t pids[workers + 1];
    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0)
        run_program(out[1]);
    assert_int_equal(read(out[0], pids, sizeof pids), sizeof pids);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(processes_gone(pids, workers + 1));
    close(out[0]);
    close(out[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_kill__no_task_is_lost_or_doubled),
        cmocka_unit_test(test_pool_kill__a_killed_program_leaves_no_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
