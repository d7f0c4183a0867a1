/*
 * The growing buffer and the reader over bytes. Both remember their first failure; callers look once, at the
 * end.
 */
#include <deja/buffer.h>
#include <deja/memory.h>
#include <stdio.h>
#include <string.h>

#define FIRST_SIZE 64 /* bytes of the first allocation */

static int grow(deja_buffer *b, size_t wanted)
{
    size_t cap = b->cap ? b->cap : FIRST_SIZE;
    while (cap < wanted)
        cap = cap > SIZE_MAX / 2 ? wanted : 2 * cap;
    char *data = deja_realloc(b->data, cap);
    if (!data)
        return DEJA_ENOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

char *deja_buffer_reserve(deja_buffer *b, size_t len)
{
    if (b->failed)
        return NULL;
    size_t wanted;
    if (__builtin_add_overflow(b->len, len, &wanted) || __builtin_add_overflow(wanted, (size_t)1, &wanted) ||
        (wanted > b->cap && grow(b, wanted))) {
        b->failed = 1;
        return NULL;
    }
    b->data[b->len] = '\0';
    b->data[b->len + len] = '\0';
    return b->data + b->len;
}

void deja_buffer_add(deja_buffer *b, const void *data, size_t len)
{
    char *at = deja_buffer_reserve(b, len);
    if (!at || !len)
        return;
    memcpy(at, data, len);
    b->len += len;
}

void deja_buffer_add_char(deja_buffer *b, char c)
{
    deja_buffer_add(b, &c, 1);
}

void deja_buffer_add_string(deja_buffer *b, const char *s)
{
    deja_buffer_add(b, s, strlen(s));
}

void deja_buffer_addf(deja_buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    deja_buffer_vaddf(b, format, args);
    va_end(args);
}

void deja_buffer_vaddf(deja_buffer *b, const char *format, va_list args)
{
    char *at = deja_buffer_reserve(b, 0);
    if (!at)
        return;
    size_t room = b->cap - b->len;
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(at, room, format, args);
    if (len < 0) {
        b->failed = 1;
        b->data[b->len] = '\0';
    } else if ((size_t)len >= room) {
        at = deja_buffer_reserve(b, (size_t)len);
        if (at)
            vsnprintf(at, (size_t)len + 1, format, again);
        else
            b->data[b->len] = '\0';
    }
    if (!b->failed)
        b->len += (size_t)len;
    va_end(again);
}

void deja_buffer_add_u32(deja_buffer *b, uint32_t v)
{
    unsigned char bytes[4];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(v >> 8 * i);
    deja_buffer_add(b, bytes, sizeof bytes);
}

void deja_buffer_add_u64(deja_buffer *b, uint64_t v)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(v >> 8 * i);
    deja_buffer_add(b, bytes, sizeof bytes);
}

void deja_buffer_clear(deja_buffer *b)
{
    b->len = 0;
    b->failed = 0;
    if (b->data)
        b->data[0] = '\0';
}

/* A caller that wrote into reserved room has raised `len` past the old NUL: put it back before anybody looks.
 */
const char *deja_buffer_string(const deja_buffer *b)
{
    if (!b->data)
        return "";
    b->data[b->len] = '\0';
    return b->data;
}

char *deja_buffer_take(deja_buffer *b)
{
    if (b->failed || !b->len) {
        deja_buffer_done(b);
        return NULL;
    }
    char *data = b->data;
    data[b->len] = '\0';
    *b = (deja_buffer){0};
    return data;
}

void deja_buffer_done(deja_buffer *b)
{
    if (!b)
        return;
    deja_free(b->data);
    *b = (deja_buffer){0};
}

const void *deja_read_bytes(deja_reader *r, size_t len)
{
    if (r->failed || len > r->len - r->at) {
        r->failed = 1;
        return NULL;
    }
    const unsigned char *bytes = r->data + r->at;
    r->at += len;
    return bytes;
}

uint8_t deja_read_u8(deja_reader *r)
{
    const unsigned char *bytes = deja_read_bytes(r, 1);
    return bytes ? bytes[0] : 0;
}

uint32_t deja_read_u32(deja_reader *r)
{
    const unsigned char *bytes = deja_read_bytes(r, 4);
    uint32_t v = 0;
    for (size_t i = 0; bytes && i < 4; i++)
        v |= (uint32_t)bytes[i] << 8 * i;
    return v;
}

uint64_t deja_read_u64(deja_reader *r)
{
    const unsigned char *bytes = deja_read_bytes(r, 8);
    uint64_t v = 0;
    for (size_t i = 0; bytes && i < 8; i++)
        v |= (uint64_t)bytes[i] << 8 * i;
    return v;
}
