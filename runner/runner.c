/*
 * The runner: a table of jobs, one epoll set and one timer in it. A job moves from its slot to the list of
 * finished ones, in the order in which jobs end.
 */
#include "child.h"
#include "reaper.h"
#include "stray.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

enum {
    events_at_once = 64,
    default_grace_ms = 5000,
    default_capture_bytes = 4 * 1024 * 1024,
    close_patience_ms = 5000, /* for jobs and strays that do not die */
};

struct deja_runner {
    child_host host;
    reaper reaper;
    int timer;           /* a timerfd in the epoll set, its data.ptr NULL */
    int64_t timer_at_ns; /* when it fires; 0: it is not armed */
    int64_t grace_ns;
    child **slot; /* by slot number; NULL: free */
    uint32_t slots, in_slots;
    child *first, *last; /* finished, not taken */
    uint32_t finished;
    int started; /* 1: a job was started, there may be strays */
};

static int is_foreign(const deja_runner *r)
{
    return getpid() != r->host.spawner.owner;
}

static int fail_foreign(deja_error *err)
{
    return deja_fail(err, DEJA_EFORK, "a runner cannot be used in a forked child");
}

static int run_id_is_valid(const char *id)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return id && *id && id[strspn(id, allowed)] == '\0' && strlen(id) < warden_id_bytes;
}

static int make_mark(deja_runner *r, const char *outer, const char *id, deja_error *err)
{
    deja_buffer b = {0};
    deja_buffer_add_string(&b, STRAY_VARIABLE);
    if (outer && *outer)
        deja_buffer_addf(&b, "%s:", outer);
    deja_buffer_add_string(&b, id);
    r->host.mark = deja_buffer_take(&b);
    r->host.scratch = deja_realloc(NULL, child_scratch_bytes);
    return r->host.mark && r->host.scratch ? 0 : deja_fail(err, DEJA_ENOMEM, "open a runner");
}

/* Above the standard streams: those are put in order in each child. */
static int open_descriptors(deja_runner *r, deja_error *err)
{
    r->host.epoll = deja_file_above_standard(epoll_create1(EPOLL_CLOEXEC));
    r->timer = deja_file_above_standard(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (r->host.epoll < 0 || r->timer < 0)
        return deja_fail_errno(err, "open a runner");
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(r->host.epoll, EPOLL_CTL_ADD, r->timer, &event) < 0)
        return deja_fail_errno(err, "watch a timer");
    return 0;
}

static int set_up(deja_runner *r, const deja_runner_options *o, deja_error *err)
{
    int rc = make_mark(r, o->outer_run, o->run_id, err);
    if (rc == 0)
        rc = spawner_init(&r->host.spawner, err);
    if (rc == 0 && o->signal_mask)
        memcpy(&r->host.spawner.mask, o->signal_mask, sizeof r->host.spawner.mask);
    if (rc == 0)
        rc = warden_init(&r->host.warden, o->run_id, err);
    if (rc == 0)
        rc = open_descriptors(r, err);
    if (rc == 0)
        rc = reaper_open(&r->reaper, r->host.warden.board, r->host.owns_children, err);
    return rc;
}

static void set_timer(deja_runner *r, int64_t at_ns)
{
    struct itimerspec when = {.it_value = {.tv_sec = at_ns / DEJA_S_NS, .tv_nsec = at_ns % DEJA_S_NS}};
    timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &when, NULL);
    r->timer_at_ns = at_ns;
}

/* The timer fires at `at_ns` (0: no wish) or before. */
static void want_timer(deja_runner *r, int64_t at_ns)
{
    if (at_ns && (!r->timer_at_ns || at_ns < r->timer_at_ns))
        set_timer(r, at_ns);
}

static int make_room(deja_runner *r)
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
    r->slot = slot;
    r->slots = wanted;
    return 0;
}

/* The lowest free slot, so that the warden's board stays short. */
static uint32_t find_slot(deja_runner *r)
{
    uint32_t i = 0;
    while (r->slot[i])
        i++;
    if (i >= atomic_load_explicit(&r->host.warden.board->high, memory_order_relaxed))
        atomic_store(&r->host.warden.board->high, i + 1);
    return i;
}

static void add_finished(deja_runner *r, child *c)
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
    add_finished(r, c);
}

static void handle_end(deja_runner *r, child *c)
{
    leave_slot(r, c);
    reaper_look(&r->reaper, c->outcome.start_ns + c->outcome.wall_ns);
}

