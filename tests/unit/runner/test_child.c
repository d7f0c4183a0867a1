/*
 * Starting a child when something is short: descriptors, processes, memory. Nothing is lost and nothing
 * leaks.
 */
#include "child.h"
#include "commands.h"
#include "failing_alloc.h"
#include "scratch.h"
#include "stray.h"
#include "table.h"

#include <deja/memory.h>
#include <grp.h>
#include <sys/epoll.h>
#include <sys/resource.h>

static const char *const hello[] = {"/bin/sh", "-c", "echo hello; echo world >&2", NULL};

static int open_runner(deja_runner **r, deja_error *err)
{
    deja_runner_options options = {.size = sizeof options, .owns_children = 1, .run_id = commands_id()};
    return deja_runner_open(r, &options, err);
}

/* 0 when all went well, else the code of the step that failed. */
static int scenario(void)
{
    deja_error err = {0};
    deja_runner *r = NULL;
    deja_outcome o;
    int rc = open_runner(&r, &err);
    if (rc == 0)
        rc = commands_try(r, hello, NULL, &err);
    if (rc == 0) {
        assert_int_equal(deja_runner_next(r, commands_patience_ms, &o, &err), 1);
        assert_int_equal(o.status, 0);
        assert_int_equal(o.out.len + o.out.lost, 6);
        assert_int_equal(o.err.len + o.err.lost, 6);
        assert_int_equal(o.out.lost, 0);
        deja_outcome_done(&o);
    }
    assert_true(rc == 0 || err.text[0]);
    deja_runner_close(r);
    return rc;
}

static void test_child__any_allocation_may_fail(void **state)
{
    (void)state;
    int before = commands_count_fds(), failed = 0;
    for (long n = 1;; n++) {
        failing_alloc_at(n);
        int rc = scenario();
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_true(rc == 0 || rc == DEJA_ENOMEM || rc == DEJA_ERESOURCE);
        assert_int_equal(commands_count_fds(), before);
        assert_false(commands_have_children());
        failed += rc != 0;
        if (!hits)
            break;
    }
    assert_true(failed > 3);
}

/* The epoll set, the timer, two pipes and the pidfd are what one job at a time needs; the warden does
 * without. */
enum { needed_descriptors = 7, some_descriptors = 40 };

