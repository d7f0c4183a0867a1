#ifndef TABLE_ROW_H
#define TABLE_ROW_H
/*
 * A row of `--table` as bytes, while its columns are not known: two little-endian lengths of 64 bits; the
 * cells that all rows have, each a '+' and its text, or a '-', and a NUL; the parameters. One thread.
 */
#include "flow.h"

/* All is borrowed from the bytes. */
typedef struct table_row {
    const char *cells[6]; /* job, event, status, wall_s, cpu_s, stdout; NULL: there is none */
    const char *pairs;    /* parameters, see param_pairs.h */
    size_t pairs_len;
} table_row;

extern const char *const table_row_names[6];

enum { TABLE_ROW_CELLS = 6, TABLE_ROW_JOB = 0 };

/* The row of a job that ended: 1, or 0 for other events. Look at b->failed. */
int table_row_make(deja_buffer *b, const flow_event *event);

/* The next row: 1, or 0 at the end, or with r->failed where the bytes end early. */
int table_row_next(table_row *ret, deja_reader *r);

#endif
