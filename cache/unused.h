#ifndef UNUSED_H
#define UNUSED_H
/*
 * Blobs that lost their last reference.
 */
#include "db.h"
#include "state.h"

/* Removes those of committed transactions of this connection, in a transaction of its own. Failing costs
 * room, not results. The thread that owns `d`. */
int unused_remove(deja_cache *c, db *d, deja_error *err);

#endif
