/* signals.h: signals as something to poll for. Each case puts the process back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "signals.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH};
enum { WANTED = sizeof wanted / sizeof *wanted };

static void set_action(int sig, void (*handler)(int))
{
    const struct sigaction action = {.sa_handler = handler};
    assert_int_equal(sigaction(sig, &action, NULL), 0);
}

/* Whoever started this test may have had signals ignored. */
static int setup(void **state)
{
    sigset_t none;
    (void)state;
    for (int i = 0; i < WANTED; i++)
        set_action(wanted[i], SIG_DFL);
    set_action(SIGPIPE, SIG_DFL);
    set_action(SIGXFSZ, SIG_DFL);
    sigemptyset(&none);
    return pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static signals open_signals(void)
{
    signals s = {.fd = -1};
    assert_int_equal(signals_open(&s, NULL), 0);
    assert_true(s.fd >= 0);
    return s;
}

static int readable(const signals *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    return poll(&p, 1, 0);
}

static int is_blocked(int sig)
{
    sigset_t set;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, sig);
}

static void test_signals__are_read_one_by_one(void **state)
{
    (void)state;
    signals s = open_signals();
    assert_int_equal(signals_take(&s), 0);
    for (int i = 0; i < WANTED; i++) {
        assert_int_equal(readable(&s), 0);
        assert_int_equal(raise(wanted[i]), 0);
        assert_int_equal(readable(&s), 1);
        assert_int_equal(signals_take(&s), wanted[i]);
        assert_int_equal(signals_take(&s), 0);
    }
    assert_int_equal(raise(SIGTERM) | raise(SIGINT), 0);
    int first = signals_take(&s), second = signals_take(&s);
    assert_int_equal(first + second, SIGTERM + SIGINT);
    assert_int_not_equal(first, second);
    signals_close(&s);
}

static void test_signals__of_another_kind_are_left_alone(void **state)
{
    (void)state;
    signals s = open_signals();
    assert_int_equal(is_blocked(SIGTERM), 1);
    assert_int_equal(is_blocked(SIGQUIT), 0);
    assert_int_equal(is_blocked(SIGCHLD), 0);
    assert_int_equal(fcntl(s.fd, F_GETFD), FD_CLOEXEC);
    signals_close(&s);
}

static void test_signals__that_were_ignored_stay_ignored(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        set_action(wanted[i], SIG_IGN);
        signals s = open_signals();
        assert_int_equal(is_blocked(wanted[i]), 0);
        assert_int_equal(raise(wanted[i]), 0);
        assert_int_equal(signals_take(&s), 0);
        signals_close(&s);
        setup(NULL);
    }
    set_action(SIGWINCH, SIG_IGN); /* says nothing about what a program of ours is to do */
    signals s = open_signals();
    assert_int_equal(raise(SIGWINCH), 0);
    assert_int_equal(signals_take(&s), SIGWINCH);
    signals_close(&s);
}

static void test_signals__of_failing_writes_are_errors(void **state)
{
    (void)state;
    int ends[2];
    signals s = open_signals();
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
    assert_int_equal(raise(SIGXFSZ), 0);
    signals_close(&s);
}

static void test_signals__the_mask_before_is_kept_for_jobs(void **state)
{
    (void)state;
    sigset_t usr;
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr, NULL), 0);
    signals s = open_signals();
    assert_int_equal(sigismember(&s.old, SIGUSR1), 1);
    assert_int_equal(sigismember(&s.old, SIGTERM), 0);
    signals_close(&s);
    assert_int_equal(s.fd, -1);
    signals_close(&s);
}

static void test_signals__without_a_descriptor_nothing_is_blocked(void **state)
{
    (void)state;
    struct rlimit before, none;
    signals s = {.fd = -1};
    deja_error err = {0};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int status = signals_open(&s, &err), quiet = signals_open(&s, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, DEJA_ERESOURCE);
    assert_int_equal(quiet, DEJA_ERESOURCE);
    assert_int_equal(err.sys_errno, EMFILE);
    assert_int_equal(is_blocked(SIGTERM), 0);
    signals_close(&s);
}

/* In a group of its own, whose parent is outside of it: else nobody could continue it, and it would not stop.
 */
static void stop_and_go_on(void)
{
    signals s = {.fd = -1};
    if (setpgid(0, 0) || signals_open(&s, NULL))
        _exit(1);
    signals_stop();
    _exit(is_blocked(SIGTSTP) ? 7 : 2);
}

static void test_signals__stop_ends_when_it_is_continued(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();
    if (pid == 0)
        stop_and_go_on();
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(WSTOPSIG(status), SIGTSTP);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_signals__are_read_one_by_one, setup),
        cmocka_unit_test_setup(test_signals__of_another_kind_are_left_alone, setup),
        cmocka_unit_test_setup(test_signals__that_were_ignored_stay_ignored, setup),
        cmocka_unit_test_setup(test_signals__of_failing_writes_are_errors, setup),
        cmocka_unit_test_setup(test_signals__the_mask_before_is_kept_for_jobs, setup),
        cmocka_unit_test_setup(test_signals__without_a_descriptor_nothing_is_blocked, setup),
        cmocka_unit_test_setup(test_signals__stop_ends_when_it_is_continued, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
