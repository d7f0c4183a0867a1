/* Paths as texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>

static void assert_normal(const char *path, const char *expected)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, "before/"); /* what is there already is no part of the path */
    deja_path_normalise(&b, path);
    assert_int_equal(b.failed, 0);
    assert_string_equal(deja_buffer_string(&b) + strlen("before/"), expected);
}

static void test_path__normalise(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"a//b/./c/../d", "a/b/d"},
                                           {"../x", "../x"},
                                           {"", "."},
                                           {".", "."},
                                           {"./", "."},
                                           {"a/", "a"},
                                           {"a/..", "."},
                                           {"a/../..", ".."},
                                           {"a/../../b/..", ".."},
                                           {"../../a", "../../a"},
                                           {"/", "/"},
                                           {"//", "/"},
                                           {"/..", "/"},
                                           {"/../a", "/a"},
                                           {"/a/../..", "/"},
                                           {"/a//b///c/", "/a/b/c"},
                                           {"...", "..."},
                                           {"a/...", "a/..."},
                                           {"..a/.b", "..a/.b"},
                                           {"a/b/../../..", ".."},
                                           {"\xFF/..\xFE", "\xFF/..\xFE"},
                                           {" /..", "."},
                                           {"/.", "/"},
                                           {"./..", ".."}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_normal(cases[i][0], cases[i][1]);
}

static void test_path__normalise_deep(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer path = {0}, b = {0};
    for (int i = 0; i < 10000; i++)
        deja_buffer_add_string(&path, "ab/");
    for (int i = 0; i < 10001; i++)
        deja_buffer_add_string(&path, "../");
    deja_path_normalise(&b, deja_buffer_string(&path));
    assert_string_equal(deja_buffer_string(&b), "..");
}

static void assert_join(const char *base, const char *path, const char *expected)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_path_join(&b, base, path);
    assert_string_equal(deja_buffer_string(&b), expected);
}

static void test_path__join(void **state)
{
    (void)state;
    assert_join("/home/me", "x/../y", "/home/me/y");
    assert_join("/home/me", "/etc/./passwd", "/etc/passwd");
    assert_join("/home/me", "../../..", "/");
    assert_join("/home/me", "", "/home/me");
    assert_join("/", "a", "/a");
}

static void test_path__inside(void **state)
{
    (void)state;
    assert_string_equal(deja_path_inside("/a/b", "/a/b/c/d"), "c/d");
    assert_string_equal(deja_path_inside("/a/b", "/a/b"), ".");
    assert_string_equal(deja_path_inside("/a/b", "/a/bc"), "/a/bc");
    assert_string_equal(deja_path_inside("/a/b", "/a"), "/a");
    assert_string_equal(deja_path_inside("/", "/x/y"), "x/y");
    assert_string_equal(deja_path_inside("/", "/"), ".");
}

static void test_path__out_of_memory(void **state)
{
    (void)state;
    long n = 1;
    for (;; n++) {
        deja_buffer b = {0};
        failing_alloc_at(n);
        deja_path_join(&b, "/a/rather/long/folder/name/that/is/longer/than/the/first/allocation",
                       "../x/y/../../z");
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_int_equal(b.failed, hits);
        if (!hits)
            assert_string_equal(deja_buffer_string(&b),
                                "/a/rather/long/folder/name/that/is/longer/than/the/first/z");
        deja_buffer_done(&b);
        if (!hits)
            break;
    }
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path__normalise),     cmocka_unit_test(test_path__normalise_deep),
        cmocka_unit_test(test_path__join),          cmocka_unit_test(test_path__inside),
        cmocka_unit_test(test_path__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
