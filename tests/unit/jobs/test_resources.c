/* resources.h: what running jobs share. */
#include "flow_fixture.h"

#include "active.h"
#include "resources.h"

/* A flow that nothing has begun in yet. */
typedef struct bench {
    batch *b;
    plan *p;
    flow *f;
} bench;

static int open_bench(bench *x, const char *text, flow_options options, deja_error *err)
{
    *x = (bench){.b = load(text)};
    options.slots = options.slots ? options.slots : 4;
    assert_int_equal(plan_open(&x->p, x->b, NULL, err), 0);
    return flow_open(&x->f, x->b, x->p, &options, err);
}

static bench bench_of(const char *text, flow_options options)
{
    bench x;
    deja_error err;
    if (open_bench(&x, text, options, &err))
        fail_msg("%s", err.text);
    return x;
}

static void close_bench(bench *x)
{
    flow_close(x->f);
    plan_close(x->p);
    batch_free(x->b);
}

static active *new_of(const bench *x, const char *name, uint32_t index)
{
    active *a = active_new(x->f, batch_find(x->b, name, strlen(name)), index);
    active_enter(a, MISSED);
    return a;
}

/* As the conductor does. */
static int take(active *a)
{
    int taken = resources_take(a);
    active_enter(a, taken ? RUNNING : HELD);
    return taken;
}

static void assert_gpus(const active *a, const char *gpus)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    resources_gpus(a, &b);
    assert_string_equal(deja_buffer_string(&b), gpus);
}

#define THREE "{range: [1, 3]}"

static void test_resources__are_taken_all_or_none(void **state)
{
    (void)state;
    bench x = bench_of("version: 1\nresources: {a: 2, b: 1}\njobs:\n"
                       "  both: {matrix: {i: [1, 2]}, run: x, resources: {a: 1, b: 1}}\n"
                       "  one: {run: x, resources: {a: 1}}\n",
                       (flow_options){0});
    active *first = new_of(&x, "both", 0), *second = new_of(&x, "both", 1), *one = new_of(&x, "one", 0);
    assert_true(take(first));
    assert_false(take(second)); /* has not got an `a` */
    assert_true(take(one));
    assert_int_equal(x.f->held, 1);
    active_retire(first);
    resources_wake(x.f);
    assert_ptr_equal(x.f->missed.first, second);
    assert_true(take(second));
    assert_int_equal(x.f->held, 0);
    active_retire(second);
    active_retire(one);
    close_bench(&x);
}

static void test_resources__cpus_are_slots(void **state)
{
    (void)state;
    bench x = bench_of("version: 1\njobs:\n  big: {run: x, cpus: 3}\n  huge: {run: x, cpus: 99}\n"
                       "  small: {matrix: {i: [1, 2]}, run: x}\n",
                       (flow_options){0});
    active *big = new_of(&x, "big", 0), *huge = new_of(&x, "huge", 0), *small = new_of(&x, "small", 0);
    assert_true(take(big));
    assert_int_equal(resources_cpus(big), 3);
    assert_int_equal(resources_cpus(small), 1);
    assert_int_equal(resources_cpus(huge), 4);
    assert_false(take(huge));
    assert_true(resources_have_slot(x.f));
    assert_true(take(small));
    assert_false(resources_have_slot(x.f));
    active_retire(big);
    active_retire(small);
    resources_wake(x.f);
    assert_true(take(huge));
    active_retire(huge);
    close_bench(&x);
}

static void test_resources__limit_counts_one_job(void **state)
{
    (void)state;
    bench x = bench_of("version: 1\njobs:\n  a: {matrix: {i: " THREE "}, run: x, limit: 2}\n  b: {run: x}\n",
                       (flow_options){0});
    active *a[3] = {new_of(&x, "a", 0), new_of(&x, "a", 1), new_of(&x, "a", 2)}, *b = new_of(&x, "b", 0);
    assert_true(take(a[0]));
    assert_true(take(a[1]));
    assert_false(take(a[2]));
    assert_true(take(b));
    active_enter(a[0], SEALING); /* has ended */
    resources_wake(x.f);
    assert_true(take(a[2]));
    for (int i = 0; i < 3; i++)
        active_retire(a[i]);
    active_retire(b);
    close_bench(&x);
}

