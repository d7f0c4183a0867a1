#include "batch_fixture.h"
#include "failing_alloc.h"
#include "way.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t way_of(const char *const *paths, size_t count)
{
    way w = {.dirfd = AT_FDCWD};
    for (size_t i = 0; i < count; i++)
        way_add(&w, paths[i]);
    return way_end(&w);
}

static uint64_t way_to(const char *path)
{
    return way_of(&path, 1);
}

/* As `ln -sfn`: another link of the same name. The old one is held, so that the new one has another inode. */
static void link_again(const char *target, const char *name)
{
    int old = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    unlink(name);
    assert_int_equal(symlink(target, name), 0);
    close(old);
}

static void test_way__every_link_that_it_leads_through_counts(void **state)
{
    (void)state;
    mkdir("d", 0700);
    mkdir("d/e", 0700);
    write_file("d/e/f", "");
    assert_int_equal(symlink("d", "cur"), 0);
    assert_int_equal(symlink("../cur/e", "d/up"), 0);
    assert_int_equal(symlink("d/up/f", "last"), 0);
    static const char *const through[] = {"last", "./last", "d/up/f", "cur/e/f", "d/up/none"};
    for (size_t i = 0; i < sizeof through / sizeof *through; i++) {
        uint64_t was = way_to(through[i]);
        assert_true(way_to(through[i]) == was);
        link_again("d", "cur");
        assert_false(way_to(through[i]) == was);
    }
    uint64_t direct = way_to("d/e/f");
    link_again("d", "cur");
    write_file("d/e/f", "what a file holds does not count");
    write_file("d/e/g", "nor what else is in a folder");
    assert_true(way_to("d/e/f") == direct);
    rename("d/e", "d/was");
    mkdir("d/e", 0700);
    assert_false(way_to("d/e/f") == direct);
}

/* What is taken over from the path before must lead to the same places. */
static void test_way__paths_in_one_list_are_as_good_as_alone(void **state)
{
    (void)state;
    mkdir("a", 0700);
    mkdir("a/b", 0700);
    write_file("a/b/x", "");
    write_file("a/b/y", "");
    assert_int_equal(symlink("b", "a/l"), 0);
    assert_int_equal(symlink("x", "a/b/z"), 0);
    static const char *const paths[] = {"a/b/x", "a/b/z", "a/l/x", "a/l/y", "a/l/z", "a/lx", "top", "a/b/y"};
    enum { COUNT = sizeof paths / sizeof *paths };
    uint64_t was = way_of(paths, COUNT);
    assert_true(way_of(paths, COUNT) == was);
    link_again("x", "a/b/z");
    uint64_t then = way_of(paths, COUNT);
    assert_false(then == was);
    for (size_t i = 0; i < COUNT; i++) { /* only one at a time is in reach of each */
        const char *const two[] = {paths[i], "a/l/z"};
        uint64_t before = way_of(two, 2);
        link_again("x", "a/b/z");
        assert_false(way_of(two, 2) == before);
    }
    link_again("b", "a/l");
    assert_false(way_of(paths + 3, 1) == then);
}

static void test_way__absolute_links_and_circles_end(void **state)
{
    (void)state;
    char here[4096], target[5000];
    assert_non_null(getcwd(here, sizeof here));
    mkdir("d", 0700);
    assert_int_equal(symlink("d", "cur"), 0);
    snprintf(target, sizeof target, "%s//cur/", here);
    assert_int_equal(symlink(target, "abs"), 0);
    uint64_t was = way_to("abs/f");
    link_again("d", "cur");
    assert_false(way_to("abs/f") == was);
    snprintf(target, sizeof target, "%s/cur/f", here);
    was = way_to(target);
    link_again("d", "cur");
    assert_false(way_to(target) == was);
    assert_int_equal(symlink("one", "two"), 0);
    assert_int_equal(symlink("two", "one"), 0);
    assert_true(way_to("one/f") == way_to("one/f"));
}

static void test_way__without_memory_it_is_like_no_other(void **state)
{
    (void)state;
    mkdir("d", 0700);
    assert_int_equal(symlink("d", "cur"), 0);
    const uint64_t whole = way_to("cur/f/g");
    for (long n = 1; n < 100; n++) {
        failing_alloc_at(n);
        uint64_t first = way_to("cur/f/g");
        failing_alloc_at(0);
        if (first == whole) {
            assert_true(n > 2);
            return;
        }
        failing_alloc_at(n);
        uint64_t second = way_to("cur/f/g");
        failing_alloc_at(0);
        assert_false(first == second);
    }
    fail_msg("it never needs the memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_way__every_link_that_it_leads_through_counts),
        CASE(test_way__paths_in_one_list_are_as_good_as_alone),
        CASE(test_way__absolute_links_and_circles_end),
        CASE(test_way__without_memory_it_is_like_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
