/* Runs for people, see run_show.h. */
#include "run_show.h"
#include "json.h"
#include "progress.h"
#include "stamp.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <inttypes.h>
#include <string.h>

enum {
    SHOWN = 10,   /* failed jobs, slowest jobs */
    RUNNING = 64, /* running jobs */
    SIGNALED = 128,
};

static void add_escaped(deja_buffer *b, const deja_buffer *text)
{
    deja_text_escape(b, deja_buffer_string(text), text->len);
}

const char *run_show_state(const past_run *r)
{
    if (!r->readable)
        return r->lives ? "running" : "unreadable";
    if (!r->ended)
        return r->lives ? "running" : "broken off";
    if (r->exit_status > SIGNALED)
        return "interrupted";
    return r->exit_status == 0 ? "done" : r->exit_status == 3 ? "not kept" : "failed";
}

static int64_t elapsed_ns(const past_run *r)
{
    return r->end_ns > r->start_ns ? r->end_ns - r->start_ns : 0;
}

static void add_counts(deja_buffer *b, const flow_totals *t)
{
    deja_buffer_addf(b, "%" PRIu64 " %s: %" PRIu64 " %s, %" PRIu64 " ran, %" PRIu64 " failed", t->total,
                     t->total == 1 ? "job" : "jobs", t->hits, t->hits == 1 ? "hit" : "hits", t->ran,
                     t->failed);
    if (t->skipped)
        deja_buffer_addf(b, ", %" PRIu64 " skipped", t->skipped);
}

static void add_json_totals(deja_buffer *b, const flow_totals *t)
{
    json_int(b, "total", (int64_t)t->total);
    json_int(b, "done", (int64_t)t->done);
    json_int(b, "hits", (int64_t)t->hits);
    json_int(b, "ran", (int64_t)t->ran);
    json_int(b, "failed", (int64_t)t->failed);
    json_int(b, "skipped", (int64_t)t->skipped);
}

/* The members of a run, without its brackets. */
static void add_json(deja_buffer *b, const past_run *r)
{
    json_string(b, "run", r->id);
    json_word(b, "state", run_show_state(r));
    if (r->batch.len)
        json_bytes(b, "batch", r->batch.data, r->batch.len);
    if (r->command.len)
        json_bytes(b, "command", r->command.data, r->command.len);
    if (r->arguments.len)
        json_bytes(b, "arguments", r->arguments.data, r->arguments.len);
    if (r->start_ns)
        json_time(b, "start", r->start_ns);
    if (r->end_ns)
        json_seconds(b, "wall_s", elapsed_ns(r));
    if (r->ended)
        json_int(b, "exit_status", r->exit_status);
    if (r->ended || r->lives)
        add_json_totals(b, &r->totals);
}

void run_show_line(deja_buffer *b, const past_run *r, int json)
{
    char wall[32];
    if (json) {
        json_open(b, NULL, '{');
        add_json(b, r);
        deja_buffer_add_string(b, "}\n");
        return;
    }
    deja_text_duration(elapsed_ns(r), wall);
    deja_buffer_addf(b, "%-26s  %-11s  %8s  ", r->id, run_show_state(r), r->end_ns ? wall : "");
    if (r->batch.len)
        add_escaped(b, &r->batch);
    else
        add_escaped(b, &r->command);
    if (r->ended || r->lives) {
        deja_buffer_add_string(b, "  ");
        add_counts(b, &r->totals);
    }
    deja_buffer_add_char(b, '\n');
}

/* ---- one run ---- */

typedef struct slow_job {
    int64_t wall_ns;
    char label[200]; /* cut where it is longer */
} slow_job;

typedef struct digest {
    const past_run *run;
    const char *runs;
    deja_buffer failed; /* lines or elements */
    uint64_t failed_count;
    slow_job slowest[SHOWN];
    size_t slow_count;
    int json;
} digest;

