/*
 * The body of a kernel, compiled once for each instruction set that pays: a file defines HASH_KERNEL(verb) as
 * its own name for the verb, includes this, and is compiled with the flags of its set. All of xxHash comes in
 * as static functions, so that no code of one set can be linked into a caller of another.
 */
#define XXH_INLINE_ALL
#include "hash_kernels.h"

XXH128_hash_t HASH_KERNEL(bytes)(const void *data, size_t len)
{
    return XXH3_128bits(data, len);
}

XXH64_hash_t HASH_KERNEL(bytes64)(const void *data, size_t len)
{
    return XXH3_64bits(data, len);
}

/* XXH3_128bits_update fails for a NULL state or NULL data only. */
void HASH_KERNEL(add)(XXH3_state_t *state, const void *data, size_t len)
{
    (void)XXH3_128bits_update(state, data, len);
}
