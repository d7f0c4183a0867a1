/*
 * Reading the cache: look-ups of keys, and what people ask: totals, one entry by the beginning of its key.
 */
#include "db.h"
#include "entry.h"
#include "state.h"

#include <deja/cleanup.h>
#include <stdint.h>
#include <string.h>

#define HEX_MIN 4
#define LOOK_EVERY                                                                                           \
    64 /* single look-ups: then one stat call tells whether another process replaced the database */

/* A row that says something else than it was asked for is a miss, and so is one that only a newer deja can
 * read; one that is damaged also earns a warning. */
static int read_row(deja_cache *c, deja_lookup *item, const db_row *row, deja_entry **ret, deja_error *err)
{
    entry_head head;
    int r = entry_look(row->record, row->len, &item->key, &head);
    if (!r && (head.encoding_len != item->encoding_len ||
               memcmp(head.encoding, item->encoding, item->encoding_len) != 0))
        return 0;
    if (!r)
        r = entry_decode(row->record, row->len, &head, ret);
    if (r == DEJA_EVERSION)
        return 0;
    if (r == DEJA_ENOMEM)
        return deja_fail(err, r, "read an entry: out of memory");
    if (r && !db_is_at_rest(c->db))
        cache_warn_row(c, &item->key);
    return 0;
}

static int look_up(deja_cache *c, deja_lookup *item, deja_error *err)
{
    db_row row;
    deja_entry **end = &item->entry;
    int found = item->discovered ? db_find_variant(c->db, &item->key, &row, err)
                                 : db_find(c->db, &item->key, &row, err);
    int r = found < 0 ? found : 0;
    while (found > 0 && !r) {
        r = read_row(c, item, &row, end, err);
        end = *end ? &(*end)->next : end;
        found = item->discovered && !r ? db_find_variant(c->db, NULL, &row, err) : 0;
        r = found < 0 ? found : r;
    }
    db_find_done(c->db);
    if (r < 0)
        deja_entry_free(deja_take(item->entry)); /* of several a part would pass for all */
    return r;
}

static int look_all_up(deja_cache *c, deja_lookup *items, size_t count, deja_error *err)
{
    if (count == 1)
        return look_up(c, items, err);
    db_expect_many(c->db);
    int r = db_read_begin(c->db, err);
    for (size_t i = 0; !r && i < count; i++)
        r = items[i].entry ? 0 : look_up(c, &items[i], err);
    db_read_end(c->db);
    return r;
}

/* 1 when a database at rest answered all. It is believed in what it has, not in what it has not. */
static int look_at_rest(deja_cache *c, deja_lookup *items, size_t count)
{
    if (!c->db || !db_is_at_rest(c->db) || db_moved(c->db) || look_all_up(c, items, count, NULL))
        return 0;
    for (size_t i = 0; i < count; i++)
        if (!items[i].entry)
            return 0;
    return 1;
}

/* The caller has signals and jobs to look after: somebody who keeps the database for himself costs it misses.
 */
static int look_hastily(deja_cache *c, deja_lookup *items, size_t count, deja_error *err)
{
    db_set_hasty(c->db, 1);
    int r = look_all_up(c, items, count, err);
    db_set_hasty(c->db, 0);
    if (r != DEJA_EBUSY)
        return r;
    cache_warn(
        c, CACHE_WARN_BUSY,
        "the database of the cache '%s' is held by another program: continuing as if nothing were kept",
        c->folder.path);
    return 0;
}

int deja_cache_lookup(deja_cache *c, deja_lookup *items, size_t count, deja_error *err)
{
    int64_t began = c->trace ? deja_monotonic_ns(NULL) : 0;
    for (size_t i = 0; i < count; i++)
        items[i].entry = NULL;
    int r = 0;
    if (!look_at_rest(c, items, count)) {
        r = cache_ensure_db(c, count > 1 || ++c->lookups % LOOK_EVERY == 0, err);
        if (!r && count)
            r = look_hastily(c, items, count, err);
    }
    if (r == DEJA_ECORRUPT)
        r = cache_renew_db(c, &c->db, err); /* what was found before is sound; the rest are misses */
    if (r)
        deja_fail_in(err, "look up in '%s'", c->folder.path);
    if (c->trace)
        deja_trace_region(c->trace, "lookup", c->folder.path, began);
    return r;
}

int deja_cache_stats(deja_cache *c, deja_cache_numbers *ret, deja_error *err)
{
    int r = cache_ensure_db(c, 1, err);
    if (!r)
        r = db_totals(c->db, ret, err);
    if (r != DEJA_ECORRUPT)
        return r;
    r = cache_renew_db(c, &c->db, err);
    return r ? r : db_totals(c->db, ret, err);
}

static int fail_prefix(const char *word, deja_error *err)
{
    return deja_fail(err, DEJA_EINVAL, "'%.64s' is no key: 4 to 32 hexadecimal digits", word);
}

static int parse_prefix(const char *hex, deja_hash *low, deja_hash *high, deja_error *err)
{
    char full[DEJA_HASH_HEX];
    size_t len = strlen(hex);
    if (len < HEX_MIN || len >= sizeof full)
        return fail_prefix(hex, err);
    memset(full, '0', sizeof full - 1);
    memcpy(full, hex, len);
    full[sizeof full - 1] = 0;
    int r = deja_hash_parse(low, full);
    memset(full + len, 'f', sizeof full - 1 - len);
    if (!r)
        r = deja_hash_parse(high, full);
    return r ? fail_prefix(hex, err) : 0;
}

static int read_found(deja_cache *c, const deja_hash *key, deja_entry **ret, deja_error *err)
{
    db_row row;
    entry_head head;
    int r = db_find(c->db, key, &row, err);
    if (r == 0)
        r = db_find_variant(c->db, key, &row, err); /* the newest */
    if (r < 0)
        return r;
    if (!r)
        return deja_fail(err, DEJA_ENOTFOUND, "no such entry");
    r = entry_look(row.record, row.len, key, &head);
    if (!r)
        r = entry_decode(row.record, row.len, &head, ret);
    db_find_done(c->db);
    if (r == DEJA_ENOMEM)
        return deja_fail(err, r, "read an entry: out of memory");
    if (r == DEJA_EVERSION)
        return deja_fail(err, r, "the entry was written by a newer deja");
    if (r) {
        cache_warn_row(c, key);
        return deja_fail(err, DEJA_ENOTFOUND, "the entry is damaged");
    }
    return 0;
}

int deja_cache_find(deja_cache *c, const char *hex, deja_entry **ret, deja_error *err)
{
    deja_hash low, high, key;
    int r = parse_prefix(hex, &low, &high, err);
    if (!r)
        r = cache_ensure_db(c, 1, err);
    if (r)
        return r;
    int n = db_find_range(c->db, &low, &high, &key, err);
    if (n == 0)
        return deja_fail(err, DEJA_ENOTFOUND, "no entry begins with '%s'", hex);
    if (n > 1)
        return deja_fail(err, DEJA_EINVAL, "several entries begin with '%s': give more digits", hex);
    r = n < 0 ? n : read_found(c, &key, ret, err);
    if (r != DEJA_ECORRUPT)
        return r;
    r = cache_renew_db(c, &c->db, err);
    return r ? r : deja_fail(err, DEJA_ENOTFOUND, "no entry begins with '%s'", hex);
}
