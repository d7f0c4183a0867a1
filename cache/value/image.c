/*
 * Writing images. Measuring and writing go the same way; what was measured fits.
 */
#include "array.h"
#include "image_format.h"

#include <deja/image.h>

/* Sums that no memory can hold stay UINT64_MAX. */
static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - 2 * (uint64_t)IMAGE_DATA_ALIGN - b ? UINT64_MAX : a + b;
}

static uint64_t add_rounded(uint64_t at, uint64_t len)
{
    uint64_t end = add(at, len);
    return end == UINT64_MAX ? end : image_round(end, IMAGE_WORD);
}

/* 1: written as a reference. */
static int is_in_heap(const deja_array *a, const deja_image_heap *heap)
{
    if (!heap || !a->data)
        return 0;
    uint64_t bytes = deja_array_bytes(a), offset = (uintptr_t)a->data - (uintptr_t)heap->base;
    return bytes && (uintptr_t)a->data >= (uintptr_t)heap->base && offset <= heap->len &&
           bytes <= heap->len - offset && offset % array_alignment(a->dtype) == 0 && deja_array_is_plain(a) &&
           (!heap->is_fixed || heap->is_fixed(heap->context, a->data, bytes));
}

static uint64_t measure_array(const deja_array *a, const deja_image_heap *heap, uint64_t at)
{
    at = add(at, IMAGE_WORD + a->ndim * sizeof *a->shape);
    if (at == UINT64_MAX)
        return at;
    if (is_in_heap(a, heap))
        return add(at, IMAGE_WORD);
    return add_rounded(image_round(at, IMAGE_DATA_ALIGN), deja_array_bytes(a));
}

/* Where the node ends that begins at `at`. */
static uint64_t measure(const deja_value *v, const deja_image_heap *heap, uint64_t at)
{
    switch (v->kind) {
    case DEJA_NULL:
    case DEJA_BOOL:
        return add(at, IMAGE_WORD);
    case DEJA_STRING:
    case DEJA_FILE:
        return add_rounded(at, IMAGE_WORD + v->len + 1);
    case DEJA_BYTES:
        return add_rounded(at, IMAGE_WORD + v->len);
    case DEJA_ARRAY:
        return measure_array(v->array, heap, at);
    case DEJA_LIST:
        at = add(at, IMAGE_WORD);
        for (uint64_t i = 0; i < v->len; i++)
            at = measure(&v->list[i], heap, at);
        return at;
    case DEJA_MAP:
        at = add(at, IMAGE_WORD);
        for (uint64_t i = 0; i < v->len; i++)
            at = measure(&v->map[i].value, heap, add_rounded(at, IMAGE_WORD + strlen(v->map[i].key) + 1));
        return at;
    default:
        return add(at, 2 * IMAGE_WORD);
    }
}

typedef struct writing {
    char *base;
    uint64_t at; /* a multiple of 8 */
    const deja_image_heap *heap;
} writing;

static void put(writing *w, uint64_t word)
{
    memcpy(w->base + w->at, &word, sizeof word);
    w->at += sizeof word;
}

/* `len` bytes in `size`, a multiple of 8; the rest is zero. */
static void put_bytes(writing *w, const void *data, uint64_t len, uint64_t size)
{
    if (size)
        memset(w->base + w->at + size - IMAGE_WORD, 0, IMAGE_WORD);
    if (len)
        memcpy(w->base + w->at, data, len);
    w->at += size;
}

static void put_text(writing *w, uint32_t kind, const char *text, uint64_t len)
{
    put(w, image_word(kind, len));
    put_bytes(w, text, len, image_round(len + 1, IMAGE_WORD));
}

static void put_zeros_to(writing *w, uint64_t at)
{
    memset(w->base + w->at, 0, at - w->at);
    w->at = at;
}

static void put_elements(writing *w, const deja_array *a)
{
    uint64_t bytes = deja_array_bytes(a);
    put_zeros_to(w, image_round(w->at, IMAGE_DATA_ALIGN));
    deja_array_pack(a, w->base + w->at);
    w->at += bytes;
    put_zeros_to(w, image_round(w->at, IMAGE_WORD));
}

static void put_array(writing *w, const deja_array *a)
{
    int in_heap = is_in_heap(a, w->heap);
    put(w, image_array_word(DEJA_ARRAY, a->dtype, a->ndim, in_heap ? IMAGE_HEAP : IMAGE_INLINE));
    for (uint32_t i = 0; i < a->ndim; i++)
        put(w, (uint64_t)a->shape[i]);
    if (in_heap)
        put(w, (uintptr_t)a->data - (uintptr_t)w->heap->base);
    else
        put_elements(w, a);
}

static void put_value(writing *w, const deja_value *v)
{
    switch (v->kind) {
    case DEJA_NULL:
        put(w, image_word(v->kind, 0));
        break;
    case DEJA_BOOL:
        put(w, image_word(v->kind, v->u64));
        break;
    case DEJA_STRING:
    case DEJA_FILE:
        put_text(w, v->kind, v->string, v->len);
        break;
    case DEJA_BYTES:
        put(w, image_word(v->kind, v->len));
        put_bytes(w, v->bytes, v->len, image_round(v->len, IMAGE_WORD));
        break;
    case DEJA_ARRAY:
        put_array(w, v->array);
        break;
    case DEJA_LIST:
        put(w, image_word(v->kind, v->len));
        for (uint64_t i = 0; i < v->len; i++)
            put_value(w, &v->list[i]);
        break;
    case DEJA_MAP:
        put(w, image_word(v->kind, v->len));
        for (uint64_t i = 0; i < v->len; i++) {
            put_text(w, DEJA_STRING, v->map[i].key, strlen(v->map[i].key));
            put_value(w, &v->map[i].value);
        }
        break;
    default:
        put(w, image_word(v->kind, 0));
        put(w, v->u64);
    }
}

static void put_head(writing *w)
{
    put(w, IMAGE_MAGIC | (uint64_t)IMAGE_FORMAT << 32);
}

uint64_t deja_image_size(const deja_value *v, const deja_image_heap *heap)
{
    return deja_value_check(v, NULL) ? UINT64_MAX : measure(v, heap, IMAGE_HEAD);
}

uint64_t deja_image_write(const deja_value *v, const deja_image_heap *heap, void *to)
{
    writing w = {.base = to, .heap = heap};
    put_head(&w);
    put_value(&w, v);
    return w.at;
}

void deja_image_add(deja_buffer *b, const deja_value *v)
{
    uint64_t size = deja_image_size(v, NULL);
    char *to = size == UINT64_MAX ? NULL : deja_buffer_reserve(b, size);
    if (to)
        b->len += deja_image_write(v, NULL, to);
    else
        b->failed = 1;
}

int deja_image_array_head(uint32_t dtype, uint32_t ndim, const int64_t *shape, void *head,
                          uint64_t *ret_offset, uint64_t *ret_size, deja_error *err)
{
    int r = array_check_shape(dtype, ndim, shape, err);
    if (r)
        return r;
    writing w = {.base = head};
    deja_array a = {.dtype = dtype, .ndim = ndim, .shape = shape};
    put_head(&w);
    put(&w, image_array_word(DEJA_ARRAY, dtype, ndim, IMAGE_INLINE));
    for (uint32_t i = 0; i < ndim; i++)
        put(&w, (uint64_t)shape[i]);
    put_zeros_to(&w, image_round(w.at, IMAGE_DATA_ALIGN));
    *ret_offset = w.at;
    *ret_size = image_round(w.at + deja_array_bytes(&a), IMAGE_WORD);
    return 0;
}
