/*
 * Sweeps through /proc.
 */
#include "commands.h"
#include "scratch.h"
#include "stray.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static pid_t start_marked(const char *mark, const char *text)
{
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        setenv("DEJA_RUN", mark, 1);
        execl("/bin/sh", "sh", "-c", text, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void expect_killed(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_stray__sweep_kills_the_marked_and_their_children_only(void **state)
{
    (void)state;
    stray_hunt hunt = {.run_id = commands_id()};
    char mark[100];
    snprintf(mark, sizeof mark, "outer:%s:inner", hunt.run_id);
    pid_t marked = start_marked(mark, "env -i setsid sh -c 'echo $$ >child; sleep 1000 & wait' & wait");
    pid_t other = start_marked("another-run", "echo $$ >other; exec sleep 1000");
    pid_t child = commands_wait_pid("child");
    commands_wait_pid("other");
    assert_true(stray_sweep(&hunt, 0) >= 3);
    expect_killed(marked);
    commands_wait_gone(child);
    stray_hunt_down(&hunt, commands_patience_ms);
    assert_int_equal(stray_sweep(&hunt, 1), 0);
    assert_true(commands_alive(other));
    kill(other, SIGKILL);
    expect_killed(other);
}

static void test_stray__sweep_kills_noted_groups_and_children_of_a_parent(void **state)
{
    (void)state;
    pid_t grouped = start_marked("no", "(echo $$ >a; sleep 1000) & wait");
    pid_t child = start_marked("no", "echo $$ >b; exec sleep 1000");
    commands_wait_pid("a");
    commands_wait_pid("b");
    _Atomic pid_t groups[3] = {0, grouped, 0};
    stray_hunt by_group = {.run_id = commands_id(), .group = groups, .groups = 3};
    assert_true(stray_sweep(&by_group, 0) >= 2);
    expect_killed(grouped);
    assert_true(commands_alive(child));
    stray_hunt by_parent = {.run_id = commands_id(), .parent = getpid()};
    assert_int_equal(stray_sweep(&by_parent, 0), 1);
    expect_killed(child);
}

/* A child of this name that waits to be killed. */
static pid_t start_named(const char *name)
{
    int ready[2];
    char c;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, name);
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void test_stray__odd_names_do_not_confuse(void **state)
{
    (void)state;
    stray_hunt hunt = {.run_id = commands_id(), .parent = getpid()};
    pid_t odd = start_named(") Z 1 1 (");
    assert_int_equal(stray_sweep(&hunt, 0), 1);
    expect_killed(odd);
}

static void test_stray__all_are_stopped_before_one_is_killed(void **state)
{
    (void)state;
    stray_hunt hunt = {.run_id = commands_id(), .parent = getpid()};
    pid_t pid[2] = {start_named("first"), start_named("second")};
    siginfo_t info = {0};
    kill(pid[0], SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)pid[0], &info, WSTOPPED | WNOWAIT), 0);
    assert_int_equal(stray_sweep(&hunt, 1), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitid(P_PID, (id_t)pid[i], &info, WSTOPPED | WEXITED | WNOWAIT), 0);
        assert_int_equal(info.si_code, CLD_STOPPED);
    }
    assert_int_equal(stray_sweep(&hunt, 1), 2);
    expect_killed(pid[0]);
    expect_killed(pid[1]);
}

static void *wait_for_ever(void *context)
{
    assert_int_equal(write(*(int *)context, "x", 1), 1);
    for (;;)
        pause();
    return NULL;
}

/* To /proc it is a zombie, yet its other thread runs. */
static void test_stray__a_process_whose_first_thread_has_ended_is_alive(void **state)
{
    (void)state;
    stray_hunt hunt = {.run_id = commands_id(), .parent = getpid()};
    int ready[2];
    char c;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_create(&thread, NULL, wait_for_ever, &ready[1]);
        syscall(SYS_exit, 0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    for (int tries = 0; commands_alive(pid); tries++) {
        assert_true(tries < commands_patience_ms);
        poll(NULL, 0, 1);
    }
    stray_hunt_down(&hunt, commands_patience_ms);
    expect_killed(pid);
    close(ready[0]);
    close(ready[1]);
}

static void test_stray__wardens_are_spared_for_a_while(void **state)
{
    (void)state;
    stray_hunt hunt = {.run_id = commands_id(), .parent = getpid()};
    pid_t own = start_named(STRAY_WARDEN_NAME), other = start_named(STRAY_WARDEN_NAME);
    hunt.warden = own;
    assert_int_equal(stray_sweep(&hunt, 1), 1);
    assert_true(commands_alive(own) && commands_alive(other));
    assert_int_equal(stray_sweep(&hunt, 0), 1);
    expect_killed(other);
    assert_true(commands_alive(own));
    other = start_named(STRAY_WARDEN_NAME);
    stray_hunt_down(&hunt, commands_patience_ms);
    expect_killed(other);
    assert_true(commands_alive(own));
    kill(own, SIGKILL);
    expect_killed(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stray__sweep_kills_the_marked_and_their_children_only,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_stray__sweep_kills_noted_groups_and_children_of_a_parent,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test(test_stray__odd_names_do_not_confuse),
        cmocka_unit_test(test_stray__all_are_stopped_before_one_is_killed),
        cmocka_unit_test(test_stray__a_process_whose_first_thread_has_ended_is_alive),
        cmocka_unit_test(test_stray__wardens_are_spared_for_a_while),
    };
    return cmocka_run_group_tests_name("stray", tests, NULL, NULL);
}
