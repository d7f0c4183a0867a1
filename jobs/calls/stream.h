#ifndef STREAM_H
#define STREAM_H
/* Calls whose arguments are pulled from a source, so many at a time. */
#include "future.h"

/* Under the lock. */
void stream_free_all(deja *d);

#endif
