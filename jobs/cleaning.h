#ifndef CLEANING_H
#define CLEANING_H
/*
 * Removing what a batch made: outputs that are as a run made or restored them, and folders below the batch's
 * that are empty then. What made an output is told by the cache: by the entries of the job's present key and
 * of its last runs, as the history has them. Never touched is what no job declares as its output, and what
 * lies behind a link.
 */
#include "failed.h"
#include "plan.h"
#include <deja/cache.h>
#include <deja/claim.h>

typedef enum cleaning_fate {
    CLEANING_REMOVED, /* or would be: a dry run */
    CLEANING_CHANGED, /* left: it is not what a run made */
    CLEANING_UNKNOWN, /* left: no result that the cache still has tells what a run made */
    CLEANING_IN_USE,  /* left: a run makes it */
    CLEANING_LINKED,  /* left: a folder on the way to it is a link */
    CLEANING_FAILED,  /* it could not be removed: `why` */
} cleaning_fate;

typedef struct cleaning_options {
    batch *batch;
    plan *plan;              /* fresh, of the chosen instances; used up */
    const selection *chosen; /* NULL: all */
    history *history;
    deja_cache *cache;          /* NULL: of no output it is known who made it */
    deja_claims *output_claims; /* NULL: nobody else is looked at */
    const char *const *environment;
    int force; /* remove what was changed, or is not known, too */
    int dry_run;
    /* Once for each output that is there, in batch order. */
    void (*tell)(void *context, cleaning_fate fate, const char *path, const char *why);
    void *context;
} cleaning_options;

/* 0 or negative: then what was told of is done. */
int cleaning_run(const cleaning_options *options, deja_error *err);

#endif
