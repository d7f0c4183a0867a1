/* `deja cache`: looking into the cache, taking out of it, and clearing it. */
#include "cache_get.h"
#include "cache_show.h"
#include "cli.h"
#include "say.h"
#include <deja/cleanup.h>
#include <deja/place.h>
#include <deja/text.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum {
    OPTION_CACHE = ARGS_FIRST,
    OPTION_FOLDER,
    OPTION_JSON,
    OPTION_TO,
    OPTION_OUTPUT,
};

#define CACHE_OPTION                                                                                         \
    {                                                                                                        \
        OPTION_CACHE, 0, "cache", "DIR",                                                                     \
            "The cache in DIR (default: DEJA_CACHE, else .deja in a folder that has one or a deja.yaml, "    \
            "else the user's)."                                                                              \
    }
#define FOLDER_OPTION                                                                                        \
    {                                                                                                        \
        OPTION_FOLDER, 'C', "directory", "DIR", "Change to DIR first."                                       \
    }

static const args_option options_json[] = {
    CACHE_OPTION,
    FOLDER_OPTION,
    {OPTION_JSON, 0, "json", NULL, "Write JSON, one object a line."},
    {0},
};

static const args_example ls_examples[] = {
    {"deja cache ls", "The results of the batch in this folder."},
    {"deja cache ls --cache ~/.cache/deja", "The results of 'deja exec'."},
    {0},
};

static const args_example show_examples[] = {
    {"deja cache show 5cb14c227f0c", "What that key is made of."},
    {0},
};

static const args_example get_examples[] = {
    {"deja cache get 5cb14c227f0c", "What the function returned, as JSON."},
    {"deja cache get 5cb14c227f0c -o x.npy", "The array that it returned, for numpy."},
    {"deja cache get 77a0 --output table", "The output 'table' of a command."},
    {0},
};

static const args_option options_get[] = {
    CACHE_OPTION,
    FOLDER_OPTION,
    {OPTION_TO, 'o', "to", "FILE",
     "Write to FILE. The name says how a value is written: .json; .npy, an array; .deja, any value."},
    {OPTION_OUTPUT, 0, "output", "NAME", "Get the command's output of this name or path."},
    {0},
};

static const args_option options_plain[] = {CACHE_OPTION, FOLDER_OPTION, {0}};
static const args_option options_none[] = {{0}};

/* What a subcommand works with. */
typedef struct cache_call {
    const char *cache, *word; /* --cache, and the one argument */
    cache_get get;
    int json;
    deja_buffer folder;
    deja_cache *opened;
} cache_call;

static const args_command stats_args = {
    .name = "cache stats",
    .usage = "[OPTION]...",
    .summary = "Show how many results there are, and their size.",
    .about =
        "Show how many results the cache has, how large they are, and how long it would take to run all of "
        "it again.\n\n"
        "Exit status: 0 done; 1 it could not be done; 2 the command line is wrong.",
    .options = options_json,
    .environment = cli_environment_cache,
};

static const args_command ls_args = {
    .name = "cache ls",
    .usage = "[OPTION]...",
    .summary = "List the results, the newest first.",
    .about =
        "List the results of the cache, the newest first: key, when it was made, how long the job ran, size, "
        "and the job.\n\n"
        "Exit status: 0 done; 1 it could not be done; 2 the command line is wrong.",
    .options = options_json,
    .environment = cli_environment_cache,
    .examples = ls_examples,
};

static const args_command show_args = {
    .name = "cache show",
    .usage = "[OPTION]... KEY",
    .summary = "Show one result and all that its key is made of.",
    .about =
        "Show one result: what ran, what its key is made of, and its outputs. KEY is the first four or more "
        "digits of a key as 'deja cache ls' lists it.\n\n"
        "Exit status: 0 done; 1 it could not be done; 2 the command line is wrong.",
    .options = options_json,
    .environment = cli_environment_cache,
    .examples = show_examples,
};

