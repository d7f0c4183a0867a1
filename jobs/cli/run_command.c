/* `deja run`: options, what they open, and the exit status. */
#include "cli.h"
#include "descriptors.h"
#include "loop.h"
#include "report.h"
#include "say.h"
#include "selection.h"
#include "vault.h"
#include "words.h"
#include <deja/cleanup.h>
#include <string.h>

enum {
    OPTION_FILE = ARGS_FIRST,
    OPTION_FOLDER,
    OPTION_JOBS,
    OPTION_CACHE,
    OPTION_DRY_RUN,
    OPTION_FORCE,
    OPTION_KEEP_GOING,
    OPTION_FAIL_FAST,
    OPTION_KEEP_EDITED,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_NO_PROGRESS,
    OPTION_JSON,
};

enum { MOST_SLOTS = 65536 }; /* a number that cannot be meant is a mistake */

static const args_option options[] = {
    {OPTION_FILE, 'f', "file", "FILE", "Read the batch from FILE instead of deja.yaml; - is standard input."},
    {OPTION_FOLDER, 'C', "directory", "DIR", "Change to DIR first."},
    {OPTION_JOBS, 'j', "jobs", "N",
     "Run up to N jobs at once (default: the CPUs that this process may use)."},
    {OPTION_CACHE, 0, "cache", "DIR",
     "Keep results in DIR (default: DEJA_CACHE, else .deja beside the batch)."},
    {OPTION_DRY_RUN, 'n', "dry-run", NULL, "Say what would run and what would be answered, and do nothing."},
    {OPTION_FORCE, 0, "force", NULL, "Run again what the cache could answer, and replace its results."},
    {OPTION_KEEP_GOING, 'k', "keep-going", NULL,
     "After a failure run all that does not depend on it (the default)."},
    {OPTION_FAIL_FAST, 0, "fail-fast", NULL, "After the first failure start nothing more."},
    {OPTION_KEEP_EDITED, 0, "keep-edited", NULL, "Leave outputs alone that were changed since."},
    {OPTION_QUIET, 'q', "quiet", NULL,
     "No progress and no summary. Results, warnings and failures are still told."},
    {OPTION_VERBOSE, 'v', "verbose", NULL, "Say when a job starts, finishes, or is answered."},
    {OPTION_NO_PROGRESS, 0, "no-progress", NULL, "No progress, but the summary at the end."},
    {OPTION_JSON, 0, "json", NULL, "Write one JSON object a line to standard output for all that happens."},
    {0},
};

static const args_example examples[] = {
    {"deja run", "Run all jobs of deja.yaml; what the cache knows is answered."},
    {"deja run -j4 table", "Run the job 'table' and what it needs, four at a time."},
    {"deja run --dry-run", "See what would run."},
    {"DEJA_MODE=readonly deja run", "Use results, keep none (off: no cache; refresh: run again and keep)."},
    {0},
};

const args_command run_args = {
    .name = "run",
    .usage = "[OPTION]... [JOB]...",
    .summary = "Run the jobs of a batch; answer from the cache what ran before.",
    .about =
        "Run the jobs of a batch, or only each JOB and all that it needs, in parallel. A job whose "
        "command, inputs and other ingredients are as before is not run: its output is replayed and its "
        "output files are put in place.\n\n"
        "The jobs' standard output goes to standard output in batch order, each whole; their standard error, "
        "progress and messages go to standard error.\n\n"
        "Ctrl-C starts nothing more and tells the running jobs to end (TERM); after 5 s, or at a second "
        "Ctrl-C, "
        "they are killed. What is finished is kept.\n\n"
        "Exit status: 0 all done; 1 a job failed; 2 the command line or the batch is wrong; 3 all done, but "
        "the cache could not keep results; 129, 130, 143 ended by HUP, INT, TERM; 141 nobody reads the "
        "output.",
    .options = options,
    .environment = cli_environment,
    .examples = examples,
};

typedef struct run {
    const char *file, *cache, *folder;
    words jobs;
    int64_t slots;
    int dry_run, force, fail_fast, keep_edited, quiet, verbose, no_progress, json;
    /* opened */
    batch *batch;
    plan *plan;
    struct rlimit job_descriptors;
    int raised; /* the limit of descriptors was; jobs get job_descriptors */
    vault vault;
    deja_buffer runs; /* folder of run records, empty: none */
    record *record;   /* the report's once that has begun */
    outbox *box;
    signals signals;
    report report;
    deja_trace *trace;
    char *const *argv;
} run;

