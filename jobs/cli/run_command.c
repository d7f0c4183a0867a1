/* `deja run`: options, what they open, and the exit status. */
#include "cli.h"
#include "session.h"

enum {
    OPTION_FILE = RUN_OWN,
    OPTION_FOLDER,
    OPTION_FAILED,
    OPTION_SET,
    OPTION_ONLY,
    OPTION_RESOURCE,
};

static const args_option options[] = {
    {OPTION_FILE, 'f', "file", "FILE", "Read the batch from FILE instead of deja.yaml; - is standard input."},
    {OPTION_FOLDER, 'C', "directory", "DIR", "Change to DIR first."},
    {OPTION_FAILED, 0, "failed", NULL,
     "Of these jobs run only what failed, or was skipped for that, when it ran last."},
    {OPTION_SET, 0, "set", "NAME=VALUE",
     "Give a variable of the batch another value; again for another one."},
    {OPTION_ONLY, 0, "only", NULL,
     "Run nothing that these jobs need: what that made is taken as it lies there."},
    {OPTION_RESOURCE, 0, "resource", "NAME=N",
     "There are N of the resource NAME, whatever the batch says; again for another one."},
    RUN_OPTIONS('n', ".deja beside the batch"),
    {0},
};

static const args_example examples[] = {
    {"deja run", "Run all jobs of deja.yaml; what the cache knows is answered."},
    {"deja run -j4 table", "Run the job 'table' and what it needs, four at a time."},
    {"deja run 'count[text=*dunes*,n=1]'", "Run the instances of 'count' whose values match."},
    {"deja run --only table", "Run 'table' alone, with what is there of the jobs that it needs."},
    {"deja run --failed", "Run again what failed last time."},
    {"deja run --set n=100", "Run with another value of the batch's variable 'n'."},
    {"deja run --resource gpu=2", "Jobs with 'resources: {gpu: 1}' run two at a time, a GPU each."},
    {"deja run --dry-run", "See what would run."},
    {"DEJA_MODE=readonly deja run", "Use results, keep none (off: no cache; refresh: run again and keep)."},
    {0},
};

const args_command run_args = {
    .name = "run",
    .usage = "[OPTION]... [JOB]...",
    .summary = "Run the jobs of a batch; answer from the cache what ran before.",
    .about =
        "Run the jobs of a batch, or only each JOB and all that it needs, in parallel. JOB[NAME=PATTERN,...] "
        "is "
        "those instances of a job whose values match: * is any text, ? one character, [abc] one of a set, "
        "and a "
        "backslash takes the next character as it is. In names of jobs * and ? are patterns, too.\n\n"
        "A job whose "
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
    request request;
    run_options options;
    session session;
} run;

static int take_option(run *r, const args *a, int id, deja_error *err)
{
    switch (id) {
    case OPTION_FILE:
        r->request.file = a->value;
        return 0;
    case OPTION_FOLDER:
        r->request.folder = a->value;
        return cli_enter(a->value, err);
    case OPTION_FAILED:
        return r->request.only_failed = 1, 0;
    case OPTION_SET:
        return words_add(&r->request.sets, a->value, err);
    case OPTION_ONLY:
        return r->request.only = 1, 0;
    case OPTION_RESOURCE:
        return words_add(&r->request.resources, a->value, err);
    case ARGS_WORD:
        return words_add(&r->request.jobs, a->value, err);
    default:
        return run_options_take(&r->options, a, id, err);
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

static int open_session(run *r, char *const *argv, deja_error *err)
{
    const session_options o = session_for(&r->request, "run", argv);
    return session_open(&r->session, &o, &r->options, err);
}

int run_command(char *const *argv)
{
    run r = {0};
    deja_error err;
    int status;
    if (!parse(&r, argv, &status))
        ;
    else if (request_open(&r.request, &err) || open_session(&r, argv, &err))
        status = session_fail(&r.session, &err);
    else
        status = session_go(&r.session);
    session_close(&r.session);
    request_close(&r.request);
    return status;
}
