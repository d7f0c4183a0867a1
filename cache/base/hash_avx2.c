/*
 * XXH3-128 for processors with AVX2; compiled with -mavx2 and called only after asking the processor
 * (hash.c).
 */
#define HASH_KERNEL(verb) hash_avx2_##verb
#include "hash_kernel.h"
