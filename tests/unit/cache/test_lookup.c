/* lookup.c: keys asked for, entries listed and found by the beginning of their key. */
#include "db.h"
#include "failing_alloc.h"
#include "state.h"
#include "store_fixture.h"

#include "scratch.h"
#include <deja/cleanup.h>

static void test_lookup__another_encoding_under_the_same_key_is_a_miss(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store(c, "one", "first");
    deja_lookup l = {.key = key_of("one"), .encoding = "eno", .encoding_len = 3};
    assert_int_equal(deja_cache_lookup(c, &l, 1, NULL), 0);
    assert_null(l.entry);
    l.encoding_len = 0;
    assert_int_equal(deja_cache_lookup(c, &l, 1, NULL), 0);
    assert_null(l.entry);
    assert_warning(c, NULL);
    deja_cache_close(c);
}

static void test_lookup__many_keys_are_looked_up_together(void **state)
{
    (void)state;
    char names[300][16];
    deja_lookup l[300];
    deja_cache *c = open_cache("cache");
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "k%d", i);
        if (i % 3)
            store(c, names[i], names[i]);
        l[i] = (deja_lookup){.key = key_of(names[i]), .encoding = names[i], .encoding_len = strlen(names[i])};
    }
    assert_int_equal(deja_cache_lookup(c, l, 300, NULL), 0);
    for (int i = 0; i < 300; i++) {
        if (i % 3)
            assert_out(l[i].entry, names[i]);
        else
            assert_null(l[i].entry);
        deja_entry_free(l[i].entry);
    }
    assert_int_equal(deja_cache_lookup(c, l, 0, NULL), 0);
    deja_cache_close(c);
}

typedef struct listing {
    char labels[1024];
    int count, stop_after;
} listing;

static int list_one(void *context, const deja_listed *entry)
{
    listing *l = context;
    assert_true(entry->bytes > 0);
    if (l->count < 100)
        snprintf(l->labels + strlen(l->labels), sizeof l->labels - strlen(l->labels), "%s ", entry->label);
    return ++l->count == l->stop_after ? 7 : 0;
}

static void test_lookup__a_listing_is_newest_first_and_stops_when_told(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store(c, "one", "");
    store(c, "two", "");
    store(c, "three", "");
    store(c, "two", "again");
    listing all = {0}, first = {.stop_after = 1};
    assert_int_equal(deja_cache_list(c, list_one, &all, NULL), 0);
    assert_string_equal(all.labels, "two three one ");
    assert_int_equal(deja_cache_list(c, list_one, &first, NULL), 7);
    assert_string_equal(first.labels, "two ");
    for (int i = 0; i < 600; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        deja_result r = result_of(name, "");
        assert_int_equal(keep(c, &r), 0);
        deja_result_done(&r);
    }
    all = (listing){0};
    assert_int_equal(deja_cache_list(c, list_one, &all, NULL), 0);
    assert_int_equal(all.count, 603);
    deja_cache_close(c);
}

static void test_lookup__an_entry_is_found_by_the_beginning_of_its_key(void **state)
{
    (void)state;
    char hex[DEJA_HASH_HEX];
    deja_cache *c = open_cache("cache");
    deja_error err;
    deja_entry *e = NULL;
    deja_result near[2] = {result_of("one", "x"), result_of("two", "y")};
    near[1].key = near[0].key;
    near[1].key.byte[15] ^= 1;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(keep(c, &near[i]), 0);
        deja_result_done(&near[i]);
    }
    deja_hash_hex(&near[0].key, hex);
    assert_int_equal(deja_cache_find(c, hex, &e, NULL), 0);
    assert_string_equal(e->label, "one");
    deja_entry_free(e);
    hex[31] = 0;
    assert_int_equal(deja_cache_find(c, hex, &e, &err), DEJA_EINVAL);
    hex[3] = 0;
    assert_int_equal(deja_cache_find(c, hex, &e, &err), DEJA_EINVAL);
    assert_int_equal(deja_cache_find(c, "zzzzz", &e, &err), DEJA_EINVAL);
    hex[0] = hex[0] == '0' ? '1' : '0';
    hex[3] = '0', hex[4] = 0;
    assert_int_equal(deja_cache_find(c, hex, &e, &err), DEJA_ENOTFOUND);
    deja_cache_close(c);
}

/* Puts a record that is none under the key of `encoding`. */
static void damage(const char *encoding)
{
    struct db *d = NULL;
    assert_int_equal(db_open(&d, "cache/db", 0, NULL), 0);
    assert_int_equal(db_write_begin(d, NULL), 0);
    db_put_args row = {.key = key_of(encoding), .record = "no record", .len = 9};
    assert_int_equal(db_put(d, &row, NULL), 0);
    assert_int_equal(db_commit(d, NULL), 0);
    db_close(d);
}

