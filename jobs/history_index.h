#ifndef HISTORY_INDEX_H
#define HISTORY_INDEX_H
/*
 * Which records there are in the history, in order: by job, parameters, and newest first. The most lie in the
 * file `.history.index`, which is mapped; what came to the log since it was written is read and sorted when
 * the history is opened.
 *
 * The file is a history_index_header and then items as in memory, in the machine's own order of bytes: where
 * anything about it is wrong it is made anew from the log.
 */
#include "history.h"

typedef struct history_index_header {
    uint64_t magic;
    uint64_t generation; /* of the log */
    uint64_t covered;    /* bytes of the log that the items come from */
    uint64_t count;      /* of items */
} history_index_header;

typedef struct history_index {
    const history_item *base; /* NULL: no file */
    size_t base_count;
    uint64_t covered;
    history_item *tail;
    size_t tail_count, tail_cap;
    void *map;
    size_t map_len;
} history_index;

/* Maps the file when it belongs to this log; else the index is empty. */
void history_index_open(history_index *x, int runs_fd, uint64_t generation, uint64_t log_size);
void history_index_close(history_index *x);

/* Adds to the tail; afterwards history_index_sort. DEJA_ENOMEM. */
int history_index_add(history_index *x, const history_item *item);
void history_index_sort(history_index *x);

/* The items of an identity, newest first, `most` at most. */
size_t history_index_find(const history_index *x, const history_id *id, history_item *ret, size_t most);

/* Where the items of a job begin in a sorted list, and how many there are. */
size_t history_index_job(const history_item *items, size_t count, uint64_t of, size_t *ret_first);

/*
 * All items that are to be kept, sorted, into an array to be freed: of each identity HISTORY_RUNS successes
 * and a newer failure; when their records are more than `most_bytes`, of each one success, and then the
 * oldest go. DEJA_ENOMEM.
 */
int history_index_keep(const history_index *x, uint64_t most_bytes, history_item **ret, size_t *ret_count,
                       uint64_t *ret_bytes);

/* Writes the file anew. */
int history_index_save(int runs_fd, uint64_t generation, uint64_t covered, const history_item *items,
                       size_t count, deja_error *err);

#endif
