#ifndef DEJA_MEMORY_H
#define DEJA_MEMORY_H
/*
 * Memory. Every allocation of deja goes through deja_realloc(), so that a test can make the n-th one fail by
 * wrapping that one symbol at link time. Sizes are multiplied with overflow checks. NULL means out of memory.
 * Any thread may call.
 */
#include <deja/error.h>
#include <stddef.h>

/* As realloc(3): NULL allocates. `size` 0 is taken as 1. The only caller of the C library's allocator. */
DEJA_API void *deja_realloc(void *p, size_t size);

/* `count` zeroed items of `size` bytes each. */
DEJA_API void *deja_calloc(size_t count, size_t size);

/* As deja_realloc for `count` items of `size` bytes; NULL too when the product overflows (p stays valid). */
DEJA_API void *deja_realloc_array(void *p, size_t count, size_t size);

/* A NUL-terminated copy. `deja_dup` copies `len` bytes and adds a NUL. */
DEJA_API char *deja_strdup(const char *s);
DEJA_API void *deja_dup(const void *data, size_t len);

/* Frees what any of the above returned. NULL is fine. */
DEJA_API void deja_free(void *p);

/*
 * Makes room for one more item in a growing array: doubles `*cap` when `len == *cap`. Returns the array,
 * moved perhaps, or NULL (the old one stays valid and `*cap` as it was).
 */
DEJA_API void *deja_grow(void *items, size_t len, size_t *cap, size_t item_size);

/*
 * An arena: many small allocations, freed at once. Zeroed memory is an empty arena. Memory is aligned to 16
 * bytes and not zeroed. One thread at a time.
 */
typedef struct deja_arena {
    struct deja_arena_block *block; /* newest block, linked to the older */
    int failed;                     /* sticky: an allocation returned NULL */
} deja_arena;
DEJA_API void *deja_arena_alloc(deja_arena *a, size_t size);
DEJA_API char *deja_arena_dup(deja_arena *a, const void *data, size_t len); /* adds a NUL */
DEJA_API void deja_arena_reset(deja_arena *a); /* forgets all, keeps the newest block for reuse */
DEJA_API void deja_arena_done(deja_arena *a);

#endif
