#ifndef TABLE_WRITE_H
#define TABLE_WRITE_H
/*
 * The rows of `--table` written as CSV or JSON. Columns: the job, the parameters of all jobs in the order in
 * which they first appear, then the rest. One thread.
 */
#include "names.h"
#include "result_table.h"
#include "table_row.h"

typedef struct table_writer {
    table_form form;
    const char *rows; /* as table_row.h has them, one after the other */
    size_t len;
    int fd;           /* of the file; -1: it goes to `box` */
    const char *path; /* of the file, for messages */
    outbox *box;
} table_writer;

int table_write(const table_writer *w, deja_error *err);

#endif
