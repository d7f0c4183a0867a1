#ifndef HISTORY_STATE_H
#define HISTORY_STATE_H
/*
 * A history between its calls. Private to the files named history_*.
 */
#include "history_index.h"
#include "history_log.h"

/* Instances of one job whose parameters were read, for estimates. */
typedef struct history_sample {
    const batch_job *def;
    size_t count;
    history_record records[HISTORY_SAMPLE];
} history_sample;

struct history {
    const char *folder; /* of runs; NULL: none */
    uint64_t batch;     /* hash of its name */
    int opened;         /* log and index were tried */
    history_log log;
    history_index index;
    params params; /* of the instance asked for */
    history_sample sample;
    deja_buffer pending; /* records not written yet */
    int noted;           /* something was */
    int broken;          /* could not be written */
};

/* Opens log and index when that was not tried yet. 1 when something is known. */
int history_ready(history *h);

/* Hash of the batch file and a job. */
uint64_t history_job(const history *h, const batch_job *def);

#endif
