#ifndef NO_PROCESS_H
#define NO_PROCESS_H
/*
 * For tests of what needs no processes: the process backend is left out.
 */
#include "backend.h"

__attribute__((weak)) backend *process_open(deja_pool *p, const deja_pool_options *options, uint32_t *bell,
                                            deja_error *err)
{
    (void)p, (void)options, (void)bell;
    deja_fail(err, DEJA_EINVAL, "no processes here");
    return NULL;
}

#endif
