/*
 * The guard of an initialiser: sleeps on three descriptors, and has no others.
 */
#include "init_guard.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { last_descriptor = 1 << 16 }; /* closed one by one where close_range (Linux 5.9) is filtered */

static void close_all(int from, int to)
{
    if (from > to || syscall(SYS_close_range, from, to, 0) == 0)
        return;
    for (int fd = from; fd <= to && fd < last_descriptor; fd++)
        close(fd);
}

/* The sockets of the zygote tell the program of its end: no copy may stay open. */
static void keep_only(const struct pollfd *keep, int count)
{
    int from = 0;
    for (int next = from; from >= 0; from = next + 1) {
        next = -1;
        for (int i = 0; i < count; i++)
            if (keep[i].fd >= from && (next < 0 || keep[i].fd < next))
                next = keep[i].fd;
        close_all(from, next < 0 ? INT_MAX : next - 1);
        if (next < 0)
            return;
    }
}

static void end_zygote(const init_guard *g)
{
    kill(-g->zygote, SIGKILL); /* with what the initialiser started */
    if (g->zygote_fd < 0 || syscall(SYS_pidfd_send_signal, g->zygote_fd, SIGKILL, NULL, 0) < 0)
        kill(g->zygote, SIGKILL);
}

void init_guard_run(const init_guard *g)
{
    sigset_t all;
    struct pollfd p[] = {{.fd = g->until, .events = POLLIN},
                         {.fd = g->zygote_fd, .events = POLLIN},
                         {.fd = g->program, .events = POLLIN}};
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setpgid(0, 0);
    prctl(PR_SET_NAME, "deja-guard", 0, 0, 0);
    keep_only(p, 3);
    int n = poll(p, 3, -1);
    if (n > 0 && p[2].revents && !p[0].revents && !p[1].revents)
        end_zygote(g);
    _exit(0);
}
