/*
 * The statements of the database, and how they are run. All SQL but the schema, the pragmas of a connection
 * and what repairs.
 */
#include "db_statement.h"
#include "db_code.h"
#include "db_schema.h"

#include <errno.h>
#include <stdio.h>

static const char *const sql[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN",
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_FIND] = "SELECT record FROM entry WHERE key=?1 AND variant=x''",
    [SQL_FIND_VARIANT] = "SELECT record FROM entry WHERE key=?1 AND variant<>x'' ORDER BY id DESC",
    [SQL_FIND_RANGE] = "SELECT DISTINCT key FROM entry WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT 2",
    [SQL_LIST] = "SELECT id, bytes, record, key FROM entry WHERE id<?1 ORDER BY id DESC LIMIT ?2",
    [SQL_TOTALS] = "SELECT entries, row_bytes, blobs, blob_bytes, cost_ns FROM totals WHERE id=1",
    [SQL_OLD] = "SELECT id, cost_ns, blobs, length(record) FROM entry WHERE key=?1 AND variant=?2",
    [SQL_ANY] =
        "SELECT id, cost_ns, blobs, length(record) FROM entry WHERE key=?1 AND (?2=0 OR id=?2) LIMIT 1",
    [SQL_SURPLUS] = "SELECT id, cost_ns, blobs, length(record) FROM entry WHERE key=?1 AND variant<>x''"
                    " ORDER BY id DESC LIMIT 1 OFFSET ?2",
    [SQL_DELETE] = "DELETE FROM entry WHERE id=?1",
    [SQL_INSERT] = "INSERT INTO entry(key, variant, bytes, cost_ns, created_ns, blobs, record)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_BLOB_REFER] =
        "INSERT INTO blob VALUES(?1, ?2, 1) ON CONFLICT(hash) DO UPDATE SET refs=refs+1 RETURNING refs",
    [SQL_BLOB_UNREFER] = "UPDATE blob SET refs=refs-1 WHERE hash=?1 AND refs>0 RETURNING refs, size",
    [SQL_BLOB_USED] = "SELECT refs FROM blob WHERE hash=?1",
    [SQL_BLOB_FORGET] = "DELETE FROM blob WHERE hash=?1 AND refs=0",
    [SQL_BLOB_UNUSED] = "SELECT hash FROM blob WHERE refs=0",
    [SQL_REFERENCES] = "SELECT blobs FROM entry WHERE length(blobs)>0",
    [SQL_ADD_TOTALS] = "UPDATE totals SET entries=max(0,entries+?1), row_bytes=max(0,row_bytes+?2),"
                       " blobs=max(0,blobs+?3), blob_bytes=max(0,blob_bytes+?4), cost_ns=max(0,cost_ns+?5)"
                       " WHERE id=1",
};

int db_fail(sqlite3 *handle, int rc, deja_error *err, const char *what)
{
    int base = rc & 0xff;
    int sys_errno =
        handle && (base == SQLITE_IOERR || base == SQLITE_CANTOPEN) ? sqlite3_system_errno(handle) : 0;
    int code = db_code(rc, sys_errno);
    char text[128] = "";
    if (sys_errno) {
        errno = sys_errno;
        snprintf(text, sizeof text, ": %m");
    }
    deja_fail(err, code, "%s: %s%s", what, handle ? sqlite3_errmsg(handle) : sqlite3_errstr(rc), text);
    if (base == SQLITE_ERROR && handle && !db_schema_is_ours(handle))
        code = DEJA_ECORRUPT; /* our statements are right: a table is missing or is not as we made it */
    if (err) {
        err->code = code;
        err->sys_errno = sys_errno;
    }
    return code;
}

int db_prepare(db *d, enum db_sql which, sqlite3_stmt **ret, deja_error *err)
{
    if (!d->statements[which]) {
        int rc = sqlite3_prepare_v3(d->handle, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                                    &d->statements[which], NULL);
        if (rc)
            return db_fail(d->handle, rc, err, "read the database of the cache");
    }
    *ret = d->statements[which];
    return 0;
}

int db_finish(db *d, sqlite3_stmt *s, deja_error *err, const char *what)
{
    int rc;
    do
        rc = sqlite3_step(s);
    while (rc == SQLITE_ROW);
    int r = rc == SQLITE_DONE ? 0 : db_fail(d->handle, rc, err, what);
    sqlite3_reset(s);
    return r;
}

int db_run(db *d, enum db_sql which, deja_error *err, const char *what)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, which, &s, err);
    return r ? r : db_finish(d, s, err, what);
}

void db_bind_hash(sqlite3_stmt *s, int at, const deja_hash *hash)
{
    sqlite3_bind_blob(s, at, hash->byte, sizeof hash->byte, SQLITE_STATIC);
}

int db_execute(db *d, const char *text, deja_error *err, const char *what)
{
    int rc = sqlite3_exec(d->handle, text, NULL, NULL, NULL);
    return rc ? db_fail(d->handle, rc, err, what) : 0;
}
