/* `deja why`: why a job would run. */
#include "cli.h"
#include "session.h"

enum {
    OPTION_FILE = ARGS_FIRST,
    OPTION_FOLDER,
    OPTION_CACHE,
    OPTION_JSON,
    OPTION_SET,
};

static const args_option options[] = {
    {OPTION_FILE, 'f', "file", "FILE", "Read the batch from FILE instead of deja.yaml; - is standard input."},
    {OPTION_FOLDER, 'C', "directory", "DIR", "Change to DIR first."},
    {OPTION_CACHE, 0, "cache", "DIR",
     "The results are in DIR (default: DEJA_CACHE, else .deja beside the batch)."},
    {OPTION_SET, 0, "set", "NAME=VALUE",
     "Give a variable of the batch another value; again for another one."},
    {OPTION_JSON, 0, "json", NULL, "Write one JSON object a line for each instance."},
    {0},
};

static const args_example examples[] = {
    {"deja why table", "Why the job 'table' would run, if it would."},
    {"deja why 'count[text=*dunes*,n=1]'", "The same of some instances of 'count'."},
    {"deja why --json | jq .changes", "What changed, for programs, of all jobs."},
    {0},
};

const args_command why_args = {
    .name = "why",
    .usage = "[OPTION]... [JOB]...",
    .summary = "Say why jobs would run: what changed since their last results.",
    .about =
        "Compute the key of each JOB (of all jobs when none is named) as a run would now, run nothing, and "
        "compare "
        "it with the last runs of that job with the same parameters: which input changed, which variable, "
        "which "
        "word of the command, with old and new value; or that it failed, was never run, or that the cache "
        "has its "
        "result no more. Of a job that never ran with its parameters the instance with the nearest ones is "
        "compared. Values of secret variables are not told.\n\n"
        "Exit status: 0 it is said; 1 a job could not run at all, say since an input is missing; 2 the "
        "command line "
        "or the batch is wrong.",
    .options = options,
    .environment = cli_environment,
    .examples = examples,
};

typedef struct question {
    request request;
    run_options options;
    session session;
    int json;
} question;

static int take_option(question *q, const args *a, int id, deja_error *err)
{
    switch (id) {
    case OPTION_FILE:
        q->request.file = a->value;
        return 0;
    case OPTION_FOLDER:
        q->request.folder = a->value;
        return cli_enter(a->value, err);
    case OPTION_CACHE:
        q->options.cache = a->value;
        return 0;
    case OPTION_JSON:
        return q->json = 1, 0;
    case OPTION_SET:
        return words_add(&q->request.sets, a->value, err);
    default:
        return words_add(&q->request.jobs, a->value, err);
    }
}

static int open_session(question *q, char *const *argv, deja_error *err)
{
    session_options o = session_for(&q->request, "why", argv);
    o.form = q->json ? FORECAST_JSON : FORECAST_PARAGRAPH;
    o.asked = q->request.chosen;
    return session_open(&q->session, &o, &q->options, err);
}

int why_command(char *const *argv)
{
    question q = {.options = {.dry_run = 1, .quiet = 1}};
    args a;
    deja_error err;
    int id, status = EXIT_OK;
    args_begin(&a, &why_args, argv);
    while ((id = args_next(&a, &err)) != ARGS_END) {
        if (id == ARGS_HELP)
            return cli_help(&why_args);
        if (id < 0 || take_option(&q, &a, id, &err) < 0) {
            status = cli_usage(&why_args, EXIT_USAGE, &err);
            break;
        }
    }
    if (status == EXIT_OK)
        status = request_open(&q.request, &err) || open_session(&q, argv, &err)
                     ? session_fail(&q.session, &err)
                     : session_go(&q.session);
    session_close(&q.session);
    request_close(&q.request);
    return status;
}
