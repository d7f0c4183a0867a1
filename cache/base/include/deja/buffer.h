#ifndef DEJA_BUFFER_H
#define DEJA_BUFFER_H
/*
 * A growing byte buffer that remembers its first failure (out of memory): append freely, look at `failed`
 * once at the end. After a failure appends do nothing. Zeroed memory is an empty buffer. One thread at a
 * time.
 */
#include <deja/error.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef struct deja_buffer {
    char *data; /* NULL while empty; otherwise always followed by a NUL that `len` does not count */
    size_t len; /* bytes */
    size_t cap; /* bytes allocated */
    int failed; /* 1 after the first failed allocation */
} deja_buffer;

DEJA_API void deja_buffer_add(deja_buffer *b, const void *data, size_t len);
DEJA_API void deja_buffer_add_char(deja_buffer *b, char c);
DEJA_API void deja_buffer_add_string(deja_buffer *b, const char *s);
DEJA_API void deja_buffer_addf(deja_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
DEJA_API void deja_buffer_vaddf(deja_buffer *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Room for `len` more bytes, not counted yet: write there, then raise b->len. NULL after a failure. */
DEJA_API char *deja_buffer_reserve(deja_buffer *b, size_t len);

/* Little-endian integers, for binary formats. */
DEJA_API void deja_buffer_add_u32(deja_buffer *b, uint32_t v);
DEJA_API void deja_buffer_add_u64(deja_buffer *b, uint64_t v);

/* Empties it and keeps the memory; `failed` is cleared. */
DEJA_API void deja_buffer_clear(deja_buffer *b);

/* The content as a NUL-terminated string, "" while empty. Borrowed until the next change. */
DEJA_API const char *deja_buffer_string(const deja_buffer *b);

/* Moves the content out (free with deja_free) and leaves an empty buffer; NULL after a failure or while
 * empty. */
DEJA_API char *deja_buffer_take(deja_buffer *b);

DEJA_API void deja_buffer_done(deja_buffer *b);

/*
 * A reader over bytes that fails softly: past the end it sets `failed` and returns zeros. Check once, at the
 * end.
 */
typedef struct deja_reader {
    const unsigned char *data;
    size_t len, at;
    int failed;
} deja_reader;
DEJA_API const void *deja_read_bytes(deja_reader *r, size_t len); /* borrowed; NULL past the end */
DEJA_API uint8_t deja_read_u8(deja_reader *r);
DEJA_API uint32_t deja_read_u32(deja_reader *r);
DEJA_API uint64_t deja_read_u64(deja_reader *r);

#endif
