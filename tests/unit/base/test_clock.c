/* The clock: system's and replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <deja/clock.h>
#include <time.h>

static int64_t later(void *context)
{
    return ++*(int64_t *)context;
}

static int64_t fixed(void *context)
{
    (void)context;
    return -5 * DEJA_S_NS;
}

static void test_clock__monotonic_never_steps_back(void **state)
{
    (void)state;
    int64_t before = deja_monotonic_ns(NULL);
    for (int i = 0; i < 1000; i++) {
        int64_t now = deja_monotonic_ns(NULL);
        assert_true(now >= before);
        before = now;
    }
}

static void test_clock__wall_is_the_time_of_day(void **state)
{
    (void)state;
    int64_t low = (int64_t)time(NULL) - 1;
    int64_t now = deja_wall_ns(NULL) / DEJA_S_NS;
    assert_in_range(now, low, (int64_t)time(NULL) + 1);
}

static void test_clock__can_be_replaced(void **state)
{
    (void)state;
    int64_t ticks = 41;
    deja_clock clock = {.monotonic_ns = later, .wall_ns = fixed, .context = &ticks};
    assert_int_equal(deja_monotonic_ns(&clock), 42);
    assert_int_equal(deja_monotonic_ns(&clock), 43);
    assert_true(deja_wall_ns(&clock) == -5 * DEJA_S_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock__monotonic_never_steps_back),
        cmocka_unit_test(test_clock__wall_is_the_time_of_day),
        cmocka_unit_test(test_clock__can_be_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
