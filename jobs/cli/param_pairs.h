#ifndef PARAM_PAIRS_H
#define PARAM_PAIRS_H
/*
 * The parameters of an instance one after the other, in the order of its matrix or its arguments: for names
 * of files and for columns. In a buffer a name and a value are each followed by a NUL.
 */
#include "batch.h"

/* Appends those of instance `index`; of a feed while its row is there. */
void param_pairs_add(deja_buffer *b, const batch_job *def, uint32_t index);

/* The next one from `*at` on (0 at first), borrowed from `text`: 1, or 0 at the end. */
int param_pairs_next(const char *text, size_t len, size_t *at, const char **ret_name, const char **ret_value);

#endif
