/*
 * Commands through the public calls: what happened to them comes back, all of it, and nothing else happens.
 */
#include "commands.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "scratch.h"

static void write_script(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static deja_outcome run_file(const char *file, const char *arg, const char *cwd)
{
    deja_runner *r = commands_open();
    deja_error err = {0};
    const char *argv[] = {"shown", arg, NULL};
    deja_command c = {
        .argv = argv, .file = file, .env = (const char *const *)environ, .cwd = cwd, .stdin_fd = -1};
    assert_int_equal(deja_runner_start(r, &c, &err), 0);
    struct pollfd ready = {.fd = deja_runner_fd(r), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, commands_patience_ms), 1);
    deja_outcome o = commands_next(r);
    assert_int_equal(deja_runner_running(r), 0);
    deja_runner_close(r);
    return o;
}

static void test_runner__gives_exit_status_and_usage(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    int mark;
    commands_shell(r, "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; exit 7", &mark);
    assert_int_equal(deja_runner_running(r), 1);
    deja_outcome o = commands_next(r);
    assert_ptr_equal(o.user, &mark);
    assert_int_equal(o.status, 7);
    assert_int_equal(o.signal, 0);
    assert_int_equal(o.exec_errno, 0);
    assert_true(o.wall_ns > 0 && o.cpu_ns > 0 && o.start_ns > 0 && o.pid > 0);
    assert_int_equal(o.out.len + o.err.len, 0);
    assert_int_equal(deja_runner_running(r), 0);
    deja_outcome_done(&o);
    assert_int_equal(deja_runner_next(r, 0, &o, NULL), 0);
    assert_int_equal(deja_runner_next(r, -1, &o, NULL), 0);
    deja_runner_close(r);
}

static void test_runner__gives_the_signal(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    deja_outcome o = commands_run(r, "echo before; kill -SEGV $$");
    assert_int_equal(o.signal, SIGSEGV);
    assert_int_equal(o.status, -1);
    assert_string_equal(commands_text(&o.out), "before\n");
    deja_outcome_done(&o);
    deja_runner_close(r);
}

