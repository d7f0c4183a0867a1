#ifndef PAST_TABLE_H
#define PAST_TABLE_H
/*
 * The jobs of a run by their labels, for who asks about many of them: the record is read once. 80 bytes a
 * job.
 */
#include "past_run.h"

/* A past_job without its texts. */
typedef struct past_table_item {
    uint64_t label; /* hash */
    past_job job;   /* texts are empty */
} past_table_item;

/* Zeroed memory is an empty table. */
typedef struct past_table {
    past_table_item *items; /* sorted by label; of equal ones the newest is last */
    size_t count, cap;
} past_table;

/* Reads all jobs that ran. What was there before is forgotten. DEJA_ENOMEM. */
int past_table_fill(past_table *t, const past_run *r);

/* The job of this label that ran last, NULL when there is none. Borrowed until the next fill. */
const past_job *past_table_find(const past_table *t, const char *label, size_t len);

void past_table_done(past_table *t);

#endif
