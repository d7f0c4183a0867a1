/* The cache and the claims that a run uses, see vault.h. */
#include "vault.h"
#include <deja/cleanup.h>
#include <deja/file.h>

static int open_claims(deja_claims **ret, const char *folder, const char *name, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    deja_buffer_addf(&path, "%s/%s", folder, name);
    if (path.failed)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    return deja_claims_open(ret, path.data, err);
}

static int open_cache(vault *v, const vault_options *o, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer folder = {0};
    int code = deja_place_cache(&folder, o->cache, o->beside, err);
    if (code)
        return code;
    if (!v->store && !deja_place_has_cache(folder.data))
        return 0;
    deja_cache_options options = {.size = sizeof options,
                                  .flags = v->store ? 0 : DEJA_CACHE_READ_ONLY,
                                  .folder = folder.data,
                                  .trace = o->trace};
    code = deja_cache_open(&v->cache, &options, err);
    if (code || !v->store)
        return code;
    return open_claims(&v->claims, folder.data, "claims", err);
}

/* One place for all that the user starts: whoever writes an output is met there, whatever batch, folder or
 * cache it is of. */
static int open_users_claims(vault *v, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer folder = {0};
    int code = deja_place_outputs(&folder, err);
    return code < 0 ? code : deja_claims_open(&v->output_claims, deja_buffer_string(&folder), err);
}

void vault_open_outputs(vault *v, const char *beside)
{
    DEJA_AUTO_BUFFER deja_buffer folder = {0};
    if (open_users_claims(v, &v->claims_trouble) == 0)
        return;
    v->output_claims = NULL;
    v->apart = 1;
    if (!beside)
        return;
    deja_path_join(&folder, beside, ".deja");
    if (folder.failed || open_claims(&v->output_claims, deja_buffer_string(&folder), "outputs", NULL) < 0)
        v->output_claims = NULL;
}

int vault_open(vault *v, const vault_options *options, deja_error *err)
{
    *v = (vault){0};
    int code = deja_place_mode_of(deja_place_env("DEJA_MODE"), &v->mode, err);
    if (code)
        return code;
    const deja_place_mode mode = v->mode;
    v->lookup = mode != DEJA_PLACE_REFRESH && !options->force;
    v->store = mode != DEJA_PLACE_READONLY && mode != DEJA_PLACE_OFF && !options->dry_run;
    if (mode != DEJA_PLACE_OFF && open_cache(v, options, &v->trouble)) {
        deja_cache_close(v->cache);
        v->cache = NULL;
        v->unusable = 1;
    }
    if (options->has_outputs && !options->dry_run)
        vault_open_outputs(v, options->beside);
    return 0;
}

int vault_cannot_keep(const vault *v)
{
    return v->unusable && v->store;
}

void vault_close(vault *v)
{
    deja_claims_close(v->output_claims);
    deja_claims_close(v->claims);
    deja_cache_close(v->cache);
    *v = (vault){0};
}
