/*
 * The database of a cache, as a file and a connection to it: opened when it is ours, made, moved, its WAL
 * taken in.
 */
#include "db_code.h"
#include "db_statement.h"

#include <deja/clock.h>
#include <deja/memory.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define APPLICATION_ID        0x64656a61u /* "deja", https://sqlite.org/pragma.html#pragma_application_id */
#define HEADER_BYTES          100         /* https://sqlite.org/fileformat2.html#the_database_header */
#define HEADER_WRITE_VERSION  18
#define HEADER_USER_VERSION   60
#define HEADER_APPLICATION_ID 68
#define VERSION_PLAUSIBLE     1000 /* a user_version above is damage, not a distant future */
#define BUSY_WAIT_NS          (30 * DEJA_S_NS)
#define BUSY_PAUSE_NS         (DEJA_MS_NS / 4)
#define BUSY_PAUSE_MOST_NS    (10 * DEJA_MS_NS)

/* Columns in front of `record` are what listings and eviction read without touching its overflow pages. */
static const char schema[] =
    "PRAGMA journal_mode=MEMORY;"
    "PRAGMA synchronous=OFF;" /* whoever makes the file syncs it before it gets its name */
    "BEGIN;"
    "CREATE TABLE entry(id INTEGER PRIMARY KEY, key BLOB NOT NULL, variant BLOB NOT NULL, bytes INTEGER NOT "
    "NULL,"
    " cost_ns INTEGER NOT NULL, created_ns INTEGER NOT NULL, blobs BLOB, record BLOB NOT NULL);"
    "CREATE UNIQUE INDEX entry_key ON entry(key, variant);"
    "CREATE TABLE blob(hash BLOB PRIMARY KEY, size INTEGER NOT NULL, refs INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE totals(id INTEGER PRIMARY KEY, entries INTEGER NOT NULL, row_bytes INTEGER NOT NULL,"
    " blobs INTEGER NOT NULL, blob_bytes INTEGER NOT NULL, cost_ns INTEGER NOT NULL);"
    "INSERT INTO totals VALUES(1,0,0,0,0,0);"
    "PRAGMA application_id=1684367969;"
    "PRAGMA user_version=1;"
    "COMMIT;";

static int busy(void *context, int tries)
{
    db *d = context;
    int64_t now = deja_monotonic_ns(NULL);
    if (tries == 0)
        d->busy_since_ns = now;
    if (now - d->busy_since_ns > BUSY_WAIT_NS)
        return 0;
    int64_t pause_ns = BUSY_PAUSE_NS << (tries < 6 ? tries : 6);
    struct timespec pause = {.tv_nsec = pause_ns < BUSY_PAUSE_MOST_NS ? pause_ns : BUSY_PAUSE_MOST_NS};
    nanosleep(&pause, NULL);
    return 1;
}

static uint32_t read_be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/*
 * Reads the header through SQLite's own descriptor: a descriptor of ours on that file would drop SQLite's
 * locks of this process when it is closed (fcntl(2)), and pragmas would cost a transaction each.
 */
