/*
 * The database of a cache, as a file and a connection to it: opened when it is ours, made, moved, its WAL
 * taken in.
 */
#include "db_schema.h"
#include "db_statement.h"

#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUSY_WAIT_NS       (30 * DEJA_S_NS)
#define HASTY_WAIT_NS      (100 * DEJA_MS_NS) /* a person who presses Ctrl-C does not notice that */
#define IN_VAIN_NS         (5 * DEJA_S_NS)    /* who was in the way for longer than that stays a while */
#define BUSY_PAUSE_NS      (DEJA_MS_NS / 4)
#define BUSY_PAUSE_MOST_NS (10 * DEJA_MS_NS)
#define REST_NS            (2 * DEJA_S_NS) /* as for racy timestamps: no clock of a file system is coarser */

static int is_hopeless(db *d, int64_t now)
{
    if (!d->hasty)
        return now - d->busy_since_ns > BUSY_WAIT_NS;
    if (d->in_vain_ns && now - d->in_vain_ns < IN_VAIN_NS)
        return 1;
    if (now - d->busy_since_ns <= HASTY_WAIT_NS)
        return 0;
    d->in_vain_ns = now;
    return 1;
}

static int busy(void *context, int tries)
{
    db *d = context;
    int64_t now = deja_monotonic_ns(NULL);
    if (tries == 0)
        d->busy_since_ns = now;
    if (is_hopeless(d, now))
        return 0;
    int64_t pause_ns = BUSY_PAUSE_NS << (tries < 6 ? tries : 6);
    struct timespec pause = {.tv_nsec = pause_ns < BUSY_PAUSE_MOST_NS ? pause_ns : BUSY_PAUSE_MOST_NS};
    nanosleep(&pause, NULL);
    return 1;
}

static int open_handle(db *d, const char *path, int open_flags, deja_error *err)
{
    int rc = sqlite3_open_v2(path, &d->handle, open_flags | SQLITE_OPEN_NOMUTEX, NULL);
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

/* The path as a URI (https://sqlite.org/uri.html) that promises that nobody changes the file. NULL without
 * memory. */
static char *immutable_uri(const char *path)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, *path == '/' ? "file://" : "file:");
    for (const char *at = path; *at; at++)
        if (*at == '%' || *at == '?' || *at == '#')
            deja_buffer_addf(&b, "%%%02x", (unsigned)*at);
        else
            deja_buffer_add(&b, at, 1);
    deja_buffer_add_string(&b, "?immutable=1");
    return deja_buffer_take(&b);
}

static int has_content(const char *path)
{
    struct stat st;
    return stat(path, &st) ? errno != ENOENT : st.st_size > 0;
}

/* Contents of a database that are not in its file yet. */
static int has_side_file(const char *path)
{
    static const char *const names[] = {"-wal", "-journal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        deja_buffer_addf(&b, "%s%s", path, names[i]);
        if (b.failed || has_content(deja_buffer_string(&b)))
            return 1;
    }
    return 0;
}

/*
 * Where side files cannot be made and are not there, SQLite reads only what it is told to be immutable. It is
 * so as long as there is no WAL and the file's stat data stay (db_moved): and should somebody begin to write
 * between two looks, rows have their checksums.
 */
