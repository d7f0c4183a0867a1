/*
 * Columns of a table.
 */
#include "sheet.h"
#include "sheet_row.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/text.h>
#include <string.h>

#define FILE_LIMIT ((size_t)1024 << 20) /* bytes of a table */
#define NONE       SIZE_MAX

/* The values of one column, in the text of the file. */
typedef struct column {
    const char **values;
    uint8_t *plain;
    size_t count, value_cap, plain_cap;
    size_t at; /* CSV: number of the column */
} column;

/* A table that is being read. */
typedef struct reader {
    const sheet_file *file;
    deja_buffer bytes;
    sheet_text text;
    sheet_row row;
    deja_error *err;
} reader;

static int no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "out of memory");
}

/* Puts the file in front of what is wrong with it. */
static int fault(const reader *r, const deja_error *problem)
{
    if (problem->code == DEJA_ENOMEM)
        return no_memory(r->err);
    return deja_fail(r->err, DEJA_ESYNTAX, "'%s', %s", r->file->path, problem->text);
}

static int reader_open(reader *r)
{
    static const char mark[] = "\xef\xbb\xbf";
    int code = deja_file_load(r->file->dirfd, r->file->path, FILE_LIMIT, &r->bytes, r->err);
    if (code)
        return code;
    if (r->bytes.len && memchr(r->bytes.data, 0, r->bytes.len))
        return deja_fail(r->err, DEJA_EINVAL, "'%s' holds a NUL byte", r->file->path);
    deja_buffer_add_char(&r->bytes, '\0'); /* a last value gets its NUL here */
    if (r->bytes.failed)
        return no_memory(r->err);
    size_t skip = r->bytes.len > 3 && memcmp(r->bytes.data, mark, 3) == 0 ? 3 : 0;
    r->text = (sheet_text){.at = r->bytes.data + skip,
                           .end = r->bytes.data + r->bytes.len - 1,
                           .line = 1,
                           .separator = r->file->separator};
    return 0;
}

static void reader_close(reader *r)
{
    deja_free(r->row.cells);
    deja_buffer_done(&r->bytes);
}

static int next_row(reader *r)
{
    deja_error problem;
    int more = r->file->is_json ? sheet_row_json(&r->text, &r->row, &problem)
                                : sheet_row_csv(&r->text, &r->row, &problem);
    return more < 0 ? fault(r, &problem) : more;
}

/* The first row: of CSV its names, of JSON an object. */
static int first_row(reader *r)
{
    int more = next_row(r);
    if (more)
        return more < 0 ? more : 0;
    return deja_fail(r->err, DEJA_ESYNTAX,
                     r->file->is_json ? "'%s' has no line: nothing says which names there are"
                                      : "'%s' is empty: expected a first line with the names of the columns",
                     r->file->path);
}

static const char *name_of(const sheet_cell *c)
{
    return c->name ? c->name : c->text;
}

