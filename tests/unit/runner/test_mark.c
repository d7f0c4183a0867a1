/*
 * The mark in an environment.
 */
#include "commands.h"
#include "mark.h"

#define MARKED(environment, id) mark_is_in(environment, sizeof(environment), id)

static void test_mark__it_is_a_whole_part_of_the_variable(void **state)
{
    (void)state;
    assert_true(MARKED("A=1\0DEJA_RUN=x\0B=2", "x"));
    assert_true(MARKED("DEJA_RUN=x", "x"));
    assert_true(MARKED("DEJA_RUN=a:x:b", "x"));
    assert_true(MARKED("DEJA_RUN=a:x", "a"));
    assert_true(MARKED("DEJA_RUN=\0DEJA_RUN=x", "x"));
    assert_false(MARKED("DEJA_RUN=xy", "x"));
    assert_false(MARKED("DEJA_RUN=yx", "x"));
    assert_false(MARKED("DEJA_RUN=", "x"));
    assert_false(MARKED("DEJA_RUN", "x"));
    assert_false(MARKED("DEJA_RUNS=x", "x"));
    assert_false(MARKED("XDEJA_RUN=x", "x"));
    assert_false(MARKED("A=DEJA_RUN=x", "x"));
    assert_false(MARKED("A=b:x\0B=x", "x"));
    assert_false(MARKED("", "x"));
    assert_true(mark_is_in("DEJA_RUN=xy", strlen("DEJA_RUN=xy"), "xy"));
    assert_false(mark_is_in("DEJA_RUN=xy", strlen("DEJA_RUN=x"), "xy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mark__it_is_a_whole_part_of_the_variable),
    };
    return cmocka_run_group_tests_name("mark", tests, NULL, NULL);
}
