/*
 * The word matrix: lists and ranges have their values at once, globs and files when the batch is expanded.
 */
#include "batch_read.h"
#include "glob.h"
#include <deja/cleanup.h>
#include <stdlib.h>
#include <string.h>

static const char *const axis_words[] = {"range", "linspace", "glob", "lines", "allow-empty", NULL};

/* Says what went wrong at `at`; running out of memory is no matter of the place. */
static int fail_at(batch_reader *r, mark at, const deja_error *problem)
{
    if (problem->code == DEJA_ENOMEM)
        return read_no_memory(r);
    return source_fail(&r->b->source, at, r->err, "%s", problem->text);
}

static int read_values(batch_reader *r, const yaml_node *n, matrix_axis *axis, batch_axis *from,
                       const char *name)
{
    if (n->count == 0)
        return source_fail(&r->b->source, n->mark, r->err, "the list of '%s' is empty: there would be no job",
                           name);
    const char **values = read_alloc(r, n->count, sizeof *values);
    uint8_t *plain = read_alloc(r, n->count, sizeof *plain);
    if (!values || !plain)
        return read_no_memory(r);
    from->plain = plain;
    for (size_t i = 0; i < n->count; i++) {
        yaml_node value = *n->pairs[i].value;
        plain[i] = (uint8_t)value.plain;
        if (value.kind == YAML_SCALAR && value.len)
            value.plain = 0; /* null and ~ are texts here, spelled as they are */
        int code = read_literal(r, &value, "a text or number", &values[i]);
        if (code)
            return code;
    }
    deja_error problem;
    return matrix_list(axis, name, values, n->count, &problem) ? fail_at(r, n->mark, &problem) : 0;
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
        if (!yaml_int(n->pairs[i].value, &v[i]))
            return read_expected(r, n->pairs[i].value, "a whole number");
    deja_error problem;
    return matrix_range(axis, name, v[0], v[1], v[2], &problem) ? fail_at(r, n->mark, &problem) : 0;
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
        if (!yaml_double(n->pairs[i].value, &v[i]))
            return read_expected(r, n->pairs[i].value, "a number");
    if (!yaml_int(n->pairs[2].value, &count) || count < 1)
        return read_expected(r, n->pairs[2].value, "how many numbers there are, at least 1");
    deja_error problem;
    return matrix_linspace(axis, name, v[0], v[1], count, &problem) ? fail_at(r, n->mark, &problem) : 0;
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
    from->marks = read_alloc(r, from->count, sizeof *from->marks);
    if (!from->texts || !from->marks)
        return read_no_memory(r);
    for (size_t i = 0; i < from->count; i++) {
        const yaml_node *item = many ? n->pairs[i].value : n;
        int code = read_literal(r, item, what, &from->texts[i]);
        if (!code && !*from->texts[i])
            code = source_fail(&r->b->source, item->mark, r->err, "%s is empty", what);
        if (code)
            return code;
        from->marks[i] = item->mark;
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
        code = fail_at(r, n->mark, &problem);
    return code;
}

static int read_axis(batch_reader *r, const yaml_pair *pair, matrix_axis *axis, batch_axis *from)
{
    from->at = pair->key->mark;
    int code = read_name(r, pair->key, "a value of the matrix");
    if (code)
        return code;
    if (pair->value->kind == YAML_LIST)
        return read_values(r, pair->value, axis, from, pair->key->text);
    if (pair->value->kind == YAML_MAP)
        return read_axis_map(r, pair->value, axis, from, pair->key->text);
    return read_expected(r, pair->value, "a list of values or a map with range, linspace, glob or lines");
}

static int check_count(batch_reader *r, const yaml_node *n, const batch_job *job)
{
    uint32_t count;
    deja_error problem;
    if (job->matrix_reads || !matrix_count(job->matrix, &count, &problem))
        return 0;
    return fail_at(r, n->mark, &problem);
}

int batch_read_matrix(batch_reader *r, const yaml_node *n, batch_job *job)
{
    if (n && n->kind != YAML_MAP)
        return read_expected(r, n, "a map from names to values");
    if (n && n->count == 0)
        return source_fail(&r->b->source, n->mark, r->err,
                           "'matrix' is empty: expected names and their values");
    size_t count = n ? n->count : 0;
    if (count > BATCH_MOST_AXES)
        return source_fail(&r->b->source, n->pairs[BATCH_MOST_AXES].key->mark, r->err,
                           "more than %d names in a matrix", BATCH_MOST_AXES);
    matrix_axis *axes = read_alloc(r, count, sizeof *axes);
    job->axes = read_alloc(r, count, sizeof *job->axes);
    matrix *m = read_alloc(r, 1, sizeof *m);
    if (!axes || !job->axes || !m)
        return read_no_memory(r);
    *m = (matrix){.axes = axes, .count = count};
    job->matrix = m;
    for (size_t i = 0; i < count; i++) {
        int code = read_axis(r, &n->pairs[i], &axes[i], &job->axes[i]);
        if (code)
            return code;
        job->matrix_reads |= job->axes[i].from != AXIS_FIXED;
    }
    job->expanded = !job->matrix_reads;
    return n ? check_count(r, n, job) : 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The paths of several patterns, each once, sorted by bytes. */
static int glob_many(const batch *b, const batch_axis *from, const char *name, matrix_axis *ret,
                     deja_error *err)
{
    glob_list found = {0};
    deja_arena arena = {0};
    const char **paths = NULL;
    size_t count = 0, cap = 0;
    int code = 0;
    for (size_t i = 0; i < from->count && !code; i++) {
        code = glob_find(b->folder_fd, from->texts[i], &found, err);
        for (size_t k = 0; k < found.count && !code; k++) {
            const char **grown = deja_grow(paths, count, &cap, sizeof *grown);
            paths = grown ? grown : paths;
            const char *path = grown ? deja_arena_dup(&arena, found.paths[k], strlen(found.paths[k])) : NULL;
            if (path)
                paths[count++] = path;
            else
                code = deja_fail(err, DEJA_ENOMEM, "out of memory");
        }
    }
    if (count)
        qsort(paths, count, sizeof *paths, compare_texts);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(paths[kept - 1], paths[i]) != 0)
            paths[kept++] = paths[i];
    if (!code)
        code = matrix_list(ret, name, paths, kept, err);
    deja_free(paths);
    deja_arena_done(&arena);
    glob_list_done(&found);
    return code;
}

static int read_source(const batch *b, const batch_axis *from, const char *name, matrix_axis *ret,
                       deja_error *err)
{
    if (from->from == AXIS_LINES)
        return matrix_lines(ret, name, b->folder_fd, from->texts[0], err);
    if (from->count == 1)
        return matrix_glob(ret, name, b->folder_fd, from->texts[0], err);
    return glob_many(b, from, name, ret, err);
}

static int fail_empty(const batch *b, const batch_axis *from, deja_error *err)
{
    if (from->from == AXIS_LINES)
        return source_fail(&b->source, from->marks[0], err,
                           "'%s' has no lines: 'allow-empty: true' permits that", from->texts[0]);
    return source_fail(&b->source, from->marks[0], err,
                       "no file matches %s%s%s: 'allow-empty: true' permits that",
                       from->count == 1 ? "'" : "any of these patterns",
                       from->count == 1 ? from->texts[0] : "", from->count == 1 ? "'" : "");
}

static int expand_axis(const batch *b, const batch_axis *from, matrix_axis *axis, deja_error *err)
{
    deja_error problem;
    matrix_axis values = {0};
    int code = read_source(b, from, axis->name, &values, &problem);
    if (code) {
        source_fail(&b->source, from->marks[0], err, "%s", problem.text);
        if (err)
            err->code = code;
        return code;
    }
    if (values.count == 0 && !from->allow_empty) {
        matrix_axis_done(&values);
        return fail_empty(b, from, err);
    }
    matrix_axis_done(axis);
    *axis = values;
    return 0;
}

int batch_expand(batch *b, batch_job *job, deja_error *err)
{
    uint32_t count;
    if (job->expanded)
        return 0;
    for (size_t i = 0; i < job->matrix->count; i++) {
        int code = job->axes[i].from == AXIS_FIXED
                       ? 0
                       : expand_axis(b, &job->axes[i], (matrix_axis *)&job->matrix->axes[i], err);
        if (code)
            return code;
    }
    deja_error problem;
    if (matrix_count(job->matrix, &count, &problem))
        return source_fail(&b->source, job->axes[0].at, err, "%s", problem.text);
    job->expanded = 1;
    return 0;
}
