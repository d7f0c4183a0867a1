/* names.h: a table from names to numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "names.h"
#include <deja/error.h>
#include <stdio.h>
#include <string.h>

enum { MANY = 5000 };

static char many[MANY][8];

static void name_many(void)
{
    for (unsigned i = 0; i < MANY; i++)
        snprintf(many[i], sizeof many[i], "n%u", i);
}

static void assert_value(const name_table *t, const char *name, size_t len, uint32_t value)
{
    const uint32_t *have = name_table_get(t, name, len);
    assert_non_null(have);
    assert_int_equal(*have, value);
}

static void test_names__zeroed_memory_is_an_empty_table(void **state)
{
    (void)state;
    name_table t = {0};
    assert_null(name_table_get(&t, "a", 1));
    assert_null(name_table_get(&t, "", 0));
    name_table_clear(&t);
    name_table_done(&t);
}

static void test_names__are_bytes_of_a_length(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t len;
    } names[] = {{"", 0}, {"a", 1}, {"ab", 2}, {"a\0b", 3}, {"a\0c", 3}, {"a\0", 2}};
    enum { COUNT = sizeof names / sizeof *names };
    name_table t = {0};
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_null(name_table_get(&t, names[i].name, names[i].len));
        assert_int_equal(name_table_put(&t, names[i].name, names[i].len, i + 7), 0);
    }
    assert_int_equal(t.count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_value(&t, names[i].name, names[i].len, i + 7);
    assert_value(&t, "abc", 2, 9); /* no NUL is looked for */
    name_table_done(&t);
    assert_null(name_table_get(&t, "a", 1));
}

static void test_names__a_name_gets_a_new_value(void **state)
{
    (void)state;
    name_table t = {0};
    assert_int_equal(name_table_put(&t, "a", 1, 0), 0);
    assert_value(&t, "a", 1, 0);
    assert_int_equal(name_table_put(&t, "a", 1, UINT32_MAX), 0);
    assert_value(&t, "a", 1, UINT32_MAX);
    assert_int_equal(t.count, 1);
    name_table_done(&t);
}

static void test_names__all_stay_while_the_table_grows(void **state)
{
    (void)state;
    name_table t = {0};
    name_many();
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(name_table_put(&t, many[i], strlen(many[i]), i), 0);
        assert_true(t.count * 2 <= t.size + 2);
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_value(&t, many[i], strlen(many[i]), i);
    assert_null(name_table_get(&t, "n5000", 5));
    name_table_done(&t);
}

/* From the longest on, so that each meets those that begin with it. */
static void test_names__one_may_begin_another(void **state)
{
    (void)state;
    enum { LENGTH = 500 };
    char text[LENGTH];
    name_table t = {0};
    memset(text, 'a', sizeof text);
    for (uint32_t len = LENGTH; len > 0; len--)
        assert_int_equal(name_table_put(&t, text, len, len), 0);
    assert_int_equal(t.count, LENGTH);
    for (uint32_t len = 1; len <= LENGTH; len++)
        assert_value(&t, text, len, len);
    name_table_done(&t);
}

static void test_names__clearing_keeps_the_memory(void **state)
{
    (void)state;
    name_table t = {0};
    name_many();
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(name_table_put(&t, many[i], strlen(many[i]), i), 0);
    name_table_clear(&t);
    assert_int_equal(t.count, 0);
    assert_null(name_table_get(&t, "n1", 2));
    failing_alloc_at(1);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(name_table_put(&t, many[i], strlen(many[i]), 100 - i), 0);
    assert_int_equal(failing_alloc_hits, 0);
    failing_alloc_at(0);
    assert_value(&t, "n1", 2, 99);
    name_table_done(&t);
}

static void test_names__lack_of_memory_loses_no_name(void **state)
{
    (void)state;
    name_table t = {0};
    uint32_t added = 0;
    name_many();
    for (int failures = 0; failures < 4; added++) {
        failing_alloc_at(1);
        int status = name_table_put(&t, many[added], strlen(many[added]), added);
        failures += status != 0;
        failing_alloc_at(0);
        if (status == 0)
            continue;
        assert_int_equal(status, DEJA_ENOMEM);
        assert_null(name_table_get(&t, many[added], strlen(many[added])));
        for (uint32_t i = 0; i < added; i++)
            assert_value(&t, many[i], strlen(many[i]), i);
        assert_int_equal(name_table_put(&t, many[added], strlen(many[added]), added), 0);
    }
    name_table_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names__zeroed_memory_is_an_empty_table),
        cmocka_unit_test(test_names__are_bytes_of_a_length),
        cmocka_unit_test(test_names__a_name_gets_a_new_value),
        cmocka_unit_test(test_names__all_stay_while_the_table_grows),
        cmocka_unit_test(test_names__one_may_begin_another),
        cmocka_unit_test(test_names__clearing_keeps_the_memory),
        cmocka_unit_test(test_names__lack_of_memory_loses_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
