/*
 * Processes that forget all results of one function are killed at random moments: what is left is whole, the
 * results of others are all there, and the next who forgets finishes the work, blobs included.
 * cache_forget [KILLS [SEED]]
 */
#include "store_fixture.h"

#include "scratch.h"

#include <deja/text.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#define KILLS        15
#define ENTRIES      600
#define WAIT_MOST_US 12000

static long kills = KILLS;
static unsigned seed;

static int is_of_f(int i)
{
    return i % 4 != 0;
}

static int is_large(int i)
{
    return i % 16 < 2; /* one of each function, of the same content */
}

static void name_of(int i, char name[32])
{
    snprintf(name, 32, "%c %d", is_of_f(i) ? 'f' : 'g', i);
}

/* Many at a time, so that they are committed in groups. Contents that are the same come one after the other.
 */
static void fill(deja_cache *c)
{
    static deja_result all[ENTRIES];
    static char names[ENTRIES][32];
    char *data[ENTRIES] = {NULL};
    int finished = 0;
    for (int i = 0; i < ENTRIES; i++) {
        name_of(i, names[i]);
        data[i] = is_large(i) ? big((unsigned)i / 16) : NULL;
        all[i] = result_of(names[i], "");
        all[i].flags = DEJA_RESULT_VALUE;
        all[i].value = (deja_payload){data[i] ? data[i] : names[i], data[i] ? BIG_BYTES : 8, -1};
        if (data[i])
            assert_int_equal(keep(c, &all[i]), 0);
    }
    for (int i = 0; i < ENTRIES; i++) {
        if (data[i])
            continue;
        assert_int_equal(deja_result_seal_begin(c, &all[i]), 1);
        assert_int_equal(deja_result_commit_begin(c, &all[i]), 0);
        finished--;
    }
    deja_cache_hurry(c);
    while (finished < 0) {
        struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
        assert_true(poll(&p, 1, 20000) == 1 || errno == EINTR);
        for (deja_step *s; (s = deja_cache_next(c)); finished++)
            assert_int_equal(s->status, 0);
    }
    for (int i = 0; i < ENTRIES; i++) {
        deja_result_done(&all[i]);
        deja_free(data[i]);
    }
}

static int of_f(void *context, const deja_listed *entry, const void *encoding, size_t len)
{
    (void)context, (void)entry;
    return len && *(const char *)encoding == 'f';
}

static void forget_and_die(void)
{
    deja_cache *c = open_cache("cache");
    _exit(deja_cache_forget_where(c, of_f, NULL, NULL, NULL) ? 2 : 0);
}

static void kill_one_that_forgets(void)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        forget_and_die();
    struct timespec t = {.tv_nsec = rand_r(&seed) % WAIT_MOST_US * 1000L};
    nanosleep(&t, NULL);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* Those of f that are left; each entry that is there is whole. */
static int check(deja_cache *c)
{
    int left = 0;
    for (int i = 0; i < ENTRIES; i++) {
        char name[32];
        deja_mapped m;
        name_of(i, name);
        deja_entry *e = look(c, name);
        left += e && is_of_f(i);
        if (!e && !is_of_f(i))
            fail_msg("the result '%s' of the other function is lost", name);
        if (e && deja_cache_map_value(c, e, &m, NULL))
            fail_msg("the value of '%s' is lost", name);
        if (e && is_large(i)) {
            char *data = big((unsigned)i / 16);
            assert_memory_equal(m.data, data, BIG_BYTES);
            deja_free(data);
        }
        if (e)
            deja_mapped_done(&m);
        deja_entry_free(e);
    }
    return left;
}

static void test_forget__killed_in_between_leaves_whole_entries(void **state)
{
    (void)state;
    long partly = 0;
    for (long round = 0; round < kills; round++) {
        deja_cache *c = open_cache("cache");
        fill(c);
        deja_cache_close(c);
        kill_one_that_forgets();
        c = open_cache("cache");
        int left = check(c);
        partly += left > 0 && left < ENTRIES * 3 / 4;
        uint64_t count;
        assert_int_equal(deja_cache_forget_where(c, of_f, NULL, &count, NULL), 0);
        assert_int_equal(count, left);
        assert_int_equal(check(c), 0);
        assert_int_equal(count_blobs("cache"), (ENTRIES + 15) / 16);
        assert_warning(c, NULL);
        assert_int_equal(deja_cache_clear(c, NULL, NULL), 0);
        deja_cache_close(c);
    }
    print_message("%ld kills: %ld in the middle; 0 lost, 0 torn\n", kills, partly);
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
        cmocka_unit_test_setup_teardown(test_forget__killed_in_between_leaves_whole_entries, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
