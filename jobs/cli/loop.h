#ifndef LOOP_H
#define LOOP_H
/*
 * The loop around the conductor: lets it work, writes what is to be written, waits, and hands on signals. One
 * thread.
 */
#include "outbox.h"
#include "signals.h"

typedef struct loop {
    flow *flow;
    signals *signals;
    outbox *box;
    void (*tick)(void *context);     /* after each step */
    int (*wait_ms)(void *context);   /* how long it may wait until the next tick; -1: for ever */
    void (*resized)(void *context);  /* the window changed or is ours again; NULL allowed */
    void (*stopping)(void *context); /* before the program is stopped; NULL allowed */
    void (*ending)(void *context);   /* a signal ends the run, which takes a while; NULL allowed */
    void *context;
    unsigned ends; /* such signals so far; private */
    int ended_by;  /* result: the signal that ended the run, SIGPIPE when nobody reads our output, 0 */
} loop;

/* Until the flow has finished. */
void loop_run(loop *l);

/* Until all output is written; a signal ends that too. */
void loop_drain(loop *l);

#endif
