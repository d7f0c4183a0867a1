/*
 * Orphans of jobs: adopting, reaping and killing them.
 */
#include "reaper.h"
#include "stray.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum {
    look_ms = 100, /* between looks for zombies */
    pause_ms = 1,  /* between sweeps, for what was killed to die */
};

static int is_job(const warden_board *board, pid_t pid)
{
    uint32_t high = atomic_load_explicit(&board->high, memory_order_relaxed);
    for (uint32_t i = 0; i < high; i++)
        if (atomic_load_explicit(&board->group[i], memory_order_relaxed) == pid)
            return 1;
    return 0;
}

/* An ignored SIGCHLD, inherited perhaps, would eat exit statuses. */
static int mend_action(reaper *r, deja_error *err)
{
    const struct sigaction action = {.sa_handler = SIG_DFL};
    if (sigaction(SIGCHLD, NULL, &r->action) < 0)
        return deja_fail_errno(err, "look at SIGCHLD");
    if (r->action.sa_handler != SIG_IGN && !(r->action.sa_flags & SA_NOCLDWAIT))
        return 0;
    if (sigaction(SIGCHLD, &action, NULL) < 0)
        return deja_fail_errno(err, "set SIGCHLD");
    r->action_changed = 1;
    return 0;
}

/* 1 when this process has no children; the warden is none to an ordinary wait. */
static int reap_all(void)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0)
            return errno == ECHILD;
        if (info.si_pid == 0)
            return 0;
    }
}

int reaper_open(reaper *r, const warden_board *board, int owns, deja_error *err)
{
    *r = (reaper){.board = board, .owns = owns};
    if (!owns)
        return 0;
    if (prctl(PR_GET_CHILD_SUBREAPER, &r->was_reaper) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return deja_fail_errno(err, "become the reaper of orphans");
    r->adopted = 1;
    return mend_action(r, err);
}

int reaper_is_due(const reaper *r, int64_t now_ns)
{
    return r->owns && now_ns >= r->look_at_ns;
}

/* The zombie of a job hides those behind it until it is handled. */
void reaper_look(reaper *r, int64_t now_ns)
{
    r->look_at_ns = now_ns + look_ms * DEJA_MS_NS;
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
            is_job(r->board, info.si_pid))
            return;
        waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
    }
}

void reaper_end(const reaper *r, pid_t own_warden, int64_t deadline_ns)
{
    int64_t now = deja_monotonic_ns(NULL), doubt_at_ns = now + stray_patience_ms * DEJA_MS_NS;
    stray_hunt hunt = {.run_id = r->board->run_id, .warden = own_warden};
    if (!r->owns) {
        stray_hunt_down(&hunt, deadline_ns > now ? (int)((deadline_ns - now) / DEJA_MS_NS) : 0);
        return;
    }
    hunt.parent = r->board->owner;
    for (; !reap_all() && now < deadline_ns; now = deja_monotonic_ns(NULL)) {
        stray_sweep(&hunt, now < doubt_at_ns);
        poll(NULL, 0, pause_ms);
    }
}

void reaper_close(reaper *r)
{
    if (r->adopted && !r->was_reaper)
        prctl(PR_SET_CHILD_SUBREAPER, 0);
    if (r->action_changed)
        sigaction(SIGCHLD, &r->action, NULL);
    *r = (reaper){0};
}