static int take_option(run *r, const args *a, int id, deja_error *err)
{
    switch (id) {
    case OPTION_FILE:
        r->file = a->value;
        return 0;
    case OPTION_FOLDER:
        r->folder = a->value;
        return cli_enter(a->value, err);
    case OPTION_JOBS:
        return args_number(a, "--jobs", 1, MOST_SLOTS, &r->slots, err);
    case OPTION_CACHE:
        r->cache = a->value;
        return *a->value ? 0 : deja_fail(err, DEJA_EINVAL, "--cache needs a folder");
    case OPTION_DRY_RUN:
        return r->dry_run = 1, 0;
    case OPTION_FORCE:
        return r->force = 1, 0;
    case OPTION_KEEP_GOING:
        return r->fail_fast = 0, 0;
    case OPTION_FAIL_FAST:
        return r->fail_fast = 1, 0;
    case OPTION_KEEP_EDITED:
        return r->keep_edited = 1, 0;
    case OPTION_QUIET:
        return r->quiet = 1, 0;
    case OPTION_VERBOSE:
        return r->verbose = 1, 0;
    case OPTION_NO_PROGRESS:
        return r->no_progress = 1, 0;
    case OPTION_JSON:
        return r->json = 1, 0;
    default:
        return words_add(&r->jobs, a->value, err);
    }
}

/* 1 when the command goes on, 0 when `*ret_status` is all there is to say. */
static int parse(run *r, char *const *argv, int *ret_status)
{
    args a;
    deja_error err;
    int id;
    args_begin(&a, &run_args, argv);
    while ((id = args_next(&a, &err)) != ARGS_END) {
        if (id == ARGS_HELP) {
            *ret_status = cli_help(&run_args);
            return 0;
        }
        if (id < 0 || take_option(r, &a, id, &err) < 0) {
            *ret_status = cli_usage(&run_args, EXIT_USAGE, &err);
            return 0;
        }
    }
    return 1;
}

static int load(run *r, deja_error *err)
{
    int code = batch_load(&r->batch, r->file ? r->file : "deja.yaml", err);
    if (code)
        return code;
    for (size_t i = 0; i < r->batch->warning_count; i++) {
        deja_error warning;
        deja_fail(&warning, DEJA_ESYNTAX, "%s", r->batch->warnings[i]);
        say_error(&warning);
    }
    DEJA_AUTO_FREE uint8_t *selected = NULL;
    code = select_jobs(&selected, r->batch, r->jobs.list, r->jobs.count, err);
    return code ? code : plan_open(&r->plan, r->batch, selected, err);
}

static int has_outputs(const batch *b)
{
    for (uint32_t i = 0; i < b->job_count; i++)
        if (b->jobs[i].output_count)
            return 1;
    return 0;
}

/* Relative where that is what a user sees: the batch lies in the folder that deja was called in. */
static int choose_runs(run *r, deja_error *err)
{
    int is_stdin = r->file && !strcmp(r->file, "-");
    int is_here = !r->folder && (!r->file || !strchr(r->file, '/'));
    if (is_stdin)
        return deja_place_runs(&r->runs, NULL, err);
    if (is_here) {
        deja_buffer_add_string(&r->runs, ".deja/runs");
        return r->runs.failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
    }
    return deja_place_runs(&r->runs, r->batch->folder, err);
}

static int open_record(run *r, deja_error *err)
{
    if (choose_runs(r, NULL))
        deja_buffer_clear(&r->runs);
    record_options o = {.folder = r->runs.len ? r->runs.data : NULL,
                        .batch = r->file ? r->file : "deja.yaml",
                        .jobs = r->batch,
                        .argv = (const char *const *)r->argv,
                        .command = "run",
                        .version = DEJA_VERSION,
                        .slots = (unsigned)r->slots};
    return record_open(&r->record, &o, err);
}

/* For the printer: how many instances of a job will be told of. One that is not selected now may be by a
 * file that a later one reads. */
static int count_instances(void *context, uint32_t def, uint32_t *ret)
{
    const run *r = context;
    return plan_instances(r->plan, def, ret);
}

