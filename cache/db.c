/*
 * The database of a cache. Statements are prepared when first used: a process that only looks one key up
 * compiles one. Nothing here writes before db_write_begin().
 */
#include "db.h"

#include <deja/cleanup.h>
#include <deja/clock.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
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

enum {
    SQL_BEGIN,
    SQL_BEGIN_WRITE,
    SQL_COMMIT,
    SQL_FIND,
    SQL_FIND_RANGE,
    SQL_LIST,
    SQL_TOTALS,
    SQL_OLD,
    SQL_DELETE,
    SQL_INSERT,
    SQL_BLOB_REFER,
    SQL_BLOB_UNREFER,
    SQL_BLOB_USED,
    SQL_BLOB_FORGET,
    SQL_ADD_TOTALS,
    SQL_COUNT
};

static const char *const sql[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN",
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_FIND] = "SELECT record FROM entry WHERE key=?1 AND variant=x''",
    [SQL_FIND_RANGE] = "SELECT DISTINCT key FROM entry WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT 2",
    [SQL_LIST] = "SELECT id, bytes, record, key FROM entry WHERE id<?1 ORDER BY id DESC LIMIT ?2",
    [SQL_TOTALS] = "SELECT entries, row_bytes, blobs, blob_bytes, cost_ns FROM totals WHERE id=1",
    [SQL_OLD] = "SELECT id, cost_ns, blobs, length(record) FROM entry WHERE key=?1 AND variant=x''",
    [SQL_DELETE] = "DELETE FROM entry WHERE id=?1",
    [SQL_INSERT] = "INSERT INTO entry(key, variant, bytes, cost_ns, created_ns, blobs, record)"
                   " VALUES(?1, x'', ?2, ?3, ?4, ?5, ?6)",
    [SQL_BLOB_REFER] =
        "INSERT INTO blob VALUES(?1, ?2, 1) ON CONFLICT(hash) DO UPDATE SET refs=refs+1 RETURNING refs",
    [SQL_BLOB_UNREFER] = "UPDATE blob SET refs=refs-1 WHERE hash=?1 AND refs>0 RETURNING refs, size",
    [SQL_BLOB_USED] = "SELECT refs FROM blob WHERE hash=?1",
    [SQL_BLOB_FORGET] = "DELETE FROM blob WHERE hash=?1 AND refs=0",
    [SQL_ADD_TOTALS] = "UPDATE totals SET entries=max(0,entries+?1), row_bytes=max(0,row_bytes+?2),"
                       " blobs=max(0,blobs+?3), blob_bytes=max(0,blob_bytes+?4), cost_ns=max(0,cost_ns+?5)"
                       " WHERE id=1",
};

typedef struct totals {
    int64_t entries, row_bytes, blobs, blob_bytes, cost_ns;
} totals;

struct db {
    sqlite3 *handle;
    sqlite3_stmt *statements[SQL_COUNT];
    int64_t busy_since_ns;
    int wal_frames;
    int expects_many;
    int writes; /* the settings of a writer are made */
    unsigned flags;
    totals change;      /* of the open transaction */
    deja_buffer losing; /* deja_hash[]: blobs without a reference, of the open transaction */
    deja_buffer unused; /* and of committed ones */
};

static int code_of(int rc, int sys_errno)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return DEJA_ENOMEM;
    case SQLITE_FULL:
        return DEJA_EFULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return DEJA_EBUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return DEJA_EDENIED;
    case SQLITE_TOOBIG:
        return DEJA_ELIMIT;
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_NOMEM)
            return DEJA_ENOMEM;
        if (rc == SQLITE_IOERR_CORRUPTFS)
            return DEJA_ECORRUPT;
        return sys_errno ? deja_code_of_errno(sys_errno) : DEJA_EIO;
    case SQLITE_CANTOPEN:
        return sys_errno ? deja_code_of_errno(sys_errno) : DEJA_EIO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:      /* our statements are right: a table is missing or is not as we made it */
    case SQLITE_CONSTRAINT: /* likewise: index and table disagree */
    case SQLITE_MISMATCH:
    case SQLITE_SCHEMA:
        return DEJA_ECORRUPT;
    default:
        return DEJA_EIO;
    }
}

