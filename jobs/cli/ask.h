#ifndef ASK_H
#define ASK_H
/*
 * What commands that ask about runs share: their options, and the folder of runs that they look into. Nothing
 * is written by them.
 */
#include "args.h"
#include "history.h"
#include "past_run.h"
#include "request.h"

enum {
    ASK_FILE = ARGS_FIRST,
    ASK_FOLDER,
    ASK_CACHE,
    ASK_SET,
    ASK_JSON,
    ASK_RUN,
    ASK_MOST,
    ASK_OUT,
    ASK_ERR,
};

/* Rows of an args_option table. */
#define ASK_OPTIONS                                                                                          \
    {ASK_FILE, 'f', "file", "FILE",                                                                          \
     "Ask about the runs of FILE instead of deja.yaml; - are those of 'deja map' and 'deja exec'."},         \
    {                                                                                                        \
        ASK_FOLDER, 'C', "directory", "DIR", "Change to DIR first."                                          \
    }

/* The same where instances of jobs are asked about. */
#define ASK_JOB_OPTIONS                                                                                      \
    ASK_OPTIONS,                                                                                             \
    {                                                                                                        \
        ASK_SET, 0, "set", "NAME=VALUE",                                                                     \
            "Give a variable of the batch another value; again for another one."                             \
    }

typedef struct ask {
    request request;
    const char *cache, *run; /* NULL: not given */
    int64_t most;            /* 0: not given */
    int json, out, err;
    int runs_fd; /* the folder of runs; -1: there is none */
} ask;

/* Reads the command line and opens the folder of runs. 1 when the command goes on, 0 when `*ret_status` is
 * all there is to say. Close it in any case. */
int ask_open(ask *a, const args_command *of, char *const *argv, int *ret_status);

/* Loads the batch, chooses the instances that the words name, whose matrices must be known without a run. */
int ask_jobs(ask *a, deja_error *err);

/* The run that --run or `word` names ("last" when NULL). */
int ask_run(const ask *a, const char *word, past_run *ret, deja_error *err);

/* Calls `each` for every chosen instance in batch order until it returns non-zero, which is returned. */
int ask_each(const ask *a, int (*each)(void *context, const batch_job *def, uint32_t index), void *context);

void ask_close(ask *a);

#endif
