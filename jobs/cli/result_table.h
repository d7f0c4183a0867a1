#ifndef RESULT_TABLE_H
#define RESULT_TABLE_H
/*
 * `--table`: a row for each job that ended, in batch order: its name, its parameters, how it ended, and what
 * it printed where that is one line. Columns are those of all jobs, and known at the end: until then rows are
 * in an unnamed file. One thread.
 *
 * CSV is that of RFC 4180 with newlines as line ends; a cell that a job does not have is empty. JSON is one
 * list with an object a line; there such a cell is null, and what is spelled as a JSON number is one, but for
 * whole numbers of more than 15 digits, which many programs would round.
 */
#include "printer.h"

typedef enum table_form {
    TABLE_NONE,
    TABLE_CSV,
    TABLE_JSON,
} table_form;

typedef struct result_table result_table;

typedef struct result_table_options {
    table_form form;
    const char *file; /* replaced in one step at the end; NULL: standard output */
    uint32_t jobs;    /* of the batch; the rest as printer_open has it */
    printer_count count;
    printer_has has;
    void *context;
} result_table_options;

int result_table_open(result_table **ret, const result_table_options *options, deja_error *err);

/* 1 when it goes to standard output, where the jobs' own then does not. */
int result_table_is_output(const result_table *t);

/* Notes a job that ended; of other events nothing. */
void result_table_take(result_table *t, const flow_event *event);

/* Writes it, to `box` where it is output. */
int result_table_finish(result_table *t, outbox *box, deja_error *err);

/* NULL is fine. */
void result_table_close(result_table *t);

#endif
