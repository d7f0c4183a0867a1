/*
 * Arrays: their sizes, and their elements in C order whatever the strides are. Everything that needs the
 * elements of a view (packing, comparing, hashing) takes them from one walk.
 */
#include "array.h"

#define CHUNK 4096 /* bytes on the stack; a multiple of every element's size */

/* A constant size lets the compiler turn the copy into a load and a store. */
#define COPY_EACH(bytes)                                                                                     \
    for (uint64_t i = 0; i < n; i++)                                                                         \
    memcpy(to + i * (bytes), from + (int64_t)i * stride, bytes)

static void copy_row(char *to, const char *from, uint64_t n, int64_t stride, uint64_t size)
{
    if (stride == (int64_t)size) {
        memcpy(to, from, n * size);
        return;
    }
    switch (size) {
    case 1:
        COPY_EACH(1);
        break;
    case 2:
        COPY_EACH(2);
        break;
    case 4:
        COPY_EACH(4);
        break;
    case 8:
        COPY_EACH(8);
        break;
    default:
        COPY_EACH(16);
    }
}

/* Distances of an array in C order without gaps. */
static void plain_strides(const deja_array *a, int64_t *strides)
{
    uint64_t stride = deja_dtype_size(a->dtype);
    for (uint32_t i = a->ndim; i-- > 0;) {
        strides[i] = (int64_t)stride;
        stride *= (uint64_t)a->shape[i];
    }
}

/* The first element of the next row; the last axis is at its end. */
static void next_row(array_walk *w)
{
    uint32_t axis = w->a->ndim - 1;
    w->index[axis] = 0;
    while (axis-- > 0) {
        w->row += w->strides[axis];
        if (++w->index[axis] < w->a->shape[axis])
            return;
        w->row -= w->strides[axis] * w->a->shape[axis];
        w->index[axis] = 0;
    }
}

void array_walk_begin(array_walk *w, const deja_array *a)
{
    w->a = a;
    w->size = deja_dtype_size(a->dtype);
    w->left = deja_array_count(a);
    w->row = a->data;
    memset(w->index, 0, sizeof w->index);
    if (a->strides && a->ndim)
        memcpy(w->strides, a->strides, a->ndim * sizeof *a->strides);
    else
        plain_strides(a, w->strides);
}

/* Elements that are left in the present row. */
static uint64_t left_in_row(const array_walk *w)
{
    uint32_t last = w->a->ndim - 1;
    return w->a->ndim ? (uint64_t)(w->a->shape[last] - w->index[last]) : 1;
}

static void copy_some(array_walk *w, char *to, uint64_t n)
{
    uint32_t last = w->a->ndim - 1;
    w->left -= n;
    if (!w->a->ndim) {
        memcpy(to, w->row, w->size);
        return;
    }
    copy_row(to, w->row + w->index[last] * w->strides[last], n, w->strides[last], w->size);
    w->index[last] += (int64_t)n;
    if (w->left && w->index[last] == w->a->shape[last])
        next_row(w);
}

uint64_t array_walk_fill(array_walk *w, void *to, uint64_t room)
{
    uint64_t done = 0;
    while (w->left && room - done >= w->size) {
        uint64_t n = left_in_row(w), fitting = (room - done) / w->size;
        n = n < fitting ? n : fitting;
        copy_some(w, (char *)to + done, n);
        done += n * w->size;
    }
    return done;
}

uint64_t array_alignment(uint32_t dtype)
{
    uint64_t size = deja_dtype_size(dtype);
    return dtype == DEJA_C64 || dtype == DEJA_C128 ? size / 2 : size;
}

int array_check_shape(uint32_t dtype, uint32_t ndim, const int64_t *shape, deja_error *err)
{
    uint64_t bytes = deja_dtype_size(dtype);
    if (!bytes)
        return deja_fail(err, DEJA_ETYPE, "an array has no elements of kind %u (%s)", dtype,
                         deja_kind_name(dtype));
    if (ndim > DEJA_NDIM_MAX)
        return deja_fail(err, DEJA_EINVAL, "an array has %u dimensions, at most %d are possible", ndim,
                         DEJA_NDIM_MAX);
    if (ndim && !shape)
        return deja_fail(err, DEJA_EINVAL, "an array's shape is NULL");
    for (uint32_t i = 0; i < ndim; i++)
        if (shape[i] < 0)
            return deja_fail(err, DEJA_EINVAL, "an array's length of axis %u is %lld", i,
                             (long long)shape[i]);
    deja_array a = {.dtype = dtype, .ndim = ndim, .shape = shape};
    if (deja_array_bytes(&a) > ARRAY_BYTES_MAX)
        return deja_fail(err, DEJA_EINVAL, "an array is too large");
    return 0;
}

