/*
 * Counts are raised before the listener is told, so that it may draw them.
 */
#include "ending.h"
#include "halt.h"
#include "keying.h"
#include "outputs.h"
#include <deja/cleanup.h>

static void settle(active *a, plan_end end, const deja_hash *left)
{
    int counts = end == PLAN_LEFT && left && a->job.def->needed;
    plan_settle(a->flow->plan, a->job.def, a->job.index, end, left, counts ? outputs_stamp(&a->job) : 0);
}

static void end(active *a, uint64_t *count, const flow_event *event)
{
    ++*count;
    a->flow->totals.done++;
    active_tell(a->flow, event);
    active_retire(a);
}

static void end_unsuccessful(active *a, uint64_t *count, const flow_event *event)
{
    settle(a, a->job.def->allow_failure ? PLAN_MISSING : PLAN_FAILED, NULL);
    end(a, count, event);
}

static void end_failed(active *a, flow_event *event)
{
    flow *f = a->flow;
    event->allowed = a->job.def->allow_failure;
    f->totals.allowed += event->allowed != 0;
    end_unsuccessful(a, &f->totals.failed, event);
    halt_look(f);
}

void ending_never_ran(active *a, int status, const deja_error *why)
{
    flow_event event = active_event(a, FLOW_FAILED);
    event.reason = why->text;
    event.exit_status = status;
    end_failed(a, &event);
}

void ending_skipped(active *a, const char *reason)
{
    flow_event event = active_event(a, FLOW_SKIPPED);
    event.reason = reason;
    end_unsuccessful(a, &a->flow->totals.skipped, &event);
}

void ending_interrupted(active *a)
{
    ending_skipped(a, "interrupted");
}

void ending_blocked(active *a, const plan_ready *ready)
{
    flow *f = a->flow;
    DEJA_AUTO_BUFFER deja_buffer reason = {0};
    deja_buffer_addf(&reason, ready->would ? "depends on '%s'" : "needs '%s', which failed",
                     ready->blocked_by->name);
    flow_event event = active_event(a, ready->would ? FLOW_WOULD_RUN : FLOW_SKIPPED);
    event.reason = deja_buffer_string(&reason);
    if (!ready->would) {
        end_unsuccessful(a, &f->totals.skipped, &event);
        return;
    }
    settle(a, PLAN_UNKNOWN, NULL);
    end(a, &f->totals.ran, &event);
}

/* The first job that it needs of which it is not known what it left; NULL: that is not why it has no key. */
static const batch_job *unknown_need(const active *a)
{
    const batch_job *def = a->job.def;
    deja_hash left;
    for (size_t i = 0; i < def->need_count && !a->keyed && a->flow->options.cache && def->cache; i++) {
        const batch_job *needed = &a->flow->batch->jobs[def->needs[i].job];
        if (!def->needs[i].order_only && !plan_left(a->flow->plan, &def->needs[i], a->job.index, &left))
            return needed;
    }
    return NULL;
}

void ending_would_run(active *a)
{
    flow_event event = active_event(a, FLOW_WOULD_RUN);
    const batch_job *needed = unknown_need(a);
    DEJA_AUTO_BUFFER deja_buffer reason = {0};
    if (needed) {
        deja_buffer_addf(&reason, "depends on '%s'", needed->name);
        event.reason = deja_buffer_string(&reason);
    }
    settle(a, PLAN_UNKNOWN, NULL);
    end(a, &a->flow->totals.ran, &event);
}

static int open_stream(active *a, const deja_stored *stored, flow_bytes *ret)
{
    *ret = (flow_bytes){.data = stored->data, .len = stored->content.size, .fd = -1};
    if (stored->where == DEJA_STORED_INLINE)
        return 0;
    ret->fd = deja_restore_open(a->flow->options.cache, &a->restore, stored, NULL);
    return ret->fd < 0 ? DEJA_ENOTFOUND : 0;
}

static void close_streams(const flow_event *event)
{
    deja_cleanup_close(&event->out.fd);
    deja_cleanup_close(&event->err.fd);
}

