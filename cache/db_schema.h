#ifndef DB_SCHEMA_H
#define DB_SCHEMA_H
/* What makes a database one of ours: its header, its tables. */
#include "db_statement.h"

/* The header: 0 and whether it says WAL, DEJA_ENOTFOUND for an empty file, DEJA_ECORRUPT for what is not
 * ours, DEJA_EVERSION. */
int db_schema_check(sqlite3 *handle, const char *path, int *ret_wal, deja_error *err);

/* 0 when the tables are not those that db_schema_make makes; 1 when they are, or when that cannot be told. */
int db_schema_is_ours(sqlite3 *handle);

/* The tables of an empty database. */
int db_schema_make(db *d, deja_error *err);

#endif
