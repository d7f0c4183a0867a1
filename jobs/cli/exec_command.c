/* `deja exec`: one command, remembered. */
#include "cli.h"
#include "descriptors.h"
#include "loop.h"
#include "report.h"
#include "say.h"
#include "vault.h"
#include "words.h"
#include <deja/cleanup.h>

enum {
    OPTION_INPUT = ARGS_FIRST,
    OPTION_OUTPUT,
    OPTION_ENV,
    OPTION_STDIN,
    OPTION_KEY_VERSION,
    OPTION_SCOPE,
    OPTION_ANYWHERE,
    OPTION_CACHE,
    OPTION_FORCE,
    OPTION_KEEP_EDITED,
    OPTION_FOLDER,
};

static const args_option options[] = {
    {OPTION_INPUT, 'i', "input", "FILE",
     "The command reads FILE; with a trailing slash: all files below it. May be repeated."},
    {OPTION_OUTPUT, 'o', "output", "FILE",
     "The command makes FILE; it is put in place when the cache answers. May be repeated."},
    {OPTION_ENV, 'e', "env", "NAME", "The value of this environment variable counts. May be repeated."},
    {OPTION_STDIN, 0, "stdin", "FILE",
     "The command's standard input (default: /dev/null); its content counts."},
    {OPTION_KEY_VERSION, 0, "key-version", "TEXT",
     "Any text that counts: change it, and the command runs again."},
    {OPTION_SCOPE, 0, "scope", "NAME", "Keep results apart from those of other scopes."},
    {OPTION_ANYWHERE, 0, "anywhere", NULL, "The working directory does not count."},
    {OPTION_CACHE, 0, "cache", "DIR",
     "Keep results in DIR (default: DEJA_CACHE, else deja in the user's cache folder)."},
    {OPTION_FORCE, 0, "force", NULL,
     "Run the command even when the cache could answer, and replace its result."},
    {OPTION_KEEP_EDITED, 0, "keep-edited", NULL, "Leave outputs alone that were changed since."},
    {OPTION_FOLDER, 'C', "directory", "DIR", "Change to DIR first."},
    {0},
};

static const args_example examples[] = {
    {"deja exec -- sleep 3", "Takes three seconds once."},
    {"deja exec -i data.csv -- ./analyse data.csv", "Runs again when data.csv or ./analyse changes."},
    {"deja exec -i in.png -o out.webp -- cwebp in.png -o out.webp", "Also keeps the file that it makes."},
    {0},
};

const args_command exec_args = {
    .name = "exec",
    .usage = "[OPTION]... [--] COMMAND [ARGUMENT]...",
    .summary = "Run one command, or answer from the cache what it did before.",
    .about =
        "Run COMMAND and remember its standard output, standard error and output files; next time answer "
        "from "
        "the cache. What counts: the words of the command, the content of its program file, the working "
        "directory, LANG, LC_* and TZ, and what the options name. Only success (exit status 0) is "
        "remembered.\n\n"
        "Exit status: that of COMMAND, 128+N when signal N killed it; 125 when deja itself fails, 126 when "
        "COMMAND cannot be executed, 127 when it is not found.",
    .options = options,
    .environment = cli_environment,
    .examples = examples,
    .first_word_ends = 1,
};

typedef struct exec {
    words inputs, outputs, env, argv;
    const char *stdin_path, *version, *scope, *cache;
    int anywhere, force, keep_edited;
    /* opened */
    deja_buffer folder;
    batch *batch;
    plan *plan;
    struct rlimit job_descriptors;
    int raised; /* the limit of descriptors was; jobs get job_descriptors */
    vault vault;
    deja_buffer runs;
    record *record;
    outbox *box;
    signals signals;
    report report;
    deja_trace *trace;
} exec;

static int take_option(exec *x, const args *a, int id, deja_error *err)
{
    switch (id) {
    case OPTION_INPUT:
        return words_add(&x->inputs, a->value, err);
    case OPTION_OUTPUT:
        return words_add(&x->outputs, a->value, err);
    case OPTION_ENV:
        return words_add(&x->env, a->value, err);
    case OPTION_STDIN:
        return x->stdin_path = a->value, 0;
    case OPTION_KEY_VERSION:
        return x->version = a->value, 0;
    case OPTION_SCOPE:
        return x->scope = a->value, 0;
    case OPTION_ANYWHERE:
        return x->anywhere = 1, 0;
    case OPTION_CACHE:
        x->cache = a->value;
        return *a->value ? 0 : deja_fail(err, DEJA_EINVAL, "--cache needs a folder");
    case OPTION_FORCE:
        return x->force = 1, 0;
    case OPTION_KEEP_EDITED:
        return x->keep_edited = 1, 0;
    case OPTION_FOLDER:
        return cli_enter(a->value, err);
    default:
        return words_add(&x->argv, a->value, err);
    }
}

/* 1 when the command goes on, 0 when `*ret_status` is all there is to say. */
static int parse(exec *x, char *const *argv, int *ret_status)
{
    args a;
    deja_error err;
    int id;
    args_begin(&a, &exec_args, argv);
    while ((id = args_next(&a, &err)) != ARGS_END) {
        if (id == ARGS_HELP) {
            *ret_status = cli_help(&exec_args);
            return 0;
        }
        if (id < 0 || take_option(x, &a, id, &err) < 0) {
            *ret_status = cli_usage(&exec_args, EXIT_OWN_FAULT, &err);
            return 0;
        }
    }
    if (x->argv.count)
        return 1;
    deja_fail(&err, DEJA_EINVAL, "no command given");
    *ret_status = cli_usage(&exec_args, EXIT_OWN_FAULT, &err);
    return 0;
}

