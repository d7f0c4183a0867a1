/* The loop around the conductor, see loop.h. */
#include "loop.h"

static void end_by(loop *l, int sig)
{
    l->ends++;
    if (!l->ended_by)
        l->ended_by = sig;
    if (l->ending)
        l->ending(l->context);
    flow_signal(l->flow, sig == SIGPIPE ? SIGTERM : sig);
}

static void handle(loop *l, int sig)
{
    if (sig == SIGTSTP) {
        flow_signal(l->flow, sig);
        if (l->stopping)
            l->stopping(l->context);
        signals_stop();
        flow_signal(l->flow,
                    SIGCONT); /* also when there was nobody to stop for: jobs must not stay stopped */
    } else if (sig == SIGCONT || sig == SIGWINCH) {
        if (sig == SIGCONT)
            flow_signal(l->flow, sig);
        if (l->resized)
            l->resized(l->context);
    } else {
        end_by(l, sig);
    }
}

static void take_signals(loop *l)
{
    for (int sig; (sig = signals_take(l->signals));)
        handle(l, sig);
}

void loop_run(loop *l)
{
    for (;;) {
        flow_step(l->flow);
        l->tick(l->context);
        outbox_pump(l->box);
        if (flow_finished(l->flow)) {
            take_signals(l); /* one that came while the flow was busy still counts */
            return;
        }
        if (outbox_unread(l->box) && !l->ended_by)
            end_by(l, SIGPIPE);
        struct pollfd fds[3] = {{.fd = l->signals->fd, .events = POLLIN}};
        size_t n = 1 + outbox_poll(l->box, fds + 1);
        flow_wait(l->flow, fds, n, l->wait_ms(l->context));
        if (fds[0].revents)
            take_signals(l);
    }
}

void loop_drain(loop *l)
{
    const unsigned ends =
        l->ends; /* a run that was ended still tells what it has: one more signal ends that too */
    for (outbox_pump(l->box); !outbox_empty(l->box); outbox_pump(l->box)) {
        struct pollfd fds[3] = {{.fd = l->signals->fd, .events = POLLIN}};
        size_t n = 1 + outbox_poll(l->box, fds + 1);
        if (poll(fds, n, -1) > 0 && fds[0].revents)
            take_signals(l);
        if (l->ends != ends)
            return;
    }
    if (outbox_unread(l->box) && !l->ended_by)
        l->ended_by = SIGPIPE;
}