static const args_command get_args = {
    .name = "cache get",
    .usage = "[OPTION]... KEY",
    .summary = "Write what a result holds: the value, or the standard output.",
    .about =
        "Write what a result holds: of a function the value that it returned, as one line of JSON; of a "
        "command "
        "its standard output, or one of its outputs, byte by byte. KEY is the first four or more digits of a "
        "key as 'deja cache ls' lists it.\n\n"
        "Exit status: 0 done; 1 it could not be done; 2 the command line is wrong.",
    .options = options_get,
    .environment = cli_environment_cache,
    .examples = get_examples,
};

static const args_command clear_args = {
    .name = "cache clear",
    .usage = "[OPTION]...",
    .summary = "Forget all results.",
    .about =
        "Remove all results from the cache and say how many there were. It does not ask. Records of runs and "
        "output files in place stay.\n\n"
        "Exit status: 0 done; 1 it could not be done; 2 the command line is wrong.",
    .options = options_plain,
    .environment = cli_environment_cache,
};

const args_command cache_args = {
    .name = "cache",
    .usage = "COMMAND [OPTION]...",
    .summary = "Look into the cache: stats, ls, show, get; or clear it.",
    .about = "Look into the cache, or clear it. Each command has --help.\n\n"
             "  stats       Show how many results there are, and their size.\n"
             "  ls          List the results, the newest first.\n"
             "  show KEY    Show one result and all that its key is made of.\n"
             "  get KEY     Write what a result holds: the value, or the standard output.\n"
             "  clear       Forget all results.",
    .options = options_none,
};

static int is_there(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0;
}

/* Opens the cache that is there; looking at one neither makes nor changes it. */
static int open_cache(cache_call *c, int only_reads, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer beside = {0};
    int code = 0;
    if (is_there(".deja") || is_there("deja.yaml"))
        code = cli_folder(&beside, err);
    if (code == 0)
        code = deja_place_cache(&c->folder, c->cache, beside.data, err);
    if (code)
        return code;
    if (!deja_place_has_cache(c->folder.data))
        return deja_fail(err, DEJA_ENOTFOUND, "no cache in '%s'", c->folder.data);
    deja_cache_options o = {
        .size = sizeof o, .flags = only_reads ? DEJA_CACHE_READ_ONLY : 0, .folder = c->folder.data};
    return deja_cache_open(&c->opened, &o, err);
}

static int run_stats(cache_call *c, deja_error *err)
{
    deja_cache_numbers n;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    int code = deja_cache_stats(c->opened, &n, err);
    if (code)
        return code;
    cache_show_stats(&b, c->folder.data, &n, c->json);
    return say_output(&b);
}

typedef struct listing {
    deja_buffer text;
    int json;
} listing;

static int list_one(void *context, const deja_listed *entry)
{
    listing *l = context;
    cache_show_line(&l->text, entry, l->json);
    if (l->text.len < 1 << 16)
        return 0;
    int failed = say_output(&l->text);
    deja_buffer_clear(&l->text);
    return failed;
}

static int run_ls(cache_call *c, deja_error *err)
{
    listing l = {.json = c->json};
    int code = deja_cache_list(c->opened, list_one, &l, err);
    if (code == 0)
        code = say_output(&l.text);
    deja_buffer_done(&l.text);
    return code;
}

static int run_show(cache_call *c, deja_error *err)
{
    deja_entry *e = NULL;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    int code = deja_cache_find(c->opened, c->word, &e, err);
    if (code)
        return code;
    cache_show_entry(&b, e, c->json);
    deja_entry_free(e);
    return say_output(&b);
}

static int run_get(cache_call *c, deja_error *err)
{
    deja_entry *e = NULL;
    int code = deja_cache_find(c->opened, c->word, &e, err);
    if (!code)
        code = cache_get_entry(c->opened, e, &c->get, err);
    deja_entry_free(e);
    return code;
}

static int run_clear(cache_call *c, deja_error *err)
{
    uint64_t entries = 0;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    int code = deja_cache_clear(c->opened, &entries, err);
    if (code)
        return code;
    deja_buffer_addf(&b, "removed %" PRIu64 " %s from '", entries, entries == 1 ? "result" : "results");
    deja_text_escape(&b, c->folder.data, c->folder.len);
    deja_buffer_add_string(&b, "'\n");
    return say_output(&b);
}

