#ifndef REQUEST_H
#define REQUEST_H
/*
 * What the command line asks about: a batch, the instances that its words choose, and the folder where their
 * runs are recorded. Shared by the commands that read a batch.
 */
#include "failed.h"
#include "plan.h"
#include "selection.h"
#include "words.h"
#include <deja/trace.h>

/* Zeroed memory is a request for all of deja.yaml. */
typedef struct request {
    const char *file;   /* as given; NULL: deja.yaml */
    const char *folder; /* as given (-C), entered already; NULL: none */
    words sets;         /* --set NAME=VALUE */
    words resources;    /* --resource NAME=AMOUNT */
    words jobs;         /* JOB[name=pattern,...] */
    int only_failed;    /* of these what failed when it ran last */
    int only;           /* without what they need */
    /* opened */
    batch *batch;
    failed *failed;
    selection *chosen; /* NULL: all */
    plan *plan;
    deja_buffer runs; /* folder of run records, empty: none */
    deja_trace *trace;
} request;

/* Finds the folder of runs by the name of the batch file alone, which is not read. */
int request_place(request *r, deja_error *err);

/* Loads the batch, says its warnings, and finds the folder of runs. */
int request_load(request *r, deja_error *err);

/* The same; and the instances are chosen, a plan is made, and DEJA_TRACE is followed. */
int request_open(request *r, deja_error *err);

/* The batch file's path as it was given. */
const char *request_file(const request *r);

/* Safe on half-opened ones. */
void request_close(request *r);

#endif
