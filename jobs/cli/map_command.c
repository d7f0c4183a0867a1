/* `deja map`: where its arguments come from, and what it opens. */
#include "blocks.h"
#include "bundle.h"
#include "map_options.h"
#include "map_words.h"
#include "replacement.h"
#include "say.h"
#include "session.h"
#include <deja/cleanup.h>
#include <string.h>

enum {
    BLOCK_BYTES = 1 << 20,          /* unless --block says */
    HELD_BYTES = 64 << 20,          /* of arguments of jobs in flight */
    HELD_BLOCKS_BESIDE_RUNNING = 2, /* so that the next ones are there when a job ends */
};

typedef struct map {
    map_options options;
    map_words split;
    rows rows;
    texts header_texts;
    words names; /* of these */
    bundle bundle;
    blocks blocks;
    feed *feed;
    replacement_syntax syntax;
    deja_buffer folder, runs;
    batch *batch;
    plan *plan;
    deja_trace *trace;
    session session;
} map;

static size_t count_sources(const map *m)
{
    size_t sources = 0;
    for (size_t i = 0; i < m->rows.count; i++)
        sources += m->rows.groups[i].count;
    return sources;
}

static int split_words(map *m, deja_error *err)
{
    m->split.separator = m->options.separator;
    int code = map_words_split(&m->split, &m->options.words, !m->options.pipe, &m->rows, err);
    return code ? code : map_options_check(&m->options, count_sources(m), m->split.command.count, err);
}

static int read_names(map *m, deja_error *err)
{
    int code = rows_header(&m->rows, &m->header_texts, err);
    for (size_t i = 0; i < m->header_texts.count && !code; i++) {
        size_t len;
        const char *name = texts_get(&m->header_texts, i, &len);
        if (len == 0)
            return deja_fail(err, DEJA_EINVAL, "--header: name %zu is empty", i + 1);
        for (size_t k = 0; k < m->names.count; k++)
            if (!strcmp(m->names.list[k], name))
                return deja_fail(err, DEJA_EINVAL, "--header: the name '%s' stands there twice", name);
        code = words_add(&m->names, name, err);
    }
    return code;
}

/* So many arguments a job can have; 0: any number. */
static size_t most_arguments(const map *m)
{
    const map_options *o = &m->options;
    return o->fit || o->columns.len ? 0 : o->each ? (size_t)o->each : count_sources(m);
}

static unsigned slots_of(const map *m)
{
    return m->options.run.slots ? (unsigned)m->options.run.slots : (unsigned)deja_cpu_count();
}

static int open_feed(map *m, deja_error *err)
{
    m->rows.column_separator = m->options.columns.len ? m->options.columns.data : NULL;
    int code = m->options.header ? read_names(m, err) : 0;
    if (code)
        return code;
    feed_options o = {.next = m->options.pipe ? blocks_next : bundle_next,
                      .fd = m->options.pipe ? blocks_fd : bundle_fd,
                      .context = m->options.pipe ? (void *)&m->blocks : &m->bundle,
                      .names = m->names.list,
                      .name_count = m->names.count,
                      .rows_most = m->options.pipe ? slots_of(m) + HELD_BLOCKS_BESIDE_RUNNING : SIZE_MAX,
                      .bytes_most = m->options.pipe ? SIZE_MAX : HELD_BYTES,
                      .names_files = m->options.remember};
    m->blocks = (blocks){.fd = STDIN_FILENO,
                         .size = m->options.block ? (size_t)m->options.block : BLOCK_BYTES,
                         .record_end = m->options.record_end.len ? m->options.record_end.data : "\n"};
    m->bundle = (bundle){.rows = &m->rows,
                         .options = {.each = m->options.each ? (size_t)m->options.each : !m->options.fit}};
    m->syntax = (replacement_syntax){.all = m->options.replace,
                                     .only_number = m->options.pipe,
                                     .names = m->names.list,
                                     .name_count = m->names.count,
                                     .most = most_arguments(m)};
    return feed_open(&m->feed, &o, err);
}

/* How much fits is known when the command is. */
static void set_fit(map *m)
{
    const batch_job *def = &m->batch->jobs[0];
    bundle_options *o = &m->bundle.options;
    size_t fixed = 0;
    for (size_t i = 0; i < def->word_count; i++) {
        fixed += def->words[i].template->len + 1 + sizeof(char *);
        o->times += def->words[i].template->expr_count;
    }
    o->is_shell = def->run == BATCH_SHELL_TEXT;
    o->fit_bytes = bundle_room(fixed, o->is_shell);
    o->slots = slots_of(m);
}

static int wants_cache(const map *m)
{
    return m->options.remember || m->options.inputs.count || m->options.outputs.count;
}

static int make_batch(map *m, deja_error *err)
{
    int code = cli_folder(&m->folder, err);
    if (!code)
        code = open_feed(m, err);
    if (code)
        return code;
    batch_command c = {.argv = m->split.command.list,
                       .inputs = m->options.inputs.list,
                       .outputs = m->options.outputs.list,
                       .env = m->options.env.list,
                       .version = m->options.version,
                       .scope = m->options.scope,
                       .anywhere = m->options.anywhere,
                       .feed = m->feed,
                       .syntax = &m->syntax,
                       .is_shell = m->split.command.count == 1,
                       .no_cache = !wants_cache(m)};
    code = batch_from_command(&m->batch, m->folder.data, &c, err);
    if (code)
        return code;
    set_fit(m);
    return plan_open(&m->plan, m->batch, NULL, err);
}

static int open_session(map *m, char *const *argv, deja_error *err)
{
    if (deja_place_runs(&m->runs, NULL, NULL))
        deja_buffer_clear(&m->runs);
    session_options o = {.command = "map",
                         .runs = m->runs.len ? m->runs.data : NULL,
                         .no_cache = !wants_cache(m),
                         .batch = m->batch,
                         .plan = m->plan,
                         .argv = argv,
                         .trace = m->trace};
    return session_open(&m->session, &o, &m->options.run, err);
}

static void say_waits(const map *m)
{
    if (m->split.from_stdin && isatty(STDIN_FILENO) && !m->options.run.quiet)
        say("reading arguments from the terminal, one a line; Ctrl-D ends them");
}

static void close_all(map *m)
{
    session_close(&m->session);
    plan_close(m->plan);
    batch_free(m->batch);
    feed_close(m->feed);
    bundle_done(&m->bundle);
    blocks_done(&m->blocks);
    rows_done(&m->rows);
    texts_done(&m->header_texts);
    map_words_done(&m->split);
    map_options_done(&m->options);
    deja_trace_close(m->trace);
    deja_buffer_done(&m->folder);
    deja_buffer_done(&m->runs);
    words_done(&m->names);
}

int map_command(char *const *argv)
{
    map m = {.options.separator = '\n'};
    deja_error err;
    int status = EXIT_USAGE;
    const char *trace = deja_place_env("DEJA_TRACE");
    int goes_on = map_options_parse(&m.options, argv, &status, &err);
    if (goes_on > 0)
        goes_on = split_words(&m, &err) < 0 ? -1 : 1;
    if (goes_on < 0)
        status = cli_usage(&map_args, EXIT_USAGE, &err);
    if (goes_on > 0)
        say_waits(&m);
    if (goes_on <= 0)
        ;
    else if ((trace && deja_trace_open(&m.trace, trace, &err)) || make_batch(&m, &err) ||
             open_session(&m, argv, &err))
        status = session_fail(&m.session, &err);
    else
        status = session_go(&m.session);
    close_all(&m);
    return status;
}
