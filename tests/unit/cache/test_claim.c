/*
 * Claims: one owner among threads, opens and processes; they end with their owner, also when it is killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "scratch.h"

#include <deja/claim.h>
#include <deja/hash.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define FOLDER "claims"
#define KEYS   500

static deja_hash key_of(unsigned i)
{
    return deja_hash_bytes(&i, sizeof i);
}

static deja_claims *open_claims(void)
{
    deja_claims *c = NULL;
    deja_error err;
    if (deja_claims_open(&c, FOLDER, &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

static int try_key(deja_claims *c, unsigned i)
{
    deja_hash key = key_of(i);
    return deja_claim_try(c, &key, NULL);
}

static void release_key(deja_claims *c, unsigned i)
{
    deja_hash key = key_of(i);
    deja_claim_release(c, &key);
}

/* A test that fails leaves no child behind. */
static void end_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* In a child nothing of cmocka may run: it reports by its status. */
static int wait_child(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_claim__one_has_it_until_it_is_released(void **state)
{
    (void)state;
    deja_claims *c = open_claims(), *other = open_claims();
    assert_int_equal(try_key(c, 1), 1);
    assert_int_equal(try_key(c, 1), 0);
    assert_int_equal(try_key(other, 1), 0);
    assert_int_equal(try_key(other, 2), 1);
    assert_int_equal(try_key(c, 2), 0);
    release_key(c, 1);
    assert_int_equal(try_key(other, 1), 1);
    assert_int_equal(try_key(c, 1), 0);
    deja_claims_close(other);
    assert_int_equal(try_key(c, 1), 1);
    assert_int_equal(try_key(c, 2), 1);
    deja_claims_close(c);
    deja_claims_close(NULL);
}

static void test_claim__release_of_what_was_never_ours_changes_nothing(void **state)
{
    (void)state;
    deja_claims *c = open_claims(), *other = open_claims();
    release_key(c, 1);
    assert_int_equal(try_key(other, 1), 1);
    release_key(c, 1);
    assert_int_equal(try_key(c, 1), 0);
    deja_claims_close(c);
    deja_claims_close(other);
}

static void test_claim__many_at_once_in_any_order(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    deja_claims *c = open_claims(), *other = open_claims();
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(try_key(c, i), 1);
    for (unsigned i = 0; i < MANY; i++) {
        /* 7 and 3000 have no common factor: every number once, out of order. */
        unsigned k = i * 7 % MANY;
        assert_int_equal(try_key(c, k), 0);
        assert_int_equal(try_key(other, k), 0);
        release_key(c, k);
        assert_int_equal(try_key(other, k), 1);
        release_key(other, k);
        assert_int_equal(try_key(c, k), 1);
        if (k % 3)
            release_key(c, k);
    }
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(try_key(other, i), i % 3 ? 1 : 0);
    deja_claims_close(c);
    for (unsigned i = 0; i < MANY; i += 3)
        assert_int_equal(try_key(other, i), 1);
    deja_claims_close(other);
}

static void test_claim__a_killed_owner_leaves_none(void **state)
{
    (void)state;
    deja_claims *c = open_claims();
    for (int round = 0; round < 20; round++) {
        int ready[2];
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
            end_with_parent();
            deja_claims *mine;
            char ok = deja_claims_open(&mine, FOLDER, NULL) == 0;
            for (unsigned i = 0; i < 100; i++)
                ok = ok && try_key(mine, i) == 1;
            if (write(ready[1], &ok, 1) == 1)
                pause();
            _exit(1);
        }
        char ok = 0;
        assert_int_equal(read(ready[0], &ok, 1), 1);
        assert_int_equal(ok, 1);
        for (unsigned i = 0; i < 100; i++)
            assert_int_equal(try_key(c, i), 0);
        kill(pid, SIGKILL);
        wait_child(pid);
        close(ready[0]);
        close(ready[1]);
        for (unsigned i = 0; i < 100; i++) {
            assert_int_equal(try_key(c, i), 1);
            release_key(c, i);
        }
    }
    deja_claims_close(c);
}

static void test_claim__a_forked_child_can_neither_use_nor_end_them(void **state)
{
    (void)state;
    deja_claims *c = open_claims(), *other = open_claims();
    assert_int_equal(try_key(c, 1), 1);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        int good = try_key(c, 2) == DEJA_EFORK;
        release_key(c, 1);
        deja_claims_close(c);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(wait_child(pid), 0);
    assert_int_equal(try_key(other, 1), 0);
    release_key(c, 1);
    assert_int_equal(try_key(other, 1), 1);
    deja_claims_close(c);
    deja_claims_close(other);
}

