/* Moments as text: jobs/stamp.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stamp.h"
#include <deja/clock.h>
#include <time.h>

static void test_stamp__agrees_with_gmtime(void **state)
{
    (void)state;
    /* a prime number of seconds: all days of four centuries, at all times of day */
    for (int64_t second = 0; second < INT64_C(9200000000); second += 86399 - 12) {
        time_t t = (time_t)second;
        struct tm tm;
        stamp s;
        assert_non_null(gmtime_r(&t, &tm));
        stamp_of(second * DEJA_S_NS + 7 * DEJA_MS_NS, &s);
        if (s.year != tm.tm_year + 1900 || s.month != tm.tm_mon + 1 || s.day != tm.tm_mday ||
            s.hour != tm.tm_hour || s.minute != tm.tm_min || s.second != tm.tm_sec || s.millisecond != 7)
            fail_msg("second %lld", (long long)second);
    }
}

static void test_stamp__known_moments(void **state)
{
    static const struct {
        int64_t second;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},          {951782400, "2000-02-29T00:00:00Z"},
        {1795166609, "2026-11-20T09:23:29Z"}, {4107542399, "2100-02-28T23:59:59Z"},
        {4107542400, "2100-03-01T00:00:00Z"}, {-1, "1970-01-01T00:00:00Z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        deja_buffer b = {0};
        stamp_add(&b, cases[i].second * DEJA_S_NS);
        assert_string_equal(deja_buffer_string(&b), cases[i].text);
        deja_buffer_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamp__agrees_with_gmtime),
        cmocka_unit_test(test_stamp__known_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