/* Out of descriptors or memory is never mistaken for damage or absence: SQLite's own code comes first where
 * it is sure. */
static int fail(sqlite3 *handle, int rc, deja_error *err, const char *what)
{
    int sys_errno = handle ? sqlite3_system_errno(handle) : 0;
    int code = code_of(rc, sys_errno);
    int base = rc & 0xff;
    int with_errno = sys_errno && (base == SQLITE_IOERR || base == SQLITE_CANTOPEN || base == SQLITE_FULL);
    char text[128] = "";
    if (with_errno) {
        errno = sys_errno;
        snprintf(text, sizeof text, ": %m");
    }
    deja_fail(err, code, "%s: %s%s", what, handle ? sqlite3_errmsg(handle) : sqlite3_errstr(rc), text);
    if (err)
        err->sys_errno = with_errno ? sys_errno : 0;
    return code;
}

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

static int on_commit(void *context, sqlite3 *handle, const char *name, int frames)
{
    (void)handle, (void)name;
    db *d = context;
    d->wal_frames = frames;
    return SQLITE_OK;
}

static int prepare(db *d, int which, sqlite3_stmt **ret, deja_error *err)
{
    if (!d->statements[which]) {
        int rc = sqlite3_prepare_v3(d->handle, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                                    &d->statements[which], NULL);
        if (rc)
            return fail(d->handle, rc, err, "read the database of the cache");
    }
    *ret = d->statements[which];
    return 0;
}

/* Runs a statement to its end. */
static int finish(db *d, sqlite3_stmt *s, deja_error *err, const char *what)
{
    int rc;
    do
        rc = sqlite3_step(s);
    while (rc == SQLITE_ROW);
    int r = rc == SQLITE_DONE ? 0 : fail(d->handle, rc, err, what);
    sqlite3_reset(s);
    return r;
}

static int run(db *d, int which, deja_error *err, const char *what)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, which, &s, err);
    return r ? r : finish(d, s, err, what);
}

static void bind_hash(sqlite3_stmt *s, int at, const deja_hash *hash)
{
    sqlite3_bind_blob(s, at, hash->byte, sizeof hash->byte, SQLITE_STATIC);
}

static int execute(db *d, const char *text, deja_error *err, const char *what)
{
    int rc = sqlite3_exec(d->handle, text, NULL, NULL, NULL);
    return rc ? fail(d->handle, rc, err, what) : 0;
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
        return fail(d->handle, rc ? rc : SQLITE_CANTOPEN, err, "open the database of the cache");
    rc = file->pMethods->xFileSize(file, &size);
    if (!rc && size == 0)
        return deja_fail(err, DEJA_ENOTFOUND, "'%s' is empty", path);
    if (!rc && size < HEADER_BYTES)
        return deja_fail(err, DEJA_ECORRUPT, "'%s' is damaged: it is too short", path);
    if (!rc)
        rc = file->pMethods->xRead(file, head, sizeof head, 0);
    if (rc)
        return deja_fail(err, code_of(rc, 0), "read '%s': %s", path, sqlite3_errstr(rc));
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
        int r = fail(d->handle, rc, err, "open the database of the cache");
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
            r = execute(d, wal ? "PRAGMA journal_mode=DELETE" : "PRAGMA journal_mode=WAL", err,
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
        r = execute(&d, schema, err, "make the database of the cache");
    if (!r && !(flags & DB_ROLLBACK_JOURNAL))
        r = execute(&d, "PRAGMA journal_mode=WAL", err, "make the database of the cache");
    int rc = sqlite3_close(d.handle);
    return r || !rc ? r : fail(NULL, rc, err, "make the database of the cache");
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

int db_read_begin(db *d, deja_error *err)
{
    return run(d, SQL_BEGIN, err, "read the database of the cache");
}

void db_read_end(db *d)
{
    if (!sqlite3_get_autocommit(d->handle) && run(d, SQL_COMMIT, NULL, ""))
        db_rollback(d);
}

int db_find(db *d, const deja_hash *key, db_row *ret, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, SQL_FIND, &s, err);
    if (r)
        return r;
    bind_hash(s, 1, key);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *ret = (db_row){sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)};
        if (ret->record || sqlite3_errcode(d->handle) != SQLITE_NOMEM)
            return 1;
        rc = SQLITE_NOMEM;
    }
    r = rc == SQLITE_DONE ? 0 : fail(d->handle, rc, err, "look up a key");
    sqlite3_reset(s);
    return r;
}

