#ifndef DEJA_HASH_KERNELS_H
#define DEJA_HASH_KERNELS_H
/*
 * XXH3 for one instruction set each; a caller must have asked the processor first (__builtin_cpu_supports).
 * Results are the same with all, and a state may wander from one to another.
 */
#include <stddef.h>
#include <xxhash.h>

XXH128_hash_t hash_avx2_bytes(const void *data, size_t len);
XXH64_hash_t hash_avx2_bytes64(const void *data, size_t len);
void hash_avx2_add(XXH3_state_t *state, const void *data, size_t len);

XXH128_hash_t hash_avx512_bytes(const void *data, size_t len);
XXH64_hash_t hash_avx512_bytes64(const void *data, size_t len);
void hash_avx512_add(XXH3_state_t *state, const void *data, size_t len);

#endif
