#ifndef LOCAL_RUN_H
#define LOCAL_RUN_H
/*
 * A map in this process, its items and its lanes.
 */
#include "local_map.h"
#include <deja/item.h>

enum item_code {
    item_waits = 1,
    item_runs = 2,
};

/* kind: of a scalar in `bits`; item_product: bits is a deja_product *; of a failure: bits is its text or 0.
 */
enum { item_product = UINT32_MAX };

typedef struct item {
    _Atomic int32_t code; /* item_code, or its end: 0 or negative */
    uint32_t kind;
    uint64_t bits;
} item;

typedef struct lane {
    struct local_run *run;
    task *task;               /* NULL: it is over */
    _Atomic uint64_t current; /* the item that runs */
    _Atomic int64_t start_ns; /* of the beat; 0 between them */
    int64_t mean_ns;          /* of an item of late; 0: unknown */
    int64_t turn_ns;          /* a coroutine: since it gave way to others, or began */
    uint32_t beat;            /* items */
    deja_value *arg;          /* m->columns */
    deja_item_node *node;     /* m->columns, where a column is nested; else NULL */
} lane;

typedef struct local_run {
    deja_map_run ops;
    deja_pool_function *f;
    const deja_map_task *m;
    _Atomic uint64_t next;  /* item to claim */
    _Atomic uint64_t ended; /* items */
    _Atomic uint64_t cut;   /* items from here on never began: it was stopped */
    _Atomic int stopped;
    item *item;
    float *wall_ns; /* seven digits are enough for a time */
    lane *lane;
    uint32_t lanes;
    uint32_t lanes_left;
    char *late_text, *canceled_text;
} local_run;

/* ---- local_item.c ---- */

/* Counts items that have ended. */
void local_item_ended(local_run *r, uint64_t n);

/* Runs item `at`, claimed. 1: it ended here, to be counted; 0: it was found late, and counted. */
uint64_t local_item_run(local_run *r, lane *l, uint64_t at, deja_sink *s);

/* 1: it ran and is late now. Any thread. */
int local_item_late(local_run *r, uint64_t at);

/* Claimed and never begun. */
void local_item_cancel(local_run *r, uint64_t from, uint64_t to);

/* What deja_map_run_item() tells. */
int local_item_get(local_run *r, uint64_t at, deja_product *ret_product, const char **ret_text);
void local_item_free_all(local_run *r);

/* ---- local_lane.c ---- */

/* 0, or -1: out of memory. */
int local_lane_init(local_run *r, lane *l);
void local_lane_done(lane *l);

/* ---- local_map.c ---- */

/* Nothing is claimed from now on. Any thread. */
void local_map_stop(local_run *r);

#endif
