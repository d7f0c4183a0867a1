#ifndef DEJA_COMMANDS_H
#define DEJA_COMMANDS_H
/*
 * What the runner's tests share: open a runner, start shell text, wait for outcomes, look at processes.
 */
#include <deja/runner.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The limit after which a test that waits for something says that it never came. */
enum { commands_patience_ms = 20000 };

/* A run id that no other test and no other process has. */
static inline const char *commands_id(void)
{
    static char id[64];
    static int count;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    snprintf(id, sizeof id, "test-%d-%d-%ld", (int)getpid(), count++, t.tv_nsec);
    return id;
}

static inline deja_runner *commands_open_with(deja_runner_options options)
{
    deja_error err = {0};
    deja_runner *r = NULL;
    options.size = sizeof options;
    if (!options.run_id)
        options.run_id = commands_id();
    if (deja_runner_open(&r, &options, &err) < 0)
        fail_msg("open: %s", err.text);
    return r;
}

static inline deja_runner *commands_open(void)
{
    return commands_open_with((deja_runner_options){.owns_children = 1});
}

static inline int commands_try(deja_runner *r, const char *const *argv, void *user, deja_error *err)
{
    deja_command c = {
        .argv = argv, .file = argv[0], .env = (const char *const *)environ, .stdin_fd = -1, .user = user};
    return deja_runner_start(r, &c, err);
}

/* Starts `sh -c text`. */
static inline void commands_shell(deja_runner *r, const char *text, void *user)
{
    deja_error err = {0};
    const char *argv[] = {"/bin/sh", "-c", text, NULL};
    if (commands_try(r, argv, user, &err) < 0)
        fail_msg("start '%s': %s", text, err.text);
}

static inline deja_outcome commands_next(deja_runner *r)
{
    deja_error err = {0};
    deja_outcome o;
    int rc = deja_runner_next(r, commands_patience_ms, &o, &err);
    if (rc != 1)
        fail_msg("no outcome: %d %s", rc, rc < 0 ? err.text : "");
    return o;
}

static inline deja_outcome commands_run(deja_runner *r, const char *text)
{
    commands_shell(r, text, NULL);
    return commands_next(r);
}

static inline const char *commands_text(const deja_captured *c)
{
    assert_int_equal(c->fd, -1);
    return c->data ? c->data : "";
}

static inline int commands_count_fds(void)
{
    int count = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        count++;
    closedir(d);
    return count;
}

/* Waits until `path` has a whole line and returns the number in it. */
static inline pid_t commands_wait_pid(const char *path)
{
    for (int i = 0; i < commands_patience_ms; i++) {
        int pid = 0;
        char end = 0;
        FILE *f = fopen(path, "r");
        int n = f ? fscanf(f, "%d%c", &pid, &end) : 0;
        if (f)
            fclose(f);
        if (n == 2 && end == '\n')
            return pid;
        poll(NULL, 0, 1);
    }
    fail_msg("'%s' never came", path);
    return 0;
}

/* 1 when the process exists and is no zombie. */
static inline int commands_alive(pid_t pid)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    char *got = fgets(line, sizeof line, f);
    fclose(f);
    const char *state = got ? strrchr(line, ')') : NULL;
    return state && state[2] != 'Z' && state[2] != 'X';
}

static inline void commands_wait_gone(pid_t pid)
{
    for (int i = 0; i < commands_patience_ms; i++) {
        if (!commands_alive(pid))
            return;
        poll(NULL, 0, 1);
    }
    fail_msg("process %d is still there", (int)pid);
}

/* 1 when this process has children, zombies included; the warden does not count. */
static inline int commands_have_children(void)
{
    siginfo_t info = {0};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

#endif
