#ifndef ROWS_H
#define ROWS_H
/*
 * The rows of arguments that several sources make: linked sources advance together until the shortest ends,
 * unlinked ones are multiplied, the last one fastest. The first of these is read as it arrives; what is
 * multiplied with it is read whole first. One thread.
 */
#include "item_source.h"
#include "texts.h"

/* Sources that advance together. */
typedef struct rows_group {
    item_source *sources;
    size_t count, cap;
    size_t has;   /* so many sources have given theirs to the row at hand */
    texts row;    /* that row */
    texts table;  /* all rows, where it is multiplied */
    size_t *ends; /* of each row of the table, in texts */
    size_t end_count, end_cap;
    size_t at; /* row of the table whose turn it is */
    int ended;
} rows_group;

/* Zeroed memory has no sources. */
typedef struct rows {
    const char *column_separator; /* set by the caller: splits an argument into several; NULL: none does */
    rows_group *groups;
    size_t count, cap;
    const item_source *waits; /* for this source; NULL: for none */
    int goes_on;              /* the row at hand of the first group has more combinations */
    deja_error unfit;         /* why there can be no job of the row that was pulled; code 0: there can */
} rows;

/* Adds a source, linked to the last one or not. It stays where it is until the next one is added. NULL: out
 * of memory. */
item_source *rows_add(rows *r, int linked);

/* The first item of each source, as names; before anything is pulled, and waiting for it. Appends to `ret`.
 */
int rows_header(rows *r, texts *ret, deja_error *err);

/* Appends the next row to `ret`: item_state; negative when reading failed. */
int rows_pull(rows *r, texts *ret, deja_error *err);

/* The descriptor that rows_pull waits for; -1: none. */
int rows_fd(const rows *r);

/* Safe on zeroed memory. */
void rows_done(rows *r);

#endif
