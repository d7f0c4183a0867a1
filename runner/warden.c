/*
 * The warden. What runs in its process (from `watch` down) is a copy of a program that may have had threads:
 * raw system calls, no allocation, no locks.
 */
#include "warden.h"
#include "stray.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    hunt_limit_ms = 10 * 1000,    /* then what is left cannot be killed */
    pause_ns = 200 * 1000 * 1000, /* between looks at the parent, where pidfd_open is filtered */
    last_descriptor = 1 << 16,    /* closed one by one where close_range (Linux 5.9) is filtered */
};

/* Nothing of the program's stays open: no lock, no pipe, no terminal, no working directory. */
static void let_go(void)
{
    syscall(SYS_setsid);
    syscall(SYS_prctl, PR_SET_NAME, STRAY_WARDEN_NAME, 0, 0, 0);
    syscall(SYS_chdir, "/");
    if (syscall(SYS_close_range, 0, ~0U, 0) == 0)
        return;
    for (int fd = 0; fd < last_descriptor; fd++)
        syscall(SYS_close, fd);
}

/* Another parent means that the owner is gone: pids are not enough, one may be used again. */
static void wait_for_end(pid_t owner)
{
    struct pollfd poll = {.fd = (int)syscall(SYS_pidfd_open, owner, 0), .events = POLLIN};
    const struct timespec pause = {.tv_nsec = pause_ns};
    while (syscall(SYS_getppid) == owner)
        if (syscall(SYS_ppoll, &poll, 1, poll.fd < 0 ? &pause : NULL, NULL, 0) == 1)
            return;
}

static void signal_groups(const warden_board *board, uint32_t high, int signal)
{
    for (uint32_t i = 0; i < high; i++) {
        pid_t group = atomic_load(&board->group[i]);
        if (group > 1)
            syscall(SYS_kill, -group, signal);
    }
}

/* Groups are stopped first: what dies no longer tells whose parent it was. */
static void watch(const void *context)
{
    const warden_board *board = context;
    let_go();
    wait_for_end(board->owner);
    uint32_t high = atomic_load(&board->high);
    signal_groups(board, high, SIGSTOP);
    stray_hunt hunt = {.run_id = board->run_id, .group = board->group, .groups = high};
    if (stray_hunt_down(&hunt, hunt_limit_ms) < 0)
        signal_groups(board, high, SIGKILL);
}

int warden_init(warden *w, const char *run_id, deja_error *err)
{
    *w = (warden){.pidfd = -1};
    size_t len = strlen(run_id);
    if (len == 0 || len >= warden_id_bytes)
        return deja_fail(err, DEJA_EINVAL, "a run id has 1 to %d characters", warden_id_bytes - 1);
    void *board = mmap(NULL, sizeof *w->board, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (board == MAP_FAILED)
        return deja_fail(err, DEJA_ERESOURCE, "map the warden's board: %s", strerror(errno));
    w->board = board;
    memcpy(w->board->run_id, run_id, len + 1);
    w->board->owner = getpid();
    return 0;
}

static void close_pidfd(warden *w)
{
    if (w->pidfd >= 0)
        close(w->pidfd);
    w->pidfd = -1;
}

static void reap(const warden *w)
{
    siginfo_t info;
    int rc;
    do
        rc = w->pidfd >= 0 ? waitid(P_PIDFD, (id_t)w->pidfd, &info, WEXITED | __WALL)
                           : waitid(P_PID, (id_t)w->pid, &info, WEXITED | __WALL);
    while (rc < 0 && errno == EINTR);
}

int warden_start(warden *w)
{
    int64_t now = w->pid > 0 ? 0 : deja_monotonic_ns(NULL);
    if (w->pid > 0 || (w->try_again_ns && now < w->try_again_ns))
        return 0;
    int pidfd = -1;
    pid_t pid = spawn_copy(watch, w->board, &pidfd);
    if (pid == -EMFILE || pid == -ENFILE) {
        pidfd = -1;
        pid = spawn_copy(watch, w->board, NULL);
    }
    w->try_again_ns = now + DEJA_S_NS;
    if (pid < 0)
        return 0;
    w->pid = pid;
    w->pidfd = pidfd;
    return 1;
}

void warden_forget(warden *w)
{
    reap(w);
    close_pidfd(w);
    w->pid = 0;
}

int warden_spare_descriptor(warden *w)
{
    int had = w->pidfd >= 0;
    close_pidfd(w);
    return had;
}

void warden_done(warden *w, int own)
{
    if (w->pid > 0 && own) {
        kill(w->pid, SIGKILL); /* not reaped yet, so the pid is its own */
        reap(w);
    }
    close_pidfd(w);
    if (w->board)
        munmap(w->board, sizeof *w->board);
    *w = (warden){.pidfd = -1};
}
