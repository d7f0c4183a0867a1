#ifndef REPORT_H
#define REPORT_H
/*
 * What a run tells: the listener that hands each event to the printer or the JSON events, the record, and the
 * list of failures, and says in a line what a user should know. One thread.
 */
#include "events.h"
#include "failures.h"
#include "forecast.h"
#include "live.h"
#include "printer.h"
#include "progress.h"
#include "record.h"
#include "result_table.h"
#include "result_tree.h"

typedef struct report_options {
    int quiet, verbose, json, dry_run;
    int show_progress;
    int tag;         /* each line of output begins with its job's name */
    int unordered;   /* output goes out when its job ends */
    int keep_hits;   /* hits go into the record */
    int only_output; /* `deja exec`: one job, whose failure is told by its own output and status */
    unsigned slots;
    const char *runs;     /* folder of run records, NULL: none */
    forecast *forecast;   /* of a dry run; else NULL */
    result_tree *results; /* where results are written, too; NULL: nowhere */
    result_table *table;  /* NULL: none */
} report_options;

typedef struct report {
    report_options options;
    outbox *box;
    printer *printer; /* NULL with --json */
    record *record;
    flow *flow; /* set by the caller before the first event */
    progress progress;
    events events;
    live live; /* output of running jobs */
    failures failures;
    int64_t start_ns, tick_ns; /* monotonic */
    int64_t ended_ns;          /* monotonic: a signal ended the run; 0: none did */
    int said_keeping;          /* what is waited for then */
    uint64_t said[16];         /* hashes of reasons that were said; a reason is said once */
    size_t said_count;
    deja_buffer note; /* the last note: not to be said again as a reason */
    int last_status;  /* what the last job that ended makes of the exit status of `deja exec` */
} report;

/* Takes over `printer` and `record` (NULL allowed). */
void report_begin(report *r, const report_options *options, outbox *box, printer *p, record *rec);

/* The listener of the flow; `context` is the report. */
void report_listen(void *context, const flow_event *event);

/* For the loop; `context` is the report. */
void report_tick(void *context);
int report_wait_ms(void *context);
void report_resized(void *context);
void report_stopping(void *context);
void report_ending(void *context);

/* Says a line, as an event too with --json. */
void report_say(report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* All is over: what is held is printed, failures and summary are told. */
void report_end(report *r, const flow_totals *t, int exit_status);

void report_done(report *r);

#endif
