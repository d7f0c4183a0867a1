/*
 * Environments are short lists: linear searches over some fifty strings cost less than any table.
 */
#include "environment.h"
#include <deja/cleanup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Libraries that start a thread for each CPU unless told otherwise; two jobs of two threads on two cores ran
 * 54 times slower. */
static const char *const threads[] = {
    "OMP_NUM_THREADS",     "OPENBLAS_NUM_THREADS",   "MKL_NUM_THREADS",   "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS",
};
static const char gpus[] = "CUDA_VISIBLE_DEVICES";

static const char *const clean_names[] = {"PATH", "HOME", "USER", "TMPDIR"};

/* Where programs are looked for when there is no PATH at all, as confstr(_CS_PATH) says. */
static const char default_path[] = "/bin:/usr/bin";

static const char *value_of(const char *entry, const char *name, size_t len)
{
    return strncmp(entry, name, len) == 0 && entry[len] == '=' ? entry + len + 1 : NULL;
}

const char *environment_get(const char *const *list, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; list && list[i]; i++) {
        const char *value = value_of(list[i], name, len);
        if (value)
            return value;
    }
    return NULL;
}

static int passes_clean(const char *name)
{
    for (size_t i = 0; i < sizeof clean_names / sizeof *clean_names; i++)
        if (strcmp(clean_names[i], name) == 0)
            return 1;
    return 0;
}

static int is_named(const batch_job *def, const char *name, size_t len)
{
    for (size_t i = 0; i < def->env_count; i++)
        if (strlen(def->env[i].name) == len && memcmp(def->env[i].name, name, len) == 0)
            return 1;
    return 0;
}

/* What the job will see as `name`, before deja adds its own: set by the batch, or taken from outside where
 * that passes. */
static int seen_value(job *j, const char *const *outer, const char *name, const char **ret, deja_error *err)
{
    const batch_job *def = j->def;
    *ret = NULL;
    for (size_t i = 0; i < def->env_count; i++) {
        if (strcmp(def->env[i].name, name) != 0)
            continue;
        if (def->env[i].set)
            return job_env_value(j, i, ret, err);
        *ret = environment_get(outer, name);
        return 0;
    }
    if (!def->clean_env || passes_clean(name))
        *ret = environment_get(outer, name);
    return 0;
}

