/* Escaping, UTF-8, columns, nearest words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

static void assert_escape(const char *text, size_t len, const char *expected)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_text_escape(&b, text, len);
    assert_int_equal(b.failed, 0);
    assert_string_equal(deja_buffer_string(&b), expected);
}

#define assert_escapes(text, expected) assert_escape(text, sizeof text - 1, expected)

static void test_text__escape_leaves_text_alone(void **state)
{
    (void)state;
    assert_escapes("", "");
    assert_escapes("plain 'text' \\n", "plain 'text' \\n");
    assert_escapes("Gr\xC3\xBC\xC3\x9F"
                   "e \xE2\x82\xAC \xF0\x9F\x98\x80 \xC2\xA0",
                   "Gr\xC3\xBC\xC3\x9F"
                   "e \xE2\x82\xAC \xF0\x9F\x98\x80 \xC2\xA0");
}

static void test_text__escape_disarms_controls(void **state)
{
    (void)state;
    assert_escapes("a\nb\tc\rd", "a\\nb\\tc\\x0dd");
    assert_escapes("\x1B[31mred\x1B]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07");
    assert_escapes("nul\0del\x7F", "nul\\x00del\\x7f");
    assert_escapes("c1 \xC2\x80 \xC2\x9B"
                   "31m \xC2\x9F",
                   "c1 \\xc2\\x80 \\xc2\\x9b31m \\xc2\\x9f");
}

static void test_text__escape_shows_broken_utf8(void **state)
{
    (void)state;
    assert_escapes("\x9B"
                   "31m",
                   "\\x9b31m"); /* C1 as one byte */
    assert_escapes("\xFF\xFE", "\\xff\\xfe");
    assert_escapes("cut \xE2\x82", "cut \\xe2\\x82");
    assert_escapes("\xC0\x9B overlong", "\\xc0\\x9b overlong");
    assert_escapes("\xE0\x82\x9B", "\\xe0\\x82\\x9b");
    assert_escapes("\xED\xA0\x80 surrogate", "\\xed\\xa0\\x80 surrogate");
    assert_escapes("\xC3(", "\\xc3(");
}

/* Whatever the bytes: printable, valid, and no more than four times as long. */
static void test_text__escape_of_every_pair_is_harmless(void **state)
{
    (void)state;
    for (int i = 0; i < 65536; i++) {
        char pair[2] = {(char)(i >> 8), (char)i};
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        deja_text_escape(&b, pair, 2);
        assert_int_equal(b.failed, 0);
        assert_true(b.len >= 2 && b.len <= 8);
        assert_true(deja_text_is_utf8(b.data, b.len));
        for (size_t k = 0; k < b.len; k++) {
            unsigned char c = (unsigned char)b.data[k];
            assert_true(c >= 0x20 && c != 0x7F);
            assert_false(c == 0xC2 && (unsigned char)b.data[k + 1] < 0xA0);
        }
    }
}

static void test_text__utf8_lengths(void **state)
{
    (void)state;
    assert_int_equal(deja_text_utf8("", 0), 0);
    assert_int_equal(deja_text_utf8("\0", 1), 1);
    assert_int_equal(deja_text_utf8("\xC2\x80", 2), 2);
    assert_int_equal(deja_text_utf8("\xE0\xA0\x80", 3), 3);
    assert_int_equal(deja_text_utf8("\xEF\xBF\xBF", 3), 3);
    assert_int_equal(deja_text_utf8("\xF4\x8F\xBF\xBF", 4), 4);
    assert_int_equal(deja_text_utf8("\xF4\x90\x80\x80", 4), 0);
    assert_int_equal(deja_text_utf8("\xF0\x8F\xBF\xBF", 4), 0);
    assert_int_equal(deja_text_utf8("\xF5\x80\x80\x80", 4), 0);
    assert_int_equal(deja_text_utf8("\xF0\x9F\x98\x80", 3), 0);
    assert_true(deja_text_is_utf8("", 0));
    assert_false(deja_text_is_utf8("ok \x80", 4));
}

#define columns(text) deja_text_columns(text, sizeof text - 1)

static void test_text__columns(void **state)
{
    (void)state;
    assert_int_equal(columns(""), 0);
    assert_int_equal(columns("abc"), 3);
    assert_int_equal(columns("\xC3\xBC\xE2\x82\xAC"), 2);
    assert_int_equal(columns("\xE6\x97\xA5\xE6\x9C\xAC"), 4); /* two ideographs */
    assert_int_equal(columns("\xEF\xBC\xA1"), 2);             /* fullwidth A */
    assert_int_equal(columns("e\xCC\x81"), 1);                /* e with a combining acute */
    assert_int_equal(columns("\xE2\x80\x8B"), 0);             /* zero width space */
    assert_int_equal(columns("\xF0\x9F\x98\x80"), 2);         /* emoji */
    assert_int_equal(columns("\xF0\xA0\x80\x80"), 2);         /* plane 2 */
    assert_int_equal(columns("\xED\x95\x9C"), 2);             /* hangul */
    assert_int_equal(columns("a\xFF"), 2);                    /* not UTF-8 */
}

static void test_text__nearest_word(void **state)
{
    (void)state;
    static const char *const words[] = {"inputs", "outputs", "needs", "env", "run", "matrix", "cwd"};
    size_t n = sizeof words / sizeof *words;
    assert_string_equal(deja_text_nearest("input", words, n), "inputs");
    assert_string_equal(deja_text_nearest("ouptuts", words, n), "outputs");
    assert_string_equal(deja_text_nearest("matirx", words, n), "matrix");
    assert_string_equal(deja_text_nearest("rnu", words, n), "run");
    assert_string_equal(deja_text_nearest("need", words, n), "needs");
    assert_string_equal(deja_text_nearest("needs", words, n), "needs");
    assert_null(deja_text_nearest("timeout", words, n));
    assert_null(deja_text_nearest("xyz", words, n));
    assert_null(deja_text_nearest("x", words, n));
    assert_null(deja_text_nearest("", words, n));
    assert_null(deja_text_nearest("input", words, 0));
}

static void test_text__nearest_takes_the_closest_and_bounds_length(void **state)
{
    (void)state;
    static const char *const words[] = {"abcdxx", "abcdex", "abcdef"};
    assert_string_equal(deja_text_nearest("abcdeg", words, 3), "abcdex");
    assert_string_equal(deja_text_nearest("abcdef", words, 3), "abcdef");
    static const char *const letters[] = {"T", "L"};
    assert_null(deja_text_nearest("q", letters, 2));
    char huge[5000];
    memset(huge, 'a', sizeof huge);
    huge[sizeof huge - 1] = '\0';
    const char *const many[] = {huge, "ab"};
    assert_null(deja_text_nearest(huge, many, 2));
    assert_string_equal(deja_text_nearest("abc", many, 2), "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__escape_leaves_text_alone),
        cmocka_unit_test(test_text__escape_disarms_controls),
        cmocka_unit_test(test_text__escape_shows_broken_utf8),
        cmocka_unit_test(test_text__escape_of_every_pair_is_harmless),
        cmocka_unit_test(test_text__utf8_lengths),
        cmocka_unit_test(test_text__columns),
        cmocka_unit_test(test_text__nearest_word),
        cmocka_unit_test(test_text__nearest_takes_the_closest_and_bounds_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
