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

/* 1 for the events that are the last of a job that a run does: hit, finished, failed, skipped. */
int events_ends(flow_event_kind kind);

/* "hit", "finished": the name of an event. Static memory. */
const char *events_kind(flow_event_kind kind);

/* The members of an event but for the output of its job. */
void events_describe(deja_buffer *b, const flow_event *event);

/* What happened to a job, its output included. */
void events_job(events *e, const flow_event *event);

/* A line of text for the user. */
void events_note(events *e, const char *text);

/* `estimate_ns` is how long what would run would take, negative: not known. */
void events_summary(events *e, const flow_totals *t, int64_t elapsed_ns, int64_t estimate_ns,
                    int exit_status);

void events_done(events *e);

#endif
