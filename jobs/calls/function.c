/* Defined functions, see function.h. */
#include "function.h"
#include "shared.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/encoding.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LABEL_MOST 160 /* bytes */

int function_is_cached(const deja_fn *f)
{
    return f->d->cache && !f->options.no_cache;
}

/* ---- keys ---- */

/* Who asks for hashes while an argument is encoded. */
typedef struct asking {
    deja *d;
    call_key *key;
} asking;

static int array_hash(void *context, const deja_array *a, deja_hash *ret, deja_error *err)
{
    return shared_hash(((const asking *)context)->d, a, ret, err);
}

typedef struct hashing {
    step_waiter waiter;
    int done;
} hashing;

static void hashed(step_waiter *w, deja_step *step)
{
    (void)step;
    ((hashing *)w)->done = 1;
}

/* By the cache, which remembers files that are unchanged. */
static int look_at_file(deja *d, deja_digest_item *item, deja_error *err)
{
    hashing h = {.waiter.finished = hashed};
    deja_digest digest = {.step.user = &h, .root_fd = AT_FDCWD, .items = item, .count = 1};
    int rc = context_enter(d, err);
    if (rc < 0)
        return rc;
    if (deja_digest_begin(d->cache, &digest) == 0)
        for (context_began(d); !h.done;)
            context_turn(d, INT64_MAX);
    context_leave(d);
    if (item->sys_errno) {
        errno = item->sys_errno;
        return deja_fail_errno(err, "read '%s'", item->path);
    }
    return 0;
}

/* The store looks at it again: a result made of a file that changed meanwhile is not kept. */
static int file_hash(void *context, const char *path, deja_hash *ret, uint64_t *ret_size, deja_error *err)
{
    asking *a = context;
    call_key *k = a->key;
    deja_digest_item *files = deja_grow(k->files, k->file_count, &k->file_cap, sizeof *files);
    char *copy = deja_strdup(path);
    if (files)
        k->files = files;
    if (!files || !copy) {
        deja_free(copy);
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    }
    deja_digest_item *item = &files[k->file_count++];
    *item = (deja_digest_item){.path = copy};
    int rc = look_at_file(a->d, item, err);
    *ret = item->content.hash;
    *ret_size = item->content.size;
    return rc;
}

void call_key_clear(call_key *k)
{
    for (size_t i = 0; i < k->file_count; i++)
        deja_free((char *)k->files[i].path);
    k->file_count = 0;
    deja_buffer_clear(&k->fields.bytes);
}

void call_key_done(call_key *k)
{
    call_key_clear(k);
    deja_free(k->files);
    deja_key_done(&k->fields);
    *k = (call_key){0};
}

int function_add_argument(deja *d, call_key *key, const char *name, const deja_value *v, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer encoded = {0};
    asking a = {.d = d, .key = key};
    const deja_encoding_options options = {
        .array_hash = array_hash, .file_hash = d->cache ? file_hash : NULL, .context = &a};
    int rc = deja_encode(&encoded, v, &options, err);
    if (rc == 0)
        deja_key_add(&key->fields, DEJA_FIELD_ARGUMENT, name, encoded.data, encoded.len);
    return rc;
}

static int add_argument(deja_fn *f, call_key *key, size_t i, const deja_value *v, deja_error *err)
{
    char name[24];
    snprintf(name, sizeof name, "%zu", i);
    int rc = function_add_argument(f->d, key, name, v, err);
    return rc < 0 ? deja_fail_in(err, "'%s': argument %zu", f->name, i + 1) : 0;
}

/* Without its value; that there is one still counts. */
static int ignore_argument(call_key *key, size_t i)
{
    char name[24];
    snprintf(name, sizeof name, "%zu", i);
    deja_key_add(&key->fields, DEJA_FIELD_ARGUMENT, name, "", 0);
    return 0;
}

static int check_argument(const deja_value *v, deja_error *err)
{
    const deja_value inside = deja_list(v, 1); /* as the backends have it */
    int rc = deja_value_check(v, err);
    if (rc == 0 && (v->kind == DEJA_LIST || v->kind == DEJA_MAP) && deja_value_check(&inside, NULL) < 0)
        rc = deja_fail(err, DEJA_EINVAL, "lists and maps are nested deeper than %d", DEJA_DEPTH_MAX - 1);
    return rc;
}

