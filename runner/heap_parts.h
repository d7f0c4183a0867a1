#ifndef HEAP_PARTS_H
#define HEAP_PARTS_H
/* What heap.c and heap_array.c know of the heap. */
#include "heap.h"

#include <deja/memory.h>
#include <sys/types.h>

#define slab_bytes (UINT64_C(1) << 20)

enum { slab_classes = 36 }; /* 64 bytes to heap_small_most, four for each doubling */

typedef struct extent {
    uint64_t at, len; /* bytes from the begin of the heap */
    int frozen;       /* a block that nobody writes to any more */
} extent;

typedef struct extent_list {
    extent *item; /* sorted by `at` */
    size_t len, cap;
} extent_list;

/* One megabyte, cut into blocks of one size. */
typedef struct slab {
    struct slab *next, *prev; /* slabs of its size with room */
    uint64_t at;
    uint32_t class, blocks, live;
    uint32_t first;   /* free block; `blocks`: none */
    uint16_t after[]; /* the free block behind each */
} slab;

struct heap {
    char *base, *twin; /* its place; in workers the writable mapping */
    uint64_t len, page, used;
    int fd, refs; /* refs: the opener and each array */
    pid_t owner;  /* the program: who alone gives pages back */
    extent_list open, large;
    slab *roomy[slab_classes];
    slab **slabs; /* one for each megabyte, NULL where there is none */
};

void heap_let_go(heap *h);

#endif
