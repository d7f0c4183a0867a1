/*
 * The only place that calls the C library's allocator. It stays a file of its own: the linker's --wrap
 * reaches only calls that cross a file, and tests use it to make the n-th allocation fail.
 */
#include <deja/memory.h>
#include <stdlib.h>

void *deja_realloc(void *p, size_t size)
{
    return realloc(p, size ? size : 1);
}

void deja_free(void *p)
{
    free(p);
}