static int check_header(db *d, const char *path, int *ret_wal, deja_error *err)
{
    unsigned char head[HEADER_BYTES];
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int rc = sqlite3_file_control(d->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (rc || !file || !file->pMethods)
        return db_fail(d->handle, rc ? rc : SQLITE_CANTOPEN, err, "open the database of the cache");
    rc = file->pMethods->xFileSize(file, &size);
    if (!rc && size == 0)
        return deja_fail(err, DEJA_ENOTFOUND, "'%s' is empty", path);
    if (!rc && size < HEADER_BYTES)
        return deja_fail(err, DEJA_ECORRUPT, "'%s' is damaged: it is too short", path);
    if (!rc)
        rc = file->pMethods->xRead(file, head, sizeof head, 0);
    if (rc)
        return deja_fail(err, db_code(rc, 0), "read '%s': %s", path, sqlite3_errstr(rc));
    uint32_t version = read_be32(head + HEADER_USER_VERSION);
    if (memcmp(head, "SQLite format 3", 16) != 0 ||
        read_be32(head + HEADER_APPLICATION_ID) != APPLICATION_ID || version == 0 ||
        version > VERSION_PLAUSIBLE)
        return deja_fail(err, DEJA_ECORRUPT, "'%s' is no sound database of deja", path);
    if (version > DB_SCHEMA)
        return deja_fail(
            err, DEJA_EVERSION,
            "'%s' was written by a newer deja (format %u, this one reads %d): update deja or choose "
            "another folder (DEJA_CACHE)",
            path, version, DB_SCHEMA);
    *ret_wal = head[HEADER_WRITE_VERSION] == 2;
    return 0;
}

static int open_handle(db *d, const char *path, int open_flags, deja_error *err)
{
    int rc =
        sqlite3_open_v2(path, &d->handle, open_flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc) {
        int r = db_fail(d->handle, rc, err, "open the database of the cache");
        return err && err->sys_errno == EISDIR ? DEJA_ECORRUPT : r;
    }
    sqlite3_extended_result_codes(d->handle, 1);
    sqlite3_busy_handler(d->handle, busy, d);
    /* What a damaged or planted database could bring along is not run. */
    sqlite3_db_config(d->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(d->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(d->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return 0;
}

int db_open(db **ret, const char *path, unsigned flags, deja_error *err)
{
    db *d = deja_calloc(1, sizeof *d);
    if (!d)
        return deja_fail(err, DEJA_ENOMEM, "open '%s': out of memory", path);
    d->flags = flags;
    int wal = 0;
    deja_error local;
    err = err ? err : &local;
    int r = open_handle(d, path, 0, err);
    if (!r)
        r = check_header(d, path, &wal, err);
    if (!r && sqlite3_db_readonly(d->handle, "main") == 1)
        r = deja_fail(err, DEJA_EDENIED, "'%s' is read-only: run 'chmod u+w' on it", path);
    if (!r) {
        sqlite3_db_config(d->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        if (wal == !!(flags & DB_ROLLBACK_JOURNAL))
            r = db_execute(d, wal ? "PRAGMA journal_mode=DELETE" : "PRAGMA journal_mode=WAL", err,
                           "change the journal of the cache");
    }
    if (r)
        db_close(d);
    else
        *ret = d;
    return r;
}

int db_make(const char *path, unsigned flags, deja_error *err)
{
    db d = {.flags = flags};
    int r = open_handle(&d, path, SQLITE_OPEN_CREATE, err);
    if (!r)
        r = db_execute(&d, schema, err, "make the database of the cache");
    if (!r && !(flags & DB_ROLLBACK_JOURNAL))
        r = db_execute(&d, "PRAGMA journal_mode=WAL", err, "make the database of the cache");
    int rc = sqlite3_close(d.handle);
    return r || !rc ? r : db_fail(NULL, rc, err, "make the database of the cache");
}

void db_close(db *d)
{
    if (!d)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(d->statements[i]);
    sqlite3_close(d->handle);
    deja_buffer_done(&d->losing);
    deja_buffer_done(&d->unused);
    deja_free(d);
}

int db_moved(db *d)
{
    int moved = 0;
    return sqlite3_file_control(d->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved;
}

void db_expect_many(db *d)
{
    if (d->expects_many)
        return;
    d->expects_many = 1;
    /* 32 MB: measured in tests/bench/store.c; a failure costs speed only */
    (void)sqlite3_exec(d->handle, "PRAGMA cache_size=-32768", NULL, NULL, NULL);
}

int db_wal_frames(const db *d)
{
    return d->wal_frames;
}

int db_checkpoint(db *d, int whole, deja_error *err)
{
    sqlite3_busy_handler(d->handle, NULL, NULL); /* who is in the way shall not make us wait */
    int rc = sqlite3_wal_checkpoint_v2(
        d->handle, NULL, whole ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    sqlite3_busy_handler(d->handle, busy, d);
    if (!rc)
        d->wal_frames = 0;
    return !rc || (rc & 0xff) == SQLITE_BUSY ? 0
                                             : db_fail(d->handle, rc, err, "move results into the database");
}