static int open_immutable(db *d, const char *path, deja_error *err)
{
    DEJA_AUTO_FREE char *uri = immutable_uri(path);
    if (!uri)
        return deja_fail(err, DEJA_ENOMEM, "open '%s': out of memory", path);
    return open_handle(d, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
}

static int open_frozen(db *d, const char *path, deja_error *err)
{
    sqlite3_close(deja_take(d->handle));
    if (stat(path, &d->frozen))
        return deja_fail_errno(err, "look at '%s'", path);
    if (has_side_file(path))
        return deja_fail(
            err, DEJA_EDENIED,
            "'%s' was left by a writer and cannot be read without writing: use the cache once where "
            "it can be written",
            path);
    return open_immutable(d, path, err);
}

/* The side files are looked at last: a writer who begins meanwhile leaves one of them, or another time. */
static int is_at_rest(db *d, const char *path)
{
    if (stat(path, &d->frozen) || !S_ISREG(d->frozen.st_mode) || has_side_file(path))
        return 0;
    int64_t changed_ns = d->frozen.st_mtim.tv_sec * DEJA_S_NS + d->frozen.st_mtim.tv_nsec;
    return deja_wall_ns(NULL) - changed_ns > REST_NS;
}

/* 1 when it is open now; whatever is in the way is for the ordinary way of opening to find. */
static int open_at_rest(db *d, const char *path)
{
    int wal;
    d->at_rest = is_at_rest(d, path) && !open_immutable(d, path, NULL) &&
                 !db_schema_check(d->handle, path, &wal, NULL) && wal;
    if (d->at_rest)
        return 1;
    d->frozen = (struct stat){0};
    sqlite3_close(deja_take(d->handle));
    return 0;
}

/* With the side files there SQLite reads in the company of writers, if need be without writing to them. */
static int open_to_read(db *d, const char *path, deja_error *err)
{
    static const char probe[] = "PRAGMA schema_version", what[] = "read the database of the cache";
    int r = db_execute(d, probe, err, what);
    if (r != DEJA_ENOTFOUND && r != DEJA_EDENIED)
        return r;
    r = open_frozen(d, path, err);
    return r ? r : db_execute(d, probe, err, what);
}

static int open_to_write(db *d, const char *path, int wal, deja_error *err)
{
    if (sqlite3_db_readonly(d->handle, "main") == 1)
        return deja_fail(err, DEJA_EDENIED, "'%s' is read-only: run 'chmod u+w' on it", path);
    if (wal != !!(d->flags & DB_ROLLBACK_JOURNAL))
        return 0;
    return db_execute(d, wal ? "PRAGMA journal_mode=DELETE" : "PRAGMA journal_mode=WAL", err,
                      "change the journal of the cache");
}

/*
 * Where a file cannot be opened for writing, be it because it is not there, SQLite tries once more for
 * reading. A database that appears between the two tries (another process makes it) is open for reading only,
 * then: once more.
 */
static int open_own(db *d, const char *path, deja_error *err)
{
    int r = open_handle(d, path, SQLITE_OPEN_READWRITE, err);
    if (r || sqlite3_db_readonly(d->handle, "main") != 1 || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS))
        return r;
    sqlite3_close(deja_take(d->handle));
    return open_handle(d, path, SQLITE_OPEN_READWRITE, err);
}

static int open_in_company(db *d, const char *path, deja_error *err)
{
    int wal = 0;
    int r = open_own(d, path, err);
    if (!r)
        sqlite3_db_config(d->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (!r)
        r = db_schema_check(d->handle, path, &wal, err);
    if (!r)
        r = d->flags & DB_READ_ONLY ? open_to_read(d, path, err) : open_to_write(d, path, wal, err);
    return r;
}

int db_open(db **ret, const char *path, unsigned flags, deja_error *err)
{
    db *d = deja_calloc(1, sizeof *d);
    if (!d)
        return deja_fail(err, DEJA_ENOMEM, "open '%s': out of memory", path);
    d->flags = flags;
    deja_error local;
    int r = flags & DB_AT_REST && open_at_rest(d, path) ? 0 : open_in_company(d, path, err ? err : &local);
    if (r)
        db_close(d);
    else
        *ret = d;
    return r;
}

int db_make(const char *path, unsigned flags, deja_error *err)
{
    db d = {.flags = flags};
    int r = open_handle(&d, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (!r)
        r = db_schema_make(&d, err);
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

/* 1 when a file that was opened as immutable is not what it was. */
static int is_thawed(db *d)
{
    const char *path = sqlite3_db_filename(d->handle, "main");
    const struct stat *was = &d->frozen;
    struct stat st;
    return stat(path, &st) || st.st_ino != was->st_ino || st.st_size != was->st_size ||
           st.st_mtim.tv_sec != was->st_mtim.tv_sec || st.st_mtim.tv_nsec != was->st_mtim.tv_nsec ||
           has_content(sqlite3_filename_wal(path)) || has_content(sqlite3_filename_journal(path));
}

int db_moved(db *d)
{
    int moved = 0;
    if (d->frozen.st_ino)
        return is_thawed(d);
    return sqlite3_file_control(d->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved;
}

int db_is_at_rest(const db *d)
{
    return d->at_rest;
}

void db_set_hasty(db *d, int hasty)
{
    d->hasty = hasty;
}

void db_expect_many(db *d)
{
    if (d->expects_many)
        return;
    d->expects_many = 1;
    /* 8 MB: at 100,000 entries look-ups are as fast with 4 as with 32; a failure costs speed only */
    (void)sqlite3_exec(d->handle, "PRAGMA cache_size=-8192", NULL, NULL, NULL);
}

int db_wal_frames(const db *d)
{
    return d->wal_frames;
}

int db_wal_left(const db *d)
{
    return d->wal_left;
}

int db_checkpoint(db *d, int whole, deja_error *err)
{
    sqlite3_busy_handler(d->handle, NULL, NULL); /* who is in the way shall not make us wait */
    int rc = sqlite3_wal_checkpoint_v2(
        d->handle, NULL, whole ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    sqlite3_busy_handler(d->handle, busy, d);
    if (!rc)
        d->wal_frames = 0;
    if (!rc && whole)
        d->wal_left = 0;
    return !rc || (rc & 0xff) == SQLITE_BUSY ? 0
                                             : db_fail(d->handle, rc, err, "move results into the database");
}