int function_check(const deja_fn *f, const deja_value *args, size_t n, deja_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        if ((rc = check_argument(&args[i], err)) < 0)
            deja_fail_in(err, "'%s': argument %zu", f->name, i + 1);
    return rc;
}

int function_key(deja_fn *f, const deja_value *args, size_t n, call_key *ret, deja_error *err)
{
    deja_key *key = &ret->fields;
    int wrong = function_check(f, args, n, err);
    call_key_clear(ret);
    if (wrong < 0)
        return wrong;
    deja_key_begin(key, "function");
    deja_key_add_string(key, DEJA_FIELD_SCOPE, "", f->scope);
    deja_key_add_string(key, DEJA_FIELD_FUNCTION, "", f->name);
    deja_key_add_string(key, DEJA_FIELD_VERSION, "", f->version);
    if (f->options.strict)
        deja_key_add(key, DEJA_FIELD_BUILD, "", f->build, f->build_len);
    for (size_t i = 0; i < n; i++) {
        int ignored = i < 64 && f->options.ignore >> i & 1;
        int rc = ignored ? ignore_argument(ret, i) : add_argument(f, ret, i, &args[i], err);
        if (rc < 0)
            return rc;
    }
    if (deja_key_finish(key, &ret->hash) < 0)
        return deja_fail(err, DEJA_ENOMEM, "'%s': out of memory", f->name);
    return 0;
}

void function_label(deja_buffer *b, const deja_fn *f, const deja_value *args, size_t n)
{
    deja_buffer_addf(b, "%s(", f->name);
    for (size_t i = 0; i < n && b->len < LABEL_MOST; i++) {
        if (i)
            deja_buffer_add_string(b, ", ");
        if (args[i].kind >= DEJA_LIST && args[i].kind != DEJA_FILE && args[i].len > 8)
            deja_buffer_addf(b, "%s of %" PRIu64, deja_kind_name(args[i].kind), args[i].len);
        else if (args[i].kind == DEJA_BYTES || (args[i].kind == DEJA_STRING && args[i].len > LABEL_MOST))
            deja_buffer_addf(b, "%s of %" PRIu64 " bytes", deja_kind_name(args[i].kind), args[i].len);
        else if (args[i].kind == DEJA_ARRAY)
            deja_buffer_addf(b, "array of %" PRIu64, deja_array_count(args[i].array));
        else
            deja_value_json(b, &args[i], 3);
    }
    if (b->len > LABEL_MOST && !b->failed) {
        b->len = LABEL_MOST;
        b->data[b->len] = 0;
        deja_buffer_add_string(b, "...");
    }
    deja_buffer_add_string(b, ")");
}

int function_allows(deja_fn *f, const deja_entry *entry)
{
    const deja_fn_options *o = &f->options;
    int64_t age_ns = deja_wall_ns(NULL) - entry->created_ns;
    const deja_facts facts = {.size = sizeof facts,
                              .age_ms = age_ns > 0 ? age_ns / DEJA_MS_NS : 0,
                              .wall_ns = entry->wall_ns,
                              .cpu_ns = entry->cpu_ns};
    if (o->max_age_ms > 0 && facts.age_ms > o->max_age_ms)
        return 0;
    if (!o->valid)
        return 1;
    context_unlock(f->d);
    int allowed = o->valid(o->valid_context, &facts);
    pthread_mutex_lock(&f->d->lock);
    return allowed != 0;
}

/* ---- defining ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The file name of the object; of a callback that lies in none, of the program. */
static char *default_scope(deja_job_fn function)
{
    Dl_info info;
    char path[4096];
    void *at;
    memcpy(&at, &function, sizeof at);
    if (dladdr(at, &info) && info.dli_fname && base_name(info.dli_fname)[0])
        return deja_strdup(base_name(info.dli_fname));
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    return deja_strdup(base_name(path));
}

static deja_fn *find(deja *d, const char *scope, const char *name, const char *version)
{
    for (deja_fn *f = d->functions; f; f = f->next)
        if (!strcmp(f->scope, scope) && !strcmp(f->name, name) && !strcmp(f->version, version))
            return f;
    return NULL;
}

