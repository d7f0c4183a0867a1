/*
 * One running command. Pipes stay blocking on both ends, since O_NONBLOCK would reach the child: they are
 * read when epoll says so, and emptied at the end by what FIONREAD tells. Every descriptor leaves the epoll
 * set before it is closed: a child that is just being spawned may hold a copy, and the event would stay.
 */
#include "child.h"

#include <deja/memory.h>
#include <errno.h>
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
    owned_patience_ms = 2000,  /* for a group that we reap ourselves: it may be in the kernel's hands */
    foreign_patience_ms = 100, /* for one whose zombies somebody else reaps, perhaps never */
    kilobyte = 1024            /* the unit of ru_maxrss, getrusage(2) */
};

int child_watch(const child_host *host, child_source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    return epoll_ctl(host->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

void child_close_source(const child_host *host, child_source *source)
{
    if (source->fd < 0)
        return;
    epoll_ctl(host->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    close(source->fd);
    source->fd = -1;
}

int child_reap(const child *c, siginfo_t *info, struct rusage *usage)
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

static void take_output(child *c, child_host *host, child_part part, size_t len)
{
    if (host->output)
        host->output(host->output_context, c->outcome.user, part == child_err, host->scratch, len);
    capture_add(&c->capture[part], &host->store, host->scratch, len);
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
        take_output(c, host, part, (size_t)n);
    /* EPOLLHUP: nobody can write any more, so a read that did not fill the buffer has left nothing behind. */
    if (n <= 0 || (n < child_scratch_bytes && (events & EPOLLHUP)))
        child_close_source(host, source);
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
        take_output(c, host, part, (size_t)n);
        left -= (int)n;
    }
    child_close_source(host, &c->source[part]);
}

void child_finish(child *c, child_host *host)
{
    if (c->grouped && cgroup_end(&host->cgroup, c->number))
        c->outcome.oom = DEJA_OOM_LIMIT;
    drain_stream(c, host, child_out);
    drain_stream(c, host, child_err);
    capture_take(&c->capture[child_out], &c->outcome.out);
    capture_take(&c->capture[child_err], &c->outcome.err);
    if (c->name)
        deja_trace_region(host->trace, "job", c->name, c->outcome.start_ns);
}

/* Somebody else's zombies cannot be told from the living. */
static int foreign_group_is_gone(child *c)
{
    if (kill(-c->pid, 0) < 0)
        return 1;
    c->outcome.killed_rest = DEJA_REST_KILLED;
    return 0;
}

/*
 * Whether nobody is left in the group of an exited job. As the reaper of orphans we wait for its members, who
 * all became our children, and see which of them our SIGKILL met alive; else they are somebody else's, and
 * only their existence can be asked for.
 */
static int group_is_gone(child *c, const child_host *host)
{
    if (!host->owns_children)
        return foreign_group_is_gone(c);
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_PGID, (id_t)c->pid, &info, WEXITED | WNOHANG | __WALL) < 0)
            return errno != EINTR;
        if (info.si_pid == 0)
            return 0;
        if (info.si_code == CLD_KILLED && info.si_status == SIGKILL)
            c->outcome.killed_rest = DEJA_REST_KILLED;
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
    if (child_reap(c, &info, &usage) < 0)
        info.si_pid = 0;
    note_end(c, host, &info, &usage);
    child_close_source(host, &c->source[child_exit]);
    if (c->outcome.signal == SIGKILL && !c->killed && oom_blame(&host->oom))
        c->outcome.oom = DEJA_OOM_LIKELY;
    c->exited = 1;
    c->end_at_ns = c->kill_at_ns = 0;
    int64_t now = c->outcome.start_ns + c->outcome.wall_ns;
    c->give_up_ns = now + (host->owns_children ? owned_patience_ms : foreign_patience_ms) * DEJA_MS_NS;
    return child_look_again(c, host, now);
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
    c->group_gone = c->group_gone || group_is_gone(c, host);
    int gone = c->group_gone && (!host->owns_children || rest_is_gone(c, host, now_ns));
    if (!gone && now_ns < c->give_up_ns) {
        int64_t waited = now_ns - c->outcome.start_ns - c->outcome.wall_ns;
        int64_t pause = waited < first_look_ns ? first_look_ns : waited;
        c->look_at_ns = now_ns + (pause < longest_look_ns ? pause : longest_look_ns);
        return 0;
    }
    if (!gone)
        c->outcome.killed_rest = DEJA_REST_KILLED; /* killed, but in the kernel's hands */
    c->look_at_ns = 0;
    child_finish(c, host);
    return 1;
}

void child_signal(child *c, int signal)
{
    if (c->pid <= 0 || c->exited)
        return;
    c->killed |= signal == SIGKILL;
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
    if (!c->outcome.terminated && !c->outcome.timed_out)
        c->outcome.terminated = is_running(c);
    child_signal(c, signal);
}

int child_time_out(child *c)
{
    c->end_at_ns = 0;
    if (c->outcome.terminated || !is_running(c))
        return 0;
    c->outcome.timed_out = 1;
    child_signal(c, SIGTERM);
    child_signal(c, SIGCONT);
    return 1;
}

void child_free(child *c, child_host *host)
{
    if (!c)
        return;
    for (child_part part = 0; part < child_parts; part++) {
        child_close_source(host, &c->source[part]);
        capture_done(&c->capture[part]);
    }
    deja_outcome_done(&c->outcome);
    deja_free(c->name);
    deja_free(c);
}
