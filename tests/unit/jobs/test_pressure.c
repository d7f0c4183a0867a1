/* pressure.h, on machines that are made up. */
#include "flow_fixture.h"

#include "active.h"
#include "machine.h"

typedef struct made_up {
    int64_t now_ns;
    double load;
    uint64_t memory_free;
    int asked;
} made_up;

static int64_t now_of(void *context)
{
    return ((made_up *)context)->now_ns;
}

static double load_of(void *context)
{
    made_up *m = context;
    m->asked++;
    return m->load;
}

static uint64_t memory_of(void *context)
{
    return ((made_up *)context)->memory_free;
}

#define MACHINE(m, c)                                                                                        \
    {                                                                                                        \
        .load = load_of, .memory_free = memory_of, .context = (m), .clock = (c)                              \
    }
#define CLOCK(m)                                                                                             \
    {                                                                                                        \
        .monotonic_ns = now_of, .context = (m)                                                               \
    }

static void test_pressure__nothing_is_looked_at_unasked(void **state)
{
    (void)state;
    made_up m = {.now_ns = 1, .load = 100};
    const deja_clock c = CLOCK(&m);
    const machine_source of = MACHINE(&m, &c);
    flow f = {.options = {.machine = &of}, .totals = {.running = 2}};
    assert_false(pressure_is_high(&f));
    assert_int_equal(m.asked, 0);
    assert_true(pressure_next_ns(&f) == INT64_MAX);
}

static void test_pressure__the_load_is_looked_at_once_a_second(void **state)
{
    (void)state;
    made_up m = {.now_ns = DEJA_S_NS, .load = 3.5};
    const deja_clock c = CLOCK(&m);
    const machine_source of = MACHINE(&m, &c);
    flow f = {.options = {.machine = &of, .load_most = 4}, .totals = {.running = 1}};
    assert_false(pressure_is_high(&f));
    m.load = 4;
    m.now_ns += DEJA_S_NS - 1;
    assert_false(pressure_is_high(&f));
    assert_int_equal(m.asked, 1);
    m.now_ns++;
    assert_true(pressure_is_high(&f));
    assert_int_equal(m.asked, 2);
    f.held = 1;
    assert_int_equal(pressure_next_ns(&f), m.now_ns + DEJA_S_NS);
    m.now_ns += 5 * DEJA_S_NS;
    assert_true(pressure_next_ns(&f) > m.now_ns); /* no loop without waiting */
}

/* The average does not show them yet. */
static void test_pressure__jobs_started_since_count(void **state)
{
    (void)state;
    made_up m = {.now_ns = DEJA_S_NS, .load = 0.5};
    const deja_clock c = CLOCK(&m);
    const machine_source of = MACHINE(&m, &c);
    flow f = {.options = {.machine = &of, .load_most = 2}};
    for (f.totals.running = 0; f.totals.running < 2; f.totals.running++)
        assert_false(pressure_is_high(&f));
    assert_true(pressure_is_high(&f));
    f.totals.running = 1; /* one has ended */
    assert_false(pressure_is_high(&f));
}

static void test_pressure__one_job_may_run(void **state)
{
    (void)state;
    made_up m = {.now_ns = DEJA_S_NS, .load = 100, .memory_free = 1};
    const deja_clock c = CLOCK(&m);
    const machine_source of = MACHINE(&m, &c);
    flow f = {.options = {.machine = &of, .load_most = 1, .memory_free_least = 1000}};
    assert_false(pressure_is_high(&f));
    f.totals.running = 1;
    assert_true(pressure_is_high(&f));
}

static void test_pressure__memory(void **state)
{
    (void)state;
    made_up m = {.now_ns = DEJA_S_NS, .memory_free = 1000};
    const deja_clock c = CLOCK(&m);
    const machine_source of = MACHINE(&m, &c);
    flow f = {.options = {.machine = &of, .memory_free_least = 1000}, .totals = {.running = 1}};
    assert_false(pressure_is_high(&f));
    m.memory_free = 999;
    m.now_ns += DEJA_S_NS;
    assert_true(pressure_is_high(&f));
    m.memory_free = 0; /* not known */
    m.now_ns += DEJA_S_NS;
    assert_false(pressure_is_high(&f));
}

static void test_pressure__a_run_goes_on_under_it(void **state)
{
    (void)state;
    made_up m = {.now_ns = DEJA_S_NS, .load = 100};
    const deja_clock c = CLOCK(&m);
    const machine_source of = MACHINE(&m, &c);
    const flow_run *r = flow_run_of("  a: {matrix: {i: {range: [1, 9]}}, run: \"echo ${{ i }}\"}\n",
                                    (flow_options){.slots = 3, .machine = &of, .load_most = 1});
    assert_int_equal(r->totals.ran, 9);
    assert_true(m.asked > 0);
}

static void test_pressure__this_machine_is_known(void **state)
{
    (void)state;
    assert_true(machine_load(NULL) >= 0);
    assert_true(machine_memory_free(NULL) > 0);
    assert_true(machine_memory() >= machine_memory_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pressure__nothing_is_looked_at_unasked),
        cmocka_unit_test(test_pressure__the_load_is_looked_at_once_a_second),
        cmocka_unit_test(test_pressure__jobs_started_since_count),
        cmocka_unit_test(test_pressure__one_job_may_run),
        cmocka_unit_test(test_pressure__memory),
        cmocka_unit_test_setup_teardown(test_pressure__a_run_goes_on_under_it, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(test_pressure__this_machine_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
