#ifndef SHEET_H
#define SHEET_H
/*
 * Tables in files, as axes of a matrix: CSV by RFC 4180 (a header row gives the names; quoted values hold
 * anything; lines end with LF or CRLF; another separator if asked), and one JSON object (RFC 8259) a line
 * with a scalar for each name. Blank lines are skipped, a byte order mark too. Every row has all columns. A
 * value without quotes is plain: it may stand for a number.
 */
#include "matrix_axis.h"
#include <deja/memory.h>

typedef struct sheet_file {
    int dirfd;
    const char *path;
    int is_json;    /* an object a line, else CSV */
    char separator; /* CSV: `,`, `;`, a tab ... */
} sheet_file;

/* The names of the columns, from the first row, in `arena`. DEJA_ENOTFOUND where there is no such file,
 * DEJA_ESYNTAX with the line where it is no table. */
int sheet_names(const sheet_file *f, deja_arena *arena, const char *const **ret, size_t *ret_count,
                deja_error *err);

/*
 * `ret[i]`, named names[i], gets the values of the column columns[i], all with as many. `strict`: there may
 * be no other columns. DEJA_ENOTFOUND for a column that is not there, too.
 */
int sheet_read(const sheet_file *f, const char *const *names, const char *const *columns, size_t count,
               int strict, matrix_axis *ret, deja_error *err);

#endif
