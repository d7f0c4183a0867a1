#ifndef FLOW_H
#define FLOW_H
/*
 * The conductor: takes the jobs of a batch through key, lookup, dispatch, result and store, in that order,
 * and tells one listener what happens. It never syncs and waits only in flow_wait; large files are hashed and
 * copied by helper threads of the cache, small ones at once.
 *
 *     plan_open(), flow_open();
 *     while (!flow_finished(f))
 *         flow_step(f), flow_wait(f, ...);
 *     flow_close();
 *
 * One thread.
 */
#include "batch.h"
#include "machine.h"
#include "plan.h"
#include "runs.h"
#include <deja/cache.h>
#include <deja/claim.h>
#include <deja/runner.h>
#include <poll.h>

typedef struct flow flow;

typedef enum flow_event_kind {
    FLOW_STARTED,  /* dispatched to a worker */
    FLOW_HIT,      /* answered from the cache, outputs in place */
    FLOW_FINISHED, /* ran, succeeded; kept (durable) or `not_kept` says why not */
    FLOW_FAILED,   /* ran and failed, could not be started, or its inputs could not be read: `reason` */
    FLOW_SKIPPED, /* not run, or not to its end, since a needed job failed or the run was stopped: `reason` */
    FLOW_WAITING, /* somebody else makes it or one of its outputs: `reason`; said once a job */
    FLOW_WOULD_RUN, /* dry run: it would run; `reason` "depends on 'x'" where that cannot be told yet */
    FLOW_WOULD_HIT, /* dry run: it would be answered */
    FLOW_NOTE,      /* a line for the user, about this job or (def NULL) the run */
    FLOW_RETRYING,  /* ran and failed as FAILED, but is tried again after `retry_ns` */
    FLOW_OUTPUT,    /* with `live`: a piece of what a running command wrote */
} flow_event_kind;

/* Bytes of a stream: in memory, or all of a file. Borrowed during the call. */
typedef struct flow_bytes {
    const char *data;
    uint64_t len;
    int fd; /* >= 0: the bytes are bytes 0..len of this file */
} flow_bytes;

/* Every field is borrowed during the call. STARTED, FINISHED ... of one job come in that order. */
typedef struct flow_event {
    flow_event_kind kind;
    const batch_job *def;
    uint32_t index;
    const char *name; /* job and parameters */
    int keyed;        /* 1: `key` and `encoding` are known */
    deja_hash key;
    const void *encoding;
    size_t encoding_len;
    int exit_status;    /* of FINISHED, FAILED, HIT */
    int signal;         /* > 0: killed by it */
    const char *reason; /* NULL or one line */
    unsigned attempt;   /* of RETRYING, FINISHED, FAILED, STARTED: the how manieth, from 1 */
    unsigned attempts;  /* that it has at most */
    int64_t retry_ns;   /* RETRYING: from now to the next attempt */
    int timed_out;      /* ended since its timeout had passed; `reason` says so */
    int allowed;        /* FAILED: it may fail */
    int adopted;        /* FINISHED: it did not run, its outputs lay there */
    int kept;           /* FINISHED: the cache has the result now */
    const char
        *not_kept; /* FINISHED: why the result was not kept, NULL when it was, or when it was not to be */
    int64_t started_ns;      /* wall clock */
    int64_t wall_ns, cpu_ns; /* of a HIT: what it saved */
    uint64_t peak_rss_bytes;
    flow_bytes out, err; /* of HIT, FINISHED, FAILED, RETRYING; of OUTPUT one of them */
} flow_event;

/* Counts of instances. `total` grows when a matrix becomes known only during the run. */
typedef struct flow_totals {
    uint64_t total, done; /* done = hits + ran + failed + skipped */
    uint64_t hits, ran, failed, skipped;
    uint64_t allowed; /* of the failed: they may */
    uint64_t adopted; /* of the ran: they did not, their outputs lay there */
    uint64_t running;
    uint64_t not_kept; /* ran well, but the cache could not keep the result */
    int64_t saved_ns;  /* recorded wall time of all hits */
    int64_t ran_ns;    /* wall time of all that ran */
    int unexpanded;    /* some job's number of instances is not known yet */
} flow_totals;

