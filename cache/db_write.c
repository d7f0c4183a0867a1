/*
 * Writing to the database: rows, the references that they make, and the totals, in transactions of the
 * caller.
 */
#include "db_statement.h"

#include <deja/cleanup.h>
#include <string.h>

static int on_commit(void *context, sqlite3 *handle, const char *name, int frames)
{
    (void)handle, (void)name;
    db *d = context;
    d->wal_frames = d->wal_left = frames;
    return SQLITE_OK;
}

/* What only a writer needs; at its first transaction, as each pragma costs a look-up some 10 us. */
static int set_up_writer(db *d, deja_error *err)
{
    if (d->writes)
        return 0;
    sqlite3_wal_hook(d->handle, on_commit, d); /* takes the place of automatic checkpoints */
    int r = db_execute(
        d,
        d->flags & DB_NO_SYNC
            ? "PRAGMA synchronous=NORMAL;PRAGMA cache_size=-16384;PRAGMA journal_size_limit=67108864"
            : "PRAGMA synchronous=FULL;PRAGMA cache_size=-16384;PRAGMA journal_size_limit=67108864",
        err, "prepare to write to the cache");
    d->writes = !r;
    return r;
}

int db_write_begin(db *d, deja_error *err)
{
    if (d->flags & DB_READ_ONLY)
        return deja_fail(err, DEJA_EDENIED, "the cache was opened for reading only");
    int r = set_up_writer(d, err);
    d->change = (db_counts){0};
    deja_buffer_clear(&d->losing);
    return r ? r : db_run(d, SQL_BEGIN_WRITE, err, "write to the cache");
}

/* 1 there is a row, 0 none, negative; the statement is reset but for a row. A step that failed is not made
 * again: that would begin anew. */
static int first_row(db *d, sqlite3_stmt *s, deja_error *err, const char *what)
{
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        return 1;
    int r = rc == SQLITE_DONE ? 0 : db_fail(d->handle, rc, err, what);
    sqlite3_reset(s);
    return r;
}

static int refer(db *d, const db_blob *blob, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_BLOB_REFER, &s, err);
    if (r)
        return r;
    db_bind_hash(s, 1, &blob->hash);
    sqlite3_bind_int64(s, 2, (int64_t)blob->size);
    r = first_row(d, s, err, "store a reference");
    if (r <= 0)
        return r;
    if (sqlite3_column_int64(s, 0) == 1) {
        d->change.blobs++;
        d->change.blob_bytes += (int64_t)blob->size;
    }
    return db_finish(d, s, err, "store a reference");
}

static int unrefer(db *d, const deja_hash *hash, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_BLOB_UNREFER, &s, err);
    if (r)
        return r;
    db_bind_hash(s, 1, hash);
    r = first_row(d, s, err, "drop a reference");
    if (r <= 0)
        return r;
    if (sqlite3_column_int64(s, 0) == 0) {
        d->change.blobs--;
        d->change.blob_bytes -= sqlite3_column_int64(s, 1);
        deja_buffer_add(&d->losing, hash->byte, sizeof hash->byte);
    }
    return db_finish(d, s, err, "drop a reference");
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

/* Removes the row that a look for an older result finds: 1, 0 there is none, negative. */
static int remove_found(db *d, sqlite3_stmt *s, deja_error *err)
{
    sqlite3_stmt *deletion = NULL;
    int found = first_row(d, s, err, "look for an older result");
    if (found <= 0)
        return found;
    int64_t id = sqlite3_column_int64(s, 0);
    d->change.entries--;
    d->change.cost_ns -= sqlite3_column_int64(s, 1);
    d->change.row_bytes -= sqlite3_column_int64(s, 3);
    const char *hashes = sqlite3_column_blob(s, 2);
    int r = unrefer_all(d, hashes, hashes ? (size_t)sqlite3_column_bytes(s, 2) : 0, err);
    sqlite3_reset(s);
    if (!r)
        r = db_prepare(d, SQL_DELETE, &deletion, err);
    if (r)
        return r;
    sqlite3_bind_int64(deletion, 1, id);
    r = db_finish(d, deletion, err, "remove a result");
    return r ? r : 1;
}

/* Removes what `which` finds until it finds no more. How many, or negative. */
static int remove_all(db *d, enum db_sql which, const deja_hash *key, int64_t second, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int count = 0, r = db_prepare(d, which, &s, err);
    if (r)
        return r;
    db_bind_hash(s, 1, key);
    sqlite3_bind_int64(s, 2, second);
    while ((r = remove_found(d, s, err)) > 0)
        count++;
    return r < 0 ? r : count;
}

int db_forget(db *d, const deja_hash *key, int64_t id, deja_error *err)
{
    int count = remove_all(d, SQL_ANY, key, id, err);
    return count > 0 ? 1 : count;
}

static void bind_variant(sqlite3_stmt *s, int at, const deja_hash *variant)
{
    sqlite3_bind_blob(s, at, variant ? (const void *)variant->byte : "",
                      variant ? (int)sizeof variant->byte : 0, SQLITE_STATIC);
}

static int remove_old(db *d, const db_put_args *put, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_OLD, &s, err);
    if (r)
        return r;
    db_bind_hash(s, 1, &put->key);
    bind_variant(s, 2, put->variant);
    return remove_found(d, s, err);
}

static int insert(db *d, const db_put_args *put, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_INSERT, &s, err);
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
    db_bind_hash(s, 1, &put->key);
    bind_variant(s, 2, put->variant);
    sqlite3_bind_int64(s, 3, (int64_t)bytes);
    sqlite3_bind_int64(s, 4, put->cost_ns);
    sqlite3_bind_int64(s, 5, put->created_ns);
    sqlite3_bind_blob64(s, 6, hashes.data, hashes.len, SQLITE_STATIC); /* NULL without blobs */
    sqlite3_bind_blob64(s, 7, put->record, put->len, SQLITE_STATIC);
    r = db_finish(d, s, err, "store a result");
    sqlite3_clear_bindings(s);
    return r;
}

