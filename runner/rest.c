/*
 * The rest of a job, see rest.h. An ordinary job costs one pread(2) here.
 */
#include "child.h"
#include "stray.h"

#include <deja/file.h>
#include <deja/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    empty_patience_ms = 100, /* for one without environment: in the middle of an execve(2) */
    whole_block = 4096 - 16, /* the kernel hands out pages of whole numbers (fs/seq_file.c) */
};

typedef enum owner {
    OWNER_THIS,    /* the job that is ending */
    OWNER_RUNNING, /* another one */
    OWNER_ENDED,   /* one that has ended before */
    OWNER_UNKNOWN,
} owner;

/* Orphans are given to the first thread of their reaper (find_alive_thread in kernel/exit.c). */
static int open_list(rest *r)
{
    char path[64];
    if (r->fd >= 0)
        return 1;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    r->fd = deja_file_above_standard(open(path, O_RDONLY | O_CLOEXEC));
    return r->fd >= 0;
}

/* All children as text, in the host's scratch; NULL when they cannot be listed. */
static char *list_children(child_host *host)
{
    size_t len = 0;
    ssize_t n = open_list(&host->rest) ? 1 : 0;
    while (n > 0 && len < child_scratch_bytes - 1) {
        n = pread(host->rest.fd, host->scratch + len, child_scratch_bytes - 1 - len, (off_t)len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            len += (size_t)n;
        if (n > 0 && n < whole_block) /* the next one would be empty */
            break;
    }
    host->scratch[len] = '\0';
    return host->rest.fd >= 0 && n >= 0 ? host->scratch : NULL;
}

static size_t count_listed(const char *list)
{
    size_t count = 0;
    for (; *list; list++)
        count += *list == ' ';
    return count;
}

static size_t count_known(const child_host *host)
{
    size_t count = host->warden.pid != 0;
    for (uint32_t i = 0; i < host->slots; i++)
        count += host->slot[i] && !host->slot[i]->exited;
    return count;
}

static size_t place_of(const rest *r, pid_t pid)
{
    size_t at = (size_t)pid & (r->seen_cap - 1);
    while (r->seen[at].pid && r->seen[at].pid != pid)
        at = (at + 1) & (r->seen_cap - 1);
    return at;
}

/* Room for one more; without, it is looked at again. */
static int grow_seen(rest *r)
{
    if (2 * (r->seen_count + 1) <= r->seen_cap)
        return 1;
    rest old = *r;
    size_t cap = old.seen_cap ? 2 * old.seen_cap : 64;
    rest_seen *seen = deja_calloc(cap, sizeof *seen);
    if (!seen)
        return 0;
    r->seen = seen;
    r->seen_cap = cap;
    for (size_t i = 0; i < old.seen_cap; i++)
        if (old.seen[i].pid)
            seen[place_of(r, old.seen[i].pid)] = old.seen[i];
    deja_free(old.seen);
    return 1;
}

static void remember(rest *r, pid_t pid, uint64_t job)
{
    if (!grow_seen(r))
        return;
    rest_seen *s = &r->seen[place_of(r, pid)];
    r->seen_count += !s->pid;
    *s = (rest_seen){.pid = pid, .job = job};
}

/* Of another job that still runs: it is that one's affair when it ends. Asked of each child at each end. */
static int is_anothers(const child *c, const child_host *host, pid_t pid)
{
    const rest *r = &host->rest;
    uint64_t job = r->seen_cap ? r->seen[place_of(r, pid)].job : 0;
    for (uint32_t i = 0; job && job != c->number && i < host->slots; i++)
        if (host->slot[i] && host->slot[i]->number == job)
            return 1;
    return 0;
}

void rest_forget(rest *r)
{
    if (r->seen_count)
        memset(r->seen, 0, r->seen_cap * sizeof *r->seen);
    r->seen_count = 0;
}

/* The number of the job whose first process it is, or whose group; 0: none. */
static uint64_t job_of(const child_host *host, pid_t pid)
{
    for (uint32_t i = 0; i < host->slots; i++)
        if (host->slot[i] && host->slot[i]->pid == pid)
            return host->slot[i]->number;
    return 0;
}

static owner owner_of(const child *c, const child_host *host, const stray_sight *sight)
{
    size_t running = 0;
    if (sight->marked && sight->job == c->number)
        return OWNER_THIS;
    for (uint32_t i = 0; i < host->slots; i++) {
        if (sight->marked && host->slot[i] && host->slot[i]->number == sight->job)
            return OWNER_RUNNING;
        running += host->slot[i] != NULL;
    }
    if (sight->marked && sight->job > 0)
        return OWNER_ENDED;
    return running <= 1 ? OWNER_THIS : OWNER_UNKNOWN;
}

static int was_nobodys(const rest *r, pid_t pid)
{
    for (size_t i = 0; i < r->nobody_count; i++)
        if (r->nobody[i] == pid)
            return 1;
    return 0;
}

/* It appeared while these jobs ran, and may go on writing after any of them. */
static void note_nobodys(child_host *host, pid_t pid)
{
    rest *r = &host->rest;
    pid_t *more = deja_grow(r->nobody, r->nobody_count, &r->nobody_cap, sizeof *more);
    for (uint32_t i = 0; i < host->slots; i++)
        if (host->slot[i] && !host->slot[i]->outcome.killed_rest)
            host->slot[i]->outcome.killed_rest = DEJA_REST_DOUBTFUL;
    if (!more)
        return; /* noted again next time: that costs results, no more */
    r->nobody = more;
    r->nobody[r->nobody_count++] = pid;
}

/* Nested wardens end the jobs of their dead runners first, see stray.h. 1: it is to be asked for again. */
static int end_own(child *c, pid_t pid, const stray_sight *sight, int64_t since_ns)
{
    c->outcome.killed_rest = DEJA_REST_KILLED;
    if (!sight->is_warden || since_ns > stray_patience_ms * DEJA_MS_NS)
        kill(pid, SIGKILL);
    return 1;
}

/*
 * A dead one that our SIGKILL may have met: one that was just leaving its group when that was killed is not
 * waited for with the group, and the dead do not tell whose they were. So it counts for all that are ending.
 */
static void reap(child *c, child_host *host, pid_t pid)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | __WALL) < 0 || info.si_pid == 0 ||
        info.si_code != CLD_KILLED || info.si_status != SIGKILL)
        return;
    c->outcome.killed_rest = DEJA_REST_KILLED;
    for (uint32_t i = 0; i < host->slots; i++)
        if (host->slot[i] && host->slot[i]->exited)
            host->slot[i]->outcome.killed_rest = DEJA_REST_KILLED;
}