static void free_function(deja_fn *f)
{
    if (!f)
        return;
    deja_free(f->name);
    deja_free(f->version);
    deja_free(f->scope);
    deja_free(f);
}

static deja_fn *new_function(deja *d, const char *name, const char *version, deja_job_fn function,
                             const deja_fn_options *options)
{
    deja_fn *f = deja_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->d = d;
    f->function = function;
    f->options = *options;
    f->name = deja_strdup(name);
    f->version = deja_strdup(version);
    f->scope = f->options.scope ? deja_strdup(f->options.scope) : default_scope(function);
    f->options.scope = NULL;
    if (f->name && f->version && f->scope)
        return f;
    free_function(f);
    return NULL;
}

static int check(const char *name, const char *version, deja_job_fn function, const deja_fn_options *o,
                 deja_error *err)
{
    if (!name || !*name || !version || !function)
        return deja_fail(err, DEJA_EINVAL, "define '%s': a function needs a name, a version and its address",
                         name ? name : "");
    if (o->backend > DEJA_INLINE)
        return deja_fail(err, DEJA_EINVAL, "define '%s': there is no backend %u", name, o->backend);
    if (o->per_second < 0 || o->per_second != o->per_second || o->timeout_ms < 0 || o->max_age_ms < 0)
        return deja_fail(err, DEJA_EINVAL, "define '%s': a limit is negative", name);
    return 0;
}

static int give_to_pool(deja_fn *f, deja_error *err)
{
    const deja_fn_options *o = &f->options;
    deja_pool_function_options p = {.size = sizeof p,
                                    .backend = o->backend,
                                    .name = f->name,
                                    .function = f->function,
                                    .timeout_ms = o->timeout_ms,
                                    .retries = o->retries,
                                    .max_running = o->max_running,
                                    .per_second = o->per_second};
    int rc = deja_pool_define(f->d->pool, &p, &f->pooled, err);
    if (rc == 0) {
        f->build_len = sizeof f->build;
        int known = deja_pool_build_of(f->function, f->build, &f->build_len, o->strict ? err : NULL);
        rc = o->strict ? known : 0;
        f->build_len = known < 0 ? 0 : f->build_len;
    }
    return rc < 0 ? deja_fail_in(err, "define '%s'", f->name) : 0;
}

/* The library that it was in is another one now, at the same address. */
static int is_replaced(const deja_fn *f)
{
    unsigned char build[sizeof f->build];
    size_t len = sizeof build;
    if (deja_pool_build_of(f->function, build, &len, NULL) < 0)
        len = 0;
    return len != f->build_len || memcmp(build, f->build, len) != 0;
}

static deja_fn *define(deja *d, const char *name, const char *version, deja_job_fn function,
                       const deja_fn_options *options, deja_error *err)
{
    deja_fn *f = new_function(d, name, version, function, options);
    if (!f) {
        deja_fail(err, DEJA_ENOMEM, "define '%s': out of memory", name);
        return NULL;
    }
    deja_fn *before = find(d, f->scope, name, version);
    if (before && before->function == function && !is_replaced(before)) {
        free_function(f);
        return before;
    }
    if (before && before->function != function) {
        free_function(f);
        deja_fail(
            err, DEJA_EEXIST,
            "define '%s': another function has this name and version: give it another name, version or scope",
            name);
        return NULL;
    }
    if (give_to_pool(f, err) < 0) {
        free_function(f);
        return NULL;
    }
    f->next = d->functions;
    d->functions = f;
    return f;
}

deja_fn *deja_define(deja *d, const char *name, const char *version, deja_job_fn function,
                     const deja_fn_options *options, deja_error *err)
{
    deja_fn_options own = {0};
    if (!d || context_options(&own, sizeof own, options, "DEJA_FN_OPTIONS", err) < 0 ||
        check(name, version, function, &own, err) < 0 || context_enter(d, err) < 0)
        return NULL;
    deja_fn *f = define(d, name, version, function, &own, err);
    context_leave(d);
    return f;
}

void function_free_all(deja *d)
{
    while (d->functions) {
        deja_fn *f = d->functions;
        d->functions = f->next;
        free_function(f);
    }
}
