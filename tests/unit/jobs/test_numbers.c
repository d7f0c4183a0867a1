/* numbers.h: a set of numbers, and the least one in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "numbers.h"
#include <deja/error.h>
#include <stdlib.h>
#include <string.h>

static void expect_next(const numbers *s, uint32_t from, int64_t number)
{
    uint32_t got = 0;
    assert_int_equal(numbers_next(s, from, &got), number >= 0);
    if (number >= 0)
        assert_int_equal(got, number);
}

static void test_numbers__the_least_from_a_number_on(void **state)
{
    (void)state;
    numbers s;
    assert_int_equal(numbers_init(&s, 1000000), 0);
    expect_next(&s, 0, -1);
    assert_int_equal(numbers_add(&s, 999999), 1);
    expect_next(&s, 0, 999999);
    assert_int_equal(numbers_add(&s, 4096), 1);
    assert_int_equal(numbers_add(&s, 4096), 0);
    expect_next(&s, 0, 4096);
    expect_next(&s, 4096, 4096);
    expect_next(&s, 4097, 999999);
    assert_int_equal(s.count, 2);
    assert_int_equal(numbers_remove(&s, 4096), 1);
    assert_int_equal(numbers_remove(&s, 4096), 0);
    expect_next(&s, 0, 999999);
    expect_next(&s, 1000000, -1);
    numbers_done(&s);
}

static void compare(const numbers *s, const uint8_t *there, uint32_t limit)
{
    int64_t next = -1;
    uint32_t count = 0;
    for (uint32_t i = limit; i-- > 0;) {
        next = there[i] ? (int64_t)i : next;
        count += there[i];
        assert_int_equal(numbers_has(s, i), there[i]);
        expect_next(s, i, next);
    }
    assert_int_equal(s->count, count);
}

static void test_numbers__agrees_with_an_array(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 2, 63, 64, 65, 127, 4095, 4096, 4097, 5000};
    uint8_t there[5000];
    srand(7);
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++)
        for (int full = 0; full < 2; full++) {
            numbers s;
            assert_int_equal(numbers_init(&s, limits[l]), 0);
            memset(there, full, sizeof there);
            for (uint32_t i = 0; full && i < limits[l]; i++)
                assert_int_equal(numbers_add(&s, i), 1);
            for (uint32_t i = 0; i < 2 * limits[l]; i++) {
                uint32_t at = (uint32_t)rand() % limits[l];
                int add = rand() % 2, changes = there[at] != add;
                assert_int_equal(add ? numbers_add(&s, at) : numbers_remove(&s, at), changes);
                there[at] = (uint8_t)add;
            }
            compare(&s, there, limits[l]);
            numbers_done(&s);
        }
}

static void test_numbers__none_at_all(void **state)
{
    (void)state;
    numbers s;
    assert_int_equal(numbers_init(&s, 0), 0);
    expect_next(&s, 0, -1);
    numbers_done(&s);
    numbers_done(&s);
    failing_alloc_at(1);
    assert_int_equal(numbers_init(&s, 10), DEJA_ENOMEM);
    failing_alloc_at(0);
    numbers_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers__the_least_from_a_number_on),
        cmocka_unit_test(test_numbers__agrees_with_an_array),
        cmocka_unit_test(test_numbers__none_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
