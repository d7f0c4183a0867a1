/* JSON appended to a buffer: jobs/json.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json.h"

#define ASSERT_TEXT(b, expected) assert_string_equal(deja_buffer_string(b), expected)

static void test_json__commas_are_put_between_members(void **state)
{
    (void)state;
    deja_buffer b = {0};
    json_open(&b, NULL, '{');
    json_word(&b, "a", "x");
    json_int(&b, "b", -12);
    json_open(&b, "c", '[');
    json_int(&b, NULL, 1);
    json_null(&b, NULL);
    json_open(&b, NULL, '{');
    json_close(&b, '}');
    json_bool(&b, NULL, 1);
    json_close(&b, ']');
    json_name(&b, "d", 1);
    json_bool(&b, NULL, 0);
    json_close(&b, '}');
    ASSERT_TEXT(&b, "{\"a\":\"x\",\"b\":-12,\"c\":[1,null,{},true],\"d\":false}");
    deja_buffer_done(&b);
}

static void test_json__lines_follow_each_other_without_a_comma(void **state)
{
    (void)state;
    deja_buffer b = {0};
    for (int i = 0; i < 2; i++) {
        json_open(&b, NULL, '{');
        json_close(&b, '}');
        deja_buffer_add_char(&b, '\n');
    }
    ASSERT_TEXT(&b, "{}\n{}\n");
    deja_buffer_done(&b);
}

static void test_json__what_a_terminal_acts_upon_is_escaped(void **state)
{
    (void)state;
    deja_buffer b = {0};
    json_string(&b, "k", "a\"\\\n\t\r\x01\x1b[m\x7f \xc2\x9b \xc2\xa0 \xc3\xa9 \xf0\x9f\x98\x80");
    ASSERT_TEXT(
        &b, "\"k\":\"a\\\"\\\\\\n\\t\\r\\u0001\\u001b[m\\u007f \\u009b \xc2\xa0 \xc3\xa9 \xf0\x9f\x98\x80\"");
    deja_buffer_done(&b);
}

static void test_json__bytes_that_are_not_utf8_are_base64(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *expected;
    } cases[] = {
        {"\xff", 1, "\"k_base64\":\"/w==\""},
        {"\xff\0", 2, "\"k_base64\":\"/wA=\""},
        {"\xff\0x", 3, "\"k_base64\":\"/wB4\""},
        {"\xc2", 1, "\"k_base64\":\"wg==\""},
        {"\xed\xa0\x80", 3, "\"k_base64\":\"7aCA\""}, /* a surrogate */
        {"\0", 1, "\"k\":\"\\u0000\""},
        {"", 0, "\"k\":\"\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        deja_buffer b = {0};
        json_bytes(&b, "k", cases[i].bytes, cases[i].len);
        ASSERT_TEXT(&b, cases[i].expected);
        deja_buffer_done(&b);
    }
}

static void test_json__base64_in_a_list_is_an_object(void **state)
{
    (void)state;
    deja_buffer b = {0};
    json_open(&b, NULL, '[');
    json_bytes(&b, NULL, "x", 1);
    json_bytes(&b, NULL, "\xff", 1);
    json_close(&b, ']');
    ASSERT_TEXT(&b, "[\"x\",{\"base64\":\"/w==\"}]");
    deja_buffer_done(&b);
}

static void test_json__a_name_is_always_valid(void **state)
{
    (void)state;
    deja_buffer b = {0};
    json_open(&b, NULL, '{');
    json_name(&b, "a\xff\"b", 4);
    json_int(&b, NULL, 1);
    json_close(&b, '}');
    ASSERT_TEXT(&b, "{\"a\\ufffd\\\"b\":1}");
    deja_buffer_done(&b);
}

static void test_json__numbers_at_their_ends(void **state)
{
    (void)state;
    deja_buffer b = {0};
    json_open(&b, NULL, '[');
    json_int(&b, NULL, INT64_MIN);
    json_int(&b, NULL, INT64_MAX);
    json_int(&b, NULL, 0);
    json_close(&b, ']');
    ASSERT_TEXT(&b, "[-9223372036854775808,9223372036854775807,0]");
    deja_buffer_done(&b);
}

static void test_json__seconds_are_exact_and_short(void **state)
{
    static const struct {
        int64_t ns;
        const char *expected;
    } cases[] = {
        {0, "\"t\":0"},          {1, "\"t\":0.000000001"},         {1500000000, "\"t\":1.5"},
        {1000000000, "\"t\":1"}, {1234567890, "\"t\":1.23456789"}, {INT64_MAX, "\"t\":9223372036.854775807"},
        {-5, "\"t\":0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        deja_buffer b = {0};
        json_seconds(&b, "t", cases[i].ns);
        ASSERT_TEXT(&b, cases[i].expected);
        deja_buffer_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__commas_are_put_between_members),
        cmocka_unit_test(test_json__lines_follow_each_other_without_a_comma),
        cmocka_unit_test(test_json__what_a_terminal_acts_upon_is_escaped),
        cmocka_unit_test(test_json__bytes_that_are_not_utf8_are_base64),
        cmocka_unit_test(test_json__base64_in_a_list_is_an_object),
        cmocka_unit_test(test_json__a_name_is_always_valid),
        cmocka_unit_test(test_json__numbers_at_their_ends),
        cmocka_unit_test(test_json__seconds_are_exact_and_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
