/* Signals as something to poll for, see signals.h. */
#include "signals.h"
#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { MAY_BE_IGNORED = 4 }; /* the first signals of the list */

static int is_ignored(int sig)
{
    struct sigaction action;
    return sigaction(sig, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int signals_open(signals *s, deja_error *err)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (i >= MAY_BE_IGNORED ||
            !is_ignored(wanted[i])) /* a blocked signal would be read although it is ignored */
            sigaddset(&set, wanted[i]);
    /* A reader that went away and a file that grew too large are errors of a write, not the end of the
     * program. */
    if (sigaction(SIGPIPE, &ignore, NULL) || sigaction(SIGXFSZ, &ignore, NULL) ||
        pthread_sigmask(SIG_BLOCK, &set, &s->old))
        return deja_fail_errno(err, "set up signals");
    s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->fd < 0) {
        deja_fail_errno(err, "set up signals");
        pthread_sigmask(SIG_SETMASK, &s->old, NULL);
        return err ? err->code : DEJA_ERESOURCE;
    }
    return 0;
}

int signals_take(signals *s)
{
    struct signalfd_siginfo info;
    ssize_t n;
    do
        n = read(s->fd, &info, sizeof info);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

void signals_stop(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    raise(SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &set,
                    NULL); /* stops here, unless nobody could continue us (an orphaned group) */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void signals_close(signals *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
