/*
 * Processes that store results are killed at random moments: what they had acknowledged is there and right
 * afterwards, and what is there is right. cache_kill [KILLS [SEED]]
 */
#include "store_fixture.h"

#include "scratch.h"

#include <deja/text.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#define KILLS        100
#define PER_ROUND    4000 /* results a process would store if nobody killed it */
#define IN_FLIGHT    50
#define WAIT_MOST_US 60000

typedef struct one {
    deja_result r;
    char name[32], out[64];
    char *data;
} one;

static long kills = KILLS;
static unsigned seed;

static int is_large(int i)
{
    return i % 16 == 3;
}

static void names_of(int round, int i, char name[32], char out[64])
{
    snprintf(name, 32, "round %d result %d", round, i);
    snprintf(out, 64, "the value of %d in round %d", i, round);
}

static char *large_of(int round, int i)
{
    return big((unsigned)(round * 1000 + i / 32)); /* every second one is there already */
}

static void begin(deja_cache *c, one *x, int round, int i)
{
    names_of(round, i, x->name, x->out);
    x->r = result_of(x->name, x->out);
    x->data = is_large(i) ? large_of(round, i) : NULL;
    if (x->data)
        x->r.out = (deja_payload){x->data, BIG_BYTES, -1};
    x->r.step.user = x;
    if (wait_step(c, &x->r.step, deja_result_seal_begin(c, &x->r)))
        _exit(2);
    if (deja_result_commit_begin(c, &x->r))
        _exit(3);
}

/* Stores one result after the other, some at a time, and writes the number of each that is acknowledged. */
static void store_for_ever(int round, int acknowledge)
{
    static one all[PER_ROUND];
    deja_cache *c = open_cache("cache");
    for (int i = 0, finished = 0; finished < PER_ROUND;) {
        if (i < PER_ROUND && i - finished < IN_FLIGHT && !is_large(i)) {
            begin(c, &all[i], round, i);
            i++;
            continue;
        }
        deja_cache_hurry(c);
        struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
        if (i > finished && poll(&p, 1, 20000) <= 0)
            _exit(4);
        for (deja_step *s; (s = deja_cache_next(c)); finished++) {
            one *x = s->user;
            int number = (int)(x - all);
            if (s->status || write(acknowledge, &number, sizeof number) != sizeof number)
                _exit(5);
            deja_result_done(&x->r);
            deja_free(x->data);
        }
        if (i == finished &&
            i < PER_ROUND) { /* a large one is sealed with nothing else under way (wait_step) */
            begin(c, &all[i], round, i);
            i++;
        }
    }
    deja_cache_close(c);
    _exit(0);
}

/* 1 found and right, 0 not found; fails when it is wrong. */
static int check(deja_cache *c, int round, int i)
{
    char name[32], out[64];
    names_of(round, i, name, out);
    deja_entry *e = look(c, name);
    if (!e)
        return 0;
    if (!is_large(i)) {
        assert_out(e, out);
    } else {
        char *data = large_of(round, i), *back = deja_realloc(NULL, BIG_BYTES);
        int fd = deja_cache_open_stored(c, &e->out, NULL);
        if (fd < 0)
            fail_msg("round %d: the blob of result %d is not there", round, i);
        assert_int_equal(pread(fd, back, BIG_BYTES, 0), BIG_BYTES);
        assert_memory_equal(back, data, BIG_BYTES);
        close(fd);
        deja_free(back);
        deja_free(data);
    }
    deja_entry_free(e);
    return 1;
}

static void wait_a_moment(void)
{
    long us = rand_r(&seed) % WAIT_MOST_US;
    struct timespec t = {.tv_nsec = us * 1000};
    nanosleep(&t, NULL);
}

/* The numbers that were acknowledged before the death are in the pipe; how many. */
static int run_and_kill(int round, int acknowledged[PER_ROUND])
{
    int ends[2], n = 0, status = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        store_for_ever(round, ends[1]);
    }
    close(ends[1]);
    wait_a_moment();
    kill(pid, SIGKILL);
    while (n < PER_ROUND && read(ends[0], &acknowledged[n], sizeof acknowledged[n]) == sizeof acknowledged[n])
        n++;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status))
        fail_msg("round %d: ended with %d before it was killed", round, WEXITSTATUS(status));
    return n;
}

static void test_kill__acknowledged_results_survive(void **state)
{
    (void)state;
    static int acknowledged[PER_ROUND];
    long total = 0, unacknowledged = 0;
    for (int round = 0; round < kills; round++) {
        int n = run_and_kill(round, acknowledged);
        deja_cache *c = open_cache("cache");
        for (int i = 0; i < n; i++)
            if (!check(c, round, acknowledged[i]))
                fail_msg("round %d: result %d was acknowledged and is lost", round, acknowledged[i]);
        for (int i = 0; i < n + 2 * IN_FLIGHT && i < PER_ROUND; i++)
            unacknowledged += check(c, round, i);
        total += n;
        unacknowledged -= n;
        if (round % 10 == 9) { /* an older round too */
            int old = (int)(rand_r(&seed) % (unsigned)round);
            for (int i = 0; i < 100; i++)
                (void)check(c, old, i);
        }
        assert_warning(c, NULL);
        deja_cache_close(c);
    }
    print_message("%ld kills: %ld results acknowledged, %ld more were committed; 0 lost, 0 wrong\n", kills,
                  total, unacknowledged);
    assert_int_equal(access("cache/db.damaged-1", F_OK), -1);
}

int main(int argc, char **argv)
{
    int64_t n;
    seed = 1;
    if (argc > 1 && deja_text_int(argv[1], &n) == 0)
        kills = (long)n;
    if (argc > 2 && deja_text_int(argv[2], &n) == 0)
        seed = (unsigned)n;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill__acknowledged_results_survive, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
