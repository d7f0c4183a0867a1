/*
 * The table of jobs: slots, the list of finished ones, and the events that move a job from one to the other.
 */
#include "table.h"

#include <deja/memory.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { events_at_once = 64 };

static void set_timer(deja_runner *r, int64_t at_ns)
{
    struct itimerspec when = {.it_value = {.tv_sec = at_ns / DEJA_S_NS, .tv_nsec = at_ns % DEJA_S_NS}};
    timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &when, NULL);
    r->timer_at_ns = at_ns;
}

void table_want_timer(deja_runner *r, int64_t at_ns)
{
    if (at_ns && (!r->timer_at_ns || at_ns < r->timer_at_ns))
        set_timer(r, at_ns);
}

int table_make_room(deja_runner *r)
{
    if (r->in_slots < r->slots)
        return 0;
    uint32_t wanted = r->slots ? 2 * r->slots : 16;
    if (wanted > warden_slots)
        wanted = warden_slots;
    child **slot = wanted > r->slots ? deja_realloc_array(r->slot, wanted, sizeof *slot) : NULL;
    if (!slot)
        return -1;
    memset(slot + r->slots, 0, (wanted - r->slots) * sizeof *slot);
    r->slot = r->host.slot = slot;
    r->slots = r->host.slots = wanted;
    return 0;
}

uint32_t table_find_slot(deja_runner *r)
{
    uint32_t i = 0;
    while (r->slot[i])
        i++;
    if (i >= atomic_load_explicit(&r->host.warden.board->high, memory_order_relaxed))
        atomic_store(&r->host.warden.board->high, i + 1);
    return i;
}

void table_add_finished(deja_runner *r, child *c)
{
    c->next = NULL;
    if (r->last)
        r->last->next = c;
    else
        r->first = c;
    r->last = c;
    r->finished++;
}

static void leave_slot(deja_runner *r, child *c)
{
    r->slot[c->slot] = NULL;
    r->in_slots--;
    table_add_finished(r, c);
}

/* One whose first process has exited: it waits for the rest of its group, whose zombies are no orphans to
 * reap, since they tell what the kill met. */
static int any_is_ending(const deja_runner *r)
{
    for (uint32_t i = 0; i < r->slots; i++)
        if (r->slot[i] && r->slot[i]->exited)
            return 1;
    return 0;
}

static void handle_end(deja_runner *r, child *c)
{
    int64_t now = c->outcome.start_ns + c->outcome.wall_ns;
    leave_slot(r, c);
    if (reaper_is_due(&r->reaper, now) && !any_is_ending(r)) {
        reaper_look(&r->reaper, now);
        rest_forget(&r->host.rest);
    }
}

/* Its event's data.ptr is the warden. */
void table_keep_warden(deja_runner *r)
{
    warden *w = &r->host.warden;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
    if (warden_start(w) && w->pidfd >= 0)
        epoll_ctl(r->host.epoll, EPOLL_CTL_ADD, w->pidfd, &event);
    if (!w->pid)
        table_want_timer(r, w->try_again_ns);
}

void table_unwatch_warden(deja_runner *r)
{
    if (r->host.warden.pidfd >= 0)
        epoll_ctl(r->host.epoll, EPOLL_CTL_DEL, r->host.warden.pidfd, NULL);
}

/* Somebody killed it. */
static void handle_warden_end(deja_runner *r)
{
    table_unwatch_warden(r);
    warden_forget(&r->host.warden);
    table_keep_warden(r);
}

static void end_late(deja_runner *r, child *c, int64_t now)
{
    if (!c->end_at_ns || r->suspended_ns)
        return;
    if (now >= c->end_at_ns && child_time_out(c) && !c->kill_at_ns)
        c->kill_at_ns = now + r->grace_ns;
    table_want_timer(r, c->end_at_ns);
}

void table_put_off(deja_runner *r, int64_t ns)
{
    for (uint32_t i = 0; i < r->slots; i++)
        if (r->slot[i] && r->slot[i]->end_at_ns) {
            r->slot[i]->end_at_ns += ns;
            table_want_timer(r, r->slot[i]->end_at_ns);
        }
}

static void handle_timer(deja_runner *r)
{
    uint64_t expirations;
    if (read(r->timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN && errno != EINTR)
        return;
    int64_t now = deja_monotonic_ns(NULL);
    r->timer_at_ns = 0;
    if (r->in_slots > 0)
        table_keep_warden(r);
    for (uint32_t i = 0; i < r->slots; i++) {
        child *c = r->slot[i];
        if (!c)
            continue;
        end_late(r, c, now);
        if (c->kill_at_ns && now >= c->kill_at_ns) {
            child_end(c, SIGKILL);
            c->kill_at_ns = 0;
        }
        table_want_timer(r, c->kill_at_ns);
        if (c->exited && now >= c->look_at_ns && child_look_again(c, &r->host, now))
            handle_end(r, c);
        else if (c->exited)
            table_want_timer(r, c->look_at_ns);
    }
}

static void handle_event(deja_runner *r, const struct epoll_event *event)
{
    child_source *source = event->data.ptr;
    if (!source) {
        handle_timer(r);
        return;
    }
    if (event->data.ptr == &r->host.warden) {
        handle_warden_end(r);
        return;
    }
    child *c = source->child;
    if (child_handle(c, &r->host, source->part, event->events))
        handle_end(r, c);
    else if (c->exited)
        table_want_timer(r, c->look_at_ns);
}

int table_pump(deja_runner *r, int timeout_ms, deja_error *err)
{
    struct epoll_event event[events_at_once];
    int n = epoll_wait(r->host.epoll, event, events_at_once, timeout_ms);
    if (n < 0 && errno != EINTR)
        return deja_fail_errno(err, "wait for jobs");
    for (int i = 0; i < n; i++)
        handle_event(r, &event[i]);
    return 0;
}

int table_take_finished(deja_runner *r, deja_outcome *ret)
{
    child *c = r->first;
    if (!c)
        return 0;
    r->first = c->next;
    if (!r->first)
        r->last = NULL;
    r->finished--;
    *ret = c->outcome;
    c->outcome = (deja_outcome){.out.fd = -1, .err.fd = -1};
    child_free(c, &r->host);
    return 1;
}
