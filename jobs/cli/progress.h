#ifndef PROGRESS_H
#define PROGRESS_H
/*
 * How far a run is: one line on a terminal while we are in its foreground, redrawn at most ten times a
 * second; elsewhere a line every ten seconds; a summary at the end. One thread.
 */
#include "outbox.h"

typedef struct progress {
    outbox *box;
    int terminal; /* the status line may be drawn */
    int color;
    unsigned slots;
    size_t columns;   /* of the window */
    int64_t start_ns; /* monotonic, like those below */
    int64_t next_ns;  /* when the next line is due */
    int drawn;        /* a status line is shown */
    int ending;       /* a signal ends the run */
    int64_t left_ns;  /* what the record says of the rest; -1: nothing. Set by the caller */
} progress;

/* `now_ns` is monotonic. Looks at TERM, NO_COLOR and the window. */
void progress_begin(progress *p, outbox *box, unsigned slots, int64_t now_ns);

/* Draws when it is time to. `longest` names the job that runs longest, or NULL. */
void progress_tick(progress *p, const flow_totals *t, const char *longest, int64_t now_ns);

/* The window changed, or the terminal shows something else. */
void progress_resize(progress *p);

/* The run is being ended by a signal: the line says so from now on. */
void progress_ending(progress *p);

/* Milliseconds until progress_tick has something to do. */
int progress_wait_ms(const progress *p, int64_t now_ns);

/* Takes the line away. */
void progress_hide(progress *p);

/* What a line says. */
typedef struct progress_line {
    const flow_totals *totals;
    const char *longest;
    unsigned slots;
    int64_t elapsed_ns;
    int64_t left_ns; /* by the record; -1: by progress_eta */
    size_t columns;  /* at most so wide; 0: as wide as it is */
    int color;
    int ending; /* says how to end it at once, in the place of rate, ETA and name */
} progress_line;
void progress_format(deja_buffer *b, const progress_line *line);

/* Nanoseconds that the rest will take, by the mean wall time of jobs that ran in this run; -1 when that
 * cannot be told. */
int64_t progress_eta(const flow_totals *t, unsigned slots);

/* "10 jobs: 3 hits, 7 ran, 0 failed in 1.2 s, saved 4m 00s". `dry` says "would run". */
void progress_summary(deja_buffer *b, const flow_totals *t, int64_t elapsed_ns, int dry);

#endif
