/*
 * Conditions over values: `{os: linux, n: [1, 2], text: {not: "*.bak"}}`. All of a map hold; of a list of
 * maps, one.
 */
#include "batch_matrix.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

static int read_value(batch_reader *r, const yaml_node *n, value_pattern *ret, uint8_t *ret_plain)
{
    const char *text;
    yaml_node value = *n;
    if (value.kind == YAML_SCALAR && value.len)
        value.plain = 0; /* as in a list of values */
    int code = read_pattern(r, &value, "a text or number", &text);
    if (code)
        return code;
    *ret_plain = (uint8_t)batch_is_plain(r, n);
    return value_pattern_init(ret, text, strlen(text), &r->b->arena) ? read_no_memory(r) : 0;
}

static int read_patterns(batch_reader *r, const yaml_node *n, batch_clause *c)
{
    size_t count = n->kind == YAML_LIST ? n->count : 1;
    value_pattern *patterns = read_alloc(r, count, sizeof *patterns);
    uint8_t *plain = read_alloc(r, count, 1);
    if (!patterns || !plain)
        return read_no_memory(r);
    if (count == 0)
        return source_fail(&r->b->source, n->mark, r->err, "the list is empty: no value is in it");
    c->patterns = patterns;
    c->plain = plain;
    c->count = count;
    int code = 0;
    for (size_t i = 0; i < count && !code; i++)
        code = read_value(r, n->kind == YAML_LIST ? n->pairs[i].value : n, &patterns[i], &plain[i]);
    return code;
}

int batch_read_clause(batch_reader *r, const yaml_pair *pair, size_t axis, batch_clause *ret)
{
    static const char *const words[] = {"not", NULL};
    const yaml_node *n = pair->value;
    *ret = (batch_clause){.axis = axis, .at = n->mark};
    if (n->kind != YAML_MAP)
        return read_patterns(r, n, ret);
    ret->negated = 1;
    int code = read_check_words(r, n, "a condition", words);
    if (code)
        return code;
    if (n->count == 0)
        return read_expected(r, n, "a value, a pattern, a list of them, or {not: ...}");
    if (n->pairs[0].value->kind == YAML_MAP)
        return read_expected(r, n->pairs[0].value, "a value, a pattern or a list of them");
    return read_patterns(r, n->pairs[0].value, ret);
}

static int is_when(const char *word)
{
    return strcmp(word, "when") == 0;
}

static int fail_unknown(batch_reader *r, const yaml_node *key, const batch_job *job, const char *word)
{
    char cut[SOURCE_WORD], hint[READ_HINT];
    size_t count = job->matrix->count, vars = is_when(word) ? r->b->var_count : 0;
    DEJA_AUTO_FREE const char **names = deja_calloc(count + vars + 1, sizeof *names);
    if (!names)
        return read_no_memory(r);
    for (size_t i = 0; i < count; i++)
        names[i] = job->matrix->axes[i].name;
    for (size_t i = 0; i < vars; i++)
        names[count + i] = r->b->vars[i].name;
    read_hint(hint, key->text, names, count + vars);
    return source_fail(&r->b->source, key->mark, r->err, "'%s' in '%s' is no name of the matrix%s%s",
                       source_word(cut, key->text, key->len), word, vars ? " and no variable" : "", hint);
}

/* What is asked of a variable is known now: a condition that cannot hold is `never`. */
static int read_var_clause(batch_reader *r, const yaml_pair *pair, const batch_var *var, batch_condition *c)
{
    batch_clause clause;
    matrix_axis value = {0};
    deja_error problem;
    int code = batch_read_clause(r, pair, 0, &clause), fits = 0;
    if (!code && matrix_list(&value, var->name, &var->text, 1, &problem))
        return batch_fail_at(r, pair->key->mark, &problem);
    for (size_t i = 0; i < clause.count && !code; i++)
        fits |= value_pattern_matches(&clause.patterns[i], &value, 0);
    c->never |= fits == clause.negated;
    matrix_axis_done(&value);
    return code;
}

static int read_condition(batch_reader *r, const yaml_node *n, const batch_job *job, const char *word,
                          batch_condition *ret)
{
    if (n->kind != YAML_MAP)
        return read_expected(r, n, "a map from names to values");
    if (n->count == 0)
        return source_fail(&r->b->source, n->mark, r->err, "expected names and what their values have to be");
    ret->at = n->mark;
    ret->clauses = read_alloc(r, n->count, sizeof *ret->clauses);
    if (!ret->clauses)
        return read_no_memory(r);
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++) {
        const yaml_pair *pair = &n->pairs[i];
        const matrix_axis *axis = matrix_axis_of(job->matrix, pair->key->text);
        const batch_var *var = axis || !is_when(word) ? NULL : batch_find_var(r->b, pair->key->text);
        if (axis)
            code =
                batch_read_clause(r, pair, (size_t)(axis - job->matrix->axes), &ret->clauses[ret->count++]);
        else
            code = var ? read_var_clause(r, pair, var, ret) : fail_unknown(r, pair->key, job, word);
    }
    return code;
}

int batch_read_conditions(batch_reader *r, const yaml_node *n, const batch_job *job, const char *word,
                          batch_condition **ret, size_t *ret_count)
{
    size_t count = n->kind == YAML_LIST ? n->count : 1;
    if (count == 0)
        return source_fail(&r->b->source, n->mark, r->err, "'%s' is an empty list", word);
    *ret = read_alloc(r, count, sizeof **ret);
    if (!*ret)
        return read_no_memory(r);
    *ret_count = 0;
    int code = 0;
    for (size_t i = 0; i < count && !code; i++) {
        batch_condition *c = &(*ret)[*ret_count];
        *c = (batch_condition){0};
        code = read_condition(r, n->kind == YAML_LIST ? n->pairs[i].value : n, job, word, c);
        *ret_count += !c->never;
    }
    return code;
}
