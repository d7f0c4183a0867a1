/* `deja map`: options, where its arguments come from, and what it opens. */
#include "blocks.h"
#include "bundle.h"
#include "cli.h"
#include "map_words.h"
#include "replacement.h"
#include "say.h"
#include "session.h"
#include <deja/cleanup.h>
#include <deja/quantity.h>
#include <string.h>

enum {
    OPTION_NULL = RUN_OWN,
    OPTION_COLUMNS,
    OPTION_HEADER,
    OPTION_EACH,
    OPTION_FIT,
    OPTION_REPLACE,
    OPTION_PIPE,
    OPTION_BLOCK,
    OPTION_RECORD_END,
    OPTION_REMEMBER,
    OPTION_INPUT,
    OPTION_OUTPUT,
    OPTION_ENV,
    OPTION_KEY_VERSION,
    OPTION_SCOPE,
    OPTION_ANYWHERE,
    OPTION_FOLDER,
};

enum {
    MOST_EACH = 1000000,
    BLOCK_BYTES = 1 << 20,          /* unless --block says */
    HELD_BYTES = 64 << 20,          /* of arguments of jobs in flight */
    HELD_BLOCKS_BESIDE_RUNNING = 2, /* so that the next ones are there when a job ends */
};

#define BLOCK_MOST ((uint64_t)1 << 40) /* a size that cannot be meant is a mistake */

static const args_option options[] = {
    {OPTION_NULL, '0', "null", NULL,
     "Arguments from files and standard input end with a NUL, not a newline."},
    {OPTION_COLUMNS, 0, "colsep", "TEXT",
     "TEXT splits an argument into several, {1}, {2}, ...; \\t is a tab."},
    {OPTION_HEADER, 0, "header", NULL,
     "The first argument of each source names what follows: {name} stands for it, too."},
    {OPTION_EACH, 'n', "number", "N", "Give N arguments to each command."},
    {OPTION_FIT, 'X', "fit", NULL,
     "Give each command as many arguments as fit; the last ones are spread over all slots."},
    {OPTION_REPLACE, 'I', "replace", "TEXT", "TEXT stands for the arguments, and nothing else does."},
    {OPTION_PIPE, 0, "pipe", NULL,
     "Cut standard input into blocks of whole lines; each is the standard input of a job."},
    {OPTION_BLOCK, 0, "block", "SIZE", "With --pipe: the size of a block (default: 1M)."},
    {OPTION_RECORD_END, 0, "recend", "TEXT",
     "With --pipe: cut behind TEXT instead of a newline; \\n and \\t are understood."},
    {OPTION_REMEMBER, 0, "remember", NULL,
     "Answer from the cache what ran before with these arguments; where they name files or folders, with "
     "their "
     "content."},
    {OPTION_INPUT, 'i', "input", "FILE",
     "Each command reads FILE; with a trailing slash: all files below it. Asks for the cache, as --output "
     "does. "
     "May be repeated."},
    {OPTION_OUTPUT, 'o', "output", "FILE",
     "Each command makes FILE; it is put in place when the cache answers. May be repeated."},
    {OPTION_ENV, 'e', "env", "NAME", "The value of this environment variable counts. May be repeated."},
    {OPTION_KEY_VERSION, 0, "key-version", "TEXT",
     "Any text that counts: change it, and the commands run again."},
    {OPTION_SCOPE, 0, "scope", "NAME", "Keep results apart from those of other scopes."},
    {OPTION_ANYWHERE, 0, "anywhere", NULL, "The working directory does not count."},
    {OPTION_FOLDER, 'C', "directory", "DIR", "Change to DIR first."},
    RUN_OPTIONS(0, "deja in the user's cache folder"),
    {0},
};

static const args_example examples[] = {
    {"deja map gzip -k {} ::: *.txt", "Compress all text files, as many at once as there are CPUs."},
    {"find . -name '*.log' -print0 | deja map -0 'grep -c error {} > {.}.count'",
     "One word is shell text; whatever names hold stays one word."},
    {"deja map echo {1}-{2} ::: a b ::: 1 2 3", "Six jobs; with ':::+ 1 2' instead two: a-1 and b-2."},
    {"deja map --colsep , --header echo {name} is {age} :::: people.csv", "Columns by their names."},
    {"deja map -i {} -o {.}.sum 'md5sum {} > {.}.sum' ::: *.txt",
     "Run again only for files that changed since, here or elsewhere."},
    {"deja map --pipe --block 10M wc -l < big.log", "Share one stream out."},
    {0},
};

