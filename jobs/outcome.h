#ifndef OUTCOME_H
#define OUTCOME_H
/*
 * What a process left: is it a success, and what of it goes to the cache.
 */
#include "active.h"

/* 0 for a success: exit status in ok-status, all outputs there. Else a code; a text only where the status
 * does not say it. */
int outcome_judge(active *a, deja_error *why);

/* Fills a->result from the outcome: what the cache is to seal. DEJA_ENOMEM. */
int outcome_fill_result(active *a, uint32_t flags, deja_error *err);

/* After the seal: the content of what a function returned, NULL for a command. */
const deja_content *outcome_value(active *a);

/* 1 when the patterns and folders that it reads hold the same names as before it ran (contents are compared
 * by the seal). */
int outcome_reads_same(active *a);

#endif
