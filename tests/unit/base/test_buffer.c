/* The growing buffer and the reader over bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"

#include <deja/cleanup.h>
#include <string.h>

static void test_buffer__starts_as_an_empty_string(void **state)
{
    (void)state;
    deja_buffer b = {0};
    assert_string_equal(deja_buffer_string(&b), "");
    assert_null(deja_buffer_take(&b));
    deja_buffer_clear(&b);
    deja_buffer_done(&b);
    deja_buffer_done(NULL);
}

static void test_buffer__appends(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, "one");
    deja_buffer_add_char(&b, ' ');
    deja_buffer_add(&b, "two\0", 4);
    deja_buffer_addf(&b, "%d-%s", 3, "four");
    deja_buffer_add(&b, NULL, 0);
    assert_int_equal(b.failed, 0);
    assert_int_equal(b.len, 14);
    assert_memory_equal(b.data, "one two\0003-four", 15);
    deja_buffer_clear(&b);
    assert_int_equal(b.len, 0);
    assert_string_equal(deja_buffer_string(&b), "");
}

/* Each length around the capacities, so that the formatted text fits exactly, by one, or not. */
static void test_buffer__formats_any_length(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'y', sizeof text);
    for (int len = 0; len < 300; len++) {
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        deja_buffer_addf(&b, "%.*s", len, text);
        deja_buffer_addf(&b, "|%.*s", len, text);
        assert_int_equal(b.len, 2 * (size_t)len + 1);
        assert_int_equal(strlen(deja_buffer_string(&b)), b.len);
        assert_int_equal(b.data[len], '|');
    }
}

static void test_buffer__reserved_room_is_written_by_the_caller(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, "ab");
    char *at = deja_buffer_reserve(&b, 1000);
    assert_non_null(at);
    assert_int_equal(b.len, 2);
    memset(at, 'z', 1000);
    b.len += 3;
    assert_string_equal(deja_buffer_string(&b), "abzzz");
}

static void test_buffer__take_moves_the_content_out(void **state)
{
    (void)state;
    deja_buffer b = {0};
    deja_buffer_add_string(&b, "mine");
    char *taken = deja_buffer_take(&b);
    assert_string_equal(taken, "mine");
    assert_null(b.data);
    assert_int_equal(b.cap, 0);
    deja_free(taken);
}

static void test_buffer__failure_is_sticky(void **state)
{
    (void)state;
    deja_buffer b = {0};
    deja_buffer_add_string(&b, "kept");
    char text[500];
    memset(text, 'x', sizeof text);
    failing_alloc_at(1);
    deja_buffer_add(&b, text, sizeof text);
    failing_alloc_at(0);
    assert_int_equal(b.failed, 1);
    assert_string_equal(deja_buffer_string(&b), "kept");
    deja_buffer_add_string(&b, "ignored");
    deja_buffer_addf(&b, "%d", 1);
    deja_buffer_add_u64(&b, 1);
    assert_null(deja_buffer_reserve(&b, 1));
    assert_string_equal(deja_buffer_string(&b), "kept");
    assert_null(deja_buffer_take(&b));
    assert_int_equal(b.failed, 0);
    deja_buffer_done(&b);
}

static void test_buffer__format_failure_leaves_no_part(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, "kept");
    failing_alloc_at(1);
    deja_buffer_addf(&b, "%0500d", 7);
    failing_alloc_at(0);
    assert_int_equal(b.failed, 1);
    assert_int_equal(b.len, 4);
    assert_string_equal(b.data, "kept");
    deja_buffer_clear(&b);
    assert_int_equal(b.failed, 0);
    deja_buffer_add_string(&b, "works again");
    assert_string_equal(deja_buffer_string(&b), "works again");
}

static void test_buffer__impossible_sizes_fail(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_char(&b, 'a');
    assert_null(deja_buffer_reserve(&b, SIZE_MAX));
    assert_int_equal(b.failed, 1);
    deja_buffer_clear(&b);
    failing_alloc_at(1); /* so that a sanitizer's allocator is not asked */
    assert_null(deja_buffer_reserve(&b, SIZE_MAX - 1));
    failing_alloc_at(0);
    assert_int_equal(b.failed, 1);
}

static void test_buffer__integers_are_little_endian(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_u32(&b, UINT32_C(0x80000201));
    deja_buffer_add_u64(&b, UINT64_C(0x8877665544332211));
    assert_memory_equal(b.data, "\x01\x02\x00\x80\x11\x22\x33\x44\x55\x66\x77\x88", 12);
    deja_reader r = {.data = (const unsigned char *)b.data, .len = b.len};
    assert_int_equal(deja_read_u32(&r), UINT32_C(0x80000201));
    assert_true(deja_read_u64(&r) == UINT64_C(0x8877665544332211));
    assert_int_equal(r.at, 12);
    assert_int_equal(r.failed, 0);
}

static void test_reader__fails_softly_past_the_end(void **state)
{
    (void)state;
    deja_reader r = {.data = (const unsigned char *)"abcde", .len = 5};
    assert_int_equal(deja_read_u8(&r), 'a');
    assert_memory_equal(deja_read_bytes(&r, 2), "bc", 2);
    assert_int_equal(deja_read_u32(&r), 0);
    assert_int_equal(r.failed, 1);
    assert_int_equal(deja_read_u8(&r), 0); /* though a byte is left */
    assert_true(deja_read_u64(&r) == 0);
    deja_reader huge = {.data = (const unsigned char *)"x", .len = 1, .at = 1};
    assert_null(deja_read_bytes(&huge, SIZE_MAX));
    assert_int_equal(huge.failed, 1);
    deja_reader none = {0};
    assert_int_equal(deja_read_u8(&none), 0);
    assert_int_equal(none.failed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer__starts_as_an_empty_string),
        cmocka_unit_test(test_buffer__appends),
        cmocka_unit_test(test_buffer__formats_any_length),
        cmocka_unit_test(test_buffer__reserved_room_is_written_by_the_caller),
        cmocka_unit_test(test_buffer__take_moves_the_content_out),
        cmocka_unit_test(test_buffer__failure_is_sticky),
        cmocka_unit_test(test_buffer__format_failure_leaves_no_part),
        cmocka_unit_test(test_buffer__impossible_sizes_fail),
        cmocka_unit_test(test_buffer__integers_are_little_endian),
        cmocka_unit_test(test_reader__fails_softly_past_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
