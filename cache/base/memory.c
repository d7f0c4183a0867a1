/*
 * Allocation with checked sizes, growing arrays, and the arena. Everything here calls deja_realloc and
 * deja_free.
 */
#include <deja/memory.h>
#include <stdint.h>
#include <string.h>

#define ALIGNMENT   16                  /* bytes; max_align_t on the platforms we know */
#define FIRST_ITEMS 8                   /* capacity of a growing array at its first item */
#define FIRST_BLOCK ((size_t)4 << 10)   /* bytes of an arena's first block: one page */
#define LAST_BLOCK  ((size_t)256 << 10) /* bytes at which blocks stop doubling */

typedef struct deja_arena_block {
    struct deja_arena_block *older;
    size_t size, used; /* bytes, of data only */
    _Alignas(ALIGNMENT) unsigned char data[];
} arena_block;

/* Links a new block behind `a->block` when it is for one large item, so that the newest keeps serving small
 * ones. */
static arena_block *add_block(deja_arena *a, size_t size)
{
    size_t normal = a->block ? 2 * a->block->size : FIRST_BLOCK;
    if (normal > LAST_BLOCK)
        normal = LAST_BLOCK;
    size_t block_size = size > normal / 4 ? size : normal;
    if (block_size > SIZE_MAX - sizeof(arena_block))
        return NULL;
    arena_block *block = deja_realloc(NULL, sizeof *block + block_size);
    if (!block)
        return NULL;
    block->size = block_size;
    block->used = 0;
    if (a->block && block_size == size) {
        block->older = a->block->older;
        a->block->older = block;
    } else {
        block->older = a->block;
        a->block = block;
    }
    return block;
}

static void free_blocks(arena_block *block)
{
    while (block) {
        arena_block *older = block->older;
        deja_free(block);
        block = older;
    }
}

void *deja_calloc(size_t count, size_t size)
{
    void *p = deja_realloc_array(NULL, count, size);
    if (p)
        memset(p, 0, count * size);
    return p;
}

void *deja_realloc_array(void *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return deja_realloc(p, bytes);
}

char *deja_strdup(const char *s)
{
    return deja_dup(s, strlen(s));
}

void *deja_dup(const void *data, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = deja_realloc(NULL, len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

void *deja_grow(void *items, size_t len, size_t *cap, size_t item_size)
{
    if (len < *cap)
        return items;
    size_t wanted;
    if (__builtin_mul_overflow(*cap, (size_t)2, &wanted))
        return NULL;
    if (!wanted)
        wanted = FIRST_ITEMS;
    void *moved = deja_realloc_array(items, wanted, item_size);
    if (moved)
        *cap = wanted;
    return moved;
}

void *deja_arena_alloc(deja_arena *a, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT) {
        a->failed = 1;
        return NULL;
    }
    size = (size + !size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    arena_block *block = a->block;
    if (!block || block->size - block->used < size)
        block = add_block(a, size);
    if (!block) {
        a->failed = 1;
        return NULL;
    }
    void *p = block->data + block->used;
    block->used += size;
    return p;
}

char *deja_arena_dup(deja_arena *a, const void *data, size_t len)
{
    if (len == SIZE_MAX) {
        a->failed = 1;
        return NULL;
    }
    char *copy = deja_arena_alloc(a, len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

void deja_arena_reset(deja_arena *a)
{
    a->failed = 0;
    if (!a->block)
        return;
    free_blocks(a->block->older);
    a->block->older = NULL;
    a->block->used = 0;
}

void deja_arena_done(deja_arena *a)
{
    if (!a)
        return;
    free_blocks(a->block);
    a->block = NULL;
    a->failed = 0;
}
