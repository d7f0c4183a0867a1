#ifndef SHEET_ROW_H
#define SHEET_ROW_H
/*
 * One row of a table after the other, from a text in memory, which is taken apart. Private to sheet*.c.
 */
#include <deja/buffer.h>

typedef struct sheet_cell {
    const char *text; /* NUL-terminated, in the text */
    const char *name; /* of an object's member, else NULL */
    int plain;        /* without quotes, and not empty */
    int is_scalar;    /* 0: a list or an object */
} sheet_cell;

typedef struct sheet_row {
    sheet_cell *cells;
    size_t count, cap;
    uint32_t line; /* where it begins */
} sheet_row;

typedef struct sheet_text {
    char *at, *end;
    uint32_t line;
    char separator;
} sheet_text;

/* The next row that is not blank: 1; 0 at the end. DEJA_ESYNTAX begins with "line N: ". */
int sheet_row_csv(sheet_text *t, sheet_row *row, deja_error *err);
int sheet_row_json(sheet_text *t, sheet_row *row, deja_error *err);

/* One more cell, NULL when out of memory. */
sheet_cell *sheet_row_add(sheet_row *row);

#endif
