/*
 * A worker that dies between two steps. The zygote is stopped before it starts any worker, and the test plays
 * the worker and tells of its death, so each step is met for certain.
 */
#include "processes.h"

#include "pool_state.h"
#include "process.h"

enum { birth = 4711 };

typedef struct stage {
    deja_pool *pool;
    process *process;
    deja_pool_function *function;
    int64_t zygote;
    uint64_t note;
    slot *slot;
} stage;

static int64_t stopped; /* the zygote of the current test */

/* After a failure, too: stopped it would not see its program end. */
static int go_on(void **state)
{
    (void)state;
    if (stopped > 0)
        kill((pid_t)stopped, SIGCONT);
    stopped = 0;
    return 0;
}

static int answer(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    return deja_return(out, arg[0]);
}

static stage set(uint32_t retries)
{
    stage s = {.pool = processes_open(OPTIONS(.workers = 1))};
    s.process = (process *)s.pool->backend[DEJA_PROCESS];
    close(s.process->zygote_fd); /* it is to stay stopped */
    s.process->zygote_fd = -1;
    assert_int_equal(deja_pool_pids(s.pool, &s.zygote, 1), 1);
    stopped = s.zygote;
    assert_int_equal(kill((pid_t)s.zygote, SIGSTOP), 0);
    s.function = DEFINE(s.pool, answer, .retries = retries);
    processes_submit(s.pool, s.function, ARGS(deja_i64(5)), NULL);
    return s;
}

static void play_take(stage *s)
{
    boards *b = &s->process->shop.boards;
    assert_int_equal(boards_take(b, &b->board[0], birth, &s->note), 1);
    s->slot = &b->slots[(uint32_t)s->note % slot_count];
}

static void play_done(const stage *s, int64_t result)
{
    deja_value v = deja_i64(result);
    memcpy(s->slot->room, &v, sizeof v);
    s->slot->result = result_scalar;
    s->slot->code = 0;
    atomic_store(&s->slot->word, slot_word((uint32_t)(s->note >> 32), birth, slot_done));
}

static void play_death(const stage *s, enum turn_state turn)
{
    control *c = s->process->shop.boards.control;
    c->death[0] = (death){.birth = birth, .status = SIGKILL, .turn = turn, .current = s->note};
    atomic_store(&c->deaths, 1);
    pool_rung(s->pool);
}

static void strike(stage *s)
{
    assert_int_equal(kill((pid_t)s->zygote, SIGCONT), 0);
    stopped = 0;
    deja_pool_close(s->pool);
}

static void expect_nothing(const stage *s)
{
    deja_task_outcome o;
    assert_int_equal(deja_pool_take(s->pool, &o, 1), 0);
}

static void test_process_death__done_but_not_told(void **state)
{
    (void)state;
    stage s = set(0);
    play_take(&s);
    play_done(&s, 42);
    expect_nothing(&s); /* nobody told */
    play_death(&s, turn_idle);
    processes_expect(processes_next(s.pool), 42);
    expect_nothing(&s);
    strike(&s);
}

static void test_process_death__told_and_then_dead(void **state)
{
    (void)state;
    stage s = set(0);
    play_take(&s);
    play_done(&s, 43);
    boards_tell(&s.process->shop.boards.board[0], (uint32_t)s.note);
    play_death(&s, turn_idle);
    processes_expect(processes_next(s.pool), 43);
    expect_nothing(&s);
    strike(&s);
}

static void test_process_death__while_the_function_ran(void **state)
{
    (void)state;
    stage s = set(0);
    play_take(&s);
    play_death(&s, turn_running);
    processes_expect_failure(processes_next(s.pool), DEJA_EKILLED, "signal 9");
    expect_nothing(&s);
    strike(&s);
}

static void test_process_death__what_it_took_is_tried_again(void **state)
{
    (void)state;
    stage s = set(1);
    play_take(&s);
    play_death(&s, turn_running);
    expect_nothing(&s);
    kill((pid_t)s.zygote, SIGCONT); /* a real worker has it now */
    processes_expect(processes_next(s.pool), 5);
    expect_nothing(&s);
    strike(&s);
}

/* It noted the task and died before it took it: that is somebody else's task now. */
static void test_process_death__before_it_was_taken(void **state)
{
    (void)state;
    stage s = set(0);
    uint64_t head = atomic_load(&s.process->shop.boards.control->head);
    s.note = atomic_load(&s.process->shop.boards.ring[head % ring_entries]);
    play_death(&s, turn_idle);
    expect_nothing(&s);
    kill((pid_t)s.zygote, SIGCONT);
    processes_expect(processes_next(s.pool), 5);
    expect_nothing(&s);
    strike(&s);
}

/* Taken, but the head of the ring not moved on: whoever comes next does it. */
static void test_process_death__before_the_ring_moved(void **state)
{
    (void)state;
    stage s = set(0);
    play_take(&s);
    atomic_fetch_sub(&s.process->shop.boards.control->head, 1);
    play_death(&s, turn_running);
    processes_expect_failure(processes_next(s.pool), DEJA_EKILLED, "signal 9");
    processes_submit(s.pool, s.function, ARGS(deja_i64(6)), NULL);
    kill((pid_t)s.zygote, SIGCONT);
    processes_expect(processes_next(s.pool), 6);
    expect_nothing(&s);
    strike(&s);
}

/* What a broken worker writes is not believed. */
static void test_process_death__nonsense_is_passed_over(void **state)
{
    (void)state;
    stage s = set(0);
    board *b = &s.process->shop.boards.board[0];
    boards_tell(b, UINT32_MAX);
    boards_tell(b, 3); /* a slot that nobody uses */
    play_take(&s);
    play_done(&s, 1);
    s.slot->result = result_image;
    s.slot->result_len = UINT64_MAX;
    boards_tell(b, (uint32_t)s.note);
    boards_tell(b, (uint32_t)s.note);
    processes_expect_failure(processes_next(s.pool), DEJA_ECORRUPT, "nonsense");
    expect_nothing(&s);
    strike(&s);
}

#define PLAYED(test) cmocka_unit_test_teardown(test, go_on)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAYED(test_process_death__done_but_not_told),
        PLAYED(test_process_death__told_and_then_dead),
        PLAYED(test_process_death__while_the_function_ran),
        PLAYED(test_process_death__what_it_took_is_tried_again),
        PLAYED(test_process_death__before_it_was_taken),
        PLAYED(test_process_death__before_the_ring_moved),
        PLAYED(test_process_death__nonsense_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
