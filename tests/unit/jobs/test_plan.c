/* plan.h: what may start when. */
#include "batch_fixture.h"

#include "plan.h"

static plan *open_plan(batch *b, const uint8_t *selected)
{
    plan *p;
    deja_error err;
    if (plan_open(&p, b, selected, &err) < 0)
        fail_msg("%s", err.text);
    return p;
}

/* Takes the next one, which must be instance `index` of `name`. */
static plan_ready expect(plan *p, const char *name, uint32_t index)
{
    plan_ready ready;
    assert_int_equal(plan_next(p, &ready), 1);
    assert_string_equal(ready.def->name, name);
    assert_int_equal(ready.index, index);
    return ready;
}

static void expect_none(plan *p)
{
    plan_ready ready;
    assert_int_equal(plan_next(p, &ready), 0);
}

static void test_plan__hands_out_in_batch_order(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, matrix: {n: [1, 2]}}\n  b: {run: x}\n");
    plan *p = open_plan(b, NULL);
    expect(p, "a", 0);
    expect(p, "a", 1);
    expect(p, "b", 0);
    expect_none(p);
    int unexpanded;
    assert_int_equal(plan_total(p, &unexpanded), 3);
    assert_int_equal(unexpanded, 0);
    plan_close(p);
    batch_free(b);
}

static void test_plan__waits_for_all_instances_of_a_needed_job(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  last: {run: x, needs: a}\n  a: {run: x, matrix: {n: [1, 2]}}\n");
    plan *p = open_plan(b, NULL);
    plan_ready one = expect(p, "a", 0), two = expect(p, "a", 1);
    expect_none(p);
    plan_settle(p, two.def, two.index, PLAN_LEFT, NULL);
    expect_none(p);
    assert_false(plan_finished(p));
    plan_settle(p, one.def, one.index, PLAN_LEFT, NULL);
    plan_ready last = expect(p, "last", 0);
    assert_null(last.blocked_by);
    assert_false(plan_finished(p));
    plan_settle(p, last.def, last.index, PLAN_LEFT, NULL);
    assert_true(plan_finished(p));
    plan_close(p);
    batch_free(b);
}

static void test_plan__failure_blocks_what_needs_it_and_nothing_else(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x}\n  b: {run: x, needs: a}\n  c: {run: x, needs: b}\n  "
                    "d: {run: x}\n");
    plan *p = open_plan(b, NULL);
    plan_ready a = expect(p, "a", 0);
    assert_null(expect(p, "d", 0).blocked_by);
    plan_settle(p, a.def, 0, PLAN_FAILED, NULL);
    plan_ready blocked = expect(p, "b", 0);
    assert_string_equal(blocked.blocked_by->name, "a");
    plan_settle(p, blocked.def, 0, PLAN_FAILED, NULL);
    assert_string_equal(expect(p, "c", 0).blocked_by->name, "b");
    plan_close(p);
    batch_free(b);
}

static void test_plan__left_depends_on_every_instance_in_order(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, matrix: {n: [1, 2]}}\n  b: {run: x, needs: a}\n");
    deja_hash one = deja_hash_bytes("1", 1), two = deja_hash_bytes("2", 1), seen[2];
    for (int swap = 0; swap < 2; swap++) {
        plan *p = open_plan(b, NULL);
        plan_ready first = expect(p, "a", 0), second = expect(p, "a", 1);
        plan_settle(p, second.def, second.index, PLAN_LEFT, swap ? &one : &two);
        plan_settle(p, first.def, first.index, PLAN_LEFT, swap ? &two : &one);
        seen[swap] = plan_left(p, first.def);
        plan_close(p);
    }
    assert_false(deja_hash_equal(&seen[0], &seen[1]));
    batch_free(b);
}

static void test_plan__selects_a_job_with_all_it_needs(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x}\n  b: {run: x, needs: a}\n  c: {run: x}\n");
    plan *p = open_plan(b, (const uint8_t[]){0, 1, 0});
    plan_ready a = expect(p, "a", 0);
    expect_none(p);
    plan_settle(p, a.def, 0, PLAN_LEFT, NULL);
    plan_ready last = expect(p, "b", 0);
    plan_settle(p, last.def, 0, PLAN_LEFT, NULL);
    assert_true(plan_finished(p));
    expect_none(p);
    plan_close(p);
    batch_free(b);
}

