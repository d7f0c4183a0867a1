/* halt.h: failures that end a run, and those that do not. */
#include "flow_fixture.h"

#include <signal.h>

static const char jobs[] = "  ok: {matrix: {i: {range: [1, 6]}}, run: \"echo ${{ i }}\"}\n"
                           "  bad: {matrix: {i: {range: [1, 3]}}, run: \"exit ${{ i }}\"}\n"
                           "  last: {run: echo last}\n";

static void test_halt__after_so_many(void **state)
{
    (void)state;
    flow_run *r = flow_run_of(jobs, (flow_options){.failures_most = 2});
    assert_int_equal(r->totals.failed, 2);
    assert_int_equal(r->totals.done, 8);
    assert_non_null(strstr(r->reasons, "2 jobs failed: no more are started"));
    r = flow_run_of(jobs, (flow_options){.failures_most = 4});
    assert_int_equal(r->totals.failed, 3);
    assert_int_equal(r->totals.done, 10);
    assert_null(strstr(r->events, "note"));
}

/* Of all jobs, answered ones too: 2 of 10. */
static void test_halt__after_a_part_of_all(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        flow_run *r = flow_run_of(jobs, (flow_options){.failures_percent = 20});
        assert_int_equal(r->totals.failed, 2);
        assert_int_equal(r->totals.hits, again ? 6 : 0);
    }
    assert_int_equal(flow_run_of(jobs, (flow_options){.failures_percent = 31})->totals.failed, 3);
}

/* It would run for an hour. */
static void test_halt__ends_what_runs_where_that_is_wished(void **state)
{
    (void)state;
    const char *two = "  long: {run: \"touch runs; exec sleep 3600\"}\n"
                      "  bad: {run: \"until [ -e runs ]; do sleep 0.01; done; exit 1\"}\n";
    flow_run *r = flow_run_of(two, (flow_options){.slots = 2, .failures_most = 1, .end_at_failure = 1});
    assert_string_equal(r->events, "failed:bad skipped:long");
    assert_non_null(strstr(r->reasons, "ended after another job had failed"));
    assert_int_equal(r->totals.skipped, 1);
}

static void test_halt__what_may_fail_does_not_count(void **state)
{
    (void)state;
    const char *text = "  may: {run: exit 1, allow-failure: true}\n"
                       "  order: {needs: {may: order}, run: echo order}\n"
                       "  data: {needs: may, run: echo data}\n"
                       "  then: {needs: {data: order}, run: echo then}\n"
                       "  chain: {needs: may, run: echo chain, allow-failure: true}\n"
                       "  after: {needs: {chain: order}, run: echo after}\n";
    flow_run *r = flow_run_of(text, (flow_options){.failures_most = 1});
    assert_int_equal(r->totals.failed, 1);
    assert_int_equal(r->totals.allowed, 1);
    const char *const events[] = {"failed:may",   "finished:order", "skipped:data",
                                  "skipped:then", "skipped:chain",  "finished:after"};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        assert_non_null(strstr(r->events, events[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_halt__after_so_many, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_halt__after_a_part_of_all, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_halt__ends_what_runs_where_that_is_wished, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_halt__what_may_fail_does_not_count, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
