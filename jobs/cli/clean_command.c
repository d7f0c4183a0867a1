/* `deja clean`: removes what a batch made. */
#include "cleaning.h"
#include "cli.h"
#include "request.h"
#include "say.h"
#include "vault.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/text.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_FILE = ARGS_FIRST,
    OPTION_FOLDER,
    OPTION_CACHE,
    OPTION_DRY_RUN,
    OPTION_FORCE,
    OPTION_SET,
};

static const args_option options[] = {
    {OPTION_FILE, 'f', "file", "FILE", "Read the batch from FILE instead of deja.yaml; - is standard input."},
    {OPTION_FOLDER, 'C', "directory", "DIR", "Change to DIR first."},
    {OPTION_CACHE, 0, "cache", "DIR",
     "The results are in DIR (default: DEJA_CACHE, else .deja beside the batch)."},
    {OPTION_SET, 0, "set", "NAME=VALUE",
     "Give a variable of the batch another value; again for another one."},
    {OPTION_DRY_RUN, 'n', "dry-run", NULL, "Say what would be removed, and remove nothing."},
    {OPTION_FORCE, 0, "force", NULL,
     "Remove outputs that were changed since, or of which nothing is known, too."},
    {0},
};

static const args_example examples[] = {
    {"deja clean -n", "See what would be removed."},
    {"deja clean", "Remove all outputs of the batch that are as they were made."},
    {"deja clean 'count[n=1]'", "Only those of some instances of 'count'."},
    {0},
};

const args_command clean_args = {
    .name = "clean",
    .usage = "[OPTION]... [JOB]...",
    .summary = "Remove the outputs that a batch made.",
    .about =
        "Remove the outputs of each JOB (of all jobs when none is named), and folders below the batch's that "
        "are "
        "empty then. Only what a run made or put in place and nobody changed since is removed: its content "
        "is "
        "compared with results in the cache. Inputs, other files, and what lies behind a link to a folder "
        "are "
        "never removed. The results stay in the cache: 'deja run' puts the files back without running "
        "anything.\n\n"
        "Exit status: 0 done, whatever was left; 1 something could not be removed; 2 the command line or the "
        "batch is wrong.",
    .options = options,
    .environment = cli_environment,
    .examples = examples,
};

typedef struct clean {
    request request;
    const char *cache;
    int dry_run, force;
    vault vault;
    history *history;
    deja_buffer out;
    uint64_t removed, left, failed;
} clean;

static int take_option(clean *c, const args *a, int id, deja_error *err)
{
    switch (id) {
    case OPTION_FILE:
        c->request.file = a->value;
        return 0;
    case OPTION_FOLDER:
        c->request.folder = a->value;
        return cli_enter(a->value, err);
    case OPTION_SET:
        return words_add(&c->request.sets, a->value, err);
    case OPTION_CACHE:
        c->cache = a->value;
        return 0;
    case OPTION_DRY_RUN:
        return c->dry_run = 1, 0;
    case OPTION_FORCE:
        return c->force = 1, 0;
    default:
        return words_add(&c->request.jobs, a->value, err);
    }
}

static void tell(void *context, cleaning_fate fate, const char *path, const char *why)
{
    static const char *const reasons[] = {
        [CLEANING_CHANGED] = "it was changed since it was made (--force removes it)",
        [CLEANING_UNKNOWN] = "no result in the cache says that a run made it (--force removes it)",
        [CLEANING_IN_USE] = "a run is making it",
        [CLEANING_LINKED] = "a folder on the way to it is a link"};
    clean *c = context;
    if (fate == CLEANING_REMOVED) {
        c->removed++;
        deja_buffer_add_string(&c->out, c->dry_run ? "would remove " : "removed ");
        deja_text_escape(&c->out, path, strlen(path));
        deja_buffer_add_char(&c->out, '\n');
    } else if (fate == CLEANING_FAILED) {
        c->failed++;
        say("%s", why);
    } else {
        c->left++;
        say("left '%s': %s", path, reasons[fate]);
    }
}

/* Nothing is made: no cache where there is none. */
static int open_all(clean *c, deja_error *err)
{
    const vault_options o = {.cache = c->cache, .beside = c->request.batch->folder, .dry_run = 1};
    const history_options known = {.folder = c->request.runs.len ? c->request.runs.data : NULL,
                                   .batch = c->request.batch};
    int code = vault_open(&c->vault, &o, err);
    if (!code)
        code = history_open(&c->history, &known, err);
    if (code)
        return code;
    if (c->vault.unusable)
        say("warning: continuing without the cache: %s", c->vault.trouble.text);
    if (!c->dry_run)
        vault_open_outputs(&c->vault, o.beside);
    if (c->vault.apart)
        say(VAULT_APART, c->vault.claims_trouble.text);
    return 0;
}

static int go(clean *c, deja_error *err)
{
    const cleaning_options o = {.batch = c->request.batch,
                                .plan = c->request.plan,
                                .chosen = c->request.chosen,
                                .history = c->history,
                                .cache = c->vault.cache,
                                .output_claims = c->vault.output_claims,
                                .environment = (const char *const *)environ,
                                .force = c->force,
                                .dry_run = c->dry_run,
                                .tell = tell,
                                .context = c};
    int code = cleaning_run(&o, err);
    if (say_output(&c->out))
        c->failed++;
    say("%" PRIu64 " %s %sremoved, %" PRIu64 " left", c->removed, c->removed == 1 ? "file" : "files",
        c->dry_run ? "would be " : "", c->left + c->failed);
    return code;
}

static void close_all(clean *c)
{
    history_close(c->history);
    vault_close(&c->vault);
    request_close(&c->request);
    deja_buffer_done(&c->out);
}

int clean_command(char *const *argv)
{
    clean c = {.dry_run = 0};
    args a;
    deja_error err;
    int id, status = EXIT_OK;
    args_begin(&a, &clean_args, argv);
    while (status == EXIT_OK && (id = args_next(&a, &err)) != ARGS_END) {
        if (id == ARGS_HELP)
            return cli_help(&clean_args);
        if (id < 0 || take_option(&c, &a, id, &err) < 0)
            status = cli_usage(&clean_args, EXIT_USAGE, &err);
    }
    if (status == EXIT_OK && (request_open(&c.request, &err) || open_all(&c, &err) || go(&c, &err))) {
        say_error(&err);
        status = err.code == DEJA_ENOMEM || err.code == DEJA_ERESOURCE ? EXIT_FAILED : EXIT_USAGE;
    }
    status = status == EXIT_OK && c.failed ? EXIT_FAILED : status;
    close_all(&c);
    return status;
}
