/* clear.c: forgetting everything. */
#include "db.h"
#include "failing_alloc.h"
#include "store_fixture.h"

#include "scratch.h"

static void test_clear__removes_rows_and_blobs(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache"), *other = open_cache("cache");
    char *data = big(1);
    deja_result r = result_of("big", "");
    r.out = (deja_payload){.data = data, .len = BIG_BYTES, .fd = -1};
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    store(c, "small", "s");
    write_file("cache/blobs/stranger", "x", 1, 0600);
    deja_entry *e = look(other, "big");
    int fd = deja_cache_open_stored(other, &e->out, NULL);
    assert_true(fd >= 0);
    deja_cache_numbers n;
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 2);
    assert_int_equal(n.blobs, 1);
    assert_int_equal(n.blob_bytes, BIG_BYTES);
    uint64_t entries = 0;
    assert_int_equal(deja_cache_clear(c, &entries, NULL), 0);
    assert_int_equal(entries, 2);
    assert_int_equal(count_blobs("cache"), 0);
    assert_int_equal(access("cache/blobs/stranger", F_OK), 0);
    assert_int_equal(deja_cache_stats(other, &n, NULL), 0);
    assert_int_equal(n.entries + n.row_bytes + n.blobs + n.blob_bytes, 0);
    assert_null(look(other, "small"));
    /* what was open stays readable, what comes later is kept */
    char first;
    assert_int_equal(pread(fd, &first, 1, 0), 1);
    assert_int_equal(first, data[0]);
    assert_int_equal(deja_cache_open_stored(other, &e->out, NULL), DEJA_ENOTFOUND);
    store(other, "later", "l");
    close(fd);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
    deja_cache_close(other);
}

static void store_big(deja_cache *c, const char *encoding, unsigned seed)
{
    char *data = big(seed);
    deja_result r = result_of(encoding, "");
    r.out = (deja_payload){.data = data, .len = BIG_BYTES, .fd = -1};
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_free(data);
}

static void test_clear__of_an_empty_cache_is_fine(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    uint64_t entries = 7;
    assert_int_equal(deja_cache_clear(c, &entries, NULL), 0);
    assert_int_equal(entries, 0);
    assert_int_equal(deja_cache_clear(c, NULL, NULL), 0);
    store(c, "one", "1");
    deja_entry *e = look(c, "one");
    assert_out(e, "1");
    deja_entry_free(e);
    deja_cache_close(c);
}

/* Left by a process that died between the blob and its row. */
static void test_clear__removes_blobs_that_no_row_knows(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    struct db *d = NULL;
    uint64_t entries = 7;
    for (unsigned i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "big%u", i);
        store_big(c, name, i);
    }
    deja_cache_close(c);
    assert_int_equal(db_open(&d, "cache/db", 0, NULL), 0);
    assert_int_equal(db_write_begin(d, NULL), 0);
    assert_int_equal(db_delete_all(d, &entries, NULL), 0);
    assert_int_equal(db_commit(d, NULL), 0);
    db_close(d);
    assert_int_equal(entries, 20);
    assert_int_equal(count_blobs("cache"), 20);
    c = open_cache("cache");
    assert_int_equal(deja_cache_clear(c, &entries, NULL), 0);
    assert_int_equal(entries, 0);
    assert_int_equal(count_blobs("cache"), 0);
    deja_cache_close(c);
}

static void test_clear__of_a_damaged_database_begins_anew(void **state)
{
    (void)state;
    char noise[20000];
    memset(noise, 'n', sizeof noise);
    deja_cache *c = open_cache("cache");
    store_big(c, "big", 1);
    deja_cache_close(c);
    c = open_cache("cache");
    int fd = open("cache/db", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 0), (ssize_t)sizeof noise);
    close(fd);
    assert_int_equal(deja_cache_clear(c, NULL, NULL), 0);
    assert_int_equal(access("cache/db.damaged-1", F_OK), 0);
    assert_int_equal(count_blobs("cache"), 0);
    store(c, "one", "1");
    deja_entry *e = look(c, "one");
    assert_out(e, "1");
    deja_entry_free(e);
    deja_cache_close(c);
}

/* Rows go first: whatever fails after them, no entry is left without its blob. */
static void test_clear__that_fails_leaves_whole_entries_or_none(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_error err = {0};
    for (long n = 1, hits = 1; hits; n++) {
        uint64_t entries = 7;
        store_big(c, "big", 1);
        failing_alloc_at(n);
        int status = deja_cache_clear(c, &entries, &err);
        hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_int_equal(entries, status == 0 ? 1 : 7);
        assert_true(status == 0 || status == DEJA_ENOMEM);
        deja_entry *e = look(c, "big");
        if (e) {
            int fd = deja_cache_open_stored(c, &e->out, NULL);
            assert_true(fd >= 0);
            close(fd);
        }
        assert_true(status < 0 || !e);
        deja_entry_free(e);
    }
    assert_int_equal(count_blobs("cache"), 0);
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_clear__removes_rows_and_blobs),
        CASE(test_clear__of_an_empty_cache_is_fine),
        CASE(test_clear__removes_blobs_that_no_row_knows),
        CASE(test_clear__of_a_damaged_database_begins_anew),
        CASE(test_clear__that_fails_leaves_whole_entries_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
