/*
 * Tables as sources of a matrix: `csv: FILE`, or a map that also says which columns, and how they are
 * separated.
 */
#include "batch_matrix.h"
#include "sheet.h"
#include <string.h>

static const char *const csv_words[] = {"file", "columns", "separator", "allow-empty", NULL};
static const char *const json_words[] = {"file", "columns", "allow-empty", NULL};

static int read_path(batch_reader *r, const yaml_node *n, batch_table *t)
{
    int code = batch_read_origin(r, n, "the path of a file", &t->path, &t->origin);
    t->at = n->mark;
    return !code && !*t->path ? source_fail(&r->b->source, n->mark, r->err, "the path of a file is empty")
                              : code;
}

static int read_separator(batch_reader *r, const yaml_node *n, batch_table *t)
{
    static const char what[] = "one character, such as ';' or \"\\t\"";
    int code = read_scalar(r, n, what);
    if (code)
        return code;
    if (n->len != 1 || strchr("\"\n\r", *n->text) || (unsigned char)*n->text >= 0x80)
        return read_expected(r, n, what);
    t->separator = *n->text;
    return 0;
}

/* A list of columns, or a map from names to columns where these are no names. */
static int read_columns(batch_reader *r, const yaml_node *n, batch_table *t)
{
    static const char what[] = "a list of columns, or a map from names to columns";
    if (n->kind == YAML_SCALAR)
        return read_expected(r, n, what);
    if (n->count == 0)
        return source_fail(&r->b->source, n->mark, r->err, "expected %s, found an empty one", what);
    const char **names = read_alloc(r, n->count, sizeof *names),
               **columns = read_alloc(r, n->count, sizeof *columns);
    if (!names || !columns)
        return read_no_memory(r);
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++) {
        const yaml_node *value = n->pairs[i].value, *name = n->kind == YAML_MAP ? n->pairs[i].key : value;
        code = batch_read_value(r, value, &columns[i]);
        if (!code)
            code = read_name(r, name, "a value of the matrix");
        names[i] = code ? NULL : n->kind == YAML_MAP ? read_keep(r, name) : columns[i];
        code = code || names[i] ? code : read_no_memory(r);
    }
    t->names = names;
    t->columns = columns;
    t->count = n->count;
    return code;
}

static int read_map(batch_reader *r, const yaml_node *n, batch_table *t)
{
    const yaml_node *file = yaml_get(n, "file"), *columns = yaml_get(n, "columns"),
                    *separator = yaml_get(n, "separator"), *allow = yaml_get(n, "allow-empty");
    int code = read_check_words(r, n, "a table", t->is_json ? json_words : csv_words);
    if (!code && !file)
        code = source_fail(&r->b->source, n->mark, r->err, "'file' is missing: expected {file: PATH, ...}");
    if (!code)
        code = read_path(r, file, t);
    if (!code && columns)
        code = read_columns(r, columns, t);
    if (!code && separator)
        code = read_separator(r, separator, t);
    return !code && allow ? read_flag(r, allow, &t->allow_empty) : code;
}

/* The names are those of the file, which has to be there. */
static int ask_file(batch_reader *r, batch_table *t)
{
    if (t->origin)
        return source_fail(
            &r->b->source, t->at, r->err,
            "what a job makes has columns that are not known yet: name them, {file: ..., columns: [...]}");
    sheet_file f = {
        .dirfd = r->b->folder_fd, .path = t->path, .is_json = t->is_json, .separator = t->separator};
    deja_error problem;
    int code = sheet_names(&f, &r->b->arena, &t->names, &t->count, &problem);
    if (code == DEJA_ENOTFOUND)
        return source_fail(
            &r->b->source, t->at, r->err,
            "'%s' is not there, so its columns are not known: name them, {file: %s, columns: [...]}", t->path,
            t->path);
    if (code)
        return batch_fail_at(r, t->at, &problem);
    t->columns = t->names;
    t->strict = 1;
    for (size_t i = 0; i < t->count && !code; i++) {
        yaml_node name = {.text = t->names[i], .len = strlen(t->names[i]), .mark = t->at};
        code = read_name(r, &name, "a value of the matrix");
    }
    return code;
}

int batch_read_table(batch_reader *r, const yaml_pair *pair, batch_table *ret)
{
    const yaml_node *n = pair->value;
    *ret = (batch_table){.is_json = strcmp(pair->key->text, "ndjson") == 0, .separator = ','};
    int code = n->kind == YAML_MAP ? read_map(r, n, ret) : read_path(r, n, ret);
    return code || ret->names ? code : ask_file(r, ret);
}
