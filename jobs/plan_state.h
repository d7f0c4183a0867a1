#ifndef PLAN_STATE_H
#define PLAN_STATE_H
/*
 * What a plan is made of. Private to plan.c and plan_select.c.
 */
#include "edges.h"
#include "fed.h"
#include "links.h"
#include "numbers.h"
#include "plan.h"

/* What the plan knows of a definition. */
typedef struct node {
    uint8_t selected;        /* some of its instances, or all, are to be run */
    uint8_t whole;           /* all */
    uint8_t counted;         /* its instances are known, and what they make */
    uint8_t linked;          /* what they read, too */
    uint8_t released;        /* all its instances are settled, its dependants know */
    uint8_t queued;          /* it is among those that are ready */
    uint8_t blocker_known;   /* `blocked_by` holds for all of its instances */
    uint32_t waiting;        /* edges to definitions that are waited for as a whole and not released */
    uint32_t count;          /* of instances, once it is counted */
    uint32_t promised;       /* with an error: the instances that others wait for by themselves */
    uint32_t next;           /* instance to hand out, where all may start together */
    uint32_t settled;        /* instances */
    numbers wanted;          /* of a job that is selected in part: the instances that are to be run */
    uint32_t *waits;         /* what each instance waits for by itself; NULL: all may start together */
    numbers ready;           /* then: those that wait for nothing of it and are not handed out */
    plan_end end;            /* the worst of its instances */
    const deja_error *error; /* its instances cannot be known */
    remains remains;         /* when it is in some other job's key */
    const batch_job *blocked_by;
    int would;
} node;

struct plan {
    batch *batch;
    const selection *chosen; /* NULL: all */
    int only;                /* without what these need */
    fed fed;                 /* its feed NULL: the batch has none, and all below counts */
    edges edges;
    node *nodes;
    makers *makers;
    batch_job *opening; /* whose instances become known during the run, while they do; else NULL */
    uint32_t *ready;    /* definitions that may hand out instances: a heap, the first of the batch on top */
    uint32_t ready_count;
    uint32_t *work;      /* scratch for as many numbers as there are definitions */
    uint32_t unreleased; /* selected definitions that are not released */
    uint32_t uncounted;  /* selected definitions whose instances are not known */
    uint64_t total;      /* instances of selected definitions */
};

/* Puts a definition among those that are ready when it has something to hand out, is to be opened, or is done
 * already. */
void plan_push(plan *p, uint32_t number);

/* How many instances of a definition are to be run, as far as that is known. */
uint32_t plan_wanted(const node *n);

/* All instances of a job, and of all that it needs. */
void plan_select_whole(plan *p, uint32_t number);

/* When all edges are there: what `p->chosen` has, and unless `p->only` all that these need, instance by
 * instance. DEJA_ENOMEM. */
int plan_select_chosen(plan *p);

/* Of a job that is selected in part and whose instances became known: which are to be run. DEJA_ENOMEM. */
int plan_select_known(plan *p, const batch_job *def);

#endif