static int make_batch(exec *x, deja_error *err)
{
    int code = cli_folder(&x->folder, err);
    if (code)
        return code;
    batch_command c = {.argv = x->argv.list,
                       .inputs = x->inputs.list,
                       .outputs = x->outputs.list,
                       .env = x->env.list,
                       .stdin_path = x->stdin_path,
                       .version = x->version,
                       .scope = x->scope,
                       .anywhere = x->anywhere};
    return batch_from_command(&x->batch, x->folder.data, &c, err);
}

static int open_record(exec *x, deja_error *err)
{
    if (deja_place_runs(&x->runs, NULL, NULL))
        deja_buffer_clear(&x->runs);
    record_options o = {.folder = x->runs.len ? x->runs.data : NULL,
                        .jobs = x->batch,
                        .argv = x->argv.list,
                        .command = "exec",
                        .version = DEJA_VERSION,
                        .slots = 1};
    return record_open(&x->record, &o, err);
}

static int count_one(void *context, uint32_t def, uint32_t *ret)
{
    (void)context;
    (void)def;
    *ret = 1;
    return 1;
}

static int open_report(exec *x, deja_error *err)
{
    outbox_options box = {.out_fd = STDOUT_FILENO, .err_fd = STDERR_FILENO};
    printer *p = NULL;
    if (outbox_open(&x->box, &box, err) < 0 || printer_open(&p, x->box, 1, count_one, NULL, NULL, err) < 0)
        return err->code;
    report_options o = {.quiet = 1, .only_output = 1, .slots = 1, .runs = x->runs.len ? x->runs.data : NULL};
    report_begin(&x->report, &o, x->box, p, deja_take(x->record));
    return 0;
}

static int open_all(exec *x, deja_error *err)
{
    vault_options o = {
        .cache = x->cache, .has_outputs = x->outputs.count > 0, .force = x->force, .trace = x->trace};
    x->raised = descriptors_raise(&x->job_descriptors);
    if (signals_open(&x->signals, err) || vault_open(&x->vault, &o, err) || open_record(x, err) ||
        open_report(x, err))
        return err->code;
    if (vault_cannot_keep(&x->vault))
        report_say(&x->report, "warning: continuing without the cache: %s", x->vault.trouble.text);
    if (x->vault.apart)
        report_say(&x->report, VAULT_APART, x->vault.claims_trouble.text);
    flow_options f = {.slots = 1,
                      .cache = x->vault.cache,
                      .claims = x->vault.claims,
                      .output_claims = x->vault.output_claims,
                      .lookup = x->vault.lookup,
                      .store = x->vault.store,
                      .keep_edited = x->keep_edited,
                      .environment = (const char *const *)environ,
                      .run_id = record_id(x->report.record),
                      .signal_mask = &x->signals.old,
                      .job_descriptors = x->raised ? &x->job_descriptors : NULL,
                      .trace = x->trace,
                      .trace_keys = deja_place_env("DEJA_TRACE_KEYS"),
                      .listen = report_listen,
                      .context = &x->report};
    return flow_open(&x->report.flow, x->batch, x->plan, &f, err);
}

static int go(exec *x)
{
    loop l = {.flow = x->report.flow,
              .signals = &x->signals,
              .box = x->box,
              .tick = report_tick,
              .wait_ms = report_wait_ms,
              .resized = report_resized,
              .stopping = report_stopping,
              .context = &x->report};
    flow_totals t;
    deja_error err;
    loop_run(&l);
    flow_totals_of(l.flow, &t);
    int status = x->report.last_status;
    report_end(&x->report, &t, l.ended_by ? EXIT_SIGNAL + l.ended_by : status);
    loop_drain(&l);
    if (l.ended_by)
        return EXIT_SIGNAL + l.ended_by;
    if (!outbox_trouble(x->box, &err))
        return status;
    say_error(&err);
    return EXIT_OWN_FAULT;
}

static void close_all(exec *x)
{
    flow_close(x->report.flow);
    report_done(&x->report);
    record_close(x->record);
    outbox_close(x->box);
    vault_close(&x->vault);
    signals_close(&x->signals);
    plan_close(x->plan);
    batch_free(x->batch);
    deja_trace_close(x->trace);
    deja_buffer_done(&x->folder);
    deja_buffer_done(&x->runs);
    words_done(&x->inputs);
    words_done(&x->outputs);
    words_done(&x->env);
    words_done(&x->argv);
}

int exec_command(char *const *argv)
{
    exec x = {.signals.fd = -1};
    deja_error err;
    int status;
    const char *trace = deja_place_env("DEJA_TRACE");
    if (!parse(&x, argv, &status))
        ;
    else if ((trace && deja_trace_open(&x.trace, trace, &err)) || make_batch(&x, &err) ||
             plan_open(&x.plan, x.batch, NULL, &err) || open_all(&x, &err)) {
        if (x.box)
            outbox_pump(x.box);
        say_error(&err);
        status = EXIT_OWN_FAULT;
    } else {
        status = go(&x);
    }
    close_all(&x);
    return status;
}
