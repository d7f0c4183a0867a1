#ifndef JOB_SCOPE_H
#define JOB_SCOPE_H
/*
 * What the expressions of an instance stand for: values of its matrix, its own inputs and outputs, the
 * outputs of jobs that it needs. Private to job*.c.
 */
#include "job.h"

typedef struct scope {
    job *job;   /* what it has already: values and outputs for most, inputs for ${{ inputs }} */
    int escape; /* values go into a pattern: they stand for themselves */
} scope;

/* A template_resolve; the context is a scope. Values live as long as the job. */
int scope_resolve(void *context, const template_expr *e, template_value *ret, deja_error *err);

/* `text` with its values, in the job's arena. Errors carry the place in the batch file. */
int scope_render(scope *s, const batch_text *text, const char **ret, deja_error *err);

/* Puts the place of byte `offset` of `text` in front of the message in `err`. Returns its code. */
int scope_fail_at(const batch *b, const batch_text *text, size_t offset, deja_error *err);

int scope_no_memory(deja_error *err);

#endif
