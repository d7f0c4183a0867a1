/*
 * Reading the database: one key, many keys, listings, totals.
 */
#include "db_statement.h"

#include <string.h>

int db_read_begin(db *d, deja_error *err)
{
    return db_run(d, SQL_BEGIN, err, "read the database of the cache");
}

void db_read_end(db *d)
{
    if (!sqlite3_get_autocommit(d->handle) && db_run(d, SQL_COMMIT, NULL, ""))
        db_rollback(d);
}

/* The next record of a statement that is under way. */
static int find_next(db *d, sqlite3_stmt *s, db_row *ret, deja_error *err)
{
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *ret = (db_row){sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)};
        if (ret->record || sqlite3_errcode(d->handle) != SQLITE_NOMEM)
            return 1;
        rc = SQLITE_NOMEM;
    }
    int r = rc == SQLITE_DONE ? 0 : db_fail(d->handle, rc, err, "look up a key");
    sqlite3_reset(s);
    return r;
}

static int find(db *d, enum db_sql which, const deja_hash *key, db_row *ret, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, which, &s, err);
    if (r)
        return r;
    if (key)
        db_bind_hash(s, 1, key);
    return find_next(d, s, ret, err);
}

int db_find(db *d, const deja_hash *key, db_row *ret, deja_error *err)
{
    return find(d, SQL_FIND, key, ret, err);
}

int db_find_variant(db *d, const deja_hash *key, db_row *ret, deja_error *err)
{
    return find(d, SQL_FIND_VARIANT, key, ret, err);
}

void db_find_done(db *d)
{
    sqlite3_reset(d->statements[SQL_FIND]);
    sqlite3_reset(d->statements[SQL_FIND_VARIANT]);
}

int db_find_range(db *d, const deja_hash *low, const deja_hash *high, deja_hash *ret_key, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_FIND_RANGE, &s, err), n = 0, rc;
    if (r)
        return r;
    db_bind_hash(s, 1, low);
    db_bind_hash(s, 2, high);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        if (sqlite3_column_bytes(s, 0) == (int)sizeof ret_key->byte && n++ == 0)
            memcpy(ret_key->byte, sqlite3_column_blob(s, 0), sizeof ret_key->byte);
    r = rc == SQLITE_DONE ? n : db_fail(d->handle, rc, err, "look up a key");
    sqlite3_reset(s);
    return r;
}

int db_list(db *d, int64_t before, db_listed *rows, int max, deja_buffer *records, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_LIST, &s, err), n = 0, rc;
    if (r)
        return r;
    sqlite3_bind_int64(s, 1, before);
    sqlite3_bind_int(s, 2, max);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && n < max) {
        const void *record = sqlite3_column_blob(s, 2), *key = sqlite3_column_blob(s, 3);
        size_t len = record ? (size_t)sqlite3_column_bytes(s, 2) : 0;
        rows[n] = (db_listed){.id = sqlite3_column_int64(s, 0),
                              .bytes = (uint64_t)sqlite3_column_int64(s, 1),
                              .at = records->len,
                              .len = len};
        if (key && sqlite3_column_bytes(s, 3) == (int)sizeof rows[n].key.byte)
            memcpy(rows[n].key.byte, key, sizeof rows[n].key.byte);
        deja_buffer_add(records, record, len);
        n++;
    }
    r = rc == SQLITE_DONE ? n : db_fail(d->handle, rc, err, "list the cache");
    sqlite3_reset(s);
    return r >= 0 && records->failed ? deja_fail(err, DEJA_ENOMEM, "list the cache: out of memory") : r;
}

int db_totals(db *d, deja_cache_numbers *ret, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_TOTALS, &s, err);
    if (r)
        return r;
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret = (deja_cache_numbers){.entries = (uint64_t)sqlite3_column_int64(s, 0),
                                    .row_bytes = (uint64_t)sqlite3_column_int64(s, 1),
                                    .blobs = (uint64_t)sqlite3_column_int64(s, 2),
                                    .blob_bytes = (uint64_t)sqlite3_column_int64(s, 3),
                                    .saved_ns_per_hit = sqlite3_column_int64(s, 4)};
    else
        r = rc == SQLITE_DONE ? deja_fail(err, DEJA_ECORRUPT, "the cache has lost its totals")
                              : db_fail(d->handle, rc, err, "read the totals of the cache");
    sqlite3_reset(s);
    return r;
}