const args_command map_args = {
    .name = "map",
    .usage = "[OPTION]... COMMAND [WORD]... [::: ARGUMENT...]...",
    .summary = "Run a command for each of many arguments, in parallel.",
    .about =
        "Run COMMAND once for each ARGUMENT, in parallel. Several words are executed as they are, without a "
        "shell; one word is a text for the shell (bash -euo pipefail), in which each argument is quoted as "
        "its place wants it. Standard output and error of the jobs are written in the order of the "
        "arguments, each whole. Commands run every time unless --remember, --input or --output ask for the "
        "cache.\n\n"
        "Where arguments come from:\n\n"
        "  ::: A B C     these words\n"
        "  :::: FILE...  the lines of each file; - is standard input\n"
        "  nothing       the lines of standard input, as they arrive\n\n"
        "Several sources are multiplied, the last one fastest. With a plus behind it (:::+, ::::+) a source "
        "advances together with the one before it, until the shorter one ends. Empty lines are no arguments, "
        "but in such linked sources.\n\n"
        "Where arguments stand:\n\n"
        "  {}   the argument        {.}   without its extension\n"
        "  {/}  its last component  {/.}  that without its extension\n"
        "  {//} its folder          {#}   the number of the job\n"
        "  {2}  the second one of several, {-1} the last; {2.} {2/} {2//} {2/.}\n\n"
        "They stand in COMMAND, --input and --output. Where none stands in COMMAND the arguments follow it. "
        "Behind a '$' they are the shell's own.\n\n"
        "Ctrl-C starts nothing more and tells the running jobs to end (TERM); after 5 s, or at a second "
        "Ctrl-C, they are killed.\n\n"
        "Exit status: 0 all done; 1 a job failed; 2 the command line is wrong; 3 all done, but the cache "
        "could not keep results; 129, 130, 143 ended by HUP, INT, TERM; 141 nobody reads the output.",
    .options = options,
    .environment = cli_environment,
    .examples = examples,
    .first_word_ends = 1,
};