/* The way from one end of an axis to the other stays a number, and so does the sum of them. */
static int check_strides(const deja_array *a, deja_error *err)
{
    int64_t reach = 0;
    for (uint32_t i = 0; a->strides && i < a->ndim; i++) {
        int64_t way, stride = a->strides[i];
        if (stride == INT64_MIN || __builtin_mul_overflow(stride < 0 ? -stride : stride, a->shape[i], &way) ||
            __builtin_add_overflow(reach, way, &reach))
            return deja_fail(err, DEJA_EINVAL, "an array's stride of axis %u is too large", i);
    }
    return 0;
}

int array_check(const deja_array *a, deja_error *err)
{
    int r = array_check_shape(a->dtype, a->ndim, a->shape, err);
    if (r)
        return r;
    uint64_t count = deja_array_count(a);
    if (!a->data && count)
        return deja_fail(err, DEJA_EINVAL, "an array's data is NULL");
    return count ? check_strides(a, err) : 0;
}

static int equal_elements(const deja_array *a, const deja_array *b)
{
    array_walk walk_a, walk_b;
    array_walk_begin(&walk_a, a);
    array_walk_begin(&walk_b, b);
    for (;;) {
        char some_a[CHUNK], some_b[CHUNK];
        uint64_t n = array_walk_fill(&walk_a, some_a, CHUNK);
        array_walk_fill(&walk_b, some_b, CHUNK);
        if (!n || memcmp(some_a, some_b, n) != 0)
            return !n;
    }
}

int array_equal(const deja_array *a, const deja_array *b)
{
    if (a->dtype != b->dtype || a->ndim != b->ndim)
        return 0;
    if (a->ndim && memcmp(a->shape, b->shape, a->ndim * sizeof *a->shape) != 0)
        return 0;
    uint64_t bytes = deja_array_bytes(a);
    if (!bytes)
        return 1;
    if (deja_array_is_plain(a) && deja_array_is_plain(b))
        return memcmp(a->data, b->data, bytes) == 0;
    return equal_elements(a, b);
}

int array_hash(const deja_array *a, deja_hash *ret, deja_error *err)
{
    if (deja_array_is_plain(a)) {
        uint64_t bytes = deja_array_bytes(a);
        *ret = deja_hash_bytes(bytes ? a->data : "", bytes);
        return 0;
    }
    deja_hasher *h = deja_hasher_new();
    if (!h)
        return deja_fail(err, DEJA_ENOMEM, "hash an array: out of memory");
    array_walk walk;
    array_walk_begin(&walk, a);
    char some[CHUNK];
    for (uint64_t n; (n = array_walk_fill(&walk, some, CHUNK)) > 0;)
        deja_hasher_add(h, some, n);
    *ret = deja_hasher_result(h);
    deja_hasher_free(h);
    return 0;
}

uint64_t deja_dtype_size(uint32_t dtype)
{
    switch (dtype) {
    case DEJA_BOOL:
    case DEJA_I8:
    case DEJA_U8:
        return 1;
    case DEJA_I16:
    case DEJA_U16:
        return 2;
    case DEJA_I32:
    case DEJA_U32:
    case DEJA_F32:
        return 4;
    case DEJA_I64:
    case DEJA_U64:
    case DEJA_F64:
    case DEJA_C64:
        return 8;
    case DEJA_C128:
        return 16;
    default:
        return 0;
    }
}

/* A length of 0 makes it 0 whatever the others are. */
uint64_t deja_array_count(const deja_array *a)
{
    uint64_t count = 1;
    int overflow = 0;
    for (uint32_t i = 0; i < a->ndim; i++) {
        if (!a->shape[i])
            return 0;
        overflow |= __builtin_mul_overflow(count, (uint64_t)a->shape[i], &count);
    }
    return overflow ? UINT64_MAX : count;
}

uint64_t deja_array_bytes(const deja_array *a)
{
    uint64_t count = deja_array_count(a), bytes;
    if (count == UINT64_MAX || __builtin_mul_overflow(count, deja_dtype_size(a->dtype), &bytes))
        return UINT64_MAX;
    return bytes;
}

int deja_array_is_plain(const deja_array *a)
{
    if (!a->strides || !deja_array_count(a))
        return 1;
    uint64_t stride = deja_dtype_size(a->dtype);
    for (uint32_t i = a->ndim; i-- > 0;) {
        if (a->shape[i] != 1 && a->strides[i] != (int64_t)stride)
            return 0;
        stride *= (uint64_t)a->shape[i];
    }
    return 1;
}

void deja_array_pack(const deja_array *a, void *to)
{
    uint64_t bytes = deja_array_bytes(a);
    if (bytes && deja_array_is_plain(a)) {
        memcpy(to, a->data, bytes);
    } else if (bytes) {
        array_walk walk;
        array_walk_begin(&walk, a);
        array_walk_fill(&walk, to, bytes);
    }
}
