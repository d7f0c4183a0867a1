/*
 * The words call and with: a function of a library, and its arguments. Files among these are inputs, too.
 */
#include "batch_read.h"
#include "glob.h"
#include "scalar.h"
#include <deja/cleanup.h>
#include <string.h>

/* ---- words that are for commands ---- */

typedef struct foreign {
    const char *word;
    const char *why;
} foreign;

static const foreign foreigns[] = {
    {"run", "'run' and 'call' together: expected one of them"},
    {"shell", "'shell' goes with 'run': a function needs none"},
    {"stdin", "'stdin' goes with 'run': a function gets a file as an argument, {file: path}"},
    {"cwd", "'cwd' goes with 'run': functions are called in the folder of the batch"},
    {"clean-env", "'clean-env' goes with 'run': a function sees the environment of deja"},
    {"ok-status", "'ok-status' goes with 'run': a function returns a value or an error"},
};

static int check_foreign(batch_reader *r, const yaml_node *n)
{
    for (size_t i = 0; i < n->count; i++)
        for (size_t k = 0; k < sizeof foreigns / sizeof *foreigns; k++)
            if (strcmp(n->pairs[i].key->text, foreigns[k].word) == 0)
                return source_fail(&r->b->source, n->pairs[i].key->mark, r->err, "%s", foreigns[k].why);
    const yaml_node *env = yaml_get(n, "env");
    if (env && env->kind == YAML_MAP)
        return source_fail(
            &r->b->source, env->mark, r->err,
            "no variables can be set for a function: name those that count in a list, as in [LANG], "
            "and give it values under 'with'");
    return 0;
}

/* Defaults that are for commands do not touch it. */
static void drop_defaults(batch_job *job)
{
    static const int success[] = {0};
    size_t kept = 0;
    job->shell = NULL;
    job->is_direct = job->clean_env = 0;
    job->cwd = NULL;
    job->ok_status = success;
    job->ok_count = 1;
    for (size_t i = 0; i < job->env_count; i++)
        if (!job->env[i].set)
            job->env[kept++] = job->env[i];
    job->env_count = kept;
}

/* ---- call ---- */

static int is_symbol(const char *s)
{
    return batch_env_name(s); /* the same letters */
}

static int read_target(batch_reader *r, const yaml_node *n, batch_job *job)
{
    static const char what[] = "a library and a function in it, as in ./libising.so:magnetisation";
    char word[SOURCE_WORD];
    const char *text;
    int code = read_literal(r, n, what, &text);
    const char *colon = code ? NULL : strrchr(text, ':');
    if (code)
        return code;
    if (!colon || colon == text || !colon[1])
        return read_expected(r, n, what);
    if (!is_symbol(colon + 1))
        return source_fail(&r->b->source, n->mark, r->err, "'%s' cannot be the name of a function in C",
                           source_word(word, colon + 1, strlen(colon + 1)));
    if (colon[-1] == '/')
        return source_fail(&r->b->source, n->mark, r->err, "'%s' is a folder: expected a library",
                           source_word(word, text, (size_t)(colon - text)));
    job->library = deja_arena_dup(&r->b->arena, text, (size_t)(colon - text));
    job->symbol = colon + 1;
    job->call_at = n->mark;
    return job->library ? 0 : read_no_memory(r);
}

/* ---- with ---- */

/* The path of a file argument as an input, where glob characters would have a meaning. */
static int add_input(batch_reader *r, const yaml_node *n, batch_job *job)
{
    DEJA_AUTO_BUFFER deja_buffer escaped = {0};
    batch_text *inputs = read_alloc(r, job->input_count + 1, sizeof *inputs);
    glob_escape(&escaped, n->text, n->len);
    if (!inputs || escaped.failed)
        return read_no_memory(r);
    yaml_node literal = *n;
    literal.plain = 0;
    literal.text = deja_buffer_string(&escaped);
    literal.len = escaped.len;
    if (job->input_count)
        memcpy(inputs, job->inputs, job->input_count * sizeof *inputs);
    int code = read_text(r, &literal, "a path", &inputs[job->input_count]);
    job->inputs = inputs;
    job->input_count += !code;
    return code;
}

