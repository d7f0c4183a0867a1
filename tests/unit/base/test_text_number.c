/* Numbers as text and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <deja/clock.h>
#include <deja/text.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_number__whole(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"+7", 7},
                {"007", 7},
                {"-12", -12},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t v = 99;
        assert_int_equal(deja_text_int(good[i].text, &v), 0);
        assert_true(v == good[i].value);
    }
}

static void test_number__not_whole(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "+", "-", " 1", "1 ", "1.0", "0x1", "1e3", "--1", "1-", "one"};
    int64_t v = 99;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(deja_text_int(bad[i], &v), DEJA_ESYNTAX);
    assert_int_equal(deja_text_int("9223372036854775808", &v), DEJA_ELIMIT);
    assert_int_equal(deja_text_int("-9223372036854775809", &v), DEJA_ELIMIT);
    assert_int_equal(deja_text_int("99999999999999999999999999", &v), DEJA_ELIMIT);
    assert_int_equal(deja_text_int("99999999999999999999x", &v), DEJA_ESYNTAX);
    assert_int_equal(v, 99);
}

/* Expected texts are those of Python's repr, without its ".0". */
static void test_number__double_golden(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100000, "100000"},
        {1e15, "1000000000000000"},
        {9007199254740993.0, "9007199254740992"},
        {1e16, "1e+16"},
        {1.2345678901234568e17, "1.2345678901234568e+17"},
        {1e-4, "0.0001"},
        {0.00012345678901234567, "0.00012345678901234567"},
        {1e-5, "1e-05"},
        {1e23, "1e+23"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {-2.2250738585072014e-308, "-2.2250738585072014e-308"},
        {0x1p-44, "5.684341886080802e-14"}, /* the nearest of 16 digits does not read back */
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        deja_text_double(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_number__double_reads_back(void **state)
{
    (void)state;
    uint64_t bits = UINT64_C(0x9E3779B97F4A7C15);
    for (int i = 0; i < 20000; i++) {
        bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t pattern =
            i % 2 ? bits : bits & ~(UINT64_C(0xFFFFFFFF) << (i % 20)); /* short mantissas too */
        double v;
        memcpy(&v, &pattern, sizeof v);
        if (!isfinite(v))
            continue;
        char text[32];
        deja_text_double(v, text);
        double back = strtod(text, NULL);
        assert_memory_equal(&back, &v, sizeof v);
    }
}

static void test_number__bytes(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {{0, "0 B"},        {312, "312 B"},         {999, "999 B"},         {1000, "1 kB"},
                 {1500, "1.5 kB"},  {1524, "1.52 kB"},      {15240, "15.2 kB"},     {152400, "152 kB"},
                 {9994, "9.99 kB"}, {9996, "10 kB"},        {99950, "100 kB"},      {999499, "999 kB"},
                 {999500, "1 MB"},  {1500000000, "1.5 GB"}, {UINT64_MAX, "18.4 EB"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        deja_text_bytes(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_number__duration(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *text;
    } cases[] = {{0, "0 ms"},
                 {-5, "0 ms"},
                 {1500, "2 us"},
                 {499499, "499 us"},
                 {350 * DEJA_MS_NS, "350 ms"},
                 {999 * DEJA_MS_NS, "999 ms"},
                 {DEJA_S_NS - 1, "1.0 s"},
                 {4230 * DEJA_MS_NS, "4.2 s"},
                 {59960 * DEJA_MS_NS, "1m 00s"},
                 {64 * DEJA_S_NS, "1m 04s"},
                 {3600 * DEJA_S_NS - 1, "1h 00m"},
                 {7500 * DEJA_S_NS, "2h 05m"},
                 {100 * 3600 * DEJA_S_NS, "4d 04h"},
                 {INT64_MAX, "106751d 23h"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        deja_text_duration(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number__whole),         cmocka_unit_test(test_number__not_whole),
        cmocka_unit_test(test_number__double_golden), cmocka_unit_test(test_number__double_reads_back),
        cmocka_unit_test(test_number__bytes),         cmocka_unit_test(test_number__duration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
