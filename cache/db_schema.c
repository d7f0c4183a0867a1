/*
 * What makes a database one of ours: its header, its tables.
 */
#include "db_schema.h"
#include "db_code.h"

#include <string.h>

#define APPLICATION_ID        0x64656a61u /* "deja", https://sqlite.org/pragma.html#pragma_application_id */
#define HEADER_BYTES          100         /* https://sqlite.org/fileformat2.html#the_database_header */
#define HEADER_WRITE_VERSION  18
#define HEADER_USER_VERSION   60
#define HEADER_APPLICATION_ID 68
#define VERSION_PLAUSIBLE     1000 /* a user_version above is damage, not a distant future */

/* As SQLite keeps their texts. Columns in front of `record` are what listings and eviction read without
 * touching its overflow pages. */
static const char entry_table[] =
    "CREATE TABLE entry(id INTEGER PRIMARY KEY, key BLOB NOT NULL, variant BLOB NOT NULL, bytes INTEGER NOT "
    "NULL,"
    " cost_ns INTEGER NOT NULL, created_ns INTEGER NOT NULL, blobs BLOB, record BLOB NOT NULL)";
static const char entry_index[] = "CREATE UNIQUE INDEX entry_key ON entry(key, variant)";
static const char blob_table[] =
    "CREATE TABLE blob(hash BLOB PRIMARY KEY, size INTEGER NOT NULL, refs INTEGER NOT NULL) WITHOUT ROWID";
static const char totals_table[] =
    "CREATE TABLE totals(id INTEGER PRIMARY KEY, entries INTEGER NOT NULL, row_bytes INTEGER NOT NULL,"
    " blobs INTEGER NOT NULL, blob_bytes INTEGER NOT NULL, cost_ns INTEGER NOT NULL)";
static const char *const objects[] = {entry_table, entry_index, blob_table, totals_table};
#define OBJECTS (sizeof objects / sizeof *objects)

static uint32_t read_be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* How many of our tables and indices it has, -1 when that cannot be read. */
static int count_ours(sqlite3 *handle)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(handle, "SELECT count(*) FROM sqlite_master WHERE sql IN (?1, ?2, ?3, ?4)", -1, &s,
                           NULL))
        return -1;
    for (size_t i = 0; i < OBJECTS; i++)
        sqlite3_bind_text(s, (int)i + 1, objects[i], -1, SQLITE_STATIC);
    int ours = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : -1;
    sqlite3_finalize(s);
    return ours;
}

int db_schema_is_ours(sqlite3 *handle)
{
    int ours = count_ours(handle);
    return ours < 0 || ours == (int)OBJECTS;
}

/* A sound database with another mark and without our tables. One of ours that is damaged has some of them, or
 * cannot be read. */
static int is_foreign(sqlite3 *handle, const unsigned char *head)
{
    return memcmp(head, "SQLite format 3", 16) == 0 &&
           read_be32(head + HEADER_APPLICATION_ID) != APPLICATION_ID && count_ours(handle) == 0;
}

/*
 * Reads the header through SQLite's own descriptor: a descriptor of ours on that file would drop SQLite's
 * locks of this process when it is closed (fcntl(2)), and pragmas would cost a transaction each.
 */
int db_schema_check(sqlite3 *handle, const char *path, int *ret_wal, deja_error *err)
{
    unsigned char head[HEADER_BYTES];
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int rc = sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (rc || !file || !file->pMethods)
        return db_fail(handle, rc ? rc : SQLITE_CANTOPEN, err, "open the database of the cache");
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
    if (is_foreign(handle, head))
        return deja_fail(
            err, DEJA_EEXIST,
            "'%s' is an SQLite database, but not one of deja: move it away, or choose another folder "
            "for the cache (DEJA_CACHE)",
            path);
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

int db_schema_make(db *d, deja_error *err)
{
    static const char what[] = "make the database of the cache";
    int r = db_execute(d,
                       "PRAGMA journal_mode=MEMORY;"
                       "PRAGMA synchronous=OFF;" /* whoever makes the file syncs it before it gets its name */
                       "BEGIN",
                       err, what);
    for (size_t i = 0; !r && i < OBJECTS; i++)
        r = db_execute(d, objects[i], err, what);
    return r ? r
             : db_execute(d,
                          "INSERT INTO totals VALUES(1,0,0,0,0,0);"
                          "PRAGMA application_id=1684367969;"
                          "PRAGMA user_version=1;"
                          "COMMIT",
                          err, what);
}
