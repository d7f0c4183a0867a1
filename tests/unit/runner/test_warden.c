/*
 * What is left when a runner closes or dies: nothing.
 */
#include "commands.h"
#include "scratch.h"
#include "warden.h"

#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>

/* Jobs that try to stay; each writes the pid of what is to die. */
static const struct {
    const char *file, *text;
} stayers[] = {
    {"deaf", "trap '' TERM HUP INT; echo $$ >deaf; while :; do sleep 0.05; done"},
    {"session", "setsid sh -c 'echo $$ >session; exec sleep 1000'; :"},
    {"daemon", "(setsid sh -c '(trap \"\" TERM HUP; sh -c \"echo \\$\\$ >daemon; exec sleep 1000\") & exit "
               "0' &); sleep 1000"},
    {"hidden", "setsid sh -c 'env -i sh -c \"echo \\$\\$ >hidden; exec sleep 1000\"; :' & sleep 1000"},
    {"ended", "setsid sh -c 'echo $$ >ended; exec sleep 1000' & exit 0"},
    {"liar", "setsid sh -c 'printf deja-warden >/proc/$$/comm; echo $$ >liar; while :; do sleep 0.05; done' "
             ">/dev/null 2>&1"},
    {"heir", "env -i sh -c 'echo $$ >heir; exec sleep 1000' & sleep 1000"},
};
enum { stayers_count = sizeof stayers / sizeof *stayers };

static void start_stayers(deja_runner *r, pid_t *pids)
{
    for (int i = 0; i < stayers_count; i++)
        commands_shell(r, stayers[i].text, NULL);
    for (int i = 0; i < stayers_count; i++)
        pids[i] = commands_wait_pid(stayers[i].file);
}

static void test_warden__nothing_survives_a_close(void **state)
{
    (void)state;
    for (unsigned owns = 0; owns < 2; owns++) {
        pid_t pids[stayers_count];
        deja_runner *r = commands_open_with((deja_runner_options){.owns_children = owns});
        start_stayers(r, pids);
        deja_runner_close(r);
        for (int i = 0; i < stayers_count; i++) {
            assert_false(commands_alive(pids[i]));
            unlink(stayers[i].file);
        }
        assert_false(commands_have_children());
    }
}

/* Runs a program with a runner in a process of its own, until it is killed. */
static pid_t start_program(const deja_runner_options *options)
{
    pid_t pid = fork();
    if (pid == 0) {
        pid_t pids[stayers_count];
        deja_runner *r = commands_open_with(*options);
        start_stayers(r, pids);
        FILE *f = fopen("ready", "w");
        fprintf(f, "%d\n", (int)getpid());
        fclose(f);
        deja_outcome o;
        for (;;)
            if (deja_runner_next(r, -1, &o, NULL) == 1)
                deja_outcome_done(&o);
    }
    return pid;
}

static void check_killed_program(unsigned owns)
{
    deja_runner_options options = {.owns_children = owns};
    pid_t pid = start_program(&options);
    assert_int_equal(commands_wait_pid("ready"), pid);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (int i = 0; i < stayers_count; i++) {
        commands_wait_gone(commands_wait_pid(stayers[i].file));
        unlink(stayers[i].file);
    }
    unlink("ready");
}

static void test_warden__nothing_survives_a_killed_program(void **state)
{
    (void)state;
    check_killed_program(0);
    check_killed_program(1);
}

