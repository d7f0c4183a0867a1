#ifndef JOB_CALL_H
#define JOB_CALL_H
/*
 * The call of an instance: its library, and its arguments with their types. Private to job*.c.
 */
#include "job_scope.h"

/* Fills in library and arguments of the scope's job. Errors carry the place in the batch file. */
int job_call_render(scope *s, deja_error *err);

#endif
