#ifndef MAP_WORDS_H
#define MAP_WORDS_H
/*
 * The words of `deja map`: a command, and the sources of its arguments behind `:::`, `:::+`, `::::` and
 * `::::+`.
 */
#include "rows.h"
#include "words.h"

typedef struct map_words {
    words command;
    char separator; /* of files: '\n' or '\0'; set by the caller */
    int from_stdin; /* there is no source: arguments are lines of standard input */
    int has_stdin;  /* that, or a file "-" */
} map_words;

/*
 * Splits `all` (borrowed) and opens the sources into `rows`, standard input where there are none and
 * `none_is_stdin`. DEJA_EINVAL for a command line that makes no sense; trouble with a file.
 */
int map_words_split(map_words *m, const words *all, int none_is_stdin, rows *ret, deja_error *err);

void map_words_done(map_words *m);

#endif
