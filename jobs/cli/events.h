#ifndef EVENTS_H
#define EVENTS_H
/*
 * `--json`: what happens as one JSON object a line, see README.md for the fields. One thread.
 */
#include "outbox.h"

typedef struct events {
    outbox *box;
    deja_buffer line; /* used again for each */
} events;

/* What happened to a job, its output included. */
void events_job(events *e, const flow_event *event);

/* A line of text for the user. */
void events_note(events *e, const char *text);

/* `estimate_ns` is how long what would run would take, negative: not known. */
void events_summary(events *e, const flow_totals *t, int64_t elapsed_ns, int64_t estimate_ns,
                    int exit_status);

void events_done(events *e);

#endif
