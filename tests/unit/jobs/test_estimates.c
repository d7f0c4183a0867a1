/* How long jobs will take, and what waits for them: jobs/estimates.h. */
#include "history_fixture.h"

#include "estimates.h"
#include <deja/clock.h>

static const char text[] = "version: 1\n"
                           "jobs:\n"
                           "  fetch: {matrix: {n: [1, 2, 3]}, run: \"echo ${{ n }}\"}\n"
                           "  side: {run: echo side}\n"
                           "  count: {matrix: {n: [1, 2, 3]}, needs: fetch, run: \"echo ${{ n }}\"}\n"
                           "  table: {needs: {count: all, side: order}, run: echo table}\n"
                           "  last: {needs: side, run: echo last}\n";

enum { FETCH, SIDE, COUNT, TABLE, LAST };

typedef struct fixture {
    batch *batch;
    selection *chosen;
    plan *plan;
    history *history;
    estimates *estimates;
} fixture;

static void record(const batch *b)
{
    history *h = history_of(b);
    history_took(h, &b->jobs[FETCH], 0, 1, 100);
    history_took(h, &b->jobs[FETCH], 1, 1, 300);
    history_took(h, &b->jobs[FETCH], 1, 0, 90000);
    history_took(h, &b->jobs[COUNT], 0, 1, 1000);
    history_took(h, &b->jobs[SIDE], 0, 1, 600);
    history_end(h);
}

static fixture open_all(int recorded, const char *chosen)
{
    fixture x = {.batch = load(text)};
    if (chosen)
        assert_int_equal(selection_open(&x.chosen, x.batch, &chosen, 1, NULL), 0);
    assert_int_equal(plan_open(&x.plan, x.batch, x.chosen, NULL), 0);
    if (recorded)
        record(x.batch);
    x.history = history_of(x.batch);
    assert_int_equal(estimates_open(&x.estimates, x.history, x.batch, x.plan, NULL), 0);
    return x;
}

static void close_all(fixture *x)
{
    estimates_close(x->estimates);
    history_close(x->history);
    plan_close(x->plan);
    selection_close(x->chosen);
    batch_free(x->batch);
}

static void test_estimates__nothing_is_recorded(void **state)
{
    (void)state;
    fixture x = open_all(0, NULL);
    assert_int_equal(estimates_longest_ns(x.estimates), -1);
    assert_int_equal(estimates_wall_ns(x.estimates, &x.batch->jobs[FETCH], 0), -1);
    assert_int_equal(estimates_mean_ns(x.estimates, FETCH), -1);
    assert_int_equal(estimates_after_ns(x.estimates, FETCH), 0);
    close_all(&x);
    estimates_close(NULL);
}

/* Own, nearest, and for a job of which nothing is known the mean of the four that succeeded. */
static void test_estimates__of_instances(void **state)
{
    (void)state;
    fixture x = open_all(1, NULL);
    assert_int_equal(estimates_longest_ns(x.estimates), 1000);
    assert_int_equal(estimates_wall_ns(x.estimates, &x.batch->jobs[FETCH], 0), 100);
    assert_int_equal(estimates_wall_ns(x.estimates, &x.batch->jobs[FETCH], 1), 300);
    assert_int_equal(estimates_wall_ns(x.estimates, &x.batch->jobs[FETCH], 2), 300);
    assert_int_equal(estimates_mean_ns(x.estimates, FETCH), 200);
    assert_int_equal(estimates_wall_ns(x.estimates, &x.batch->jobs[LAST], 0), 500);
    assert_int_equal(estimates_mean_ns(x.estimates, TABLE), 500);
    close_all(&x);
}

static void test_estimates__of_what_waits(void **state)
{
    (void)state;
    fixture x = open_all(1, NULL);
    assert_int_equal(estimates_after_ns(x.estimates, TABLE), 0);
    assert_int_equal(estimates_after_ns(x.estimates, COUNT), 500);
    assert_int_equal(estimates_after_ns(x.estimates, FETCH), 1000 + 500);
    assert_int_equal(estimates_after_ns(x.estimates, SIDE), 500);
    close_all(&x);
}

/* What is not to be run keeps nobody waiting, and its durations count for nothing. */
static void test_estimates__of_what_is_chosen(void **state)
{
    (void)state;
    fixture x = open_all(1, "fetch");
    assert_int_equal(estimates_longest_ns(x.estimates), 300);
    assert_int_equal(estimates_after_ns(x.estimates, FETCH), 0);
    assert_int_equal(estimates_wall_ns(x.estimates, &x.batch->jobs[FETCH], 0), 100);
    close_all(&x);
}

/* Of 6,500 ns the longest is 1,000: it would be long at the end, whatever runs beside it. */
static void test_estimates__when_the_order_matters(void **state)
{
    (void)state;
    fixture x = open_all(1, NULL);
    assert_int_equal(estimates_scatter(x.estimates, 2), 1);
    close_all(&x);
    batch *b = load("version: 1\njobs: {j: {matrix: {n: {range: [1, 1000]}}, run: \"echo ${{ n }}\"}}\n");
    plan *p;
    estimates *e;
    const int64_t long_ns[] = {2 * DEJA_MS_NS, 4 * DEJA_MS_NS, 8 * DEJA_MS_NS}; /* of a second */
    assert_int_equal(plan_open(&p, b, NULL, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        history *h = history_of(b);
        for (uint32_t n = 0; n < 1000; n++)
            history_took(h, &b->jobs[0], n, 1, n ? DEJA_MS_NS : long_ns[i]);
        history_end(h);
        h = history_of(b);
        assert_int_equal(estimates_open(&e, h, b, p, NULL), 0);
        assert_int_equal(estimates_scatter(e, 2), i == 2);
        estimates_close(e);
        history_close(h);
        assert_int_equal(unlink("runs/.history"), 0);
    }
    plan_close(p);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_estimates__nothing_is_recorded, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_estimates__of_instances, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_estimates__of_what_waits, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_estimates__when_the_order_matters, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_estimates__of_what_is_chosen, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
