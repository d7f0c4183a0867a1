#ifndef LISTING_H
#define LISTING_H
/*
 * Walking over all entries.
 */
#include "db.h"
#include "entry.h"
#include "state.h"

/* What callers are told of a row. Borrowed from `head`. */
deja_listed listing_of(const db_listed *row, const entry_head *head);

/*
 * Calls `each` for every sound entry, newest first, until it returns non-zero (which is returned). Rows are
 * read in pages, and no read is under way during the calls: `each` may write to c->db. The caller's thread.
 */
int listing_each(deja_cache *c, int (*each)(void *context, const db_listed *row, const entry_head *head),
                 void *context, deja_error *err);

#endif
