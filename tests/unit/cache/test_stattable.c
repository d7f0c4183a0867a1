/*
 * stattable.h: the file behind the memory of stat data. Places here are made so that many of them share both
 * of their buckets. Format: FORMAT.md, "stat".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "scratch.h"
#include "stattable.h"

#include <deja/cleanup.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

enum { HEADER = 512, BUCKET = 512, SLOT = 64, FIRST_BUCKETS = 256, SLOTS = 8 };

static stattable open_table(void)
{
    stattable t;
    DEJA_AUTO_CLOSE int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    stattable_open(&t, folder);
    return t;
}

static uint64_t buckets_of(stattable *t)
{
    return atomic_load(&t->buckets);
}

/* Place number `i` of those that lie in buckets 3 and 5, however long the table gets. */
static uint64_t crowded(uint64_t i)
{
    return (i + 1) << 52 | UINT64_C(5) << 32 | 3 << 1;
}

static statslot slot_of(uint64_t place, uint32_t noted_s)
{
    return (statslot){.place = place,
                      .id = deja_hash_bytes(&place, sizeof place),
                      .hash = {{1, 2, 3}},
                      .boot = 4,
                      .flags = 5,
                      .noted_s = noted_s};
}

static void put(stattable *t, uint64_t place, uint32_t noted_s)
{
    statslot slot = slot_of(place, noted_s);
    stattable_put(t, &slot);
}

/* 1 it is there and as it was put, 0 it is not. */
static int has(stattable *t, uint64_t place)
{
    statslot have;
    if (!stattable_find(t, place, &have))
        return 0;
    statslot want = slot_of(place, have.noted_s);
    want.check = have.check;
    assert_memory_equal(&have, &want, sizeof have);
    return 1;
}

static void patch(off_t at, const void *bytes, size_t len)
{
    DEJA_AUTO_CLOSE int fd = open("stat", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
}

static void test_stattable__a_slot_comes_back_after_reopening(void **state)
{
    (void)state;
    stattable t = open_table();
    struct stat st;
    assert_int_equal(fstat(t.fd, &st), 0);
    assert_int_equal(st.st_size, HEADER + FIRST_BUCKETS * BUCKET);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(has(&t, 7), 0);
    put(&t, 7, 1);
    put(&t, 9, 1);
    assert_int_equal(has(&t, 7), 1);
    stattable_close(&t);
    t = open_table();
    assert_int_equal(has(&t, 7), 1);
    assert_int_equal(has(&t, 9), 1);
    assert_int_equal(has(&t, 8), 0);
    assert_int_equal(has(&t, 0), 0); /* the place of slots that were never used */
    stattable_close(&t);
}

static void test_stattable__a_slot_lies_where_the_format_says(void **state)
{
    (void)state;
    statslot slot = slot_of(crowded(0), 1), have;
    stattable t = open_table();
    stattable_put(&t, &slot);
    assert_int_equal(
        pread(t.fd, &have, SLOT, HEADER + 3 * BUCKET + 7 * SLOT) == SLOT && have.place == slot.place, 1);
    assert_memory_equal(&have, &slot, SLOT);
    assert_int_equal(have.check, deja_hash64((const char *)&have + 8, SLOT - 8));
    stattable_close(&t);
}

static void test_stattable__a_place_is_there_once(void **state)
{
    (void)state;
    stattable t = open_table();
    statslot have;
    for (uint32_t i = 1; i <= 40; i++)
        put(&t, crowded(0), i);
    assert_int_equal(stattable_find(&t, crowded(0), &have), 1);
    assert_int_equal(have.noted_s, 40);
    for (uint64_t i = 1; i < 2 * SLOTS; i++)
        put(&t, crowded(i), 50);
    for (uint64_t i = 0; i < 2 * SLOTS; i++)
        assert_int_equal(has(&t, crowded(i)), 1);
    assert_int_equal(buckets_of(&t), FIRST_BUCKETS);
    stattable_close(&t);
}

static void test_stattable__the_oldest_of_both_buckets_gives_way(void **state)
{
    (void)state;
    stattable t = open_table();
    t.full = 1; /* as where no room can be had */
    for (uint64_t i = 0; i < 2 * SLOTS; i++)
        put(&t, crowded(i), i == 11 ? 5 : i == 4 ? 6 : 100);
    put(&t, crowded(20), 200);
    assert_int_equal(has(&t, crowded(11)), 0);
    put(&t, crowded(21), 200);
    assert_int_equal(has(&t, crowded(4)), 0);
    int found = 0;
    for (uint64_t i = 0; i < 22; i++)
        found += has(&t, crowded(i));
    assert_int_equal(found, 2 * SLOTS);
    assert_int_equal(buckets_of(&t), FIRST_BUCKETS);
    stattable_close(&t);
}

static void test_stattable__a_bucket_that_is_full_doubles_it(void **state)
{
    (void)state;
    stattable t = open_table(), early = open_table();
    struct stat st;
    /* The last one lies beside the others only while the table is short. */
    uint64_t other = (uint64_t)(5 + FIRST_BUCKETS) << 32 | (3 + FIRST_BUCKETS) << 1;
    for (uint64_t i = 0; i < 2 * SLOTS; i++)
        put(&t, crowded(i), 1);
    put(&t, other, 1);
    assert_int_equal(buckets_of(&t), 2 * FIRST_BUCKETS);
    assert_int_equal(fstat(t.fd, &st), 0);
    assert_int_equal(st.st_size, HEADER + 2 * FIRST_BUCKETS * BUCKET);
    for (uint64_t i = 0; i < 2 * SLOTS; i++)
        assert_int_equal(has(&t, crowded(i)) + 2 * has(&early, crowded(i)), 3);
    assert_int_equal(has(&t, other), 1);
    /* Who has it open from before follows with its next entry. */
    assert_int_equal(has(&early, other), 0);
    assert_int_equal(buckets_of(&early), FIRST_BUCKETS);
    put(&early, 99, 1);
    assert_int_equal(buckets_of(&early), 2 * FIRST_BUCKETS);
    assert_int_equal(has(&early, other), 1);
    stattable_close(&early);
    stattable_close(&t);
    t = open_table();
    assert_int_equal(buckets_of(&t), 2 * FIRST_BUCKETS);
    stattable_close(&t);
}

static void test_stattable__every_changed_byte_hides_a_slot(void **state)
{
    (void)state;
    stattable t = open_table();
    statslot have, sound = slot_of(crowded(0), 1);
    stattable_put(&t, &sound);
    off_t at = HEADER + 3 * BUCKET + 7 * SLOT;
    for (size_t i = 0; i < SLOT; i++) {
        statslot bad = sound;
        ((unsigned char *)&bad)[i] ^= 1;
        patch(at, &bad, SLOT);
        assert_int_equal(stattable_find(&t, sound.place, &have), 0);
        assert_int_equal(stattable_find(&t, bad.place, &have), 0);
    }
    put(&t, crowded(1), 1); /* takes the place of what is damaged */
    assert_int_equal(has(&t, crowded(1)), 1);
    stattable_close(&t);
}

static void test_stattable__another_format_is_begun_anew(void **state)
{
    (void)state;
    static const off_t bytes[] = {0, 7, 8, 12, 16, 20, 24, 31};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        unsigned char byte;
        stattable t = open_table();
        put(&t, 7, 1);
        assert_int_equal(has(&t, 7), 1);
        assert_int_equal(pread(t.fd, &byte, 1, bytes[i]), 1);
        byte ^= 0x40;
        patch(bytes[i], &byte, 1);
        stattable fresh = open_table();
        assert_int_equal(has(&fresh, 7), 0);
        put(&fresh, 8, 1);
        assert_int_equal(has(&fresh, 8), 1);
        assert_int_equal(has(&t, 7), 1); /* goes on with the old file */
        stattable_close(&fresh);
        stattable_close(&t);
    }
}