static void test_warden__a_runner_inside_a_killed_job_leaves_nothing_either(void **state)
{
    (void)state;
    pid_t inner[stayers_count];
    deja_runner *outer = commands_open();
    pid_t pid = fork();
    if (pid == 0) { /* as a job would be: in the outer run, a group of its own */
        setpgid(0, 0);
        deja_runner_options options = {.owns_children = 1, .outer_run = "outer"};
        start_program(&options);
        pause();
        _exit(1);
    }
    commands_wait_pid("ready");
    for (int i = 0; i < stayers_count; i++)
        inner[i] = commands_wait_pid(stayers[i].file);
    kill(-pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (int i = 0; i < stayers_count; i++)
        commands_wait_gone(inner[i]);
    deja_runner_close(outer);
}

/* The pid of the warden; 0 while there is none. */
static pid_t look_for_warden(void)
{
    FILE *f = fopen("/proc/thread-self/children", "r");
    int pid = 0, found = 0;
    while (f && !found && fscanf(f, "%d", &pid) == 1) {
        char path[64], name[32] = "";
        snprintf(path, sizeof path, "/proc/%d/comm", pid);
        FILE *comm = fopen(path, "r");
        found = comm && fgets(name, sizeof name, comm) && strcmp(name, "deja-warden\n") == 0;
        if (comm)
            fclose(comm);
    }
    if (f)
        fclose(f);
    return found && commands_alive(pid) ? pid : 0;
}

static pid_t find_warden(void)
{
    pid_t pid = 0;
    for (int tries = 0; !(pid = look_for_warden()) && tries < commands_patience_ms; tries++)
        poll(NULL, 0, 1);
    return pid;
}

static void test_warden__starts_with_the_first_job_and_holds_nothing(void **state)
{
    (void)state;
    char path[64];
    if (access("/proc/thread-self/children", R_OK) != 0)
        skip();
    deja_runner *r = commands_open();
    assert_int_equal(waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOHANG | __WALL), -1);
    deja_outcome o = commands_run(r, "exit 0");
    deja_outcome_done(&o);
    pid_t pid = find_warden();
    assert_true(pid > 0 && getsid(pid) == pid);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    for (int tries = 0, count = -1; count != 1; tries++) { /* its pidfd only, once it has settled */
        DIR *d = opendir(path);
        assert_non_null(d);
        for (count = -2; readdir(d);)
            count++;
        closedir(d);
        assert_true(tries < commands_patience_ms);
        poll(NULL, 0, 1);
    }
    kill(pid, SIGTERM);
    kill(pid, SIGINT);
    kill(pid, SIGHUP);
    poll(NULL, 0, 5);
    assert_true(commands_alive(pid));
    deja_runner_close(r);
    assert_int_equal(kill(pid, 0), -1);
}

static void test_warden__one_that_was_killed_is_replaced(void **state)
{
    (void)state;
    if (access("/proc/thread-self/children", R_OK) != 0)
        skip();
    deja_runner *r = commands_open();
    commands_shell(r, "echo $$ >pid; exec sleep 1000", NULL);
    commands_wait_pid("pid");
    pid_t first = find_warden(), second = 0;
    assert_true(first > 0);
    kill(first, SIGKILL);
    for (int tries = 0; second == 0 || second == first; tries++) {
        deja_outcome o;
        assert_true(tries < commands_patience_ms / 10);
        assert_int_equal(deja_runner_next(r, 10, &o, NULL), 0);
        second = look_for_warden();
    }
    deja_runner_close(r);
    assert_false(commands_alive(second));
}

/* A child that exits with `status`, or waits for a signal when that is negative. */
static pid_t start_own_child(int status)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (status < 0)
            pause();
        _exit(status);
    }
    return pid;
}

static void test_warden__programs_own_children_are_untouched(void **state)
{
    (void)state;
    pid_t before = start_own_child(-1);
    deja_runner *r = commands_open_with((deja_runner_options){.owns_children = 0});
    pid_t during = start_own_child(-1), zombie = start_own_child(5);
    deja_outcome o =
        commands_run(r, "setsid sh -c 'echo $$ >stray; exec sleep 1000' & while [ ! -s stray ]; do :; done");
    deja_outcome_done(&o);
    pid_t stray = commands_wait_pid("stray");
    assert_true(commands_alive(stray));
    deja_runner_close(r);
    assert_false(commands_alive(stray));
    assert_true(commands_alive(before) && commands_alive(during));
    int status;
    assert_int_equal(waitpid(zombie, &status, 0), zombie);
    assert_int_equal(WEXITSTATUS(status), 5);
    kill(before, SIGKILL);
    kill(during, SIGKILL);
    assert_int_equal(waitpid(before, &status, 0), before);
    assert_int_equal(waitpid(during, &status, 0), during);
}

