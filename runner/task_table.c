/*
 * The table of tasks: chunks that never move, and a list of free places, the last used first.
 */
#include "task_table.h"

#include <string.h>

enum { chunk_tasks = 256 };

static int add_chunk(task_table *t)
{
    task **chunk = deja_grow(t->chunk, t->chunks, &t->cap, sizeof *chunk);
    if (!chunk)
        return -1;
    t->chunk = chunk;
    task *fresh = deja_calloc(chunk_tasks, sizeof *fresh);
    if (!fresh)
        return -1;
    for (uint32_t i = chunk_tasks; i-- > 0;) {
        fresh[i].index = t->chunks * chunk_tasks + i;
        fresh[i].next = t->free;
        t->free = &fresh[i];
    }
    t->chunk[t->chunks++] = fresh;
    return 0;
}

/* How often the place was used is in the upper half of the number of its last task. */
static uint64_t number_after(uint64_t last, uint32_t index)
{
    return ((last >> 32) + 1) << 32 | index;
}

task *task_table_new(task_table *t)
{
    if (!t->free && add_chunk(t) < 0)
        return NULL;
    task *fresh = t->free;
    t->free = fresh->next;
    uint32_t index = fresh->index;
    uint64_t number = number_after(fresh->outcome.task, index);
    memset(fresh, 0, sizeof *fresh);
    fresh->index = index;
    fresh->marks = task_in_use;
    fresh->outcome.task = number;
    fresh->outcome.cpu_ns = -1;
    fresh->outcome.out_fd = fresh->outcome.err_fd = fresh->outcome.product.fd = -1;
    return fresh;
}

task *task_table_find(const task_table *t, uint64_t number)
{
    uint32_t index = (uint32_t)number;
    if (index / chunk_tasks >= t->chunks)
        return NULL;
    task *found = &t->chunk[index / chunk_tasks][index % chunk_tasks];
    return (found->marks & task_in_use) && found->outcome.task == number ? found : NULL;
}

void task_table_free(task_table *t, task *gone)
{
    deja_free(gone->args);
    deja_free(gone->outcome.text);
    deja_product_done(&gone->outcome.product);
    gone->marks = 0;
    gone->next = t->free;
    t->free = gone;
}

void task_table_walk(task_table *t, void (*each)(void *context, task *t), void *context)
{
    for (uint32_t i = 0; i < t->chunks * chunk_tasks; i++) {
        task *one = &t->chunk[i / chunk_tasks][i % chunk_tasks];
        if (one->marks & task_in_use)
            each(context, one);
    }
}

void task_table_done(task_table *t)
{
    for (uint32_t i = 0; i < t->chunks; i++)
        deja_free(t->chunk[i]);
    deja_free(t->chunk);
    *t = (task_table){0};
}
