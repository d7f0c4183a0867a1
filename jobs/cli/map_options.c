/* What the command line of `deja map` says, see map_options.h. */
#include "map_options.h"
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

enum { MOST_EACH = 1000000 };

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
     "content. What else commands read is named by --input."},
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

static int take_block(map_options *m, const char *text, deja_error *err)
{
    int code = deja_parse_bytes(text, &m->block, err);
    if (!code && (m->block == 0 || m->block > BLOCK_MOST))
        code = deja_fail(err, DEJA_EINVAL, "'%s' cannot be the size of a block", text);
    return code ? deja_fail_in(err, "--block") : 0;
}

static int take_cache_option(map_options *m, const args *a, int id, deja_error *err)
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

static int take_option(map_options *m, const args *a, int id, deja_error *err)
{
    switch (id) {
    case OPTION_NULL:
        return m->separator = '\0', 0;
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

int map_options_check(const map_options *m, size_t sources, size_t command_words, deja_error *err)
{
    if (command_words == 0)
        return deja_fail(err, DEJA_EINVAL,
                         "no command given; 'deja map bash -c' runs each argument as a command");
    if (m->pipe && sources)
        return deja_fail(err, DEJA_EINVAL, "--pipe gives standard input to the jobs: there can be no ':::'");
    if (m->pipe && (m->each || m->fit || m->header || m->columns.len || !m->separator))
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

int map_options_parse(map_options *m, char *const *argv, int *ret_status, deja_error *err)
{
    args a;
    int id, code = 0;
    args_begin(&a, &map_args, argv);
    while (!code && (id = args_next(&a, err)) != ARGS_END) {
        if (id == ARGS_HELP) {
            *ret_status = cli_help(&map_args);
            return 0;
        }
        code = id < 0 ? id : take_option(m, &a, id, err);
    }
    return code ? code : 1;
}

void map_options_done(map_options *m)
{
    words_done(&m->words);
    words_done(&m->inputs);
    words_done(&m->outputs);
    words_done(&m->env);
    deja_buffer_done(&m->columns);
    deja_buffer_done(&m->record_end);
}
