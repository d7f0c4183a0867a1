/* Durations and sizes as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <deja/clock.h>
#include <deja/quantity.h>
#include <string.h>

static void test_quantity__durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {{"300 ms", 300 * DEJA_MS_NS},
                 {"300ms", 300 * DEJA_MS_NS},
                 {"10s", 10 * DEJA_S_NS},
                 {"10", 10 * DEJA_S_NS},
                 {"5m", 300 * DEJA_S_NS},
                 {"2h", 7200 * DEJA_S_NS},
                 {"1d", 86400 * DEJA_S_NS},
                 {"1.5h", 5400 * DEJA_S_NS},
                 {"1h30m", 5400 * DEJA_S_NS},
                 {"1d2h3m4s5ms6us", INT64_C(93784005006000)},
                 {"1h500ms", 3600 * DEJA_S_NS + 500 * DEJA_MS_NS},
                 {"0.25", DEJA_S_NS / 4},
                 {"0.1us", 100},
                 {"0", 0},
                 {"106751d", DEJA_S_NS * 86400 * 106751}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ns = -1;
        assert_int_equal(deja_parse_duration(cases[i].text, &ns, NULL), 0);
        assert_true(ns == cases[i].value);
    }
}

static void test_quantity__no_durations(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "s",   ".",   "-1s",  "+1s",  "1x",    "1 min",
                                      "1  s", " 1",  "1s ", "1..5", "1e3",  "1h1h",  "1m1h",
                                      "1h5",  "ten", "1S",  "1,5s", "0x10", "1h-5m", "99999999999999999999"};
    int64_t ns = -1;
    deja_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(deja_parse_duration(bad[i], &ns, &err), DEJA_ESYNTAX);
        assert_non_null(strstr(err.text, "is no duration"));
    }
    assert_int_equal(deja_parse_duration("106752d", &ns, &err), DEJA_ELIMIT);
    assert_int_equal(deja_parse_duration("999999999999d23h", &ns, &err), DEJA_ELIMIT);
    assert_int_equal(ns, -1);
}

static void test_quantity__sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {{"0", 0},
                 {"512", 512},
                 {"512B", 512},
                 {"2GB", UINT64_C(2000000000)},
                 {"2gb", UINT64_C(2000000000)},
                 {"2 GB", UINT64_C(2000000000)},
                 {"500MB", 500000000},
                 {"1GiB", UINT64_C(1) << 30},
                 {"1G", UINT64_C(1) << 30},
                 {"1k", 1024},
                 {"1kB", 1000},
                 {"1.5KiB", 1536},
                 {"0.1B", 1},
                 {"1PiB", UINT64_C(1) << 50}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t bytes = 99;
        assert_int_equal(deja_parse_bytes(cases[i].text, &bytes, NULL), 0);
        assert_true(bytes == cases[i].value);
    }
}

static void test_quantity__no_sizes(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "GB",  "-1",     "1XB",   "1 GB ",
                                      "1GBs", "1e9", "1GB1MB", "1,5GB", "1/2"};
    uint64_t bytes = 99;
    deja_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(deja_parse_bytes(bad[i], &bytes, &err), DEJA_ESYNTAX);
        assert_non_null(strstr(err.text, "is no size"));
    }
    assert_int_equal(deja_parse_bytes("9000PiB", &bytes, &err), DEJA_ELIMIT);
    assert_int_equal(bytes, 99);
}

static void test_quantity__shown_reads_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"0s",    "10m",   "1h30m",           "1.5s",
                                        "250ms", "7us",   "1d2h3m4.005006s", "59s",
                                        "1m1s",  "1h1ms", "2.05s",           "106751d23h47m16.854775s"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char shown[32];
        int64_t ns = -1;
        assert_int_equal(deja_parse_duration(texts[i], &ns, NULL), 0);
        deja_show_duration(ns, shown);
        assert_string_equal(shown, texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantity__durations),
        cmocka_unit_test(test_quantity__no_durations),
        cmocka_unit_test(test_quantity__sizes),
        cmocka_unit_test(test_quantity__no_sizes),
        cmocka_unit_test(test_quantity__shown_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