static void test_stattable__that_is_only_read_is_not_written_to(void **state)
{
    (void)state;
    stattable t = open_table();
    assert_int_equal(t.writable, 1);
    put(&t, 7, 1);
    t.writable = 0;
    put(&t, 8, 1);
    assert_int_equal(has(&t, 7), 1);
    assert_int_equal(has(&t, 8), 0);
    stattable_close(&t);
    if (geteuid() == 0)
        return; /* may write everything */
    assert_int_equal(chmod("stat", 0400), 0);
    t = open_table();
    assert_int_equal(t.writable, 0);
    assert_int_equal(has(&t, 7), 1);
    stattable_close(&t);
}

static void test_stattable__without_a_file_it_forgets(void **state)
{
    (void)state;
    assert_int_equal(mkdir("stat", 0700), 0);
    stattable t = open_table();
    assert_int_equal(t.fd, -1);
    put(&t, 7, 1);
    assert_int_equal(has(&t, 7), 0);
    stattable_close(&t);
    assert_int_equal(rmdir("stat"), 0);
    failing_alloc_at(1);
    t = open_table();
    failing_alloc_at(0);
    assert_int_equal(t.fd, -1);
    assert_int_equal(access("stat", F_OK), -1);
    stattable_close(&t);
}

typedef struct reader {
    stattable *table;
    int failed;
} reader;

/* What is there from the beginning is found all the time, however the table grows meanwhile. */
static void *read_on(void *context)
{
    reader *r = context;
    statslot have;
    for (int i = 0; i < 2000; i++)
        r->failed |= !stattable_find(r->table, crowded((uint64_t)i % SLOTS), &have);
    return NULL;
}

static void test_stattable__is_read_by_any_thread_while_it_grows(void **state)
{
    (void)state;
    stattable t = open_table();
    pthread_t threads[2];
    reader readers[2] = {{.table = &t}, {.table = &t}};
    for (uint64_t i = 0; i < SLOTS; i++)
        put(&t, crowded(i), UINT32_MAX);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readers[i]), 0);
    for (uint64_t i = 1; i <= 4000; i++)
        put(&t, i * UINT64_C(0x9e3779b97f4a7c15) | 1, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(readers[i].failed, 0);
    }
    assert_true(buckets_of(&t) > FIRST_BUCKETS);
    stattable_close(&t);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_stattable__a_slot_comes_back_after_reopening),
        CASE(test_stattable__a_slot_lies_where_the_format_says),
        CASE(test_stattable__a_place_is_there_once),
        CASE(test_stattable__the_oldest_of_both_buckets_gives_way),
        CASE(test_stattable__a_bucket_that_is_full_doubles_it),
        CASE(test_stattable__every_changed_byte_hides_a_slot),
        CASE(test_stattable__another_format_is_begun_anew),
        CASE(test_stattable__that_is_only_read_is_not_written_to),
        CASE(test_stattable__without_a_file_it_forgets),
        CASE(test_stattable__is_read_by_any_thread_while_it_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
