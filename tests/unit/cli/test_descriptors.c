/*
 * The limit of open descriptors: raised once, and what it was is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "descriptors.h"

static void test_descriptors__the_soft_limit_becomes_the_hard_one(void **state)
{
    (void)state;
    struct rlimit first, low, before = {0}, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &first), 0);
    low = (struct rlimit){.rlim_cur = first.rlim_max / 2, .rlim_max = first.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(descriptors_raise(&before), 1);
    assert_true(before.rlim_cur == low.rlim_cur && before.rlim_max == low.rlim_max);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_true(now.rlim_cur == first.rlim_max && now.rlim_max == first.rlim_max);
    assert_int_equal(descriptors_raise(&now), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &first), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors__the_soft_limit_becomes_the_hard_one),
    };
    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