typedef struct map {
    words words, inputs, outputs, env;
    const char *version, *scope, *replace;
    deja_buffer columns, record_end;
    int64_t each;
    uint64_t block;
    int header, fit, pipe, remember, anywhere;
    run_options run;
    /* opened */
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

/* A text that is not empty, with \n, \t and \\ in it. */
static int take_text(const char *option, const char *text, deja_buffer *ret, deja_error *err)
{
    if (!*text)
        return deja_fail(err, DEJA_EINVAL, "%s needs a text that is not empty", option);
    deja_buffer_clear(ret);
    for (; *text; text++) {
        int is_code = text[0] == '\\' && text[1] && strchr("nt\\", text[1]);
        text += is_code;
        deja_buffer_add_char(ret, !is_code ? *text : *text == 'n' ? '\n' : *text == 't' ? '\t' : '\\');
    }
    return ret->failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
}

static int take_block(map *m, const char *text, deja_error *err)
{
    int code = deja_parse_bytes(text, &m->block, err);
    if (!code && (m->block == 0 || m->block > BLOCK_MOST))
        code = deja_fail(err, DEJA_EINVAL, "'%s' cannot be the size of a block", text);
    return code ? deja_fail_in(err, "--block") : 0;
}

static int take_cache_option(map *m, const args *a, int id, deja_error *err)
{
    switch (id) {
    case OPTION_REMEMBER:
        return m->remember = 1, 0;
    case OPTION_INPUT:
        return words_add(&m->inputs, a->value, err);
    case OPTION_OUTPUT:
        return words_add(&m->outputs, a->value, err);
    case OPTION_ENV:
        return words_add(&m->env, a->value, err);
    case OPTION_KEY_VERSION:
        return m->version = a->value, 0;
    case OPTION_SCOPE:
        return m->scope = a->value, 0;
    default:
        return m->anywhere = 1, 0;
    }
}

static int take_option(map *m, const args *a, int id, deja_error *err)
{
    switch (id) {
    case OPTION_NULL:
        return m->split.separator = '\0', 0;
    case OPTION_COLUMNS:
        return take_text("--colsep", a->value, &m->columns, err);
    case OPTION_HEADER:
        return m->header = 1, 0;
    case OPTION_EACH:
        return args_number(a, "-n", 1, MOST_EACH, &m->each, err);
    case OPTION_FIT:
        return m->fit = 1, 0;
    case OPTION_REPLACE:
        m->replace = a->value;
        return *a->value ? 0 : deja_fail(err, DEJA_EINVAL, "-I needs a text that is not empty");
    case OPTION_PIPE:
        return m->pipe = 1, 0;
    case OPTION_BLOCK:
        return take_block(m, a->value, err);
    case OPTION_RECORD_END:
        return take_text("--recend", a->value, &m->record_end, err);
    case OPTION_FOLDER:
        return cli_enter(a->value, err);
    case ARGS_WORD:
        return words_add(&m->words, a->value, err);
    default:
        return id < RUN_OWN ? run_options_take(&m->run, a, id, err) : take_cache_option(m, a, id, err);
    }
}

/* What does not go together. */
static int check(const map *m, deja_error *err)
{
    size_t sources = 0;
    for (size_t i = 0; i < m->rows.count; i++)
        sources += m->rows.groups[i].count;
    if (m->split.command.count == 0)
        return deja_fail(err, DEJA_EINVAL,
                         "no command given; 'deja map bash -c' runs each argument as a command");
    if (m->pipe && sources)
        return deja_fail(err, DEJA_EINVAL, "--pipe gives standard input to the jobs: there can be no ':::'");
    if (m->pipe && (m->each || m->fit || m->header || m->columns.len || !m->split.separator))
        return deja_fail(err, DEJA_EINVAL,
                         "--pipe has no arguments: -n, -X, -0, --header and --colsep do not go with it");
    if (!m->pipe && (m->block || m->record_end.len))
        return deja_fail(err, DEJA_EINVAL, "--block and --recend go with --pipe");
    if (m->each && m->fit)
        return deja_fail(err, DEJA_EINVAL, "-n and -X do not go together");
    if (sources > 1 && (m->each || m->fit))
        return deja_fail(err, DEJA_EINVAL, "%s goes with one source of arguments, and there are %zu",
                         m->fit ? "-X" : "-n", sources);
    return 0;
}

/* 1 when the command goes on, 0 when `*ret_status` is all there is to say. */
static int parse(map *m, char *const *argv, int *ret_status)
{
    args a;
    deja_error err;
    int id, code = 0;
    args_begin(&a, &map_args, argv);
    while (!code && (id = args_next(&a, &err)) != ARGS_END) {
        if (id == ARGS_HELP) {
            *ret_status = cli_help(&map_args);
            return 0;
        }
        code = id < 0 ? id : take_option(m, &a, id, &err);
    }
    if (!code)
        code = map_words_split(&m->split, &m->words, !m->pipe, &m->rows, &err);
    if (!code)
        code = check(m, &err);
    if (code)
        *ret_status = cli_usage(&map_args, EXIT_USAGE, &err);
    return !code;
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
    size_t sources = 0;
    for (size_t i = 0; i < m->rows.count; i++)
        sources += m->rows.groups[i].count;
    return m->fit || m->columns.len ? 0 : m->each ? (size_t)m->each : sources;
}

static unsigned slots_of(const map *m)
{
    return m->run.slots ? (unsigned)m->run.slots : (unsigned)deja_cpu_count();
}

static int open_feed(map *m, deja_error *err)
{
    m->rows.column_separator = m->columns.len ? m->columns.data : NULL;
    int code = m->header ? read_names(m, err) : 0;
    if (code)
        return code;
    feed_options o = {.next = m->pipe ? blocks_next : bundle_next,
                      .fd = m->pipe ? blocks_fd : bundle_fd,
                      .context = m->pipe ? (void *)&m->blocks : &m->bundle,
                      .names = m->names.list,
                      .name_count = m->names.count,
                      .rows_most = m->pipe ? slots_of(m) + HELD_BLOCKS_BESIDE_RUNNING : SIZE_MAX,
                      .bytes_most = m->pipe ? SIZE_MAX : HELD_BYTES,
                      .names_files = m->remember};
    m->blocks = (blocks){.fd = STDIN_FILENO,
                         .size = m->block ? (size_t)m->block : BLOCK_BYTES,
                         .record_end = m->record_end.len ? m->record_end.data : "\n"};
    m->bundle = (bundle){.rows = &m->rows, .options = {.each = m->each ? (size_t)m->each : !m->fit}};
    m->syntax = (replacement_syntax){.all = m->replace,
                                     .only_number = m->pipe,
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
    return m->remember || m->inputs.count || m->outputs.count;
}

static int make_batch(map *m, deja_error *err)
{
    int code = cli_folder(&m->folder, err);
    if (!code)
        code = open_feed(m, err);
    if (code)
        return code;
    batch_command c = {.argv = m->split.command.list,
                       .inputs = m->inputs.list,
                       .outputs = m->outputs.list,
                       .env = m->env.list,
                       .version = m->version,
                       .scope = m->scope,
                       .anywhere = m->anywhere,
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
    return session_open(&m->session, &o, &m->run, err);
}

static void say_waits(const map *m)
{
    if (m->split.from_stdin && isatty(STDIN_FILENO) && !m->run.quiet)
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
    deja_trace_close(m->trace);
    deja_buffer_done(&m->folder);
    deja_buffer_done(&m->runs);
    deja_buffer_done(&m->columns);
    deja_buffer_done(&m->record_end);
    words_done(&m->names);
    words_done(&m->words);
    words_done(&m->inputs);
    words_done(&m->outputs);
    words_done(&m->env);
}

int map_command(char *const *argv)
{
    map m = {.split.separator = '\n'};
    deja_error err;
    int status;
    const char *trace = deja_place_env("DEJA_TRACE");
    if (!parse(&m, argv, &status)) {
        close_all(&m);
        return status;
    }
    say_waits(&m);
    if ((trace && deja_trace_open(&m.trace, trace, &err)) || make_batch(&m, &err) ||
        open_session(&m, argv, &err))
        status = session_fail(&m.session, &err);
    else
        status = session_go(&m.session);
    close_all(&m);
    return status;
}
