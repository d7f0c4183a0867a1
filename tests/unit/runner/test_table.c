/* table.h: the slots of a runner, its finished jobs and its timer. */
#include "commands.h"
#include "failing_alloc.h"
#include "table.h"

static void start_missing(deja_runner *r, void *user)
{
    const char *argv[] = {"/nowhere/at/all", NULL};
    assert_int_equal(commands_try(r, argv, user, NULL), 0);
}

static uint32_t high_of(const deja_runner *r)
{
    return atomic_load(&r->host.warden.board->high);
}

/* Pumps until `*what` is no longer `value`. */
static void pump_while(deja_runner *r, const void *what, const void *value, size_t len)
{
    for (int i = 0; i < 100 && memcmp(what, value, len) == 0; i++)
        assert_int_equal(table_pump(r, commands_patience_ms / 100, NULL), 0);
    assert_memory_not_equal(what, value, len);
}

static void test_table__doubles_and_keeps_what_is_in_it(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    child some = {0};
    assert_int_equal(r->slots, 0);
    assert_int_equal(table_make_room(r), 0);
    assert_int_equal(r->slots, 16);
    r->slot[15] = &some;
    assert_int_equal(table_make_room(r), 0);
    assert_int_equal(r->slots, 16);
    r->in_slots = 16;
    assert_int_equal(table_make_room(r), 0);
    assert_int_equal(r->slots, 32);
    for (uint32_t i = 0; i < 32; i++)
        assert_ptr_equal(r->slot[i], i == 15 ? &some : NULL);
    r->slot[15] = NULL;
    r->in_slots = 0;
    deja_runner_close(r);
}

static void test_table__is_no_larger_than_the_wardens_board(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    uint32_t doublings = 0;
    while (table_make_room(r) == 0) {
        r->in_slots = r->slots;
        doublings++;
    }
    assert_int_equal(r->slots, warden_slots);
    assert_int_equal(doublings, 13);
    r->in_slots = 0;
    assert_int_equal(table_make_room(r), 0);
    deja_runner_close(r);
}

static void test_table__lack_of_memory_leaves_it_as_it_was(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    failing_alloc_at(1);
    assert_int_equal(table_make_room(r), -1);
    assert_int_equal(r->slots, 0);
    assert_int_equal(table_make_room(r), 0);
    r->in_slots = 16;
    child **slot = r->slot;
    failing_alloc_at(1);
    assert_int_equal(table_make_room(r), -1);
    failing_alloc_at(0);
    assert_int_equal(r->slots, 16);
    assert_ptr_equal(r->slot, slot);
    r->in_slots = 0;
    deja_runner_close(r);
}

static void test_table__gives_the_lowest_slot(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    child some = {0};
    assert_int_equal(table_make_room(r), 0);
    assert_int_equal(table_find_slot(r), 0);
    assert_int_equal(high_of(r), 1);
    r->slot[0] = r->slot[1] = r->slot[3] = &some;
    assert_int_equal(table_find_slot(r), 2);
    assert_int_equal(high_of(r), 3);
    r->slot[0] = NULL;
    assert_int_equal(table_find_slot(r), 0);
    assert_int_equal(high_of(r), 3); /* what was ever used stays in sight of the warden */
    r->slot[1] = r->slot[3] = NULL;
    deja_runner_close(r);
}

static void test_table__a_slot_is_free_when_its_job_has_ended(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "exit 3", NULL);
    commands_shell(r, "exec sleep 1000", NULL);
    assert_int_equal(r->in_slots, 2);
    child *none = NULL, *first = r->slot[0];
    pump_while(r, &r->slot[0], &first, sizeof first);
    assert_ptr_equal(r->slot[0], none);
    assert_int_equal(r->in_slots, 1);
    assert_int_equal(r->finished, 1);
    assert_ptr_equal(r->first, first);
    assert_int_equal(table_find_slot(r), 0);
    deja_outcome o;
    assert_int_equal(table_take_finished(r, &o), 1);
    assert_int_equal(o.status, 3);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

static void test_table__finished_ones_are_taken_in_their_order(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    char users[3];
    deja_outcome o = {.user = users};
    assert_int_equal(table_take_finished(r, &o), 0);
    assert_ptr_equal(o.user, users);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 3; i++)
            start_missing(r, &users[i]);
        assert_int_equal(r->finished, 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(table_take_finished(r, &o), 1);
            assert_ptr_equal(o.user, &users[i]);
            deja_outcome_done(&o);
        }
        assert_int_equal(r->finished, 0);
        assert_null(r->first);
        assert_null(r->last);
        assert_int_equal(table_take_finished(r, &o), 0);
    }
    deja_runner_close(r);
}