static void test_plan__an_input_that_is_an_output_is_an_edge(void **state)
{
    (void)state;
    batch *b =
        load("version: 1\njobs:\n  use: {run: x, inputs: [made]}\n  make: {run: x, outputs: [made]}\n");
    plan *p = open_plan(b, (const uint8_t[]){1, 0});
    plan_ready make = expect(p, "make", 0);
    expect_none(p);
    plan_settle(p, make.def, 0, PLAN_LEFT, NULL);
    expect(p, "use", 0);
    plan_close(p);
    batch_free(b);
}

static void test_plan__standard_input_that_is_an_output_is_an_edge(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  use: {run: x, stdin: made}\n  make: {run: x, outputs: [made]}\n");
    plan *p = open_plan(b, NULL);
    expect(p, "make", 0);
    expect_none(p);
    plan_close(p);
    batch_free(b);
}

static void test_plan__refuses_a_cycle_through_files_link_by_link(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  a: {run: x, inputs: [fb], outputs: [fa]}\n"
                    "  b: {run: x, inputs: [fa], outputs: [fb]}\n");
    plan *p;
    deja_error err;
    assert_true(plan_open(&p, b, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "deja.yaml:4:"));
    assert_non_null(strstr(err.text, "'b' reads 'fa' of 'a', 'a' needs 'b'"));
    batch_free(b);
}

static void test_plan__refuses_two_makers_of_one_output(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, matrix: {n: [1, 2]}, outputs: [same]}\n");
    plan *p;
    deja_error err;
    assert_true(plan_open(&p, b, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "'a[n=1]' and 'a[n=2]' both make 'same'"));
    batch_free(b);
}

static void test_plan__a_matrix_of_made_files_is_read_when_they_are_there(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  make: {run: x}\n"
                    "  each: {run: x, needs: make, matrix: {f: {glob: \"*.made\"}}}\n");
    plan *p = open_plan(b, NULL);
    int unexpanded;
    plan_total(p, &unexpanded);
    assert_int_equal(unexpanded, 1);
    plan_ready make = expect(p, "make", 0);
    write_file("1.made", "");
    write_file("2.made", "");
    plan_settle(p, make.def, 0, PLAN_LEFT, NULL);
    expect(p, "each", 0);
    expect(p, "each", 1);
    assert_int_equal(plan_total(p, &unexpanded), 3);
    assert_int_equal(unexpanded, 0);
    plan_close(p);
    batch_free(b);
}

static void test_plan__a_matrix_that_stays_empty_fails_or_is_skipped(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  make: {run: x}\n"
                    "  none: {run: x, needs: make, matrix: {f: {glob: \"*.none\", allow-empty: true}}}\n"
                    "  after: {run: x, needs: none}\n"
                    "  bad: {run: x, needs: make, matrix: {f: {glob: \"*.none\"}}}\n");
    plan *p = open_plan(b, NULL);
    plan_ready make = expect(p, "make", 0);
    plan_settle(p, make.def, 0, PLAN_LEFT, NULL);
    plan_ready after = expect(p, "after", 0);
    plan_ready bad = expect(p, "bad", 0);
    assert_non_null(bad.error);
    plan_settle(p, after.def, 0, PLAN_LEFT, NULL);
    plan_settle(p, bad.def, 0, PLAN_FAILED, NULL);
    assert_true(plan_finished(p));
    plan_close(p);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_plan__hands_out_in_batch_order),
        CASE(test_plan__waits_for_all_instances_of_a_needed_job),
        CASE(test_plan__failure_blocks_what_needs_it_and_nothing_else),
        CASE(test_plan__left_depends_on_every_instance_in_order),
        CASE(test_plan__selects_a_job_with_all_it_needs),
        CASE(test_plan__an_input_that_is_an_output_is_an_edge),
        CASE(test_plan__standard_input_that_is_an_output_is_an_edge),
        CASE(test_plan__refuses_a_cycle_through_files_link_by_link),
        CASE(test_plan__refuses_two_makers_of_one_output),
        CASE(test_plan__a_matrix_of_made_files_is_read_when_they_are_there),
        CASE(test_plan__a_matrix_that_stays_empty_fails_or_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
