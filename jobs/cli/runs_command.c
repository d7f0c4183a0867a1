/* `deja runs` and `deja status`: the runs of a batch, and those that go on. */
#include "ask.h"
#include "cli.h"
#include "run_show.h"
#include "say.h"
#include <deja/cleanup.h>
#include <deja/clock.h>

static const args_option runs_options[] = {
    ASK_OPTIONS,
    {ASK_MOST, 'n', NULL, "N", "Show the newest N only."},
    {ASK_JSON, 0, "json", NULL, "Write one JSON object a line."},
    {0},
};

static const args_example runs_examples[] = {
    {"deja runs", "The runs of deja.yaml here, the newest first."},
    {"deja runs -n 5 --json", "The last five, for programs."},
    {0},
};

const args_command runs_args = {
    .name = "runs",
    .usage = "[OPTION]...",
    .summary = "List the runs of a batch: when, how they ended, counts.",
    .about = "List the recorded runs, the newest first: id, how it stands (done, failed, interrupted, "
             "running, broken "
             "off, not kept), how long it took, the batch, counts. An id begins with the date and time of "
             "the start, "
             "in UTC. About a hundred runs are kept.",
    .options = runs_options,
    .examples = runs_examples,
};

static const args_option status_options[] = {
    ASK_OPTIONS,
    {ASK_JSON, 0, "json", NULL, "Write one JSON object a line."},
    {0},
};

static const args_example status_examples[] = {
    {"deja status", "How far the run is that goes on in another terminal."},
    {0},
};

const args_command status_args = {
    .name = "status",
    .usage = "[OPTION]...",
    .summary = "Say how far a run is that goes on in another terminal.",
    .about = "Show the runs that go on: how many jobs are done, and which ones run for how long, as of a "
             "second ago.\n\n"
             "Exit status: 0 some run goes on; 1 none does.",
    .options = status_options,
    .examples = status_examples,
};

static int fail_words(const ask *k, const args_command *of)
{
    deja_error err;
    deja_fail(&err, DEJA_EINVAL, "'%s' is one word too many", k->request.jobs.list[0]);
    return cli_usage(of, EXIT_USAGE, &err);
}

/* Prints each run, the newest first; only those that live with `living`. Returns how many, negative on
 * failure. */
static int64_t print(const ask *k, int living)
{
    size_t count = 0;
    int64_t shown = 0;
    past_run run = {.fd = -1};
    DEJA_AUTO_FREE past_id *list = k->runs_fd >= 0 ? past_runs(k->runs_fd, &count) : NULL;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (size_t i = 0; i < count && shown >= 0 && (!k->most || shown < k->most); i++) {
        if ((living && !runs_alive(k->runs_fd, list[i], NULL)) ||
            past_run_open(&run, k->runs_fd, list[i], NULL) < 0)
            continue;
        deja_buffer_clear(&b);
        if (living)
            run_show_progress(&b, &run, k->runs_fd, deja_wall_ns(NULL), k->json);
        else
            run_show_line(&b, &run, k->json);
        shown = say_output(&b) ? -1 : shown + 1;
    }
    past_run_close(&run);
    return shown;
}

int runs_command(char *const *argv)
{
    ask k;
    int status;
    if (ask_open(&k, &runs_args, argv, &status))
        status = k.request.jobs.count ? fail_words(&k, &runs_args) : print(&k, 0) < 0 ? EXIT_FAILED : EXIT_OK;
    ask_close(&k);
    return status;
}

static int show_living(const ask *k)
{
    int64_t shown = print(k, 1);
    if (shown == 0)
        say("no run goes on here");
    return shown > 0 ? EXIT_OK : EXIT_FAILED;
}

int status_command(char *const *argv)
{
    ask k;
    int status;
    if (ask_open(&k, &status_args, argv, &status))
        status = k.request.jobs.count ? fail_words(&k, &status_args) : show_living(&k);
    ask_close(&k);
    return status;
}