static int read_file(batch_reader *r, const yaml_node *n, batch_job *job, batch_value *ret)
{
    char word[SOURCE_WORD];
    ret->kind = BATCH_VALUE_FILE;
    int code = read_text(r, n, "the path of a file", &ret->text);
    if (code)
        return code;
    if (!n->len)
        return source_fail(&r->b->source, n->mark, r->err, "the path of a file is empty");
    if (n->text[n->len - 1] == '/')
        return source_fail(&r->b->source, n->mark, r->err, "'%s' is a folder: an argument is one file",
                           source_word(word, n->text, n->len));
    return add_input(r, n, job);
}

static int has_escape(const template_text *t)
{
    size_t len = 0;
    for (size_t i = 0; i < t->count; i++)
        len += t->parts[i].len;
    return len != t->len;
}

static int read_scalar_value(batch_reader *r, const yaml_node *n, batch_value *ret)
{
    deja_error problem;
    ret->kind = BATCH_VALUE;
    if (yaml_is_null(n)) {
        ret->value = deja_null();
        return 0;
    }
    int code = read_text(r, n, "a value", &ret->text);
    if (code)
        return code;
    const template_text *t = ret->text.template;
    int is_text = !n->plain || t->expr_count || has_escape(t);
    if (!is_text && scalar_of(n->text, n->len, &ret->value, &problem) < 0)
        return source_fail(&r->b->source, n->mark, r->err, "%s", problem.text);
    if (is_text || ret->value.kind == DEJA_STRING)
        ret->kind = BATCH_VALUE_TEXT;
    return 0;
}

static int read_value(batch_reader *r, const yaml_node *n, batch_job *job, batch_value *ret);

static int read_items(batch_reader *r, const yaml_node *n, batch_job *job, batch_value *ret)
{
    int is_map = n->kind == YAML_MAP, code = 0;
    ret->kind = is_map ? BATCH_VALUE_MAP : BATCH_VALUE_LIST;
    ret->items = read_alloc(r, n->count, sizeof *ret->items);
    ret->names = read_alloc(r, n->count, sizeof *ret->names);
    if (!ret->items || !ret->names)
        return read_no_memory(r);
    for (; ret->count < n->count && !code; ret->count++) {
        const yaml_pair *pair = &n->pairs[ret->count];
        if (is_map) {
            yaml_node name = *pair->key;
            name.plain = 0;
            code = read_literal(r, &name, "a name", &ret->names[ret->count]);
        }
        if (!code)
            code = read_value(r, pair->value, job, &ret->items[ret->count]);
    }
    return code;
}

static int read_value(batch_reader *r, const yaml_node *n, batch_job *job, batch_value *ret)
{
    if (n->kind == YAML_SCALAR)
        return read_scalar_value(r, n, ret);
    if (n->kind == YAML_MAP && n->count == 1 && strcmp(n->pairs[0].key->text, "file") == 0)
        return read_file(r, n->pairs[0].value, job, ret);
    return read_items(r, n, job, ret);
}

static int read_with(batch_reader *r, const yaml_node *n, batch_job *job)
{
    static const char what[] = "a map of arguments, as in {T: 2.5, L: 64}";
    if (n->kind != YAML_MAP)
        return read_expected(r, n, what);
    int code = read_items(r, n, job, &job->with);
    for (size_t i = 0; i < job->with.count && !code; i++)
        if (!*job->with.names[i])
            code =
                source_fail(&r->b->source, n->pairs[i].key->mark, r->err, "the name of an argument is empty");
    return code;
}

int batch_read_call(batch_reader *r, const yaml_node *n, batch_job *job)
{
    const yaml_node *with = yaml_get(n, "with");
    int code = check_foreign(r, n);
    job->run = BATCH_CALL;
    job->with.kind = BATCH_VALUE_MAP;
    drop_defaults(job);
    if (!code)
        code = read_target(r, yaml_get(n, "call"), job);
    return code || !with ? code : read_with(r, with, job);
}