void db_find_done(db *d)
{
    sqlite3_reset(d->statements[SQL_FIND]);
}

int db_find_range(db *d, const deja_hash *low, const deja_hash *high, deja_hash *ret_key, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, SQL_FIND_RANGE, &s, err), n = 0, rc;
    if (r)
        return r;
    bind_hash(s, 1, low);
    bind_hash(s, 2, high);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        if (sqlite3_column_bytes(s, 0) == (int)sizeof ret_key->byte && n++ == 0)
            memcpy(ret_key->byte, sqlite3_column_blob(s, 0), sizeof ret_key->byte);
    r = rc == SQLITE_DONE ? n : fail(d->handle, rc, err, "look up a key");
    sqlite3_reset(s);
    return r;
}

int db_list(db *d, int64_t before, db_listed *rows, int max, deja_buffer *records, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, SQL_LIST, &s, err), n = 0, rc;
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
    r = rc == SQLITE_DONE ? n : fail(d->handle, rc, err, "list the cache");
    sqlite3_reset(s);
    return r >= 0 && records->failed ? deja_fail(err, DEJA_ENOMEM, "list the cache: out of memory") : r;
}

int db_totals(db *d, deja_cache_numbers *ret, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, SQL_TOTALS, &s, err);
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
                              : fail(d->handle, rc, err, "read the totals of the cache");
    sqlite3_reset(s);
    return r;
}

/* What only a writer needs; at its first transaction, as each pragma costs a look-up some 10 us. */
static int set_up_writer(db *d, deja_error *err)
{
    if (d->writes)
        return 0;
    sqlite3_wal_hook(d->handle, on_commit, d); /* takes the place of automatic checkpoints */
    int r =
        execute(d,
                d->flags & DB_NO_SYNC
                    ? "PRAGMA synchronous=NORMAL;PRAGMA cache_size=-16384;PRAGMA journal_size_limit=67108864"
                    : "PRAGMA synchronous=FULL;PRAGMA cache_size=-16384;PRAGMA journal_size_limit=67108864",
                err, "prepare to write to the cache");
    d->writes = !r;
    return r;
}

int db_write_begin(db *d, deja_error *err)
{
    int r = set_up_writer(d, err);
    d->change = (totals){0};
    deja_buffer_clear(&d->losing);
    return r ? r : run(d, SQL_BEGIN_WRITE, err, "write to the cache");
}

static int refer(db *d, const db_blob *blob, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, SQL_BLOB_REFER, &s, err);
    if (r)
        return r;
    bind_hash(s, 1, &blob->hash);
    sqlite3_bind_int64(s, 2, (int64_t)blob->size);
    if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) == 1) {
        d->change.blobs++;
        d->change.blob_bytes += (int64_t)blob->size;
    }
    return finish(d, s, err, "store a reference");
}

static int unrefer(db *d, const deja_hash *hash, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, SQL_BLOB_UNREFER, &s, err);
    if (r)
        return r;
    bind_hash(s, 1, hash);
    if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) == 0) {
        d->change.blobs--;
        d->change.blob_bytes -= sqlite3_column_int64(s, 1);
        deja_buffer_add(&d->losing, hash->byte, sizeof hash->byte);
    }
    return finish(d, s, err, "drop a reference");
}

static int unrefer_all(db *d, const char *hashes, size_t len, deja_error *err)
{
    deja_hash hash;
    for (size_t at = 0; at + sizeof hash.byte <= len; at += sizeof hash.byte) {
        memcpy(hash.byte, hashes + at, sizeof hash.byte);
        int r = unrefer(d, &hash, err);
        if (r)
            return r;
    }
    return 0;
}

