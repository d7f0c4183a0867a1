/*
 * The start of a job: pipes, environment, process. Whatever fails, nothing is left of it.
 */
#include "child.h"
#include "mark.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    status_not_executable = 126, /* as env(1) and shells */
    status_not_found = 127,
};

typedef struct pipe_pair {
    int read, write;
} pipe_pair;

/* Only what may be different when another job has ended is a lack of resources. */
static int start_failure(deja_error *err, int sys_errno)
{
    int is_lack = sys_errno == EAGAIN || sys_errno == ENOMEM || sys_errno == EMFILE || sys_errno == ENFILE ||
                  sys_errno == ENOSPC;
    int code = is_lack ? DEJA_ERESOURCE : deja_code_of_errno(sys_errno);
    deja_fail(err, code, "start a process: %s", strerror(sys_errno));
    if (err)
        err->sys_errno = sys_errno;
    return code;
}

/* Above the standard streams, which may be closed in this process. */
static int make_pipe(pipe_pair *p)
{
    int fd[2];
    *p = (pipe_pair){-1, -1};
    if (pipe2(fd, O_CLOEXEC) < 0)
        return -errno;
    p->read = deja_file_above_standard(fd[0]);
    p->write = deja_file_above_standard(fd[1]);
    return p->read < 0 || p->write < 0 ? -EMFILE : 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The job's variables and our mark, without copying strings. */
static int build_environment(child_host *host, const char *const *env)
{
    size_t count = 0, len = 0;
    while (env[count])
        count++;
    if (count + 2 > host->env_cap) {
        char **grown = deja_realloc_array(host->env, 2 * count + 2, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        host->env = grown;
        host->env_cap = 2 * count + 2;
    }
    for (size_t i = 0; i < count; i++)
        if (env[i][0] != 'D' || strncmp(env[i], MARK_VARIABLE, strlen(MARK_VARIABLE)) != 0)
            host->env[len++] = (char *)env[i];
    snprintf(host->mark + host->mark_len, child_number_bytes, "#%llu", (unsigned long long)host->number);
    host->env[len++] = host->mark;
    host->env[len] = NULL;
    return 0;
}

/* Nothing of a job that never ran is left; its outcome says why. */
static void note_failure(child *c, child_host *host)
{
    deja_outcome *o = &c->outcome;
    siginfo_t info = {0};
    struct rusage usage = {0};
    atomic_store(&host->warden.board->group[c->slot], 0);
    child_reap(c, &info, &usage);
    o->exec_errno = atomic_load(&host->warden.board->failure.sys_errno);
    o->exec_step = atomic_load(&host->warden.board->failure.step);
    int not_found = o->exec_step == DEJA_EXEC_FILE && o->exec_errno == ENOENT;
    o->status = not_found ? status_not_found : status_not_executable;
    o->wall_ns = deja_monotonic_ns(NULL) - o->start_ns;
    for (int i = 0; i < child_parts; i++)
        child_close_source(host, &c->source[i]);
    child_finish(c, host);
    c->pid = 0;
}

static int spawn(child *c, child_host *host, const spawn_request *q)
{
    warden_board *board = host->warden.board;
    atomic_store_explicit(&q->failure->sys_errno, 0, memory_order_relaxed);
    atomic_store_explicit(&q->failure->step, 0, memory_order_relaxed);
    pid_t pid = spawn_job(&host->spawner, q, &c->source[child_exit].fd);
    if (pid < 0) {
        c->source[child_exit].fd = -1;
        return pid;
    }
    c->pid = pid;
    c->outcome.pid = pid;
    atomic_store_explicit(&board->group[c->slot], pid, memory_order_release);
    return 0;
}

/* A file without "#!" is a shell's, as execvp(3) has it. */
static int spawn_by_shell(child *c, child_host *host, const spawn_request *q)
{
    size_t count = 0;
    while (q->argv[count])
        count++;
    DEJA_AUTO_FREE char **argv = deja_realloc_array(NULL, count + 3, sizeof *argv);
    if (!argv)
        return -ENOMEM;
    argv[0] = (char *)"/bin/sh";
    argv[1] = (char *)q->file;
    memcpy(argv + 2, q->argv + (count > 0), (count + (count == 0)) * sizeof *argv);
    spawn_request by_shell = *q;
    by_shell.file = "/bin/sh";
    by_shell.argv = argv;
    return spawn(c, host, &by_shell);
}

/* Ours may be lower, and cannot be raised by everybody. */
static uint64_t data_limit(uint64_t bytes)
{
    struct rlimit own;
    return bytes && getrlimit(RLIMIT_DATA, &own) == 0 && bytes < own.rlim_max ? bytes : 0;
}

static int spawn_program(child *c, child_host *host, const deja_command *command,
                         const int write_end[child_parts])
{
    warden_board *board = host->warden.board;
    DEJA_AUTO_CLOSE int group = -1;
    if (command->memory_bytes && cgroup_open(&host->cgroup))
        group = cgroup_add(&host->cgroup, c->number, command->memory_bytes);
    c->grouped = group >= 0;
    spawn_request q = {.file = command->file,
                       .argv = (char *const *)command->argv,
                       .env = host->env,
                       .cwd = command->cwd,
                       .in = command->stdin_fd,
                       .out = write_end[child_out],
                       .err = write_end[child_err],
                       .note = &board->group[c->slot],
                       .cgroup = group,
                       .data_bytes = data_limit(command->memory_bytes),
                       .nice = command->nice,
                       .failure = &board->failure};
    int rc = spawn(c, host, &q);
    if (rc < 0 || atomic_load(&board->failure.sys_errno) != ENOEXEC ||
        atomic_load(&board->failure.step) != DEJA_EXEC_FILE)
        return rc;
    siginfo_t info = {0};
    struct rusage usage = {0};
    child_reap(c, &info, &usage);
    close_fd(&c->source[child_exit].fd);
    return spawn_by_shell(c, host, &q);
}

static int open_pipes(child *c, const child_host *host, int write_end[child_parts])
{
    for (child_part part = child_out; part <= child_err; part++) {
        pipe_pair pair;
        int rc = make_pipe(&pair);
        c->source[part].fd = pair.read;
        write_end[part] = pair.write;
        if (rc == 0)
            rc = child_watch(host, &c->source[part]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void init(child *c, child_host *host, uint32_t slot, const deja_command *command)
{
    for (child_part part = 0; part < child_parts; part++) {
        c->source[part] = (child_source){.child = c, .part = part, .fd = -1};
        capture_init(&c->capture[part]);
    }
    c->slot = slot;
    c->number = ++host->number;
    c->outcome = (deja_outcome){.user = command->user, .status = -1, .out.fd = -1, .err.fd = -1};
    if (host->trace)
        c->name = deja_strdup(command->file);
}

/*
 * Whether the next descriptor is out of the reserve. Numbers are given out lowest first, so the newest one
 * tells how many are left, without a system call while that is many. The soft limit may have changed.
 */
static int reserve_is_left(child_host *host, int newest_fd)
{
    struct rlimit limit;
    uint64_t wanted = (uint64_t)newest_fd + 2 + host->reserve_fds;
    if (!host->reserve_fds || wanted <= host->fd_limit)
        return 1;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1;
    host->fd_limit = limit.rlim_cur;
    return wanted <= host->fd_limit;
}

static int launch(child *c, child_host *host, const deja_command *command)
{
    int write_end[child_parts] = {-1, -1, -1};
    int rc = build_environment(host, command->env);
    if (rc == 0)
        rc = open_pipes(c, host, write_end);
    if (rc == 0 && !reserve_is_left(host, write_end[child_err]))
        rc = -EMFILE;
    c->outcome.start_ns = deja_monotonic_ns(NULL);
    if (command->timeout_ns > 0 && command->timeout_ns < INT64_MAX - c->outcome.start_ns)
        c->end_at_ns = c->outcome.start_ns + command->timeout_ns;
    if (rc == 0)
        rc = spawn_program(c, host, command, write_end);
    close_fd(&write_end[child_out]);
    close_fd(&write_end[child_err]);
    return rc;
}

/* A job that runs but cannot be watched is taken back. */
static int watch(child *c, child_host *host)
{
    int rc = child_watch(host, &c->source[child_exit]);
    if (rc == 0)
        return 0;
    siginfo_t info = {0};
    struct rusage usage = {0};
    kill(-c->pid, SIGKILL);
    atomic_store(&host->warden.board->group[c->slot], 0);
    child_reap(c, &info, &usage);
    return rc;
}

int child_start(child **ret, child_host *host, uint32_t slot, const deja_command *command, deja_error *err)
{
    child *c = deja_calloc(1, sizeof *c);
    if (!c)
        return start_failure(err, ENOMEM);
    init(c, host, slot, command);
    int rc = launch(c, host, command);
    if (rc == 0 && atomic_load(&host->warden.board->failure.step) != DEJA_EXEC_DONE)
        note_failure(c, host);
    else if (rc == 0)
        rc = watch(c, host);
    if (rc < 0) {
        atomic_store(&host->warden.board->group[slot], 0);
        child_free(c, host);
        return start_failure(err, -rc);
    }
    *ret = c;
    return 0;
}
