/* What a run tells, see report.h. */
#include "report.h"
#include "cli.h"
#include "say.h"
#include "tagged.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/hash.h>
#include <deja/text.h>
#include <string.h>

enum {
    WATCHED_JOBS = 64, /* running jobs that others are told of */
    TICK_MS = 1000,    /* records are written out, and the state for watchers */
    PATIENCE_MS = 500, /* after a signal, before it is said what the run waits for */
};

static void queue_line(report *r, const deja_buffer *b)
{
    if (!b->failed && b->len)
        outbox_line(r->box, b->data, b->len);
}

/* "deja: NAME: TEXT" */
static void say_about(report *r, const flow_event *e, const char *word, const char *text)
{
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    if (e->name)
        deja_text_escape(&name, e->name, strlen(e->name));
    say_format(&b, "%s%s%s%s", word, deja_buffer_string(&name), e->name && *text ? ": " : "", text);
    queue_line(r, &b);
}

void report_say(report *r, const char *format, ...)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    va_list list;
    va_start(list, format);
    deja_buffer_vaddf(&text, format, list);
    va_end(list);
    say_format(&b, "%s", deja_buffer_string(&text));
    queue_line(r, &b);
    if (r->options.json)
        events_note(&r->events, deja_buffer_string(&text));
}

/* 1 for a text that was not said before (as far as is remembered). */
static int is_new(report *r, const char *text)
{
    uint64_t hash = deja_hash64(text, strlen(text));
    for (size_t i = 0; i < r->said_count; i++)
        if (r->said[i] == hash)
            return 0;
    if (r->said_count < sizeof r->said / sizeof *r->said)
        r->said[r->said_count++] = hash;
    return 1;
}

static void note(report *r, const flow_event *e)
{
    deja_buffer_clear(&r->note);
    deja_buffer_add_string(&r->note, e->reason ? e->reason : "");
    say_about(r, e, "", deja_buffer_string(&r->note));
}

static void say_not_kept(report *r, const flow_event *e)
{
    if (!e->not_kept || !strcmp(e->not_kept, deja_buffer_string(&r->note)) || !is_new(r, e->not_kept))
        return;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_addf(&text, "the result is not kept: %s", e->not_kept);
    say_about(r, e, "warning: ", deja_buffer_string(&text));
}

/* Of many jobs that wait for the same only the first is named. */
static void say_waiting(report *r, const flow_event *e)
{
    DEJA_AUTO_BUFFER deja_buffer living = {0};
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    if (!e->reason && r->options.runs)
        runs_living(r->options.runs, r->record ? record_id(r->record) : NULL, &living);
    if (e->reason)
        deja_buffer_addf(&text, "waiting: %s", e->reason);
    else if (living.len)
        deja_buffer_addf(&text, "waiting: another run makes it: %s", deja_buffer_string(&living));
    else
        deja_buffer_add_string(&text, "waiting: another run makes it");
    if (r->options.verbose || is_new(r, deja_buffer_string(&text)))
        say_about(r, e, "", deja_buffer_string(&text));
}

static void say_verbose(report *r, const flow_event *e)
{
    char wall[32];
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_text_duration(e->wall_ns, wall);
    if (e->kind == FLOW_STARTED)
        say_about(r, e, "started ", "");
    else if (e->kind == FLOW_HIT)
        say_about(r, e, "hit ", "");
    if (e->kind != FLOW_FINISHED && e->kind != FLOW_FAILED)
        return;
    if (e->kind == FLOW_FAILED)
        failures_outcome(&text, e);
    else
        deja_buffer_addf(&text, "%s", wall);
    say_about(r, e, e->kind == FLOW_FAILED ? "failed " : "finished ", deja_buffer_string(&text));
}

/* Told as it happens: it may go on for hours. */
static void say_retrying(report *r, const flow_event *e)
{
    char delay[32];
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    if (r->options.quiet)
        return;
    deja_buffer_addf(&text, "attempt %u of %u failed: ", e->attempt, e->attempts);
    failures_outcome(&text, e);
    deja_text_duration(e->retry_ns, delay);
    if (e->retry_ns > 0)
        deja_buffer_addf(&text, "; again in %s", delay);
    say_about(r, e, "", deja_buffer_string(&text));
}

static void print_text(report *r, const flow_event *e, const deja_buffer *text)
{
    flow_bytes bytes = {.data = text->data, .len = text->len, .fd = -1};
    printer_add(r->printer, e->def->number, e->index, text->failed ? NULL : &bytes, NULL);
}

/* A line of a dry run, which is its result: it goes to standard output in batch order. */
static void print_would(report *r, const flow_event *e)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, e->kind == FLOW_WOULD_HIT ? "hit " : "run ");
    deja_text_escape(&b, e->name, strlen(e->name));
    if (e->reason) {
        deja_buffer_add_string(&b, " (");
        deja_text_escape(&b, e->reason, strlen(e->reason));
        deja_buffer_add_char(&b, ')');
    }
    deja_buffer_add_char(&b, '\n');
    print_text(r, e, &b);
}