static void test_resources__gpus_have_numbers(void **state)
{
    (void)state;
    bench x = bench_of("version: 1\nresources: {gpu: 3}\njobs:\n"
                       "  a: {matrix: {i: " THREE "}, run: x, resources: {gpu: 1}}\n"
                       "  two: {run: x, resources: {gpu: 2}}\n  none: {run: x}\n",
                       (flow_options){0});
    active *a[3] = {new_of(&x, "a", 0), new_of(&x, "a", 1), new_of(&x, "a", 2)};
    active *two = new_of(&x, "two", 0), *none = new_of(&x, "none", 0);
    for (int i = 0; i < 3; i++)
        assert_true(take(a[i]));
    assert_gpus(a[0], "0");
    assert_gpus(a[2], "2");
    assert_gpus(none, "");
    active_retire(a[0]);
    assert_false(take(two));
    active_retire(a[2]);
    active_enter(two, MISSED);
    assert_true(take(two));
    assert_gpus(two, "0,2");
    active_retire(a[1]);
    active_retire(two);
    active_retire(none);
    close_bench(&x);
}

static void test_resources__gpus_are_those_that_are_visible(void **state)
{
    (void)state;
    const char *const outside[] = {"CUDA_VISIBLE_DEVICES=3,GPU-8,-1,4", NULL};
    const char *text = "version: 1\njobs:\n  a: {run: x, resources: {gpu: 2}}\n";
    bench x = bench_of(text, (flow_options){.environment = outside});
    active *a = new_of(&x, "a", 0);
    assert_true(take(a));
    assert_gpus(a, "3,GPU-8");
    active_retire(a);
    close_bench(&x);
    const char *const more[] = {"gpu=3", NULL};
    deja_error err;
    const char *three = "version: 1\njobs:\n  a: {run: x, resources: {gpu: 3}}\n";
    assert_int_not_equal(
        open_bench(&x, three, (flow_options){.environment = outside, .resources = more}, &err), 0);
    assert_non_null(strstr(err.text, "there are 2"));
    close_bench(&x);
}

/* What becomes free is the big one's, once it has waited for long. */
static void test_resources__big_jobs_do_not_starve(void **state)
{
    (void)state;
    bench x = bench_of("version: 1\nresources: {r: 2}\njobs:\n  big: {run: x, resources: {r: 2}}\n"
                       "  small: {matrix: {i: " THREE "}, run: x, resources: {r: 1}}\n  none: {run: x}\n",
                       (flow_options){0});
    active *big = new_of(&x, "big", 0), *none = new_of(&x, "none", 0);
    active *s[3] = {new_of(&x, "small", 0), new_of(&x, "small", 1), new_of(&x, "small", 2)};
    assert_true(take(s[0]));
    assert_true(take(s[1]));
    assert_false(take(big));
    active_retire(s[0]);
    resources_wake(x.f);
    assert_true(take(s[2])); /* it has not waited for long */
    active_retire(s[1]);
    active *s1 = new_of(&x, "small", 1);
    big->held_since_ns = 1;
    resources_wake(x.f);
    assert_false(take(s1));
    assert_true(take(none)); /* wants nothing of that */
    active_retire(s[2]);
    resources_wake(x.f);
    assert_ptr_equal(x.f->missed.first, big);
    assert_true(take(big));
    active_retire(big);
    resources_wake(x.f);
    assert_true(take(s1));
    active_retire(s1);
    active_retire(none);
    close_bench(&x);
}

/* So it is with slots, and only while they are too few. */
static void test_resources__slots_are_kept_for_those_that_want_many(void **state)
{
    (void)state;
    bench x = bench_of("version: 1\njobs:\n  big: {run: x, cpus: 4}\n"
                       "  small: {matrix: {i: " THREE "}, run: x}\n",
                       (flow_options){0});
    active *big = new_of(&x, "big", 0), *s0 = new_of(&x, "small", 0), *s1 = new_of(&x, "small", 1);
    assert_true(take(s0));
    assert_false(take(big));
    big->held_since_ns = 1;
    resources_wake(x.f);
    assert_false(take(s1));
    active_retire(s0);
    resources_wake(x.f);
    assert_ptr_equal(x.f->missed.first, big);
    active_retire(big); /* it could not be started: others go on */
    resources_wake(x.f);
    assert_true(take(s1));
    active_retire(s1);
    close_bench(&x);
}