/* A child that is no job. 1: it is to be asked for again. */
static int judge(child *c, child_host *host, pid_t pid, int64_t since_ns)
{
    stray_sight sight;
    if (is_anothers(c, host, pid))
        return 0;
    if (!stray_look_at(pid, host->warden.board->run_id, &sight)) {
        if (job_of(host, sight.group))
            return 0;
        reap(c, host, pid);
        return 1; /* it may have left us a child since the list was read */
    }
    uint64_t job = job_of(host, sight.group);
    if (job)
        remember(&host->rest, pid, job);
    if (job || was_nobodys(&host->rest, pid))
        return 0;
    if (!sight.has_environment && since_ns < empty_patience_ms * DEJA_MS_NS)
        return 1;
    owner whose = owner_of(c, host, &sight);
    if (whose == OWNER_THIS)
        return end_own(c, pid, &sight, since_ns);
    if (whose == OWNER_ENDED && !sight.is_warden)
        kill(pid, SIGKILL);
    else if (whose == OWNER_UNKNOWN)
        note_nobodys(host, pid);
    else if (whose == OWNER_RUNNING)
        remember(&host->rest, pid, sight.job);
    return 0;
}

int rest_is_gone(child *c, child_host *host, int64_t now_ns)
{
    int gone = 1;
    char *list = list_children(host);
    if (!list || count_listed(list) <= count_known(host))
        return 1;
    int64_t since_ns = now_ns - c->outcome.start_ns - c->outcome.wall_ns;
    for (char *at = list, *end; *at; at = *end ? end + 1 : end) {
        pid_t pid = (pid_t)strtol(at, &end, 10);
        if (end == at)
            break;
        if (pid != host->warden.pid && !job_of(host, pid))
            gone &= !judge(c, host, pid, since_ns);
    }
    return gone;
}

int rest_spare_descriptor(rest *r)
{
    int had = r->fd >= 0;
    if (had)
        close(r->fd);
    r->fd = -1;
    return had;
}

void rest_done(rest *r)
{
    rest_spare_descriptor(r);
    deja_free(r->nobody);
    deja_free(r->seen);
    *r = (rest){.fd = -1};
}