/* A child that goes on living with the descriptors open: release and close are for good all the same. */
static void test_claim__release_and_close_reach_inherited_descriptors(void **state)
{
    (void)state;
    deja_claims *c = open_claims(), *other = open_claims();
    assert_int_equal(try_key(c, 1), 1);
    assert_int_equal(try_key(c, 2), 1);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        end_with_parent();
        pause();
        _exit(0);
    }
    assert_int_equal(try_key(other, 1), 0);
    release_key(c, 1);
    assert_int_equal(try_key(other, 1), 1);
    assert_int_equal(try_key(other, 2), 0);
    deja_claims_close(c);
    assert_int_equal(try_key(other, 2), 1);
    kill(pid, SIGKILL);
    wait_child(pid);
    deja_claims_close(other);
}

/* Shared by the contestants: who is inside, and how often somebody met another there. */
typedef struct arena {
    _Atomic int inside[KEYS];
    _Atomic int wins[KEYS];
    _Atomic int clashes, failures;
} arena;

static void contest(arena *a, deja_claims *c, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        unsigned k = i % KEYS;
        int got = try_key(c, k);
        if (got < 0)
            atomic_fetch_add(&a->failures, 1);
        if (got != 1)
            continue;
        if (atomic_fetch_add(&a->inside[k], 1))
            atomic_fetch_add(&a->clashes, 1);
        atomic_fetch_add(&a->wins[k], 1);
        sched_yield();
        atomic_fetch_sub(&a->inside[k], 1);
        release_key(c, k);
    }
}

static void assert_fair(arena *a)
{
    assert_int_equal(atomic_load(&a->clashes), 0);
    assert_int_equal(atomic_load(&a->failures), 0);
    for (unsigned i = 0; i < KEYS; i++)
        assert_true(atomic_load(&a->wins[i]) > 0);
}

static void test_claim__never_two_processes_inside(void **state)
{
    (void)state;
    arena *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(a, MAP_FAILED);
    pid_t pids[6];
    for (int i = 0; i < 6; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i])
            continue;
        deja_claims *c;
        if (deja_claims_open(&c, FOLDER, NULL) < 0)
            _exit(1);
        contest(a, c, 3 * KEYS);
        deja_claims_close(c);
        _exit(0);
    }
    for (int i = 0; i < 6; i++)
        assert_int_equal(wait_child(pids[i]), 0);
    assert_fair(a);
    munmap(a, sizeof *a);
}

typedef struct contestant {
    arena *arena;
    deja_claims *claims;
} contestant;

static void *contest_in_thread(void *context)
{
    contestant *me = context;
    contest(me->arena, me->claims, 3 * KEYS);
    return NULL;
}

static void test_claim__never_two_threads_inside(void **state)
{
    (void)state;
    static arena a;
    memset(&a, 0, sizeof a);
    deja_claims *c = open_claims(), *other = open_claims();
    contestant ours = {.arena = &a, .claims = c}, theirs = {.arena = &a, .claims = other};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, contest_in_thread, i < 3 ? &ours : &theirs), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_fair(&a);
    deja_claims_close(c);
    deja_claims_close(other);
}

static void test_claim__without_descriptors_it_is_an_error_and_not_held(void **state)
{
    (void)state;
    deja_claims *c = open_claims(), *other = open_claims();
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    deja_error err = {0};
    deja_hash key = key_of(1);
    int code = deja_claim_try(c, &key, &err);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(code, DEJA_ERESOURCE);
    assert_non_null(strstr(err.text, FOLDER));
    assert_int_equal(try_key(other, 1), 1);
    release_key(other, 1);
    assert_int_equal(try_key(c, 1), 1);
    deja_claims_close(c);
    deja_claims_close(other);
}

static void test_claim__lack_of_memory_is_an_error(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        deja_claims *c = NULL;
        failing_alloc_at(n);
        int code = deja_claims_open(&c, FOLDER, NULL);
        int got = code == 0 ? try_key(c, 1) : 0;
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_true(code == 0 || code == DEJA_ENOMEM);
        assert_true(got == (hits ? 0 : 1) || got == DEJA_ENOMEM);
        deja_claims_close(c);
        if (!hits)
            break;
    }
}

static void test_claim__a_file_in_the_way_is_an_error(void **state)
{
    (void)state;
    deja_claims *c;
    deja_error err = {0};
    int fd = open(FOLDER, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_true(deja_claims_open(&c, FOLDER, &err) < 0);
    assert_non_null(strstr(err.text, FOLDER));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_claim__one_has_it_until_it_is_released),
        CASE(test_claim__release_of_what_was_never_ours_changes_nothing),
        CASE(test_claim__many_at_once_in_any_order),
        CASE(test_claim__a_killed_owner_leaves_none),
        CASE(test_claim__a_forked_child_can_neither_use_nor_end_them),
        CASE(test_claim__release_and_close_reach_inherited_descriptors),
        CASE(test_claim__never_two_processes_inside),
        CASE(test_claim__never_two_threads_inside),
        CASE(test_claim__without_descriptors_it_is_an_error_and_not_held),
        CASE(test_claim__lack_of_memory_is_an_error),
        CASE(test_claim__a_file_in_the_way_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
