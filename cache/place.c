/* Where things live, see place.h. */
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/place.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int finish(const deja_buffer *b, deja_error *err)
{
    return b->failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
}

/* A folder of the user's, by the XDG base directory specification: relative ones are to be ignored. */
static int add_user_folder(deja_buffer *b, const char *variable, const char *below_home)
{
    const char *folder = deja_place_env(variable);
    if (folder && folder[0] == '/') {
        deja_buffer_add_string(b, folder);
        return 1;
    }
    const char *home = deja_place_env("HOME");
    if (!home || home[0] != '/')
        return 0;
    deja_buffer_addf(b, "%s/%s", home, below_home);
    return 1;
}

const char *deja_place_env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

int deja_place_mode_of(const char *text, deja_place_mode *ret, deja_error *err)
{
    static const char *const words[] = {"", "off", "readonly", "refresh"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(text ? text : "", words[i])) {
            *ret = (deja_place_mode)i;
            return 0;
        }
    return deja_fail(err, DEJA_EINVAL, "DEJA_MODE is '%s': expected off, readonly or refresh", text);
}

int deja_place_cache(deja_buffer *b, const char *option, const char *beside, deja_error *err)
{
    const char *named = option ? option : deja_place_env("DEJA_CACHE");
    if (named)
        deja_buffer_add_string(b, named);
    else if (beside)
        deja_path_join(b, beside, ".deja");
    else if (add_user_folder(b, "XDG_CACHE_HOME", ".cache"))
        deja_buffer_add_string(b, "/deja");
    else
        return deja_fail(
            err, DEJA_ENOTFOUND,
            "no place for the cache: set HOME, XDG_CACHE_HOME or DEJA_CACHE, or say --cache DIR");
    return finish(b, err);
}

int deja_place_has_cache(const char *folder)
{
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    deja_buffer_addf(&path, "%s/db", folder); /* cache/FORMAT.md */
    return !path.failed && (faccessat(AT_FDCWD, path.data, F_OK, AT_EACCESS) == 0 || errno == EACCES);
}

int deja_place_outputs(deja_buffer *b, deja_error *err)
{
    if (!add_user_folder(b, "XDG_STATE_HOME", ".local/state"))
        return deja_fail(err, DEJA_ENOTFOUND, "no place for claims of outputs: HOME is not set");
    deja_buffer_add_string(b, "/deja/outputs");
    return finish(b, err);
}

int deja_place_runs(deja_buffer *b, const char *beside, deja_error *err)
{
    if (beside)
        deja_path_join(b, beside, ".deja/runs");
    else if (add_user_folder(b, "XDG_STATE_HOME", ".local/state"))
        deja_buffer_add_string(b, "/deja/runs");
    else
        return deja_fail(err, DEJA_ENOTFOUND, "no place for run records: HOME is not set");
    return finish(b, err);
}
