/* An initialiser whose program is killed: it ends, too, whatever it does. */
#include "processes.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static int says[2]; /* a pipe whose writing end lives as long as one of the processes */

static void say(void)
{
    if (write(says[1], "i", 1) != 1)
        abort();
}

static int loop(void *arg, deja_error *err)
{
    (void)arg, (void)err;
    say();
    for (volatile int go = 1; go;)
        ;
    return 0;
}

static int ignore_all(void *arg, deja_error *err)
{
    (void)arg, (void)err;
    for (int i = 1; i < SIGRTMIN; i++)
        sigaction(i, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    if (fork() != 0) /* both stay, as one group */
        say();
    while (pause() < 0)
        ;
    return 0;
}

static int stop(void *arg, deja_error *err)
{
    (void)arg, (void)err;
    say();
    raise(SIGSTOP);
    return 0;
}

/* 1: all writers are gone. */
static int wait_for_end(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;
    return poll(&p, 1, processes_patience_ms) == 1 && read(fd, &byte, 1) == 0;
}

static void check_killed(int (*init)(void *arg, deja_error *err), int signal)
{
    char byte;
    assert_int_equal(pipe(says), 0);
    pid_t program = fork();
    if (program == 0) {
        deja_pool *p;
        close(says[0]);
        deja_pool_open(&p, OPTIONS(.workers = 1, .init = init), NULL);
        _exit(0);
    }
    close(says[1]);
    assert_int_equal(read(says[0], &byte, 1), 1);
    assert_int_equal(kill(program, signal), 0);
    assert_int_equal(waitpid(program, NULL, 0), program);
    assert_true(wait_for_end(says[0]));
    close(says[0]);
}

static void test_init_guard__ends_what_loops(void **state)
{
    (void)state;
    check_killed(loop, SIGKILL);
    check_killed(loop, SIGTERM);
}

static void test_init_guard__ends_what_ignores_signals(void **state)
{
    (void)state;
    check_killed(ignore_all, SIGKILL);
}

static void test_init_guard__ends_what_is_stopped(void **state)
{
    (void)state;
    check_killed(stop, SIGKILL);
}

static int quick(void *arg, deja_error *err)
{
    (void)arg, (void)err;
    return 0;
}

/* Orphans are ours here: the first one that ends is the guard, while the zygote lives. */
static void test_init_guard__ends_with_the_initialiser(void **state)
{
    (void)state;
    int64_t zygote;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    deja_pool *p = processes_open(OPTIONS(.workers = 1, .init = quick));
    assert_int_equal(deja_pool_pids(p, &zygote, 1), 1);
    pid_t guard = waitpid(-1, NULL, 0);
    assert_true(guard > 0 && guard != zygote);
    deja_pool_close(p);
    assert_int_equal(waitpid(-1, NULL, 0), zygote);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_guard__ends_what_loops),
        cmocka_unit_test(test_init_guard__ends_what_ignores_signals),
        cmocka_unit_test(test_init_guard__ends_what_is_stopped),
        cmocka_unit_test(test_init_guard__ends_with_the_initialiser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
