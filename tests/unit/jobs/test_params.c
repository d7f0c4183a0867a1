/* The parameters of an instance: jobs/params.h. */
#include "batch_fixture.h"
#include "params.h"

static const char text[] = "version: 1\n"
                           "jobs:\n"
                           "  a: {matrix: {n: [1, 2], c: [x, y]}, run: \"echo ${{ n }} ${{ c }}\"}\n"
                           "  b: {run: echo b}\n";

static void test_params__are_sorted_by_name(void **state)
{
    (void)state;
    batch *b = load(text);
    params p = {.count = 0};
    assert_int_equal(batch_expand(b, &b->jobs[0], NULL), 0);
    params_of(&p, &b->jobs[0], 1); /* n=1, c=y */
    assert_int_equal(p.count, 2);
    assert_string_equal(p.items[0].name, "c");
    assert_string_equal(p.items[0].value, "y");
    assert_string_equal(p.items[1].name, "n");
    assert_string_equal(p.items[1].value, "1");
    params_of(&p, &b->jobs[1], 0);
    assert_int_equal(p.count, 0);
    assert_int_equal(params_hash(&p), 0);
    params_done(&p);
    batch_free(b);
}

static void test_params__the_hash_tells_names_from_values(void **state)
{
    (void)state;
    const params lists[] = {
        {.items = {{"a", "b"}}, .count = 1},
        {.items = {{"b", "a"}}, .count = 1},
        {.items = {{"a", "b"}, {"c", "d"}}, .count = 2},
        {.items = {{"a", ""}, {"c", "d"}}, .count = 2},
        {.items = {{"a", ""}}, .count = 1},
    };
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(params_hash(&lists[i]), params_hash(&lists[j]));
}

static double apart(const char *a, const char *b)
{
    const param x = {"n", a}, y = {"n", b};
    return params_distance(&x, 1, &y, 1);
}

static void test_params__numbers_are_near_or_far_texts_are_equal_or_not(void **state)
{
    (void)state;
    assert_true(apart("4", "4") == 0);
    assert_true(apart("4", "5") < apart("4", "6"));
    assert_true(apart("-4", "4") == 1);
    assert_true(apart("1e308", "-1e308") == 1);
    assert_true(apart("0", "-0.0") == 0);
    assert_true(apart("nan", "inf") == 1);
    assert_true(apart("4x", "4") == 1);
    assert_true(apart("", "4") == 1);
}

static void test_params__a_name_that_one_lacks_counts(void **state)
{
    (void)state;
    const param ab[] = {{"a", "1"}, {"b", "2"}}, b[] = {{"b", "2"}}, c[] = {{"c", "2"}};
    assert_true(params_distance(ab, 2, b, 1) == 1);
    assert_true(params_distance(b, 1, ab, 2) == 1);
    assert_true(params_distance(ab, 2, c, 1) == 3);
    assert_true(params_distance(ab, 0, b, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_params__are_sorted_by_name, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_params__the_hash_tells_names_from_values),
        cmocka_unit_test(test_params__numbers_are_near_or_far_texts_are_equal_or_not),
        cmocka_unit_test(test_params__a_name_that_one_lacks_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