static void test_warden__settings_of_the_process_are_put_back(void **state)
{
    (void)state;
    int reaper = -1;
    struct sigaction action;
    signal(SIGCHLD, SIG_IGN);
    deja_runner *r = commands_open();
    assert_int_equal(prctl(PR_GET_CHILD_SUBREAPER, &reaper), 0);
    assert_int_equal(reaper, 1);
    deja_outcome o = commands_run(r, "exit 9");
    assert_int_equal(o.status, 9);
    deja_outcome_done(&o);
    deja_runner_close(r);
    assert_int_equal(prctl(PR_GET_CHILD_SUBREAPER, &reaper), 0);
    assert_int_equal(reaper, 0);
    assert_int_equal(sigaction(SIGCHLD, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
}

static void test_warden__zombies_of_strays_are_reaped_while_jobs_run(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    /* an orphan of a job that goes on, so that nobody but us can wait for it */
    commands_shell(r, "setsid -f sh -c 'echo $$ >stray'; while [ ! -e go ]; do sleep 0.01; done", r);
    pid_t stray = commands_wait_pid("stray");
    for (int i = 0; kill(stray, 0) == 0; i++) {
        assert_true(i < commands_patience_ms / 20);
        deja_outcome o = commands_run(r, "sleep 0.02");
        deja_outcome_done(&o);
    }
    fclose(fopen("go", "w"));
    deja_outcome o = commands_next(r);
    assert_ptr_equal(o.user, r);
    assert_int_equal(o.killed_rest, DEJA_REST_NONE);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

typedef struct worker {
    pthread_t thread;
    int wrong;
} worker;

static void *run_many(void *context)
{
    worker *w = context;
    deja_runner *r = NULL;
    char id[64];
    snprintf(id, sizeof id, "thread-%p", context);
    deja_runner_options options = {.size = sizeof options, .run_id = id};
    if (deja_runner_open(&r, &options, NULL) < 0)
        return w->wrong = 1, NULL;
    for (int i = 0; i < 300; i++) {
        char text[32];
        const char *argv[] = {"/bin/echo", text, NULL};
        snprintf(text, sizeof text, "%p %d", context, i);
        deja_outcome o;
        if (commands_try(r, argv, NULL, NULL) < 0 || deja_runner_next(r, commands_patience_ms, &o, NULL) != 1)
            return w->wrong = 1, NULL;
        w->wrong |= o.status != 0 || !o.out.data || strncmp(o.out.data, text, strlen(text)) != 0;
        deja_outcome_done(&o);
    }
    deja_runner_close(r);
    return NULL;
}

static void test_warden__two_runners_in_two_threads_do_not_meet(void **state)
{
    (void)state;
    worker workers[2] = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run_many, &workers[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(workers[i].thread, NULL);
    assert_int_equal(workers[0].wrong | workers[1].wrong, 0);
    assert_false(commands_have_children());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_warden__nothing_survives_a_close, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_warden__nothing_survives_a_killed_program, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_warden__a_runner_inside_a_killed_job_leaves_nothing_either,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_warden__starts_with_the_first_job_and_holds_nothing,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_warden__one_that_was_killed_is_replaced, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_warden__programs_own_children_are_untouched, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_warden__settings_of_the_process_are_put_back, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_warden__zombies_of_strays_are_reaped_while_jobs_run,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_warden__two_runners_in_two_threads_do_not_meet, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests_name("warden", tests, NULL, NULL);
}