/* Its event's data.ptr is the warden. */
static void keep_warden(deja_runner *r)
{
    warden *w = &r->host.warden;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
    if (warden_start(w) && w->pidfd >= 0)
        epoll_ctl(r->host.epoll, EPOLL_CTL_ADD, w->pidfd, &event);
    if (!w->pid)
        want_timer(r, w->try_again_ns);
}

static void unwatch_warden(deja_runner *r)
{
    if (r->host.warden.pidfd >= 0)
        epoll_ctl(r->host.epoll, EPOLL_CTL_DEL, r->host.warden.pidfd, NULL);
}

/* Somebody killed it. */
static void handle_warden_end(deja_runner *r)
{
    unwatch_warden(r);
    warden_forget(&r->host.warden);
    keep_warden(r);
}

static void handle_timer(deja_runner *r)
{
    uint64_t expirations;
    if (read(r->timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN && errno != EINTR)
        return;
    int64_t now = deja_monotonic_ns(NULL);
    r->timer_at_ns = 0;
    if (r->in_slots > 0)
        keep_warden(r);
    for (uint32_t i = 0; i < r->slots; i++) {
        child *c = r->slot[i];
        if (!c)
            continue;
        if (c->kill_at_ns && now >= c->kill_at_ns) {
            child_end(c, SIGKILL);
            c->kill_at_ns = 0;
        }
        want_timer(r, c->kill_at_ns);
        if (c->exited && now >= c->look_at_ns && child_look_again(c, &r->host, now))
            handle_end(r, c);
        else if (c->exited)
            want_timer(r, c->look_at_ns);
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
        want_timer(r, c->look_at_ns);
}

/* One wait and its events. No job is freed meanwhile, so an event of one that has just ended finds its
 * sources closed. */
static int pump(deja_runner *r, int timeout_ms, deja_error *err)
{
    struct epoll_event event[events_at_once];
    int n = epoll_wait(r->host.epoll, event, events_at_once, timeout_ms);
    if (n < 0 && errno != EINTR)
        return deja_fail_errno(err, "wait for jobs");
    for (int i = 0; i < n; i++)
        handle_event(r, &event[i]);
    return 0;
}

static int take_finished(deja_runner *r, deja_outcome *ret)
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

static int left_ms(int64_t deadline_ns)
{
    int64_t left = (deadline_ns - deja_monotonic_ns(NULL) + DEJA_MS_NS - 1) / DEJA_MS_NS;
    return left < 0 ? 0 : (int)(left > INT_MAX ? INT_MAX : left);
}

static void signal_all(deja_runner *r, int signal)
{
    for (uint32_t i = 0; !is_foreign(r) && i < r->slots; i++)
        if (r->slot[i])
            child_signal(r->slot[i], signal);
}

static void kill_all(deja_runner *r)
{
    for (uint32_t i = 0; !is_foreign(r) && i < r->slots; i++)
        if (r->slot[i])
            child_end(r->slot[i], SIGKILL);
}

static void end_jobs(deja_runner *r, int64_t deadline_ns)
{
    kill_all(r);
    while (r->in_slots > 0) {
        int left = left_ms(deadline_ns);
        if (left == 0 || pump(r, left, NULL) < 0)
            return;
    }
}

static void free_jobs(deja_runner *r)
{
    deja_outcome outcome;
    for (uint32_t i = 0; i < r->slots; i++)
        child_free(r->slot[i], &r->host);
    while (take_finished(r, &outcome))
        deja_outcome_done(&outcome);
    deja_free(r->slot);
}

static void free_runner(deja_runner *r, int own)
{
    deja_cleanup_close(
        &r->host.epoll); /* before the jobs' descriptors: a forked child shares the set itself */
    r->host.epoll = -1;
    free_jobs(r);
    if (own)
        reaper_close(&r->reaper);
    deja_cleanup_close(&r->timer);
    warden_done(&r->host.warden, own);
    spawner_done(&r->host.spawner);
    deja_free(r->host.env);
    deja_free(r->host.mark);
    deja_free(r->host.scratch);
    deja_free(r);
}

/* What a job needs more than we do. Its pidfd only tells that the warden was killed. */
static int spare_descriptor(deja_runner *r)
{
    unwatch_warden(r);
    return warden_spare_descriptor(&r->host.warden);
}

int deja_runner_open(deja_runner **ret, const deja_runner_options *options, deja_error *err)
{
    if (!options || options->size != sizeof *options || !run_id_is_valid(options->run_id))
        return deja_fail(err, DEJA_EINVAL, "a runner needs options with a run id");
    deja_runner *r = deja_calloc(1, sizeof *r);
    if (!r)
        return deja_fail(err, DEJA_ENOMEM, "open a runner");
    r->host.epoll = r->timer = r->host.warden.pidfd = -1;
    r->host.owns_children = options->owns_children != 0;
    r->host.trace = options->trace;
    r->host.store =
        (capture_store){.limit = options->capture_limit ? options->capture_limit : default_capture_bytes,
                        .spool = options->spool,
                        .context = options->spool_context};
    r->grace_ns = (options->grace_ms ? options->grace_ms : default_grace_ms) * DEJA_MS_NS;
    int rc = set_up(r, options, err);
    if (rc < 0) {
        free_runner(r, 1);
        return rc;
    }
    *ret = r;
    return 0;
}

int deja_runner_start(deja_runner *r, const deja_command *command, deja_error *err)
{
    if (is_foreign(r))
        return fail_foreign(err);
    if (!command->file || !command->argv || !command->env)
        return deja_fail(err, DEJA_EINVAL, "a command needs a file, arguments and an environment");
    if (make_room(r) < 0)
        return deja_fail(err, DEJA_ERESOURCE, "no room for another job");
    keep_warden(r);
    r->started = 1;
    child *c = NULL;
    uint32_t slot = find_slot(r);
    int rc = child_start(&c, &r->host, slot, command, err);
    if (rc == DEJA_ERESOURCE && spare_descriptor(r))
        rc = child_start(&c, &r->host, slot, command, err);
    if (rc < 0)
        return rc;
    if (c->pid > 0) {
        r->slot[slot] = c;
        r->in_slots++;
    } else {
        add_finished(r, c);
        want_timer(r, 1); /* the descriptor must say that there is something to take */
    }
    return 0;
}

int deja_runner_fd(const deja_runner *r)
{
    return r->host.epoll;
}

int deja_runner_next(deja_runner *r, int timeout_ms, deja_outcome *ret, deja_error *err)
{
    if (is_foreign(r))
        return fail_foreign(err);
    int64_t deadline = timeout_ms > 0 ? deja_monotonic_ns(NULL) + timeout_ms * DEJA_MS_NS : 0;
    int wait_ms = timeout_ms;
    while (!take_finished(r, ret)) {
        if (r->in_slots == 0)
            wait_ms = 0; /* but the timer and the warden may have something: the descriptor must not stay
                            readable */
        int rc = pump(r, wait_ms, err);
        if (rc < 0)
            return rc;
        if (!r->first && wait_ms == 0)
            return 0;
        if (timeout_ms > 0)
            wait_ms = left_ms(deadline);
    }
    return 1;
}

uint32_t deja_runner_running(const deja_runner *r)
{
    return r->in_slots + r->finished;
}

void deja_runner_terminate(deja_runner *r, int signal)
{
    if (is_foreign(r))
        return;
    int64_t kill_at = deja_monotonic_ns(NULL) + r->grace_ns;
    for (uint32_t i = 0; i < r->slots; i++) {
        child *c = r->slot[i];
        if (!c || c->exited)
            continue;
        child_end(c, signal);
        child_signal(c, SIGCONT);
        if (!c->kill_at_ns)
            c->kill_at_ns = kill_at;
        want_timer(r, c->kill_at_ns);
    }
}

void deja_runner_kill(deja_runner *r)
{
    kill_all(r);
}

void deja_runner_suspend(deja_runner *r)
{
    signal_all(r, SIGTSTP);
}

void deja_runner_resume(deja_runner *r)
{
    signal_all(r, SIGCONT);
}

void deja_runner_close(deja_runner *r)
{
    if (!r)
        return;
    int own = !is_foreign(r);
    if (own) {
        int64_t deadline = deja_monotonic_ns(NULL) + close_patience_ms * DEJA_MS_NS;
        end_jobs(r, deadline);
        if (r->started || r->host.owns_children)
            reaper_end(&r->reaper, r->host.warden.pid, deadline);
    }
    free_runner(r, own);
}

void deja_outcome_done(deja_outcome *o)
{
    if (!o)
        return;
    captured_done(&o->out);
    captured_done(&o->err);
    *o = (deja_outcome){.out.fd = -1, .err.fd = -1};
}
