/* The program: finds the command. */
#include "cli.h"
#include "say.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <fcntl.h>
#include <string.h>

static const command commands[] = {
    {&run_args, run_command},     {&map_args, map_command},       {&exec_args, exec_command},
    {&check_args, check_command}, {&why_args, why_command},       {&graph_args, graph_command},
    {&clean_args, clean_command}, {&runs_args, runs_command},     {&show_run_args, show_run_command},
    {&log_args, log_command},     {&status_args, status_command}, {&cache_args, cache_command},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

/* A missing standard descriptor would become the number of some file of ours. */
static int open_standard_descriptors(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            return -1;
    return 0;
}

static void add_commands(deja_buffer *b)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const args_command *c = commands[i].args;
        deja_buffer_addf(b, "  %s", c->name);
        args_fill(b, c->summary, 12, 2 + strlen(c->name));
    }
}

static int main_help(void)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, "Usage: deja COMMAND [OPTION]... [ARGUMENT]...\n\n");
    args_fill(
        &b,
        "deja runs jobs in parallel and never runs the same job twice. A batch file (deja.yaml) says what to "
        "run; what ran before is answered from the cache.",
        0, 0);
    deja_buffer_add_string(&b, "\nCommands:\n");
    add_commands(&b);
    deja_buffer_add_string(&b, "\nOptions:\n"
                               "  -C DIR      Change to DIR first.\n"
                               "  -h, --help  Show this help; 'deja COMMAND --help' tells of a command.\n"
                               "  --version   Show the version.\n");
    args_help_environment(&b, cli_environment);
    return say_output(&b) ? EXIT_FAILED : EXIT_OK;
}

static const command *find(const command *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i].args->name, name))
            return &list[i];
    return NULL;
}

static int fail_unknown(const char *name)
{
    const char *names[COMMANDS + 2] = {"help", "--version"};
    deja_error err;
    for (size_t i = 0; i < COMMANDS; i++)
        names[i + 2] = commands[i].args->name;
    const char *near = deja_text_nearest(name, names, COMMANDS + 2);
    if (near)
        deja_fail(&err, DEJA_EINVAL, "unknown command '%s', did you mean '%s'?", name, near);
    else
        deja_fail(&err, DEJA_EINVAL, "unknown command '%s'", name);
    say_usage("", &err);
    return EXIT_USAGE;
}

static int help(char *const *argv)
{
    if (!argv[0] || !strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))
        return main_help();
    const command *c = find(commands, COMMANDS, argv[0]);
    if (!c)
        return fail_unknown(argv[0]);
    return c->args == &cache_args ? cli_help_cache(argv[1]) : cli_help(c->args);
}

static int fail_option(const char *option)
{
    static const char *const names[] = {"--help", "--version"};
    deja_error err;
    const char *near = option[1] == '-' ? deja_text_nearest(option, names, 2) : NULL;
    if (near)
        deja_fail(&err, DEJA_EINVAL, "unknown option '%s', did you mean '%s'?", option, near);
    else
        deja_fail(&err, DEJA_EINVAL, "unknown option '%s' before a command: those of a command go behind it",
                  option);
    say_usage("", &err);
    return EXIT_USAGE;
}

/* -C DIR and -CDIR, before the command. Returns how many words it took, 0 for none, negative on failure. */
static int enter_folder(char *const *argv)
{
    deja_error err;
    if (strncmp(argv[0], "-C", 2) != 0)
        return 0;
    const char *folder = argv[0][2] ? argv[0] + 2 : argv[1];
    if (!folder)
        deja_fail(&err, DEJA_EINVAL, "option '-C' needs an argument: DIR");
    if (folder && cli_enter(folder, &err) == 0)
        return argv[0][2] ? 1 : 2;
    say_usage("", &err);
    return -1;
}

int main(int argc, char **argv)
{
    if (open_standard_descriptors())
        return EXIT_FAILED;
    char *const *words = argv + (argc > 0);
    for (int taken; words[0] && (taken = enter_folder(words)) != 0; words += taken)
        if (taken < 0)
            return EXIT_USAGE;
    if (!words[0])
        return main_help() ? EXIT_FAILED : EXIT_USAGE;
    if (!strcmp(words[0], "--help") || !strcmp(words[0], "-h"))
        return main_help();
    if (!strcmp(words[0], "help"))
        return help(words + 1);
    if (!strcmp(words[0], "--version")) {
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        deja_buffer_addf(&b, "deja %s\n", DEJA_VERSION);
        return say_output(&b) ? EXIT_FAILED : EXIT_OK;
    }
    if (words[0][0] == '-')
        return fail_option(words[0]);
    const command *c = find(commands, COMMANDS, words[0]);
    return c ? c->run(words + 1) : fail_unknown(words[0]);
}
