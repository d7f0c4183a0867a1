/* `deja check`: is a batch right? */
#include "cli.h"
#include "plan.h"
#include "say.h"
#include "words.h"
#include <deja/cleanup.h>
#include <deja/place.h>
#include <deja/text.h>
#include <inttypes.h>
#include <string.h>

enum {
    OPTION_FILE = ARGS_FIRST,
    OPTION_FOLDER,
};

static const args_option options[] = {
    {OPTION_FILE, 'f', "file", "FILE", "Check FILE instead of deja.yaml; - is standard input."},
    {OPTION_FOLDER, 'C', "directory", "DIR", "Change to DIR first."},
    {0},
};

static const args_example examples[] = {
    {"deja check", "Check deja.yaml in this folder."},
    {"deja check -f sweep.yaml", "Check another batch."},
    {0},
};

const args_command check_args = {
    .name = "check",
    .usage = "[OPTION]...",
    .summary = "Check a batch file without running anything.",
    .about = "Read a batch, check all of its words, names, needs, matrices and outputs, and say how many "
             "jobs it has. "
             "Nothing is run or written.\n\n"
             "Exit status: 0 the batch is right; 1 that cannot be written; 2 it is not.",
    .options = options,
    .examples = examples,
};

static void say_warnings(const batch *b)
{
    for (size_t i = 0; i < b->warning_count; i++) {
        deja_error warning;
        deja_fail(&warning, DEJA_ESYNTAX, "%s", b->warnings[i]);
        say_error(&warning);
    }
}

/* Returns the exit status. */
static int check(const char *file)
{
    batch *b = NULL;
    plan *p = NULL;
    deja_error err;
    int status = EXIT_OK;
    int code = batch_load(&b, file, &err);
    if (!code) {
        say_warnings(b);
        code = plan_open(&p, b, NULL, &err);
    }
    if (code) {
        say_error(&err);
        status = EXIT_USAGE;
    } else {
        DEJA_AUTO_BUFFER deja_buffer text = {0};
        int unexpanded;
        uint64_t total = plan_total(p, &unexpanded);
        deja_text_escape(&text, file, strlen(file));
        deja_buffer_addf(&text, ": %" PRIu32 " %s, %" PRIu64 " %s%s\n", b->job_count,
                         b->job_count == 1 ? "job" : "jobs", total, total == 1 ? "instance" : "instances",
                         unexpanded ? ", and those of jobs whose matrix reads what other jobs make" : "");
        if (say_output(&text))
            status = EXIT_FAILED;
    }
    plan_close(p);
    batch_free(b);
    return status;
}

int check_command(char *const *argv)
{
    args a;
    deja_error err;
    const char *file = "deja.yaml";
    int id;
    args_begin(&a, &check_args, argv);
    while ((id = args_next(&a, &err)) != ARGS_END) {
        if (id == ARGS_HELP)
            return cli_help(&check_args);
        if (id == ARGS_WORD)
            id = deja_fail(&err, DEJA_EINVAL, "'%s' is one word too many", a.value);
        if (id == OPTION_FILE)
            file = a.value;
        if (id == OPTION_FOLDER)
            id = cli_enter(a.value, &err);
        if (id < 0)
            return cli_usage(&check_args, EXIT_USAGE, &err);
    }
    return check(file);
}
