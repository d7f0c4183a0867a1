/* JSON read: jobs/json_read.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json.h"
#include "json_read.h"
#include <string.h>

static json_reader reader(const char *text)
{
    return (json_reader){.at = text, .end = text + strlen(text)};
}

static void test_json_read__what_was_written_comes_back(void **state)
{
    (void)state;
    deja_buffer b = {0}, name = {0}, value = {0};
    json_open(&b, NULL, '{');
    json_string(&b, "text", "a\"b\\c\n\x01\xc3\xa9");
    json_bytes(&b, "raw", "\xff\x00z", 3);
    json_int(&b, "n", -42);
    json_seconds(&b, "s", 1500000000);
    json_open(&b, "list", '[');
    json_bytes(&b, NULL, "\xfe", 1);
    json_string(&b, NULL, "x");
    json_close(&b, ']');
    json_null(&b, "none");
    json_close(&b, '}');
    json_reader r = {.at = b.data, .end = b.data + b.len};
    json_enter(&r, '{');
    assert_true(json_next_member(&r, &name));
    json_take_string(&r, &value);
    assert_string_equal(value.data, "a\"b\\c\n\x01\xc3\xa9");
    assert_true(json_next_member(&r, &name));
    assert_string_equal(name.data, "raw_base64");
    json_take_base64(&r, &value);
    assert_int_equal(value.len, 3);
    assert_memory_equal(value.data, "\xff\x00z", 3);
    assert_true(json_next_member(&r, &name));
    assert_int_equal(json_take_int(&r), -42);
    assert_true(json_next_member(&r, &name));
    assert_int_equal(json_take_seconds(&r), 1500000000);
    assert_true(json_next_member(&r, &name));
    json_enter(&r, '[');
    assert_true(json_next_element(&r));
    json_take_string(&r, &value);
    assert_string_equal(value.data, "\xfe");
    assert_true(json_next_element(&r));
    json_take_string(&r, &value);
    assert_string_equal(value.data, "x");
    assert_false(json_next_element(&r));
    assert_true(json_next_member(&r, &name));
    assert_false(json_is_number(&r));
    json_skip(&r);
    assert_false(json_next_member(&r, &name));
    assert_false(r.failed);
    deja_buffer_done(&b);
    deja_buffer_done(&name);
    deja_buffer_done(&value);
}

static void test_json_read__escapes_and_surrogates(void **state)
{
    (void)state;
    deja_buffer b = {0};
    json_reader r = reader("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\/\\b\\f\\r\\t\"");
    json_take_string(&r, &b);
    assert_false(r.failed);
    assert_string_equal(b.data, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\b\f\r\t");
    r = reader("\"\\ud83dx\\ude00\"");
    json_take_string(&r, &b);
    assert_string_equal(b.data, "\xef\xbf\xbdx\xef\xbf\xbd");
    deja_buffer_done(&b);
}

static void test_json_read__numbers_that_are_too_large_stop_at_the_end(void **state)
{
    (void)state;
    json_reader r = reader("99999999999999999999");
    assert_int_equal(json_take_int(&r), INT64_MAX);
    r = reader("99999999999999999999.5");
    assert_true(json_take_seconds(&r) > INT64_MAX / 2);
    r = reader("1e3,");
    assert_int_equal(json_take_int(&r), 1);
    assert_int_equal(*r.at, ',');
    r = reader("\"text\"");
    assert_int_equal(json_take_int(&r), 0);
    assert_false(r.failed);
}

static void test_json_read__any_value_is_passed_over(void **state)
{
    (void)state;
    static const char *const values[] = {
        "{}", "[]", "\"\\\"]\"", "-1.5e7", "null", "true", "{\"a\":[1,{\"b\":null},\"]\"],\"c\":{}}"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        json_reader r = reader(values[i]);
        json_skip(&r);
        assert_false(r.failed);
        assert_ptr_equal(r.at, r.end);
    }
}

/* Takes whatever there is, as a reader of records would. */
static void walk(json_reader *r)
{
    deja_buffer name = {0}, value = {0};
    json_enter(r, '{');
    while (json_next_member(r, &name)) {
        if (*name.data == 's')
            json_take_string(r, &value);
        else if (*name.data == 'n')
            json_take_seconds(r);
        else
            json_skip(r);
    }
    deja_buffer_done(&name);
    deja_buffer_done(&value);
}

static void test_json_read__rubbish_ends_softly(void **state)
{
    (void)state;
    static const char good[] =
        "{\"s\":\"a\\u00e9\\n\",\"n\":1.25,\"x\":[{\"y\":[]},null],\"s2\":{\"base64\":\"/w==\"}}";
    char text[sizeof good];
    json_reader r = reader(good);
    walk(&r);
    assert_false(r.failed);
    for (size_t len = 0; len + 1 < sizeof good; len++) {
        r = (json_reader){.at = good, .end = good + len};
        walk(&r);
        assert_true(r.failed);
    }
    for (size_t at = 0; at + 1 < sizeof good; at++)
        for (int c = 1; c < 256; c++) {
            memcpy(text, good, sizeof good);
            text[at] = (char)c;
            r = (json_reader){.at = text, .end = text + sizeof good - 1};
            walk(&r);
            assert_true(r.at <= r.end);
        }
    memset(text, '[', sizeof text);
    r = (json_reader){.at = text, .end = text + sizeof text};
    json_skip(&r);
    assert_true(r.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_read__what_was_written_comes_back),
        cmocka_unit_test(test_json_read__escapes_and_surrogates),
        cmocka_unit_test(test_json_read__numbers_that_are_too_large_stop_at_the_end),
        cmocka_unit_test(test_json_read__any_value_is_passed_over),
        cmocka_unit_test(test_json_read__rubbish_ends_softly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
