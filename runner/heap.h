#ifndef HEAP_H
#define HEAP_H
/*
 * Memory that the program and its workers share: one sparse memfd, mapped before the zygote is forked, so
 * that a block has the same address in all of them. The program alone allocates. Workers see it read-only
 * there, and once more, writable, at another address for what they return.
 *
 * Room is reserved when a block is made (fallocate): a full system is DEJA_EFULL, never a SIGBUS. Blocks of
 * up to heap_small_most bytes come from slabs, larger ones are pages of their own, which a free gives back to
 * the system.
 *
 * One thread at a time.
 */
#include <deja/value.h>

typedef struct heap heap;

enum { heap_align = 64, heap_small_most = 64 * 1024 };

/* `bytes` of address space, 0: twice the memory of the machine; halved until it can be had. */
int heap_open(heap **ret, uint64_t bytes, deja_error *err);

/* The mapping stays while arrays of it live. NULL is fine. */
void heap_close(heap *h);

/* A block aligned to heap_align, zeroed when `zero`. NULL with DEJA_EFULL or DEJA_ENOMEM. */
void *heap_alloc(heap *h, uint64_t len, int zero, deja_error *err);
void heap_free(heap *h, void *block); /* NULL is fine */

/* 1: these bytes lie in the heap. */
int heap_holds(const heap *h, const void *data, uint64_t len);

/* 1: these bytes lie in an array that was frozen. */
int heap_is_frozen(const heap *h, const void *data, uint64_t len);

/* Notes that the block at `data` is frozen. */
void heap_note_frozen(heap *h, const void *data);
const void *heap_base(const heap *h);
uint64_t heap_len(const heap *h);

/* Bytes of all blocks that live, for tests. */
uint64_t heap_used(const heap *h);

/* After the zygote is forked: in other children of the program it is not mapped. They could write to what is
 * frozen: only the program's own mapping is read-only. */
void heap_leave_children(heap *h);

/* In the zygote: read-only at its address, writable elsewhere. */
int heap_turn_over(heap *h, deja_error *err);

/* In a worker: the writable twin of a block. */
void *heap_writable(const heap *h, const void *block);

/* ---- arrays: what deja_pool_array_... does ---- */

int heap_array_new(heap *h, uint32_t dtype, uint32_t ndim, const int64_t *shape, deja_array **ret,
                   deja_error *err);
void heap_array_free(deja_array *a); /* after heap_close, too; NULL is fine */
int heap_array_freeze(const deja_array *a, deja_error *err);

#endif