static void test_child__any_number_of_free_descriptors_ends_cleanly(void **state)
{
    (void)state;
    struct rlimit before, few;
    int filler[some_descriptors], fillers = 0, fd;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = some_descriptors, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        filler[fillers++] = fd;
    for (int available = 0; available < 2 * needed_descriptors; available++) {
        int rc = scenario();
        assert_int_equal(rc, available < needed_descriptors ? DEJA_ERESOURCE : 0);
        close(filler[--fillers]);
        assert_int_equal(fcntl(filler[fillers], F_GETFD), -1);
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest free one: nothing leaked below it */
        assert_int_equal(fd, filler[fillers]);
        close(fd);
    }
    while (fillers > 0)
        close(filler[--fillers]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* As an ordinary user: root has no limit. */
static void no_more_processes(void)
{
    struct rlimit none = {0};
    deja_error err = {0};
    deja_runner *r = NULL;
    if ((getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)) ||
        setrlimit(RLIMIT_NPROC, &none) < 0 || open_runner(&r, &err) < 0)
        _exit(1);
    int rc = commands_try(r, hello, NULL, &err);
    int ok = rc == DEJA_ERESOURCE && err.sys_errno == EAGAIN && deja_runner_running(r) == 0;
    deja_runner_close(r);
    _exit(ok ? 0 : 2);
}

static void test_child__no_more_processes_is_a_lack_of_resources(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();
    if (pid == 0)
        no_more_processes();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_child__a_spool_that_fails_does_not_fail_the_job(void **state)
{
    (void)state;
    struct rlimit before, few;
    deja_runner *r = commands_open_with((deja_runner_options){.owns_children = 1, .capture_limit = 100000});
    commands_shell(r, "head -c 300000 /dev/zero; echo end >&2", NULL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    deja_outcome o = commands_next(r);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.out.len, 300000);
    assert_int_equal(o.out.error, DEJA_ERESOURCE);
    assert_int_equal(o.err.error, 0);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

/* The program may wait for anything; then nobody knows the status. */
static void test_child__a_status_that_the_program_took_is_unknown(void **state)
{
    (void)state;
    deja_runner *r = commands_open_with((deja_runner_options){.owns_children = 0});
    commands_shell(r, "exit 3", NULL);
    assert_true(wait(NULL) > 0);
    deja_outcome o = commands_next(r);
    assert_int_equal(o.status, -1);
    assert_int_equal(o.signal, 0);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

/* The exit may be seen before the last output: then it is taken from the pipe, whoever else holds that. */
static void test_child__output_is_drained_at_the_exit(void **state)
{
    (void)state;
    char mark[64] = "DEJA_RUN=drain";
    child_host host = {.epoll = epoll_create1(EPOLL_CLOEXEC),
                       .store.limit = 1 << 20,
                       .mark = mark,
                       .mark_len = strlen(mark),
                       .rest.fd = -1,
                       .scratch = malloc(child_scratch_bytes)};
    child *c = NULL;
    const char *argv[] = {"/bin/sh", "-c", "head -c 60000 /dev/zero; echo e >&2; setsid sleep 1000 & exit 0",
                          NULL};
    deja_command command = {
        .argv = argv, .file = argv[0], .env = (const char *const *)environ, .stdin_fd = -1};
    assert_int_equal(spawner_init(&host.spawner, NULL), 0);
    assert_int_equal(warden_init(&host.warden, "drain", NULL), 0);
    atomic_store(&host.warden.board->high, 1);
    assert_int_equal(child_start(&c, &host, 0, &command, NULL), 0);
    struct pollfd exited = {.fd = c->source[child_exit].fd, .events = POLLIN};
    assert_int_equal(poll(&exited, 1, commands_patience_ms), 1);
    int finished = child_handle(c, &host, child_exit, EPOLLIN);
    while (!finished)
        finished = child_look_again(c, &host, deja_monotonic_ns(NULL));
    assert_int_equal(c->outcome.status, 0);
    assert_int_equal(c->outcome.out.len, 60000);
    assert_int_equal(c->outcome.err.len, 2);
    stray_hunt hunt = {.run_id = "drain"};
    stray_hunt_down(&hunt, commands_patience_ms);
    child_free(c, &host);
    warden_done(&host.warden, 1);
    spawner_done(&host.spawner);
    close(host.epoll);
    deja_free(host.env);
    free(host.scratch);
}

/* Orphans are looked for at the end of any job, and the killed rest of another one is none. */
static void test_child__what_was_killed_is_told_of_the_right_job(void **state)
{
    (void)state;
    enum { jobs = 1000, at_once = 8 };
    static const char *const text[] = {"sleep 1000 & sleep 1000 & sleep 1000 & exit 0", ":"};
    deja_runner *r = commands_open();
    for (long started = 0, taken = 0; taken < jobs; taken++) {
        for (; started < jobs && deja_runner_running(r) < at_once; started++)
            commands_shell(r, text[started % 2], (void *)(intptr_t)(started % 2));
        r->reaper.look_at_ns = 0;
        deja_outcome o = commands_next(r);
        assert_int_equal(o.killed_rest, o.user == NULL);
        deja_outcome_done(&o);
    }
    deja_runner_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_child__any_allocation_may_fail, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_child__any_number_of_free_descriptors_ends_cleanly,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_child__no_more_processes_is_a_lack_of_resources, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_child__a_spool_that_fails_does_not_fail_the_job, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_child__a_status_that_the_program_took_is_unknown, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_child__what_was_killed_is_told_of_the_right_job, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_child__output_is_drained_at_the_exit, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
