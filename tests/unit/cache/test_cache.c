/*
 * A cache as a whole: opened, filled, damaged.
 */
#include "db.h"
#include "state.h"
#include "store_fixture.h"

#include "scratch.h"

static void test_cache__open_makes_a_private_folder_with_its_marks(void **state)
{
    (void)state;
    struct stat st;
    deja_cache *c = open_cache("a/b/cache");
    assert_int_equal(stat("a/b/cache", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_file("a/b/cache/.gitignore", "*\n", 2);
    assert_int_equal(access("a/b/cache/CACHEDIR.TAG", F_OK), 0);
    assert_int_equal(access("a/b/cache/db.new", F_OK), -1);
    assert_int_equal(deja_cache_fd(c), -1);
    assert_warning(c, NULL);
    deja_cache_close(c);
}

static void test_cache__what_was_stored_is_found_after_reopening(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    assert_null(look(c, "one"));
    store(c, "one", "first");
    store(c, "two", "");
    deja_entry *e = look(c, "one");
    assert_out(e, "first");
    assert_string_equal(e->label, "one");
    assert_int_equal(e->wall_ns, 1000);
    assert_true(e->created_ns > 0);
    deja_entry_free(e);
    deja_cache_close(c);
    c = open_cache("cache");
    e = look(c, "two");
    assert_out(e, "");
    deja_entry_free(e);
    assert_null(look(c, "three"));
    assert_warning(c, NULL);
    deja_cache_close(c);
}

static void test_cache__storing_again_replaces(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store(c, "one", "first");
    store(c, "one", "second, longer");
    deja_entry *e = look(c, "one");
    assert_out(e, "second, longer");
    deja_entry_free(e);
    deja_cache_numbers n;
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 1);
    assert_int_equal(n.saved_ns_per_hit, 1000);
    deja_cache_close(c);
}

static void test_cache__a_replaced_result_gives_its_blob_back(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data[2] = {big(1), big(2)};
    for (int i = 0; i < 2; i++) {
        deja_result a = result_of("a", "");
        a.out = (deja_payload){.data = data[i], .len = BIG_BYTES, .fd = -1};
        assert_int_equal(keep(c, &a), 0);
        deja_result_done(&a);
        if (i == 0) {
            deja_result b = result_of("b", "");
            b.out = a.out;
            assert_int_equal(keep(c, &b), 0);
            deja_result_done(&b);
            assert_int_equal(count_blobs("cache"), 1);
        }
    }
    assert_int_equal(count_blobs("cache"), 2); /* b still refers to the first */
    store(c, "b", "small now");
    deja_cache_close(c); /* the writer removes after it has reported */
    assert_int_equal(count_blobs("cache"), 1);
    c = open_cache("cache");
    deja_cache_numbers n;
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 2);
    assert_int_equal(n.blobs, 1);
    assert_int_equal(n.blob_bytes, BIG_BYTES);
    deja_free(data[0]);
    deja_free(data[1]);
    deja_cache_close(c);
}

static void test_cache__a_removed_folder_is_made_again_by_the_next_result(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store(c, "one", "first");
    assert_int_equal(unlink("cache/db"), 0);
    store(c, "two", "second");
    deja_cache_close(c);
    c = open_cache("cache");
    deja_entry *e = look(c, "two");
    assert_out(e, "second");
    deja_entry_free(e);
    assert_null(look(c, "one"));
    deja_cache_close(c);
}

/* ---- another program holds the database ---- */

/* From db_statement.h, which brings SQLite's header along: that has one home. */
int db_execute(db *d, const char *text, deja_error *err, const char *what);

/* That has to be before anybody reads. */
static db *hold_database(void)
{
    db *d = NULL;
    deja_cache *c = open_cache("cache");
    store(c, "one", "first");
    deja_cache_close(c);
    assert_int_equal(db_open(&d, "cache/db", 0, NULL), 0);
    assert_int_equal(db_execute(d, "PRAGMA locking_mode=EXCLUSIVE;BEGIN EXCLUSIVE", NULL, "hold"), 0);
    return d;
}

/* 10,000 times 100 ms would take longer than a test may. */
static void test_cache__held_by_another_has_misses_at_once(void **state)
{
    (void)state;
    db *other = hold_database();
    deja_cache *c = open_cache("cache");
    deja_lookup two[] = {{.key = key_of("one"), .encoding = "one", .encoding_len = 3},
                         {.key = key_of("two"), .encoding = "two", .encoding_len = 3}};
    for (int i = 0; i < 10000; i++)
        assert_null(look(c, "one"));
    assert_int_equal(deja_cache_lookup(c, two, 2, NULL), 0);
    assert_null(two[0].entry);
    assert_warning(c, "is held by another program");
    assert_warning(c, NULL);
    db_close(other);
    deja_entry *e = look(c, "one");
    assert_out(e, "first");
    deja_entry_free(e);
    assert_warning(c, NULL);
    deja_cache_close(c);
}

