/* forget.c: one entry, or some, with their blobs. */
#include "db.h"
#include "failing_alloc.h"
#include "store_fixture.h"

#include "scratch.h"

#include <pthread.h>
#include <stdatomic.h>

static void store_value(deja_cache *c, const char *encoding, unsigned seed)
{
    char *data = big(seed);
    deja_result r = result_of(encoding, "");
    r.value = (deja_payload){data, BIG_BYTES, -1};
    r.flags = DEJA_RESULT_VALUE;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_free(data);
}

static int forget(deja_cache *c, const char *encoding)
{
    deja_hash key = key_of(encoding);
    deja_error err = {0};
    int r = deja_cache_forget(c, &key, &err);
    if (r < 0)
        fail_msg("forget: %s", err.text);
    return r;
}

/* Entries whose encoding begins with the text. */
static int begins(void *context, const deja_listed *entry, const void *encoding, size_t len)
{
    const char *text = *(const char **)context;
    assert_int_equal(strlen(entry->label), len);
    return len >= strlen(text) && !memcmp(encoding, text, strlen(text));
}

static uint64_t forget_those(deja_cache *c, const char *text)
{
    uint64_t count = 77;
    deja_error err = {0};
    if (deja_cache_forget_where(c, begins, &text, &count, &err))
        fail_msg("forget: %s", err.text);
    return count;
}

static void assert_numbers(deja_cache *c, uint64_t entries, uint64_t blobs)
{
    deja_cache_numbers n;
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, entries);
    assert_int_equal(n.blobs, blobs);
    assert_int_equal(n.blob_bytes, blobs * BIG_BYTES);
    assert_int_equal(n.row_bytes > 0, entries > 0);
    assert_int_equal(n.saved_ns_per_hit, entries * 1000);
    assert_int_equal(count_blobs("cache"), blobs);
}

static void assert_there(deja_cache *c, const char *encoding, int there)
{
    deja_entry *e = look(c, encoding);
    assert_int_equal(e != NULL, there);
    deja_entry_free(e);
}

static void test_forget__one_is_gone_and_the_others_stay(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache"), *other = open_cache("cache");
    store(c, "one", "1");
    store_value(c, "two", 1);
    store_value(c, "three", 1);
    assert_int_equal(forget(other, "one"), 1);
    assert_int_equal(forget(other, "one"), 0);
    assert_there(c, "one", 0);
    assert_numbers(c, 2, 1);
    assert_int_equal(forget(c, "two"), 1);
    assert_numbers(c, 1, 1); /* the other refers to the blob */
    assert_int_equal(forget(c, "three"), 1);
    assert_numbers(c, 0, 0);
    store_value(c, "two", 1);
    assert_there(other, "two", 1);
    assert_numbers(other, 1, 1);
    assert_warning(c, NULL);
    deja_cache_close(c);
    deja_cache_close(other);
}

/* Over more rows than one transaction takes. */
static void test_forget__all_of_a_kind_and_no_others(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char name[32];
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof name, "%c %d", i % 7 ? 'f' : 'g', i);
        if (i % 50 < 2)
            store_value(c, name, (unsigned)i);
        else
            store(c, name, "out");
    }
    assert_numbers(c, 700, 28);
    assert_int_equal(forget_those(c, "nobody"), 0);
    assert_int_equal(forget_those(c, "f "), 600);
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof name, "%c %d", i % 7 ? 'f' : 'g', i);
        assert_there(c, name, i % 7 == 0);
    }
    assert_numbers(c, 100, 4);
    assert_int_equal(forget_those(c, "f "), 0);
    assert_int_equal(forget_those(c, ""), 100);
    assert_numbers(c, 0, 0);
    assert_warning(c, NULL);
    deja_cache_close(c);
}

static int third_ends(void *context, const deja_listed *entry, const void *encoding, size_t len)
{
    (void)entry, (void)encoding, (void)len;
    return ++*(int *)context == 3 ? DEJA_ECANCELED : 1;
}

