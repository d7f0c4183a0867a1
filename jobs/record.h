#ifndef RECORD_H
#define RECORD_H
/*
 * The record of a run, for people and for what comes later (past_run.h): a folder ID with the files
 *
 * meta.json: what ran: batch, argv, start, version, slots, names of the jobs; at the end totals, end, exit
 * status
 *
 * jobs.jsonl: a line for each job that ran, or failed: names and parameters, key and its fields, status,
 * times
 *
 * hits.bin: 16 bytes header ("dejahits", u32 format 1, u32 bytes of an item), then for each hit u32 number of
 * the job in meta.json, u32 index in its matrix, 16 bytes key; little-endian
 *
 * log/NUMBER-NAME.out and .err: standard output and error of failed jobs, of the first RECORD_LOGS; NUMBER is
 * "log" in the job's line
 *
 * output: of all others that wrote something: standard output and then error, of "stdout_bytes" and
 * "stderr_bytes", from byte "output_at" on; RECORD_OUTPUT_BYTES at most. More than 64 KB of a job that the
 * cache keeps is not in it
 *
 * state: 4 KB, see runs.h; locked while the run lives
 *
 * Nothing is touched before there is something to say: a run of which all jobs are hits writes its two files
 * at the end. Records are no results: they are buffered, never synced, and trouble with them costs one
 * warning, not the run; jobs.jsonl then ends with its last whole line, and an item of hits.bin may be cut.
 *
 * One thread.
 */
#include "flow.h"
#include "runs.h"

#define RECORD_LOGS         1000       /* failed jobs whose output has files of its own, two each */
#define RECORD_OUTPUT_BYTES (64 << 20) /* of output kept of all others */

typedef struct record record;

/* All borrowed until record_close. */
typedef struct record_options {
    const char *folder;      /* of all runs; made when missing. NULL: nothing is recorded */
    const char *batch;       /* path of the batch file, NULL without one */
    const batch *jobs;       /* NULL: meta.json names none */
    const char *command;     /* "run" */
    const char *const *argv; /* its words, NULL-terminated */
    const char *version;     /* of deja */
    unsigned slots;
    const deja_clock *clock;
    struct history *history; /* told how each job ended; NULL: none */
} record_options;

/* Touches no file. */
int record_open(record **ret, const record_options *options, deja_error *err);

/* The id of this run. (It changes in the unlikely case that a folder of that name exists already.) */
const char *record_id(const record *r);

/* Takes down what happened. */
void record_event(record *r, const flow_event *event);

/* Path of the log of the job that failed last: its standard error, or its output where that is empty; NULL
 * when there is none. */
const char *record_log(const record *r);

/* Writes out what is buffered and the state for watchers with the jobs that run; call it about once a second.
 */
void record_tick(record *r, const flow_totals *totals, const runs_job *running, size_t count);

/* The first thing that went wrong, once: 1 and the error, then 0. */
int record_trouble(record *r, deja_error *ret);

/* 1 while nothing went wrong: what it names is there. */
int record_is_whole(const record *r);

/* Completes the record, unless nothing ran and nothing hit, and prunes old ones. The last event has been. */
void record_finish(record *r, const flow_totals *totals, int exit_status);

/* Gives up the lock; the run is over. NULL is fine. */
void record_close(record *r);

#endif
