/* listing.c: walking over all entries; and what is done with those that only a newer deja can read. */
#include "listing.h"
#include "repair.h"
#include "store_fixture.h"

#include "scratch.h"

/* A sound record of a format of later times under the key of `encoding`. */
static void plant_later(const char *encoding)
{
    deja_cache *c = open_cache("cache");
    deja_entry e = {.key = key_of(encoding), .label = "l", .encoding = encoding, .encoding_len = 1};
    deja_buffer b = {0};
    entry_encode(&b, &e);
    b.data[8] = 99;
    uint64_t sum = deja_hash64(b.data + 8, b.len - 8);
    for (int i = 0; i < 8; i++)
        b.data[i] = (char)(sum >> (8 * i));
    db_put_args row = {.key = e.key, .record = b.data, .len = b.len};
    assert_int_equal(db_write_begin(c->db, NULL), 0);
    assert_int_equal(db_put(c->db, &row, NULL), 0);
    assert_int_equal(db_commit(c->db, NULL), 0);
    deja_buffer_done(&b);
    deja_cache_close(c);
}

static int count_one(void *context, const deja_listed *entry)
{
    (void)entry;
    ++*(int *)context;
    return 0;
}

static int all(void *context, const deja_listed *entry, const void *encoding, size_t len)
{
    (void)context, (void)entry, (void)encoding, (void)len;
    return 1;
}

static int count(deja_cache *c)
{
    int n = 0;
    assert_int_equal(deja_cache_list(c, count_one, &n, NULL), 0);
    return n;
}

static void test_listing__of_a_later_format_is_passed_over(void **state)
{
    (void)state;
    char hex[DEJA_HASH_HEX];
    deja_hash key = key_of("later");
    deja_entry *e = NULL;
    deja_cache_numbers n;
    deja_hash_hex(&key, hex);
    plant_later("later");
    deja_cache *c = open_cache("cache");
    store(c, "one", "1");
    assert_null(look(c, "later"));
    assert_int_equal(count(c), 1);
    assert_int_equal(deja_cache_find(c, hex, &e, NULL), DEJA_EVERSION);
    assert_int_equal(repair_rows(c->db, NULL), 0);
    uint64_t forgotten;
    assert_int_equal(deja_cache_forget_where(c, all, NULL, &forgotten, NULL), 0);
    assert_int_equal(forgotten, 1);
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 1); /* still there, for who can read it */
    assert_warning(c, NULL);
    store(c, "later", "by us");
    e = look(c, "later");
    assert_out(e, "by us");
    deja_entry_free(e);
    assert_int_equal(count(c), 1);
    assert_warning(c, NULL);
    deja_cache_close(c);
    plant_later("later");
    c = open_cache("cache");
    assert_int_equal(deja_cache_forget(c, &key, NULL), 1);
    assert_int_equal(deja_cache_forget(c, &key, NULL), 0);
    deja_cache_close(c);
}

static int write_meanwhile(void *context, const db_listed *row, const entry_head *head)
{
    deja_cache *c = context;
    assert_true(deja_hash_equal(&row->key, &head->key));
    assert_int_equal(db_write_begin(c->db, NULL), 0);
    assert_int_equal(db_forget(c->db, &row->key, row->id, NULL), 1);
    assert_int_equal(db_commit(c->db, NULL), 0);
    return head->label[0] == '3';
}

static void test_listing__lets_rows_be_written_meanwhile(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    for (int i = 0; i < 600; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i == 0 ? 3 : 1000 + i); /* the oldest is the last one visited */
        store(c, name, "");
    }
    assert_int_equal(listing_each(c, write_meanwhile, c, NULL), 1);
    assert_int_equal(count(c), 0);
    assert_warning(c, NULL);
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_listing__of_a_later_format_is_passed_over),
        CASE(test_listing__lets_rows_be_written_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
