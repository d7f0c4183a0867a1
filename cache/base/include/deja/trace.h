#ifndef DEJA_TRACE_H
#define DEJA_TRACE_H
/*
 * DEJA_TRACE=FILE: one JSON line for each region and child, to see where time goes. A trace is opened by the
 * program and handed down in options; NULL means off and costs one comparison. Any thread may write; a line
 * is one write(2).
 */
#include <deja/clock.h>

typedef struct deja_trace deja_trace;

/* Appends to `path`. */
DEJA_API int deja_trace_open(deja_trace **ret, const char *path, deja_error *err);
DEJA_API void deja_trace_close(deja_trace *t);

/* {"region":NAME,"detail":DETAIL,"start_ns":...,"ns":...,"thread":...}; begin with deja_monotonic_ns(NULL).
 */
DEJA_API void deja_trace_region(deja_trace *t, const char *name, const char *detail, int64_t start_ns);

#endif
