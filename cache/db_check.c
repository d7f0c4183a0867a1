/*
 * Checking the database for what SQLite does not see, and repairing it.
 */
#include "db_statement.h"

#include <string.h>

/* A hash, and perhaps another one behind it. */
typedef struct place {
    unsigned char bytes[2 * sizeof(deja_hash)];
} place;

/* 0: not what a row of ours holds. */
static int read_place(sqlite3_stmt *s, place *ret)
{
    size_t first = (size_t)sqlite3_column_bytes(s, 0), second = (size_t)sqlite3_column_bytes(s, 1);
    if (first != sizeof(deja_hash) || (second != 0 && second != sizeof(deja_hash)))
        return 0;
    *ret = (place){{0}};
    memcpy(ret->bytes, sqlite3_column_blob(s, 0), first);
    if (second)
        memcpy(ret->bytes + first, sqlite3_column_blob(s, 1), second);
    return 1;
}

/* Counts the rows of a query of two blobs each, which must come in strictly ascending order. 1 in order, 0
 * not, negative. */
static int check_order(db *d, const char *query, uint64_t *ret_count, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    place last, now;
    int rc = sqlite3_prepare_v2(d->handle, query, -1, &s, NULL), ordered = 1;
    *ret_count = 0;
    while (!rc && (rc = sqlite3_step(s)) == SQLITE_ROW && ordered) {
        ordered =
            read_place(s, &now) && (*ret_count == 0 || memcmp(last.bytes, now.bytes, sizeof last.bytes) < 0);
        last = now;
        ++*ret_count;
        rc = 0;
    }
    int r = !ordered || rc == SQLITE_DONE ? ordered : db_fail(d->handle, rc, err, "check the cache");
    sqlite3_finalize(s);
    return r;
}

int db_check(db *d, deja_error *err)
{
    deja_cache_numbers n;
    uint64_t keys = 0, blobs = 0;
    int r = db_read_begin(d, err);
    if (r)
        return r;
    int ordered = check_order(d, "SELECT key, variant FROM entry INDEXED BY entry_key ORDER BY key, variant",
                              &keys, err);
    r = ordered < 0 ? ordered : check_order(d, "SELECT hash, x'' FROM blob ORDER BY hash", &blobs, err);
    if (r == 0)
        r = deja_fail(err, DEJA_ECORRUPT, "the references to blobs are damaged");
    if (r > 0)
        r = db_totals(d, &n, err);
    db_read_end(d);
    return r ? r : ordered && keys == n.entries;
}

int db_unindex(db *d, deja_error *err)
{
    return db_execute(d, "DROP INDEX IF EXISTS entry_key", err, "repair the cache");
}

int db_delete_row(db *d, int64_t id, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_DELETE, &s, err);
    if (r)
        return r;
    sqlite3_bind_int64(s, 1, id);
    return db_finish(d, s, err, "remove a damaged result");
}

int db_reindex(db *d, deja_error *err)
{
    static const char what[] = "repair the cache";
    int r = db_execute(d,
                       "DELETE FROM entry WHERE id NOT IN (SELECT max(id) FROM entry GROUP BY key, variant);"
                       "CREATE UNIQUE INDEX entry_key ON entry(key, variant)",
                       err, what);
    if (!r)
        r = db_recount_blobs(d, err);
    return r ? r
             : db_execute(
                   d,
                   /* sum() would fail where a damaged column makes it overflow */
                   "INSERT OR REPLACE INTO totals SELECT 1, count(*), CAST(total(length(record)) AS INTEGER),"
                   " (SELECT count(*) FROM blob WHERE refs>0),"
                   " (SELECT CAST(total(size) AS INTEGER) FROM blob WHERE refs>0),"
                   " CAST(total(cost_ns) AS INTEGER) FROM entry",
                   err, what);
}

int db_shrink(db *d, deja_error *err)
{
    int r = db_execute(d, "VACUUM", err, "shrink the database");
    return r ? r : db_checkpoint(d, 1, err);
}
