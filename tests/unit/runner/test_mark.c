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

/* The number in the mark, -1 where there is none of run `id`. */
static int64_t job_of(const char *environment, const char *id)
{
    mark_search s = {.run_id = id, .id_len = strlen(id)};
    for (const char *c = environment; *c; c++) /* every way to cut it into blocks */
        mark_add(&s, c, 1);
    mark_end(&s);
    return s.found ? (int64_t)s.job : -1;
}

static void test_mark__the_number_of_the_job_is_behind_the_id(void **state)
{
    (void)state;
    assert_int_equal(job_of("DEJA_RUN=x#12", "x"), 12);
    assert_int_equal(job_of("DEJA_RUN=x", "x"), 0);
    assert_int_equal(job_of("DEJA_RUN=a#1:x#20:b#3", "x"), 20);
    assert_int_equal(job_of("DEJA_RUN=a#1:x#20:b#3", "b"), 3);
    assert_int_equal(job_of("DEJA_RUN=a#1:x#20:b#3", "a"), 1);
    assert_int_equal(job_of("DEJA_RUN=a#1:x", "x"), 0);
    assert_int_equal(job_of("DEJA_RUN=xy#1", "x"), -1);
    assert_int_equal(job_of("DEJA_RUN=x#1", "xy"), -1);
    assert_int_equal(job_of("DEJA_RUN=x#1y", "x"), -1);
    assert_int_equal(job_of("DEJA_RUN=#1", "x"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mark__it_is_a_whole_part_of_the_variable),
        cmocka_unit_test(test_mark__the_number_of_the_job_is_behind_the_id),
    };
    return cmocka_run_group_tests_name("mark", tests, NULL, NULL);
}
