/*
 * The public calls: opening, starting, signalling, closing.
 */
#include "mark.h"
#include "table.h"

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
    default_grace_ms = 5000,
    default_capture_bytes = 4 * 1024 * 1024,
    spool_fds = 2,            /* that a job's output may need, one for a stream */
    close_patience_ms = 5000, /* for jobs and strays that do not die */
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
    deja_buffer_add_string(&b, MARK_VARIABLE);
    if (outer && *outer)
        deja_buffer_addf(&b, "%s:", outer);
    deja_buffer_add_string(&b, id);
    r->host.mark_len = b.len;
    deja_buffer_addf(&b, "%*s", child_number_bytes, "");
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
    if (rc == 0 && o->job_descriptors) {
        r->host.spawner.sets_descriptors = 1;
        r->host.spawner.descriptors[0] = o->job_descriptors->rlim_cur;
        r->host.spawner.descriptors[1] = o->job_descriptors->rlim_max;
    }
    if (rc == 0)
        rc = warden_init(&r->host.warden, o->run_id, err);
    if (rc == 0)
        rc = open_descriptors(r, err);
    if (rc == 0)
        rc = reaper_open(&r->reaper, r->host.warden.board, r->host.owns_children, err);
    return rc;
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
        if (left == 0 || table_pump(r, left, NULL) < 0)
            return;
    }
}

static void free_jobs(deja_runner *r)
{
    deja_outcome outcome;
    for (uint32_t i = 0; i < r->slots; i++)
        child_free(r->slot[i], &r->host);
    while (table_take_finished(r, &outcome))
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
    if (own)
        cgroup_close(&r->host.cgroup);
    spawner_done(&r->host.spawner);
    rest_done(&r->host.rest);
    deja_free(r->host.env);
    deja_free(r->host.mark);
    deja_free(r->host.scratch);
    deja_free(r);
}

/* What a job needs more than we do. Its pidfd only tells that the warden was killed. */
static int spare_descriptor(deja_runner *r)
{
    int spared = rest_spare_descriptor(&r->host.rest);
    table_unwatch_warden(r);
    return warden_spare_descriptor(&r->host.warden) || spared;
}

/* For the jobs that run and the next one. */
static uint64_t reserve_of(const deja_runner *r)
{
    return r->reserve_fds && r->in_slots ? r->reserve_fds + (r->in_slots + UINT64_C(1)) * spool_fds : 0;
}

int deja_runner_open(deja_runner **ret, const deja_runner_options *options, deja_error *err)
{
    if (!options || options->size != sizeof *options || !run_id_is_valid(options->run_id))
        return deja_fail(err, DEJA_EINVAL, "a runner needs options with a run id");
    deja_runner *r = deja_calloc(1, sizeof *r);
    if (!r)
        return deja_fail(err, DEJA_ENOMEM, "open a runner");
    r->host.epoll = r->timer = r->host.warden.pidfd = r->host.rest.fd = -1;
    r->host.owns_children = options->owns_children != 0;
    r->host.trace = options->trace;
    r->host.store =
        (capture_store){.limit = options->capture_limit ? options->capture_limit : default_capture_bytes,
                        .spool = options->spool,
                        .context = options->spool_context};
    r->host.output = options->output;
    r->host.output_context = options->output_context;
    r->reserve_fds = options->reserve_fds;
    r->grace_ns = (options->grace_ms ? options->grace_ms : default_grace_ms) * DEJA_MS_NS;
    oom_open(&r->host.oom);
    cgroup_init(&r->host.cgroup, options->run_id);
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
    if (table_make_room(r) < 0)
        return deja_fail(err, DEJA_ERESOURCE, "no room for another job");
    table_keep_warden(r);
    r->started = 1;
    child *c = NULL;
    uint32_t slot = table_find_slot(r);
    r->host.reserve_fds = reserve_of(r);
    int rc = child_start(&c, &r->host, slot, command, err);
    if (rc == DEJA_ERESOURCE && r->in_slots == 0 && spare_descriptor(r))
        rc = child_start(&c, &r->host, slot, command, err);
    if (rc < 0)
        return rc;
    if (c->pid > 0) {
        r->slot[slot] = c;
        r->in_slots++;
        table_want_timer(r, c->end_at_ns);
    } else {
        table_add_finished(r, c);
        table_want_timer(r, 1); /* the descriptor must say that there is something to take */
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
    while (!table_take_finished(r, ret)) {
        if (r->in_slots == 0)
            wait_ms = 0; /* but the timer and the warden may have something: the descriptor must not stay
                            readable */
        int rc = table_pump(r, wait_ms, err);
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
        table_want_timer(r, c->kill_at_ns);
    }
}

void deja_runner_kill(deja_runner *r)
{
    kill_all(r);
}

void deja_runner_suspend(deja_runner *r)
{
    signal_all(r, SIGTSTP);
    if (!r->suspended_ns)
        r->suspended_ns = deja_monotonic_ns(NULL);
}

void deja_runner_resume(deja_runner *r)
{
    signal_all(r, SIGCONT);
    if (r->suspended_ns)
        table_put_off(r, deja_monotonic_ns(NULL) - r->suspended_ns);
    r->suspended_ns = 0;
}

void deja_runner_close(deja_runner *r)
{
    if (!r)
        return;
    int own = !is_foreign(r);
    r->host.output = NULL; /* what outcomes belong to may be gone */
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