static void test_resources__a_rate_keeps_starts_apart(void **state)
{
    (void)state;
    bench x = bench_of("version: 1\njobs:\n  a: {matrix: {i: [1, 2]}, run: x, rate: 60/h}\n  b: {run: x}\n",
                       (flow_options){0});
    active *first = new_of(&x, "a", 0), *second = new_of(&x, "a", 1), *b = new_of(&x, "b", 0);
    int64_t before = deja_monotonic_ns(NULL);
    assert_true(take(first));
    int64_t after = deja_monotonic_ns(NULL);
    active_retire(first);
    assert_false(take(second));
    second->held_since_ns = 1; /* nothing is kept for one that waits for its time only */
    resources_wake(x.f);
    assert_int_equal(x.f->held, 1);
    assert_true(take(b));
    assert_in_range(resources_next_ns(x.f), before + 60 * DEJA_S_NS, after + 60 * DEJA_S_NS);
    active_retire(second);
    active_retire(b);
    assert_true(resources_next_ns(x.f) == INT64_MAX);
    close_bench(&x);
}

static void test_resources__memory_is_shared(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n  a: {matrix: {i: [1, 2]}, run: x, memory: 2GB}\n"
                       "  b: {run: x, memory: 1GB}\n";
    bench x = bench_of(text, (flow_options){.memory_most = UINT64_C(3000000000)});
    active *a[2] = {new_of(&x, "a", 0), new_of(&x, "a", 1)}, *b = new_of(&x, "b", 0);
    assert_true(take(a[0]));
    assert_false(take(a[1]));
    assert_true(take(b));
    active_retire(a[0]);
    resources_wake(x.f);
    assert_true(take(a[1]));
    active_retire(a[1]);
    active_retire(b);
    close_bench(&x);
    deja_error err;
    assert_int_not_equal(open_bench(&x, text, (flow_options){.memory_most = 1000000000}, &err), 0);
    assert_non_null(strstr(err.text, "the job 'a' asks for more 'memory'"));
    close_bench(&x);
}

/* There may be swap: it is no error, but it runs alone. */
static void test_resources__more_memory_than_the_machine_has_is_all_of_it(void **state)
{
    (void)state;
    bench x = bench_of("version: 1\njobs:\n  a: {run: x, memory: 5PB}\n  b: {run: x, memory: 1GB}\n",
                       (flow_options){0});
    active *a = new_of(&x, "a", 0), *b = new_of(&x, "b", 0);
    assert_true(take(a));
    assert_false(take(b));
    active_retire(a);
    active_retire(b);
    close_bench(&x);
}

static void assert_refused(const char *text, const char *given, const char *message)
{
    bench x;
    deja_error err;
    const char *const list[] = {given, NULL};
    assert_int_not_equal(open_bench(&x, text, (flow_options){.resources = given ? list : NULL}, &err), 0);
    if (!strstr(err.text, message))
        fail_msg("'%s' is not in '%s'", message, err.text);
    close_bench(&x);
}

static void test_resources__what_never_fits_is_refused(void **state)
{
    (void)state;
    const char *two = "version: 1\nresources: {r: 2}\njobs:\n  a: {run: x, resources: {r: 3}}\n";
    const char *any = "version: 1\njobs:\n  a: {run: x, resources: {r: 3}}\n";
    deja_error err;
    assert_refused(two, NULL, ":4:27: this job asks for 3 of 'r', and there are 2");
    assert_refused(any, NULL, ":3:27: how many of 'r' are there?");
    assert_refused(any, "r=1", "there is 1");
    assert_refused(any, "rr=1", "no job asks for 'rr', did you mean 'r'?");
    assert_refused(any, "r", "expected NAME=AMOUNT");
    assert_refused(any, "r=-1", "expected NAME=AMOUNT");
    bench x = bench_of(two, (flow_options){.resources = (const char *const[]){"r=3", NULL}});
    assert_int_not_equal(resources_check(x.b, &err), 0);
    close_bench(&x);
    x = bench_of(any, (flow_options){.dry_run = 1}); /* how many there are may be said later */
    assert_int_equal(resources_check(x.b, &err), 0);
    close_bench(&x);
}

static void test_resources__other_jobs_need_not_fit(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, resources: {gpu: 3}}\n  b: {run: x}\n");
    deja_error err;
    selection *chosen;
    plan *p;
    flow *f;
    assert_int_equal(selection_open(&chosen, b, (const char *const[]){"b", NULL}, 1, &err), 0);
    assert_int_equal(plan_open(&p, b, chosen, &err), 0);
    assert_int_equal(flow_open(&f, b, p, &(flow_options){.slots = 1}, &err), 0);
    flow_close(f);
    plan_close(p);
    selection_close(chosen);
    batch_free(b);
}

