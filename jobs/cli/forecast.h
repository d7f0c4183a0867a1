#ifndef FORECAST_H
#define FORECAST_H
/*
 * What a dry run says: why each job would run, and how long all of them would take. One thread.
 */
#include "estimates.h"
#include "selection.h"
#include "why.h"

typedef enum forecast_form {
    FORECAST_LINE,      /* `deja run --dry-run`: a reason of a few words */
    FORECAST_PARAGRAPH, /* `deja why` */
    FORECAST_JSON,      /* `deja why --json` */
} forecast_form;

typedef struct forecast {
    forecast_form form;
    const selection *asked; /* instances that are told of; NULL: all */
    why_options why;
    why answer;                 /* about the last job */
    deja_buffer text;           /* about it: of a LINE the reason, else all that is printed */
    uint64_t known, unknown;    /* jobs that would run with an estimate, and without */
    int64_t sum_ns, longest_ns; /* of these, the longest with what waits for it */
    const batch *batch;         /* these two NULL: nothing is said of time */
    const plan *plan;
    estimates *estimates; /* private: NULL before the first job that would run */
} forecast;

/* Takes an event that ends a job of a dry run. Returns why in a few words, NULL for nothing to say; borrowed
 * until the next. */
const char *forecast_take(forecast *f, const flow_event *e);

/* Appends "; about 12 s, 2 at a time (3 unknown)", where there are estimates. */
void forecast_summary(const forecast *f, unsigned slots, deja_buffer *b);

/* How long all that would run will take at least, by the estimates: 1 and the time; 0 where there are none.
 */
int forecast_time(const forecast *f, unsigned slots, int64_t *ret_ns);

void forecast_done(forecast *f);

#endif
