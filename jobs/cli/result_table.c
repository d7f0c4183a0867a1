/* `--table`, see result_table.h. */
#include "result_table.h"
#include "held.h"
#include "table_row.h"
#include "table_write.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

struct result_table {
    result_table_options options;
    deja_buffer path; /* of the file, links followed */
    int file_fd;      /* unnamed until the end; -1: standard output */
    int rows_fd;
    outbox *rows; /* which writes to rows_fd, */
    printer *printer;
    deja_buffer row; /* used again for each */
};

static int open_file(result_table *t, deja_error *err)
{
    if (!t->options.file)
        return 0;
    int code = deja_file_target(&t->path, t->options.file, err);
    if (code)
        return deja_fail_in(err, "--table");
    t->file_fd = deja_file_begin(AT_FDCWD, t->path.data, 0666, err);
    return t->file_fd < 0 ? deja_fail_in(err, "--table") : 0;
}

static int open_rows(result_table *t, deja_error *err)
{
    const result_table_options *o = &t->options;
    t->rows_fd = held_unnamed(NULL, err);
    if (t->rows_fd < 0)
        return deja_fail_in(err, "--table");
    const outbox_options box = {.out_fd = t->rows_fd, .err_fd = t->rows_fd};
    int code = outbox_open(&t->rows, &box, err);
    return code ? code : printer_open(&t->printer, t->rows, o->jobs, o->count, o->has, o->context, err);
}

int result_table_open(result_table **ret, const result_table_options *options, deja_error *err)
{
    result_table *t = deja_calloc(1, sizeof *t);
    if (!t)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    *t = (result_table){.options = *options, .file_fd = -1, .rows_fd = -1};
    int code = open_file(t, err);
    code = code ? code : open_rows(t, err);
    if (code)
        result_table_close(t);
    else
        *ret = t;
    return code;
}

int result_table_is_output(const result_table *t)
{
    return t->options.file == NULL;
}

void result_table_take(result_table *t, const flow_event *e)
{
    if (!e->def || !table_row_make(&t->row, e))
        return;
    deja_error err;
    const flow_bytes bytes = {.data = t->row.data, .len = t->row.len, .fd = -1};
    if (t->row.failed && deja_fail(&err, DEJA_ENOMEM, "--table: out of memory"))
        outbox_lose(t->rows, &err);
    else
        printer_add(t->printer, e->def->number, e->index, &bytes, NULL);
}

/* All rows are in their file. */
static int settle(result_table *t, deja_error *err)
{
    deja_error trouble;
    printer_finish(t->printer);
    while (!outbox_empty(t->rows))
        outbox_pump(t->rows);
    if (!outbox_trouble(t->rows, &trouble))
        return 0;
    return deja_fail(err, trouble.code, "--table: keep its rows: %s", trouble.text);
}

static int write_rows(result_table *t, outbox *box, const char *rows, size_t len, deja_error *err)
{
    table_writer w = {.form = t->options.form,
                      .rows = rows,
                      .len = len,
                      .fd = t->file_fd,
                      .path = deja_buffer_string(&t->path),
                      .box = box};
    int code = table_write(&w, err);
    if (!code && t->file_fd >= 0)
        code = deja_file_publish(t->file_fd, AT_FDCWD, t->path.data, 0, err);
    return code ? deja_fail_in(err, "--table") : 0;
}

int result_table_finish(result_table *t, outbox *box, deja_error *err)
{
    struct stat st;
    int code = settle(t, err);
    if (code)
        return code;
    if (fstat(t->rows_fd, &st))
        return deja_fail_errno(err, "--table: look at its rows");
    size_t len = (size_t)st.st_size;
    void *rows = len ? mmap(NULL, len, PROT_READ, MAP_PRIVATE, t->rows_fd, 0) : NULL;
    if (rows == MAP_FAILED)
        return deja_fail_errno(err, "--table: read its rows");
    code = write_rows(t, box, rows, len, err);
    if (rows)
        munmap(rows, len);
    return code;
}

void result_table_close(result_table *t)
{
    if (!t)
        return;
    printer_close(t->printer);
    outbox_close(t->rows);
    if (t->rows_fd >= 0)
        close(t->rows_fd);
    if (t->file_fd >= 0)
        close(t->file_fd);
    deja_buffer_done(&t->path);
    deja_buffer_done(&t->row);
    deja_free(t);
}