static void test_forget__a_code_of_the_caller_ends_the_walk(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char name[8];
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "%d", i);
        store(c, name, "");
    }
    int calls = 0;
    uint64_t count = 7;
    assert_int_equal(deja_cache_forget_where(c, third_ends, &calls, &count, NULL), DEJA_ECANCELED);
    assert_int_equal(calls, 3);
    assert_int_equal(count, 0); /* those chosen were not at their transaction yet */
    assert_numbers(c, 9, 0);
    deja_cache_close(c);
}

static void test_forget__what_is_mapped_stays_readable(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    deja_mapped m;
    store_value(c, "array", 1);
    deja_entry *e = look(c, "array");
    assert_int_equal(deja_cache_map_value(c, e, &m, NULL), 0);
    assert_int_equal(forget(c, "array"), 1);
    assert_int_equal(count_blobs("cache"), 0);
    assert_memory_equal(m.data, data, BIG_BYTES);
    deja_mapped_done(&m);
    assert_int_equal(deja_cache_map_value(c, e, &m, NULL), DEJA_ENOTFOUND);
    assert_warning(c, NULL);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
}

static void test_forget__where_nothing_may_be_written_is_refused(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store(c, "one", "1");
    deja_cache_close(c);
    deja_cache_options o = {.size = sizeof o, .flags = DEJA_CACHE_READ_ONLY, .folder = "cache"};
    deja_hash key = key_of("one");
    const char *all = "";
    assert_int_equal(deja_cache_open(&c, &o, NULL), 0);
    assert_int_equal(deja_cache_forget(c, &key, NULL), DEJA_EDENIED);
    assert_int_equal(deja_cache_forget_where(c, begins, &all, NULL, NULL), DEJA_EDENIED);
    assert_there(c, "one", 1);
    deja_cache_close(c);
}

/* An index that hides a row would bring it back with the next repair. */
static void test_forget__finds_what_a_damaged_index_hides(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char name[32];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "entry %d", i);
        store(c, name, "out");
    }
    deja_cache_close(c);
    struct db *d = NULL;
    deja_cache_numbers n;
    assert_int_equal(db_open(&d, "cache/db", 0, NULL), 0);
    assert_int_equal(db_totals(d, &n, NULL), 0); /* opens the WAL */
    assert_int_equal(db_checkpoint(d, 1, NULL), 0);
    db_close(d);
    int fd = open("cache/db", O_RDWR | O_CLOEXEC);
    char page[4096];
    deja_hash key = key_of("entry 7");
    int planted = 0;
    for (off_t at = 0; pread(fd, page, sizeof page, at) == (ssize_t)sizeof page; at += (off_t)sizeof page) {
        /* a leaf of an index (https://sqlite.org/fileformat2.html, 1.6); the key is its first column */
        char *found = page[0] == 10 ? memmem(page, sizeof page, key.byte, sizeof key.byte) : NULL;
        if (!found)
            continue;
        *found = (char)(*found ^ 0xff);
        assert_int_equal(pwrite(fd, page, sizeof page, at), (ssize_t)sizeof page);
        planted++;
    }
    close(fd);
    assert_int_equal(planted, 1);
    c = open_cache("cache");
    assert_there(c, "entry 7", 0);
    assert_int_equal(forget(c, "entry 7"), 1);
    assert_there(c, "entry 7", 0);
    assert_numbers(c, 19, 0);
    deja_cache_close(c);
}

/* Left by one that was killed between rows and blobs. */
static void test_forget__removes_what_others_left(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store_value(c, "array", 1);
    deja_cache_close(c);
    struct db *d = NULL;
    deja_hash key = key_of("array");
    assert_int_equal(db_open(&d, "cache/db", 0, NULL), 0);
    assert_int_equal(db_write_begin(d, NULL), 0);
    assert_int_equal(db_forget(d, &key, 0, NULL), 1);
    assert_int_equal(db_commit(d, NULL), 0);
    db_close(d);
    assert_int_equal(count_blobs("cache"), 1);
    c = open_cache("cache");
    assert_int_equal(forget_those(c, "nobody"), 0);
    assert_numbers(c, 0, 0);
    deja_cache_close(c);
}

