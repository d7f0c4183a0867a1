/*
 * Processes as spawn makes them: what they inherit, and what a failure says.
 */
#include "commands.h"
#include "spawn.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

typedef struct shared {
    spawn_failure failure;
    _Atomic pid_t note;
    int seen;
} shared;

static shared *map_shared(void)
{
    shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s != MAP_FAILED);
    return s;
}

static spawn_request request(shared *s, char *const *argv, int out)
{
    return (spawn_request){.file = argv[0],
                           .argv = argv,
                           .env = environ,
                           .in = 0,
                           .out = out,
                           .err = out,
                           .note = &s->note,
                           .failure = &s->failure};
}

static int finish(int pidfd)
{
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), 0);
    close(pidfd);
    return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

static void test_spawn__notes_the_pid_and_runs_the_program(void **state)
{
    (void)state;
    spawner s;
    shared *m = map_shared();
    char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)"exit 42", NULL};
    assert_int_equal(spawner_init(&s, NULL), 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), pidfd = -1;
    assert_true(null > 2);
    spawn_request q = request(m, argv, null);
    pid_t pid = spawn_job(&s, &q, &pidfd);
    assert_true(pid > 0);
    assert_int_equal(m->note, pid);
    assert_int_equal(m->failure.step, DEJA_EXEC_DONE);
    assert_int_equal(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(finish(pidfd), 42);
    close(null);
    spawner_done(&s);
    munmap(m, sizeof *m);
}

static void test_spawn__a_failure_is_told_by_the_child(void **state)
{
    (void)state;
    spawner s;
    shared *m = map_shared();
    char *argv[] = {(char *)"/nowhere/program", NULL};
    assert_int_equal(spawner_init(&s, NULL), 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), pidfd = -1;
    spawn_request q = request(m, argv, null);
    errno = 0;
    assert_true(spawn_job(&s, &q, &pidfd) > 0);
    assert_int_equal(m->failure.sys_errno, ENOENT);
    assert_int_equal(m->failure.step, DEJA_EXEC_FILE);
    assert_int_equal(finish(pidfd), 127);
    q.out = 1000000; /* no such descriptor */
    assert_true(spawn_job(&s, &q, &pidfd) > 0);
    assert_int_equal(m->failure.sys_errno, EBADF);
    assert_int_equal(m->failure.step, DEJA_EXEC_PREPARE);
    finish(pidfd);
    close(null);
    spawner_done(&s);
    munmap(m, sizeof *m);
}

static volatile sig_atomic_t handled, handled_elsewhere;
static volatile pid_t self;

static void handle(int signal)
{
    if (getpid() != self)
        handled_elsewhere = 1;
    handled = signal;
}

/* Signals to our whole group while children are being made: our handler runs here, never in a child on our
 * memory. */
static void test_spawn__a_signal_storm_neither_stops_nor_corrupts(void **state)
{
    (void)state;
    spawner s;
    shared *m = map_shared();
    char *argv[] = {(char *)"/bin/true", NULL};
    struct sigaction action = {.sa_handler = handle}, before[2];
    assert_int_equal(setpgid(0, 0) == 0 || getpgrp() == getpid(), 1);
    sigaction(SIGUSR1, &action, &before[0]);
    sigaction(SIGTSTP, &action, &before[1]);
    self = getpid();
    pid_t storm = fork();
    if (storm == 0) {
        signal(SIGUSR1, SIG_IGN);
        signal(SIGTSTP, SIG_IGN);
        for (int i = 0; getppid() != 1; i++) {
            kill(0, i % 2 ? SIGUSR1 : SIGTSTP);
            usleep(50);
        }
        _exit(0);
    }
    assert_int_equal(spawner_init(&s, NULL), 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 300; i++) {
        int pidfd = -1;
        spawn_request q = request(m, argv, null);
        assert_true(spawn_job(&s, &q, &pidfd) > 0);
        siginfo_t info = {0};
        int rc;
        while ((rc = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED)) < 0 && errno == EINTR)
            ;
        assert_int_equal(rc, 0);
        /* one that came before the child left our group may end it by its default action, as at a terminal */
        assert_true((info.si_code == CLD_EXITED && info.si_status == 0) || info.si_status == SIGUSR1);
        close(pidfd);
    }
    for (int i = 0; !handled && i < 100; i++) /* ThreadSanitizer puts handlers off */
        usleep(1000);
    kill(storm, SIGKILL);
    assert_int_equal(handled_elsewhere, 0);
    while (waitpid(storm, NULL, 0) < 0 && errno == EINTR)
        ;
    sigaction(SIGUSR1, &before[0], NULL);
    sigaction(SIGTSTP, &before[1], NULL);
    close(null);
    spawner_done(&s);
    munmap(m, sizeof *m);
}

static void note_seen(const void *context)
{
    shared *s = *(shared *const *)context;
    uint64_t mask = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, sizeof mask);
    s->seen = (int)syscall(SYS_getppid);
    if (!(mask & 1))
        s->seen = -1;
}

static void test_spawn__a_copy_is_no_child_for_ordinary_waits(void **state)
{
    (void)state;
    shared *m = map_shared();
    int pidfd = -1;
    siginfo_t info = {0};
    pid_t pid = spawn_copy(note_seen, &m, &pidfd);
    assert_true(pid > 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL), 0);
    assert_int_equal(info.si_pid, pid);
    assert_int_equal(info.si_status, 0);
    assert_int_equal(m->seen, getpid());
    close(pidfd);
    munmap(m, sizeof *m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spawn__notes_the_pid_and_runs_the_program),
        cmocka_unit_test(test_spawn__a_failure_is_told_by_the_child),
        cmocka_unit_test(test_spawn__a_signal_storm_neither_stops_nor_corrupts),
        cmocka_unit_test(test_spawn__a_copy_is_no_child_for_ordinary_waits),
    };
    return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
