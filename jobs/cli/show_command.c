/* `deja show`: a run, or the last run of a job. */
#include "ask.h"
#include "cli.h"
#include "fields.h"
#include "json.h"
#include "run_show.h"
#include "say.h"
#include "stamp.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

static const args_option options[] = {
    ASK_JOB_OPTIONS,
    {ASK_JSON, 0, "json", NULL, "Write one JSON object a line."},
    {0},
};

static const args_example examples[] = {
    {"deja show last", "How the last run went: counts, failed jobs, the slowest ones."},
    {"deja show 'count[n=1]'", "When these instances ran last, how they ended, and what they were made of."},
    {0},
};

const args_command show_run_args = {
    .name = "show",
    .usage = "[OPTION]... [RUN | JOB...]",
    .summary = "Show a run, or the last run of a job.",
    .about =
        "Show a run: 'last' (also when nothing is named), an id of 'deja runs' or its beginning. Or of each "
        "JOB "
        "its last run: when, how it ended, how long it took, its key and what that was made of (command, "
        "variables, inputs, outputs).\n\n"
        "Exit status: 0 all is shown; 1 something is not recorded; 2 the command line or the batch is wrong.",
    .options = options,
    .examples = examples,
};

typedef struct shower {
    ask ask;
    history *history;
    history_record record;
    int status;
} shower;

static void add_end(deja_buffer *b, const history_record *r)
{
    if (r->signal > 0)
        deja_buffer_addf(b, "killed by signal %d", r->signal);
    else if (r->exit_status >= 0)
        deja_buffer_addf(b, "exit status %d", r->exit_status);
    else
        deja_buffer_add_string(b, "not started");
    if (r->item.flags & HISTORY_FAILED)
        deja_buffer_add_string(b, ", failed");
    else
        deja_buffer_add_string(b, r->item.flags & HISTORY_KEPT ? ", kept" : ", not kept");
    if (*r->reason) {
        deja_buffer_add_string(b, ": ");
        deja_text_escape(b, r->reason, strlen(r->reason));
    }
}

static void show_text(deja_buffer *b, const char *name, const history_record *r)
{
    char hex[DEJA_HASH_HEX], wall[32];
    deja_text_duration(r->item.wall_ns, wall);
    deja_buffer_add_string(b, "job      ");
    deja_text_escape(b, name, strlen(name));
    deja_buffer_add_string(b, "\nrun      ");
    deja_text_escape(b, r->run, strlen(r->run));
    deja_buffer_add_string(b, "\nstarted  ");
    stamp_add(b, r->item.started_ns);
    deja_buffer_addf(b, "\ntook     %s\nended    ", wall);
    add_end(b, r);
    deja_buffer_add_char(b, '\n');
    if (r->item.flags & HISTORY_KEYED) {
        deja_hash_hex(&r->key, hex);
        deja_buffer_addf(b, "key      %s\n", hex);
    }
    deja_buffer_add_string(b, "log      deja log --run ");
    deja_text_escape(b, r->run, strlen(r->run));
    deja_buffer_add_string(b, " '");
    deja_text_escape(b, name, strlen(name));
    deja_buffer_add_string(b, "'\n");
    if (r->encoding) {
        deja_buffer_add_string(b, "made of\n");
        fields_lines(b, r->encoding, r->encoding_len);
    }
}

static void show_json(deja_buffer *b, const batch_job *def, uint32_t index, const history_record *r)
{
    DEJA_AUTO_BUFFER deja_buffer moment = {0};
    json_open(b, NULL, '{');
    json_string(b, "job", def->name);
    fields_params(b, "params", def, index);
    json_string(b, "run", r->run);
    stamp_add(&moment, r->item.started_ns);
    json_word(b, "start", deja_buffer_string(&moment));
    json_seconds(b, "wall_s", r->item.wall_ns);
    json_bool(b, "failed", (r->item.flags & HISTORY_FAILED) != 0);
    json_bool(b, "kept", (r->item.flags & HISTORY_KEPT) != 0);
    if (r->exit_status >= 0)
        json_int(b, "status", r->exit_status);
    else
        json_null(b, "status");
    if (r->signal > 0)
        json_int(b, "signal", r->signal);
    if (*r->reason)
        json_string(b, "reason", r->reason);
    if (r->item.flags & HISTORY_KEYED)
        json_hash(b, "key", &r->key);
    if (r->encoding)
        fields_json(b, "fields", r->encoding, r->encoding_len);
    deja_buffer_add_string(b, "}\n");
}

static int show_instance(void *context, const batch_job *def, uint32_t index)
{
    shower *s = context;
    history_item items[HISTORY_RUNS + 1];
    const history_id id = history_id_of(s->history, def, index);
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    job_name(&name, def, index);
    if (!history_find(s->history, &id, items) || !history_load(s->history, &items[0], &s->record)) {
        say("'%s' has not run here as far as is recorded", deja_buffer_string(&name));
        s->status = EXIT_FAILED;
        return 0;
    }
    if (s->ask.json)
        show_json(&b, def, index, &s->record);
    else
        show_text(&b, deja_buffer_string(&name), &s->record);
    if (say_output(&b) == 0)
        return 0;
    s->status = EXIT_FAILED;
    return 1;
}

static int show_jobs(shower *s)
{
    deja_error err;
    int code = ask_jobs(&s->ask, &err);
    const history_options known = {.folder = s->ask.request.runs.data, .batch = s->ask.request.batch};
    if (!code)
        code = history_open(&s->history, &known, &err);
    if (code) {
        say_error(&err);
        return EXIT_USAGE;
    }
    ask_each(&s->ask, show_instance, s);
    return s->status;
}

static int show_run(const ask *k, const char *word)
{
    deja_error err;
    past_run run = {.fd = -1};
    int status = EXIT_FAILED;
    if (ask_run(k, word, &run, &err)) {
        say_error(&err);
    } else {
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        run_show_all(&b, &run, k->request.runs.data, k->json);
        status = say_output(&b) ? EXIT_FAILED : EXIT_OK;
    }
    past_run_close(&run);
    return status;
}

/* No word, "last", or one that begins with a digit as ids do, and names a run. */
static int names_run(const ask *k)
{
    const words *w = &k->request.jobs;
    char id[RUNS_ID];
    if (w->count == 0)
        return 1;
    if (w->count > 1)
        return 0;
    if (!strcmp(w->list[0], "last"))
        return 1;
    return w->list[0][0] >= '0' && w->list[0][0] <= '9' && k->runs_fd >= 0 &&
           past_run_find(k->runs_fd, w->list[0], id, NULL) != DEJA_ENOTFOUND;
}

int show_run_command(char *const *argv)
{
    shower s = {.status = EXIT_OK};
    int status;
    if (ask_open(&s.ask, &show_run_args, argv, &status))
        status = names_run(&s.ask)
                     ? show_run(&s.ask, s.ask.request.jobs.count ? s.ask.request.jobs.list[0] : NULL)
                     : show_jobs(&s);
    history_record_done(&s.record);
    history_close(s.history);
    ask_close(&s.ask);
    return status;
}
