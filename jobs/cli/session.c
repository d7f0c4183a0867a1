/* A run as the command line makes it, see session.h. */
#include "session.h"
#include "cli.h"
#include "say.h"
#include <deja/cleanup.h>

static int has_outputs(const batch *b)
{
    for (uint32_t i = 0; i < b->job_count; i++)
        if (b->jobs[i].output_count)
            return 1;
    return 0;
}

static int open_record(session *s, deja_error *err)
{
    const history_options known = {.folder = s->options.no_cache ? NULL : s->options.runs,
                                   .batch = s->options.batch};
    if (history_open(&s->history, &known, err) < 0)
        return err->code;
    record_options o = {.folder = s->options.runs,
                        .batch = s->options.file,
                        .jobs = s->options.batch,
                        .argv = (const char *const *)s->options.argv,
                        .command = s->options.command,
                        .version = DEJA_VERSION,
                        .slots = s->slots,
                        .history = s->history};
    return record_open(&s->record, &o, err);
}

/* For the printer: how many instances of a job will be told of. One that is not selected now may be by a
 * file that a later one reads. */
static int count_instances(void *context, uint32_t def, uint32_t *ret)
{
    const session *s = context;
    return plan_instances(s->options.plan, def, ret);
}

static int has_instance(void *context, uint32_t def, uint32_t index)
{
    const session *s = context;
    return plan_has(s->options.plan, def, index);
}

/* Why no result is asked for; NULL: they are. */
static const char *never_looks(const session *s)
{
    if (s->vault.unusable)
        return "the cache cannot be used";
    if (s->vault.mode == DEJA_PLACE_OFF)
        return "DEJA_MODE=off";
    return s->vault.lookup ? NULL : s->run->force ? "--force" : "DEJA_MODE=refresh";
}

static void begin_forecast(session *s)
{
    s->forecast = (forecast){.form = s->options.form,
                             .asked = s->options.asked,
                             .batch = s->options.batch,
                             .plan = s->options.plan,
                             .why = {.history = s->history,
                                     .cache = s->vault.cache,
                                     .root_fd = s->options.batch->folder_fd,
                                     .always = never_looks(s),
                                     .absent = s->vault.cache ? NULL : "the cache is not there any more",
                                     .nearest = s->options.form != FORECAST_LINE}};
}

/* What is written beside, or instead of, the jobs' output. */
static int open_results(session *s, deja_error *err)
{
    const run_options *run = s->run;
    result_table_options t = {.form = run->table,
                              .file = run->table_file,
                              .jobs = s->options.batch->job_count,
                              .count = count_instances,
                              .has = has_instance,
                              .context = s};
    if (run->results && !run->dry_run &&
        result_tree_open(&s->results, run->results, s->options.runs ? record_id(s->record) : "", err))
        return err->code;
    return run->table == TABLE_NONE ? 0 : result_table_open(&s->table, &t, err);
}

static int open_report(session *s, deja_error *err)
{
    const run_options *run = s->run;
    outbox_options box = {.out_fd = STDOUT_FILENO, .err_fd = STDERR_FILENO};
    printer *p = NULL;
    if (outbox_open(&s->box, &box, err) < 0)
        return err->code;
    if (!run->json &&
        printer_open(&p, s->box, s->options.batch->job_count, count_instances, has_instance, s, err) < 0)
        return err->code;
    report_options o = {.quiet = run->quiet,
                        .verbose = run->verbose,
                        .json = run->json,
                        .tag = run->tag,
                        .unordered = run->unordered || run->line_buffer,
                        .dry_run = run->dry_run,
                        .show_progress = !run->quiet && !run->no_progress,
                        .keep_hits = 1,
                        .slots = s->slots,
                        .runs = s->options.runs,
                        .forecast = run->dry_run ? &s->forecast : NULL,
                        .results = s->results,
                        .table = s->table};
    begin_forecast(s);
    report_begin(&s->report, &o, s->box, p, deja_take(s->record));
    return 0;
}

