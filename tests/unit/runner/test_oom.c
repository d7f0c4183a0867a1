/* oom.h: evidence of the kernel's OOM killer. */
#include "commands.h"
#include "oom.h"

static void test_oom__the_number_is_found_among_the_others(void **state)
{
    (void)state;
    uint64_t n = 99;
    assert_int_equal(oom_read("nr_free 1\nnr_oom_kill 3\noom_kill 7\nx 2\n", &n), 1);
    assert_int_equal(n, 7);
    assert_int_equal(oom_read("oom_kill 8", &n), 1);
    assert_int_equal(n, 8);
    assert_int_equal(oom_read("", &n), 0);
    assert_int_equal(oom_read("nr_oom_kill 3\n", &n), 0);
    assert_int_equal(oom_read("oom_kill \n", &n), 0);
    assert_int_equal(oom_read("oom_kill x\n", &n), 0);
    assert_int_equal(n, 8);
}

/* Without a victim that is new nobody is blamed, and each is blamed for once. */
static void test_oom__each_victim_counts_once(void **state)
{
    (void)state;
    oom o = {0};
    assert_int_equal(oom_blame(&o), 0);
    oom_open(&o);
    assert_int_equal(oom_blame(&o), 0);
    if (!o.known || o.seen == 0)
        skip(); /* this machine never had one: there is no number below it */
    o.seen--;
    assert_int_equal(oom_blame(&o), 1);
    assert_int_equal(oom_blame(&o), 0);
}

/* As if there had been a victim: only who was killed by somebody else may be it. */
static void test_oom__a_job_that_we_killed_is_no_victim(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "exec sleep 1000", NULL);
    deja_runner_kill(r);
    deja_outcome o = commands_next(r);
    assert_int_equal(o.signal, SIGKILL);
    assert_int_equal(o.oom, DEJA_OOM_NONE);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oom__the_number_is_found_among_the_others),
        cmocka_unit_test(test_oom__each_victim_counts_once),
        cmocka_unit_test(test_oom__a_job_that_we_killed_is_no_victim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