static void answer(active *a, flow_event *event)
{
    const deja_entry *e = a->entry;
    deja_hash left;
    event->exit_status = e->exit_status;
    event->wall_ns = e->wall_ns;
    event->cpu_ns = e->cpu_ns;
    event->peak_rss_bytes = e->peak_rss_bytes;
    a->flow->totals.saved_ns += e->wall_ns;
    int known = a->job.def->needed && !a->left_unknown &&
                keying_left(e->outputs, batch_listed_outputs(a->job.def), a->targets, &e->out.content,
                            e->has_value ? &e->value.content : NULL, &left);
    settle(a, PLAN_LEFT, known ? &left : NULL);
    end(a, &a->flow->totals.hits, event);
}

int ending_hit(active *a)
{
    int dry = a->flow->options.dry_run;
    flow_event event = active_event(a, dry ? FLOW_WOULD_HIT : FLOW_HIT);
    int readable = dry || (open_stream(a, &a->entry->out, &event.out) == 0 &&
                           open_stream(a, &a->entry->err, &event.err) == 0);
    if (readable)
        answer(a, &event);
    close_streams(&event);
    return readable;
}

static flow_event event_of_run(active *a, flow_event_kind kind)
{
    const deja_outcome *o = &a->outcome;
    flow_event event = active_event(a, kind);
    event.exit_status = o->status;
    event.signal = o->signal;
    event.timed_out = o->timed_out;
    event.wall_ns = o->wall_ns;
    event.cpu_ns = o->cpu_ns;
    event.peak_rss_bytes = o->peak_rss_bytes;
    event.out = (flow_bytes){.data = o->out.data, .len = o->out.len, .fd = o->out.fd};
    event.err = (flow_bytes){.data = o->err.data, .len = o->err.len, .fd = o->err.fd};
    return event;
}

/* It did not fail, it was ended. */
static void end_terminated(active *a)
{
    flow *f = a->flow;
    flow_event event = event_of_run(a, FLOW_SKIPPED);
    event.reason = f->stopping ? "interrupted" : "ended after another job had failed";
    end_unsuccessful(a, &f->totals.skipped, &event);
}

void ending_failed(active *a, const deja_error *why)
{
    if (!a->job.def->keep_failed)
        outputs_remove(&a->job);
    if (a->outcome.terminated) {
        end_terminated(a);
        return;
    }
    flow_event event = event_of_run(a, FLOW_FAILED);
    event.reason = why && why->code ? why->text : NULL;
    a->flow->totals.ran_ns += a->outcome.wall_ns;
    end_failed(a, &event);
}

void ending_attempt(active *a, const deja_error *why, int64_t retry_ns)
{
    flow_event event = event_of_run(a, FLOW_RETRYING);
    event.attempt = a->attempt - 1;
    event.reason = why->code ? why->text : NULL;
    event.retry_ns = retry_ns;
    a->flow->totals.ran_ns += a->outcome.wall_ns;
    active_tell(a->flow, &event);
}

void ending_settle(active *a, const deja_hash *left)
{
    settle(a, PLAN_LEFT, left);
}

static void finished(active *a, int kept, const char *not_kept)
{
    flow *f = a->flow;
    flow_event event = event_of_run(a, FLOW_FINISHED);
    event.adopted = a->adopted;
    f->totals.adopted += a->adopted != 0;
    event.kept = kept;
    event.not_kept = not_kept;
    f->totals.ran_ns += a->outcome.wall_ns;
    end(a, &f->totals.ran, &event);
}

void ending_kept(active *a)
{
    finished(a, 1, NULL);
}

void ending_ran(active *a)
{
    finished(a, 0, NULL);
}

void ending_unfit(active *a, const char *why)
{
    finished(a, 0, why);
}

void ending_not_kept(active *a, const char *why)
{
    flow *f = a->flow;
    f->totals.not_kept++;
    if (f->trouble.len == 0)
        deja_buffer_add_string(&f->trouble, why);
    ending_unfit(a, why);
}
