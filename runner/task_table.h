#ifndef TASK_TABLE_H
#define TASK_TABLE_H
/*
 * Tasks, found again by number: a number is a place and how often that place was used, so that the number of
 * a task that is gone is known as such. Memory is that of the most tasks at once. One thread at a time.
 */
#include "backend.h"

enum task_marks {
    task_in_use = 1,
    task_delivered = 2, /* its outcome was taken, or nobody wants it */
    task_over = 4,      /* no backend has it */
};

typedef struct task_table {
    task **chunk;
    uint32_t chunks;
    size_t cap;
    task *free; /* linked by `next` */
} task_table;

/* A zeroed task with its number and nothing else in outcome; NULL: out of memory. */
task *task_table_new(task_table *t);

/* NULL: gone, or there never was one. */
task *task_table_find(const task_table *t, uint64_t number);

/* Frees what it points to, too, but what prepare() made. */
void task_table_free(task_table *t, task *gone);

/* Calls `each` for those in use. */
void task_table_walk(task_table *t, void (*each)(void *context, task *t), void *context);
void task_table_done(task_table *t);

#endif
