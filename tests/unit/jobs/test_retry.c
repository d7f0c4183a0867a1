/* retry.h: failed jobs that are tried again. */
#include "flow_fixture.h"

#include "retry.h"
#include <deja/clock.h>
#include <signal.h>

static void test_retry__delays_grow_up_to_the_most(void **state)
{
    (void)state;
    const batch_retries r = {.times = 9, .delay_ns = DEJA_S_NS, .backoff = 2, .most_ns = 5 * DEJA_S_NS};
    const int64_t seconds[] = {1, 2, 4, 5, 5};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(retry_delay_ns(&r, i + 2, 0), seconds[i] * DEJA_S_NS);
    assert_int_equal(retry_delay_ns(&r, 1000000, 0), 5 * DEJA_S_NS);
    assert_int_equal(retry_delay_ns(&(batch_retries){.times = 3, .backoff = 2}, 3, 0), 0);
    const batch_retries flat = {.delay_ns = DEJA_S_NS, .backoff = 1, .most_ns = 60 * DEJA_S_NS};
    assert_int_equal(retry_delay_ns(&flat, 1000000, 0), DEJA_S_NS);
    const batch_retries endless = {.delay_ns = INT64_MAX, .backoff = 1000, .most_ns = INT64_MAX, .jitter = 1};
    assert_true(retry_delay_ns(&endless, 50, UINT64_MAX) > 0);
}

static void test_retry__jitter_goes_both_ways(void **state)
{
    (void)state;
    const batch_retries r = {
        .delay_ns = 1000 * DEJA_S_NS, .backoff = 2, .most_ns = 1000 * DEJA_S_NS, .jitter = 0.1};
    assert_int_equal(retry_delay_ns(&r, 2, 0), 900 * DEJA_S_NS);
    int64_t most = retry_delay_ns(&r, 2, UINT64_MAX);
    assert_true(most > 1099 * DEJA_S_NS && most <= 1100 * DEJA_S_NS);
    int64_t middle = retry_delay_ns(&r, 2, UINT64_C(1) << 63);
    assert_true(middle > 999 * DEJA_S_NS && middle < 1001 * DEJA_S_NS);
}

/* Each attempt begins without the outputs of the one before. */
static void test_retry__a_failed_job_runs_again(void **state)
{
    (void)state;
    const char *jobs = "  a: {run: \"[ ! -e o ]; echo x > o; echo x >> tries; [ $(wc -l < tries) = 3 ]\", "
                       "outputs: [o], retries: 4, keep-failed: true}\n"
                       "  b: {needs: a, run: cat o}\n";
    flow_run *r = flow_run_of(jobs, (flow_options){0});
    assert_string_equal(r->events, "retrying:a retrying:a finished:a finished:b");
    assert_int_equal(r->totals.ran, 2);
    assert_int_equal(r->totals.failed, 0);
    r = flow_run_of(jobs, (flow_options){0});
    assert_string_equal(r->events, "hit:a hit:b");
}

static void test_retry__the_last_failure_counts(void **state)
{
    (void)state;
    const char *jobs = "  a: {run: exit 3}\n  b: {run: exit 4, retries: 0}\n";
    flow_run *r = flow_run_of(jobs, (flow_options){.retries = {.times = 2}});
    assert_string_equal(r->events, "retrying:a retrying:a failed:a failed:b");
    assert_int_equal(r->attempt, 1);
    assert_int_equal(flow_run_of("  a: {run: exit 3, retries: 2}\n", (flow_options){0})->attempt, 3);
    r = flow_run_of(jobs, (flow_options){.retries = {.times = 2}});
    assert_int_equal(r->totals.failed, 2);
    assert_int_equal(r->totals.done, 2);
}

static void test_retry__what_cannot_be_started_is_not_tried_again(void **state)
{
    (void)state;
    const char *jobs = "  a: {run: [./nothing], retries: 3}\n  b: {run: cat in, inputs: [in], retries: 3}\n";
    flow_run *r = flow_run_of(jobs, (flow_options){0});
    assert_int_equal(r->totals.failed, 2);
    assert_null(strstr(r->events, "retrying"));
}

static void test_retry__the_words_are_in_no_key(void **state)
{
    (void)state;
    flow_run_of("  a: {run: echo}\n", (flow_options){0});
    const char *now = "  a: {run: echo, retries: 3, timeout: 1h, allow-failure: true}\n";
    assert_string_equal(flow_run_of(now, (flow_options){0})->events, "hit:a");
}

/* It takes no slot meanwhile: b runs between the two attempts, with one slot. */
static void test_retry__waits_without_a_slot(void **state)
{
    (void)state;
    const char *jobs =
        "  a: {run: \"[ -e b ]\", retries: {times: 100, delay: 1ms, backoff: 1}}\n  b: {run: touch b}\n";
    flow_run *r = flow_run_of(jobs, (flow_options){0});
    assert_non_null(strstr(r->events, "retrying:a finished:b"));
    assert_int_equal(r->totals.failed, 0);
}

static void test_retry__a_stop_ends_the_waiting(void **state)
{
    (void)state;
    flow_run r = {.end = 1, .end_at = FLOW_RETRYING};
    flow_run_in(&r, "  a: {run: exit 1, retries: {times: 3, delay: 1h}}\n", (flow_options){0});
    assert_string_equal(r.events, "retrying:a skipped:a");
    assert_string_equal(r.reasons, "the run ended before attempt 2\n");
    assert_int_equal(r.totals.skipped, 1);
}

/* While a waits for its second attempt, b makes what both make. */
static void test_retry__claims_are_free_while_it_waits(void **state)
{
    (void)state;
    const char *jobs = "  a: {run: \"echo x >> tries; [ $(wc -l < tries) -ge 2 ]\", "
                       "retries: {times: 1, delay: 100ms, jitter: 0}}\n"
                       "  b: {run: \"echo x >> tries; [ $(wc -l < tries) -ge 2 ]\"}\n";
    flow_run *r = flow_run_of(jobs, (flow_options){0});
    assert_string_equal(r->events, "retrying:a finished:b hit:a");
}

static void test_retry__not_after_fail_fast(void **state)
{
    (void)state;
    const char *jobs =
        "  a: {run: exit 1, retries: {times: 3, delay: 1h}}\n  b: {run: exit 2}\n  c: {run: echo c}\n";
    flow_run *r = flow_run_of(jobs, (flow_options){.failures_most = 1});
    assert_string_equal(r->events, "retrying:a failed:b skipped:a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry__delays_grow_up_to_the_most),
        cmocka_unit_test(test_retry__jitter_goes_both_ways),
        cmocka_unit_test_setup_teardown(test_retry__a_failed_job_runs_again, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_retry__the_last_failure_counts, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_retry__what_cannot_be_started_is_not_tried_again, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_retry__the_words_are_in_no_key, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_retry__waits_without_a_slot, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_retry__a_stop_ends_the_waiting, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_retry__claims_are_free_while_it_waits, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_retry__not_after_fail_fast, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
