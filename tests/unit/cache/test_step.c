/*
 * Helper threads: what is begun gets finished and handed back once, the descriptor tells the truth, nothing
 * is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "step.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MANY 20000

/* What a step of these tests carries; `owner` finds the steps again, as the cache is only passed through. */
typedef struct errand {
    deja_step step;
    steps *owner;
    pthread_t ran_on;
    unsigned number, done_as;
    _Atomic unsigned *counter;
    pthread_barrier_t *barrier;
    uint64_t bytes;           /* that it says it will move */
    sem_t *gate;              /* to be passed before it finishes */
    _Atomic unsigned *inside; /* counts those at the gate */
    sigset_t blocked;
    pthread_t partner;
} errand;

/* Never looked into: steps only hand it on. */
static deja_cache *no_cache(void)
{
    static char place;
    return (deja_cache *)(void *)&place;
}

static void run_errand(deja_cache *cache, deja_step *step)
{
    assert_ptr_equal(cache, no_cache());
    errand *e = (errand *)step;
    if (steps_put_off(e->owner, step, e->bytes))
        return;
    e->ran_on = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &e->blocked);
    if (e->inside)
        atomic_fetch_add(e->inside, 1);
    if (e->gate)
        while (sem_wait(e->gate))
            assert_int_equal(errno, EINTR);
    if (e->barrier)
        pthread_barrier_wait(e->barrier);
    if (e->counter)
        e->done_as = atomic_fetch_add(e->counter, 1);
    steps_finish(e->owner, step);
}

static void *finish_later(void *context)
{
    errand *e = context;
    usleep(20000);
    e->number++;
    steps_finish(e->owner, &e->step);
    return NULL;
}

static void hand_on(deja_cache *cache, deja_step *step)
{
    (void)cache;
    errand *e = (errand *)step;
    assert_int_equal(pthread_create(&e->partner, NULL, finish_later, e), 0);
}

