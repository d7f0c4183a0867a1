#ifndef FAILED_H
#define FAILED_H
/*
 * The instances of a batch that failed when they ran last, or were not run since a job failed that they need,
 * as the history of jobs has it.
 */
#include "history.h"

typedef struct failed failed;

/* Reads the history, and borrows neither it nor the batch afterwards. DEJA_ENOMEM. */
int failed_open(failed **ret, history *h, const batch *b, deja_error *err);

/* How many instances of a job, whatever its values are now. */
size_t failed_count(const failed *f, const batch_job *def);

/* 1 for one of them. The job's matrix is expanded. */
int failed_has(const failed *f, const batch_job *def, uint32_t index);

/* NULL is fine. */
void failed_close(failed *f);

#endif