static int take_option(cache_call *c, const args *a, int id, int takes_word, deja_error *err)
{
    switch (id) {
    case OPTION_CACHE:
        c->cache = a->value;
        return *a->value ? 0 : deja_fail(err, DEJA_EINVAL, "--cache needs a folder");
    case OPTION_FOLDER:
        return cli_enter(a->value, err);
    case OPTION_JSON:
        return c->json = 1, 0;
    case OPTION_TO:
        c->get.to = a->value;
        return *a->value ? 0 : deja_fail(err, DEJA_EINVAL, "--to needs a file");
    case OPTION_OUTPUT:
        return c->get.output = a->value, 0;
    default:
        if (!takes_word || c->word)
            return deja_fail(err, DEJA_EINVAL, "'%s' is one word too many", a->value);
        c->word = a->value;
        return 0;
    }
}

static void say_warnings(deja_cache *c)
{
    char *text;
    while (c && (text = deja_cache_take_warning(c))) {
        say("warning: %s", text);
        deja_free(text);
    }
}

static int call(const args_command *of, int takes_word, int (*run)(cache_call *, deja_error *),
                char *const *argv)
{
    cache_call c = {0};
    args a;
    deja_error err;
    int id;
    args_begin(&a, of, argv);
    while ((id = args_next(&a, &err)) != ARGS_END) {
        if (id == ARGS_HELP)
            return cli_help(of);
        if (id < 0 || take_option(&c, &a, id, takes_word, &err) < 0)
            return cli_usage(of, EXIT_USAGE, &err);
    }
    if (takes_word && !c.word) {
        deja_fail(&err, DEJA_EINVAL, "no key given");
        return cli_usage(of, EXIT_USAGE, &err);
    }
    int code = open_cache(&c, run != run_clear, &err);
    if (!code)
        code = run(&c, &err);
    say_warnings(c.opened);
    if (code < 0)
        say_error(&err);
    deja_cache_close(c.opened);
    deja_buffer_done(&c.folder);
    return code == DEJA_EINVAL ? EXIT_USAGE : code ? EXIT_FAILED : EXIT_OK;
}

static int stats_command(char *const *argv)
{
    return call(&stats_args, 0, run_stats, argv);
}

static int ls_command(char *const *argv)
{
    return call(&ls_args, 0, run_ls, argv);
}

static int show_command(char *const *argv)
{
    return call(&show_args, 1, run_show, argv);
}

static int get_command(char *const *argv)
{
    return call(&get_args, 1, run_get, argv);
}

static int clear_command(char *const *argv)
{
    return call(&clear_args, 0, run_clear, argv);
}

static const command commands[] = {
    {&stats_args, stats_command}, {&ls_args, ls_command},       {&show_args, show_command},
    {&get_args, get_command},     {&clear_args, clear_command}, {NULL, NULL},
};

static const command *find(const char *name)
{
    for (const command *c = commands; c->args; c++)
        if (!strcmp(c->args->name + strlen("cache "), name))
            return c;
    return NULL;
}

static int fail_unknown(const char *name)
{
    const char *names[8];
    size_t n = 0;
    deja_error err;
    for (const command *c = commands; c->args; c++)
        names[n++] = c->args->name + strlen("cache ");
    const char *near = deja_text_nearest(name, names, n);
    if (name[0] == '-')
        deja_fail(&err, DEJA_EINVAL, "'%s' before a command: options go behind stats, ls, show, get or clear",
                  name);
    else if (near)
        deja_fail(&err, DEJA_EINVAL, "unknown command 'cache %s', did you mean 'cache %s'?", name, near);
    else
        deja_fail(&err, DEJA_EINVAL, "unknown command 'cache %s'", name);
    return cli_usage(&cache_args, EXIT_USAGE, &err);
}

int cli_help_cache(const char *name)
{
    const command *c = name ? find(name) : NULL;
    if (name && !c)
        return fail_unknown(name);
    return cli_help(c ? c->args : &cache_args);
}

int cache_command(char *const *argv)
{
    if (!argv[0])
        return cli_help(&cache_args) ? EXIT_FAILED : EXIT_USAGE;
    if (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))
        return cli_help(&cache_args);
    const command *c = find(argv[0]);
    return c ? c->run(argv + 1) : fail_unknown(argv[0]);
}
