/* What commands that ask about runs share, see ask.h. */
#include "ask.h"
#include "cli.h"
#include "say.h"
#include <deja/cleanup.h>
#include <fcntl.h>

static int take_option(ask *k, const args *a, int id, deja_error *err)
{
    switch (id) {
    case ASK_FILE:
        k->request.file = a->value;
        return 0;
    case ASK_FOLDER:
        k->request.folder = a->value;
        return cli_enter(a->value, err);
    case ASK_SET:
        return words_add(&k->request.sets, a->value, err);
    case ASK_CACHE:
        k->cache = a->value;
        return 0;
    case ASK_JSON:
        return k->json = 1, 0;
    case ASK_RUN:
        k->run = a->value;
        return 0;
    case ASK_MOST:
        return args_number(a, "-n", 1, INT32_MAX, &k->most, err);
    case ASK_OUT:
        return k->out = 1, 0;
    case ASK_ERR:
        return k->err = 1, 0;
    default:
        return words_add(&k->request.jobs, a->value, err);
    }
}

int ask_open(ask *k, const args_command *of, char *const *argv, int *ret_status)
{
    args a;
    deja_error err;
    int id;
    *k = (ask){.runs_fd = -1};
    args_begin(&a, of, argv);
    while ((id = args_next(&a, &err)) != ARGS_END) {
        if (id == ARGS_HELP) {
            *ret_status = cli_help(of);
            return 0;
        }
        if (id < 0 || take_option(k, &a, id, &err) < 0) {
            *ret_status = cli_usage(of, EXIT_USAGE, &err);
            return 0;
        }
    }
    if (request_place(&k->request, &err)) {
        say_error(&err);
        *ret_status = EXIT_FAILED;
        return 0;
    }
    k->runs_fd = open(k->request.runs.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return 1;
}

/* Without a run some matrices are not known: what instances there would be nobody can tell. */
static int expand(batch *b, const selection *chosen, deja_error *err)
{
    for (uint32_t i = 0; i < b->job_count; i++) {
        batch_job *def = &b->jobs[i];
        int wanted = !chosen || selection_of(chosen, def) != SELECTION_NONE;
        if (!wanted || def->expanded)
            continue;
        int code = batch_expand(b, def, err);
        if (code)
            return code;
    }
    return 0;
}

int ask_jobs(ask *k, deja_error *err)
{
    request *r = &k->request;
    int code = request_load(r, err);
    if (!code)
        code = selection_open(&r->chosen, r->batch, r->jobs.list, r->jobs.count, err);
    return code ? code : expand(r->batch, r->chosen, err);
}

int ask_run(const ask *k, const char *word, past_run *ret, deja_error *err)
{
    char id[RUNS_ID];
    const char *named = word ? word : "last";
    if (k->runs_fd < 0)
        return deja_fail(err, DEJA_ENOTFOUND, "no run is recorded in '%s'", k->request.runs.data);
    int code = past_run_find(k->runs_fd, named, id, err);
    return code ? code : past_run_open(ret, k->runs_fd, id, err);
}

int ask_each(const ask *k, int (*each)(void *context, const batch_job *def, uint32_t index), void *context)
{
    const batch *b = k->request.batch;
    const selection *chosen = k->request.chosen;
    int stop = 0;
    for (uint32_t i = 0; i < b->job_count && !stop; i++) {
        const batch_job *def = &b->jobs[i];
        uint32_t count = 0;
        if ((chosen && selection_of(chosen, def) == SELECTION_NONE) || !def->expanded ||
            matrix_count(def->matrix, &count, NULL) < 0)
            continue;
        for (uint32_t index = 0; index < count && !stop; index++)
            if (!chosen || selection_has(chosen, def, index))
                stop = each(context, def, index);
    }
    return stop;
}

void ask_close(ask *k)
{
    if (k->runs_fd >= 0)
        close(k->runs_fd);
    request_close(&k->request);
    k->runs_fd = -1;
}
