/*
 * XXH3-128. Long inputs go to the kernel that the processor runs best; the result is the same with each of
 * them. DEJA_HASH_X86 says that the build has the kernels for AVX2 and AVX-512.
 */
#include <deja/hash.h>
#include <deja/memory.h>
#include <string.h>
#if defined(DEJA_HASH_X86) && __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#endif

#define XXH_INLINE_ALL
#include "hash_kernels.h"

#define STATE_ALIGNMENT 64  /* bytes, as XXH3_state_t asks for: xxhash.h, XXH_ALIGN_MEMBER(64, acc) */
#define LONG_INPUT      240 /* bytes; up to here XXH3 uses no vectors: xxhash_spec.md, "medium inputs" */

/*
 * What the processor has. The C library knows since it started; asking the processor again is an exit to the
 * hypervisor for each question on a virtual machine, 44 us in all, a twentieth of a short program's life.
 */
#if defined(DEJA_HASH_X86) && defined(CPU_FEATURE_ACTIVE)
static int has_avx2(void)
{
    return CPU_FEATURE_ACTIVE(AVX2);
}

static int has_avx512(void)
{
    return CPU_FEATURE_ACTIVE(AVX512F);
}
#elif defined(DEJA_HASH_X86)
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}
#endif

struct deja_hasher {
    XXH3_state_t *state; /* aligned, inside the same allocation */
};

static XXH128_hash_t long_bytes(const void *data, size_t len)
{
#ifdef DEJA_HASH_X86
    if (has_avx512())
        return hash_avx512_bytes(data, len);
    if (has_avx2())
        return hash_avx2_bytes(data, len);
#endif
    return XXH3_128bits(data, len);
}

static uint64_t long_bytes64(const void *data, size_t len)
{
#ifdef DEJA_HASH_X86
    if (has_avx512())
        return hash_avx512_bytes64(data, len);
    if (has_avx2())
        return hash_avx2_bytes64(data, len);
#endif
    return XXH3_64bits(data, len);
}

static deja_hash canonical(XXH128_hash_t value)
{
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, value);
    deja_hash h;
    memcpy(h.byte, bytes.digest, sizeof h.byte);
    return h;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

deja_hash deja_hash_bytes(const void *data, size_t len)
{
    if (!len)
        data = "";
    return canonical(len <= LONG_INPUT ? XXH3_128bits(data, len) : long_bytes(data, len));
}

uint64_t deja_hash64(const void *data, size_t len)
{
    if (!len)
        data = "";
    return len <= LONG_INPUT ? XXH3_64bits(data, len) : long_bytes64(data, len);
}

deja_hasher *deja_hasher_new(void)
{
    size_t size = sizeof(deja_hasher) + STATE_ALIGNMENT - 1 + sizeof(XXH3_state_t);
    deja_hasher *h = deja_calloc(1, size);
    if (!h)
        return NULL;
    uintptr_t at = (uintptr_t)(h + 1);
    size_t gap = (STATE_ALIGNMENT - at % STATE_ALIGNMENT) % STATE_ALIGNMENT;
    h->state = (XXH3_state_t *)(void *)((char *)(h + 1) + gap);
    deja_hasher_reset(h);
    return h;
}

void deja_hasher_reset(deja_hasher *h)
{
    (void)XXH3_128bits_reset(h->state);
}

void deja_hasher_add(deja_hasher *h, const void *data, size_t len)
{
    if (!len)
        return;
#ifdef DEJA_HASH_X86
    if (has_avx512()) {
        hash_avx512_add(h->state, data, len);
        return;
    }
    if (has_avx2()) {
        hash_avx2_add(h->state, data, len);
        return;
    }
#endif
    (void)XXH3_128bits_update(h->state, data, len);
}

deja_hash deja_hasher_result(const deja_hasher *h)
{
    return canonical(XXH3_128bits_digest(h->state));
}

void deja_hasher_free(deja_hasher *h)
{
    deja_free(h);
}

int deja_hash_equal(const deja_hash *a, const deja_hash *b)
{
    return memcmp(a->byte, b->byte, sizeof a->byte) == 0;
}

void deja_hash_hex(const deja_hash *h, char hex[DEJA_HASH_HEX])
{
    for (size_t i = 0; i < sizeof h->byte; i++) {
        hex[2 * i] = "0123456789abcdef"[h->byte[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[h->byte[i] & 15];
    }
    hex[DEJA_HASH_HEX - 1] = '\0';
}

int deja_hash_parse(deja_hash *ret, const char *hex)
{
    deja_hash h;
    for (size_t i = 0; i < sizeof h.byte; i++) {
        int high = digit_value(hex[2 * i]);
        int low = high < 0 ? -1 : digit_value(hex[2 * i + 1]);
        if (low < 0)
            return DEJA_ESYNTAX;
        h.byte[i] = (uint8_t)(high << 4 | low);
    }
    if (hex[DEJA_HASH_HEX - 1])
        return DEJA_ESYNTAX;
    *ret = h;
    return 0;
}
