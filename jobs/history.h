#ifndef HISTORY_H
#define HISTORY_H
/*
 * What is remembered of every job of a batch beyond its runs: how long its last runs took, how they ended,
 * and the fields of their keys, for `why`, for estimates and for the order of jobs. It outlives the cache's
 * entries and the records of runs.
 *
 * A job's identity is the batch file's name (in its folder), the job's name and the parameters by name: not
 * the number in a matrix, which another value moves. Of each identity the last HISTORY_RUNS successes are
 * kept, and a failure that came after them.
 *
 * It lies in the folder of runs: `.history`, records one after the other (history_log.h), and
 * `.history.index` (history_index.h). Nothing is read before something is asked for, nothing is written
 * before there is something to note: a run of hits never opens it. What cannot be read is not known, and
 * trouble with it is never trouble of a run. Several runs may write at the same time; a kill loses what was
 * not flushed.
 *
 * What is noted is not seen by the questions of the same history. One thread.
 */
#include "flow.h"
#include "params.h"

#define HISTORY_RUNS 3 /* successes remembered of an identity */

typedef struct history history;

typedef struct history_id {
    uint64_t job;    /* hash of batch file and job */
    uint64_t params; /* hash of the parameters by name; 0 without */
} history_id;

#define HISTORY_FAILED  1u  /* it failed, could not be started, or was skipped */
#define HISTORY_KEYED   2u  /* its key and fields are there */
#define HISTORY_KEPT    4u  /* the cache had its result */
#define HISTORY_CUT     8u  /* its key's fields were too many to be kept here */
#define HISTORY_ADOPTED 16u /* it did not run: how long it takes is not known */

/* One run of one job, in short. */
typedef struct history_item {
    history_id id;
    uint64_t at;  /* private: where its record is */
    uint32_t len; /* private: bytes of that */
    uint32_t flags;
    int64_t started_ns; /* wall clock */
    int64_t wall_ns;
} history_item;

/* One run of one job, whole. */
typedef struct history_record {
    history_item item;
    deja_hash key;   /* with HISTORY_KEYED */
    int exit_status; /* -1: none */
    int signal;      /* 0: none */
    const char *job;
    param *params; /* sorted by name */
    size_t param_count;
    const char *run;      /* id of the run */
    const char *reason;   /* why it failed or was not kept, "" for nothing to say */
    const void *encoding; /* fields of the key, deja_field_next; NULL unless KEYED and not CUT */
    size_t encoding_len;
    size_t param_cap;  /* private */
    deja_buffer bytes; /* owns all of it */
} history_record;

typedef struct history_options {
    const char *folder; /* of runs; NULL: nothing is known and nothing is kept */
    const batch *batch; /* of its file the name counts; of one without a file the folder */
} history_options;

/* Touches no file. All is borrowed. */
int history_open(history **ret, const history_options *options, deja_error *err);

/* The identity of an instance; the job's matrix is expanded. */
history_id history_id_of(const history *h, const batch_job *def, uint32_t index);

/* Its last runs, newest first, HISTORY_RUNS + 1 at most: how many. */
size_t history_find(history *h, const history_id *id, history_item ret[HISTORY_RUNS + 1]);

/* Appends all runs of all instances of a job, in no order, to an array to be freed. Returns how many. */
size_t history_of_job(history *h, const batch_job *def, history_item **ret);

/* Where an estimate comes from. */
typedef enum history_source {
    HISTORY_UNKNOWN, /* the job never succeeded with any parameters */
    HISTORY_NEAREST, /* from instances with the nearest parameters */
    HISTORY_OWN,     /* from its own last runs */
} history_source;

/*
 * How long an instance is expected to run: the median of its own last successes, else the mean of the
 * instances of the job whose parameters are nearest (of HISTORY_SAMPLE that are looked at). Some
 * microseconds.
 */
#define HISTORY_SAMPLE 64
history_source history_estimate(history *h, const batch_job *def, uint32_t index, int64_t *ret_wall_ns);

/*
 * The mean of all recorded successes of a job's instances, and how long the longest instance took when it was
 * quickest: what ran slowly once, beside other work, is not long. Returns how many there are, and looks at
 * each.
 */
size_t history_mean(history *h, const batch_job *def, int64_t *ret_mean_ns, int64_t *ret_longest_ns);

/* The nearest other instance of the job that succeeded, and its newest success: 1 or 0. Reads a record for
 * each instance, up to 100,000 of them: for one question at a time. */
int history_nearest(history *h, const batch_job *def, uint32_t index, history_item *ret);

/* All of an item: 1; 0 when it cannot be read (any more). `ret` is zeroed, or was used before. */
int history_load(history *h, const history_item *item, history_record *ret);
void history_record_done(history_record *r);

/* Takes down how a job ended (FINISHED, FAILED, SKIPPED) in run `run`; other events are nothing to it. */
void history_note(history *h, const flow_event *e, const char *run);

/* Writes what was noted, when there is much of it or `all`. The first failure ends the writing: 0 or negative
 * once. */
int history_flush(history *h, int all, deja_error *err);

/* Writes all, and puts things in order where that is due. */
int history_finish(history *h, deja_error *err);

/* NULL is fine. What was not flushed is lost. */
void history_close(history *h);

#endif
