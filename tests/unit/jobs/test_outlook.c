/* How long the rest of a run takes: jobs/outlook.h. */
#include "history_fixture.h"

#include "outlook.h"
#include <deja/clock.h>

#define S DEJA_S_NS

static const char text[] = "version: 1\n"
                           "jobs:\n"
                           "  a: {matrix: {n: [1, 2]}, run: ': ${{ n }}'}\n"
                           "  b: {needs: a, run: ': b'}\n"
                           "  c: {run: ': c'}\n";

typedef struct fixture {
    batch *batch;
    plan *plan;
    history *history;
    flow *flow;
} fixture;

/* With or without a record of 10 s and 4 s of a, 2 s of b, 6 s of c. */
static fixture open_all(int recorded)
{
    fixture x = {.batch = load(text)};
    const batch_job *jobs = x.batch->jobs;
    assert_int_equal(plan_open(&x.plan, x.batch, NULL, NULL), 0);
    if (recorded) {
        history *h = history_of(x.batch);
        history_took(h, &jobs[0], 0, 1, 10 * S);
        history_took(h, &jobs[0], 1, 1, 4 * S);
        history_took(h, &jobs[1], 0, 1, 2 * S);
        history_took(h, &jobs[2], 0, 1, 6 * S);
        history_end(h);
    }
    x.history = history_of(x.batch);
    const flow_options o = {.slots = 2, .history = x.history};
    assert_int_equal(flow_open(&x.flow, x.batch, x.plan, &o, NULL), 0);
    return x;
}

static void close_all(fixture *x)
{
    flow *f = x->flow;
    active_list *lists[] = {&f->missed, &f->busy};
    for (size_t i = 0; i < 2; i++)
        while (lists[i]->first)
            active_retire(lists[i]->first);
    flow_close(f);
    history_close(x->history);
    plan_close(x->plan);
    batch_free(x->batch);
}

/* The next job of the plan misses. */
static active *take(fixture *x)
{
    plan_ready ready;
    assert_int_equal(plan_next(x->plan, &ready), 1);
    active *a = active_new(x->flow, ready.def, ready.index);
    active_enter(a, MISSED);
    return a;
}

static void start(active *a)
{
    active_enter(a, RUNNING);
    a->flow->totals.running++;
}

static void end(active *a, int64_t wall_ns)
{
    flow *f = a->flow;
    a->outcome.wall_ns = wall_ns;
    outlook_note(a);
    plan_settle(f->plan, a->job.def, a->job.index, PLAN_LEFT, NULL, 0);
    f->totals.running--;
    f->totals.ran++;
    active_retire(a);
}

static void test_outlook__nothing_is_known(void **state)
{
    (void)state;
    fixture x = open_all(0);
    take(&x);
    assert_int_equal(outlook_ns(x.flow, 0), -1);
    close_all(&x);
}

/* A run of hits asks nothing. */
static void test_outlook__nothing_has_missed(void **state)
{
    (void)state;
    fixture x = open_all(1);
    assert_int_equal(outlook_ns(x.flow, 0), -1);
    assert_null(x.flow->estimates);
    close_all(&x);
}

/* Of what is not taken the mean counts. */
static void test_outlook__work_over_slots_or_the_longest_chain(void **state)
{
    (void)state;
    fixture x = open_all(1);
    x.flow->options.slots = 1;
    active *first = take(&x);
    assert_int_equal(outlook_ns(x.flow, 0), (10 + 7 + 2 + 6) * S);
    active *second = take(&x);
    take(&x);
    assert_int_equal(outlook_ns(x.flow, 0), (10 + 4 + 2 + 6) * S);
    x.flow->options.slots = 2;
    assert_int_equal(outlook_ns(x.flow, 0), (10 + 2) * S);
    start(first);
    start(second);
    assert_int_equal(outlook_ns(x.flow, 3 * S), (7 + 2) * S);
    close_all(&x);
}

/* So is what is left when this run is slower than the record. */
static void test_outlook__as_slow_as_this_run(void **state)
{
    (void)state;
    fixture x = open_all(1);
    x.flow->options.slots = 4;
    active *first = take(&x), *second = take(&x);
    start(first);
    first->started_ns = 2 * S;
    start(second);
    assert_true(outlook_ns(x.flow, 0) > 0);
    end(second, 18 * S); /* not 4 s: with 10 s beside it, all takes twice as long */
    assert_int_equal(outlook_ns(x.flow, 18 * S), (2 * 10 - 16 + 2 * 2) * S);
    assert_int_equal(outlook_ns(x.flow, 26 * S), (24 / 8 + 2 * 2) * S); /* overdue */
    close_all(&x);
}

/* As many of the rest will be answered as of those that were looked up. */
static void test_outlook__hits_take_no_time(void **state)
{
    (void)state;
    fixture x = open_all(1);
    x.flow->options.slots = 1;
    take(&x);
    x.flow->totals.hits = 1;
    assert_int_equal(outlook_ns(x.flow, 0), 10 * S + (7 + 2 + 6) * S / 2);
    close_all(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_outlook__nothing_is_known, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_outlook__nothing_has_missed, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_outlook__work_over_slots_or_the_longest_chain, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_outlook__as_slow_as_this_run, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_outlook__hits_take_no_time, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
