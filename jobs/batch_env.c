/*
 * The words env and secret. A secret is a variable of the job's key like one of env, of which only a hash is
 * stored; so a name under `secret` need not stand under `env` too.
 */
#include "batch_read.h"
#include <string.h>

/* The variables of a job while they are read. */
typedef struct variables {
    batch_job *job;
    name_table names; /* indices into job->env */
} variables;

/* The variable of that name, a new one where there is none: there is room. */
static int add(batch_reader *r, variables *v, const yaml_node *n, batch_env **ret)
{
    char word[SOURCE_WORD];
    source_word(word, n->text, n->len);
    if (!batch_env_name(n->text)) {
        if (n->kind == YAML_SCALAR && strchr(n->text, '='))
            return source_fail(
                &r->b->source, n->mark, r->err,
                "a list names variables that are taken from outside: to set one, write {NAME: value}");
        return source_fail(&r->b->source, n->mark, r->err, "'%s' cannot name an environment variable", word);
    }
    const uint32_t *index = name_table_get(&v->names, n->text, n->len);
    if (index) {
        *ret = &v->job->env[*index];
        return 0;
    }
    const char *name = read_keep(r, n);
    if (!name || name_table_put(&v->names, name, n->len, (uint32_t)v->job->env_count))
        return read_no_memory(r);
    *ret = &v->job->env[v->job->env_count++];
    **ret = (batch_env){.name = name, .secret = batch_secret_name(name)};
    return 0;
}

static int read_list(batch_reader *r, variables *v, const yaml_node *list, int secret)
{
    int code = 0;
    for (size_t i = 0; i < list->count && !code; i++) {
        batch_env *e = NULL;
        const yaml_node *n = list->pairs[i].value;
        code = read_scalar(r, n, "the name of an environment variable");
        if (!code)
            code = add(r, v, n, &e);
        if (!code && secret)
            e->secret = 1;
        else if (!code)
            e->set = 0;
    }
    return code;
}

static int read_map(batch_reader *r, variables *v, const yaml_node *map)
{
    int code = 0;
    for (size_t i = 0; i < map->count && !code; i++) {
        batch_env *e = NULL;
        const yaml_node *value = map->pairs[i].value;
        if (value->kind == YAML_SCALAR && value->plain && value->len == 0)
            return source_fail(&r->b->source, map->pairs[i].key->mark, r->err,
                               "'%s' has no value: write \"\" for an empty one; a list, as in 'env: [%s]', "
                               "takes it from outside",
                               map->pairs[i].key->text, map->pairs[i].key->text);
        code = add(r, v, map->pairs[i].key, &e);
        if (!code)
            code = read_text(r, value, "a text", &e->value);
        if (!code)
            e->set = 1;
    }
    return code;
}

/* Room for what the job has from its defaults and all that it says itself. */
static int make_room(batch_reader *r, variables *v, size_t more)
{
    batch_job *job = v->job;
    batch_env *env = read_alloc(r, job->env_count + more, sizeof *env);
    if (!env)
        return read_no_memory(r);
    if (job->env_count)
        memcpy(env, job->env, job->env_count * sizeof *env);
    job->env = env;
    for (size_t i = 0; i < job->env_count; i++)
        if (name_table_put(&v->names, env[i].name, strlen(env[i].name), (uint32_t)i))
            return read_no_memory(r);
    return 0;
}

int batch_read_env(batch_reader *r, const yaml_node *env, const yaml_node *secret, batch_job *job)
{
    char word[SOURCE_WORD];
    if (!env && !secret)
        return 0;
    if (env && env->kind == YAML_SCALAR && !yaml_is_null(env))
        return source_fail(&r->b->source, env->mark, r->err,
                           "expected a list of names or a map of values, found a text: write [%s]",
                           source_word(word, env->text, env->len));
    if (env && env->kind == YAML_SCALAR)
        return read_expected(r, env, "a list of names or a map of values");
    if (secret && secret->kind != YAML_LIST)
        return read_expected(r, secret, "a list of names of environment variables");
    variables v = {.job = job};
    int code = make_room(r, &v, (env ? env->count : 0) + (secret ? secret->count : 0));
    if (!code && env)
        code = env->kind == YAML_LIST ? read_list(r, &v, env, 0) : read_map(r, &v, env);
    if (!code && secret)
        code = read_list(r, &v, secret, 1);
    name_table_done(&v.names);
    return code;
}

int batch_env_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *name && strspn(name, letters) == strlen(name) && !(*name >= '0' && *name <= '9');
}

int batch_secret_name(const char *name)
{
    return strcasestr(name, "TOKEN") || strcasestr(name, "SECRET") || strcasestr(name, "PASSWORD") ||
           strcasestr(name, "KEY");
}