static int open_report(run *r, deja_error *err)
{
    outbox_options box = {.out_fd = STDOUT_FILENO, .err_fd = STDERR_FILENO};
    printer *p = NULL;
    if (outbox_open(&r->box, &box, err) < 0)
        return err->code;
    if (!r->json && printer_open(&p, r->box, r->batch->job_count, count_instances, r, err) < 0)
        return err->code;
    report_options o = {.quiet = r->quiet,
                        .verbose = r->verbose,
                        .json = r->json,
                        .dry_run = r->dry_run,
                        .show_progress = !r->quiet && !r->no_progress,
                        .keep_hits = 1,
                        .slots = (unsigned)r->slots,
                        .runs = r->runs.len ? r->runs.data : NULL};
    report_begin(&r->report, &o, r->box, p, deja_take(r->record));
    return 0;
}

static int open_all(run *r, deja_error *err)
{
    vault_options o = {.cache = r->cache,
                       .beside = r->batch->folder,
                       .has_outputs = has_outputs(r->batch),
                       .force = r->force,
                       .dry_run = r->dry_run,
                       .trace = r->trace};
    if (!r->slots)
        r->slots = deja_cpu_count();
    r->raised = descriptors_raise(&r->job_descriptors);
    if (signals_open(&r->signals, err) || vault_open(&r->vault, &o, err) || open_record(r, err) ||
        open_report(r, err))
        return err->code;
    if (r->vault.unusable)
        report_say(&r->report, "warning: continuing without the cache: %s", r->vault.trouble.text);
    return 0;
}

static int open_flow(run *r, deja_error *err)
{
    flow_options o = {.slots = (unsigned)r->slots,
                      .cache = r->vault.cache,
                      .claims = r->vault.claims,
                      .output_claims = r->vault.output_claims,
                      .lookup = r->vault.lookup,
                      .store = r->vault.store,
                      .dry_run = r->dry_run,
                      .keep_edited = r->keep_edited,
                      .stop_at_failure = r->fail_fast,
                      .environment = (const char *const *)environ,
                      .run_id = record_id(r->report.record),
                      .signal_mask = &r->signals.old,
                      .job_descriptors = r->raised ? &r->job_descriptors : NULL,
                      .trace = r->trace,
                      .trace_keys = deja_place_env("DEJA_TRACE_KEYS"),
                      .listen = report_listen,
                      .context = &r->report};
    return flow_open(&r->report.flow, r->batch, r->plan, &o, err);
}

static int status_of(const run *r, const flow_totals *t, int ended_by)
{
    deja_error err;
    if (ended_by)
        return EXIT_SIGNAL + ended_by;
    if (t->failed || outbox_trouble(r->box, &err))
        return EXIT_FAILED;
    if (t->not_kept || vault_cannot_keep(&r->vault))
        return EXIT_NOT_KEPT;
    return EXIT_OK;
}

static int go(run *r)
{
    loop l = {.flow = r->report.flow,
              .signals = &r->signals,
              .box = r->box,
              .tick = report_tick,
              .wait_ms = report_wait_ms,
              .resized = report_resized,
              .stopping = report_stopping,
              .ending = report_ending,
              .context = &r->report};
    flow_totals t;
    deja_error err;
    loop_run(&l);
    flow_totals_of(l.flow, &t);
    report_end(&r->report, &t, status_of(r, &t, l.ended_by));
    loop_drain(&l);
    if (outbox_trouble(r->box, &err))
        say_error(&err);
    return status_of(r, &t, l.ended_by);
}

static void close_all(run *r)
{
    flow_close(r->report.flow);
    report_done(&r->report);
    record_close(r->record);
    outbox_close(r->box);
    vault_close(&r->vault);
    signals_close(&r->signals);
    plan_close(r->plan);
    batch_free(r->batch);
    deja_trace_close(r->trace);
    deja_buffer_done(&r->runs);
    words_done(&r->jobs);
}

static int fail(run *r, const deja_error *err)
{
    if (r->box)
        outbox_pump(r->box); /* warnings that were queued come first */
    say_error(err);
    return err->code == DEJA_ENOMEM || err->code == DEJA_ERESOURCE ? EXIT_FAILED : EXIT_USAGE;
}

int run_command(char *const *argv)
{
    run r = {.argv = argv, .signals.fd = -1};
    deja_error err;
    int status;
    const char *trace = deja_place_env("DEJA_TRACE");
    if (!parse(&r, argv, &status))
        ;
    else if ((trace && deja_trace_open(&r.trace, trace, &err)) || load(&r, &err) || open_all(&r, &err) ||
             open_flow(&r, &err))
        status = fail(&r, &err);
    else
        status = go(&r);
    close_all(&r);
    return status;
}
