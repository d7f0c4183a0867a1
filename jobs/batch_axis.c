/*
 * One name of a matrix: lists and ranges have their values at once, globs and files when the batch is
 * expanded.
 */
#include "batch_matrix.h"
#include <string.h>

static const char *const axis_words[] = {"range", "linspace", "glob", "lines", "allow-empty", NULL};

int batch_fail_at(batch_reader *r, mark at, const deja_error *problem)
{
    if (problem->code == DEJA_ENOMEM)
        return read_no_memory(r);
    return source_fail(&r->b->source, at, r->err, "%s", problem->text);
}

int batch_is_plain(batch_reader *r, const yaml_node *n)
{
    yaml_node room;
    return read_var(r, n, &room)->plain;
}

int batch_read_value(batch_reader *r, const yaml_node *n, const char **ret)
{
    yaml_node value = *n;
    if (value.kind == YAML_SCALAR && value.len)
        value.plain = 0; /* null and ~ are texts here, spelled as they are */
    return read_literal(r, &value, "a text or number", ret);
}

static int read_values(batch_reader *r, const yaml_node *n, matrix_axis *axis, const char *name)
{
    if (n->count == 0)
        return source_fail(&r->b->source, n->mark, r->err, "the list of '%s' is empty: there would be no job",
                           name);
    const char **values = read_alloc(r, n->count, sizeof *values);
    uint8_t *plain = read_alloc(r, n->count, sizeof *plain);
    if (!values || !plain)
        return read_no_memory(r);
    for (size_t i = 0; i < n->count; i++) {
        plain[i] = (uint8_t)batch_is_plain(r, n->pairs[i].value);
        int code = batch_read_value(r, n->pairs[i].value, &values[i]);
        if (code)
            return code;
    }
    deja_error problem;
    int code = matrix_list(axis, name, values, n->count, &problem);
    if (!code)
        code = matrix_set_plain(axis, plain, &problem);
    if (code)
        matrix_axis_done(axis);
    return code ? batch_fail_at(r, n->mark, &problem) : 0;
}

static int read_range(batch_reader *r, const yaml_node *n, matrix_axis *axis, const char *name)
{
    static const char what[] =
        "the first and the last number and perhaps a step, as in [1, 8] or [0, 100, 10]";
    int64_t v[3] = {0, 0, 1};
    if (n->kind != YAML_LIST)
        return read_expected(r, n, what);
    if (n->count < 2 || n->count > 3)
        return source_fail(&r->b->source, n->mark, r->err, "expected %s", what);
    for (size_t i = 0; i < n->count; i++)
        if (!read_int(r, n->pairs[i].value, &v[i]))
            return read_expected(r, n->pairs[i].value, "a whole number");
    deja_error problem;
    return matrix_range(axis, name, v[0], v[1], v[2], &problem) ? batch_fail_at(r, n->mark, &problem) : 0;
}

static int read_linspace(batch_reader *r, const yaml_node *n, matrix_axis *axis, const char *name)
{
    static const char what[] = "the first and the last number and how many there are, as in [1.5, 3.5, 41]";
    double v[2];
    int64_t count;
    if (n->kind != YAML_LIST)
        return read_expected(r, n, what);
    if (n->count != 3)
        return source_fail(&r->b->source, n->mark, r->err, "expected %s", what);
    for (size_t i = 0; i < 2; i++)
        if (!read_real(r, n->pairs[i].value, &v[i]))
            return read_expected(r, n->pairs[i].value, "a number");
    if (!read_int(r, n->pairs[2].value, &count) || count < 1)
        return read_expected(r, n->pairs[2].value, "how many numbers there are, at least 1");
    deja_error problem;
    return matrix_linspace(axis, name, v[0], v[1], count, &problem) ? batch_fail_at(r, n->mark, &problem) : 0;
}

/* Patterns, or the path of a file of lines. */
static int read_files(batch_reader *r, const yaml_node *n, batch_axis *from)
{
    const char *what = from->from == AXIS_GLOB ? "a pattern" : "the path of a file";
    int many = from->from == AXIS_GLOB && n->kind == YAML_LIST;
    from->count = many ? n->count : 1;
    if (many && n->count == 0)
        return source_fail(&r->b->source, n->mark, r->err, "the list of patterns is empty");
    from->texts = read_alloc(r, from->count, sizeof *from->texts);
    mark *marks = read_alloc(r, from->count, sizeof *marks);
    from->marks = marks;
    if (!from->texts || !marks)
        return read_no_memory(r);
    for (size_t i = 0; i < from->count; i++) {
        const yaml_node *item = many ? n->pairs[i].value : n;
        int code = from->from == AXIS_GLOB ? read_pattern(r, item, what, &from->texts[i])
                                           : batch_read_origin(r, item, what, &from->texts[i], &from->origin);
        if (!code && !*from->texts[i])
            code = source_fail(&r->b->source, item->mark, r->err, "%s is empty", what);
        if (code)
            return code;
        marks[i] = item->mark;
    }
    return 0;
}

/* The one word of an axis' map that says where its values come from. */
static int find_source(batch_reader *r, const yaml_node *map, const yaml_pair **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < map->count; i++) {
        const yaml_node *key = map->pairs[i].key;
        if (strcmp(key->text, "allow-empty") == 0)
            continue;
        if (*ret)
            return source_fail(&r->b->source, key->mark, r->err,
                               "'%s' and '%s' together: expected one of them", (*ret)->key->text, key->text);
        *ret = &map->pairs[i];
    }
    return *ret ? 0
                : source_fail(&r->b->source, map->mark, r->err,
                              "expected one of range, linspace, glob, lines");
}

static int read_axis_map(batch_reader *r, const yaml_node *n, matrix_axis *axis, batch_axis *from,
                         const char *name)
{
    const yaml_pair *origin = NULL;
    int code = read_check_words(r, n, "a matrix", axis_words);
    if (!code)
        code = find_source(r, n, &origin);
    if (code)
        return code;
    const yaml_node *allow = yaml_get(n, "allow-empty");
    int is_range = strcmp(origin->key->text, "range") == 0,
        is_linspace = strcmp(origin->key->text, "linspace") == 0;
    if (allow && (is_range || is_linspace))
        return source_fail(&r->b->source, allow->mark, r->err, "'allow-empty' goes with glob and lines only");
    if (is_range)
        return read_range(r, origin->value, axis, name);
    if (is_linspace)
        return read_linspace(r, origin->value, axis, name);
    from->from = strcmp(origin->key->text, "glob") == 0 ? AXIS_GLOB : AXIS_LINES;
    code = read_files(r, origin->value, from);
    if (!code && allow)
        code = read_flag(r, allow, &from->allow_empty);
    deja_error problem;
    if (!code && matrix_list(axis, name, NULL, 0, &problem))
        code = batch_fail_at(r, n->mark, &problem);
    return code;
}

int batch_read_axis(batch_reader *r, const yaml_pair *pair, matrix_axis *axis, batch_axis *from)
{
    from->at = pair->key->mark;
    int code = read_name(r, pair->key, "a value of the matrix");
    if (code)
        return code;
    if (pair->value->kind == YAML_LIST)
        return read_values(r, pair->value, axis, pair->key->text);
    if (pair->value->kind == YAML_MAP)
        return read_axis_map(r, pair->value, axis, from, pair->key->text);
    return read_expected(r, pair->value, "a list of values or a map with range, linspace, glob or lines");
}
