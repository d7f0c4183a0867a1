/* What all commands have in common, see cli.h. */
#include "cli.h"
#include "say.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <limits.h>

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
