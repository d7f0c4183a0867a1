/*
 * Forgetting everything. Rows go first, blobs after them, so that whoever reads meanwhile finds whole entries
 * or none.
 */
#include "blob.h"
#include "db.h"
#include "state.h"

#include <stddef.h>

#define BLOB_FOLDERS 256u

typedef struct sweep {
    deja_cache *cache;
    deja_error *err;
} sweep;

static int remove_rows(deja_cache *c, uint64_t *ret_entries, deja_error *err)
{
    int r = db_write_begin(c->db, err);
    if (!r)
        r = db_delete_all(c->db, ret_entries, err);
    if (!r)
        r = db_commit(c->db, err);
    if (r)
        db_rollback(c->db);
    return r;
}

/* Another process may have stored a result since: what a row refers to stays. */
static int remove_unused(void *context, const deja_hash *hash)
{
    sweep *s = context;
    int used = db_blob_used(s->cache->db, hash, s->err);
    if (used < 0)
        return used;
    return used ? 0 : blob_remove(&s->cache->folder, hash, s->err);
}

static int count(void *context, const deja_hash *hash)
{
    (void)hash;
    ++*(size_t *)context;
    return 1;
}

/* One folder of blobs in one transaction, under whose lock nobody begins to refer to a blob (writer.c). */
static int sweep_folder(deja_cache *c, unsigned n, deja_error *err)
{
    sweep s = {c, err};
    size_t found = 0;
    int r = blob_each(&c->folder, n, count, &found, err);
    if (r < 0 || !found)
        return r;
    r = db_write_begin(c->db, err);
    if (!r)
        r = blob_each(&c->folder, n, remove_unused, &s, err);
    if (!r)
        r = db_commit(c->db, err);
    if (r)
        db_rollback(c->db);
    return r;
}

static int clear(deja_cache *c, uint64_t *ret_entries, deja_error *err)
{
    int r = remove_rows(c, ret_entries, err);
    for (unsigned n = 0; !r && n < BLOB_FOLDERS; n++)
        r = sweep_folder(c, n, err);
    if (!r && db_shrink(c->db, NULL) == 0) /* room that others still use is given back another time */
        cache_note_db(c);
    return r;
}

int deja_cache_clear(deja_cache *c, uint64_t *ret_entries, deja_error *err)
{
    uint64_t entries = 0;
    int r = cache_ensure_db(c, 1, err);
    if (!r)
        r = clear(c, &entries, err);
    if (r == DEJA_ECORRUPT) {
        r = cache_renew_db(c, &c->db, err);
        if (!r)
            r = clear(c, &entries, err);
    }
    if (!r && ret_entries)
        *ret_entries = entries;
    return r;
}
