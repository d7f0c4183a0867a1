/*
 * Forgetting one entry, or some. As with clearing, rows go first and blobs after them.
 */
#include "listing.h"
#include "repair.h"
#include "unused.h"

#include <deja/cleanup.h>

#define GROUP_ROWS      256  /* in one transaction: holds the write lock for some milliseconds */
#define WAL_FRAMES_MOST 1000 /* 4 MB, as an idle writer */

typedef struct forgotten {
    int64_t id;
    deja_hash key;
} forgotten;

typedef struct forgetting {
    deja_cache *cache;
    int (*which)(void *context, const deja_listed *entry, const void *encoding, size_t len);
    void *context;
    forgotten *rows; /* chosen, still there */
    size_t row_count;
    uint64_t count; /* that are gone */
    int said;       /* the negative code of `which` */
    deja_error *err;
} forgetting;

static int prepare(deja_cache *c, deja_error *err)
{
    if (c->flags & DEJA_CACHE_READ_ONLY)
        return deja_fail(err, DEJA_EDENIED, "the cache was opened for reading only");
    int r = cache_ensure_db(c, 1, err);
    return r ? r : repair_before_writing(c, c->db, &c->db_sound, err);
}

/* Failing costs room and time, not results. */
static void tidy(deja_cache *c, int whole)
{
    (void)unused_remove(c, c->db, NULL);
    if ((whole || db_wal_frames(c->db) > WAL_FRAMES_MOST) && db_checkpoint(c->db, whole, NULL) == 0)
        cache_note_db(c);
}

/* How many of the rows were still there, or negative: then none is gone. */
static int forget_rows(deja_cache *c, const forgotten *rows, size_t count, deja_error *err)
{
    int gone = 0, r = db_write_begin(c->db, err);
    for (size_t i = 0; r >= 0 && i < count; i++) {
        r = db_forget(c->db, &rows[i].key, rows[i].id, err);
        gone += r > 0;
    }
    if (r >= 0)
        r = db_commit(c->db, err);
    if (r < 0) {
        db_rollback(c->db);
        return r;
    }
    tidy(c, 0);
    return gone;
}

static int forget_chosen(forgetting *f)
{
    int n = f->row_count ? forget_rows(f->cache, f->rows, f->row_count, f->err) : 0;
    f->row_count = 0;
    f->count += n > 0 ? (uint64_t)n : 0;
    return n < 0 ? n : 0;
}

/* An entry that was replaced since it was read has another id, or is as good as the one that was judged. */
static int choose(void *context, const db_listed *row, const entry_head *head)
{
    forgetting *f = context;
    deja_listed listed = listing_of(row, head);
    int r = f->which(f->context, &listed, head->encoding, head->encoding_len);
    if (r <= 0)
        return f->said = r;
    f->rows[f->row_count++] = (forgotten){row->id, head->key};
    return f->row_count == GROUP_ROWS ? forget_chosen(f) : 0;
}

static int forget_where(forgetting *f)
{
    int r = listing_each(f->cache, choose, f, f->err);
    if (!r)
        r = forget_chosen(f);
    if (!r)
        r = db_find_unused(f->cache->db, f->err);
    if (!r)
        tidy(f->cache, 1);
    return r;
}

int deja_cache_forget(deja_cache *c, const deja_hash *key, deja_error *err)
{
    forgotten row = {.key = *key};
    int r = prepare(c, err);
    if (!r)
        r = forget_rows(c, &row, 1, err);
    if (r == DEJA_ECORRUPT) {
        r = cache_renew_db(c, &c->db, err);
        if (!r)
            r = forget_rows(c, &row, 1, err);
    }
    return r;
}

int deja_cache_forget_where(deja_cache *c,
                            int (*which)(void *context, const deja_listed *entry, const void *encoding,
                                         size_t len),
                            void *context, uint64_t *ret_count, deja_error *err)
{
    DEJA_AUTO_FREE forgotten *rows = deja_realloc_array(NULL, GROUP_ROWS, sizeof *rows);
    forgetting f = {.cache = c, .which = which, .context = context, .rows = rows, .err = err};
    if (ret_count)
        *ret_count = 0;
    if (!rows)
        return deja_fail(err, DEJA_ENOMEM, "forget results: out of memory");
    int r = prepare(c, err);
    if (!r)
        r = forget_where(&f);
    if (r == DEJA_ECORRUPT && !f.said)
        r = cache_renew_db(c, &c->db, err); /* what was not forgotten is gone, too */
    if (ret_count)
        *ret_count = f.count;
    return r;
}