typedef struct flow_options {
    unsigned slots;             /* jobs running at once, at least 1 */
    deja_cache *cache;          /* NULL: no cache */
    deja_claims *claims;        /* for keys; NULL without a cache */
    deja_claims *output_claims; /* for output paths; may be NULL */
    int lookup;                 /* ask the cache (0: refresh, --force) */
    int store;                  /* keep results (0: readonly) */
    int dry_run;
    int keep_edited;
    int live;                       /* tell of output as it comes; that of calls comes at their end */
    int adopt;                      /* take outputs that lie there for what a miss would make, see adopt.h */
    uint64_t failures_most;         /* start nothing after so many failures that are not allowed; 0: go on */
    double failures_percent;        /* or after this part of all jobs; 0: go on */
    int end_at_failure;             /* then end what runs, too */
    const char *const *resources;   /* NAME=AMOUNT, ended by NULL: instead of what the batch says; or NULL */
    uint64_t memory_most;           /* bytes that jobs may ask for together; 0: what the machine has */
    double load_most;               /* start nothing while the load average is not below; 0: whatever it is */
    uint64_t memory_free_least;     /* start nothing while less memory (bytes) is free; 0: whatever is */
    const machine_source *machine;  /* NULL: the one that we run on */
    unsigned nice;                  /* added to our niceness, of jobs that say nothing about it */
    batch_retries retries;          /* of jobs that say nothing about them */
    int64_t timeout_ns;             /* of jobs that say nothing about it; 0: none */
    int64_t grace_ms;               /* from TERM to KILL; 0: 5 s */
    struct history *history;        /* what is recorded of durations; NULL: nothing */
    int batch_order;                /* do not start first what takes longest by that */
    const char *const *environment; /* of the caller, NULL-terminated "NAME=value" */
    const char *run_id;             /* for DEJA_RUN */
    const sigset_t *signal_mask;    /* of jobs; NULL: the caller's when the first one starts */
    const struct rlimit *job_descriptors; /* RLIMIT_NOFILE of jobs; NULL: the caller's */
    deja_trace *trace;
    const char *trace_keys; /* a folder: the exact bytes of each key go to a file there, named by its hash;
                               NULL: none */
    void (*listen)(void *context, const flow_event *event); /* may not enter the flow, save flow_totals_of */
    void *context;
} flow_options;

/* Borrows batch, plan (fresh) and options' pointers until flow_close. DEJA_ENOMEM; a job that asks for more
 * resources than there are. */
int flow_open(flow **ret, batch *b, plan *p, const flow_options *options, deja_error *err);

/* Does all that can be done now without waiting. */
void flow_step(flow *f);

/* Waits until flow_step has work, one of `extra` is ready, or `timeout_ms` (-1: none) passed. Like ppoll(2),
 * EINTR counts as time. */
void flow_wait(flow *f, struct pollfd *extra, size_t extra_count, int timeout_ms);

int flow_finished(const flow *f);
void flow_totals_of(const flow *f, flow_totals *ret);

/* What a run that was told to stop waits for when nothing runs any more. */
typedef enum flow_keeping {
    FLOW_KEEPS_NOTHING, /* there is more to it */
    FLOW_KEEPS_SEALED,  /* results become durable: that cannot be hurried */
    FLOW_KEEPS_SEALING, /* outputs are being copied, too: a second signal ends that */
} flow_keeping;
flow_keeping flow_is_keeping(const flow *f);

/* How long the rest will take, by recorded durations; -1: nothing that takes long is recorded, or it is not
 * known how many jobs there are. */
int64_t flow_left_ns(flow *f);

/* The jobs that run, those that run longest first, `most` at most: how many. Names are borrowed until the
 * next step.
 */
size_t flow_running(const flow *f, runs_job *list, size_t most);

/* Name of the job that runs longest, NULL when none does. Borrowed until the next step. */
const char *flow_longest(const flow *f);

/*
 * A signal for the run: INT, TERM, HUP the first time stop starting and end what runs (TERM, KILL after the
 * grace), the second time KILL; TSTP and CONT are passed on. The flow then finishes by itself; what is
 * finished is kept.
 */
void flow_signal(flow *f, int sig);

/* The first trouble with the cache: why a result was not kept, or why nothing could be looked up; or NULL. */
const char *flow_cache_trouble(const flow *f);

/* Ends what still runs. NULL is fine. */
void flow_close(flow *f);

#endif
