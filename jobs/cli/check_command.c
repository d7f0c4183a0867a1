/* `deja check`: is a batch right? */
#include "cli.h"
#include "request.h"
#include "resources.h"
#include "say.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <inttypes.h>
#include <string.h>

enum {
    OPTION_FILE = ARGS_FIRST,
    OPTION_FOLDER,
    OPTION_SET,
};

static const args_option options[] = {
    {OPTION_FILE, 'f', "file", "FILE", "Check FILE instead of deja.yaml; - is standard input."},
    {OPTION_FOLDER, 'C', "directory", "DIR", "Change to DIR first."},
    {OPTION_SET, 0, "set", "NAME=VALUE",
     "Give a variable of the batch another value; again for another one."},
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

/* Returns the exit status. */
static int check(request *r)
{
    deja_error err;
    if (request_open(r, &err) || resources_check(r->batch, &err)) {
        say_error(&err);
        return EXIT_USAGE;
    }
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    int unexpanded;
    uint64_t total = plan_total(r->plan, &unexpanded);
    const char *file = request_file(r);
    uint32_t jobs = r->batch->job_count;
    deja_text_escape(&text, file, strlen(file));
    deja_buffer_addf(&text, ": %" PRIu32 " %s, %" PRIu64 " %s%s\n", jobs, jobs == 1 ? "job" : "jobs", total,
                     total == 1 ? "instance" : "instances",
                     unexpanded ? ", and those of jobs whose matrix reads what other jobs make" : "");
    return say_output(&text) ? EXIT_FAILED : EXIT_OK;
}

/* 1 when the command goes on, 0 when `*ret_status` is all there is to say. */
static int parse(request *r, char *const *argv, int *ret_status)
{
    args a;
    deja_error err;
    int id;
    args_begin(&a, &check_args, argv);
    while ((id = args_next(&a, &err)) != ARGS_END) {
        if (id == ARGS_HELP) {
            *ret_status = cli_help(&check_args);
            return 0;
        }
        if (id == ARGS_WORD)
            id = deja_fail(&err, DEJA_EINVAL, "'%s' is one word too many", a.value);
        if (id == OPTION_FILE)
            r->file = a.value;
        if (id == OPTION_FOLDER)
            id = cli_enter(a.value, &err);
        if (id == OPTION_SET)
            id = words_add(&r->sets, a.value, &err);
        if (id < 0) {
            *ret_status = cli_usage(&check_args, EXIT_USAGE, &err);
            return 0;
        }
    }
    return 1;
}

int check_command(char *const *argv)
{
    request r = {0};
    int status;
    if (parse(&r, argv, &status))
        status = check(&r);
    request_close(&r);
    return status;
}