static void note_slow(digest *d, const past_job *j)
{
    size_t at = d->slow_count;
    while (at > 0 && d->slowest[at - 1].wall_ns < j->wall_ns)
        at--;
    if (at == SHOWN)
        return;
    size_t last = d->slow_count < SHOWN ? d->slow_count++ : SHOWN - 1;
    memmove(d->slowest + at + 1, d->slowest + at, (last - at) * sizeof d->slowest[0]);
    size_t len =
        j->label.len < sizeof d->slowest[at].label - 1 ? j->label.len : sizeof d->slowest[at].label - 1;
    d->slowest[at].wall_ns = j->wall_ns;
    memcpy(d->slowest[at].label, deja_buffer_string(&j->label), len);
    d->slowest[at].label[len] = '\0';
}

static void add_end(deja_buffer *b, const past_job *j)
{
    if (j->signal > 0)
        deja_buffer_addf(b, "killed by signal %d", j->signal);
    else if (j->exit_status >= 0)
        deja_buffer_addf(b, "exit status %d", j->exit_status);
    else
        deja_buffer_add_string(b, "not started");
}

static void add_failed(digest *d, const past_job *j)
{
    deja_buffer *b = &d->failed;
    DEJA_AUTO_BUFFER deja_buffer log = {0};
    past_run_log(d->run, j, j->err_bytes > 0, &log);
    if (d->json) {
        json_open(b, NULL, '{');
        json_bytes(b, "job", j->label.data, j->label.len);
        if (j->exit_status >= 0)
            json_int(b, "status", j->exit_status);
        if (j->signal > 0)
            json_int(b, "signal", j->signal);
        if (j->reason.len)
            json_bytes(b, "reason", j->reason.data, j->reason.len);
        json_close(b, '}');
        return;
    }
    deja_buffer_add_string(b, "  ");
    add_escaped(b, &j->label);
    deja_buffer_add_string(b, ": ");
    add_end(b, j);
    if (j->reason.len) {
        deja_buffer_add_string(b, ": ");
        add_escaped(b, &j->reason);
    }
    deja_buffer_add_char(b, '\n');
    if (log.len)
        deja_buffer_addf(b, "    log: %s/%s/%s\n", d->runs, d->run->id, log.data);
}

static int take_job(void *context, const past_job *j)
{
    digest *d = context;
    note_slow(d, j);
    if (j->failed && d->failed_count++ < SHOWN)
        add_failed(d, j);
    return 0;
}

static void add_all_json(deja_buffer *b, const digest *d)
{
    json_open(b, NULL, '{');
    add_json(b, d->run);
    json_open(b, "failed_jobs", '[');
    deja_buffer_add(b, deja_buffer_string(&d->failed), d->failed.len);
    json_close(b, ']');
    json_open(b, "slowest", '[');
    for (size_t i = 0; i < d->slow_count; i++) {
        json_open(b, NULL, '{');
        json_bytes(b, "job", d->slowest[i].label, strlen(d->slowest[i].label));
        json_seconds(b, "wall_s", d->slowest[i].wall_ns);
        json_close(b, '}');
    }
    json_close(b, ']');
    deja_buffer_add_string(b, "}\n");
}

