/*
 * Arrays that workers map: the heap of the process backend, as calls of the pool.
 */
#include "pool_state.h"
#include "process.h"

static heap *heap_of(const deja_pool *p)
{
    return p->backend[DEJA_PROCESS] ? process_heap(p->backend[DEJA_PROCESS]) : NULL;
}

int deja_pool_array_new(deja_pool *p, uint32_t dtype, uint32_t ndim, const int64_t *shape, deja_array **ret,
                        deja_error *err)
{
    if (pool_is_foreign(p))
        return deja_fail(err, DEJA_EFORK, "a pool cannot be used in a forked child");
    if (!heap_of(p))
        return deja_fail(err, DEJA_EINVAL, "this pool was opened without processes to share memory with");
    return heap_array_new(heap_of(p), dtype, ndim, shape, ret, err);
}

/* The pool may be closed; in a forked child its pages are still those of the parent. */
void deja_pool_array_free(deja_pool *p, deja_array *a)
{
    (void)p;
    heap_array_free(a);
}

int deja_pool_array_freeze(deja_pool *p, const deja_array *a, deja_error *err)
{
    if (pool_is_foreign(p))
        return deja_fail(err, DEJA_EFORK, "a pool cannot be used in a forked child");
    return heap_array_freeze(a, err);
}

int deja_pool_array_is_frozen(const deja_pool *p, const deja_array *a)
{
    heap *h = heap_of(p);
    uint64_t bytes = h ? deja_array_bytes(a) : UINT64_MAX;
    return bytes != UINT64_MAX && deja_array_is_plain(a) && heap_is_frozen(h, a->data, bytes);
}

int deja_pool_array_is_shared(const deja_pool *p, const deja_array *a)
{
    heap *h = heap_of(p);
    uint64_t bytes = h ? deja_array_bytes(a) : UINT64_MAX;
    return bytes != UINT64_MAX && deja_array_is_plain(a) && heap_holds(h, a->data, bytes);
}
