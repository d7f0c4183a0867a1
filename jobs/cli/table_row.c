/* A row of `--table`, see table_row.h. */
#include "table_row.h"
#include "events.h"
#include "json.h"
#include "param_pairs.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <stdio.h>
#include <string.h>

enum { CELL_BYTES = 4096 }; /* of what a job printed, to be a cell */

const char *const table_row_names[TABLE_ROW_CELLS] = {"job", "event", "status", "wall_s", "cpu_s", "stdout"};

/* A cell: its text behind a '+', or a '-' when there is none. */
static void add_cell(deja_buffer *b, const char *text, size_t len)
{
    deja_buffer_add_char(b, text ? '+' : '-');
    if (text)
        deja_buffer_add(b, text, len);
    deja_buffer_add_char(b, '\0');
}

static int is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What a job printed where that is one line, without the blanks around it. */
static void add_printed(deja_buffer *b, const flow_bytes *out)
{
    char text[CELL_BYTES + 1];
    size_t start = 0, end = (size_t)out->len;
    int is_there = out->len > 0 && out->len <= CELL_BYTES && (out->fd >= 0 || out->data);
    if (is_there && out->fd < 0)
        memcpy(text, out->data, end);
    else if (is_there)
        is_there = deja_file_read_at(out->fd, text, end, 0) == (ssize_t)end;
    while (is_there && start < end && is_blank(text[start]))
        start++;
    while (is_there && end > start && is_blank(text[end - 1]))
        end--;
    is_there = is_there && end > start && !memchr(text + start, '\n', end - start) &&
               !memchr(text + start, '\0', end - start);
    add_cell(b, is_there ? text + start : NULL, is_there ? end - start : 0);
}

static void add_seconds(deja_buffer *b, const flow_event *e, int64_t ns)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    if (e->kind != FLOW_SKIPPED)
        json_seconds(&text, NULL, ns);
    b->failed |= text.failed;
    add_cell(b, text.data, text.len);
}

static void add_cells(deja_buffer *b, const flow_event *e)
{
    const char *event = events_kind(e->kind);
    char status[16];
    int has_status = e->kind != FLOW_SKIPPED && e->exit_status >= 0;
    int len = snprintf(status, sizeof status, "%d", e->exit_status);
    add_cell(b, e->def->name, strlen(e->def->name));
    add_cell(b, event, strlen(event));
    add_cell(b, has_status ? status : NULL, has_status ? (size_t)len : 0);
    add_seconds(b, e, e->wall_ns);
    add_seconds(b, e, e->cpu_ns);
    add_printed(b, &e->out);
}

int table_row_make(deja_buffer *b, const flow_event *e)
{
    DEJA_AUTO_BUFFER deja_buffer cells = {0};
    DEJA_AUTO_BUFFER deja_buffer pairs = {0};
    if (!e->def || !events_ends(e->kind))
        return 0;
    add_cells(&cells, e);
    param_pairs_add(&pairs, e->def, e->index);
    deja_buffer_clear(b);
    deja_buffer_add_u64(b, cells.len);
    deja_buffer_add_u64(b, pairs.len);
    deja_buffer_add(b, cells.data, cells.len);
    deja_buffer_add(b, deja_buffer_string(&pairs), pairs.len);
    b->failed |= cells.failed | pairs.failed;
    return 1;
}

int table_row_next(table_row *ret, deja_reader *r)
{
    if (r->failed || r->at == r->len)
        return 0;
    size_t cells_len = (size_t)deja_read_u64(r), at = 0;
    ret->pairs_len = (size_t)deja_read_u64(r);
    const char *cells = deja_read_bytes(r, cells_len);
    ret->pairs = deja_read_bytes(r, ret->pairs_len);
    if (!cells || !ret->pairs)
        return 0;
    for (size_t i = 0; i < TABLE_ROW_CELLS; i++) {
        const char *cell = cells + at;
        at += strlen(cell) + 1;
        ret->cells[i] = *cell == '+' ? cell + 1 : NULL;
    }
    return 1;
}
