/* What all commands have in common, see cli.h. */
#include "cli.h"
#include "say.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <limits.h>

#define CACHE_VARIABLE                                                                                       \
    {                                                                                                        \
        "DEJA_CACHE", "The folder of the cache, unless --cache names one."                                   \
    }

const args_variable cli_environment[] = {
    CACHE_VARIABLE,
    {"DEJA_MODE", "'off' runs without a cache, 'readonly' answers but keeps nothing, 'refresh' runs all and "
                  "replaces."},
    {"DEJA_TRACE", "A file: what deja does is added to it, a JSON object a line."},
    {"DEJA_TRACE_KEYS", "A folder: each key's exact bytes go to a file in it."},
    {"NO_COLOR", "When set and not empty: no colours."},
    {"TMPDIR", "Where output waits when it is too much for memory."},
    {0},
};

const args_variable cli_environment_cache[] = {CACHE_VARIABLE, {0}};

int cli_help(const args_command *of)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    args_help(&b, of);
    return say_output(&b) ? EXIT_FAILED : EXIT_OK;
}

int cli_usage(const args_command *of, int status, const deja_error *err)
{
    say_usage(of->name, err);
    return status;
}

int cli_enter(const char *folder, deja_error *err)
{
    return chdir(folder) ? deja_fail_errno(err, "enter folder '%s'", folder) : 0;
}

int cli_folder(deja_buffer *b, deja_error *err)
{
    char cwd[PATH_MAX];
    if (!getcwd(cwd, sizeof cwd))
        return deja_fail_errno(err, "find the working directory");
    deja_path_normalise(b, cwd);
    return b->failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
}