static void test_table__the_earliest_wish_sets_the_timer(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    struct pollfd ready = {.fd = deja_runner_fd(r), .events = POLLIN};
    int64_t never = deja_monotonic_ns(NULL) + 3600 * DEJA_S_NS, zero = 0;
    table_want_timer(r, 0);
    assert_int_equal(r->timer_at_ns, 0);
    table_want_timer(r, never);
    assert_true(r->timer_at_ns == never);
    table_want_timer(r, never + 1);
    assert_true(r->timer_at_ns == never);
    table_want_timer(r, never - 1);
    assert_true(r->timer_at_ns == never - 1);
    table_want_timer(r, 0);
    assert_true(r->timer_at_ns == never - 1);
    assert_int_equal(poll(&ready, 1, 0), 0);
    table_want_timer(r, 1);
    assert_int_equal(poll(&ready, 1, commands_patience_ms), 1);
    int64_t armed = r->timer_at_ns;
    pump_while(r, &r->timer_at_ns, &armed, sizeof armed);
    assert_memory_equal(&r->timer_at_ns, &zero, sizeof zero);
    assert_int_equal(poll(&ready, 1, 0), 0);
    deja_runner_close(r);
}

static void test_table__a_grace_that_is_over_is_the_end(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "exec sleep 1000", NULL);
    commands_shell(r, "exec sleep 1000", NULL);
    r->slot[1]->kill_at_ns = 1;
    r->slot[0]->kill_at_ns = deja_monotonic_ns(NULL) + 3600 * DEJA_S_NS;
    table_want_timer(r, 1);
    deja_outcome o = commands_next(r);
    assert_int_equal(o.signal, SIGKILL);
    deja_outcome_done(&o);
    assert_null(r->slot[1]);
    assert_non_null(r->slot[0]);
    assert_true(r->timer_at_ns > 1 && r->timer_at_ns <= r->slot[0]->kill_at_ns);
    deja_runner_close(r);
}

static void test_table__a_warden_that_was_killed_is_followed_by_another(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    commands_shell(r, "exec sleep 1000", NULL);
    pid_t first = r->host.warden.pid, none = 0;
    if (r->host.warden.pidfd < 0)
        skip();
    assert_int_equal(kill(first, SIGKILL), 0);
    pump_while(r, &r->host.warden.pid, &first, sizeof first);
    if (r->host.warden.pid == none) {
        assert_true(r->timer_at_ns > 0); /* nobody else would wake us */
        pump_while(r, &r->host.warden.pid, &none, sizeof none);
    }
    assert_true(commands_alive(r->host.warden.pid));
    deja_runner_close(r);
}

static void test_table__a_wait_that_fails_is_an_error(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    deja_error err = {0};
    int epoll = r->host.epoll;
    r->host.epoll = -1;
    assert_int_equal(table_pump(r, 0, &err), DEJA_EIO);
    assert_int_equal(err.sys_errno, EBADF);
    r->host.epoll = epoll;
    assert_int_equal(table_pump(r, 0, &err), 0);
    deja_runner_close(r);
}

/* As if it had been suspended an hour ago, with ten seconds to go. */
static void test_table__a_suspension_does_not_count_for_a_timeout(void **state)
{
    (void)state;
    const int64_t hour_ns = 3600 * DEJA_S_NS;
    deja_runner *r = commands_open();
    const char *argv[] = {"/bin/sleep", "1000", NULL};
    deja_command c = {.argv = argv,
                      .file = argv[0],
                      .env = (const char *const *)environ,
                      .stdin_fd = -1,
                      .timeout_ns = 10 * DEJA_S_NS};
    assert_int_equal(deja_runner_start(r, &c, NULL), 0);
    child *job = r->slot[0];
    deja_runner_suspend(r);
    r->suspended_ns -= hour_ns;
    job->end_at_ns -= hour_ns;
    table_want_timer(r, 1);
    assert_int_equal(table_pump(r, commands_patience_ms, NULL), 0);
    assert_int_equal(job->outcome.timed_out, 0);
    deja_runner_resume(r);
    assert_true(job->end_at_ns > deja_monotonic_ns(NULL));
    job->end_at_ns -= hour_ns;
    table_want_timer(r, 1);
    deja_outcome o = commands_next(r);
    assert_int_equal(o.timed_out, 1);
    assert_int_equal(o.signal, SIGTERM);
    deja_outcome_done(&o);
    deja_runner_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table__a_suspension_does_not_count_for_a_timeout),
        cmocka_unit_test(test_table__doubles_and_keeps_what_is_in_it),
        cmocka_unit_test(test_table__is_no_larger_than_the_wardens_board),
        cmocka_unit_test(test_table__lack_of_memory_leaves_it_as_it_was),
        cmocka_unit_test(test_table__gives_the_lowest_slot),
        cmocka_unit_test(test_table__a_slot_is_free_when_its_job_has_ended),
        cmocka_unit_test(test_table__finished_ones_are_taken_in_their_order),
        cmocka_unit_test(test_table__the_earliest_wish_sets_the_timer),
        cmocka_unit_test(test_table__a_grace_that_is_over_is_the_end),
        cmocka_unit_test(test_table__a_warden_that_was_killed_is_followed_by_another),
        cmocka_unit_test(test_table__a_wait_that_fails_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
