#ifndef REPAIR_H
#define REPAIR_H
/*
 * Repair of a database of which a damaged row was seen: where one page went bad, its neighbours may have,
 * too.
 */
#include "db.h"

/* Removes every row whose record is damaged or of another key, makes the index again, counts what refers to
 * which blob, and rewrites the database. */
int repair_rows(db *d, deja_error *err);

/* A database that is not as deja left it (changed by somebody else, or by a process that was killed) is
   looked through once before it is written to, and repaired if need be; so is one of which a damaged row was
   seen. `*checked` says that this was done for the connection. */
int repair_before_writing(deja_cache *c, db *d, int *checked, deja_error *err);

#endif
