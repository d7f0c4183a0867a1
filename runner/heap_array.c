/*
 * Arrays in the heap: the numbers lie there, what describes them in memory of the program's own.
 */
#include "heap_parts.h"

#include <sys/mman.h>

/* Of an array: deja_array.shared. */
struct deja_shared {
    heap *heap;
    int frozen;
    deja_array array;
    int64_t shape[];
};

static int check_array(const deja_array *a, uint64_t *ret_bytes, deja_error *err)
{
    if (!deja_dtype_size(a->dtype) || a->ndim > DEJA_NDIM_MAX || (a->ndim && !a->shape))
        return deja_fail(err, DEJA_EINVAL, "a shared array wants a type of numbers and at most %d axes",
                         DEJA_NDIM_MAX);
    for (uint32_t i = 0; i < a->ndim; i++)
        if (a->shape[i] < 0)
            return deja_fail(err, DEJA_EINVAL, "axis %u of a shared array has a negative length", i);
    *ret_bytes = deja_array_bytes(a);
    return *ret_bytes == UINT64_MAX ? deja_fail(err, DEJA_EINVAL, "a shared array is too large") : 0;
}

/* Pages of its own, even for a small one: freezing is a matter of pages. */
static void *alloc_pages(heap *h, uint64_t len, deja_error *err)
{
    return heap_alloc(h, len > heap_small_most ? len : heap_small_most + 1, 0, err);
}

int heap_array_new(heap *h, uint32_t dtype, uint32_t ndim, const int64_t *shape, deja_array **ret,
                   deja_error *err)
{
    deja_array like = {.dtype = dtype, .ndim = ndim, .shape = shape};
    uint64_t bytes;
    int rc = check_array(&like, &bytes, err);
    if (rc < 0)
        return rc;
    struct deja_shared *s = deja_calloc(1, sizeof *s + ndim * sizeof *shape);
    if (!s)
        return deja_fail(err, DEJA_ENOMEM, "make a shared array");
    deja_error why;
    like.data = alloc_pages(h, bytes, &why);
    if (!like.data) {
        deja_free(s);
        return deja_fail(err, why.code, "%s", why.text);
    }
    if (ndim)
        memcpy(s->shape, shape, ndim * sizeof *shape);
    like.shape = s->shape;
    like.shared = s;
    s->heap = h;
    s->array = like;
    h->refs++;
    *ret = &s->array;
    return 0;
}

void heap_array_free(deja_array *a)
{
    if (!a || !a->shared)
        return;
    struct deja_shared *s = a->shared;
    heap *h = s->heap;
    heap_free(h, a->data);
    deja_free(s);
    heap_let_go(h);
}

int heap_array_freeze(const deja_array *a, deja_error *err)
{
    struct deja_shared *s = a->shared;
    if (!s)
        return deja_fail(err, DEJA_EINVAL, "only a shared array can be frozen");
    if (s->frozen)
        return 0;
    uint64_t page = s->heap->page, len = deja_array_bytes(a);
    if (mprotect(a->data, (len + page - 1) & ~(page - 1), PROT_READ) < 0)
        return deja_fail_errno(err, "freeze a shared array");
    s->frozen = 1;
    heap_note_frozen(s->heap, a->data);
    return 0;
}
