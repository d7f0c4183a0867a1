/* A folder of runs: jobs/runs.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runs.h"
#include "scratch.h"
#include <deja/clock.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

static int open_here(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* A run with a log; its state file is returned, locked when `living`. */
static int make_run(const char *id, int living)
{
    char path[256];
    assert_int_equal(mkdir(id, 0700), 0);
    snprintf(path, sizeof path, "%s/log", id);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/log/0001-x.err", id);
    int log = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(log >= 0);
    close(log);
    snprintf(path, sizeof path, "%s/state", id);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    runs_state state = {.magic = {'d'}, .pid = 4711, .total = 3};
    assert_int_equal(pwrite(fd, &state, sizeof state, 0), sizeof state);
    if (living)
        assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

static void test_runs__ids_sort_by_time(void **state)
{
    char a[RUNS_ID], b[RUNS_ID], c[RUNS_ID];
    (void)state;
    runs_id(a, 1795166609 * DEJA_S_NS + 5 * DEJA_MS_NS, 12, 0);
    runs_id(b, 1795166609 * DEJA_S_NS + 40 * DEJA_MS_NS, 7, 0);
    runs_id(c, 1795166609 * DEJA_S_NS + 40 * DEJA_MS_NS, 7, 3);
    assert_string_equal(a, "20261120-092329.005-12");
    assert_string_equal(c, "20261120-092329.040-7-3");
    assert_true(strcmp(a, b) < 0);
    assert_true(runs_is_id(a) && runs_is_id(b) && runs_is_id(c));
}

static void test_runs__other_names_are_no_ids(void **state)
{
    static const char *const names[] = {
        "",
        ".",
        "..",
        "20261120-092329.005-",
        "20261120-092329.005",
        "20261120-092329.005-1-",
        "20261120-092329.005-1-2-3",
        "20261120-092329.005-x",
        "20261120-092329.005-1x",
        "20261120x092329.005-1",
        "2026112-092329.005-1",
        "20261120-092329.005-1111111111111111111111111111111111111111111111111111"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (runs_is_id(names[i]))
            fail_msg("'%s' is taken for an id", names[i]);
}

static void test_runs__a_run_lives_while_its_lock_is_held(void **state)
{
    (void)state;
    runs_state seen;
    int folder = open_here();
    int fd = make_run("20261120-092329.005-1", 1);
    assert_int_equal(runs_alive(folder, "20261120-092329.005-1", &seen), 1);
    assert_int_equal(seen.pid, 4711);
    assert_int_equal(seen.total, 3);
    close(fd);
    assert_int_equal(runs_alive(folder, "20261120-092329.005-1", &seen), 0);
    assert_int_equal(runs_alive(folder, "20261120-092329.005-2", &seen), 0);
    close(folder);
}

static void test_runs__the_living_are_named_with_their_pids(void **state)
{
    (void)state;
    deja_buffer b = {0};
    int one = make_run("20261120-092329.005-1", 1);
    int two = make_run("20261120-092329.005-2", 0);
    int three = make_run("20261120-092329.005-3", 1);
    runs_living(".", "20261120-092329.005-3", &b);
    assert_string_equal(deja_buffer_string(&b), "run 20261120-092329.005-1 (pid 4711)");
    deja_buffer_clear(&b);
    runs_living("missing", NULL, &b);
    assert_string_equal(deja_buffer_string(&b), "");
    deja_buffer_done(&b);
    close(one);
    close(two);
    close(three);
}

static size_t count_runs(void)
{
    size_t n = 0;
    DIR *dir = opendir(".");
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += runs_is_id(e->d_name) != 0;
    closedir(dir);
    return n;
}

/* One run each second from `from` on; the first one lives when `alive`. Returns its descriptor. */
static int make_runs(int from, int count, int alive)
{
    char id[RUNS_ID];
    int first = -1;
    for (int i = 0; i < count; i++) {
        runs_id(id, (int64_t)(from + i) * DEJA_S_NS, 1, 0);
        int fd = make_run(id, alive && i == 0);
        if (i == 0)
            first = fd;
        else
            close(fd);
    }
    return first;
}

static void test_runs__prune_takes_the_oldest_that_do_not_live(void **state)
{
    char id[RUNS_ID];
    (void)state;
    int folder = open_here();
    int first = make_runs(1, RUNS_KEEP + 24, 1);
    assert_int_equal(mkdir("other", 0700), 0);
    assert_int_equal(runs_prune(folder, (RUNS_YOUNG_S + 200) * DEJA_S_NS), 24);
    assert_int_equal(count_runs(), RUNS_KEEP);
    for (int i = 1; i <= RUNS_KEEP + 24; i++) {
        runs_id(id, i * DEJA_S_NS, 1, 0);
        assert_int_equal(access(id, F_OK) == 0, i == 1 || i > 25);
    }
    assert_int_equal(access("other", F_OK), 0);
    close(first);
    close(folder);
}

static void test_runs__prune_leaves_young_ones(void **state)
{
    (void)state;
    int folder = open_here();
    close(make_runs(1, RUNS_KEEP + RUNS_PRUNE_STEP, 0));
    assert_int_equal(runs_prune(folder, 200 * DEJA_S_NS), 0);
    assert_int_equal(runs_prune(folder, (RUNS_YOUNG_S + 4) * DEJA_S_NS), 3);
    close(folder);
}

static void test_runs__prune_follows_no_links(void **state)
{
    (void)state;
    int folder = open_here();
    assert_int_equal(mkdir("precious", 0700), 0);
    assert_int_equal(mkdir("precious/x", 0700), 0);
    assert_int_equal(symlink("precious", "20261120-092329.005-1"), 0);
    close(make_run("20261120-092329.005-2", 0));
    close(make_runs(2000000000, RUNS_KEEP + RUNS_PRUNE_STEP - 2, 0));
    assert_int_equal(symlink("../precious", "20261120-092329.005-2/link"), 0);
    runs_prune(folder, INT64_C(3000000000) * DEJA_S_NS);
    assert_int_equal(access("precious/x", F_OK), 0);
    assert_int_not_equal(access("20261120-092329.005-2", F_OK), 0);
    close(folder);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

static void make_output(const char *id, off_t bytes, int living)
{
    char path[256];
    int state = make_run(id, living);
    snprintf(path, sizeof path, "%s/output", id);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, bytes), 0);
    close(fd);
    if (!living)
        close(state);
}

static void test_runs__output_of_the_oldest_goes_when_there_is_too_much(void **state)
{
    (void)state;
    int here = open_here();
    make_output("20260101-000000.000-1", 50, 1); /* lives */
    make_output("20260101-000000.001-1", 50, 0);
    make_output("20260101-000000.002-1", 50, 0);
    make_output("20260101-000000.003-1", 50, 0);
    assert_int_equal(runs_prune_output(here, 200), 0);
    assert_int_equal(runs_prune_output(here, 120), 2);
    assert_int_equal(access("20260101-000000.000-1/output", F_OK), 0);
    assert_int_not_equal(access("20260101-000000.001-1/output", F_OK), 0);
    assert_int_not_equal(access("20260101-000000.002-1/output", F_OK), 0);
    assert_int_equal(access("20260101-000000.003-1/output", F_OK), 0);
    assert_int_equal(access("20260101-000000.002-1/log", F_OK), 0);
    close(here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_runs__ids_sort_by_time),
        CASE(test_runs__other_names_are_no_ids),
        CASE(test_runs__a_run_lives_while_its_lock_is_held),
        CASE(test_runs__the_living_are_named_with_their_pids),
        CASE(test_runs__prune_takes_the_oldest_that_do_not_live),
        CASE(test_runs__prune_leaves_young_ones),
        CASE(test_runs__prune_follows_no_links),
        CASE(test_runs__output_of_the_oldest_goes_when_there_is_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