static void add_head(deja_buffer *b, const past_run *r)
{
    char wall[32];
    deja_buffer_addf(b, "run      %s\n", r->id);
    if (r->batch.len) {
        deja_buffer_add_string(b, "batch    ");
        add_escaped(b, &r->batch);
        deja_buffer_add_char(b, '\n');
    }
    if (r->command.len) {
        deja_buffer_add_string(b, "command  deja ");
        add_escaped(b, &r->command);
        deja_buffer_add_string(b, r->arguments.len ? " " : "");
        add_escaped(b, &r->arguments);
        deja_buffer_add_char(b, '\n');
    }
    if (r->start_ns) {
        deja_buffer_add_string(b, "started  ");
        stamp_add(b, r->start_ns);
        deja_buffer_add_char(b, '\n');
    }
    deja_buffer_addf(b, "state    %s", run_show_state(r));
    if (r->ended && r->exit_status)
        deja_buffer_addf(b, " (exit status %d)", r->exit_status);
    deja_buffer_add_char(b, '\n');
    if (!r->ended && !r->lives)
        return;
    deja_text_duration(elapsed_ns(r), wall);
    deja_buffer_addf(b, "took     %s, %u at a time\n", wall, r->slots);
    deja_buffer_add_string(b, "jobs     ");
    add_counts(b, &r->totals);
    deja_buffer_add_char(b, '\n');
    deja_text_duration(r->totals.saved_ns, wall);
    if (r->totals.saved_ns)
        deja_buffer_addf(b, "saved    %s\n", wall);
}

static void add_slowest(deja_buffer *b, const digest *d)
{
    if (d->slow_count)
        deja_buffer_add_string(b, "slowest\n");
    for (size_t i = 0; i < d->slow_count; i++) {
        char wall[32];
        deja_text_duration(d->slowest[i].wall_ns, wall);
        deja_buffer_addf(b, "  %8s  ", wall);
        deja_text_escape(b, d->slowest[i].label, strlen(d->slowest[i].label));
        deja_buffer_add_char(b, '\n');
    }
}

void run_show_all(deja_buffer *b, const past_run *r, const char *runs, int json)
{
    digest d = {.run = r, .runs = runs, .json = json};
    past_run_jobs(r, take_job, &d);
    if (json) {
        add_all_json(b, &d);
    } else {
        add_head(b, r);
        if (d.failed_count)
            deja_buffer_add_string(b, "failed\n");
        deja_buffer_add(b, deja_buffer_string(&d.failed), d.failed.len);
        if (d.failed_count > SHOWN)
            deja_buffer_addf(b, "  and %" PRIu64 " more\n", d.failed_count - SHOWN);
        add_slowest(b, &d);
    }
    b->failed |= d.failed.failed;
    deja_buffer_done(&d.failed);
}

/* ---- a run that goes on ---- */

void run_show_progress(deja_buffer *b, const past_run *r, int runs_fd, int64_t now_ns, int json)
{
    DEJA_AUTO_BUFFER deja_buffer names = {0};
    runs_job running[RUNNING];
    char wall[32];
    size_t count = runs_running(runs_fd, r->id, &names, running, RUNNING);
    if (json) {
        json_open(b, NULL, '{');
        add_json(b, r);
        json_int(b, "pid", r->state.pid);
        json_open(b, "running", '[');
    } else {
        deja_text_duration(now_ns > r->start_ns ? now_ns - r->start_ns : 0, wall);
        deja_buffer_addf(b, "run %s (pid %u)", r->id, r->state.pid);
        deja_buffer_add_string(b, r->batch.len ? " of " : "");
        add_escaped(b, &r->batch);
        deja_buffer_addf(
            b,
            ": %" PRIu64 "/%" PRIu64 ", %" PRIu64 " hits, %" PRIu64 " running, %" PRIu64 " failed, for %s\n",
            r->totals.done, r->totals.total, r->totals.hits, r->totals.running, r->totals.failed, wall);
    }
    for (size_t i = 0; i < count; i++) {
        int64_t ns = now_ns > running[i].started_ns ? now_ns - running[i].started_ns : 0;
        if (json) {
            json_open(b, NULL, '{');
            json_bytes(b, "job", running[i].name, running[i].name_len);
            json_seconds(b, "wall_s", ns);
            json_close(b, '}');
            continue;
        }
        deja_text_duration(ns, wall);
        deja_buffer_addf(b, "  %8s  ", wall);
        deja_text_escape(b, running[i].name, running[i].name_len);
        deja_buffer_add_char(b, '\n');
    }
    deja_buffer_add_string(b, json ? "]}\n" : "");
}
