/* Which job goes first: jobs/order.h. */
#include "history_fixture.h"

#include "order.h"
#include <deja/clock.h>

static const char text[] = "version: 1\n"
                           "jobs:\n"
                           "  a: {run: ':'}\n"
                           "  b: {matrix: {n: [1, 2, 3]}, run: ': ${{ n }}'}\n"
                           "  first: {run: ': first'}\n"
                           "  last: {needs: first, run: ': last'}\n";

enum { A, B, FIRST, LAST };

/* The names of jobs in the order of their starts. */
static void note_start(void *context, const flow_event *e)
{
    char *starts = context;
    if (e->kind == FLOW_STARTED)
        snprintf(starts + strlen(starts), 256 - strlen(starts), "%s ", e->name);
}

static void record(const batch *b, int64_t unit_ns)
{
    history *h = history_of(b);
    history_took(h, &b->jobs[A], 0, 1, 4 * unit_ns);
    history_took(h, &b->jobs[B], 0, 1, 3 * unit_ns);
    history_took(h, &b->jobs[B], 1, 1, 6 * unit_ns);
    history_took(h, &b->jobs[B], 2, 1, 6 * unit_ns);
    history_took(h, &b->jobs[FIRST], 0, 1, 1 * unit_ns);
    history_took(h, &b->jobs[LAST], 0, 1, 4 * unit_ns);
    history_end(h);
}

/* Nothing is started before all that can be are there to choose from. */
static void hold(flow *f, size_t missed)
{
    f->short_since_ns = 1;
    f->start_again_ns = INT64_MAX;
    while (f->missed.count < missed) {
        flow_step(f);
        flow_wait(f, NULL, 0, 1000);
    }
    f->short_since_ns = f->start_again_ns = 0;
}

/* In which order the jobs start, of which `unit_ns` (0: nothing) is recorded. */
static const char *starts_of(unsigned slots, int64_t unit_ns, int with_history)
{
    static char starts[256];
    batch *b = load(text);
    plan *p;
    flow *f;
    deja_error err;
    starts[0] = '\0';
    assert_int_equal(plan_open(&p, b, NULL, NULL), 0);
    if (unit_ns)
        record(b, unit_ns);
    history *h = history_of(b);
    const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
    const flow_options o = {.slots = slots,
                            .history = with_history ? h : NULL,
                            .environment = environment,
                            .run_id = "test",
                            .listen = note_start,
                            .context = starts};
    if (flow_open(&f, b, p, &o, &err) < 0)
        fail_msg("%s", err.text);
    hold(f, 5);
    while (!flow_finished(f)) {
        flow_step(f);
        flow_wait(f, NULL, 0, 1000);
    }
    flow_close(f);
    history_close(h);
    plan_close(p);
    batch_free(b);
    return starts;
}

/* 'first' begins a chain of five units; equal ones stay in batch order. */
static void test_order__longest_chain_first(void **state)
{
    (void)state;
    const char *starts = starts_of(2, DEJA_S_NS, 1);
    assert_int_equal(strncmp(starts, "b[n=2] b[n=3] first a ", 22), 0);
}

static void test_order__is_that_of_the_batch(void **state)
{
    (void)state;
    static const char in_batch_order[] = "a b[n=1] b[n=2] b[n=3] first last ";
    assert_string_equal(starts_of(2, 0, 1), in_batch_order);          /* a first run */
    assert_string_equal(starts_of(2, DEJA_MS_NS, 1), in_batch_order); /* it does not matter */
    assert_string_equal(starts_of(2, DEJA_S_NS, 0), in_batch_order);  /* wished for */
    assert_string_equal(starts_of(1, DEJA_S_NS, 1), in_batch_order);  /* one at a time */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order__longest_chain_first, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_order__is_that_of_the_batch, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
