#ifndef PROCESS_MAP_H
#define PROCESS_MAP_H
/* A map in the program: process_map.c runs it, process_map_items.c hands out what became of its items. */
#include "map_block.h"
#include "process.h"

typedef struct map_range {
    uint64_t from, to; /* items; from UINT64_MAX: as the block deals them out */
} map_range;

/* An item whose worker died. */
typedef struct map_loss {
    uint64_t item;
    uint32_t kills;
    int32_t code; /* 0: it is tried again */
    char *text;
} map_loss;

/* A stream of a worker. */
typedef struct map_stream {
    uint32_t number;
    int fd;
    uint64_t read; /* failures before this are in the index */
} map_stream;

typedef struct map_file {
    uint64_t item, len;
    int fd; /* -1: handed out */
} map_file;

typedef struct map_failure {
    uint64_t item;
    int32_t code;
    char *text;
} map_failure;

struct map_run {
    deja_map_run base;
    map_run *next;
    process *process;
    deja_pool_function *function;
    deja_map_task m;  /* borrowed */
    map_block *block; /* workers can write to it: pointers and bounds in it are for them, these are ours: */
    uint16_t *mark;
    map_record *record;
    void *into;
    uint64_t shares_most;
    int64_t timeout_ns;
    void *copy;   /* results that go to an `into` outside of the heap at the end */
    void **owned; /* blocks of the heap */
    size_t owned_len, owned_cap;
    map_range *todo; /* not posted yet */
    size_t todo_len, todo_cap;
    uint64_t shares;       /* posted */
    uint64_t ended_before; /* items, when a worker died last without one */
    uint32_t vain_deaths;  /* since an item ended */
    int finished;
    deja_error error; /* code != 0: of the map as a whole, for items that have not ended */
    map_loss *losses;
    size_t losses_len, losses_cap;
    map_stream *streams;
    size_t streams_len, streams_cap;
    map_file *files; /* sorted by item when `files_sorted` */
    size_t files_len, files_cap;
    int files_sorted;
    map_failure *failures; /* the same */
    size_t failures_len, failures_cap;
};

int process_map_item(deja_map_run *r, uint64_t i, deja_product *ret_product, const char **ret_text);
int64_t process_map_wall_ns(const deja_map_run *r, uint64_t i);
uint64_t process_map_times(const deja_map_run *r, uint16_t *ret);
void process_map_items_done(map_run *r);

#endif
