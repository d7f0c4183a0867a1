#ifndef DB_FIXTURE_H
#define DB_FIXTURE_H
/*
 * A database in the file "db" of the working directory, and rows with keys that are numbers.
 */
#include "db.h"
#include "store_fixture.h"

#include "scratch.h"

static inline db *open_db(void)
{
    db *d = NULL;
    deja_error err;
    assert_int_equal(db_make("db", 0, &err), 0);
    if (db_open(&d, "db", 0, &err))
        fail_msg("%s", err.text);
    return d;
}

static inline deja_hash hash(uint8_t n)
{
    return (deja_hash){{n, 1}};
}

static inline void put(db *d, uint8_t key, const char *record, const db_blob *blobs, size_t n)
{
    db_put_args row = {.key = hash(key),
                       .record = record,
                       .len = strlen(record),
                       .cost_ns = 10,
                       .created_ns = 20,
                       .blobs = blobs,
                       .blob_count = n};
    assert_int_equal(db_put(d, &row, NULL), 0);
}

static inline void assert_row(db *d, uint8_t key, const char *record)
{
    deja_hash h = hash(key);
    db_row row;
    assert_int_equal(db_find(d, &h, &row, NULL), record ? 1 : 0);
    if (record) {
        assert_int_equal(row.len, strlen(record));
        assert_memory_equal(row.record, record, row.len);
    }
    db_find_done(d);
}

#endif