/* Each way of asking goes on without it, says so once, and leaves the repair to the next commit. */
static void test_lookup__a_damaged_row_is_missing(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char hex[DEJA_HASH_HEX];
    deja_hash key = key_of("two");
    deja_error err = {0};
    deja_entry *found = NULL;
    store(c, "one", "1");
    store(c, "two", "2");
    damage("two");
    assert_null(look(c, "two"));
    assert_int_equal(atomic_load(&c->suspect), 1);
    assert_warning(c, "was damaged: it counts as missing");
    deja_entry *e = look(c, "one");
    assert_out(e, "1");
    deja_entry_free(e);
    listing all = {0};
    assert_int_equal(deja_cache_list(c, list_one, &all, NULL), 0);
    assert_string_equal(all.labels, "one ");
    deja_hash_hex(&key, hex);
    assert_int_equal(deja_cache_find(c, hex, &found, &err), DEJA_ENOTFOUND);
    assert_string_equal(err.text, "the entry is damaged");
    assert_null(found);
    assert_warning(c, NULL); /* of each kind there is one */
    deja_cache_close(c);
}

static void test_lookup__totals_are_those_of_all_entries(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache"), *other = open_cache("cache");
    deja_cache_numbers n;
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries + n.row_bytes + n.blobs + n.blob_bytes, 0);
    store(other, "one", "1");
    store(other, "two", "22");
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 2);
    assert_int_equal(n.saved_ns_per_hit, 2000);
    assert_true(n.row_bytes > 6);
    deja_cache_close(other);
    deja_cache_close(c);
}

/* Another process moved the database aside and began anew: asking one by one finds out after a while, asking
 * for several at once. */
static void test_lookup__a_database_that_was_replaced_is_noticed(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store(c, "old", "1");
    deja_cache_close(c);
    for (size_t count = 1; count <= 2; count++) {
        c = open_cache("cache");
        deja_lookup l[2];
        for (int i = 0; i < 2; i++)
            l[i] = (deja_lookup){.key = key_of("new"), .encoding = "new", .encoding_len = 3};
        assert_int_equal(deja_cache_lookup(c, l, 1, NULL), 0);
        assert_null(l[0].entry);
        assert_int_equal(unlink("cache/db"), 0);
        unlink("cache/db-wal");
        unlink("cache/db-shm");
        deja_cache *other = open_cache("cache");
        store(other, "new", "2");
        deja_cache_close(other);
        size_t asked = 0;
        do {
            assert_int_equal(deja_cache_lookup(c, l, count, NULL), 0);
            asked++;
        } while (!l[0].entry && asked < 64);
        assert_out(l[0].entry, "2");
        assert_true(count == 1 || asked == 1);
        for (size_t i = 0; i < count; i++)
            deja_entry_free(l[i].entry);
        assert_null(look(c, "old"));
        deja_cache_close(c);
        c = open_cache("cache");
        assert_int_equal(deja_cache_clear(c, NULL, NULL), 0);
        deja_cache_close(c);
    }
}

/* ---- discovered inputs ---- */

/* Keeps `out` under `encoding`, made of a file "seen" that holds `seen`. */
static void store_seen(deja_cache *c, const char *encoding, const char *seen, const char *out)
{
    write_file("seen", seen, strlen(seen), 0600);
    deja_digest_item item = {.path = "seen"};
    deja_result r = result_of(encoding, out);
    r.flags = DEJA_RESULT_DISCOVERED;
    r.discovered = &item;
    r.discovered_count = 1;
    r.since_ns = INT64_MAX;
    if (keep(c, &r))
        fail_msg("store: %s", r.step.error.text);
    assert_null(r.changed_input);
    deja_result_done(&r);
}

/* All results of `encoding` with discovered inputs, newest first, as "out(size of seen) ...". */
static void assert_seen(deja_cache *c, const char *encoding, const char *expected)
{
    deja_buffer all = {0};
    deja_lookup l = {
        .key = key_of(encoding), .encoding = encoding, .encoding_len = strlen(encoding), .discovered = 1};
    assert_int_equal(deja_cache_lookup(c, &l, 1, NULL), 0);
    for (const deja_entry *e = l.entry; e; e = e->next) {
        assert_int_equal(e->discovered_count, 1);
        assert_string_equal(e->discovered[0].path, "seen");
        deja_buffer_addf(&all, "%.*s(%d) ", (int)e->out.content.size, (const char *)e->out.data,
                         (int)e->discovered[0].content.size);
    }
    assert_string_equal(deja_buffer_string(&all), expected);
    deja_entry_free(l.entry);
    deja_buffer_done(&all);
}