static void test_forget__that_fails_leaves_whole_entries_or_none(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache"), *writer;
    const char *text = "arr";
    for (long n = 1, hits = 1; hits; n++) {
        uint64_t count = 7;
        writer = open_cache("cache");
        store_value(writer, "array", 1);
        deja_cache_close(writer); /* with its threads, whose allocations are not to be counted */
        failing_alloc_at(n);
        int status = deja_cache_forget_where(c, begins, &text, &count, NULL);
        hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_true(status == 0 || status == DEJA_ENOMEM);
        assert_true(count == 1 || status < 0);
        deja_entry *e = look(c, "array");
        assert_int_equal(e == NULL, count == 1);
        if (e) {
            deja_mapped m;
            assert_int_equal(deja_cache_map_value(c, e, &m, NULL), 0);
            deja_mapped_done(&m);
        }
        deja_entry_free(e);
    }
    assert_int_equal(count_blobs("cache"), 0);
    deja_cache_close(c);
}

#define ROUNDS 60

static void *read_meanwhile(void *context)
{
    atomic_int *done = context;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    while (!atomic_load(done)) {
        deja_mapped m;
        deja_entry *e = look(c, "array");
        if (e && deja_cache_map_value(c, e, &m, NULL) == 0) {
            assert_memory_equal(m.data, data, BIG_BYTES);
            deja_mapped_done(&m);
        }
        deja_entry_free(e);
    }
    assert_warning(c, NULL); /* what is being forgotten is no damage */
    deja_free(data);
    deja_cache_close(c);
    return NULL;
}

/* One forgets, one keeps the same content, one reads: whatever is found is right and whole. */
static void test_forget__in_company_nothing_is_torn(void **state)
{
    (void)state;
    atomic_int done = 0;
    pthread_t reader;
    deja_cache *c = open_cache("cache"), *writer = open_cache("cache");
    assert_int_equal(pthread_create(&reader, NULL, read_meanwhile, &done), 0);
    for (int i = 0; i < ROUNDS; i++) {
        char *data = big(1);
        deja_result r = result_of("array", "");
        r.value = (deja_payload){data, BIG_BYTES, -1};
        r.flags = DEJA_RESULT_VALUE;
        assert_int_equal(wait_step(writer, &r.step, deja_result_seal_begin(writer, &r)), 0);
        int begun = deja_result_commit_begin(writer, &r);
        deja_cache_hurry(writer);
        (void)forget_those(c, "array");
        assert_int_equal(wait_step(writer, &r.step, begun), 0);
        deja_result_done(&r);
        deja_free(data);
        deja_entry *e = look(c, "array");
        deja_mapped m;
        if (e) {
            assert_int_equal(deja_cache_map_value(c, e, &m, NULL), 0);
            deja_mapped_done(&m);
        }
        deja_entry_free(e);
    }
    atomic_store(&done, 1);
    pthread_join(reader, NULL);
    (void)forget(c, "array");
    assert_numbers(c, 0, 0);
    deja_cache_close(c);
    deja_cache_close(writer);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_forget__one_is_gone_and_the_others_stay),
        CASE(test_forget__all_of_a_kind_and_no_others),
        CASE(test_forget__a_code_of_the_caller_ends_the_walk),
        CASE(test_forget__what_is_mapped_stays_readable),
        CASE(test_forget__where_nothing_may_be_written_is_refused),
        CASE(test_forget__finds_what_a_damaged_index_hides),
        CASE(test_forget__removes_what_others_left),
        CASE(test_forget__that_fails_leaves_whole_entries_or_none),
        CASE(test_forget__in_company_nothing_is_torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