static void add_variable(deja_key *key, const char *name, const char *value, int secret)
{
    if (!value) {
        deja_key_add(key, DEJA_FIELD_ENV_ABSENT, name, NULL, 0);
    } else if (secret) {
        deja_hash hash = deja_hash_bytes(value, strlen(value));
        deja_key_add(key, DEJA_FIELD_ENV_SECRET, name, &hash, sizeof hash);
    } else {
        deja_key_add_string(key, DEJA_FIELD_ENV, name, value);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Collects the names that count, each once. Room for env_count + the length of `outer` + 2 is in `names`. */
static size_t collect_names(job *j, const char *const *outer, const char **names)
{
    const batch_job *def = j->def;
    size_t n = 0;
    for (size_t i = 0; i < def->env_count; i++)
        names[n++] = def->env[i].name;
    static const char *const always[] = {"LANG", "TZ"};
    for (size_t i = 0; i < 2; i++)
        if (!is_named(def, always[i], strlen(always[i])))
            names[n++] = always[i];
    for (size_t i = 0; !def->clean_env && outer && outer[i]; i++) {
        const char *end = strchr(outer[i], '=');
        size_t len = end ? (size_t)(end - outer[i]) : 0;
        if (len > 3 && memcmp(outer[i], "LC_", 3) == 0 && !is_named(def, outer[i], len))
            names[n++] = deja_arena_dup(&j->arena, outer[i], len);
    }
    return n;
}

static int is_secret(const batch_job *def, const char *name)
{
    for (size_t i = 0; i < def->env_count; i++)
        if (strcmp(def->env[i].name, name) == 0)
            return def->env[i].secret;
    return 0;
}

static size_t list_length(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

int environment_key(deja_key *key, job *j, const char *const *outer, deja_error *err)
{
    size_t room = j->def->env_count + list_length(outer) + 2;
    const char **names = deja_arena_alloc(&j->arena, room * sizeof *names);
    size_t n = names ? collect_names(j, outer, names) : 0;
    if (!names || j->arena.failed)
        return deja_fail(err, DEJA_ENOMEM, "environment of the job: out of memory");
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++) {
        const char *value;
        int status = seen_value(j, outer, names[i], &value, err);
        if (status < 0)
            return status;
        add_variable(key, names[i], value, is_secret(j->def, names[i]));
    }
    return 0;
}

/* A list being built; `room` is enough by construction. */
typedef struct list {
    const char **items;
    size_t count;
} list;

static void add_pair(job *j, list *l, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    char *pair = deja_arena_alloc(&j->arena, name_len + value_len + 2);
    if (!pair)
        return;
    memcpy(pair, name, name_len);
    pair[name_len] = '=';
    memcpy(pair + name_len + 1, value, value_len + 1);
    l->items[l->count++] = pair;
}

static void add_outer(job *j, list *l, const char *const *outer, int without_gpus)
{
    static const char *const ours[] = {"PWD", "OLDPWD", "DEJA_CLAIMS", "DEJA_RUN"};
    for (size_t i = 0; outer && outer[i]; i++) {
        const char *end = strchr(outer[i], '=');
        size_t len = end ? (size_t)(end - outer[i]) : 0;
        int skip = len == 0 || is_named(j->def, outer[i], len) ||
                   (without_gpus && value_of(outer[i], gpus, sizeof gpus - 1));
        for (size_t k = 0; !skip && k < sizeof ours / sizeof *ours; k++)
            skip = value_of(outer[i], ours[k], strlen(ours[k])) != NULL;
        for (size_t k = 0, pass = !j->def->clean_env; !skip && !pass; k++) {
            skip = k == sizeof clean_names / sizeof *clean_names;
            pass = !skip && value_of(outer[i], clean_names[k], strlen(clean_names[k])) != NULL;
        }
        if (!skip)
            l->items[l->count++] = outer[i];
    }
}

static int add_named(job *j, list *l, const char *const *outer, deja_error *err)
{
    for (size_t i = 0; i < j->def->env_count; i++) {
        const char *name = j->def->env[i].name, *value;
        int status = seen_value(j, outer, name, &value, err);
        if (status < 0)
            return status;
        if (value)
            add_pair(j, l, name, value);
    }
    return 0;
}

static void add_threads(job *j, list *l, unsigned count)
{
    char text[16];
    size_t users = l->count;
    snprintf(text, sizeof text, "%u", count ? count : 1);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        size_t len = strlen(threads[i]);
        int set = 0;
        for (size_t k = 0; !set && k < users; k++)
            set = value_of(l->items[k], threads[i], len) != NULL;
        if (!set)
            add_pair(j, l, threads[i], text);
    }
}

static void add_ours(job *j, list *l, const environment_own *own)
{
    if (!is_named(j->def, "PWD", 3))
        add_pair(j, l, "PWD", own->cwd);
    if (own->claims)
        add_pair(j, l, "DEJA_CLAIMS", own->claims);
    if (own->gpus && !is_named(j->def, gpus, sizeof gpus - 1))
        add_pair(j, l, gpus, own->gpus);
    add_threads(j, l, own->threads);
    l->items[l->count] = NULL;
}

int environment_build(const char *const **ret, job *j, const char *const *outer, const environment_own *own,
                      deja_error *err)
{
    size_t room = list_length(outer) + j->def->env_count + sizeof threads / sizeof *threads + 4;
    list l = {.items = deja_arena_alloc(&j->arena, room * sizeof *l.items)};
    if (!l.items)
        return deja_fail(err, DEJA_ENOMEM, "environment of the job: out of memory");
    add_outer(j, &l, outer, own->gpus != NULL);
    int status = add_named(j, &l, outer, err);
    if (status < 0)
        return status;
    add_ours(j, &l, own);
    if (j->arena.failed)
        return deja_fail(err, DEJA_ENOMEM, "environment of the job: out of memory");
    *ret = l.items;
    return 0;
}

const char *environment_path(job *j, const char *const *outer)
{
    const char *path;
    if (seen_value(j, outer, "PATH", &path, NULL) < 0 || !path)
        return default_path;
    return path;
}