/* Removes the row that a new one takes the place of, if there is one. */
static int remove_old(db *d, const deja_hash *key, deja_error *err)
{
    sqlite3_stmt *s = NULL, *deletion = NULL;
    int r = prepare(d, SQL_OLD, &s, err);
    if (r)
        return r;
    bind_hash(s, 1, key);
    int rc = sqlite3_step(s);
    if (rc != SQLITE_ROW)
        return finish(d, s, err, "look for an older result");
    int64_t id = sqlite3_column_int64(s, 0);
    d->change.entries--;
    d->change.cost_ns -= sqlite3_column_int64(s, 1);
    d->change.row_bytes -= sqlite3_column_int64(s, 3);
    const char *hashes = sqlite3_column_blob(s, 2);
    r = unrefer_all(d, hashes, hashes ? (size_t)sqlite3_column_bytes(s, 2) : 0, err);
    sqlite3_reset(s);
    if (!r)
        r = prepare(d, SQL_DELETE, &deletion, err);
    if (r)
        return r;
    sqlite3_bind_int64(deletion, 1, id);
    return finish(d, deletion, err, "replace a result");
}

static int insert(db *d, const db_put_args *put, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, SQL_INSERT, &s, err);
    DEJA_AUTO_BUFFER deja_buffer hashes = {0};
    uint64_t bytes = put->len;
    for (size_t i = 0; i < put->blob_count; i++) {
        bytes += put->blobs[i].size;
        deja_buffer_add(&hashes, put->blobs[i].hash.byte, sizeof put->blobs[i].hash.byte);
    }
    if (!r && hashes.failed)
        r = deja_fail(err, DEJA_ENOMEM, "store a result: out of memory");
    if (r)
        return r;
    bind_hash(s, 1, &put->key);
    sqlite3_bind_int64(s, 2, (int64_t)bytes);
    sqlite3_bind_int64(s, 3, put->cost_ns);
    sqlite3_bind_int64(s, 4, put->created_ns);
    sqlite3_bind_blob64(s, 5, hashes.data, hashes.len, SQLITE_STATIC); /* NULL without blobs */
    sqlite3_bind_blob64(s, 6, put->record, put->len, SQLITE_STATIC);
    r = finish(d, s, err, "store a result");
    sqlite3_clear_bindings(s);
    return r;
}

/*
 * SQLite does not notice keys out of order in the pages of an index: a row would be stored and never found,
 * and its job run for ever. Costs a tenth of storing a row (tests/bench/store.c).
 */
static int find_again(db *d, const deja_hash *key, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    sqlite3_int64 id = sqlite3_last_insert_rowid(d->handle);
    int r = prepare(d, SQL_OLD, &s, err);
    if (r)
        return r;
    bind_hash(s, 1, key);
    int found = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) == id;
    r = finish(d, s, err, "look for a new result");
    return r || found ? r : deja_fail(err, DEJA_ECORRUPT, "the index of the cache is damaged");
}

int db_put(db *d, const db_put_args *put, deja_error *err)
{
    int r = remove_old(d, &put->key, err);
    for (size_t i = 0; !r && i < put->blob_count; i++)
        r = refer(d, &put->blobs[i], err);
    if (!r)
        r = insert(d, put, err);
    if (!r)
        r = find_again(d, &put->key, err);
    d->change.entries++;
    d->change.row_bytes += (int64_t)put->len;
    d->change.cost_ns += put->cost_ns;
    return r;
}

int db_delete_all(db *d, uint64_t *ret_entries, deja_error *err)
{
    int r = execute(d, "DELETE FROM entry", err, "clear the cache");
    if (!r)
        *ret_entries = (uint64_t)sqlite3_changes64(d->handle);
    if (!r)
        r = execute(d,
                    "DELETE FROM blob;"
                    "INSERT OR REPLACE INTO totals VALUES(1,0,0,0,0,0)",
                    err, "clear the cache");
    return r;
}

/* Counts the rows of a query of one blob each, which must come in strictly ascending order. 1 in order, 0
 * not, negative. */
