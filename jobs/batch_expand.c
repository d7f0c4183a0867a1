/*
 * Matrices whose values are read from files and folders.
 */
#include "batch_matrix.h"
#include "glob.h"
#include "sheet.h"
#include <deja/cleanup.h>
#include <stdlib.h>
#include <string.h>

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

/* All columns at once. */
static int expand_table(const batch *b, batch_job *job, const batch_table *t, deja_error *err)
{
    matrix_axis columns[BATCH_MOST_AXES], *axes = (matrix_axis *)&job->matrix->axes[t->first];
    sheet_file f = {.dirfd = b->folder_fd, .path = t->path, .is_json = t->is_json, .separator = t->separator};
    deja_error problem;
    int code = sheet_read(&f, t->names, t->columns, t->count, t->strict, columns, &problem);
    if (code) {
        source_fail(&b->source, t->at, err, "%s", problem.text);
        if (err)
            err->code = code;
        return code;
    }
    for (size_t i = 0; i < t->count; i++) {
        matrix_axis_done(&axes[i]);
        axes[i] = columns[i];
    }
    if (columns[0].count == 0 && !t->allow_empty)
        return source_fail(&b->source, t->at, err, "'%s' has no rows: 'allow-empty: true' permits that",
                           t->path);
    return 0;
}

int batch_expand(batch *b, batch_job *job, deja_error *err)
{
    if (job->expanded)
        return 0;
    int code = 0;
    for (size_t i = 0; i < job->matrix->count && !code; i++) {
        const batch_axis *from = &job->axes[i];
        if (from->from == AXIS_TABLE)
            code = from->table->first == i ? expand_table(b, job, from->table, err) : 0;
        else if (from->from != AXIS_FIXED)
            code = expand_axis(b, from, (matrix_axis *)&job->matrix->axes[i], err);
    }
    return code ? code : batch_shape(b, job, err);
}
