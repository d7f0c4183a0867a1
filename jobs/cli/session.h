#ifndef SESSION_H
#define SESSION_H
/*
 * A run as the command line makes it: what stands around a plan (cache, record, report, signals, conductor),
 * opened as the options say, the run itself, and its exit status. One thread, one at a time.
 */
#include "descriptors.h"
#include "history.h"
#include "loop.h"
#include "report.h"
#include "request.h"
#include "run_options.h"
#include "vault.h"

/* All is borrowed until session_close. */
typedef struct session_options {
    const char *command; /* "run", for the record */
    const char *file;    /* the batch file as the record names it; NULL: there is none */
    const char *runs;    /* folder of run records; NULL: no record is kept */
    int no_cache;        /* nothing is looked up or kept */
    const char *beside; /* a folder: the cache is beside it unless something else is said; NULL: the user's */
    batch *batch;
    plan *plan;
    const char *const *resources; /* NAME=AMOUNT, ended by NULL; NULL: none */
    char *const *argv;
    deja_trace *trace;      /* NULL: none */
    forecast_form form;     /* of what a dry run says */
    const selection *asked; /* the instances that it tells of; NULL: all */
} session_options;

typedef struct session {
    session_options options;
    const run_options *run;
    unsigned slots;
    struct rlimit job_descriptors;
    int raised; /* the limit of descriptors was; jobs get job_descriptors */
    vault vault;
    history *history;  /* of the batch's jobs */
    forecast forecast; /* of a dry run */
    record *record;    /* the report's once that has begun */
    outbox *box;
    result_tree *results;
    result_table *table;
    signals signals;
    report report;
} session;

/* Options for what a command line asks about, an opened request. */
session_options session_for(const request *r, const char *name, char *const *argv);

/* Safe to close after a failure, which session_fail tells. */
int session_open(session *s, const session_options *options, const run_options *run, deja_error *err);

/* Runs the plan. Returns the exit status. */
int session_go(session *s);

/* Tells of a failure before session_go and returns the exit status. `s` may be zeroed. */
int session_fail(session *s, const deja_error *err);

/* Safe on zeroed memory. */
void session_close(session *s);

#endif
