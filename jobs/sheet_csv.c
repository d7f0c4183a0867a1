/*
 * Rows of CSV (RFC 4180).
 */
#include "sheet_row.h"
#include <deja/memory.h>
#include <string.h>

sheet_cell *sheet_row_add(sheet_row *row)
{
    sheet_cell *grown = deja_grow(row->cells, row->count, &row->cap, sizeof *grown);
    if (!grown)
        return NULL;
    row->cells = grown;
    grown[row->count] = (sheet_cell){.is_scalar = 1};
    return &grown[row->count++];
}

static void skip_blank(sheet_text *t)
{
    while (t->at < t->end && (*t->at == '\n' || (*t->at == '\r' && t->at + 1 < t->end && t->at[1] == '\n'))) {
        t->line += *t->at == '\n';
        t->at++;
    }
}

/* A value in quotes: its text is moved to where the quote stood. 0, or the error. */
static int read_quoted(sheet_text *t, sheet_cell *c, deja_error *err)
{
    uint32_t line = t->line;
    char *to = t->at++;
    c->text = to;
    for (; t->at < t->end; t->at++) {
        if (*t->at == '"') {
            if (t->at + 1 == t->end || t->at[1] != '"') {
                t->at++;
                *to = '\0';
                return 0;
            }
            t->at++;
        }
        t->line += *t->at == '\n';
        *to++ = *t->at;
    }
    return deja_fail(err, DEJA_ESYNTAX, "line %u: the quote that begins a value here is never closed", line);
}

static int read_bare(sheet_text *t, sheet_cell *c, deja_error *err)
{
    c->text = t->at;
    while (t->at < t->end && *t->at != t->separator && *t->at != '\n' && *t->at != '"')
        t->at++;
    if (t->at > c->text && t->at[-1] == '\r' && (t->at == t->end || *t->at == '\n'))
        t->at--;
    if (t->at < t->end && *t->at == '"')
        return deja_fail(err, DEJA_ESYNTAX,
                         "line %u: a quote inside a value: put the whole value into quotes and double it",
                         t->line);
    c->plain = t->at > c->text;
    return 0;
}

/* What follows a value: 1 another one, 0 the row ends here. The value gets its NUL. */
static int end_value(sheet_text *t, deja_error *err)
{
    char *end = t->at;
    if (t->at < t->end && *t->at == '\r' && (t->at + 1 == t->end || t->at[1] == '\n'))
        t->at++;
    if (t->at == t->end) {
        *end = '\0';
        return 0;
    }
    if (*t->at != t->separator && *t->at != '\n')
        return deja_fail(err, DEJA_ESYNTAX, "line %u: text behind the quote that ends a value", t->line);
    int more = *t->at == t->separator;
    t->line += !more;
    t->at++;
    *end = '\0';
    return more;
}

int sheet_row_csv(sheet_text *t, sheet_row *row, deja_error *err)
{
    skip_blank(t);
    row->count = 0;
    row->line = t->line;
    if (t->at == t->end)
        return 0;
    for (int more = 1; more;) {
        sheet_cell *c = sheet_row_add(row);
        if (!c)
            return deja_fail(err, DEJA_ENOMEM, "out of memory");
        more = t->at < t->end && *t->at == '"' ? read_quoted(t, c, err) : read_bare(t, c, err);
        if (more == 0)
            more = end_value(t, err);
        if (more < 0)
            return more;
    }
    return 1;
}