static void print_streams(report *r, const flow_event *e, const flow_bytes *out, const flow_bytes *err)
{
    if (r->options.unordered)
        outbox_put(r->box, out, err);
    else
        printer_add(r->printer, e->def->number, e->index, out, err);
}

/* What cannot be tagged is printed without tags rather than lost. */
static void print_tagged(report *r, const flow_event *e, const flow_bytes *out, const flow_bytes *err)
{
    tagged tagged_out = {.fd = -1}, tagged_err = {.fd = -1};
    deja_error cause;
    if (tagged_job(&tagged_out, e->name, out, &cause) || tagged_job(&tagged_err, e->name, err, &cause)) {
        outbox_lose(r->box, &cause);
        print_streams(r, e, out, err);
    } else
        print_streams(r, e, &tagged_out.bytes, &tagged_err.bytes);
    tagged_done(&tagged_out);
    tagged_done(&tagged_err);
}

static void print_output(report *r, const flow_event *e)
{
    static const flow_bytes nothing = {.fd = -1};
    const flow_bytes *out = r->options.table && result_table_is_output(r->options.table) ? &nothing : &e->out;
    if (live_end(&r->live, e))
        ;
    else if (r->options.tag)
        print_tagged(r, e, out, &e->err);
    else
        print_streams(r, e, out, &e->err);
}

static void print(report *r, const flow_event *e)
{
    if (!r->printer || !e->def)
        return;
    if (r->options.forecast && r->options.forecast->form != FORECAST_LINE) {
        if (e->kind != FLOW_NOTE)
            print_text(r, e, &r->options.forecast->text);
        return;
    }
    switch (e->kind) {
    case FLOW_HIT:
    case FLOW_FINISHED:
    case FLOW_FAILED:
    case FLOW_SKIPPED:
        print_output(r, e);
        break;
    case FLOW_WOULD_RUN:
    case FLOW_WOULD_HIT:
        print_would(r, e);
        break;
    default:
        break;
    }
}

/* What one command makes of the exit status of `deja exec`: its own, or a fault of ours. */
static int status_of(const flow_event *e)
{
    if (e->signal > 0)
        return EXIT_SIGNAL + e->signal;
    if (e->kind != FLOW_FAILED || e->exit_status > 0)
        return e->exit_status;
    return EXIT_OWN_FAULT;
}

static void tell_failed(report *r, const flow_event *e)
{
    const char *log = r->record ? record_log(r->record) : NULL;
    if (!r->options.only_output) {
        failures_add(&r->failures, e, log);
        return;
    }
    if (!e->reason)
        return;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    say_format(&b, "%s", e->reason);
    queue_line(r, &b);
}

static void take_down(report *r, const flow_event *e)
{
    if (!r->record || r->options.dry_run || (e->kind == FLOW_HIT && !r->options.keep_hits))
        return;
    record_event(r->record, e);
}

/* What could not be written is told at the end, and by the exit status. */
static void write_down(report *r, const flow_event *e)
{
    deja_error err;
    if (r->options.results && result_tree_take(r->options.results, e, &err))
        outbox_lose(r->box, &err);
    if (r->options.table)
        result_table_take(r->options.table, e);
}

static int ends_dry(const flow_event *e)
{
    return e->kind == FLOW_WOULD_RUN || e->kind == FLOW_WOULD_HIT || e->kind == FLOW_FAILED ||
           e->kind == FLOW_SKIPPED;
}

void report_listen(void *context, const flow_event *event)
{
    report *r = context;
    flow_event told = *event;
    const flow_event *e = &told;
    if (e->kind == FLOW_OUTPUT) {
        live_add(&r->live, e);
        return;
    }
    if (e->kind == FLOW_RETRYING)
        live_end(&r->live, e);
    take_down(r, e);
    if (r->options.forecast && ends_dry(e))
        told.reason = forecast_take(r->options.forecast, event);
    if (r->options.json)
        events_job(&r->events, e);
    if (r->options.verbose)
        say_verbose(r, e);
    print(r, e);
    write_down(r, e);
    if (e->kind == FLOW_NOTE)
        note(r, e);
    else if (e->kind == FLOW_WAITING)
        say_waiting(r, e);
    else if (e->kind == FLOW_RETRYING)
        say_retrying(r, e);
    else if (e->kind == FLOW_FAILED)
        tell_failed(r, e);
    if (e->kind == FLOW_HIT || e->kind == FLOW_FINISHED || e->kind == FLOW_FAILED)
        r->last_status = status_of(e);
    say_not_kept(r, e);
}

static void say_record_trouble(report *r)
{
    deja_error err;
    if (r->record && record_trouble(r->record, &err))
        report_say(r, "warning: continuing without a record of the run: %s", err.text);
}

void report_begin(report *r, const report_options *options, outbox *box, printer *p, record *rec)
{
    int64_t now = deja_monotonic_ns(NULL);
    *r = (report){.options = *options, .box = box, .printer = p, .record = rec, .start_ns = now};
    r->tick_ns = now + TICK_MS * DEJA_MS_NS;
    r->events.box = box;
    r->live = (live){.box = box,
                     .tag = options->tag,
                     .only_errors = options->table && result_table_is_output(options->table)};
    r->last_status = EXIT_OWN_FAULT;
    if (options->show_progress)
        progress_begin(&r->progress, box, options->slots, now);
}

