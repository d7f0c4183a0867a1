/* The record of a run, see record.h. */
#include "record.h"
#include "fields.h"
#include "history.h"
#include "json.h"
#include "record_file.h"
#include "run_folder.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
    FLUSH_BYTES = 1 << 18,        /* of hits that are held back before the run's folder is made */
    SMALL_BYTES = 1 << 16,        /* of output that is kept here although the cache has it, too */
    OUTPUT_PRUNE_BYTES = 1 << 20, /* runs with less output do not look for what is too much */
    LOG_NAME_BYTES = 100,         /* of a job's name in the name of its log */
    HIT_BYTES = 24,               /* of an item in hits.bin */
};

struct record {
    record_options options;
    run_folder folder;
    record_file jobs, hits, output;
    int64_t output_at; /* where the output of the last job begins; -1: it is not there */
    unsigned failed;   /* failed jobs so far */
    deja_buffer log;   /* path of the last log, empty when there is none */
    int broken;        /* something went wrong: no more is written */
    int told;
    deja_error trouble;
};

static void give_up(record *r, const deja_error *err)
{
    if (!r->broken)
        r->trouble = *err;
    r->broken = 1;
}

static int write_file(record *r, int fd, const char *name, const flow_bytes *bytes, deja_error *err)
{
    int status = bytes->fd >= 0 ? deja_file_copy(bytes->fd, fd, bytes->len, name, err)
                                : deja_file_write_all(fd, bytes->data, bytes->len, name, err);
    if (status)
        deja_fail_in(err, "in '%s/%s'", r->options.folder, r->folder.id);
    return status;
}

static void flush(record *r, record_file *f, int all)
{
    deja_error err;
    if (!r->broken && record_file_flush(f, r->folder.fd, all, &err)) {
        deja_fail_in(&err, "in '%s/%s'", r->options.folder, r->folder.id);
        give_up(r, &err);
    }
}

/* Lines last: they say where in the output to look. */
static void flush_all(record *r)
{
    flush(r, &r->output, 1);
    flush(r, &r->jobs, 1);
    flush(r, &r->hits, 1);
}

static void flush_history(record *r, int all)
{
    deja_error err;
    if (r->options.history && !r->broken && history_flush(r->options.history, all, &err))
        give_up(r, &err);
}

static void add_totals(deja_buffer *b, const flow_totals *t)
{
    json_open(b, "totals", '{');
    json_int(b, "total", (int64_t)t->total);
    json_int(b, "done", (int64_t)t->done);
    json_int(b, "hits", (int64_t)t->hits);
    json_int(b, "ran", (int64_t)t->ran);
    json_int(b, "failed", (int64_t)t->failed);
    json_int(b, "skipped", (int64_t)t->skipped);
    json_int(b, "not_kept", (int64_t)t->not_kept);
    json_seconds(b, "saved_s", t->saved_ns);
    json_seconds(b, "ran_s", t->ran_ns);
    json_close(b, '}');
}

/* What is known at the start, and with `totals` how it ended. */
static void add_meta(const record *r, deja_buffer *b, const flow_totals *totals, int exit_status)
{
    json_open(b, NULL, '{');
    json_int(b, "format", 1);
    json_word(b, "version", r->options.version);
    if (r->options.batch)
        json_string(b, "batch", r->options.batch);
    if (r->options.jobs)
        json_string(b, "folder", r->options.jobs->folder);
    json_word(b, "command", r->options.command);
    json_open(b, "argv", '[');
    for (size_t i = 0; r->options.argv && r->options.argv[i]; i++)
        json_string(b, NULL, r->options.argv[i]);
    json_close(b, ']');
    json_int(b, "pid", getpid());
    json_int(b, "slots", r->options.slots);
    json_time(b, "start", r->folder.start_ns);
    json_int(b, "start_ns", r->folder.start_ns);
    if (totals) {
        json_time(b, "end", deja_wall_ns(r->options.clock));
        json_int(b, "end_ns", deja_wall_ns(r->options.clock));
        json_int(b, "exit_status", exit_status);
        add_totals(b, totals);
    }
    json_open(b, "jobs", '[');
    for (uint32_t i = 0; r->options.jobs && i < r->options.jobs->job_count; i++)
        json_string(b, NULL, r->options.jobs->jobs[i].name);
    json_close(b, ']');
    json_close(b, '}');
    deja_buffer_add_char(b, '\n');
}

