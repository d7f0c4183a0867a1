#ifndef DEJA_FAILING_ALLOC_H
#define DEJA_FAILING_ALLOC_H
/*
 * Makes the n-th allocation of deja fail. A test that includes this is linked with --wrap=deja_realloc (see
 * CMakeLists.txt here); typical use, until the scenario needs no n-th allocation any more:
 *     for (long n = 1; failing_alloc_at(n), scenario() != 0; n++)
 *         check that it failed cleanly;
 */
#include <stddef.h>

static long failing_alloc_left; /* 0: none fails; n: the n-th from now fails, and only that */
static long failing_alloc_hits; /* how many failed since failing_alloc_at */

void *__real_deja_realloc(void *p, size_t size);
void *__wrap_deja_realloc(void *p, size_t size);

void *__wrap_deja_realloc(void *p, size_t size)
{
    if (failing_alloc_left > 0 && --failing_alloc_left == 0) {
        failing_alloc_hits++;
        return NULL;
    }
    return __real_deja_realloc(p, size);
}

/* 0 lets all succeed again. */
static inline void failing_alloc_at(long n)
{
    failing_alloc_left = n;
    failing_alloc_hits = 0;
}

#endif
