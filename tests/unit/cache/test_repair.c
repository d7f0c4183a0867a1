/* repair.h: a database of which a damaged row was seen. */
#include "db_fixture.h"
#include "entry.h"
#include "failing_alloc.h"
#include "repair.h"

#include <deja/file.h>

/* A row with a sound record, which says that it is of key `said`. Returns the record's size. */
static size_t put_entry(db *d, deja_hash key, deja_hash said, int64_t cost_ns)
{
    deja_buffer record = {0};
    deja_entry e = {.key = said, .label = "l", .encoding = "e", .encoding_len = 1};
    entry_encode(&record, &e);
    size_t len = record.len;
    db_put_args row = {.key = key, .record = record.data, .len = len, .cost_ns = cost_ns};
    assert_int_equal(db_put(d, &row, NULL), 0);
    deja_buffer_done(&record);
    return len;
}

static void assert_entry(db *d, uint8_t n)
{
    deja_hash key = hash(n);
    db_row row;
    entry_head head;
    assert_int_equal(db_find(d, &key, &row, NULL), 1);
    assert_int_equal(entry_look(row.record, row.len, &key, &head), 0);
    db_find_done(d);
}

/* Columns have no checksum: what they say may be nonsense. */
static void test_repair__counts_totals_that_overflowed(void **state)
{
    (void)state;
    db *d = open_db();
    deja_cache_numbers n;
    for (uint8_t i = 1; i <= 2; i++) {
        assert_int_equal(db_write_begin(d, NULL), 0);
        put_entry(d, hash(i), hash(i), INT64_MAX);
        assert_int_equal(db_commit(d, NULL), 0);
    }
    assert_int_equal(repair_rows(d, NULL), 0);
    assert_int_equal(db_totals(d, &n, NULL), 0);
    assert_int_equal(n.entries, 2);
    assert_true(n.saved_ns_per_hit > 0);
    db_close(d);
}

/* Swaps two keys where they lie in the pages of the index, or flips a bit of a record: what SQLite itself
 * does not see. */
static void test_repair__puts_an_index_in_order(void **state)
{
    (void)state;
    db *d = open_db();
    assert_int_equal(db_check(d, NULL), 1);
    assert_int_equal(db_write_begin(d, NULL), 0);
    for (uint8_t i = 1; i <= 9; i++) {
        put_entry(d, hash(i), hash(i), 0);
    }
    assert_int_equal(db_commit(d, NULL), 0);
    assert_int_equal(db_checkpoint(d, 1, NULL), 0);
    assert_int_equal(db_check(d, NULL), 1);
    db_close(d);

    deja_buffer file = {0};
    assert_int_equal(deja_file_load(AT_FDCWD, "db", 1 << 20, &file, NULL), 0);
    deja_hash two = hash(2), eight = hash(8);
    int swapped = 0;
    for (size_t at = 2 * 4096; at < 3 * 4096; at++) { /* the root page of the index */
        int is_two = !memcmp(file.data + at, &two, 16), is_eight = !memcmp(file.data + at, &eight, 16);
        if (is_two || is_eight) {
            memcpy(file.data + at, is_two ? &eight : &two, 16);
            swapped++;
        }
    }
    assert_int_equal(swapped, 2);
    write_file("db", file.data, file.len, 0600);
    deja_buffer_done(&file);

    d = NULL;
    assert_int_equal(db_open(&d, "db", 0, NULL), 0);
    assert_int_equal(db_check(d, NULL), 0);
    assert_int_equal(repair_rows(d, NULL), 0);
    assert_int_equal(db_check(d, NULL), 1);
    for (uint8_t i = 1; i <= 9; i++) {
        assert_entry(d, i);
    }
    db_close(d);
}

static void test_repair__removes_damaged_rows_only(void **state)
{
    (void)state;
    db *d = open_db();
    deja_cache_numbers n;
    assert_int_equal(db_write_begin(d, NULL), 0);
    size_t len = put_entry(d, hash(1), hash(1), 7);
    put(d, 2, "no record", NULL, 0);
    put(d, 3, "", NULL, 0);
    put_entry(d, hash(4), hash(5), 100); /* sound, but of another key */
    len += put_entry(d, hash(6), hash(6), 8);
    assert_int_equal(db_commit(d, NULL), 0);
    for (int pass = 0; pass < 2; pass++) { /* what is sound is left alone */
        assert_int_equal(repair_rows(d, NULL), 0);
        for (uint8_t i = 2; i <= 5; i++)
            assert_row(d, i, NULL);
        assert_entry(d, 1);
        assert_entry(d, 6);
        assert_int_equal(db_totals(d, &n, NULL), 0);
        assert_int_equal(n.entries, 2);
        assert_int_equal(n.row_bytes, len);
        assert_int_equal(n.saved_ns_per_hit, 15);
    }
    db_close(d);
}

