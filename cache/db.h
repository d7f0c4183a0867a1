#ifndef DB_H
#define DB_H
/*
 * The database: rows of kept results, references to blobs, and totals. The files db*.c are the only ones with
 * SQL. A connection belongs to one thread at a time. Errors: DEJA_ECORRUPT when the database is damaged,
 * DEJA_EFULL, DEJA_EBUSY only after half a minute of trying
 * (db_set_hasty), DEJA_ENOMEM, DEJA_ERESOURCE, DEJA_EIO.
 */
#include <deja/buffer.h>
#include <deja/cache.h>

typedef struct db db;

#define DB_SCHEMA 1 /* user_version of a database of ours */

#define DB_NO_SYNC          1u /* a commit survives a crash of processes, not one of the machine */
#define DB_ROLLBACK_JOURNAL 2u /* no WAL: for network file systems (https://sqlite.org/wal.html) */
#define DB_READ_ONLY        4u /* neither file nor folder need be writable; db_write_begin is DEJA_EDENIED */
#define DB_AT_REST          8u /* for reading without locks, if nobody writes just now: db_is_at_rest tells */

/*
 * Opens a database whose schema is current, without writing. DEJA_ENOTFOUND when there is none (or an empty
 * file), DEJA_EVERSION for a newer one, DEJA_ECORRUPT for what is no sound database of ours, DEJA_EDENIED for
 * a read-only one without DB_READ_ONLY.
 */
int db_open(db **ret, const char *path, unsigned flags, deja_error *err);

/* Makes an empty database at `path`, which must not exist. The caller holds the lock of the folder and
 * renames it. */
int db_make(const char *path, unsigned flags, deja_error *err);

/* Never makes a checkpoint. NULL is fine. */
void db_close(db *d);

/* 1 when the file at the path is no longer the one that is open, or must be opened anew to be read. */
int db_moved(db *d);

/*
 * 1 for a connection that DB_AT_REST made without locks: nobody had written for two seconds, and nothing lay
 * in the WAL. Whoever begins to write makes it db_moved(), perhaps in the middle of a read, which may then
 * see half of a change: a row that is whole by its checksum is right; that there is no row, or no sound one,
 * is to be asked again of a connection with locks.
 */
int db_is_at_rest(const db *d);

/* While set, who waits for others does so for 100 ms at most, and once that was in vain, not at all for some
 * seconds. */
void db_set_hasty(db *d, int hasty);

/* Many look-ups are to come: more memory for pages. */
void db_expect_many(db *d);

/* ---- reading ---- */

/* One snapshot for all reads until the end. */
int db_read_begin(db *d, deja_error *err);
void db_read_end(db *d);

typedef struct db_row {
    const void *record; /* borrowed until the next call */
    size_t len;
} db_row;

/* The row of this key without discovered inputs. 1 found, 0 none, negative. db_find_done ends the read. */
int db_find(db *d, const deja_hash *key, db_row *ret, deja_error *err);

/* The rows of this key with discovered inputs, newest first: the first one and, with NULL, the next. As
 * db_find.
 */
int db_find_variant(db *d, const deja_hash *key, db_row *ret, deja_error *err);
void db_find_done(db *d);

/* How many rows (counted up to two) have keys from `low` to `high`, and a copy of the first one's key. */
int db_find_range(db *d, const deja_hash *low, const deja_hash *high, deja_hash *ret_key, deja_error *err);

/* A page of a listing. */
typedef struct db_listed {
    int64_t id;
    deja_hash key;  /* as the row says, not as the record does */
    uint64_t bytes; /* row and blobs */
    size_t at, len; /* of the record in the page's buffer */
} db_listed;

/* Up to `max` rows with an id below `before`, newest first; records are appended to `records`. How many, or
 * negative. */
int db_list(db *d, int64_t before, db_listed *rows, int max, deja_buffer *records, deja_error *err);

int db_totals(db *d, deja_cache_numbers *ret, deja_error *err);

/* ---- writing ---- */

typedef struct db_blob {
    deja_hash hash;
    uint64_t size;
} db_blob;

#define DB_VARIANTS 8 /* rows of one key with discovered inputs; a newer one drives out the oldest */

typedef struct db_put_args {
    deja_hash key;
    const deja_hash *variant; /* of the set of discovered inputs; NULL without */
    const void *record;
    size_t len;
    int64_t cost_ns, created_ns;
    const db_blob *blobs; /* references, one for each content */
    size_t blob_count;
} db_put_args;

/* The write lock, for all writes until commit or rollback. */
int db_write_begin(db *d, deja_error *err);
int db_put(db *d, const db_put_args *put, deja_error *err);

/* Removes the rows of this key; with `id` not 0 only that one. 1 removed, 0 none, negative. */
int db_forget(db *d, const deja_hash *key, int64_t id, deja_error *err);
int db_delete_all(db *d, uint64_t *ret_entries, deja_error *err);

/*
 * Reads the indexes through: keys out of order or lost are what SQLite does not notice. 1 sound, 0 to be
 * repaired, DEJA_ECORRUPT when that would not help. 0.1 s for a million rows.
 */
int db_check(db *d, deja_error *err);

/*
 * Repair, in one transaction: the index goes, damaged rows are deleted, the index is made again from what is
 * left (of two rows with one key the newer one), references and totals are counted. Blobs to which no row is
 * left to refer are among those of db_take_unused.
 */
int db_unindex(db *d, deja_error *err);
int db_delete_row(db *d, int64_t id, deja_error *err);
int db_reindex(db *d, deja_error *err);

/* Counts the references to blobs anew, from the rows. For db_reindex, which counts the totals after it. */
int db_recount_blobs(db *d, deja_error *err);

/* 1 when some row refers to the blob, 0 when none does, negative. */
int db_blob_used(db *d, const deja_hash *hash, deja_error *err);
/* Forgets a blob that no row refers to. 1 when it did, 0 when it is in use, negative. */
int db_blob_forget(db *d, const deja_hash *hash, deja_error *err);
int db_commit(db *d, deja_error *err);
void db_rollback(db *d);

/* Blobs that lost their last reference in committed transactions of this connection, an array of deja_hash:
 * moved out. */
void db_take_unused(db *d, deja_buffer *ret);

/* Adds to them what others left that were killed before they came to it. Outside transactions. */
int db_find_unused(db *d, deja_error *err);

/* Frames in the WAL after the last commit of this connection: those to be moved into the database, and those
 * that the next process to open would read, moved or not. */
int db_wal_frames(const db *d);
int db_wal_left(const db *d);

/* Moves the WAL into the database as far as readers allow; `whole` also empties the WAL where nobody else is
 * there. */
int db_checkpoint(db *d, int whole, deja_error *err);

/* Gives the pages of deleted rows back to the file system. Outside transactions. */
int db_shrink(db *d, deja_error *err);

#endif
