/*
 * reaper.h: orphans of jobs, adopted, reaped and killed. The children here are of this process and no
 * runner's.
 */
#include "commands.h"
#include "reaper.h"

#include <sys/prctl.h>

static int is_subreaper(void)
{
    int is = -1;
    assert_int_equal(prctl(PR_GET_CHILD_SUBREAPER, &is), 0);
    return is;
}

static warden make_board(void)
{
    warden w;
    assert_int_equal(warden_init(&w, commands_id(), NULL), 0);
    return w;
}

static reaper open_reaper(const warden *w, int owns)
{
    reaper r;
    assert_int_equal(reaper_open(&r, w->board, owns, NULL), 0);
    return r;
}

/* A child that has exited and was not waited for. */
static pid_t make_zombie(void)
{
    siginfo_t info;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    return pid;
}

/* A child that does not end by itself, in a session of its own when `session`. */
static pid_t make_sleeper(int session)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (session)
            setsid();
        if (write(ends[1], "x", 1) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return pid;
}

static int is_child(pid_t pid)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void end_child(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_reaper__adopts_and_gives_back(void **state)
{
    (void)state;
    warden w = make_board();
    for (int was = 0; was < 2; was++) {
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, was), 0);
        reaper r = open_reaper(&w, 0);
        assert_int_equal(is_subreaper(), was);
        reaper_close(&r);
        r = open_reaper(&w, 1);
        assert_int_equal(is_subreaper(), 1);
        reaper_close(&r);
        assert_int_equal(is_subreaper(), was);
        reaper_close(&r);
    }
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
    warden_done(&w, 1);
}

/* Exit statuses would be lost otherwise. */
static void test_reaper__an_ignored_sigchld_is_mended_meanwhile(void **state)
{
    (void)state;
    static const struct sigaction lossy[] = {{.sa_handler = SIG_IGN},
                                             {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT}};
    warden w = make_board();
    struct sigaction before, now;
    assert_int_equal(sigaction(SIGCHLD, NULL, &before), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sigaction(SIGCHLD, &lossy[i], NULL), 0);
        reaper r = open_reaper(&w, 1);
        pid_t pid = make_zombie();
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        reaper_close(&r);
        assert_int_equal(sigaction(SIGCHLD, NULL, &now), 0);
        assert_ptr_equal(now.sa_handler, lossy[i].sa_handler);
        assert_int_equal(now.sa_flags & SA_NOCLDWAIT, lossy[i].sa_flags);
    }
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
    warden_done(&w, 1);
}

static void test_reaper__reaps_what_has_died_and_is_no_job(void **state)
{
    (void)state;
    warden w = make_board();
    reaper r = open_reaper(&w, 1);
    pid_t one = make_zombie(), two = make_zombie(), alive = make_sleeper(0);
    reaper_look(&r, 1);
    assert_false(is_child(one));
    assert_false(is_child(two));
    assert_true(is_child(alive));
    end_child(alive);
    pid_t job = make_zombie();
    atomic_store(&w.board->group[3], job);
    atomic_store(&w.board->high, 4);
    reaper_look(&r, DEJA_S_NS);
    assert_true(is_child(job));
    atomic_store(&w.board->group[3], 0);
    reaper_look(&r, 2 * DEJA_S_NS);
    assert_false(is_child(job));
    reaper_close(&r);
    warden_done(&w, 1);
}

static void test_reaper__looks_ten_times_a_second(void **state)
{
    (void)state;
    warden w = make_board();
    reaper r = open_reaper(&w, 1);
    reaper_look(&r, 5 * DEJA_S_NS);
    assert_false(reaper_is_due(&r, 5 * DEJA_S_NS + 99 * DEJA_MS_NS));
    assert_true(reaper_is_due(&r, 5 * DEJA_S_NS + 100 * DEJA_MS_NS));
    reaper_close(&r);
    warden_done(&w, 1);
}

