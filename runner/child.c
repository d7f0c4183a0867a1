/*
 * One running command. Pipes stay blocking on both ends, since O_NONBLOCK would reach the child: they are
 * read when epoll says so, and emptied at the end by what FIONREAD tells. Every descriptor leaves the epoll
 * set before it is closed: a child that is just being spawned may hold a copy, and the event would stay.
 */
#include "child.h"
#include "stray.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    first_look_ns = 100 * 1000,         /* a killed process is gone within some 50 us */
    longest_look_ns = 10 * 1000 * 1000, /* between looks at a group that takes its time */
    owned_patience_ms = 2000,    /* for a group that we reap ourselves: it may be in the kernel's hands */
    foreign_patience_ms = 100,   /* for one whose zombies somebody else reaps, perhaps never */
    status_not_executable = 126, /* as env(1) and shells */
    status_not_found = 127,
    kilobyte = 1024 /* the unit of ru_maxrss, getrusage(2) */
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

static int add_source(const child_host *host, child_source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    return epoll_ctl(host->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

static void close_source(const child_host *host, child_source *source)
{
    if (source->fd < 0)
        return;
    epoll_ctl(host->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    close_fd(&source->fd);
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
        if (env[i][0] != 'D' || strncmp(env[i], STRAY_VARIABLE, strlen(STRAY_VARIABLE)) != 0)
            host->env[len++] = (char *)env[i];
    host->env[len++] = host->mark;
    host->env[len] = NULL;
    return 0;
}

static int reap(const child *c, siginfo_t *info, struct rusage *usage)
{
    int rc;
    do {
        info->si_pid = 0;
        rc = (int)syscall(SYS_waitid, P_PIDFD, c->source[child_exit].fd, info, WEXITED | __WALL, usage);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

static int64_t usage_ns(const struct rusage *usage)
{
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * DEJA_S_NS +
           (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * INT64_C(1000);
}

/* A peak that may be ours is none. Ours never falls, so it is asked for only when a job's is above the last
 * one known. */
static uint64_t real_peak(child_host *host, uint64_t peak)
{
    struct rusage own;
    if (peak > host->own_peak_rss && getrusage(RUSAGE_SELF, &own) == 0)
        host->own_peak_rss = (uint64_t)own.ru_maxrss * kilobyte;
    return peak > host->own_peak_rss ? peak : 0;
}

static void note_end(child *c, child_host *host, const siginfo_t *info, const struct rusage *usage)
{
    deja_outcome *o = &c->outcome;
    o->wall_ns = deja_monotonic_ns(NULL) - o->start_ns;
    if (info->si_pid == 0)
        return; /* the program waited for it: nothing is known */
    if (info->si_code == CLD_EXITED)
        o->status = info->si_status;
    else
        o->signal = info->si_status;
    o->core = info->si_code == CLD_DUMPED;
    o->cpu_ns = usage_ns(usage);
    o->peak_rss_bytes = real_peak(host, (uint64_t)usage->ru_maxrss * kilobyte);
}

static void read_stream(child *c, child_host *host, child_part part, uint32_t events)
{
    child_source *source = &c->source[part];
    ssize_t n = 0;
    if (events & EPOLLIN)
        do
            n = read(source->fd, host->scratch, child_scratch_bytes);
        while (n < 0 && errno == EINTR);
    if (n > 0)
        capture_add(&c->capture[part], &host->store, host->scratch, (size_t)n);
    /* EPOLLHUP: nobody can write any more, so a read that did not fill the buffer has left nothing behind. */
    if (n <= 0 || (n < child_scratch_bytes && (events & EPOLLHUP)))
        close_source(host, source);
}

/* Takes what is in the pipe now; a stray that goes on writing does not hold us. */
static void drain_stream(child *c, child_host *host, child_part part)
{
    int fd = c->source[part].fd, left = 0;
    if (fd < 0 || ioctl(fd, FIONREAD, &left) < 0)
        left = 0;
    while (left > 0) {
        ssize_t n = read(fd, host->scratch, left < child_scratch_bytes ? (size_t)left : child_scratch_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        capture_add(&c->capture[part], &host->store, host->scratch, (size_t)n);
        left -= (int)n;
    }
    close_source(host, &c->source[part]);
}

static void finish(child *c, child_host *host)
{
    drain_stream(c, host, child_out);
    drain_stream(c, host, child_err);
    capture_take(&c->capture[child_out], &c->outcome.out);
    capture_take(&c->capture[child_err], &c->outcome.err);
    if (c->name)
        deja_trace_region(host->trace, "job", c->name, c->outcome.start_ns);
}

/*
 * Whether nobody is left in the group of an exited job. As the reaper of orphans we wait for its members, who
 * all became our children; else they are somebody else's, and only their existence can be asked for.
 */
static int group_is_gone(const child *c, const child_host *host)
{
    if (!host->owns_children)
        return kill(-c->pid, 0) < 0;
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_PGID, (id_t)c->pid, &info, WEXITED | WNOHANG | __WALL) < 0)
            return errno != EINTR;
        if (info.si_pid == 0)
            return 0;
    }
}

/*
 * The first process has exited. Its group is killed while the zombie still holds the group's number, and
 * leaves the board before the number can be used again.
 */
static int handle_exit(child *c, child_host *host)
{
    siginfo_t info = {0};
    struct rusage usage = {0};
    kill(-c->pid, SIGKILL);
    atomic_store_explicit(&host->warden.board->group[c->slot], 0, memory_order_release);
    if (reap(c, &info, &usage) < 0)
        info.si_pid = 0;
    note_end(c, host, &info, &usage);
    close_source(host, &c->source[child_exit]);
    c->exited = 1;
    c->kill_at_ns = 0;
    int64_t now = c->outcome.start_ns + c->outcome.wall_ns;
    c->give_up_ns = now + (host->owns_children ? owned_patience_ms : foreign_patience_ms) * DEJA_MS_NS;
    return child_look_again(c, host, now);
}

/* Nothing of a job that never ran is left; its outcome says why. */
static void note_failure(child *c, child_host *host)
{
    deja_outcome *o = &c->outcome;
    siginfo_t info = {0};
    struct rusage usage = {0};
    atomic_store(&host->warden.board->group[c->slot], 0);
    reap(c, &info, &usage);
    o->exec_errno = atomic_load(&host->warden.board->failure.sys_errno);
    o->exec_step = atomic_load(&host->warden.board->failure.step);
    int not_found = o->exec_step == DEJA_EXEC_FILE && o->exec_errno == ENOENT;
    o->status = not_found ? status_not_found : status_not_executable;
    o->wall_ns = deja_monotonic_ns(NULL) - o->start_ns;
    for (int i = 0; i < child_parts; i++)
        close_source(host, &c->source[i]);
    finish(c, host);
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

static int spawn_program(child *c, child_host *host, const deja_command *command,
                         const int write_end[child_parts])
{
    warden_board *board = host->warden.board;
    spawn_request q = {.file = command->file,
                       .argv = (char *const *)command->argv,
                       .env = host->env,
                       .cwd = command->cwd,
                       .in = command->stdin_fd,
                       .out = write_end[child_out],
                       .err = write_end[child_err],
                       .note = &board->group[c->slot],
                       .failure = &board->failure};
    int rc = spawn(c, host, &q);
    if (rc < 0 || atomic_load(&board->failure.sys_errno) != ENOEXEC ||
        atomic_load(&board->failure.step) != DEJA_EXEC_FILE)
        return rc;
    siginfo_t info = {0};
    struct rusage usage = {0};
    reap(c, &info, &usage);
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
            rc = add_source(host, &c->source[part]);
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
    c->outcome = (deja_outcome){.user = command->user, .status = -1, .out.fd = -1, .err.fd = -1};
    if (host->trace)
        c->name = deja_strdup(command->file);
}

static int launch(child *c, child_host *host, const deja_command *command)
{
    int write_end[child_parts] = {-1, -1, -1};
    int rc = build_environment(host, command->env);
    if (rc == 0)
        rc = open_pipes(c, host, write_end);
    c->outcome.start_ns = deja_monotonic_ns(NULL);
    if (rc == 0)
        rc = spawn_program(c, host, command, write_end);
    close_fd(&write_end[child_out]);
    close_fd(&write_end[child_err]);
    return rc;
}

/* A job that runs but cannot be watched is taken back. */
static int watch(child *c, child_host *host)
{
    int rc = add_source(host, &c->source[child_exit]);
    if (rc == 0)
        return 0;
    siginfo_t info = {0};
    struct rusage usage = {0};
    kill(-c->pid, SIGKILL);
    atomic_store(&host->warden.board->group[c->slot], 0);
    reap(c, &info, &usage);
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

int child_handle(child *c, child_host *host, child_part part, uint32_t events)
{
    if (c->source[part].fd < 0)
        return 0;
    if (part == child_exit)
        return handle_exit(c, host);
    read_stream(c, host, part, events);
    return 0;
}

int child_look_again(child *c, child_host *host, int64_t now_ns)
{
    if (!group_is_gone(c, host) && now_ns < c->give_up_ns) {
        int64_t waited = now_ns - c->outcome.start_ns - c->outcome.wall_ns;
        int64_t pause = waited < first_look_ns ? first_look_ns : waited;
        c->look_at_ns = now_ns + (pause < longest_look_ns ? pause : longest_look_ns);
        return 0;
    }
    c->look_at_ns = 0;
    finish(c, host);
    return 1;
}

void child_signal(const child *c, int signal)
{
    if (c->pid > 0 && !c->exited)
        kill(-c->pid, signal);
}

/* A zombie that we have not seen yet takes signals too. */
static int is_running(const child *c)
{
    siginfo_t info = {0};
    if (c->pid <= 0 || c->exited)
        return 0;
    return waitid(P_PIDFD, (id_t)c->source[child_exit].fd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) ==
               0 &&
           info.si_pid == 0;
}

void child_end(child *c, int signal)
{
    if (!c->outcome.terminated)
        c->outcome.terminated = is_running(c);
    child_signal(c, signal);
}

void child_free(child *c, child_host *host)
{
    if (!c)
        return;
    for (child_part part = 0; part < child_parts; part++) {
        close_source(host, &c->source[part]);
        capture_done(&c->capture[part]);
    }
    deja_outcome_done(&c->outcome);
    deja_free(c->name);
    deja_free(c);
}