/* Rows are read by pages: none is left out where one page ends and the next begins. */
static void test_repair__reaches_every_row(void **state)
{
    (void)state;
    enum { ROWS = 1030 };
    db *d = open_db();
    deja_cache_numbers n;
    assert_int_equal(db_write_begin(d, NULL), 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        deja_hash key = deja_hash_bytes(&i, sizeof i);
        put_entry(d, key, i % 3 ? key : hash(1), 1);
    }
    assert_int_equal(db_commit(d, NULL), 0);
    assert_int_equal(repair_rows(d, NULL), 0);
    assert_int_equal(db_totals(d, &n, NULL), 0);
    assert_int_equal(n.entries, ROWS - (ROWS + 2) / 3);
    for (uint32_t i = 0; i < ROWS; i++) {
        deja_hash key = deja_hash_bytes(&i, sizeof i);
        db_row row;
        assert_int_equal(db_find(d, &key, &row, NULL), i % 3 != 0);
        db_find_done(d);
    }
    db_close(d);
}

static void test_repair__that_fails_changes_nothing(void **state)
{
    (void)state;
    db *d = open_db(), *reader = NULL;
    deja_error err = {0};
    assert_int_equal(db_write_begin(d, NULL), 0);
    put_entry(d, hash(1), hash(1), 0);
    put(d, 2, "no record", NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_int_equal(db_open(&reader, "db", DB_READ_ONLY, NULL), 0);
    assert_int_equal(repair_rows(reader, &err), DEJA_EDENIED);
    db_close(reader);
    long n = 1;
    for (int status = -1; status != 0; n++) {
        failing_alloc_at(n);
        status = repair_rows(d, &err);
        failing_alloc_at(0);
        assert_row(d, 2, status ? "no record" : NULL);
        assert_entry(d, 1);
        if (status)
            assert_int_equal(status, DEJA_ENOMEM);
        assert_int_equal(db_check(d, NULL), 1);
    }
    assert_true(n > 2);
    db_close(d);
}

static void put_with_blobs(db *d, uint8_t key, const db_blob *blobs, size_t n)
{
    deja_buffer record = {0};
    deja_entry e = {.key = hash(key), .label = "l", .encoding = "e", .encoding_len = 1};
    entry_encode(&record, &e);
    db_put_args row = {
        .key = e.key, .record = record.data, .len = record.len, .blobs = blobs, .blob_count = n};
    assert_int_equal(db_put(d, &row, NULL), 0);
    deja_buffer_done(&record);
}

static void test_repair__counts_references_anew(void **state)
{
    (void)state;
    db *d = open_db();
    deja_cache_numbers n;
    deja_buffer unused = {0};
    const db_blob blobs[] = {{hash(101), 1000}, {hash(102), 200}, {hash(103), 30}};
    const db_blob twice[] = {blobs[1], blobs[1]};
    assert_int_equal(db_write_begin(d, NULL), 0);
    put_with_blobs(d, 1, twice, 2);
    put(d, 2, "no record", blobs, 2);
    put(d, 3, "no record either", &blobs[2], 1);
    put_with_blobs(d, 4, NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_int_equal(repair_rows(d, NULL), 0);
    assert_int_equal(db_totals(d, &n, NULL), 0);
    assert_int_equal(n.entries, 2);
    assert_int_equal(n.blobs, 1);
    assert_int_equal(n.blob_bytes, 200);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(db_blob_used(d, &blobs[i].hash, NULL), i == 1);
    db_take_unused(d, &unused);
    assert_int_equal(unused.len, 2 * sizeof(deja_hash));
    assert_memory_equal(unused.data, &blobs[0].hash, sizeof(deja_hash));
    assert_memory_equal(unused.data + sizeof(deja_hash), &blobs[2].hash, sizeof(deja_hash));
    deja_buffer_done(&unused);

    assert_int_equal(db_write_begin(d, NULL), 0); /* both references go with the row */
    put_with_blobs(d, 1, NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_int_equal(db_blob_used(d, &blobs[1].hash, NULL), 0);
    assert_int_equal(db_totals(d, &n, NULL), 0);
    assert_int_equal(n.blobs, 0);
    assert_int_equal(n.blob_bytes, 0);
    db_close(d);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_repair__counts_totals_that_overflowed), CASE(test_repair__puts_an_index_in_order),
        CASE(test_repair__removes_damaged_rows_only),     CASE(test_repair__reaches_every_row),
        CASE(test_repair__that_fails_changes_nothing),    CASE(test_repair__counts_references_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