static void test_runner__peak_is_of_the_job_or_unknown(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    deja_outcome o = commands_run(r, "head -c 90000000 /dev/zero | tail -c 80000000 >/dev/null");
    assert_true(o.peak_rss_bytes > 60000000);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

static void test_runner__separates_streams_and_keeps_every_byte(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    deja_outcome o = commands_run(r, "printf 'a\\000\\377b'; printf 'no newline' >&2; printf 'c'");
    assert_int_equal(o.out.len, 5);
    assert_memory_equal(o.out.data, "a\0\377bc", 6);
    assert_string_equal(commands_text(&o.err), "no newline");
    deja_outcome_done(&o);
    deja_runner_close(r);
}

typedef struct shown {
    void *user;
    size_t calls;
    size_t len[2];
    char data[2][64]; /* the first bytes of each stream */
} shown;

static void see(void *context, void *user, int stream, const char *data, uint64_t len)
{
    shown *s = context;
    s->user = user;
    s->calls++;
    size_t room = sizeof s->data[stream] - s->len[stream];
    if (s->len[stream] < sizeof s->data[stream])
        memcpy(s->data[stream] + s->len[stream], data, len < room ? len : room);
    s->len[stream] += len;
}

/* The job ends when what it has written was seen: its own fifo is opened only then. */
static void test_runner__output_is_shown_as_it_comes(void **state)
{
    (void)state;
    shown s = {0};
    deja_outcome o;
    int mark;
    assert_int_equal(mkfifo("go", 0600), 0);
    deja_runner *r =
        commands_open_with((deja_runner_options){.owns_children = 1, .output = see, .output_context = &s});
    commands_shell(r, "printf before; read x <go; printf after; printf error >&2; seq 100000", &mark);
    while (s.len[0] < 6)
        assert_int_equal(deja_runner_next(r, 10, &o, NULL), 0);
    assert_ptr_equal(s.user, &mark);
    assert_memory_equal(s.data[0], "before", 6);
    int go = open("go", O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(go, "\n", 1), 1);
    close(go);
    o = commands_next(r);
    assert_int_equal(s.len[0], o.out.len);
    assert_memory_equal(s.data[0], "beforeafter1\n2\n", 15);
    assert_int_equal(s.len[1], 5);
    assert_memory_equal(s.data[1], "error", 5);
    deja_outcome_done(&o);
    size_t calls = s.calls;
    commands_shell(r, "trap 'echo late' TERM; echo early; while :; do sleep 0.01; done", &mark);
    while (s.calls == calls)
        assert_int_equal(deja_runner_next(r, 10, &o, NULL), 0);
    calls = s.calls;
    deja_runner_close(r);
    assert_int_equal(s.calls, calls);
}

static void test_runner__exec_failures_carry_the_errno(void **state)
{
    (void)state;
    write_script("plain", "#!/bin/sh\nexit 0\n", 0644);
    write_script("no-interpreter", "#!/nowhere/sh\n", 0755);
    static const struct {
        const char *file, *cwd;
        int error, step, status;
    } cases[] = {
        {"./missing", NULL, ENOENT, DEJA_EXEC_FILE, 127},
        {"./plain", NULL, EACCES, DEJA_EXEC_FILE, 126},
        {"./no-interpreter", NULL, ENOENT, DEJA_EXEC_FILE, 127},
        {"/bin/true", "plain", ENOTDIR, DEJA_EXEC_CWD, 126},
        {"/bin/true", "none", ENOENT, DEJA_EXEC_CWD, 126},
        {"/", NULL, EACCES, DEJA_EXEC_FILE, 126},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        deja_outcome o = run_file(cases[i].file, NULL, cases[i].cwd);
        assert_int_equal(o.exec_errno, cases[i].error);
        assert_int_equal(o.exec_step, cases[i].step);
        assert_int_equal(o.status, cases[i].status);
        assert_int_equal(o.signal, 0);
        deja_outcome_done(&o);
    }
    assert_false(commands_have_children());
}

/* One word may have 128 KB: MAX_ARG_STRLEN, execve(2). */
static void test_runner__a_word_that_is_too_long_says_so(void **state)
{
    (void)state;
    char *word = malloc(200001);
    assert_non_null(word);
    memset(word, 'x', 200000);
    word[200000] = '\0';
    deja_outcome o = run_file("/bin/echo", word, NULL);
    assert_int_equal(o.exec_errno, E2BIG);
    assert_int_equal(o.exec_step, DEJA_EXEC_FILE);
    assert_int_equal(o.status, 126);
    deja_outcome_done(&o);
    free(word);
}

static void test_runner__a_file_without_interpreter_line_is_a_shells(void **state)
{
    (void)state;
    write_script("script", "echo \"$1\" of \"$0\"\n", 0755);
    deja_outcome o = run_file("./script", "argument", NULL);
    assert_int_equal(o.exec_errno, 0);
    assert_int_equal(o.status, 0);
    assert_string_equal(commands_text(&o.out), "argument of ./script\n");
    deja_outcome_done(&o);
}

static void test_runner__file_is_relative_to_cwd(void **state)
{
    (void)state;
    assert_int_equal(mkdir("sub", 0755), 0);
    write_script("sub/tool", "#!/bin/sh\npwd\n", 0755);
    deja_outcome o = run_file("./tool", NULL, "sub");
    assert_int_equal(o.status, 0);
    assert_non_null(strstr(commands_text(&o.out), "/sub\n"));
    deja_outcome_done(&o);
}

static void test_runner__job_sees_a_clean_process(void **state)
{
    (void)state;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    deja_runner *r = commands_open();
    sigprocmask(SIG_BLOCK, &set, &before);
    signal(SIGPIPE, SIG_IGN);
    deja_outcome o =
        commands_run(r, "grep -E 'Sig(Blk|Ign)' /proc/self/status; cat; readlink /proc/self/fd/0");
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_string_equal(commands_text(&o.out),
                        "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n/dev/null\n");
    deja_outcome_done(&o);
    deja_runner_close(r);
}

static void test_runner__nohup_stays(void **state)
{
    (void)state;
    signal(SIGHUP, SIG_IGN);
    deja_runner *r = commands_open();
    deja_outcome o = commands_run(r, "grep SigIgn /proc/self/status");
    signal(SIGHUP, SIG_DFL);
    assert_string_equal(commands_text(&o.out), "SigIgn:\t0000000000000001\n");
    deja_outcome_done(&o);
    deja_runner_close(r);
}

/* Descriptors that a program of ours would inherit, beyond the standard streams. */
static int count_inherited(void)
{
    int count = 0;
    for (int fd = 3; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        count += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return count;
}

static void test_runner__job_has_its_group_and_no_descriptor_of_ours(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "sleep 100", NULL); /* its pipes must not be seen by the next */
    deja_outcome o = commands_run(r, "ls /proc/self/fd | wc -l; cut -d ' ' -f 5 /proc/$$/stat; echo $$");
    int count, group, pid;
    assert_int_equal(sscanf(commands_text(&o.out), "%d %d %d", &count, &group, &pid), 3);
    assert_int_equal(group, pid);
    assert_int_equal(count, count_inherited() + 4); /* standard streams and the folder that ls reads */
    deja_outcome_done(&o);
    deja_runner_close(r);
    assert_false(commands_have_children());
}

static void test_runner__stdin_is_what_was_given(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    write_script("input", "from a file\n", 0644);
    int fd = open("input", O_RDONLY | O_CLOEXEC);
    const char *argv[] = {"cat", NULL};
    deja_command c = {.argv = argv, .file = "/bin/cat", .env = (const char *const *)environ, .stdin_fd = fd};
    assert_int_equal(deja_runner_start(r, &c, NULL), 0);
    close(fd);
    deja_outcome o = commands_next(r);
    assert_string_equal(commands_text(&o.out), "from a file\n");
    deja_outcome_done(&o);
    deja_runner_close(r);
}

/* With standard streams closed here, pipes must not end up in their places. */
static void test_runner__works_without_standard_streams(void **state)
{
    (void)state;
    int keep[3];
    for (int i = 0; i < 3; i++) {
        keep[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    deja_runner *r = commands_open();
    commands_shell(r, "cat; echo out; echo err >&2", NULL);
    deja_outcome o;
    int rc = deja_runner_next(r, commands_patience_ms, &o, NULL);
    deja_runner_close(r);
    for (int i = 0; i < 3; i++) {
        dup2(keep[i], i);
        close(keep[i]);
    }
    assert_int_equal(rc, 1);
    assert_string_equal(commands_text(&o.out), "out\n");
    assert_string_equal(commands_text(&o.err), "err\n");
    deja_outcome_done(&o);
}

static void test_runner__environment_is_what_was_given_and_the_mark(void **state)
{
    (void)state;
    deja_runner *r = commands_open_with(
        (deja_runner_options){.owns_children = 1, .run_id = "inner", .outer_run = "outer"});
    const char *argv[] = {"env", NULL};
    const char *env[] = {"A=1", "DEJA_RUN=other", "DEJA_RUNS=2", "B=", NULL};
    deja_command c = {.argv = argv, .file = "/usr/bin/env", .env = env, .stdin_fd = -1};
    assert_int_equal(deja_runner_start(r, &c, NULL), 0);
    deja_outcome o = commands_next(r);
    assert_string_equal(commands_text(&o.out), "A=1\nDEJA_RUNS=2\nB=\nDEJA_RUN=outer:inner#1\n");
    deja_outcome_done(&o);
    deja_runner_close(r);
}

static void test_runner__a_background_child_with_the_pipe_does_not_delay_the_end(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    deja_outcome o = commands_run(r, "sleep 1000 & echo $! ; setsid sleep 1001 & echo done");
    assert_int_equal(o.status, 0);
    assert_non_null(strstr(commands_text(&o.out), "done\n"));
    commands_wait_gone(atoi(o.out.data)); /* the rest of the group dies with the job */
    deja_outcome_done(&o);
    deja_runner_close(r);
    assert_false(commands_have_children());
}

static void test_runner__a_background_child_that_writes_is_dead_when_the_job_ends(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    for (int i = 0; i < 20; i++) {
        deja_outcome o = commands_run(r, "(while :; do echo x >>spoil; done) & sleep 0.01; echo $!");
        pid_t pid = atoi(o.out.data);
        assert_false(commands_alive(pid));
        deja_outcome_done(&o);
    }
    deja_runner_close(r);
}

static int killed_rest(deja_runner *r, const char *shell, const char *text)
{
    deja_error err = {0};
    const char *argv[] = {shell, "-c", text, NULL};
    if (commands_try(r, argv, NULL, &err) < 0)
        fail_msg("start '%s': %s", text, err.text);
    deja_outcome o = commands_next(r);
    int killed = o.killed_rest;
    assert_int_equal(o.status, 0);
    deja_outcome_done(&o);
    return killed;
}

/* $p has ended, whether somebody has waited for it or not. */
#define until_dead "while grep -q -s 'State:.[^ZX]' /proc/$p/status; do :; done; exit 0"

static void test_runner__says_whether_the_rest_was_alive_and_killed(void **state)
{
    (void)state;
    enum { times = 30 };
    static const struct {
        const char *shell, *text;
        int killed;
    } cases[] = {
        {"/bin/sh", ":", 0},
        {"/bin/sh", "sleep 1000 & exit 0", 1},
        {"/bin/sh", "(sleep 1000 & sleep 1000) & exit 0", 1},
        {"/bin/sh", "(trap '' TERM HUP; sleep 1000; :) & sleep 0.001; exit 0", 1},
        {"/bin/sh", "(exit 0) & wait", 0},
        {"/bin/sh", "sleep 0.001 & p=$!; " until_dead, 0},
        {"/bin/sh", "p=$(sleep 0.001 >/dev/null & echo $!); " until_dead, 0},
        {"/bin/sh", "seq 1 10000 | sort -r | head -n 1", 0},
        {"/bin/sh", "sleep 1000 & kill -9 $!; wait $! || exit 0", 0},
        {"/bin/sh",
         "setsid sleep 1000 & p=$!; until [ \"$(cut -d ' ' -f 6 /proc/$p/stat)\" = $p ]; do :; done; exit 0",
         1},
        {"/bin/sh", "setsid -f sleep 1000", 1},
        {"/bin/sh", "setsid setsid setsid sleep 1000 & sleep 0.01", 1},
        {"/bin/sh", "env -i setsid -f sleep 1000", 1},
        {"/bin/sh", "setsid sleep 0.001 & p=$!; " until_dead, 0},
        {"/bin/bash", "seq 1 30000 > >(gzip -9 >o; sleep 1000)", 1},
    };
    deja_runner *r = commands_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < times && access(cases[i].shell, X_OK) == 0; k++)
            if (killed_rest(r, cases[i].shell, cases[i].text) != cases[i].killed)
                fail_msg("'%s', run %d: not %d", cases[i].text, k, cases[i].killed);
    deja_runner_close(r);
    assert_false(commands_have_children());
}

/* Nobody waits for it but its new parent, of whom nothing is known. */
static void test_runner__a_killed_rest_is_told_of_foreign_children_too(void **state)
{
    (void)state;
    deja_runner *r = commands_open_with((deja_runner_options){.owns_children = 0});
    assert_int_equal(killed_rest(r, "/bin/sh", ":"), 0);
    assert_int_equal(killed_rest(r, "/bin/sh", "seq 1 10000 | sort -r | head -n 1"), 0);
    assert_int_equal(killed_rest(r, "/bin/sh", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done"), 1);
    deja_runner_close(r);
}

static void check_big(deja_runner *r, const char *text, uint64_t total)
{
    char block[65536];
    uint64_t at = 0;
    deja_outcome o = commands_run(r, text);
    assert_int_equal(o.status, 0);
    assert_true(o.out.fd > 2);
    assert_null(o.out.data);
    assert_int_equal(o.out.len, total);
    assert_int_equal(o.out.error, 0);
    assert_string_equal(commands_text(&o.err), "end\n");
    for (ssize_t n; (n = pread(o.out.fd, block, sizeof block, (off_t)at)) > 0; at += (uint64_t)n)
        for (ssize_t i = 0; i < n; i++)
            if (block[i] != "0123456789\n"[(at + (uint64_t)i) % 11])
                fail_msg("wrong byte at %llu", (unsigned long long)at);
    assert_int_equal(at, total);
    deja_outcome_done(&o);
}

static void test_runner__200_mb_come_back_whole(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    check_big(r, "yes 0123456789 | head -c 200000000; echo end >&2", 200000000);
    deja_runner_close(r);
}

static void test_runner__thousands_of_short_jobs_lose_no_byte(void **state)
{
    (void)state;
    enum { jobs = 3000, at_once = 8 };
    deja_runner *r = commands_open();
    static char seen[jobs];
    memset(seen, 0, sizeof seen);
    for (long started = 0, taken = 0; taken < jobs; taken++) {
        for (; started < jobs && deja_runner_running(r) < at_once; started++) {
            char text[64];
            snprintf(text, sizeof text, "echo %ld; echo e%ld >&2", started, started);
            commands_shell(r, text, (void *)(intptr_t)started);
        }
        char want[2][32];
        deja_outcome o = commands_next(r);
        long number = (long)(intptr_t)o.user;
        snprintf(want[0], sizeof want[0], "%ld\n", number);
        snprintf(want[1], sizeof want[1], "e%ld\n", number);
        assert_string_equal(commands_text(&o.out), want[0]);
        assert_string_equal(commands_text(&o.err), want[1]);
        seen[number]++;
        deja_outcome_done(&o);
    }
    for (int i = 0; i < jobs; i++)
        assert_int_equal(seen[i], 1);
    deja_runner_close(r);
}

static void test_runner__no_descriptor_is_left(void **state)
{
    (void)state;
    int before = commands_count_fds();
    deja_runner *r = commands_open();
    int open_count = commands_count_fds();
    for (int i = 0; i < 50; i++) {
        deja_outcome o = commands_run(r, i % 3 ? "echo x" : "exec /nowhere/at/all");
        deja_outcome_done(&o);
    }
    assert_in_range(commands_count_fds(), open_count, open_count + 2); /* warden, list of children */
    commands_shell(r, "sleep 1000", NULL);
    commands_shell(r, "yes", NULL);
    deja_runner_close(r);
    assert_int_equal(commands_count_fds(), before);
    assert_false(commands_have_children());
}

static void test_runner__descriptor_is_quiet_when_nothing_is_left(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    struct pollfd ready = {.fd = deja_runner_fd(r), .events = POLLIN};
    const char *argv[] = {"/nowhere/at/all", NULL};
    for (int i = 0; i < 2; i++) {
        deja_outcome o;
        if (i == 0)
            assert_int_equal(commands_try(r, argv, NULL, NULL), 0);
        else
            commands_shell(r, "exit 1", NULL);
        o = commands_next(r);
        deja_outcome_done(&o);
        assert_int_equal(deja_runner_next(r, 0, &o, NULL), 0);
        assert_int_equal(poll(&ready, 1, 0), 0);
    }
    deja_runner_close(r);
}

static void test_runner__few_descriptors_mean_fewer_jobs_at_a_time(void **state)
{
    (void)state;
    struct rlimit before, few;
    deja_error err = {0};
    int ended = 0, started = 0, refused = 0, used = commands_count_fds();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 32, .rlim_max = before.rlim_max};
    assert_true(used < 16);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    deja_runner *r = commands_open();
    const char *argv[] = {"/bin/sh", "-c", "echo x", NULL};
    while (ended < 200) {
        int rc = started < 200 ? commands_try(r, argv, NULL, &err) : DEJA_ERESOURCE;
        if (rc == 0) {
            started++;
            continue;
        }
        assert_int_equal(rc, DEJA_ERESOURCE);
        assert_true(started == 200 || err.sys_errno == EMFILE);
        refused++;
        deja_outcome o = commands_next(r);
        assert_string_equal(commands_text(&o.out), "x\n");
        deja_outcome_done(&o);
        ended++;
    }
    assert_true(refused > 0);
    deja_runner_close(r);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(commands_count_fds(), used);
}

/* The program may raise its own limit; a job's is as it was. */
static void test_runner__jobs_have_the_limit_given(void **state)
{
    (void)state;
    struct rlimit ours, given = {.rlim_cur = 77, .rlim_max = 99};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &ours), 0);
    deja_runner *r = commands_open_with((deja_runner_options){.owns_children = 1, .job_descriptors = &given});
    given = (struct rlimit){0};
    deja_outcome o = commands_run(r, "ulimit -Sn; ulimit -Hn");
    assert_string_equal(commands_text(&o.out), "77\n99\n");
    deja_outcome_done(&o);
    deja_runner_close(r);
    struct rlimit after;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_memory_equal(&after, &ours, sizeof ours);
}

/* Starts as many jobs as it can; each has its output spooled while all run. Returns how many there were. */
static uint32_t start_all(deja_runner *r, int most)
{
    deja_error err = {0};
    const char *argv[] = {"/bin/sh", "-c", "yes | head -c 200000; yes | head -c 200000 >&2", NULL};
    for (int i = 0; i < most; i++) {
        int rc = commands_try(r, argv, NULL, &err);
        if (rc == 0)
            continue;
        assert_int_equal(rc, DEJA_ERESOURCE);
        assert_int_equal(err.sys_errno, EMFILE);
        break;
    }
    return deja_runner_running(r);
}

static void test_runner__a_reserve_of_descriptors_is_left(void **state)
{
    (void)state;
    enum { limit = 100, reserve = 24, most = 60 };
    struct rlimit before, few;
    int filler[limit], fillers = 0, fd;
    deja_outcome outcome[most];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = limit, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    deja_runner *r = commands_open_with(
        (deja_runner_options){.owns_children = 1, .reserve_fds = reserve, .capture_limit = 1000});
    uint32_t count = start_all(r, most);
    assert_in_range(count, 5, 20);
    for (uint32_t i = 0; i < count; i++) {
        outcome[i] = commands_next(r);
        assert_int_equal(outcome[i].out.error, 0);
        assert_int_equal(outcome[i].err.error, 0);
        assert_true(outcome[i].out.fd > 2 && outcome[i].err.fd > 2);
    }
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        filler[fillers++] = fd;
    assert_true(fillers >= reserve);
    while (fillers > 0)
        close(filler[--fillers]);
    for (uint32_t i = 0; i < count; i++)
        deja_outcome_done(&outcome[i]);
    deja_runner_close(r);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void test_runner__one_job_runs_without_the_reserve(void **state)
{
    (void)state;
    deja_runner *r = commands_open_with((deja_runner_options){.owns_children = 1, .reserve_fds = UINT32_MAX});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(start_all(r, 2), 1);
        deja_outcome o = commands_next(r);
        assert_int_equal(o.status, 0);
        deja_outcome_done(&o);
    }
    deja_runner_close(r);
}

/* The children of this thread that are `sleep`, at most `most`: a new warden still has our name. */
static int list_jobs(pid_t *pids, int most)
{
    int count = 0, pid;
    FILE *f = fopen("/proc/thread-self/children", "r");
    while (f && count < most && fscanf(f, "%d", &pid) == 1) {
        char path[64], name[32] = "";
        snprintf(path, sizeof path, "/proc/%d/comm", pid);
        FILE *comm = fopen(path, "r");
        if (comm && fgets(name, sizeof name, comm) && strcmp(name, "sleep\n") == 0)
            pids[count++] = pid;
        if (comm)
            fclose(comm);
    }
    if (f)
        fclose(f);
    return count;
}

static void test_runner__killed_jobs_are_all_accounted_for(void **state)
{
    (void)state;
    enum { kills = 1000, at_once = 4 };
    deja_runner *r = commands_open();
    const char *argv[] = {"/bin/sleep", "1000", NULL};
    unsigned seed = 1;
    for (long started = 0, taken = 0; taken < kills; taken++) {
        for (; started < kills && deja_runner_running(r) < at_once; started++)
            assert_int_equal(commands_try(r, argv, NULL, NULL), 0);
        pid_t pids[at_once];
        int count = list_jobs(pids, at_once);
        if (count > 0)
            kill(pids[rand_r(&seed) % count], rand_r(&seed) % 2 ? SIGKILL : SIGTERM);
        else
            deja_runner_kill(r); /* a kernel without lists of children */
        deja_outcome o = commands_next(r);
        assert_true(o.signal == SIGKILL || o.signal == SIGTERM);
        deja_outcome_done(&o);
    }
    deja_runner_close(r);
    assert_false(commands_have_children());
}

static void test_runner__terminate_kills_after_the_grace(void **state)
{
    (void)state;
    deja_runner *r = commands_open_with((deja_runner_options){.owns_children = 1, .grace_ms = 50});
    commands_shell(r, "trap '' TERM; echo ready >a; while :; do sleep 0.01; done", NULL);
    commands_shell(r, "trap 'echo bye; exit 3' TERM; echo ready >b; while :; do sleep 0.01; done", NULL);
    while (access("a", F_OK) || access("b", F_OK))
        poll(NULL, 0, 1);
    poll(NULL, 0, 20);
    deja_runner_terminate(r, SIGTERM);
    deja_outcome polite = commands_next(r), stubborn = commands_next(r);
    assert_int_equal(polite.status, 3);
    assert_true(polite.terminated && stubborn.terminated);
    assert_string_equal(commands_text(&polite.out), "bye\n");
    assert_int_equal(stubborn.signal, SIGKILL);
    deja_outcome_done(&polite);
    deja_outcome_done(&stubborn);
    deja_runner_close(r);
}

/* Its zombie is there, nobody has looked at it yet, and the run is told to end. */
static void test_runner__a_job_that_ended_before_was_not_terminated(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "echo $$ >pid; exit 3", NULL);
    commands_wait_gone(commands_wait_pid("pid"));
    deja_runner_terminate(r, SIGTERM);
    deja_runner_kill(r);
    deja_outcome o = commands_next(r);
    assert_int_equal(o.status, 3);
    assert_int_equal(o.terminated, 0);
    deja_outcome_done(&o);
    commands_shell(r, "exec sleep 1000", NULL);
    deja_runner_kill(r);
    o = commands_next(r);
    assert_int_equal(o.signal, SIGKILL);
    assert_int_equal(o.terminated, 1);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

/* The stray is in a session of its own, the job ignores TERM. */
static void test_runner__a_timeout_ends_a_job_and_what_it_left(void **state)
{
    (void)state;
    deja_runner *r = commands_open_with((deja_runner_options){.owns_children = 1, .grace_ms = 50});
    const char *argv[] = {"/bin/sh", "-c",
                          "setsid sh -c 'echo $$ >stray; exec sleep 1000' & trap '' TERM; "
                          "echo out; while :; do sleep 0.01; done",
                          NULL};
    deja_command c = {.argv = argv,
                      .file = argv[0],
                      .env = (const char *const *)environ,
                      .stdin_fd = -1,
                      .timeout_ns = 300 * INT64_C(1000000)};
    deja_error err;
    assert_int_equal(deja_runner_start(r, &c, &err), 0);
    pid_t stray = commands_wait_pid("stray");
    deja_outcome o = commands_next(r);
    assert_int_equal(o.timed_out, 1);
    assert_int_equal(o.terminated, 0);
    assert_int_equal(o.signal, SIGKILL);
    assert_string_equal(commands_text(&o.out), "out\n");
    assert_int_equal(kill(stray, 0), -1);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

static void test_runner__a_job_within_its_timeout_is_left_alone(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    const char *argv[] = {"/bin/true", NULL};
    const int64_t timeouts[] = {3600 * INT64_C(1000000000), INT64_MAX};
    for (int i = 0; i < 2; i++) {
        deja_command c = {.argv = argv,
                          .file = argv[0],
                          .env = (const char *const *)environ,
                          .stdin_fd = -1,
                          .timeout_ns = timeouts[i]};
        deja_error err;
        assert_int_equal(deja_runner_start(r, &c, &err), 0);
        deja_outcome o = commands_next(r);
        assert_int_equal(o.timed_out, 0);
        assert_int_equal(o.status, 0);
        deja_outcome_done(&o);
    }
    deja_runner_close(r);
}

static void test_runner__suspend_stops_and_resume_goes_on(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "echo $$ >pid; while [ ! -e go ]; do :; done; echo went", NULL);
    pid_t pid = commands_wait_pid("pid");
    deja_runner_suspend(r);
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
    assert_int_equal(info.si_code, CLD_STOPPED);
    write_script("go", "", 0644);
    deja_runner_resume(r);
    deja_outcome o = commands_next(r);
    assert_string_equal(commands_text(&o.out), "went\n");
    deja_outcome_done(&o);
    deja_runner_close(r);
}

static void test_runner__a_stopped_job_can_be_terminated(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "trap 'exit 4' TERM; echo $$ >pid; while :; do :; done", NULL);
    pid_t pid = commands_wait_pid("pid");
    deja_runner_suspend(r);
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
    deja_runner_terminate(r, SIGTERM);
    deja_outcome o = commands_next(r);
    assert_int_equal(o.signal, 0);
    assert_int_equal(o.status, 4);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

/* A child that is just being made elsewhere, or one that the program forked, has copies of all our
 * descriptors. */
static void test_runner__copies_of_our_descriptors_leave_no_stale_events(void **state)
{
    (void)state;
    deja_runner *r = commands_open_with((deja_runner_options){.owns_children = 0});
    commands_shell(r, "echo $$ >pid; while [ ! -e go ]; do :; done; echo last", NULL);
    commands_wait_pid("pid");
    pid_t holder = fork();
    if (holder == 0) {
        pause();
        _exit(0);
    }
    write_script("go", "", 0644);
    deja_outcome o = commands_next(r);
    assert_string_equal(commands_text(&o.out), "last\n");
    deja_outcome_done(&o);
    struct pollfd ready = {.fd = deja_runner_fd(r), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 0);
    kill(holder, SIGKILL);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    deja_runner_close(r);
}

static void test_runner__next_keeps_its_timeout(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "while :; do echo noise; done", NULL);
    deja_outcome o;
    assert_int_equal(deja_runner_next(r, 0, &o, NULL), 0);
    assert_int_equal(deja_runner_next(r, 30, &o, NULL), 0);
    deja_runner_kill(r);
    o = commands_next(r);
    assert_int_equal(o.signal, SIGKILL);
    assert_memory_equal(o.out.data, "noise\nnoise\n", 12);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

static void test_runner__bad_options_are_refused(void **state)
{
    (void)state;
    deja_runner *r = NULL;
    static const char *const bad[] = {
        NULL,  "",    "a/b",
        "a:b", "a b", "0123456789012345678901234567890123456789012345678901234567890123456789"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        deja_runner_options o = {.size = sizeof o, .run_id = bad[i]};
        assert_int_equal(deja_runner_open(&r, &o, NULL), DEJA_EINVAL);
    }
    assert_null(r);
    deja_runner_close(NULL);
    deja_outcome_done(NULL);
}

static void test_runner__a_forked_child_may_only_close(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "sleep 0.2; echo alive", NULL);
    pid_t pid = fork();
    if (pid == 0) {
        deja_outcome o;
        const char *argv[] = {"/bin/true", NULL};
        int ok =
            commands_try(r, argv, NULL, NULL) == DEJA_EFORK && deja_runner_next(r, 0, &o, NULL) == DEJA_EFORK;
        deja_runner_kill(r);
        deja_runner_terminate(r, SIGTERM);
        deja_runner_close(r);
        _exit(ok ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    deja_outcome o = commands_next(r);
    assert_string_equal(commands_text(&o.out), "alive\n");
    deja_outcome_done(&o);
    deja_runner_close(r);
}

#define until_go " while [ ! -e go ]; do sleep 0.01; done"

static void test_runner__what_left_its_group_ends_with_its_own_job(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "setsid -f sh -c 'echo $$ >first; sleep 1000; :';" until_go, r);
    pid_t first = commands_wait_pid("first");
    assert_int_equal(killed_rest(r, "/bin/sh", "setsid -f sleep 1000"), DEJA_REST_KILLED);
    assert_int_equal(killed_rest(r, "/bin/sh", ":"), DEJA_REST_NONE);
    assert_true(commands_alive(first));
    fclose(fopen("go", "w"));
    deja_outcome o = commands_next(r);
    assert_ptr_equal(o.user, r);
    assert_int_equal(o.killed_rest, DEJA_REST_KILLED);
    assert_false(commands_alive(first));
    deja_outcome_done(&o);
    deja_runner_close(r);
}

static void test_runner__what_may_be_anybodys_is_noted_of_all_that_ran(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, until_go, r);
    assert_int_equal(
        killed_rest(r, "/bin/sh",
                    "env -i setsid -f /bin/sh -c '>left; exec /bin/sleep 1000'; while [ ! -e left ]; do "
                    "sleep 0.01; done"),
        DEJA_REST_DOUBTFUL);
    assert_int_equal(killed_rest(r, "/bin/sh", ":"), DEJA_REST_NONE); /* it was there before */
    fclose(fopen("go", "w"));
    deja_outcome o = commands_next(r);
    assert_int_equal(o.killed_rest, DEJA_REST_DOUBTFUL);
    deja_outcome_done(&o);
    deja_runner_close(r);
    assert_false(commands_have_children());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_runner__gives_exit_status_and_usage, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__gives_the_signal, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__peak_is_of_the_job_or_unknown, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__separates_streams_and_keeps_every_byte, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__output_is_shown_as_it_comes, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__exec_failures_carry_the_errno, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_word_that_is_too_long_says_so, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_file_without_interpreter_line_is_a_shells,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__file_is_relative_to_cwd, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__job_sees_a_clean_process, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__nohup_stays, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__job_has_its_group_and_no_descriptor_of_ours,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__stdin_is_what_was_given, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__works_without_standard_streams, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__environment_is_what_was_given_and_the_mark,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_background_child_with_the_pipe_does_not_delay_the_end,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_background_child_that_writes_is_dead_when_the_job_ends,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__says_whether_the_rest_was_alive_and_killed,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_killed_rest_is_told_of_foreign_children_too,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__200_mb_come_back_whole, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__thousands_of_short_jobs_lose_no_byte, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__no_descriptor_is_left, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__descriptor_is_quiet_when_nothing_is_left, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__few_descriptors_mean_fewer_jobs_at_a_time, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__jobs_have_the_limit_given, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_reserve_of_descriptors_is_left, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__one_job_runs_without_the_reserve, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__killed_jobs_are_all_accounted_for, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_timeout_ends_a_job_and_what_it_left, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_job_within_its_timeout_is_left_alone, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__terminate_kills_after_the_grace, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_job_that_ended_before_was_not_terminated,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__suspend_stops_and_resume_goes_on, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_stopped_job_can_be_terminated, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__next_keeps_its_timeout, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__bad_options_are_refused, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__a_forked_child_may_only_close, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__copies_of_our_descriptors_leave_no_stale_events,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__what_left_its_group_ends_with_its_own_job, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_runner__what_may_be_anybodys_is_noted_of_all_that_ran,
                                        scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
