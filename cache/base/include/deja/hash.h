#ifndef DEJA_HASH_H
#define DEJA_HASH_H
/*
 * XXH3-128 (xxHash 0.8, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md), seed 0, in canonical
 * byte order: the same 16 bytes on every machine. It guards against accidents, not against enemies.
 */
#include <deja/error.h>
#include <stddef.h>
#include <stdint.h>

/* 128 bits as they are written to disk: the canonical (big-endian) form, so memcmp orders as the numbers do.
 */
typedef struct deja_hash {
    uint8_t byte[16];
} deja_hash;

#define DEJA_HASH_HEX 33 /* bytes of the hexadecimal form, its NUL included */

DEJA_API deja_hash deja_hash_bytes(const void *data, size_t len);

/* A 64-bit hash for tables and checksums (XXH3-64, seed 0). */
DEJA_API uint64_t deja_hash64(const void *data, size_t len);

/* Streaming: the same result as deja_hash_bytes over all parts. NULL when out of memory. One thread at a
 * time. */
typedef struct deja_hasher deja_hasher;
DEJA_API deja_hasher *deja_hasher_new(void);
DEJA_API void deja_hasher_reset(deja_hasher *h);
DEJA_API void deja_hasher_add(deja_hasher *h, const void *data, size_t len);
DEJA_API deja_hash deja_hasher_result(const deja_hasher *h); /* may go on afterwards */
DEJA_API void deja_hasher_free(deja_hasher *h);

DEJA_API int deja_hash_equal(const deja_hash *a, const deja_hash *b);
DEJA_API void deja_hash_hex(const deja_hash *h, char hex[DEJA_HASH_HEX]);

/* Reads 32 hexadecimal digits. 0 or DEJA_ESYNTAX. */
DEJA_API int deja_hash_parse(deja_hash *ret, const char *hex);

#endif
