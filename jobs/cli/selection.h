#ifndef SELECTION_H
#define SELECTION_H
/*
 * Which jobs of a batch are to run: those named, with all that they need.
 */
#include "batch.h"

/* 1 for each job to be run, by its number; NULL (and 0) when no words are given: all. To be freed.
 * DEJA_EINVAL names the word. */
int select_jobs(uint8_t **ret, const batch *b, const char *const *words, size_t count, deja_error *err);

#endif