/* `first`: there is no such file yet. */
static int write_meta(record *r, int first, const flow_totals *totals, int exit_status, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    add_meta(r, &b, totals, exit_status);
    if (b.failed)
        return deja_fail(err, DEJA_ENOMEM, "write 'meta.json': out of memory");
    if (!first)
        return deja_file_replace(r->folder.fd, "meta.json", b.data, b.len, 0600, 0, err);
    DEJA_AUTO_CLOSE int fd = openat(r->folder.fd, "meta.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return deja_fail_errno(err, "create '%s/%s/meta.json'", r->options.folder, r->folder.id);
    flow_bytes bytes = {.data = b.data, .len = b.len, .fd = -1};
    return write_file(r, fd, "meta.json", &bytes, err);
}

/* Makes the folder of a run that goes on. 1 when it is there. */
static int ensure_living(record *r)
{
    deja_error err;
    if (r->broken || r->folder.state_fd >= 0)
        return !r->broken;
    if ((r->folder.fd < 0 && run_folder_make(&r->folder, &err)) || run_folder_live(&r->folder, &err) ||
        write_meta(r, 1, NULL, 0, &err)) {
        give_up(r, &err);
    }
    return !r->broken;
}

static void add_safe_name(deja_buffer *b, const char *name)
{
    for (size_t i = 0; name[i] && i < LOG_NAME_BYTES; i++) {
        char c = name[i];
        int safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                   c == '.';
        deja_buffer_add_char(b, safe ? c : '_');
    }
}

static int write_log(record *r, const char *path, const flow_bytes *bytes, deja_error *err)
{
    DEJA_AUTO_CLOSE int fd =
        openat(r->folder.fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return deja_fail_errno(err, "create '%s/%s/%s'", r->options.folder, r->folder.id, path);
    return write_file(r, fd, path, bytes, err);
}

static void log_stream(record *r, const char *name, const char *suffix, const flow_bytes *bytes)
{
    deja_error err;
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    if (!bytes->len || r->broken)
        return;
    deja_buffer_addf(&path, "log/%04u-", r->failed);
    add_safe_name(&path, name);
    deja_buffer_add_string(&path, suffix);
    if (path.failed || write_log(r, path.data, bytes, &err)) {
        if (path.failed)
            deja_fail(&err, DEJA_ENOMEM, "out of memory");
        deja_fail_in(&err, "log of a failed job");
        give_up(r, &err);
        return;
    }
    deja_buffer_clear(&r->log);
    deja_buffer_addf(&r->log, "%s/%s/%s", r->options.folder, r->folder.id, path.data);
}

static int has_own_log(const record *r, const flow_event *e)
{
    return e->kind == FLOW_FAILED && r->failed < RECORD_LOGS && (e->out.len || e->err.len);
}

/* Large output that the cache keeps is not kept twice. */
static int is_worth_keeping(const record *r, const flow_event *e)
{
    uint64_t bytes = e->out.len + e->err.len;
    return bytes && !(e->kept && bytes > SMALL_BYTES) && bytes <= RECORD_OUTPUT_BYTES &&
           record_file_size(&r->output) <= RECORD_OUTPUT_BYTES - bytes;
}

/* The output of a job that has no log of its own goes to the end of one file. */
static void take_output(record *r, const flow_event *e)
{
    deja_error err;
    r->output_at = -1;
    if (r->log.len || !is_worth_keeping(r, e))
        return;
    r->output_at = (int64_t)record_file_size(&r->output);
    if (record_file_add(&r->output, r->folder.fd, &e->out, &err) ||
        record_file_add(&r->output, r->folder.fd, &e->err, &err)) {
        deja_fail_in(&err, "in '%s/%s'", r->options.folder, r->folder.id);
        give_up(r, &err);
    }
}

static void log_failed(record *r, const flow_event *e)
{
    if (!has_own_log(r, e))
        return;
    if (!r->failed && mkdirat(r->folder.fd, "log", 0700) && errno != EEXIST) {
        deja_error err;
        deja_fail_errno(&err, "make folder '%s/%s/log'", r->options.folder, r->folder.id);
        give_up(r, &err);
        return;
    }
    r->failed++;
    log_stream(r, e->name, ".out", &e->out);
    log_stream(r, e->name, ".err", &e->err);
}

static void add_job(record *r, const flow_event *e)
{
    deja_buffer *b = &r->jobs.bytes;
    json_open(b, NULL, '{');
    json_word(b, "event", e->kind == FLOW_FAILED ? "failed" : "finished");
    json_string(b, "job", e->def->name);
    fields_params(b, "params", e->def, e->index);
    json_int(b, "number", e->def->number);
    json_int(b, "index", e->index);
    if (e->keyed)
        json_hash(b, "key", &e->key);
    if (e->exit_status >= 0)
        json_int(b, "status", e->exit_status);
    else
        json_null(b, "status");
    if (e->signal > 0)
        json_int(b, "signal", e->signal);
    json_int(b, "start_ns", e->started_ns);
    json_seconds(b, "wall_s", e->wall_ns);
    json_seconds(b, "cpu_s", e->cpu_ns);
    json_int(b, "peak_rss_bytes", (int64_t)e->peak_rss_bytes);
    json_int(b, "stdout_bytes", (int64_t)e->out.len);
    json_int(b, "stderr_bytes", (int64_t)e->err.len);
    if (r->log.len)
        json_int(b, "log", r->failed);
    if (r->output_at >= 0)
        json_int(b, "output_at", r->output_at);
    if (e->attempt > 1)
        json_int(b, "attempt", e->attempt);
    if (e->timed_out)
        json_bool(b, "timed_out", 1);
    if (e->allowed)
        json_bool(b, "allowed", 1);
    if (e->adopted)
        json_bool(b, "adopted", 1);
    if (e->reason)
        json_string(b, "reason", e->reason);
    if (e->not_kept)
        json_string(b, "not_kept", e->not_kept);
    if (e->keyed)
        fields_json(b, "fields", e->encoding, e->encoding_len);
    json_close(b, '}');
    deja_buffer_add_char(b, '\n');
}

static void note_hit(record *r, const flow_event *e)
{
    deja_buffer *b = &r->hits.bytes;
    if (r->hits.fd < 0 && b->len == 0) {
        deja_buffer_add_string(b, "dejahits");
        deja_buffer_add_u32(b, 1);
        deja_buffer_add_u32(b, HIT_BYTES);
    }
    deja_buffer_add_u32(b, e->def->number);
    deja_buffer_add_u32(b, e->index);
    deja_buffer_add(b, e->key.byte, sizeof e->key.byte);
    if (b->len >= FLUSH_BYTES && ensure_living(r))
        flush(r, &r->hits, 1);
}

int record_open(record **ret, const record_options *options, deja_error *err)
{
    record *r = deja_calloc(1, sizeof *r);
    if (!r)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    r->options = *options;
    r->jobs = (record_file){.name = "jobs.jsonl", .is_lines = 1, .fd = -1};
    r->hits = (record_file){.name = "hits.bin", .fd = -1};
    r->output = (record_file){.name = "output", .fd = -1};
    r->broken = r->told = !options->folder;
    run_folder_init(&r->folder, options->folder, deja_wall_ns(options->clock), options->slots);
    *ret = r;
    return 0;
}

const char *record_id(const record *r)
{
    return r->folder.id;
}

void record_event(record *r, const flow_event *e)
{
    if (r->broken)
        return;
    switch (e->kind) {
    case FLOW_HIT:
        note_hit(r, e);
        break;
    case FLOW_STARTED:
        ensure_living(r);
        break;
    case FLOW_FINISHED:
    case FLOW_FAILED:
        if (!ensure_living(r))
            break;
        deja_buffer_clear(&r->log);
        log_failed(r, e);
        take_output(r, e);
        add_job(r, e);
        if (r->options.history)
            history_note(r->options.history, e, r->folder.id);
        flush_history(r, 0);
        flush(r, &r->jobs, 0);
        break;
    case FLOW_SKIPPED:
        if (r->options.history && ensure_living(r))
            history_note(r->options.history, e, r->folder.id);
        flush_history(r, 0);
        break;
    default:
        break;
    }
}

const char *record_log(const record *r)
{
    return r->log.len && !r->log.failed && !r->broken ? r->log.data : NULL;
}

void record_tick(record *r, const flow_totals *totals, const runs_job *running, size_t count)
{
    deja_error err;
    if (r->broken || (r->folder.state_fd < 0 && !r->hits.bytes.len) || !ensure_living(r))
        return;
    flush_all(r);
    flush_history(r, 1);
    if (!r->broken &&
        run_folder_tell(&r->folder, totals, running, count, deja_wall_ns(r->options.clock), &err)) {
        give_up(r, &err);
    }
}

int record_trouble(record *r, deja_error *ret)
{
    if (!r->broken || r->told)
        return 0;
    r->told = 1;
    *ret = r->trouble;
    return 1;
}

int record_is_whole(const record *r)
{
    return !r->broken;
}

void record_finish(record *r, const flow_totals *totals, int exit_status)
{
    deja_error err;
    int first = r->folder.state_fd < 0;
    if (r->broken || (first && !r->hits.bytes.len))
        return;
    if (r->folder.fd < 0 && run_folder_make(&r->folder, &err)) {
        give_up(r, &err);
        return;
    }
    flush_all(r);
    if (write_meta(r, first, totals, exit_status, &err) ||
        (!first && run_folder_tell(&r->folder, totals, NULL, 0, deja_wall_ns(r->options.clock), &err))) {
        give_up(r, &err);
    }
    if (r->options.history && history_finish(r->options.history, &err))
        give_up(r, &err);
    runs_prune(r->folder.runs_fd, deja_wall_ns(r->options.clock));
    if (record_file_size(&r->output) > OUTPUT_PRUNE_BYTES)
        runs_prune_output(r->folder.runs_fd, RUNS_OUTPUT);
}

void record_close(record *r)
{
    if (!r)
        return;
    run_folder_close(&r->folder);
    record_file_done(&r->jobs);
    record_file_done(&r->hits);
    record_file_done(&r->output);
    deja_buffer_done(&r->log);
    deja_free(r);
}