/* After a signal: what takes so long. */
static void say_keeping(report *r, int64_t now)
{
    flow_keeping keeping = r->ended_ns && now >= r->ended_ns + PATIENCE_MS * DEJA_MS_NS
                               ? flow_is_keeping(r->flow)
                               : FLOW_KEEPS_NOTHING;
    if (keeping == FLOW_KEEPS_NOTHING || r->said_keeping)
        return;
    r->said_keeping = 1;
    report_say(r, keeping == FLOW_KEEPS_SEALING
                      ? "waiting for the disk to keep what is finished; Ctrl-C again gives up"
                      : "waiting for the disk to keep what is finished");
}

static void tell_watchers(report *r, const flow_totals *t)
{
    runs_job running[WATCHED_JOBS];
    record_tick(r->record, t, running, flow_running(r->flow, running, WATCHED_JOBS));
}

void report_tick(void *context)
{
    report *r = context;
    int64_t now = deja_monotonic_ns(NULL);
    int progress_due = r->options.show_progress && now >= r->progress.next_ns;
    if (r->printer)
        printer_go_on(r->printer);
    if (!progress_due && now < r->tick_ns)
        return;
    flow_totals t;
    flow_totals_of(r->flow, &t);
    if (progress_due) {
        r->progress.left_ns = flow_left_ns(r->flow);
        progress_tick(&r->progress, &t, flow_longest(r->flow), now);
    }
    if (now < r->tick_ns)
        return;
    r->tick_ns = now + TICK_MS * DEJA_MS_NS;
    say_keeping(r, now);
    if (r->record && !r->options.dry_run && !r->options.only_output)
        tell_watchers(r, &t);
    say_record_trouble(r);
}

int report_wait_ms(void *context)
{
    report *r = context;
    int64_t now = deja_monotonic_ns(NULL);
    int64_t left = r->tick_ns > now ? (r->tick_ns - now) / DEJA_MS_NS + 1 : 0;
    int wait = (int)left;
    if (r->options.show_progress) {
        int next = progress_wait_ms(&r->progress, now);
        wait = next < wait ? next : wait;
    }
    return wait;
}

void report_resized(void *context)
{
    report *r = context;
    if (r->options.show_progress)
        progress_resize(&r->progress);
}

void report_stopping(void *context)
{
    report *r = context;
    if (r->options.show_progress)
        progress_hide(&r->progress);
    outbox_pump(r->box);
}

void report_ending(void *context)
{
    report *r = context;
    if (!r->ended_ns) {
        r->ended_ns = deja_monotonic_ns(NULL);
        r->tick_ns = r->ended_ns + PATIENCE_MS * DEJA_MS_NS;
    }
    if (r->options.show_progress)
        progress_ending(&r->progress);
}

static void end_with_summary(report *r, const flow_totals *t, int exit_status)
{
    int64_t elapsed = deja_monotonic_ns(NULL) - r->start_ns, estimate = -1;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    if (r->options.forecast)
        forecast_time(r->options.forecast, r->options.slots, &estimate);
    if (r->options.json)
        events_summary(&r->events, t, elapsed, estimate, exit_status);
    if (r->options.quiet)
        return;
    deja_buffer_add_string(&b, "deja: ");
    progress_summary(&b, t, elapsed, r->options.dry_run);
    if (r->options.forecast)
        forecast_summary(r->options.forecast, r->options.slots, &b);
    deja_buffer_add_char(&b, '\n');
    queue_line(r, &b);
}

static void end_table(report *r)
{
    deja_error err;
    if (r->options.table && result_table_finish(r->options.table, r->box, &err))
        outbox_lose(r->box, &err);
}

void report_end(report *r, const flow_totals *t, int exit_status)
{
    DEJA_AUTO_BUFFER deja_buffer run = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    if (r->options.show_progress)
        progress_hide(&r->progress);
    if (r->printer)
        printer_finish(r->printer);
    end_table(r);
    if (r->record && !r->options.dry_run)
        record_finish(r->record, t, exit_status);
    say_record_trouble(r);
    const char *trouble = flow_cache_trouble(r->flow);
    if (trouble && is_new(r, trouble))
        report_say(r, "warning: the cache: %s", trouble);
    if (r->options.only_output)
        return;
    if (r->record && r->options.runs && record_is_whole(r->record))
        deja_buffer_addf(&run, "%s/%s", r->options.runs, record_id(r->record));
    failures_report(&r->failures, run.len ? run.data : NULL, &b);
    queue_line(r, &b);
    end_with_summary(r, t, exit_status);
}

void report_done(report *r)
{
    record_close(r->record);
    printer_close(r->printer);
    events_done(&r->events);
    live_done(&r->live);
    failures_done(&r->failures);
    deja_buffer_done(&r->note);
}
