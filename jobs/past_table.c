/* The jobs of a run by their labels, see past_table.h. */
#include "past_table.h"
#include <deja/memory.h>
#include <stdlib.h>

static int add(void *context, const past_job *j)
{
    past_table *t = context;
    past_table_item *items = deja_grow(t->items, t->count, &t->cap, sizeof *items);
    if (!items)
        return DEJA_ENOMEM;
    t->items = items;
    past_table_item *one = &items[t->count++];
    *one = (past_table_item){.label = deja_hash64(deja_buffer_string(&j->label), j->label.len), .job = *j};
    one->job.label = one->job.job = one->job.reason = (deja_buffer){0};
    return 0;
}

/* By label; of one label in the order of their starts. */
static int compare(const void *left, const void *right)
{
    const past_table_item *a = left, *b = right;
    if (a->label != b->label)
        return a->label < b->label ? -1 : 1;
    return a->job.start_ns == b->job.start_ns ? 0 : a->job.start_ns < b->job.start_ns ? -1 : 1;
}

int past_table_fill(past_table *t, const past_run *r)
{
    t->count = 0;
    int status = past_run_jobs(r, add, t);
    if (t->count)
        qsort(t->items, t->count, sizeof *t->items, compare);
    return status;
}

const past_job *past_table_find(const past_table *t, const char *label, size_t len)
{
    const uint64_t hash = deja_hash64(label, len);
    size_t first = 0, count = t->count; /* the first one behind it */
    while (count > 0) {
        size_t half = count / 2;
        if (t->items[first + half].label <= hash) {
            first += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return first > 0 && t->items[first - 1].label == hash ? &t->items[first - 1].job : NULL;
}

void past_table_done(past_table *t)
{
    deja_free(t->items);
    *t = (past_table){0};
}
