#ifndef ARGS_H
#define ARGS_H
/*
 * The options of a command, in one table from which both the parser and its help are made.
 *
 * `--name value`, `--name=value`, `-n value`, `-nvalue`, clusters of short options without arguments (`-qv`);
 * `--` ends the options; a lone `-` is a word. Options and words may be mixed unless the command says that
 * the first word ends them.
 * `--help` and `-h` are understood everywhere.
 */
#include <deja/buffer.h>
#include <deja/error.h>
#include <stddef.h>

typedef struct args_option {
    int id;               /* at least ARGS_FIRST */
    char letter;          /* 0: none */
    const char *name;     /* without the dashes; NULL: only a letter */
    const char *argument; /* what the help calls it; "[=WORD]": may be left out, then the value is NULL, and
                             has no letter; NULL: takes none */
    const char *help;
} args_option;

typedef struct args_variable {
    const char *name; /* of the environment */
    const char *help;
} args_variable;

typedef struct args_example {
    const char *command;
    const char *does;
} args_example;

typedef struct args_command {
    const char *name;    /* "run", "cache ls" */
    const char *usage;   /* what follows the name: "[OPTION]... [JOB]..." */
    const char *summary; /* for the list of commands */
    const char
        *about; /* paragraphs, separated by "\n\n"; a paragraph that begins with a blank stays as it is */
    const args_option *options;       /* ends with id 0 */
    const args_variable *environment; /* that it listens to; ends with name NULL. NULL: none */
    const args_example *examples;     /* ends with command NULL */
    int first_word_ends;
} args_command;

enum {
    ARGS_END = 0,
    ARGS_WORD = 1,
    ARGS_HELP = 2,
    ARGS_FIRST = 16,
};

/* A walk over the arguments. */
typedef struct args {
    const args_command *command;
    char *const *argv; /* NULL-terminated, without the program's and the command's name */
    size_t at;
    const char *cluster; /* rest of a cluster of short options, or NULL */
    int ended;           /* no more options */
    const char *value;   /* result: an option's argument, or the word */
} args;

void args_begin(args *a, const args_command *command, char *const *argv);

/* The id of the next option, ARGS_WORD, ARGS_HELP, ARGS_END; DEJA_EINVAL with a text for the user. */
int args_next(args *a, deja_error *err);

/* A whole number from `least` to `most` out of a->value. `what` names the option. */
int args_number(const args *a, const char *what, int64_t least, int64_t most, int64_t *ret, deja_error *err);

/* Appends the help of a command, at most 80 columns wide. */
void args_help(deja_buffer *b, const args_command *command);

/* Appends the part of a help that tells of the environment; nothing for NULL. */
void args_help_environment(deja_buffer *b, const args_variable *list);

/* Appends `text` filled to 80 columns, each line indented; the first one begins at column `at`. Ends with a
 * newline. */
void args_fill(deja_buffer *b, const char *text, size_t indent, size_t at);

#endif
