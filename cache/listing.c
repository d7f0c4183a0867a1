/*
 * Entries one after the other.
 */
#include "listing.h"

#include <deja/cleanup.h>
#include <stdint.h>

#define PAGE_ROWS 256 /* read at once: a listing into a pager must not pin the WAL */

typedef int listing_function(void *context, const db_listed *row, const entry_head *head);

/* One that only a newer deja can read is passed over. */
static int each_row(deja_cache *c, const db_listed *row, const char *records, listing_function *each,
                    void *context)
{
    entry_head head;
    int look = row->len ? entry_look(records + row->at, row->len, NULL, &head) : DEJA_ECORRUPT;
    if (look == DEJA_ECORRUPT)
        cache_warn_row(c, &row->key);
    return look ? 0 : each(context, row, &head);
}

deja_listed listing_of(const db_listed *row, const entry_head *head)
{
    return (deja_listed){.key = head->key,
                         .label = head->label,
                         .created_ns = head->created_ns,
                         .wall_ns = head->wall_ns,
                         .exit_status = head->exit_status,
                         .bytes = row->bytes};
}

int listing_each(deja_cache *c, listing_function *each, void *context, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer records = {0};
    int r = cache_ensure_db(c, 1, err);
    DEJA_AUTO_FREE db_listed *rows = deja_realloc_array(NULL, PAGE_ROWS, sizeof *rows);
    if (!rows)
        return deja_fail(err, DEJA_ENOMEM, "list the cache: out of memory");
    for (int64_t before = INT64_MAX; !r;) {
        deja_buffer_clear(&records);
        int n = db_list(c->db, before, rows, PAGE_ROWS, &records, err);
        if (n == DEJA_ECORRUPT)
            return cache_renew_db(c, &c->db, err);
        if (n <= 0)
            return n;
        before = rows[n - 1].id;
        for (int i = 0; !r && i < n; i++)
            r = each_row(c, &rows[i], records.data, each, context);
    }
    return r;
}

typedef struct listing {
    int (*each)(void *context, const deja_listed *entry);
    void *context;
} listing;

static int hand_on(void *context, const db_listed *row, const entry_head *head)
{
    listing *l = context;
    deja_listed listed = listing_of(row, head);
    return l->each(l->context, &listed);
}

int deja_cache_list(deja_cache *c, int (*each)(void *context, const deja_listed *entry), void *context,
                    deja_error *err)
{
    listing l = {each, context};
    return listing_each(c, hand_on, &l, err);
}
