/*
 * The word matrix: names with their values, names that advance together, and what is added and left out.
 */
#include "batch_matrix.h"
#include <deja/text.h>
#include <string.h>

/* What a matrix says besides names. */
static const char *const matrix_words[] = {"zip", "csv", "ndjson", "include", "exclude", NULL};

/* A matrix that is being read. */
typedef struct reader {
    batch_reader *r;
    batch_job *job;
    matrix_axis *axes;
    size_t count, room; /* of axes */
    uint32_t groups;
    batch_rules *rules;
} reader;

static int is_word(const char *name)
{
    for (size_t i = 0; matrix_words[i]; i++)
        if (strcmp(matrix_words[i], name) == 0)
            return 1;
    return 0;
}

/* ---- room ---- */

static size_t pairs_of(const yaml_node *n)
{
    size_t count = n && n->kind == YAML_MAP ? n->count : 0;
    for (size_t i = 0; n && n->kind == YAML_LIST && i < n->count; i++)
        count += n->pairs[i].value->kind == YAML_MAP ? n->pairs[i].value->count : 0;
    return count;
}

static int make_room(reader *k, size_t room)
{
    matrix_axis *axes = read_alloc(k->r, room, sizeof *axes);
    batch_axis *from = read_alloc(k->r, room, sizeof *from);
    if (!axes || !from)
        return read_no_memory(k->r);
    if (k->count) {
        memcpy(axes, k->axes, k->count * sizeof *axes);
        memcpy(from, k->job->axes, k->count * sizeof *from);
    }
    k->axes = axes;
    k->job->axes = from;
    k->job->matrix->axes = axes;
    k->room = room;
    return 0;
}

static int make_matrix(reader *k, const yaml_node *n)
{
    k->job->matrix = read_alloc(k->r, 1, sizeof *k->job->matrix);
    return k->job->matrix ? make_room(k, pairs_of(n)) : read_no_memory(k->r);
}

static int find_axis(const reader *k, const char *name, size_t *ret)
{
    for (*ret = 0; *ret < k->count; ++*ret)
        if (strcmp(k->axes[*ret].name, name) == 0)
            return 1;
    return 0;
}

/* ---- names ---- */

/* Room for one more name, which stands at `place`. */
static int check_new(reader *k, const char *name, mark place)
{
    size_t at;
    if (k->count == BATCH_MOST_AXES)
        return source_fail(&k->r->b->source, place, k->r->err, "more than %d names in a matrix",
                           BATCH_MOST_AXES);
    if (is_word(name))
        return source_fail(&k->r->b->source, place, k->r->err,
                           "'%s' cannot name a value of the matrix: it has a meaning there", name);
    if (find_axis(k, name, &at))
        return source_fail(&k->r->b->source, place, k->r->err,
                           "'%s' is already a name of the matrix, in line %u", name,
                           k->job->axes[at].at.line);
    return k->count < k->room ? 0 : make_room(k, 2 * k->room + 4);
}

static int add_axis(reader *k, const yaml_pair *pair, uint32_t group)
{
    int code = check_new(k, pair->key->text, pair->key->mark);
    if (code)
        return code;
    batch_axis *from = &k->job->axes[k->count];
    code = batch_read_axis(k->r, pair, &k->axes[k->count], from);
    if (code)
        return code;
    from->group = group;
    k->job->matrix_reads |= from->from != AXIS_FIXED;
    k->job->matrix->count = ++k->count;
    return 0;
}

/* The columns of a table are names that advance together. */
static int add_table(reader *k, const yaml_pair *pair, uint32_t group)
{
    deja_error problem;
    batch_table *t = read_alloc(k->r, 1, sizeof *t);
    int code = t ? batch_read_table(k->r, pair, t) : read_no_memory(k->r);
    if (code)
        return code;
    t->first = k->count;
    for (size_t i = 0; i < t->count && !code; i++) {
        code = check_new(k, t->names[i], t->at);
        if (!code && matrix_list(&k->axes[k->count], t->names[i], NULL, 0, &problem))
            code = batch_fail_at(k->r, t->at, &problem);
        if (code)
            return code;
        k->job->axes[k->count] = (batch_axis){.at = t->at,
                                              .group = group,
                                              .from = AXIS_TABLE,
                                              .table = t,
                                              .texts = (const char **)&t->path,
                                              .marks = &t->at,
                                              .count = 1};
        k->job->matrix->count = ++k->count;
    }
    k->job->matrix_reads = 1;
    k->rules->is_zipped |= t->count > 1;
    return 0;
}

static int is_table(const yaml_pair *pair)
{
    return strcmp(pair->key->text, "csv") == 0 || strcmp(pair->key->text, "ndjson") == 0;
}

/* Names that advance together. */
static int add_group(reader *k, const yaml_node *n)
{
    static const char what[] = "a map from names to values that advance together";
    if (n->kind != YAML_MAP)
        return read_expected(k->r, n, what);
    if (n->count == 0)
        return source_fail(&k->r->b->source, n->mark, k->r->err, "expected %s, found an empty one", what);
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++)
        code = is_table(&n->pairs[i]) ? add_table(k, &n->pairs[i], k->groups)
                                      : add_axis(k, &n->pairs[i], k->groups);
    k->groups++;
    k->rules->is_zipped |= n->count > 1;
    return code;
}

