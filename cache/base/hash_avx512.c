/*
 * XXH3-128 for processors with AVX-512F; compiled with -mavx512f and called only after asking the processor
 * (hash.c).
 */
#define HASH_KERNEL(verb) hash_avx512_##verb
#include "hash_kernel.h"
