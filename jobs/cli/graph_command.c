/* `deja graph`: who waits for whom. */
#include "cli.h"
#include "drawing.h"
#include "request.h"
#include "say.h"
#include <deja/cleanup.h>
#include <inttypes.h>
#include <string.h>

enum {
    OPTION_FILE = ARGS_FIRST,
    OPTION_FOLDER,
    OPTION_FORMAT,
    OPTION_INSTANCES,
    OPTION_LIMIT,
};

/* Instances drawn unless --limit says otherwise: more than anybody can look at. */
enum { DRAWN = 1000 };

static const args_option options[] = {
    {OPTION_FILE, 'f', "file", "FILE", "Read the batch from FILE instead of deja.yaml; - is standard input."},
    {OPTION_FOLDER, 'C', "directory", "DIR", "Change to DIR first."},
    {OPTION_FORMAT, 0, "format", "FORMAT", "dot for Graphviz (the default), mermaid, or json."},
    {OPTION_INSTANCES, 0, "instances", NULL, "Draw each instance of a job, not the job."},
    {OPTION_LIMIT, 0, "limit", "N", "Draw up to N instances (default: 1000)."},
    {0},
};

static const args_example examples[] = {
    {"deja graph | dot -Tsvg > jobs.svg", "Draw all jobs of deja.yaml."},
    {"deja graph --instances 'count[text=a*]'",
     "Some instances of 'count', and the instances that they need."},
    {"deja graph --format json table", "The job 'table' and what it needs, for programs."},
    {0},
};

const args_command graph_args = {
    .name = "graph",
    .usage = "[OPTION]... [JOB]...",
    .summary = "Draw which jobs wait for which.",
    .about = "Write the graph of a batch, or of each JOB and all that it needs, to standard output. Arrows "
             "lead from a "
             "job to those that wait for it, by 'needs' or since they read its outputs; they are dashed "
             "where only the "
             "order counts. Nothing is run or written.\n\n"
             "Exit status: 0 it is written; 1 that cannot be done; 2 the command line or the batch is wrong.",
    .options = options,
    .examples = examples,
};

typedef struct view {
    request request;
    drawing_format format;
    int instances;
    int64_t limit;
} view;

static int take_format(view *v, const char *name, deja_error *err)
{
    static const char *const names[] = {
        [DRAWING_DOT] = "dot", [DRAWING_MERMAID] = "mermaid", [DRAWING_JSON] = "json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            v->format = (drawing_format)i;
            return 0;
        }
    return deja_fail(err, DEJA_EINVAL, "--format '%s': expected dot, mermaid or json", name);
}

static int take_option(view *v, const args *a, int id, deja_error *err)
{
    switch (id) {
    case OPTION_FILE:
        v->request.file = a->value;
        return 0;
    case OPTION_FOLDER:
        v->request.folder = a->value;
        return cli_enter(a->value, err);
    case OPTION_FORMAT:
        return take_format(v, a->value, err);
    case OPTION_INSTANCES:
        return v->instances = 1, 0;
    case OPTION_LIMIT:
        return args_number(a, "--limit", 1, UINT32_MAX, &v->limit, err);
    default:
        return words_add(&v->request.jobs, a->value, err);
    }
}

static int check_limit(const view *v, deja_error *err)
{
    int unexpanded;
    uint64_t total = plan_total(v->request.plan, &unexpanded);
    if (!v->instances || total <= (uint64_t)v->limit)
        return 0;
    return deja_fail(err, DEJA_EINVAL,
                     "there are %" PRIu64
                     " instances to draw: choose some, as in 'JOB[NAME=VALUE]', or say '--limit %" PRIu64 "'",
                     total, total);
}

/* Returns the exit status. */
static int draw(view *v)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_error err;
    int status = request_open(&v->request, &err);
    if (status == 0)
        status = check_limit(v, &err);
    if (status == 0 && drawing_add(&text, v->request.batch, v->request.plan, v->format, v->instances) < 0)
        status = deja_fail(&err, DEJA_ENOMEM, "draw the graph: out of memory");
    if (status == 0)
        return say_output(&text) ? EXIT_FAILED : EXIT_OK;
    say_error(&err);
    return status == DEJA_ENOMEM ? EXIT_FAILED : EXIT_USAGE;
}

int graph_command(char *const *argv)
{
    view v = {.limit = DRAWN};
    args a;
    deja_error err;
    int id, status = -1;
    args_begin(&a, &graph_args, argv);
    while (status < 0 && (id = args_next(&a, &err)) != ARGS_END)
        if (id == ARGS_HELP)
            status = cli_help(&graph_args);
        else if (id < 0 || take_option(&v, &a, id, &err) < 0)
            status = cli_usage(&graph_args, EXIT_USAGE, &err);
    if (status < 0)
        status = draw(&v);
    request_close(&v.request);
    return status;
}