static int add_zip(reader *k, const yaml_node *n)
{
    if (n->kind != YAML_LIST)
        return add_group(k, n);
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++)
        code = add_group(k, n->pairs[i].value);
    return code;
}

/* ---- include ---- */

/* A name that only rows of `include` have. Its values are theirs. */
static int add_given(reader *k, const yaml_node *key, int is_own)
{
    deja_error problem;
    int code = check_new(k, key->text, key->mark);
    if (!code)
        code = read_name(k->r, key, "a value of the matrix");
    if (code)
        return code;
    if (matrix_list(&k->axes[k->count], key->text, NULL, 0, &problem))
        return batch_fail_at(k->r, key->mark, &problem);
    k->job->axes[k->count] = (batch_axis){.at = key->mark, .group = is_own ? k->groups++ : MATRIX_ADDED};
    k->job->matrix->count = ++k->count;
    return 0;
}

static int add_value(reader *k, const yaml_pair *pair, size_t axis, batch_entry *e)
{
    batch_given *g = &e->given[e->given_count++];
    *g = (batch_given){.axis = axis, .plain = batch_is_plain(k->r, pair->value)};
    return batch_read_value(k->r, pair->value, &g->text);
}

/* Names of the matrix say which rows are meant, others get their value there. Without names of its own a
 * matrix has those of the first entry. */
static int read_entry(reader *k, const yaml_node *n, int first, batch_entry *e)
{
    int is_own = first && k->count == 0, code = 0;
    if (n->kind != YAML_MAP)
        return read_expected(k->r, n, "a map from names to values");
    if (n->count == 0)
        return source_fail(&k->r->b->source, n->mark, k->r->err, "expected names with their values");
    e->where.at = n->mark;
    e->where.clauses = read_alloc(k->r, n->count, sizeof *e->where.clauses);
    e->given = read_alloc(k->r, n->count, sizeof *e->given);
    if (!e->where.clauses || !e->given)
        return read_no_memory(k->r);
    for (size_t i = 0; i < n->count && !code; i++) {
        const yaml_pair *pair = &n->pairs[i];
        size_t axis;
        int known = find_axis(k, pair->key->text, &axis);
        if (!known)
            code = add_given(k, pair->key, is_own);
        if (!code && k->job->axes[axis].group == MATRIX_ADDED)
            code = add_value(k, pair, axis, e);
        else if (!code)
            code = batch_read_clause(k->r, pair, axis, &e->where.clauses[e->where.count++]);
    }
    return code;
}

static int read_include(reader *k, const yaml_node *n)
{
    if (n->kind != YAML_LIST)
        return read_expected(k->r, n, "a list of rows, each a map from names to values");
    k->rules->entries = read_alloc(k->r, n->count, sizeof *k->rules->entries);
    if (!k->rules->entries)
        return read_no_memory(k->r);
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++)
        code = read_entry(k, n->pairs[i].value, i == 0, &k->rules->entries[i]);
    k->rules->entry_count = n->count;
    return code;
}

/* ---- the whole ---- */

static int read_names(reader *k, const yaml_node *n)
{
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++) {
        const yaml_pair *pair = &n->pairs[i];
        if (strcmp(pair->key->text, "zip") == 0)
            code = add_zip(k, pair->value);
        else if (is_table(pair))
            code = add_table(k, pair, k->groups++);
        else if (!is_word(pair->key->text))
            code = add_axis(k, pair, k->groups++);
    }
    return code;
}

static int read_matrix(reader *k, const yaml_node *n)
{
    const yaml_node *exclude = yaml_get(n, "exclude"), *include = yaml_get(n, "include");
    int code = read_names(k, n);
    if (!code && exclude)
        code = batch_read_conditions(k->r, exclude, k->job, "exclude", &k->rules->exclude,
                                     &k->rules->exclude_count);
    if (!code && include)
        code = read_include(k, include);
    if (!code && k->count == 0)
        code = source_fail(&k->r->b->source, n->mark, k->r->err,
                           "the matrix has no names: expected names and their values");
    return code;
}

int batch_read_matrix(batch_reader *r, const yaml_node *n, const yaml_node *when, batch_job *job)
{
    if (n && n->kind != YAML_MAP)
        return read_expected(r, n, "a map from names to values");
    if (n && n->count == 0)
        return source_fail(&r->b->source, n->mark, r->err,
                           "'matrix' is empty: expected names and their values");
    batch_rules rules = {0};
    reader k = {.r = r, .job = job, .rules = &rules};
    int code = make_matrix(&k, n);
    job->matrix_at = n ? n->mark : job->at;
    if (!code && n)
        code = read_matrix(&k, n);
    if (!code && when) {
        rules.has_when = 1;
        code = batch_read_conditions(r, when, job, "when", &rules.when, &rules.when_count);
    }
    if (code)
        return code;
    if (rules.is_zipped || rules.has_when || rules.exclude_count || rules.entry_count) {
        job->rules = read_alloc(r, 1, sizeof *job->rules);
        if (!job->rules)
            return read_no_memory(r);
        *job->rules = rules;
    }
    return job->matrix_reads ? 0 : batch_shape(r->b, job, r->err);
}
