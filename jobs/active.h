#ifndef ACTIVE_H
#define ACTIVE_H
/*
 * A job in flight, between the plan that handed it out and the report of its end, and the lists that such
 * jobs are in. Private to the conductor, flow.c, and the files that serve it.
 */
#include "flow.h"
#include "plan.h"
#include "pressure.h"
#include "programs.h"
#include "reads.h"
#include <deja/pool.h>

typedef enum stage {
    HASHING,   /* what it reads */
    LOOKING,   /* waits for the next lookup */
    EXAMINING, /* a hit, if what it read beyond its inputs is as it was */
    CHECKING,  /* a hit: are its outputs right already? */
    RESTORING, /* a hit: outputs are put in place */
    REREADING, /* a hit: what its entry does not tell of its outputs is read for the jobs that need it */
    MISSED,    /* waits for a slot */
    HELD,      /* waits for resources */
    ASIDE,     /* somebody else has a claim: asks again later */
    RUNNING,
    ADOPTED,    /* its outputs lay there: it has ended without having run */
    SEALING,    /* outputs are read and hashed */
    VERIFYING,  /* waits for a look at what the jobs that it needs left */
    COMMITTING, /* its row is being written */
} stage;

typedef struct active {
    struct flow *flow;
    struct active *prev, *next; /* in the list of its stage */
    stage stage;
    job job;
    deja_buffer name;    /* for people; made when it is asked for */
    deja_buffer program; /* path of its program, as seen from the batch's folder; empty: none found */
    reads reads;
    size_t weight;                /* what the flow counts of `reads` */
    int64_t keyed_ns;             /* monotonic: when its key was made of what it reads */
    int refreshing;               /* its key is being made anew for the slot that it is to have */
    uint64_t programs_generation; /* then */
    deja_digest digest;
    deja_key encoding;
    deja_hash key;
    int keyed;         /* `key` is known */
    deja_entry *entry; /* a hit */
    deja_restore restore;
    uint8_t *restored; /* deja_restored of each output of the entry */
    size_t restored_cap;
    int left_unknown;          /* an edited output cannot be read */
    deja_digest_item *targets; /* of a hit that is needed: what its outputs that are links lead to */
    unsigned attempt;          /* from 1 */
    int64_t not_before_ns;     /* monotonic: its next attempt */
    int adopted;               /* its outputs lay there, it does not run */
    int claimed;               /* key and outputs */
    deja_hash *output_claims;  /* of the outputs */
    size_t output_claim_count, output_claim_cap;
    int has_resources;                    /* all that it asks for */
    int64_t held_since_ns;                /* monotonic: when it first waited for them; 0: it does not */
    int looked_again;                     /* after claiming */
    int64_t aside_ns;                     /* how long it was set aside last; 0: never */
    int64_t aside_since_ns, ask_again_ns; /* monotonic */
    int said_waiting;
    int estimated;      /* `wall_ns` and `chain_ns` are asked for */
    int64_t wall_ns;    /* that it will run, by the record */
    int64_t chain_ns;   /* until the last job of the longest chain that begins with it */
    int looks_now;      /* its result does not wait to be verified */
    uint64_t way;       /* reads_way() when it started */
    int64_t started_ns; /* wall clock */
    int64_t since_ns;   /* the same by the coarse clock that stamps files */
    int64_t ended_ns;   /* monotonic: its process has */
    deja_outcome outcome;
    deja_product product; /* of a call: what the function returned ... */
    deja_buffer image;    /* ... a number as an image */
    char *why;            /* of a call that failed; NULL: it did not */
    uint64_t task;        /* of a call that runs */
    deja_result result;
    const char *unfit;            /* why its result is not to be kept although it ran well; NULL: it is */
    struct held_list *held_lists; /* files of paths that are there while it runs, see held_list.h */
    size_t held_list_count;
} active;

/* Actives in batch order. */
typedef struct active_list {
    active *first, *last;
    size_t count;
} active_list;

struct flow {
    batch *batch;
    flow_options options;
    plan *plan;
    deja_runner *runner;         /* NULL until the first dispatch */
    struct functions *functions; /* NULL: the batch calls none */
    flow_totals totals;
    active_list looking, missed, aside, verifying;
    active_list busy; /* with the cache or running */
    active *idle;     /* to be used again, linked by `next` */
    struct resources *resources;
    pressure pressure;
    size_t held;            /* actives that wait for resources */
    size_t preparing;       /* actives whose fate is not known yet: HASHING to REREADING */
    size_t refreshing;      /* actives that are */
    size_t adopted;         /* actives that wait to be sealed as if they had run */
    size_t weight;          /* paths that the actives read, all together */
    int more;               /* the last step left work that needs no waiting */
    int64_t short_since_ns; /* the runner could not start a job for want of processes or descriptors; 0: it
                               could */
    int said_fewer;         /* that fewer run at once than are wished for */
    int64_t start_again_ns; /* not to be tried before, unless a job ended */
    int stopping;           /* signals seen */
    int failed;             /* so many jobs that nothing more is started */
    int ending;             /* what runs is being ended; 2: killed */
    programs programs;
    deja_buffer environment;         /* the environment's fields of keys of the job below */
    const batch_job *environment_of; /* NULL: none yet */
    int64_t opened_ns;               /* discovered_now_ns() when the run began */
    struct estimates *estimates;     /* of durations; NULL: not asked for yet, or */
    int estimates_failed;            /* out of memory for them */
    int64_t expected_ns, taken_ns;   /* what jobs that ended were to take by them, and took */
    deja_buffer trouble;             /* first reason why a result was not kept */
};

/* An active at the stage HASHING; NULL when out of memory. */
active *active_new(flow *f, const batch_job *def, uint32_t index);

/* Moves it to the list of stage `s`. */
void active_enter(active *a, stage s);

/* It ends: claims, results and its place in a list are given back, its memory waits for the next one. */
void active_retire(active *a);

/* Frees those that wait. */
void active_free_idle(flow *f);

size_t active_count(const flow *f);
int active_comes_before(const active *a, const active *b);

/* 1 when its key was made so long ago that what it reads is to be looked at again before it starts. */
int active_is_stale(const active *a);

/* Job and parameters. Borrowed until it retires. */
const char *active_name(active *a);

const batch_retries *active_retries(const active *a);

/* How much is added to the niceness of its process. */
unsigned active_nice(const active *a);

/* Of its process or call; 0: none. */
int64_t active_timeout_ns(const active *a);

/* An event about it, with its key and no streams. */
flow_event active_event(active *a, flow_event_kind kind);
void active_tell(flow *f, const flow_event *event);

/* A line for the user about it. */
void active_note(active *a, const char *text);

/* Claims its key and all its outputs, or nothing: 1 or 0. Given back when it retires, or by active_release.
 */
int active_claim(active *a);
void active_release(active *a);

/* A hash of which job of which batch file it is. */
deja_hash active_identity(const active *a);

/* 1 when this very job runs a process that this run is part of: run again, it would do so without end. */
int active_is_part_of_itself(const active *a);

#endif