/*
 * SQLite does not notice keys out of order in the pages of an index: a row would be stored and never found,
 * and its job run for ever. Costs a tenth of storing a row (tests/bench/store.c).
 */
static int find_again(db *d, const db_put_args *put, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    sqlite3_int64 id = sqlite3_last_insert_rowid(d->handle);
    int r = db_prepare(d, SQL_OLD, &s, err);
    if (r)
        return r;
    db_bind_hash(s, 1, &put->key);
    bind_variant(s, 2, put->variant);
    int found = first_row(d, s, err, "look for a new result");
    if (found < 0)
        return found;
    found = found && sqlite3_column_int64(s, 0) == id;
    sqlite3_reset(s);
    return r || found ? r : deja_fail(err, DEJA_ECORRUPT, "the index of the cache is damaged");
}

int db_put(db *d, const db_put_args *put, deja_error *err)
{
    int r = remove_old(d, put, err);
    r = r < 0 ? r : 0;
    for (size_t i = 0; !r && i < put->blob_count; i++)
        r = refer(d, &put->blobs[i], err);
    if (!r)
        r = insert(d, put, err);
    if (!r)
        r = find_again(d, put, err);
    if (!r && put->variant)
        r = remove_all(d, SQL_SURPLUS, &put->key, DB_VARIANTS, err);
    r = r < 0 ? r : 0;
    d->change.entries++;
    d->change.row_bytes += (int64_t)put->len;
    d->change.cost_ns += put->cost_ns;
    return r;
}

int db_delete_all(db *d, uint64_t *ret_entries, deja_error *err)
{
    int r = db_execute(d, "DELETE FROM entry", err, "clear the cache");
    if (!r)
        *ret_entries = (uint64_t)sqlite3_changes64(d->handle);
    if (!r)
        r = db_execute(d,
                       "DELETE FROM blob;"
                       "INSERT OR REPLACE INTO totals VALUES(1,0,0,0,0,0)",
                       err, "clear the cache");
    return r;
}

/* Of a blob that nobody knew the size is lost with the row that said it. */
static int refer_all(db *d, const char *hashes, size_t len, deja_error *err)
{
    db_blob blob = {.size = 0};
    int r = 0;
    for (size_t at = 0; !r && at + sizeof blob.hash.byte <= len; at += sizeof blob.hash.byte) {
        memcpy(blob.hash.byte, hashes + at, sizeof blob.hash.byte);
        r = refer(d, &blob, err);
    }
    return r;
}

static int find_unused(db *d, deja_buffer *ret, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_BLOB_UNUSED, &s, err), rc;
    if (r)
        return r;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        if (sqlite3_column_bytes(s, 0) == (int)sizeof(deja_hash))
            deja_buffer_add(ret, sqlite3_column_blob(s, 0), sizeof(deja_hash));
    if (rc != SQLITE_DONE)
        r = db_fail(d->handle, rc, err, "look for unused blobs");
    sqlite3_reset(s);
    return r;
}

int db_recount_blobs(db *d, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_execute(d, "UPDATE blob SET refs=0", err, "count the references"), rc = SQLITE_DONE;
    if (!r)
        r = db_prepare(d, SQL_REFERENCES, &s, err);
    if (r)
        return r;
    while (!r && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *hashes = sqlite3_column_blob(s, 0);
        r = refer_all(d, hashes, hashes ? (size_t)sqlite3_column_bytes(s, 0) : 0, err);
    }
    if (!r && rc != SQLITE_DONE)
        r = db_fail(d->handle, rc, err, "count the references");
    sqlite3_reset(s);
    d->change = (db_counts){0}; /* totals are counted, not added to */
    return r ? r : find_unused(d, &d->losing, err);
}

int db_find_unused(db *d, deja_error *err)
{
    return find_unused(d, &d->unused, err);
}

int db_blob_used(db *d, const deja_hash *hash, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_BLOB_USED, &s, err);
    if (r)
        return r;
    db_bind_hash(s, 1, hash);
    int used = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) > 0;
    r = db_finish(d, s, err, "look for references");
    return r ? r : used;
}

int db_blob_forget(db *d, const deja_hash *hash, deja_error *err)
{
    sqlite3_stmt *s = NULL;
    int r = db_prepare(d, SQL_BLOB_FORGET, &s, err);
    if (r)
        return r;
    db_bind_hash(s, 1, hash);
    r = db_finish(d, s, err, "forget a blob");
    return r ? r : sqlite3_changes(d->handle) > 0;
}

static int add_totals(db *d, deja_error *err)
{
    static const db_counts none = {0};
    sqlite3_stmt *s = NULL;
    if (memcmp(&d->change, &none, sizeof none) == 0)
        return 0;
    int r = db_prepare(d, SQL_ADD_TOTALS, &s, err);
    if (r)
        return r;
    sqlite3_bind_int64(s, 1, d->change.entries);
    sqlite3_bind_int64(s, 2, d->change.row_bytes);
    sqlite3_bind_int64(s, 3, d->change.blobs);
    sqlite3_bind_int64(s, 4, d->change.blob_bytes);
    sqlite3_bind_int64(s, 5, d->change.cost_ns);
    return db_finish(d, s, err, "count the results");
}

int db_commit(db *d, deja_error *err)
{
    int r = add_totals(d, err);
    if (!r)
        r = db_run(d, SQL_COMMIT, err, "commit results");
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