static int readable(const steps *s, int timeout_ms)
{
    struct pollfd p = {.fd = steps_fd(s), .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static errand *wait_next(steps *s)
{
    assert_true(readable(s, 30000));
    return (errand *)steps_next(s);
}

static steps *open_steps(unsigned helpers)
{
    steps *s;
    assert_int_equal(steps_open(&s, no_cache(), helpers, NULL), 0);
    return s;
}

static void test_step__no_descriptor_before_the_first(void **state)
{
    (void)state;
    steps *s = open_steps(2);
    assert_int_equal(steps_fd(s), -1);
    assert_null(steps_next(s));
    steps_close(s);
    steps_close(NULL);
}

static void test_step__runs_elsewhere_and_comes_back(void **state)
{
    (void)state;
    steps *s = open_steps(2);
    errand e = {.owner = s};
    assert_int_equal(steps_begin(s, &e.step, run_errand), 0);
    assert_ptr_equal(wait_next(s), &e);
    assert_false(pthread_equal(e.ran_on, pthread_self()));
    assert_false(readable(s, 0));
    assert_null(steps_next(s));
    steps_close(s);
}

static void test_step__helpers_take_no_signals(void **state)
{
    (void)state;
    steps *s = open_steps(1);
    errand e = {.owner = s};
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(steps_begin(s, &e.step, run_errand), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_ptr_equal(wait_next(s), &e);
    for (int sig = 1; sig < SIGRTMAX; sig++) {
        /* KILL and STOP cannot be blocked; the C library keeps the first two real-time signals for itself. */
        if (sig != SIGKILL && sig != SIGSTOP && (sig < 32 || sig >= SIGRTMIN))
            assert_int_equal(sigismember(&e.blocked, sig), 1);
        assert_int_equal(sigismember(&before, sig), sigismember(&after, sig));
    }
    steps_close(s);
}

static void test_step__one_helper_works_in_order(void **state)
{
    (void)state;
    static errand e[100];
    _Atomic unsigned counter = 0;
    steps *s = open_steps(1);
    for (unsigned i = 0; i < 100; i++) {
        e[i] = (errand){.owner = s, .counter = &counter, .number = i};
        assert_int_equal(steps_begin(s, &e[i].step, run_errand), 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        errand *next = wait_next(s);
        assert_ptr_equal(next, &e[i]);
        assert_int_equal(next->done_as, i);
    }
    steps_close(s);
}

/* Would hang if the second helper were not started, or not woken. */
static void test_step__helpers_work_at_the_same_time(void **state)
{
    (void)state;
    steps *s = open_steps(3);
    /* One helper that is idle must not be taken for enough. */
    errand first = {.owner = s};
    assert_int_equal(steps_begin(s, &first.step, run_errand), 0);
    assert_ptr_equal(wait_next(s), &first);
    usleep(20000);
    for (int round = 0; round < 200; round++) {
        pthread_barrier_t barrier;
        pthread_barrier_init(&barrier, NULL, 3);
        errand e[3];
        for (int i = 0; i < 3; i++) {
            e[i] = (errand){.owner = s, .barrier = &barrier};
            assert_int_equal(steps_begin(s, &e[i].step, run_errand), 0);
        }
        for (int i = 0; i < 3; i++)
            assert_non_null(wait_next(s));
        pthread_barrier_destroy(&barrier);
    }
    steps_close(s);
}

/* Takes at most one step a poll, so that a descriptor cleared too early or too late shows. */
static void test_step__no_wakeup_is_lost(void **state)
{
    (void)state;
    static errand e[64];
    steps *s = open_steps(2);
    unsigned begun = 0, back = 0;
    while (back < MANY) {
        while (begun < MANY && begun - back < 64) {
            errand *fresh = NULL;
            for (int i = 0; !fresh; i++)
                fresh = e[i].owner ? NULL : &e[i];
            *fresh = (errand){.owner = s};
            assert_int_equal(steps_begin(s, &fresh->step, run_errand), 0);
            begun++;
        }
        errand *done = wait_next(s);
        assert_non_null(done);
        assert_ptr_equal(done->owner, s);
        done->owner = NULL;
        back++;
    }
    assert_false(readable(s, 0));
    assert_null(steps_next(s));
    steps_close(s);
}

static void test_step__may_be_finished_by_another_thread(void **state)
{
    (void)state;
    steps *s = open_steps(1);
    errand e = {.owner = s};
    assert_int_equal(steps_begin(s, &e.step, hand_on), 0);
    assert_ptr_equal(wait_next(s), &e);
    assert_int_equal(e.number, 1);
    pthread_join(e.partner, NULL);
    steps_close(s);
}

static void test_step__close_waits_for_what_is_under_way(void **state)
{
    (void)state;
    static errand e[50];
    _Atomic unsigned counter = 0;
    steps *s = open_steps(2);
    for (unsigned i = 0; i < 50; i++) {
        e[i] = (errand){.owner = s, .counter = &counter};
        steps_begin(s, &e[i].step, i ? run_errand : hand_on);
    }
    steps_close(s);
    assert_int_equal(atomic_load(&counter), 49);
    assert_int_equal(e[0].number, 1);
    pthread_join(e[0].partner, NULL);
}

/* All long ones stop at a gate: short ones that come later must pass them, and all long ones but one helper's
   must be at the gate together. Hangs where that does not hold. */
static void pass_long_ones(unsigned helpers, int short_first)
{
    enum { LONG = 12, SHORT = 40 };
    static errand e[LONG], small[SHORT], first;
    sem_t gate;
    _Atomic unsigned inside = 0;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    steps *s = open_steps(helpers);
    first = (errand){.owner = s};
    if (short_first) {
        assert_int_equal(steps_begin(s, &first.step, run_errand), 0);
        assert_ptr_equal(wait_next(s), &first);
    }
    for (int i = 0; i < LONG; i++) {
        e[i] = (errand){.owner = s, .gate = &gate, .inside = &inside, .bytes = STEP_LONG_BYTES + 1};
        assert_int_equal(steps_begin(s, &e[i].step, run_errand), 0);
    }
    while (atomic_load(&inside) < helpers - 1)
        usleep(1000);
    for (int i = 0; i < SHORT; i++) {
        small[i] = (errand){.owner = s, .bytes = STEP_LONG_BYTES};
        assert_int_equal(steps_begin(s, &small[i].step, run_errand), 0);
        assert_ptr_equal(wait_next(s), &small[i]);
    }
    assert_int_equal(atomic_load(&inside), helpers - 1);
    for (int i = 0; i < LONG; i++)
        assert_int_equal(sem_post(&gate), 0);
    for (int i = 0; i < LONG; i++)
        assert_int_equal(wait_next(s)->bytes, STEP_LONG_BYTES + 1);
    steps_close(s);
    sem_destroy(&gate);
}

static void test_step__long_ones_delay_no_short_one(void **state)
{
    (void)state;
    for (unsigned helpers = 2; helpers <= 5; helpers++)
        for (int short_first = 0; short_first < 2; short_first++)
            pass_long_ones(helpers, short_first);
}

static void test_step__one_helper_does_long_ones_too(void **state)
{
    (void)state;
    steps *s = open_steps(1);
    errand e[4];
    for (int i = 0; i < 4; i++) {
        e[i] = (errand){.owner = s, .bytes = i % 2 ? STEP_LONG_BYTES + 1 : 0};
        assert_int_equal(steps_begin(s, &e[i].step, run_errand), 0);
    }
    for (int i = 0; i < 4; i++)
        assert_non_null(wait_next(s));
    steps_close(s);
}

static void test_step__elsewhere_needs_no_helper(void **state)
{
    (void)state;
    sem_t gate;
    steps *s = open_steps(1);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    errand busy = {.owner = s, .gate = &gate}, handed = {.owner = s}, own = {.owner = s};
    assert_int_equal(steps_begin_elsewhere(s, &own.step, run_errand), 0);
    assert_true(pthread_equal(own.ran_on, pthread_self()));
    assert_ptr_equal(wait_next(s), &own);
    assert_int_equal(steps_begin(s, &busy.step, run_errand), 0);
    assert_int_equal(steps_begin_elsewhere(s, &handed.step, hand_on), 0);
    assert_ptr_equal(wait_next(s), &handed);
    assert_int_equal(sem_post(&gate), 0);
    assert_ptr_equal(wait_next(s), &busy);
    pthread_join(handed.partner, NULL);
    steps_close(s);
    sem_destroy(&gate);
}

static void forbid_descriptors(struct rlimit *old)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, old), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = old->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void test_step__without_resources_it_runs_at_once(void **state)
{
    (void)state;
    steps *s = open_steps(2);
    errand e = {.owner = s, .bytes = STEP_LONG_BYTES + 1};
    errand handed = {.owner = s}, elsewhere = {.owner = s}, later = {.owner = s};
    struct rlimit old;
    forbid_descriptors(&old);
    int first = steps_begin(s, &e.step, run_errand);
    int second = steps_begin(s, &handed.step, hand_on);
    int third = steps_begin_elsewhere(s, &elsewhere.step, hand_on);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(first, 1);
    assert_true(pthread_equal(e.ran_on, pthread_self()));
    assert_int_equal(second, 1);
    assert_int_equal(handed.number, 1);
    pthread_join(handed.partner, NULL);
    assert_int_equal(third, 1);
    assert_int_equal(elsewhere.number, 1);
    pthread_join(elsewhere.partner, NULL);
    assert_null(steps_next(s));
    assert_int_equal(steps_fd(s), -1);
    /* With resources again there are helpers again. */
    assert_int_equal(steps_begin(s, &later.step, run_errand), 0);
    assert_ptr_equal(wait_next(s), &later);
    steps_close(s);
}

static void test_step__lack_of_memory_is_an_error(void **state)
{
    (void)state;
    steps *s;
    deja_error err;
    failing_alloc_at(1);
    int code = steps_open(&s, no_cache(), 2, &err);
    failing_alloc_at(0);
    assert_int_equal(code, DEJA_ENOMEM);
    assert_int_equal(err.code, DEJA_ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step__no_descriptor_before_the_first),
        cmocka_unit_test(test_step__runs_elsewhere_and_comes_back),
        cmocka_unit_test(test_step__helpers_take_no_signals),
        cmocka_unit_test(test_step__one_helper_works_in_order),
        cmocka_unit_test(test_step__helpers_work_at_the_same_time),
        cmocka_unit_test(test_step__no_wakeup_is_lost),
        cmocka_unit_test(test_step__may_be_finished_by_another_thread),
        cmocka_unit_test(test_step__close_waits_for_what_is_under_way),
        cmocka_unit_test(test_step__long_ones_delay_no_short_one),
        cmocka_unit_test(test_step__one_helper_does_long_ones_too),
        cmocka_unit_test(test_step__elsewhere_needs_no_helper),
        cmocka_unit_test(test_step__without_resources_it_runs_at_once),
        cmocka_unit_test(test_step__lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
