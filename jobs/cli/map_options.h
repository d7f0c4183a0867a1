#ifndef MAP_OPTIONS_H
#define MAP_OPTIONS_H
/*
 * What the command line of `deja map` says, besides where arguments come from (map_words.h).
 */
#include "cli.h"
#include "run_options.h"
#include "words.h"

/* Zeroed memory, but for `separator`. */
typedef struct map_options {
    words words;                 /* all that is no option */
    words inputs, outputs, env;  /* names; replacement strings stand in the first two */
    const char *version, *scope; /* NULL: not given */
    const char *replace;         /* what stands for arguments; NULL: all replacement strings */
    char separator;              /* of arguments in files */
    deja_buffer columns;         /* separates columns; empty: there are none */
    deja_buffer record_end;      /* of --pipe; empty: not given */
    int64_t each;                /* arguments a command; 0: not given */
    uint64_t block;              /* bytes; 0: not given */
    int header, fit, pipe, remember, anywhere;
    run_options run;
} map_options;

/* 1 when the command goes on; 0 when `*ret_status` is all there is to say, DEJA_EINVAL with a text for the
 * user. */
int map_options_parse(map_options *m, char *const *argv, int *ret_status, deja_error *err);

/* What does not go together, when there are so many sources of arguments and `command_words`. DEJA_EINVAL. */
int map_options_check(const map_options *m, size_t sources, size_t command_words, deja_error *err);

void map_options_done(map_options *m);

#endif