static void test_lookup__of_one_key_many_with_discovered_inputs(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_cache_numbers n;
    store(c, "key", "plain");
    store_seen(c, "key", "1", "one");
    store_seen(c, "key", "22", "two");
    store_seen(c, "other", "1", "else");
    assert_seen(c, "key", "two(2) one(1) ");
    store_seen(c, "key", "1", "ONE"); /* replaces the one that was made of the same */
    assert_seen(c, "key", "ONE(1) two(2) ");
    deja_entry *e = look(c, "key");
    assert_out(e, "plain");
    assert_int_equal(e->discovered_count, 0);
    deja_entry_free(e);
    assert_null(look(c, "other"));
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 4);
    deja_cache_close(c);
}

static void test_lookup__the_newest_eight_with_discovered_inputs_stay(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_cache_numbers n;
    store(c, "key", "plain");
    for (int i = 1; i <= 10; i++) {
        char seen[16], out[16];
        snprintf(seen, sizeof seen, "%.*s", i, "..........");
        snprintf(out, sizeof out, "%d", i);
        store_seen(c, "key", seen, out);
    }
    assert_seen(c, "key", "10(10) 9(9) 8(8) 7(7) 6(6) 5(5) 4(4) 3(3) ");
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 9);
    deja_hash key = key_of("key");
    assert_int_equal(deja_cache_forget(c, &key, NULL), 1); /* all of them */
    assert_seen(c, "key", "");
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries + n.row_bytes, 0);
    deja_cache_close(c);
}

static void test_lookup__with_discovered_inputs_the_database_is_sound(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store(c, "key", "plain");
    store_seen(c, "key", "1", "one");
    store_seen(c, "key", "22", "two");
    db *d = NULL;
    assert_int_equal(db_open(&d, "cache/db", 0, NULL), 0);
    assert_int_equal(db_check(d, NULL), 1);
    db_close(d);
    deja_cache_close(c);
}

static void test_lookup__the_newest_is_found_by_the_beginning_of_its_key(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char hex[DEJA_HASH_HEX];
    deja_hash key = key_of("key");
    deja_entry *e = NULL;
    store_seen(c, "key", "1", "one");
    store_seen(c, "key", "22", "two");
    deja_hash_hex(&key, hex);
    assert_int_equal(deja_cache_find(c, hex, &e, NULL), 0);
    assert_out(e, "two");
    deja_entry_free(e);
    deja_cache_close(c);
}

/* ---- a database at rest ---- */

/* A cache with "one", closed for an hour. */
static void make_resting(void)
{
    deja_cache *c = open_cache("cache");
    store(c, "one", "1");
    deja_cache_close(c);
    struct stat wal;
    assert_true(stat("cache/db-wal", &wal) != 0 || wal.st_size == 0);
    let_rest("cache/db");
}

static void assert_looked_up(deja_cache *c, const char *encoding, const char *out)
{
    deja_entry *e = look(c, encoding);
    if (out)
        assert_out(e, out);
    else
        assert_null(e);
    deja_entry_free(e);
}

static void test_lookup__at_rest_hits_take_no_locks(void **state)
{
    (void)state;
    make_resting();
    unlink("cache/db-wal");
    unlink("cache/db-shm");
    deja_cache *c = open_cache("cache");
    for (int i = 0; i < 3; i++)
        assert_looked_up(c, "one", "1");
    assert_true(db_is_at_rest(c->db));
    assert_int_equal(access("cache/db-shm", F_OK), -1);
    assert_looked_up(c, "two", NULL); /* is asked for again in the company of writers */
    assert_false(db_is_at_rest(c->db));
    assert_looked_up(c, "one", "1");
    deja_cache_close(c);
}

/* Kept, replaced and forgotten by others: each is seen by the very next look-up. */
static void test_lookup__at_rest_sees_what_others_do(void **state)
{
    (void)state;
    for (int step = 0; step < 3; step++) {
        make_resting();
        deja_cache *c = open_cache("cache"), *other = open_cache("cache");
        assert_looked_up(c, "one", "1");
        assert_true(db_is_at_rest(c->db));
        if (step == 0)
            store(other, "two", "2");
        else if (step == 1)
            store(other, "one", "another");
        else
            assert_int_equal(deja_cache_clear(other, NULL, NULL), 0);
        if (step)
            deja_cache_close(deja_take(other)); /* the WAL is empty again */
        assert_looked_up(c, "one", step == 0 ? "1" : step == 1 ? "another" : NULL);
        assert_looked_up(c, "two", step == 0 ? "2" : NULL);
        deja_cache_close(other);
        assert_int_equal(deja_cache_clear(c, NULL, NULL), 0);
        deja_cache_close(c);
    }
}

