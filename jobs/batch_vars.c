/*
 * The word vars: values that the whole batch shares, from the file, from the command line, from the
 * environment.
 */
#include "batch_read.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

static const char *const var_words[] = {"env", "default", NULL};

const batch_var *batch_find_var(const batch *b, const char *name)
{
    for (size_t i = 0; i < b->var_count; i++)
        if (strcmp(b->vars[i].name, name) == 0)
            return &b->vars[i];
    return NULL;
}

/* The value of NAME in "NAME=VALUE", NULL for another name. */
static const char *value_of(const char *pair, const char *name)
{
    size_t len = strlen(name);
    return strncmp(pair, name, len) == 0 && pair[len] == '=' ? pair + len + 1 : NULL;
}

/* The last --set counts. NULL: there is none. */
static const char *find_set(const batch_settings *s, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; s && i < s->set_count; i++) {
        const char *found = value_of(s->sets[i], name);
        value = found ? found : value;
    }
    return value;
}

static const char *find_environment(const batch_settings *s, const char *name)
{
    for (size_t i = 0; s && s->environment && s->environment[i]; i++) {
        const char *value = value_of(s->environment[i], name);
        if (value)
            return value;
    }
    return NULL;
}

static int set_value(batch_reader *r, batch_var *v, const char *text, int plain)
{
    v->text = deja_arena_dup(&r->b->arena, text, strlen(text));
    v->plain = plain;
    return v->text ? 0 : read_no_memory(r);
}

/* A value; it may be made of variables above it. */
static int read_value(batch_reader *r, const yaml_node *n, batch_var *v)
{
    yaml_node room;
    v->plain = read_var(r, n, &room)->plain;
    return read_literal(r, n, "a text or number", &v->text);
}

/* {env: NAME, default: VALUE} */
static int read_from_environment(batch_reader *r, const yaml_node *n, batch_var *v)
{
    const yaml_node *env = yaml_get(n, "env"), *value = yaml_get(n, "default");
    const char *name;
    int code = read_check_words(r, n, "a variable", var_words);
    if (!code && !env)
        code = source_fail(&r->b->source, n->mark, r->err,
                           "'env' is missing: expected a value, or {env: NAME, default: VALUE}");
    if (!code)
        code = read_literal(r, env, "the name of an environment variable", &name);
    if (!code && !batch_env_name(name))
        code =
            source_fail(&r->b->source, env->mark, r->err, "'%s' is no name of an environment variable", name);
    if (!code && value)
        code = read_value(r, value, v);
    const char *found = code ? NULL : find_environment(r->settings, name);
    if (found)
        return set_value(r, v, found, value ? v->plain : 1);
    if (!code && !value && !find_set(r->settings, v->name))
        code =
            source_fail(&r->b->source, env->mark, r->err,
                        "the environment has no '%s': set it, give --set %s=VALUE, or write a 'default' here",
                        name, v->name);
    return code;
}

static int read_one(batch_reader *r, const yaml_pair *pair, batch_var *v)
{
    int code = read_name(r, pair->key, "a variable");
    *v = (batch_var){.at = pair->key->mark, .plain = 1};
    v->name = code ? NULL : read_keep(r, pair->key);
    if (code || !v->name)
        return code ? code : read_no_memory(r);
    if (pair->value->kind == YAML_LIST)
        return read_expected(r, pair->value, "a value, or {env: NAME, default: VALUE}");
    code = pair->value->kind == YAML_MAP ? read_from_environment(r, pair->value, v)
                                         : read_value(r, pair->value, v);
    const char *set = code ? NULL : find_set(r->settings, v->name);
    return set ? set_value(r, v, set, v->plain) : code;
}

static int fail_twice(batch_reader *r, const yaml_node *key, const batch_var *other)
{
    char word[SOURCE_WORD], where[SOURCE_PLACE];
    return source_fail(&r->b->source, key->mark, r->err, "there is already a variable '%s', %s",
                       source_word(word, key->text, key->len),
                       source_place(where, &r->b->source, other->at, key->mark));
}

int batch_read_vars(batch_reader *r, const yaml_node *n)
{
    if (n->kind != YAML_MAP)
        return read_expected(r, n, "a map from names to values");
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++) {
        const batch_var *other = batch_find_var(r->b, n->pairs[i].key->text);
        code = other ? fail_twice(r, n->pairs[i].key, other)
                     : read_one(r, &n->pairs[i], (batch_var *)&r->b->vars[r->b->var_count]);
        r->b->var_count += !code;
    }
    return code;
}

static int fail_unset(const batch *b, const char *pair, size_t len, deja_error *err)
{
    DEJA_AUTO_FREE char *name = deja_dup(pair, len + 1);
    DEJA_AUTO_FREE const char **names = deja_calloc(b->var_count + 1, sizeof *names);
    if (!name || !names)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    name[len] = '\0';
    for (size_t i = 0; i < b->var_count; i++)
        names[i] = b->vars[i].name;
    const char *near = deja_text_nearest(name, names, b->var_count);
    if (near)
        return deja_fail(err, DEJA_EINVAL, "--set %s: the batch has no variable '%s', did you mean '%s'?",
                         pair, name, near);
    return deja_fail(err, DEJA_EINVAL, "--set %s: the batch has no variable '%s' (they stand under 'vars')",
                     pair, name);
}

int batch_check_settings(const batch *b, const batch_settings *s, deja_error *err)
{
    for (size_t i = 0; s && i < s->set_count; i++) {
        const char *pair = s->sets[i];
        size_t len = strcspn(pair, "="), v = 0;
        if (!pair[len] || len == 0)
            return deja_fail(err, DEJA_EINVAL, "--set '%s': expected NAME=VALUE", pair);
        while (v < b->var_count && !value_of(pair, b->vars[v].name))
            v++;
        if (v == b->var_count)
            return fail_unset(b, pair, len, err);
    }
    return 0;
}

const yaml_node *read_var(batch_reader *r, const yaml_node *n, yaml_node *room)
{
    template_text t;
    const char *value;
    size_t len;
    if (n->kind != YAML_SCALAR || !r->b->var_count || !strstr(n->text, "${{") ||
        template_parse(&t, n->text, n->len, &r->b->arena, NULL, NULL))
        return n;
    const template_expr *e = template_only(&t);
    if (!e || read_var_value(r, e, &value, &len) || e->count > 1)
        return n;
    *room = *n;
    room->text = value;
    room->len = len;
    room->plain = batch_find_var(r->b, e->names[0])->plain;
    return room;
}

int read_var_value(const batch_reader *r, const template_expr *e, const char **ret, size_t *ret_len)
{
    const batch_var *v = batch_find_var(r->b, e->names[0]);
    if (!v)
        return DEJA_ENOTFOUND;
    *ret = v->text;
    *ret_len = strlen(v->text);
    for (size_t i = 1; i < e->count; i++)
        if (template_attribute(*ret, *ret_len, e->names[i], ret, ret_len))
            return DEJA_ENOTFOUND;
    return 0;
}

int read_int(batch_reader *r, const yaml_node *n, int64_t *ret)
{
    yaml_node room;
    return yaml_int(read_var(r, n, &room), ret);
}

int read_real(batch_reader *r, const yaml_node *n, double *ret)
{
    yaml_node room;
    return yaml_double(read_var(r, n, &room), ret);
}
