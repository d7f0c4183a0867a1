#ifndef CLI_H
#define CLI_H
/*
 * What all commands of the program have in common: exit statuses, and their list.
 */
#include "args.h"

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,      /* a job failed, or the command could not do what it was asked */
    EXIT_USAGE = 2,       /* the command line or the batch file is wrong */
    EXIT_NOT_KEPT = 3,    /* done, but the cache could not keep results */
    EXIT_OWN_FAULT = 125, /* of `deja exec`, as env(1) and timeout(1) have it */
    EXIT_SIGNAL = 128,    /* plus the number of the signal */
};

typedef struct command {
    const args_command *args;
    int (*run)(char *const *argv); /* the words after its name; returns the exit status */
} command;

int run_command(char *const *argv);
int exec_command(char *const *argv);
int map_command(char *const *argv);
int check_command(char *const *argv);
int why_command(char *const *argv);
int graph_command(char *const *argv);
int clean_command(char *const *argv);
int runs_command(char *const *argv);
int show_run_command(char *const *argv);
int log_command(char *const *argv);
int status_command(char *const *argv);
int cache_command(char *const *argv);

extern const args_command run_args, map_args, exec_args, check_args, why_args, graph_args, clean_args,
    runs_args, show_run_args, log_args, status_args, cache_args;

/* The environment that a run listens to, and of it the cache alone. */
extern const args_variable cli_environment[], cli_environment_cache[];

/* Prints the help of a command to standard output and returns the exit status. */
int cli_help(const args_command *of);

/* The same of a command of `deja cache`, NULL: of them all. */
int cli_help_cache(const char *name);

/* Says what is wrong with the command line and returns `status`. */
int cli_usage(const args_command *of, int status, const deja_error *err);

/* Makes `folder` the working directory. */
int cli_enter(const char *folder, deja_error *err);

/* Appends the working directory: absolute, normalised. */
int cli_folder(deja_buffer *b, deja_error *err);

#endif
