#ifndef DB_STATEMENT_H
#define DB_STATEMENT_H
/*
 * A connection from inside, as the files db*.c share it. Statements are prepared when first used: a process
 * that only looks one key up compiles one.
 */
#include "db.h"
#include <sqlite3.h>
#include <sys/stat.h>

enum db_sql {
    SQL_BEGIN,
    SQL_BEGIN_WRITE,
    SQL_COMMIT,
    SQL_FIND,
    SQL_FIND_VARIANT,
    SQL_FIND_RANGE,
    SQL_LIST,
    SQL_TOTALS,
    SQL_OLD,
    SQL_ANY,
    SQL_SURPLUS,
    SQL_DELETE,
    SQL_INSERT,
    SQL_BLOB_REFER,
    SQL_BLOB_UNREFER,
    SQL_BLOB_USED,
    SQL_BLOB_FORGET,
    SQL_BLOB_UNUSED,
    SQL_REFERENCES,
    SQL_ADD_TOTALS,
    SQL_COUNT
};

typedef struct db_counts {
    int64_t entries, row_bytes, blobs, blob_bytes, cost_ns;
} db_counts;

struct db {
    sqlite3 *handle;
    sqlite3_stmt *statements[SQL_COUNT];
    int64_t busy_since_ns;
    int64_t in_vain_ns; /* when a hasty call last waited to the end, monotonic; 0 never */
    int hasty;
    int wal_frames; /* in the WAL, and not yet taken in as far as this connection knows */
    int wal_left;   /* in the WAL, taken in or not */
    int expects_many;
    int writes; /* the settings of a writer are made */
    unsigned flags;
    struct stat frozen; /* of a file that was opened as immutable; else zeros */
    int at_rest;        /* that was by choice: DB_AT_REST */
    db_counts change;   /* of the open transaction */
    deja_buffer losing; /* deja_hash[]: blobs without a reference, of the open transaction */
    deja_buffer unused; /* and of committed ones */
};

/* Fails with what SQLite says. Out of descriptors or memory is never mistaken for damage or absence: SQLite's
 * own code comes first where it is sure. */
int db_fail(sqlite3 *handle, int rc, deja_error *err, const char *what);

/* `*ret` is borrowed, and reset after its last use. */
int db_prepare(db *d, enum db_sql which, sqlite3_stmt **ret, deja_error *err);
void db_bind_hash(sqlite3_stmt *s, int at, const deja_hash *hash);

/* Runs a statement to its end and resets it. */
int db_finish(db *d, sqlite3_stmt *s, deja_error *err, const char *what);
int db_run(db *d, enum db_sql which, deja_error *err, const char *what);

/* Statements that are not kept. */
int db_execute(db *d, const char *text, deja_error *err, const char *what);

#endif
