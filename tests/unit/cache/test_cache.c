/*
 * A cache as a whole: opened, asked, listed, cleared, damaged.
 */
#include "db.h"
#include "state.h"
#include "store_fixture.h"

#include "scratch.h"

#include <dirent.h>

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

static void test_cache__another_encoding_under_the_same_key_is_a_miss(void **state)
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

static void test_cache__many_keys_are_looked_up_together(void **state)
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

static void test_cache__a_listing_is_newest_first_and_stops_when_told(void **state)
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

static void test_cache__an_entry_is_found_by_the_beginning_of_its_key(void **state)
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

static int count_blobs(const char *cache)
{
    int n = 0;
    for (int i = 0; i < 256; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/blobs/%02x", cache, (unsigned)i);
        DIR *dir = opendir(path);
        for (struct dirent *e; dir && (e = readdir(dir));)
            n += e->d_name[0] != '.';
        if (dir)
            closedir(dir);
    }
    return n;
}

static void test_cache__clear_removes_rows_and_blobs(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache"), *other = open_cache("cache");
    char *data = big(1);
    deja_result r = result_of("big", "");
    r.out = (deja_bytes){.data = data, .len = BIG_BYTES, .fd = -1};
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

static void test_cache__a_replaced_result_gives_its_blob_back(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data[2] = {big(1), big(2)};
    for (int i = 0; i < 2; i++) {
        deja_result a = result_of("a", "");
        a.out = (deja_bytes){.data = data[i], .len = BIG_BYTES, .fd = -1};
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
        CASE(test_cache__open_makes_a_private_folder_with_its_marks),
        CASE(test_cache__what_was_stored_is_found_after_reopening),
        CASE(test_cache__storing_again_replaces),
        CASE(test_cache__another_encoding_under_the_same_key_is_a_miss),
        CASE(test_cache__many_keys_are_looked_up_together),
        CASE(test_cache__a_listing_is_newest_first_and_stops_when_told),
        CASE(test_cache__an_entry_is_found_by_the_beginning_of_its_key),
        CASE(test_cache__clear_removes_rows_and_blobs),
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
