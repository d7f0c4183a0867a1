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

#endif