static int check_order(db *d, const char *query, uint64_t *ret_count, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    deja_hash last = {{0}};
    int rc = sqlite3_prepare_v2(d->handle, query, -1, &s, NULL), ordered = 1;
    *ret_count = 0;
    while (!rc && (rc = sqlite3_step(s)) == SQLITE_ROW && ordered) {
        const void *key = sqlite3_column_blob(s, 0);
        ordered = key && sqlite3_column_bytes(s, 0) == (int)sizeof last.byte &&
                  (*ret_count == 0 || memcmp(last.byte, key, sizeof last.byte) < 0);
        if (ordered)
            memcpy(last.byte, key, sizeof last.byte);
        ++*ret_count;
        rc = 0;
    }
    int r = !ordered || rc == SQLITE_DONE ? ordered : fail(d->handle, rc, err, "check the cache");
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
    int ordered = check_order(d, "SELECT key FROM entry INDEXED BY entry_key WHERE variant=x'' ORDER BY key",
                              &keys, err);
    r = ordered < 0 ? ordered : check_order(d, "SELECT hash FROM blob ORDER BY hash", &blobs, err);
    if (r == 0)
        r = deja_fail(err, DEJA_ECORRUPT, "the references to blobs are damaged");
    if (r > 0)
        r = db_totals(d, &n, err);
    db_read_end(d);
    return r ? r : ordered && keys == n.entries;
}

int db_unindex(db *d, deja_error *err)
{
    return execute(d, "DROP INDEX IF EXISTS entry_key", err, "repair the cache");
}

int db_delete_row(db *d, int64_t id, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, SQL_DELETE, &s, err);
    if (r)
        return r;
    sqlite3_bind_int64(s, 1, id);
    return finish(d, s, err, "remove a damaged result");
}

int db_reindex(db *d, deja_error *err)
{
    return execute(
        d,
        "DELETE FROM entry WHERE id NOT IN (SELECT max(id) FROM entry GROUP BY key, variant);"
        "CREATE UNIQUE INDEX entry_key ON entry(key, variant);"
        "INSERT OR REPLACE INTO totals SELECT 1, count(*), ifnull(sum(length(record)),0),"
        " (SELECT count(*) FROM blob WHERE refs>0), (SELECT ifnull(sum(size),0) FROM blob WHERE refs>0),"
        " ifnull(sum(cost_ns),0) FROM entry",
        err, "repair the cache");
}

int db_blob_used(db *d, const deja_hash *hash, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, SQL_BLOB_USED, &s, err);
    if (r)
        return r;
    bind_hash(s, 1, hash);
    int used = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) > 0;
    r = finish(d, s, err, "look for references");
    return r ? r : used;
}

int db_blob_forget(db *d, const deja_hash *hash, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = prepare(d, SQL_BLOB_FORGET, &s, err);
    if (r)
        return r;
    bind_hash(s, 1, hash);
    r = finish(d, s, err, "forget a blob");
    return r ? r : sqlite3_changes(d->handle) > 0;
}

static int add_totals(db *d, deja_error *err)
{
    static const totals none = {0};
    sqlite3_stmt *s = NULL;
    if (memcmp(&d->change, &none, sizeof none) == 0)
        return 0;
    int r = prepare(d, SQL_ADD_TOTALS, &s, err);
    if (r)
        return r;
    sqlite3_bind_int64(s, 1, d->change.entries);
    sqlite3_bind_int64(s, 2, d->change.row_bytes);
    sqlite3_bind_int64(s, 3, d->change.blobs);
    sqlite3_bind_int64(s, 4, d->change.blob_bytes);
    sqlite3_bind_int64(s, 5, d->change.cost_ns);
    return finish(d, s, err, "count the results");
}

int db_commit(db *d, deja_error *err)
{
    int r = add_totals(d, err);
    if (!r)
        r = run(d, SQL_COMMIT, err, "commit results");
    if (!r)
        deja_buffer_add(&d->unused, d->losing.data, d->losing.len);
    return r;
}

void db_rollback(db *d)
{
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_reset(d->statements[i]);
    if (!sqlite3_get_autocommit(d->handle))
        (void)sqlite3_exec(d->handle, "ROLLBACK", NULL, NULL, NULL);
}

void db_take_unused(db *d, deja_buffer *ret)
{
    *ret = d->unused;
    d->unused = (deja_buffer){0};
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
    return !rc || (rc & 0xff) == SQLITE_BUSY ? 0 : fail(d->handle, rc, err, "move results into the database");
}

int db_shrink(db *d, deja_error *err)
{
    int r = execute(d, "VACUUM", err, "shrink the database");
    return r ? r : db_checkpoint(d, 1, err);
}
