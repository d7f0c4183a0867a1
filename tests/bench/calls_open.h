#ifndef CALLS_OPEN_H
#define CALLS_OPEN_H
/* A context and its functions for the programs calls_*.c; what cannot be had ends the program. */
#include "figure.h"
#include <deja.h>

static inline deja *calls_open(uint32_t flags, uint32_t workers, const char *cache)
{
    deja_error err;
    deja *d = deja_open(DEJA_OPTIONS(.flags = flags, .workers = workers, .cache = cache), &err);
    figure_check(!d, err.text);
    return d;
}

static inline deja_fn *calls_define(deja *d, const char *name, deja_job_fn function, uint32_t backend)
{
    deja_error err;
    deja_fn *f = deja_define(d, name, "1", function, DEJA_FN_OPTIONS(.backend = backend), &err);
    figure_check(!f, err.text);
    return f;
}

/* One call that must succeed. */
static inline deja_results *calls_call(deja_fn *f, const deja_value *args, size_t n)
{
    deja_error err;
    deja_results *r = deja_call(f, args, n, &err);
    figure_check(!r, err.text);
    return r;
}

/* A map of rows that must all succeed; freed. */
static inline void calls_map(deja_fn *f, const deja_value *rows, size_t count, size_t columns)
{
    deja_error err;
    deja_results *r = deja_map(f, rows, count, columns, NULL, &err);
    figure_check(!r, err.text);
    for (size_t i = 0; i < count; i++)
        figure_check(deja_results_code(r, i) < 0, deja_results_error(r, i));
    deja_results_free(r);
}
#endif
