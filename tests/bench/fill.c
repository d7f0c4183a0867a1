/*
 * Filling a cache by large transactions.
 */
#include "fill.h"

#include "db.h"
#include "entry.h"
#include "state.h"
#include <deja/cleanup.h>

#define ROWS_PER_COMMIT 50000

typedef struct filling {
    db *db;
    deja_buffer record;
    int (*each)(void *context, uint64_t i, deja_entry *ret, deja_error *err);
    void *context;
} filling;

static int put(filling *f, uint64_t i, deja_error *err)
{
    deja_entry e = {
        .out = {.content = {.kind = DEJA_CONTENT_FILE, .hash = deja_hash_bytes("", 0)}, .data = ""}};
    e.err = e.out;
    int r = f->each(f->context, i, &e, err);
    if (r < 0)
        return r;
    deja_buffer_clear(&f->record);
    entry_encode(&f->record, &e);
    if (f->record.failed)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    db_put_args row = {.key = e.key,
                       .record = f->record.data,
                       .len = f->record.len,
                       .cost_ns = e.wall_ns,
                       .created_ns = e.created_ns};
    return db_put(f->db, &row, err);
}

static int put_some(filling *f, uint64_t from, uint64_t to, deja_error *err)
{
    int r = db_write_begin(f->db, err);
    for (uint64_t i = from; !r && i < to; i++)
        r = put(f, i, err);
    if (!r)
        r = db_commit(f->db, err);
    if (r)
        db_rollback(f->db);
    return r ? r : db_checkpoint(f->db, 1, err);
}

int fill_cache(const char *folder, uint64_t count,
               int (*each)(void *context, uint64_t i, deja_entry *ret, deja_error *err), void *context,
               deja_error *err)
{
    deja_cache_options options = {.size = sizeof options, .folder = folder, .flags = DEJA_CACHE_NO_SYNC};
    deja_cache *c = NULL;
    int r = deja_cache_open(&c, &options, err);
    if (r)
        return r;
    filling f = {.db = c->db, .each = each, .context = context};
    for (uint64_t i = 0; !r && i < count; i += ROWS_PER_COMMIT)
        r = put_some(&f, i, count - i < ROWS_PER_COMMIT ? count : i + ROWS_PER_COMMIT, err);
    deja_buffer_done(&f.record);
    deja_cache_close(c);
    return r;
}
