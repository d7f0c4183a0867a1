/* `deja log`: what jobs wrote when they ran last. */
#include "ask.h"
#include "cli.h"
#include "past_table.h"
#include "say.h"
#include "vault.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>

enum {
    CHUNK_BYTES = 1 << 16,
    RUNS_SEARCHED = 50, /* newest runs in which a hit is looked for */
};

static const args_option options[] = {
    ASK_JOB_OPTIONS,
    {ASK_CACHE, 0, "cache", "DIR",
     "The results are in DIR (default: DEJA_CACHE, else .deja beside the batch)."},
    {ASK_RUN, 0, "run", "RUN", "Of this run: an id of 'deja runs', its beginning, or 'last'."},
    {ASK_OUT, 0, "stdout", NULL, "Only the standard output."},
    {ASK_ERR, 0, "stderr", NULL, "Only the standard error; it goes to standard output."},
    {0},
};

static const args_example examples[] = {
    {"deja log table", "What the job 'table' wrote when it ran last."},
    {"deja log --stderr --run last 'count[n=1]' | less",
     "What these instances complained of in the last run."},
    {0},
};

const args_command log_args = {
    .name = "log",
    .usage = "[OPTION]... JOB...",
    .summary = "Print what a job wrote when it ran last.",
    .about =
        "Print the standard output and the standard error of each JOB as they were in its last run, failed "
        "or not, "
        "or in one that is named; of a job that was answered, those of the result that answered it. Large "
        "output "
        "of a job that the cache has is not kept a second time: when the result is gone, so is its log.\n\n"
        "Exit status: 0 all is printed; 1 something is not kept (any more); 2 the command line or the batch "
        "is "
        "wrong.",
    .options = options,
    .environment = cli_environment_cache,
    .examples = examples,
};

/* A stream of a job: in memory, or a part of a file. */
typedef struct span {
    const void *data;
    int fd; /* -1: in memory */
    uint64_t at, len;
} span;

typedef struct reader {
    ask ask;
    history *history;
    vault vault;
    past_run run;    /* that is looked into ... */
    past_table jobs; /* ... and what ran in it */
    int status;
} reader;

/* Both streams of a job. */
typedef struct streams {
    span out, err;
} streams;

static int open_span(const past_run *run, const past_job *j, int which, span *ret)
{
    *ret = (span){.fd = -1, .len = which ? j->err_bytes : j->out_bytes};
    if (ret->len)
        ret->fd = past_run_output(run, j, which, &ret->at);
    return !ret->len || ret->fd >= 0;
}

static void close_streams(const streams *s)
{
    deja_cleanup_close(&s->out.fd);
    deja_cleanup_close(&s->err.fd);
}

/* Makes `id` the run that is looked into: 1, 0 when it cannot be read. Its jobs are read once for all that
 * ask. */
static int open_run(reader *r, const char *id)
{
    if (!strcmp(r->run.id, id))
        return 1;
    return past_run_open(&r->run, r->ask.runs_fd, id, NULL) == 0 && past_table_fill(&r->jobs, &r->run) == 0;
}

static int write_span(const span *s, int to)
{
    char chunk[CHUNK_BYTES];
    deja_error err;
    int status = 0;
    if (s->fd < 0 && s->len)
        status = deja_file_write_all(to, s->data, (size_t)s->len, "the output", &err);
    for (uint64_t at = 0; s->fd >= 0 && at < s->len && status == 0;) {
        size_t want = s->len - at < sizeof chunk ? (size_t)(s->len - at) : sizeof chunk;
        ssize_t n = deja_file_read_at(s->fd, chunk, want, s->at + at);
        if (n <= 0)
            status = deja_fail(&err, DEJA_EIO, "read a log: ended early");
        else
            status = deja_file_write_all(to, chunk, (size_t)n, "the output", &err);
        at += n > 0 ? (uint64_t)n : 0;
    }
    if (status < 0)
        say_error(&err);
    return status;
}

static int write_streams(const reader *r, const streams *s)
{
    int both = !r->ask.out && !r->ask.err, status = 0;
    if (both || r->ask.out)
        status = write_span(&s->out, STDOUT_FILENO);
    if (status == 0 && (both || r->ask.err))
        status = write_span(&s->err, both ? STDERR_FILENO : STDOUT_FILENO);
    return status;
}

static int span_of(const reader *r, const deja_stored *s, span *ret)
{
    *ret = (span){.data = s->data, .fd = -1, .len = s->content.size};
    if (s->where == DEJA_STORED_BLOB)
        ret->fd = deja_cache_open_stored(r->vault.cache, s, NULL);
    return s->where == DEJA_STORED_INLINE || ret->fd >= 0;
}

