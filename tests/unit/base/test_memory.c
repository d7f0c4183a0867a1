/* Allocation helpers, growing arrays and the arena, with and without failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"

#include <deja/cleanup.h>
#include <deja/memory.h>
#include <string.h>

static void test_memory__zero_bytes_is_an_allocation(void **state)
{
    (void)state;
    void *p = deja_realloc(NULL, 0);
    assert_non_null(p);
    p = deja_realloc(p, 0);
    assert_non_null(p);
    deja_free(p);
    deja_free(NULL);
}

static void test_memory__products_do_not_overflow(void **state)
{
    (void)state;
    assert_null(deja_calloc(SIZE_MAX / 2, 3));
    assert_null(deja_dup("", SIZE_MAX));
    char *p = deja_strdup("stays");
    assert_non_null(p);
    assert_null(deja_realloc_array(p, SIZE_MAX / 8, 9));
    assert_string_equal(p, "stays");
    deja_free(p);
}

static void test_memory__calloc_is_zeroed(void **state)
{
    (void)state;
    unsigned char *p = deja_realloc(NULL, 1000);
    assert_non_null(p);
    memset(p, 0xAA, 1000);
    deja_free(p);
    p = deja_calloc(100, 10);
    assert_non_null(p);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    deja_free(p);
}

static void test_memory__dup_adds_a_nul(void **state)
{
    (void)state;
    char *p = deja_dup("a\0bc", 4);
    assert_memory_equal(p, "a\0bc", 5);
    deja_free(p);
    p = deja_dup(NULL, 0);
    assert_string_equal(p, "");
    deja_free(p);
}

static void test_memory__grow_doubles(void **state)
{
    (void)state;
    int *items = NULL;
    size_t cap = 0;
    for (size_t len = 0; len < 1000; len++) {
        int *moved = deja_grow(items, len, &cap, sizeof *items);
        assert_non_null(moved);
        items = moved;
        assert_true(cap > len);
        items[len] = (int)len;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    assert_int_equal(cap, 1024);
    deja_free(items);
}

static void test_memory__grow_fails_and_keeps_the_array(void **state)
{
    (void)state;
    size_t cap = 0;
    char *items = deja_grow(NULL, 0, &cap, 1);
    assert_non_null(items);
    memset(items, 'x', cap);
    size_t before = cap;
    failing_alloc_at(1);
    assert_null(deja_grow(items, cap, &cap, 1));
    failing_alloc_at(0);
    assert_int_equal(cap, before);
    assert_int_equal(items[before - 1], 'x');
    deja_free(items);
    cap = SIZE_MAX / 2 + 1;
    assert_null(deja_grow(NULL, cap, &cap, 1));
    assert_int_equal(cap, SIZE_MAX / 2 + 1);
}

static void test_memory__arena_items_are_apart_and_aligned(void **state)
{
    (void)state;
    DEJA_AUTO_ARENA deja_arena a = {0};
    unsigned char *items[2000];
    for (size_t i = 0; i < 2000; i++) {
        size_t size = i % 97 == 0 ? 100000 : i % 61;
        items[i] = deja_arena_alloc(&a, size);
        assert_non_null(items[i]);
        assert_int_equal((uintptr_t)items[i] % 16, 0);
        memset(items[i], (int)(i % 251), size);
    }
    for (size_t i = 0; i < 2000; i++) {
        size_t size = i % 97 == 0 ? 100000 : i % 61;
        for (size_t k = 0; k < size; k++)
            assert_int_equal(items[i][k], i % 251);
    }
    assert_int_equal(a.failed, 0);
}

static void test_memory__arena_keeps_a_block_over_reset(void **state)
{
    (void)state;
    deja_arena a = {0};
    char *first = deja_arena_dup(&a, "hello", 5);
    assert_string_equal(first, "hello");
    deja_arena_reset(&a);
    failing_alloc_at(1); /* so it must not allocate */
    char *second = deja_arena_dup(&a, "again", 5);
    failing_alloc_at(0);
    assert_ptr_equal(first, second);
    deja_arena_done(&a);
    deja_arena_done(&a);
    deja_arena_done(NULL);
}

static void test_memory__arena_failure_is_sticky_and_harmless(void **state)
{
    (void)state;
    deja_arena a = {0};
    char *kept = deja_arena_dup(&a, "kept", 4);
    failing_alloc_at(1);
    assert_null(deja_arena_alloc(&a, 100000));
    assert_int_equal(failing_alloc_hits, 1);
    failing_alloc_at(0);
    assert_int_equal(a.failed, 1);
    assert_null(deja_arena_alloc(&a, SIZE_MAX));
    assert_null(deja_arena_alloc(&a, SIZE_MAX - 20));
    assert_null(deja_arena_dup(&a, "", SIZE_MAX));
    assert_non_null(deja_arena_alloc(&a, 1));
    assert_string_equal(kept, "kept");
    deja_arena_reset(&a);
    assert_int_equal(a.failed, 0);
    deja_arena_done(&a);
}

static void test_memory__cleanup_gives_back_what_was_not_taken(void **state)
{
    (void)state;
    char *taken;
    {
        DEJA_AUTO_FREE char *kept = deja_strdup("kept");
        DEJA_AUTO_FREE char *moved = deja_strdup("moved");
        assert_non_null(kept);
        taken = deja_take(moved);
        assert_null(moved);
    }
    assert_string_equal(taken, "moved");
    deja_free(taken);
    int fd = dup(0);
    assert_true(fd >= 0);
    {
        DEJA_AUTO_CLOSE int mine = fd;
        int moved = deja_take_fd(mine);
        assert_int_equal(mine, -1);
        assert_int_equal(moved, fd);
        mine = moved;
    }
    assert_int_equal(close(fd), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__zero_bytes_is_an_allocation),
        cmocka_unit_test(test_memory__products_do_not_overflow),
        cmocka_unit_test(test_memory__calloc_is_zeroed),
        cmocka_unit_test(test_memory__dup_adds_a_nul),
        cmocka_unit_test(test_memory__grow_doubles),
        cmocka_unit_test(test_memory__grow_fails_and_keeps_the_array),
        cmocka_unit_test(test_memory__arena_items_are_apart_and_aligned),
        cmocka_unit_test(test_memory__arena_keeps_a_block_over_reset),
        cmocka_unit_test(test_memory__arena_failure_is_sticky_and_harmless),
        cmocka_unit_test(test_memory__cleanup_gives_back_what_was_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
