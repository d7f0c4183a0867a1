#ifndef FAILURES_H
#define FAILURES_H
/*
 * The jobs that failed, kept for the end of a run, where they are not lost in the noise: name and parameters,
 * what happened, the last lines of standard error, where the whole log is. In batch order, whichever failed
 * first, and of many the first ones only. One thread.
 */
#include "flow.h"

#define FAILURES_SHOWN 20 /* of the rest only the number is told */

typedef struct failure {
    uint64_t place; /* in the batch: number of the job, then index in its matrix */
    deja_buffer text;
} failure;

/* Zeroed memory is an empty list. */
typedef struct failures {
    failure first[FAILURES_SHOWN]; /* sorted by place */
    uint64_t count;                /* of all that failed */
} failures;

/* `log` is the path of its log or NULL. */
void failures_add(failures *f, const flow_event *event, const char *log);

/* Appends the report; `run` is the folder of the run's record, or NULL. */
void failures_report(const failures *f, const char *run, deja_buffer *b);

/* "exit status 3", "killed by signal 11 (segmentation fault)": appended. */
void failures_outcome(deja_buffer *b, const flow_event *event);

void failures_done(failures *f);

#endif