static int fail_column(const reader *r, const char *wanted)
{
    const char *names[256];
    size_t count = r->row.count < 256 ? r->row.count : 256;
    for (size_t i = 0; i < count; i++)
        names[i] = name_of(&r->row.cells[i]);
    const char *near = deja_text_nearest(wanted, names, count);
    return deja_fail(r->err, DEJA_ENOTFOUND, "'%s', line %u: no column '%s'%s%s%s", r->file->path,
                     r->row.line, wanted, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* The cell of that name in the row, NONE when there is none; `*ret_twice`: more than one. */
static size_t find_cell(const sheet_row *row, const char *name, int *ret_twice)
{
    size_t found = NONE;
    *ret_twice = 0;
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(name_of(&row->cells[i]), name) == 0) {
            *ret_twice |= found != NONE;
            found = i;
        }
    return found;
}

static int locate(const reader *r, const char *name, size_t *ret)
{
    int twice;
    *ret = find_cell(&r->row, name, &twice);
    if (*ret == NONE)
        return fail_column(r, name);
    return twice ? deja_fail(r->err, DEJA_ESYNTAX, "'%s', line %u: the column '%s' stands twice",
                             r->file->path, r->row.line, name)
                 : 0;
}

static int add_value(const reader *r, column *c, const sheet_cell *cell, const char *name)
{
    if (!cell->is_scalar)
        return deja_fail(r->err, DEJA_ESYNTAX,
                         "'%s', line %u: '%s' is a list or an object, expected a single value", r->file->path,
                         r->row.line, name);
    const char **values = deja_grow((void *)c->values, c->count, &c->value_cap, sizeof *values);
    c->values = values ? values : c->values;
    uint8_t *plain = values ? deja_grow(c->plain, c->count, &c->plain_cap, 1) : NULL;
    c->plain = plain ? plain : c->plain;
    if (!plain)
        return no_memory(r->err);
    values[c->count] = cell->text;
    plain[c->count++] = (uint8_t)cell->plain;
    return 0;
}

static int fail_width(const reader *r, size_t expected)
{
    return deja_fail(r->err, DEJA_ESYNTAX, "'%s', line %u: %zu %s, expected %zu", r->file->path, r->row.line,
                     r->row.count, r->row.count == 1 ? "value" : "values", expected);
}

/* A row of CSV has its values by their places, an object by their names. */
static int take_row(const reader *r, const char *const *names, column *columns, size_t count, size_t width)
{
    int code = 0;
    if (width && r->row.count != width)
        return fail_width(r, width);
    for (size_t i = 0; i < count && !code; i++) {
        if (r->file->is_json)
            code = locate(r, names[i], &columns[i].at);
        if (!code)
            code = add_value(r, &columns[i], &r->row.cells[columns[i].at], names[i]);
    }
    return code;
}

/* The first row of CSV says where the columns are. */
static int read_header(reader *r, const char *const *names, column *columns, size_t count, int strict)
{
    int code = first_row(r);
    for (size_t i = 0; i < count && !code; i++)
        code = locate(r, names[i], &columns[i].at);
    if (code || !strict || r->row.count == count)
        return code;
    return deja_fail(r->err, DEJA_ESYNTAX, "'%s' has other columns than when the batch was loaded",
                     r->file->path);
}

static int read_rows(reader *r, const char *const *names, column *columns, size_t count, int strict)
{
    int is_json = r->file->is_json, more = 1;
    int code = is_json ? 0 : read_header(r, names, columns, count, strict);
    size_t width = !is_json ? r->row.count : strict ? count : 0;
    while (!code && (more = next_row(r)) > 0)
        code = take_row(r, names, columns, count, width);
    return code ? code : more < 0 ? more : 0;
}

static int make_axes(const char *const *names, const column *columns, size_t count, matrix_axis *ret,
                     deja_error *err)
{
    int code = 0;
    size_t made = 0;
    for (; made < count && !code; made++) {
        code = matrix_list(&ret[made], names[made], columns[made].values, columns[made].count, err);
        if (!code && columns[made].count)
            code = matrix_set_plain(&ret[made], columns[made].plain, err);
    }
    for (size_t i = 0; code && i < made; i++)
        matrix_axis_done(&ret[i]);
    return code;
}

int sheet_read(const sheet_file *f, const char *const *names, const char *const *columns, size_t count,
               int strict, matrix_axis *ret, deja_error *err)
{
    reader r = {.file = f, .err = err};
    column *all = deja_calloc(count ? count : 1, sizeof *all);
    memset(ret, 0, count * sizeof *ret);
    int code = all ? reader_open(&r) : no_memory(err);
    if (!code)
        code = read_rows(&r, columns, all, count, strict);
    if (!code)
        code = make_axes(names, all, count, ret, err);
    for (size_t i = 0; all && i < count; i++) {
        deja_free(all[i].values);
        deja_free(all[i].plain);
    }
    deja_free(all);
    reader_close(&r);
    return code;
}

int sheet_names(const sheet_file *f, deja_arena *arena, const char *const **ret, size_t *ret_count,
                deja_error *err)
{
    reader r = {.file = f, .err = err};
    int code = reader_open(&r);
    if (!code)
        code = first_row(&r);
    const char **names = code ? NULL : deja_arena_alloc(arena, (r.row.count + 1) * sizeof *names);
    for (size_t i = 0; names && i < r.row.count; i++) {
        const char *name = name_of(&r.row.cells[i]);
        names[i] = deja_arena_dup(arena, name, strlen(name));
    }
    if (!code && (!names || arena->failed))
        code = no_memory(err);
    *ret = names;
    *ret_count = r.row.count;
    reader_close(&r);
    return code;
}
