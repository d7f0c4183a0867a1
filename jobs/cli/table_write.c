/* The rows of `--table` written, see table_write.h. */
#include "table_write.h"
#include "json.h"
#include "param_pairs.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>

enum {
    FLUSH_BYTES = 1 << 16,
    WHOLE_DIGITS = 15, /* of a whole number that a double holds exactly, whatever it is */
};

typedef struct columns {
    name_table table;   /* of parameters: number of the column */
    const char **names; /* by that number, borrowed from the rows */
    size_t cap;
    const char **cells; /* of one row; NULL: it has none */
} columns;

typedef struct writing {
    const table_writer *to;
    columns columns;
    deja_buffer text;
    int begun; /* JSON: a row was written */
} writing;

static int add_column(columns *c, const char *name, deja_error *err)
{
    size_t len = strlen(name), count = c->table.count;
    if (name_table_get(&c->table, name, len))
        return 0;
    if (count == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 16;
        const char **names = deja_realloc_array(c->names, cap, sizeof *names);
        if (!names)
            return deja_fail(err, DEJA_ENOMEM, "out of memory");
        c->names = names;
        c->cap = cap;
    }
    c->names[count] = name;
    return name_table_put(&c->table, name, len, (uint32_t)count)
               ? deja_fail(err, DEJA_ENOMEM, "out of memory")
               : 0;
}

static int find_columns(columns *c, const table_writer *w, deja_error *err)
{
    deja_reader r = {.data = (const unsigned char *)w->rows, .len = w->len};
    table_row row;
    int code = 0;
    while (!code && table_row_next(&row, &r)) {
        const char *name, *value;
        for (size_t at = 0; !code && param_pairs_next(row.pairs, row.pairs_len, &at, &name, &value);)
            code = add_column(c, name, err);
    }
    if (!code && r.failed)
        code = deja_fail(err, DEJA_EIO, "its rows ended early");
    c->cells = deja_calloc(c->table.count + 1, sizeof *c->cells);
    return code || c->cells ? code : deja_fail(err, DEJA_ENOMEM, "out of memory");
}

static int flush(writing *w, int more, deja_error *err)
{
    const table_writer *to = w->to;
    int code = w->text.failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
    if (!code && to->fd >= 0)
        code = deja_file_write_all(to->fd, deja_buffer_string(&w->text), w->text.len, to->path, err);
    else if (!code) {
        const flow_bytes bytes = {.data = w->text.data, .len = w->text.len, .fd = -1};
        outbox_put_part(to->box, &bytes, more);
    }
    deja_buffer_clear(&w->text);
    return code;
}

static size_t digits(const char **at)
{
    size_t count = strspn(*at, "0123456789");
    *at += count;
    return count;
}

/* 1 for a text that is a number of RFC 8259, section 6, and no long whole one. */
static int is_number(const char *text)
{
    const char *at = text + (*text == '-');
    int zero = *at == '0', whole = 1;
    size_t count = digits(&at);
    if (count == 0 || (zero && count > 1))
        return 0;
    if (*at == '.') {
        whole = 0;
        at++;
        if (digits(&at) == 0)
            return 0;
    }
    if (*at == 'e' || *at == 'E') {
        whole = 0;
        at += 1 + (at[1] == '-' || at[1] == '+');
        if (digits(&at) == 0)
            return 0;
    }
    return *at == '\0' && (!whole || count <= WHOLE_DIGITS);
}

/* 1 when one of our own columns is called so. */
static int is_ours(const char *name)
{
    for (size_t i = 0; i < TABLE_ROW_CELLS; i++)
        if (!strcmp(name, table_row_names[i]))
            return 1;
    return 0;
}

static void add_quoted(deja_buffer *b, const char *cell)
{
    if (!cell)
        return;
    if (!cell[strcspn(cell, ",\"\r\n")]) {
        deja_buffer_add_string(b, cell);
        return;
    }
    deja_buffer_add_char(b, '"');
    for (; *cell; cell++) {
        if (*cell == '"')
            deja_buffer_add_char(b, '"');
        deja_buffer_add_char(b, *cell);
    }
    deja_buffer_add_char(b, '"');
}

static void add_member(deja_buffer *b, const char *name, const char *cell)
{
    size_t len = cell ? strlen(cell) : 0;
    if (cell && !is_number(cell)) {
        json_bytes(b, name, cell, len);
        return;
    }
    json_name(b, name, strlen(name));
    deja_buffer_add(b, cell ? cell : "null", cell ? len : 4);
}

/* A cell, or with `cell` the same as `name` in a header. A parameter that is called as one of our columns
 * gets a name of its own. */
static void add_cell(writing *w, const char *name, int is_param, const char *cell, int is_header)
{
    DEJA_AUTO_BUFFER deja_buffer full = {0};
    if (is_param && is_ours(name))
        deja_buffer_add_string(&full, "param.");
    deja_buffer_add_string(&full, name);
    w->text.failed |= full.failed;
    if (w->to->form == TABLE_JSON) {
        add_member(&w->text, deja_buffer_string(&full), cell);
        return;
    }
    if (strcmp(name, table_row_names[TABLE_ROW_JOB]) != 0 || is_param)
        deja_buffer_add_char(&w->text, ',');
    add_quoted(&w->text, is_header ? deja_buffer_string(&full) : cell);
}

static void add_row(writing *w, const table_row *row)
{
    columns *c = &w->columns;
    for (size_t i = 0; i < TABLE_ROW_CELLS; i++) {
        add_cell(w, table_row_names[i], 0, row ? row->cells[i] : NULL, !row);
        for (size_t k = 0; i == TABLE_ROW_JOB && k < c->table.count; k++)
            add_cell(w, c->names[k], 1, row ? c->cells[k] : NULL, !row);
    }
}

static void add_line(writing *w, const table_row *row)
{
    columns *c = &w->columns;
    const char *name, *value;
    memset(c->cells, 0, c->table.count * sizeof *c->cells);
    for (size_t at = 0; row && param_pairs_next(row->pairs, row->pairs_len, &at, &name, &value);)
        c->cells[*name_table_get(&c->table, name, strlen(name))] = value;
    if (w->to->form == TABLE_CSV) {
        add_row(w, row);
        deja_buffer_add_char(&w->text, '\n');
        return;
    }
    deja_buffer_add_string(&w->text, w->begun ? ",\n{" : "\n{");
    add_row(w, row);
    deja_buffer_add_char(&w->text, '}');
    w->begun = 1;
}

static int write_all(writing *w, deja_error *err)
{
    deja_reader r = {.data = (const unsigned char *)w->to->rows, .len = w->to->len};
    table_row row;
    int code = 0, is_json = w->to->form == TABLE_JSON;
    if (is_json)
        deja_buffer_add_char(&w->text, '[');
    else
        add_line(w, NULL);
    while (!code && table_row_next(&row, &r)) {
        add_line(w, &row);
        if (w->text.len >= FLUSH_BYTES)
            code = flush(w, 1, err);
    }
    if (is_json)
        deja_buffer_add_string(&w->text, "\n]\n");
    return code ? code : flush(w, 0, err);
}

int table_write(const table_writer *to, deja_error *err)
{
    writing w = {.to = to};
    int code = find_columns(&w.columns, to, err);
    code = code ? code : write_all(&w, err);
    name_table_done(&w.columns.table);
    deja_free(w.columns.names);
    deja_free(w.columns.cells);
    deja_buffer_done(&w.text);
    return code;
}