static void test_cache__held_by_another_is_written_to_afterwards(void **state)
{
    (void)state;
    db *other = hold_database();
    deja_cache *c = open_cache("cache");
    assert_null(look(c, "one"));
    deja_result r = result_of("one", "again");
    assert_int_equal(deja_result_seal_begin(c, &r), 1);
    assert_int_equal(deja_result_commit_begin(c, &r), 0);
    deja_cache_hurry(c);
    usleep(300000); /* longer than a look-up would wait */
    db_close(other);
    assert_int_equal(wait_step(c, &r.step, 0), 0);
    deja_result_done(&r);
    deja_entry *e = look(c, "one");
    assert_out(e, "again");
    deja_entry_free(e);
    deja_cache_close(c);
}

/* The connection may be gone when damage is met again: then there is nothing to move aside. */
static void test_cache__renewing_without_a_connection_opens_one(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    struct db *none = NULL;
    store(c, "a", "A");
    assert_int_equal(cache_renew_db(c, &none, NULL), 0);
    assert_non_null(none);
    db_close(none);
    assert_int_equal(access("cache/db.damaged-1", F_OK), -1);
    deja_entry *e = look(c, "a");
    assert_out(e, "A");
    deja_entry_free(e);
    deja_cache_close(c);
}

static deja_cache *open_to_read(int expected)
{
    deja_cache_options options = {.size = sizeof options, .folder = "cache", .flags = DEJA_CACHE_READ_ONLY};
    deja_cache *c = NULL;
    deja_error err = {0};
    if (deja_cache_open(&c, &options, &err) != expected)
        fail_msg("open: %s", err.text);
    return c;
}

static void test_cache__only_read_answers_and_keeps_nothing(void **state)
{
    (void)state;
    assert_null(open_to_read(DEJA_ENOTFOUND));
    assert_int_equal(access("cache", F_OK), -1);
    deja_cache *c = open_cache("cache");
    store(c, "a", "A");
    deja_cache_close(c);

    c = open_to_read(0);
    deja_entry *e = look(c, "a");
    assert_out(e, "A");
    deja_entry_free(e);
    deja_result r = result_of("b", "B");
    assert_int_equal(keep(c, &r), DEJA_EDENIED);
    deja_result_done(&r);
    assert_null(look(c, "b"));
    assert_int_equal(deja_cache_clear(c, NULL, NULL), DEJA_EDENIED);
    deja_cache_close(c);
}

static void test_cache__only_read_leaves_damage_alone(void **state)
{
    (void)state;
    char noise[20000];
    memset(noise, 'n', sizeof noise);
    deja_cache_close(open_cache("cache"));
    write_file("cache/db", noise, sizeof noise, 0600);
    assert_null(open_to_read(DEJA_ECORRUPT));
    assert_file("cache/db", noise, sizeof noise);
    assert_int_equal(access("cache/db.damaged-1", F_OK), -1);
}

/* Damage that is met when the database is open already. */
static void test_cache__only_read_misses_where_pages_are_damaged(void **state)
{
    (void)state;
    char noise[3 * 4096];
    struct db *d = NULL;
    memset(noise, 255, sizeof noise);
    deja_cache *c = open_cache("cache");
    store(c, "a", "A");
    deja_cache_close(c);
    assert_int_equal(db_open(&d, "cache/db", 0, NULL), 0);
    assert_int_equal(db_check(d, NULL), 1); /* a connection that has read nothing has no WAL */
    assert_int_equal(db_checkpoint(d, 1, NULL), 0);
    db_close(d);
    int fd = open("cache/db", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 4096), (ssize_t)sizeof noise);
    close(fd);
    c = open_to_read(0);
    for (int i = 0; i < 2; i++) {
        deja_lookup l = {.key = key_of("a"), .encoding = "a", .encoding_len = 1};
        assert_int_equal(deja_cache_lookup(c, &l, 1, NULL), DEJA_ECORRUPT);
        assert_null(l.entry);
    }
    deja_cache_close(c);
    assert_int_equal(access("cache/db.damaged-1", F_OK), -1);
}

static void test_cache__options_of_another_size_are_refused(void **state)
{
    (void)state;
    deja_cache *c = NULL;
    deja_cache_options options = {.size = 4, .folder = "cache"};
    assert_int_equal(deja_cache_open(&c, &options, NULL), DEJA_EINVAL);
    options.size = sizeof options;
    options.folder = "";
    assert_int_equal(deja_cache_open(&c, &options, NULL), DEJA_EINVAL);
    assert_null(c);
    deja_cache_close(NULL);
    deja_entry_free(NULL);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_cache__held_by_another_has_misses_at_once),
        CASE(test_cache__held_by_another_is_written_to_afterwards),
        CASE(test_cache__open_makes_a_private_folder_with_its_marks),
        CASE(test_cache__what_was_stored_is_found_after_reopening),
        CASE(test_cache__storing_again_replaces),
        CASE(test_cache__a_replaced_result_gives_its_blob_back),
        CASE(test_cache__a_removed_folder_is_made_again_by_the_next_result),
        CASE(test_cache__renewing_without_a_connection_opens_one),
        CASE(test_cache__only_read_answers_and_keeps_nothing),
        CASE(test_cache__only_read_leaves_damage_alone),
        CASE(test_cache__only_read_misses_where_pages_are_damaged),
        CASE(test_cache__options_of_another_size_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
