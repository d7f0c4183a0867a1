/*
 * The canonical encoding, format 1 of FORMAT.md: a byte for the format, then each value as its kind and what
 * makes it that value. Lengths in front, so that no two values encode alike.
 */
#include "array.h"
#include "mapped.h"
#include "pairs.h"

#include <deja/cleanup.h>
#include <deja/encoding.h>
#include <deja/file.h>

#define FORMAT   1
#define NAN_BITS UINT64_C(0x7ff8000000000000) /* the one NaN: quiet, positive, without payload */
#define CHUNK    ((size_t)256 << 10)          /* bytes of a file read at once, as in base */

typedef struct encoder {
    deja_buffer *b;
    const deja_encoding_options *options;
    deja_error *err;
} encoder;

static void put_number(encoder *e, uint32_t kind, uint64_t v)
{
    char *at = deja_buffer_reserve(e->b, 1 + sizeof v);
    if (!at)
        return;
    at[0] = (char)kind;
    memcpy(at + 1, &v, sizeof v);
    e->b->len += 1 + sizeof v;
}

static void put_bytes(encoder *e, uint32_t kind, const void *data, uint64_t len)
{
    put_number(e, kind, len);
    deja_buffer_add(e->b, data, len);
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return v != v ? NAN_BITS : bits;
}

/* An integer is its number: signed where it fits. */
static void put_u64(encoder *e, uint64_t v)
{
    put_number(e, v <= INT64_MAX ? DEJA_I64 : DEJA_U64, v);
}

static int hash_rest(int fd, const char *path, deja_hasher *h, uint64_t *ret_size, deja_error *err)
{
    DEJA_AUTO_FREE char *chunk = deja_realloc(NULL, CHUNK);
    if (!chunk)
        return deja_fail(err, DEJA_ENOMEM, "hash '%s': out of memory", path);
    uint64_t size = 0;
    ssize_t n;
    while ((n = deja_file_read_at(fd, chunk, CHUNK, size)) > 0) {
        deja_hasher_add(h, chunk, (size_t)n);
        size += (uint64_t)n;
    }
    if (n < 0)
        return deja_fail_errno(err, "read '%s'", path);
    *ret_size = size;
    return 0;
}

static void free_hasher(deja_hasher **h)
{
    deja_hasher_free(*h);
}

static int hash_file(const char *path, deja_hash *ret, uint64_t *ret_size, deja_error *err)
{
    struct stat before, after;
    __attribute__((cleanup(free_hasher))) deja_hasher *h = deja_hasher_new();
    if (!h)
        return deja_fail(err, DEJA_ENOMEM, "hash '%s': out of memory", path);
    DEJA_AUTO_CLOSE int fd = mapped_open_regular(path, &before, err);
    if (fd < 0)
        return fd;
    int r = hash_rest(fd, path, h, ret_size, err);
    if (r)
        return r;
    if (fstat(fd, &after))
        return deja_fail_errno(err, "stat '%s'", path);
    if (!deja_file_same(&before, &after))
        return deja_fail(err, DEJA_ECHANGED, "'%s' changed while it was read", path);
    *ret = deja_hasher_result(h);
    return 0;
}

static int encode_file(encoder *e, const char *path)
{
    const deja_encoding_options *o = e->options;
    deja_hash hash;
    uint64_t size;
    int r = o && o->file_hash ? o->file_hash(o->context, path, &hash, &size, e->err)
                              : hash_file(path, &hash, &size, e->err);
    if (r)
        return r;
    put_number(e, DEJA_FILE, size);
    deja_buffer_add(e->b, hash.byte, sizeof hash.byte);
    return 0;
}

static int encode_array(encoder *e, const deja_array *a)
{
    const deja_encoding_options *o = e->options;
    deja_hash hash;
    int r = o && o->array_hash ? o->array_hash(o->context, a, &hash, e->err) : array_hash(a, &hash, e->err);
    if (r)
        return r;
    char head[3] = {DEJA_ARRAY, (char)a->dtype, (char)a->ndim};
    deja_buffer_add(e->b, head, sizeof head);
    deja_buffer_add(e->b, a->shape, a->ndim * sizeof *a->shape);
    deja_buffer_add(e->b, hash.byte, sizeof hash.byte);
    return 0;
}

static int encode(encoder *e, const deja_value *v);

static int encode_list(encoder *e, const deja_value *v)
{
    put_number(e, DEJA_LIST, v->len);
    int r = 0;
    for (uint64_t i = 0; !r && i < v->len; i++)
        r = encode(e, &v->list[i]);
    return r;
}

static int encode_map(encoder *e, const deja_value *v)
{
    pairs sorted;
    if (pairs_sort(&sorted, v))
        return deja_fail(e->err, DEJA_ENOMEM, "sort keys: out of memory");
    put_number(e, DEJA_MAP, v->len);
    int r = 0;
    for (uint64_t i = 0; !r && i < v->len; i++) {
        const deja_pair *p = pairs_at(&sorted, v, i);
        put_bytes(e, DEJA_STRING, p->key, strlen(p->key));
        r = encode(e, &p->value);
    }
    pairs_done(&sorted);
    return r;
}

static int encode(encoder *e, const deja_value *v)
{
    switch (v->kind) {
    case DEJA_NULL:
        deja_buffer_add_char(e->b, DEJA_NULL);
        return 0;
    case DEJA_BOOL:
        deja_buffer_add(e->b, (const char[2]){DEJA_BOOL, (char)v->i64}, 2);
        return 0;
    case DEJA_I64:
        put_number(e, DEJA_I64, v->u64);
        return 0;
    case DEJA_U64:
        put_u64(e, v->u64);
        return 0;
    case DEJA_F64:
        put_number(e, DEJA_F64, bits_of(v->f64));
        return 0;
    case DEJA_ARRAY:
        return encode_array(e, v->array);
    case DEJA_LIST:
        return encode_list(e, v);
    case DEJA_MAP:
        return encode_map(e, v);
    case DEJA_FILE:
        return encode_file(e, v->string);
    default:
        put_bytes(e, v->kind, v->bytes, v->len);
        return 0;
    }
}

int deja_encode(deja_buffer *b, const deja_value *v, const deja_encoding_options *options, deja_error *err)
{
    encoder e = {b, options, err};
    int r = deja_value_check(v, err);
    if (r)
        return r;
    deja_buffer_add_char(b, FORMAT);
    r = encode(&e, v);
    if (!r && b->failed)
        r = deja_fail(err, DEJA_ENOMEM, "encode a value: out of memory");
    return r;
}

int deja_value_hash(const deja_value *v, deja_hash *ret, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    int r = deja_encode(&b, v, NULL, err);
    if (!r)
        *ret = deja_hash_bytes(b.data, b.len);
    return r;
}