static int open_flow(session *s, deja_error *err)
{
    flow_options o = {.slots = s->slots,
                      .cache = s->vault.cache,
                      .claims = s->vault.claims,
                      .output_claims = s->vault.output_claims,
                      .lookup = s->vault.lookup,
                      .store = s->vault.store,
                      .dry_run = s->run->dry_run,
                      .live = s->run->line_buffer,
                      .keep_edited = s->run->keep_edited,
                      .adopt = s->run->adopt,
                      .failures_most = s->run->failures_most,
                      .failures_percent = s->run->failures_percent,
                      .end_at_failure = s->run->end_at_failure,
                      .resources = s->options.resources,
                      .memory_most = s->run->memory_most,
                      .load_most = s->run->load_most,
                      .memory_free_least = s->run->memory_free_least,
                      .nice = s->run->nice,
                      .retries = {.times = s->run->retries},
                      .timeout_ns = s->run->timeout_ns,
                      .grace_ms = s->run->grace_ms,
                      .history = s->history,
                      .batch_order = s->run->batch_order,
                      .environment = (const char *const *)environ,
                      .run_id = record_id(s->report.record),
                      .signal_mask = &s->signals.old,
                      .job_descriptors = s->raised ? &s->job_descriptors : NULL,
                      .trace = s->options.trace,
                      .trace_keys = deja_place_env("DEJA_TRACE_KEYS"),
                      .listen = report_listen,
                      .context = &s->report};
    return flow_open(&s->report.flow, s->options.batch, s->options.plan, &o, err);
}

session_options session_for(const request *r, const char *name, char *const *argv)
{
    return (session_options){.command = name,
                             .file = request_file(r),
                             .runs = r->runs.len ? r->runs.data : NULL,
                             .beside = r->batch->folder,
                             .batch = r->batch,
                             .plan = r->plan,
                             .resources = r->resources.list,
                             .argv = argv,
                             .trace = r->trace};
}

int session_open(session *s, const session_options *options, const run_options *run, deja_error *err)
{
    *s = (session){.options = *options, .run = run, .signals.fd = -1};
    vault_options o = {.cache = run->cache,
                       .beside = options->beside,
                       .has_outputs = has_outputs(options->batch),
                       .force = run->force,
                       .dry_run = run->dry_run,
                       .trace = options->trace};
    s->slots = run->slots ? (unsigned)run->slots : (unsigned)deja_cpu_count();
    s->raised = descriptors_raise(&s->job_descriptors);
    if (run_options_check(run, err) || signals_open(&s->signals, err) ||
        (!options->no_cache && vault_open(&s->vault, &o, err)) || open_record(s, err) ||
        open_results(s, err) || open_report(s, err))
        return err->code;
    if (s->vault.unusable)
        report_say(&s->report, "warning: continuing without the cache: %s", s->vault.trouble.text);
    if (s->vault.apart)
        report_say(&s->report, VAULT_APART, s->vault.claims_trouble.text);
    return open_flow(s, err);
}

static int status_of(const session *s, const flow_totals *t, int ended_by)
{
    deja_error err;
    if (ended_by)
        return EXIT_SIGNAL + ended_by;
    if (t->failed > t->allowed || outbox_trouble(s->box, &err))
        return EXIT_FAILED;
    if (t->not_kept || vault_cannot_keep(&s->vault))
        return EXIT_NOT_KEPT;
    return EXIT_OK;
}

int session_go(session *s)
{
    loop l = {.flow = s->report.flow,
              .signals = &s->signals,
              .box = s->box,
              .tick = report_tick,
              .wait_ms = report_wait_ms,
              .resized = report_resized,
              .stopping = report_stopping,
              .ending = report_ending,
              .context = &s->report};
    flow_totals t;
    deja_error err;
    loop_run(&l);
    flow_totals_of(l.flow, &t);
    report_end(&s->report, &t, status_of(s, &t, l.ended_by));
    loop_drain(&l);
    if (outbox_trouble(s->box, &err))
        say_error(&err);
    return status_of(s, &t, l.ended_by);
}

int session_fail(session *s, const deja_error *err)
{
    if (s->box)
        outbox_pump(s->box); /* warnings that were queued come first */
    say_error(err);
    return err->code == DEJA_ENOMEM || err->code == DEJA_ERESOURCE ? EXIT_FAILED : EXIT_USAGE;
}

void session_close(session *s)
{
    flow_close(s->report.flow);
    report_done(&s->report);
    record_close(s->record);
    forecast_done(&s->forecast);
    history_close(s->history);
    result_tree_close(s->results);
    result_table_close(s->table);
    outbox_close(s->box);
    vault_close(&s->vault);
    if (s->run)
        signals_close(&s->signals);
    *s = (session){0};
}
