/* Arguments for people, see argument.h. The bytes come from a database and may say anything. */
#include "argument.h"
#include <deja/hash.h>
#include <deja/value.h>
#include <string.h>

#define FORMAT 1

static void add_hash(deja_buffer *b, const char *kind, const deja_hash *hash)
{
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(hash, hex);
    deja_buffer_addf(b, "%s %s", kind, hex);
}

static double f64_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 1 when it was one, and was shown. */
static int add_scalar(deja_buffer *b, uint8_t kind, deja_reader *r)
{
    deja_value v = deja_null();
    if (kind == DEJA_BOOL)
        v = deja_bool(deja_read_u8(r));
    else if (kind == DEJA_I64)
        v = deja_i64((int64_t)deja_read_u64(r));
    else if (kind == DEJA_U64)
        v = deja_u64(deja_read_u64(r));
    else if (kind == DEJA_F64)
        v = deja_f64(f64_of(deja_read_u64(r)));
    else if (kind == DEJA_STRING) {
        uint64_t len = deja_read_u64(r);
        v = deja_string_n(deja_read_bytes(r, len), len);
    } else if (kind != DEJA_NULL)
        return 0;
    if (r->failed || r->at != r->len)
        return 0;
    deja_value_json(b, &v, 0);
    return 1;
}

static int add_array(deja_buffer *b, deja_reader *r)
{
    uint32_t dtype = deja_read_u8(r), ndim = deja_read_u8(r);
    uint64_t lengths[DEJA_NDIM_MAX];
    if (ndim > DEJA_NDIM_MAX)
        return 0;
    for (uint32_t i = 0; i < ndim; i++)
        lengths[i] = deja_read_u64(r);
    const deja_hash *hash = deja_read_bytes(r, sizeof *hash);
    if (r->failed || r->at != r->len)
        return 0;
    deja_buffer_addf(b, "array %s", deja_kind_name(dtype));
    for (uint32_t i = 0; i < ndim; i++)
        deja_buffer_addf(b, "%c%llu", i ? 'x' : ' ', (unsigned long long)lengths[i]);
    add_hash(b, "", hash);
    return 1;
}

static int add_file(deja_buffer *b, deja_reader *r)
{
    deja_read_u64(r);
    const deja_hash *hash = deja_read_bytes(r, sizeof *hash);
    if (r->failed || r->at != r->len)
        return 0;
    add_hash(b, "file", hash);
    return 1;
}

static const char *word_of(uint8_t format, uint8_t kind)
{
    int has_parts = kind == DEJA_BYTES || kind == DEJA_LIST || kind == DEJA_MAP;
    return format == FORMAT && has_parts ? deja_kind_name(kind) : "unknown";
}

void argument_text(deja_buffer *b, const void *encoding, size_t len)
{
    deja_reader r = {.data = encoding, .len = len};
    uint8_t format = deja_read_u8(&r), kind = deja_read_u8(&r);
    if (!r.failed && format == FORMAT &&
        (kind == DEJA_ARRAY  ? add_array(b, &r)
         : kind == DEJA_FILE ? add_file(b, &r)
                             : add_scalar(b, kind, &r)))
        return;
    deja_hash hash = deja_hash_bytes(encoding, len);
    add_hash(b, word_of(format, kind), &hash);
}
