/*
 * Repair: all rows are read once and written anew, before the next commit after a damage. Takes seconds for a
 * million rows.
 */
#include "repair.h"
#include "entry.h"
#include "state.h"

#include <deja/cleanup.h>

#define PAGE_ROWS 256

static int remove_damaged(db *d, const db_listed *rows, int n, const deja_buffer *records, deja_error *err)
{
    for (int i = 0; i < n; i++) {
        entry_head head;
        int look = rows[i].len ? entry_look(records->data + rows[i].at, rows[i].len, &rows[i].key, &head)
                               : DEJA_ECORRUPT;
        if (look != DEJA_ECORRUPT) /* one of a newer deja is sound, too */
            continue;
        int r = db_delete_row(d, rows[i].id, err);
        if (r)
            return r;
    }
    return 0;
}

static int walk(db *d, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer records = {0};
    DEJA_AUTO_FREE db_listed *rows = deja_realloc_array(NULL, PAGE_ROWS, sizeof *rows);
    if (!rows)
        return deja_fail(err, DEJA_ENOMEM, "repair the cache: out of memory");
    int r = 0, n;
    for (int64_t before = INT64_MAX; !r; before = rows[n - 1].id) {
        deja_buffer_clear(&records);
        n = db_list(d, before, rows, PAGE_ROWS, &records, err);
        if (n <= 0)
            return n;
        r = remove_damaged(d, rows, n, &records, err);
    }
    return r;
}

int repair_rows(db *d, deja_error *err)
{
    int r = db_write_begin(d, err);
    if (!r)
        r = db_unindex(d, err);
    if (!r)
        r = walk(d, err);
    if (!r)
        r = db_reindex(d, err);
    if (!r)
        r = db_commit(d, err);
    if (r) {
        db_rollback(d);
        return r;
    }
    /* Pages whose list of free blocks is damaged would have new rows written over old ones: all pages are
     * written anew. */
    r = db_shrink(d, err);
    return r == DEJA_EFULL ? 0 : r;
}

int repair_before_writing(deja_cache *c, db *d, int *checked, deja_error *err)
{
    int suspect = atomic_exchange(&c->suspect, 0), sound = !suspect;
    if (!suspect && (*checked || cache_db_is_ours(c)))
        return 0;
    if (!suspect)
        sound = db_check(d, err);
    int r = sound < 0 ? sound : sound ? 0 : repair_rows(d, err);
    *checked = !r;
    if (!r && !suspect)
        cache_note_db(c);
    return r;
}