static void test_reaper__children_of_the_program_are_not_waited_for(void **state)
{
    (void)state;
    warden w = make_board();
    reaper r = open_reaper(&w, 0);
    pid_t pid = make_zombie();
    assert_false(reaper_is_due(&r, DEJA_S_NS));
    reaper_end(&r, 0, 0);
    assert_true(is_child(pid));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    reaper_close(&r);
    warden_done(&w, 1);
}

/* What a job leaves behind becomes a child of this process. */
static void test_reaper__orphans_are_adopted(void **state)
{
    (void)state;
    warden w = make_board();
    reaper r = open_reaper(&w, 1);
    siginfo_t info = {0};
    pid_t parent = fork();
    if (parent == 0) {
        pid_t orphan = fork();
        _exit(orphan < 0);
    }
    int status = -1;
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(status, 0);
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    assert_int_not_equal(info.si_pid, parent);
    reaper_look(&r, 1);
    assert_false(commands_have_children());
    reaper_close(&r);
    warden_done(&w, 1);
}

static void test_reaper__ends_all_but_the_warden(void **state)
{
    (void)state;
    warden w = make_board();
    reaper r = open_reaper(&w, 1);
    assert_int_equal(warden_start(&w), 1);
    pid_t children[] = {make_sleeper(0), make_sleeper(1), make_zombie()};
    reaper_end(&r, w.pid, deja_monotonic_ns(NULL) + commands_patience_ms * DEJA_MS_NS);
    for (int i = 0; i < 3; i++)
        assert_false(is_child(children[i]));
    assert_false(commands_have_children());
    assert_true(commands_alive(w.pid));
    reaper_close(&r);
    warden_done(&w, 1);
}

static void test_reaper__gives_up_at_the_deadline(void **state)
{
    (void)state;
    warden w = make_board();
    reaper r = open_reaper(&w, 1);
    pid_t alive = make_sleeper(0), dead = make_zombie();
    reaper_end(&r, 0, 1);
    assert_true(is_child(alive));
    assert_false(is_child(dead)); /* reaping costs no waiting */
    end_child(alive);
    reaper_close(&r);
    warden_done(&w, 1);
}

/* Returns when it runs its program, with the run's id in its environment. */
static pid_t start_marked(const warden_board *board)
{
    char mark[128], byte;
    int ends[2];
    snprintf(mark, sizeof mark, "DEJA_RUN=%s", board->run_id);
    char *const env[] = {mark, NULL};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execle("/bin/sh", "sh", "-c", "while :; do /bin/sleep 1000; done", (char *)NULL, env);
        _exit(1);
    }
    assert_true(pid > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    return pid;
}

/* Where the program has children of its own, the mark tells which ones are the run's. */
static void test_reaper__without_own_children_the_mark_tells(void **state)
{
    (void)state;
    warden w = make_board();
    reaper r = open_reaper(&w, 0);
    int status = 0;
    pid_t marked = start_marked(w.board), other = make_sleeper(1);
    reaper_end(&r, 0, deja_monotonic_ns(NULL) + commands_patience_ms * DEJA_MS_NS);
    assert_int_equal(waitpid(marked, &status, 0), marked);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(commands_alive(other));
    end_child(other);
    reaper_close(&r);
    warden_done(&w, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reaper__adopts_and_gives_back),
        cmocka_unit_test(test_reaper__an_ignored_sigchld_is_mended_meanwhile),
        cmocka_unit_test(test_reaper__reaps_what_has_died_and_is_no_job),
        cmocka_unit_test(test_reaper__looks_ten_times_a_second),
        cmocka_unit_test(test_reaper__children_of_the_program_are_not_waited_for),
        cmocka_unit_test(test_reaper__orphans_are_adopted),
        cmocka_unit_test(test_reaper__ends_all_but_the_warden),
        cmocka_unit_test(test_reaper__gives_up_at_the_deadline),
        cmocka_unit_test(test_reaper__without_own_children_the_mark_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
