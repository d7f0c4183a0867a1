#ifndef INVOKE_H
#define INVOKE_H
/*
 * One call of a user's function, here or in a worker: arguments in, a product or an error that names the
 * function out.
 */
#include "result_sink.h"

/* `s` is clear before and after. 0 with *ret, or a negative code with "'NAME': TEXT" in `err` (not NULL). */
int invoke(deja_job_fn function, const char *name, const deja_value *args, size_t n, deja_sink *s,
           deja_product *ret, deja_error *err);

/* What a function returned, other than 0: makes code and text of `err` what the caller is told. */
int invoke_fail(const char *name, int code, deja_error *err);

#endif