/* Of several keys those that are there are taken from it, the others asked for again. */
static void test_lookup__at_rest_answers_in_part(void **state)
{
    (void)state;
    make_resting();
    deja_cache *c = open_cache("cache");
    deja_lookup l[3] = {{.key = key_of("two"), .encoding = "two", .encoding_len = 3},
                        {.key = key_of("one"), .encoding = "one", .encoding_len = 3},
                        {.key = key_of("one"), .encoding = "ONE", .encoding_len = 3}};
    assert_int_equal(deja_cache_lookup(c, l, 3, NULL), 0);
    assert_null(l[0].entry);
    assert_out(l[1].entry, "1");
    assert_null(l[2].entry);
    deja_entry_free(l[1].entry);
    deja_cache_close(c);
}

/* It may be half of what somebody is just writing; so it is the ordinary connection that says so. */
static void test_lookup__at_rest_damage_is_told_once(void **state)
{
    (void)state;
    make_resting();
    damage("one");
    db *d = NULL;
    assert_int_equal(db_open(&d, "cache/db", 0, NULL), 0);
    deja_cache_numbers n;
    assert_int_equal(db_totals(d, &n, NULL), 0); /* opens the WAL */
    assert_int_equal(db_checkpoint(d, 1, NULL), 0);
    db_close(d);
    let_rest("cache/db");
    deja_cache *c = open_cache("cache");
    assert_true(db_is_at_rest(c->db));
    assert_looked_up(c, "one", NULL);
    assert_warning(c, "was damaged: it counts as missing");
    assert_warning(c, NULL);
    deja_cache_close(c);
}

/* What was found before stays the caller's; nothing else is written. */
static void test_lookup__lack_of_memory_is_an_error_and_no_miss(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char hex[DEJA_HASH_HEX];
    deja_hash key = key_of("one");
    deja_error err = {0};
    store(c, "one", "1");
    store(c, "two", "2");
    deja_hash_hex(&key, hex);
    for (long n = 1, hits = 1; hits; n++) {
        deja_lookup l[2] = {{.key = key, .encoding = "one", .encoding_len = 3},
                            {.key = key_of("two"), .encoding = "two", .encoding_len = 3}};
        deja_entry *found = NULL;
        listing all = {0};
        failing_alloc_at(n);
        int looked = deja_cache_lookup(c, l, 2, &err);
        int listed = deja_cache_list(c, list_one, &all, &err);
        int one = deja_cache_find(c, hex, &found, &err);
        hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_int_equal(looked == 0 && listed == 0 && one == 0, !hits);
        assert_true(looked == 0 || looked == DEJA_ENOMEM);
        assert_true(listed == 0 || listed == DEJA_ENOMEM);
        assert_true(one == 0 || one == DEJA_ENOMEM);
        assert_int_equal(l[0].entry && l[1].entry, looked == 0);
        assert_int_equal(found != NULL, one == 0);
        deja_entry_free(l[0].entry);
        deja_entry_free(l[1].entry);
        deja_entry_free(found);
    }
    assert_warning(c, NULL);
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_lookup__another_encoding_under_the_same_key_is_a_miss),
        CASE(test_lookup__many_keys_are_looked_up_together),
        CASE(test_lookup__a_listing_is_newest_first_and_stops_when_told),
        CASE(test_lookup__an_entry_is_found_by_the_beginning_of_its_key),
        CASE(test_lookup__a_damaged_row_is_missing),
        CASE(test_lookup__totals_are_those_of_all_entries),
        CASE(test_lookup__a_database_that_was_replaced_is_noticed),
        CASE(test_lookup__of_one_key_many_with_discovered_inputs),
        CASE(test_lookup__the_newest_eight_with_discovered_inputs_stay),
        CASE(test_lookup__with_discovered_inputs_the_database_is_sound),
        CASE(test_lookup__the_newest_is_found_by_the_beginning_of_its_key),
        CASE(test_lookup__at_rest_hits_take_no_locks),
        CASE(test_lookup__at_rest_sees_what_others_do),
        CASE(test_lookup__at_rest_answers_in_part),
        CASE(test_lookup__at_rest_damage_is_told_once),
        CASE(test_lookup__lack_of_memory_is_an_error_and_no_miss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