/* From the result that the cache has: 1 printed, 0 there is none, negative on failure. */
static int print_entry(const reader *r, const deja_hash *key, const char *name)
{
    char hex[DEJA_HASH_HEX];
    deja_entry *e = NULL;
    streams s = {.out = {.fd = -1}, .err = {.fd = -1}};
    deja_hash_hex(key, hex);
    if (!r->vault.cache || deja_cache_find(r->vault.cache, hex, &e, NULL) < 0)
        return 0;
    int status = 0;
    if (!strcmp(e->label, name) && span_of(r, &e->out, &s.out) && span_of(r, &e->err, &s.err))
        status = write_streams(r, &s) < 0 ? -1 : 1;
    close_streams(&s);
    deja_entry_free(e);
    return status;
}

/* Of a job that ran in the run: as print_entry. */
static int print_job(const reader *r, const past_job *j, const char *name)
{
    streams s = {.out = {.fd = -1}, .err = {.fd = -1}};
    int status = 0;
    if (open_span(&r->run, j, 0, &s.out) && open_span(&r->run, j, 1, &s.err))
        status = write_streams(r, &s) < 0 ? -1 : 1;
    else if (j->keyed)
        status = print_entry(r, &j->key, name);
    close_streams(&s);
    return status;
}

/* From the record of the run, or the result that answered there. */
static int print_of_run(reader *r, const batch_job *def, uint32_t index, const char *name)
{
    deja_hash key;
    const past_job *j = past_table_find(&r->jobs, name, strlen(name));
    if (j)
        return print_job(r, j, name);
    return past_run_hit(&r->run, def->name, index, &key) ? print_entry(r, &key, name) : 0;
}

/* Of its last run as the history has it; of a job that never ran here the newest hit. */
static int print_last(reader *r, const batch_job *def, uint32_t index, const char *name)
{
    history_item items[HISTORY_RUNS + 1];
    history_record record = {.param_count = 0};
    const history_id id = history_id_of(r->history, def, index);
    size_t n = history_find(r->history, &id, items), count = 0;
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++)
        if (history_load(r->history, &items[i], &record) && open_run(r, record.run))
            status = print_of_run(r, def, index, name);
    history_record_done(&record);
    if (status || n)
        return status;
    DEJA_AUTO_FREE past_id *list = past_runs(r->ask.runs_fd, &count);
    for (size_t i = 0; i < count && i < RUNS_SEARCHED && status == 0; i++)
        if (open_run(r, list[i]))
            status = print_of_run(r, def, index, name);
    return status;
}

static int print_instance(void *context, const batch_job *def, uint32_t index)
{
    reader *r = context;
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    job_name(&name, def, index);
    int status = 0;
    if (r->ask.runs_fd >= 0)
        status = (r->ask.run ? print_of_run : print_last)(r, def, index, deja_buffer_string(&name));
    if (status == 0)
        say("no log of '%s' is kept%s", deja_buffer_string(&name), r->ask.run ? " in that run" : "");
    if (status <= 0)
        r->status = EXIT_FAILED;
    return status < 0;
}

static int open_all(reader *r, deja_error *err)
{
    int code = ask_jobs(&r->ask, err);
    if (!code && r->ask.run)
        code = ask_run(&r->ask, r->ask.run, &r->run, err);
    if (!code && r->ask.run && past_table_fill(&r->jobs, &r->run) < 0)
        code = deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (code)
        return code;
    const history_options known = {.folder = r->ask.request.runs.data, .batch = r->ask.request.batch};
    const vault_options o = {
        .cache = r->ask.cache, .beside = r->ask.request.batch->folder, .dry_run = 1, .force = 0};
    code = history_open(&r->history, &known, err);
    return code ? code : vault_open(&r->vault, &o, err);
}

int log_command(char *const *argv)
{
    reader r = {.run = {.fd = -1}};
    deja_error err;
    int status;
    if (ask_open(&r.ask, &log_args, argv, &status)) {
        if (!r.ask.request.jobs.count) {
            deja_fail(&err, DEJA_EINVAL, "which job's log?");
            status = cli_usage(&log_args, EXIT_USAGE, &err);
        } else if (open_all(&r, &err)) {
            say_error(&err);
            status = EXIT_USAGE;
        } else {
            ask_each(&r.ask, print_instance, &r);
            status = r.status;
        }
    }
    past_run_close(&r.run);
    past_table_done(&r.jobs);
    history_close(r.history);
    vault_close(&r.vault);
    ask_close(&r.ask);
    return status;
}