/* Whoever waits is started in the end, and hits take nothing. */
static void test_resources__a_run_ends(void **state)
{
    (void)state;
    const char *jobs =
        "  a: {matrix: {i: {range: [1, 40]}}, run: \"echo ${{ i }}a\", cpus: 2}\n"
        "  b: {matrix: {i: {range: [1, 40]}}, run: \"echo ${{ i }}b\", resources: {r: 2, gpu: 1}}\n"
        "  c: {matrix: {i: {range: [1, 40]}}, run: \"echo ${{ i }}c\", limit: 1, cpus: 3}\n"
        "  d: {matrix: {i: {range: [1, 40]}}, run: \"echo ${{ i }}d\", resources: {r: 3}}\n"
        "  e: {matrix: {i: {range: [1, 5]}}, run: \"echo ${{ i }}e\", rate: 1000/s}\n"
        "resources: {r: 3, gpu: 1}\n";
    assert_int_equal(flow_run_of(jobs, (flow_options){.slots = 3})->totals.ran, 165);
    assert_int_equal(flow_run_of(jobs, (flow_options){.slots = 2})->totals.hits, 165);
}

/* Those that were not started are forgotten. */
static void test_resources__a_stop_ends_the_waiting(void **state)
{
    (void)state;
    flow_run r = {.end = 1, .end_at = FLOW_FINISHED};
    const char *jobs =
        "  a: {run: sleep 1000, resources: {r: 1}}\n  b: {run: sleep 1001, resources: {r: 1}}\n"
        "  c: {run: echo c}\nresources: {r: 1}\n";
    flow_run_in(&r, jobs, (flow_options){.slots = 2});
    assert_string_equal(r.events, "finished:c skipped:a");
}

static void test_resources__the_words_are_in_no_key(void **state)
{
    (void)state;
    flow_run_of("  a: {run: echo}\n", (flow_options){0});
    const char *now =
        "  a: {run: echo, cpus: 3, limit: 2, resources: {r: 1}, rate: 9/s, nice: 1}\nresources: {r: 1}\n";
    assert_string_equal(flow_run_of(now, (flow_options){0})->events, "hit:a");
}

static void test_resources__jobs_are_told_their_share(void **state)
{
    (void)state;
    unsetenv("OMP_NUM_THREADS");
    unsetenv("CUDA_VISIBLE_DEVICES");
    flow_run *r = flow_run_of("  a: {run: \"[ $OMP_NUM_THREADS-$CUDA_VISIBLE_DEVICES = 2-0,1 ]\", cpus: 2, "
                              "resources: {gpu: 2}, clean-env: true}\n"
                              "  b: {run: \"[ $OMP_NUM_THREADS = 3 ]\", cpus: 2, env: {OMP_NUM_THREADS: 3}}\n"
                              "  c: {run: \"[ $OMP_NUM_THREADS-${CUDA_VISIBLE_DEVICES-none} = 1-none ]\"}\n"
                              "resources: {gpu: 2}\n",
                              (flow_options){.slots = 2});
    assert_int_equal(r->totals.failed, 0);
    assert_int_equal(r->totals.ran, 3);
}

static void test_resources__niceness_is_added(void **state)
{
    (void)state;
    flow_run *r = flow_run_of("  a: {run: \"echo $(nice) > a\"}\n  b: {run: \"echo $(nice) > b\", nice: 0}\n"
                              "  c: {run: \"echo $(nice) > c\", nice: 19}\n"
                              "  d: {needs: [a, b, c], run: \"[ $(cat c) = 19 ]; b=$(cat b); "
                              "[ $(cat a) = $((b < 16 ? b + 3 : 19)) ]\"}\n",
                              (flow_options){.nice = 3});
    assert_int_equal(r->totals.failed, 0);
    assert_int_equal(r->totals.ran, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resources__are_taken_all_or_none),
        cmocka_unit_test(test_resources__cpus_are_slots),
        cmocka_unit_test(test_resources__limit_counts_one_job),
        cmocka_unit_test(test_resources__gpus_have_numbers),
        cmocka_unit_test(test_resources__gpus_are_those_that_are_visible),
        cmocka_unit_test(test_resources__big_jobs_do_not_starve),
        cmocka_unit_test(test_resources__slots_are_kept_for_those_that_want_many),
        cmocka_unit_test(test_resources__a_rate_keeps_starts_apart),
        cmocka_unit_test(test_resources__memory_is_shared),
        cmocka_unit_test(test_resources__more_memory_than_the_machine_has_is_all_of_it),
        cmocka_unit_test(test_resources__what_never_fits_is_refused),
        cmocka_unit_test(test_resources__other_jobs_need_not_fit),
        cmocka_unit_test_setup_teardown(test_resources__a_run_ends, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_resources__a_stop_ends_the_waiting, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_resources__the_words_are_in_no_key, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_resources__niceness_is_added, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_resources__jobs_are_told_their_share, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
