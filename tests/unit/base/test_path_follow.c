/* Paths as the kernel reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `path` seen from the folder `base` of the scratch, and what is expected below the scratch. */
static void assert_follows(const char *base, const char *path, const char *expected)
{
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    DEJA_AUTO_BUFFER deja_buffer from = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    DEJA_AUTO_BUFFER deja_buffer full = {0};
    deja_buffer_addf(&from, "%s%s%s", here, *base ? "/" : "", base);
    deja_buffer_addf(&full, "%s%s%s", here, *expected ? "/" : "", expected);
    deja_path_follow(&b, deja_buffer_string(&from), path);
    assert_string_equal(deja_buffer_string(&b), deja_buffer_string(&full));
}

static void test_path_follow__leaves_the_folder_that_a_link_leads_to(void **state)
{
    (void)state;
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(mkdir("sub/deep", 0700), 0);
    assert_int_equal(symlink("sub/deep", "l"), 0);
    assert_int_equal(symlink("l", "again"), 0);
    assert_int_equal(symlink("nowhere", "gone"), 0);
    assert_follows("", "l/../f", "sub/f");
    assert_follows("", "again/../../f", "f");
    assert_follows("", "l/x/../../f", "sub/f");
    assert_follows("", "./l/./..//f", "sub/f");
    assert_follows("", "l/..", "sub");
    assert_follows("l", "../f", "sub/f"); /* the base may be a link */
    assert_follows("l", "f", "l/f");
    assert_follows("", "l/f", "l/f");
    assert_follows("sub/deep", "../../f", "f");
    assert_follows("", "sub/../f", "f");
    assert_follows("", "missing/../f", "f");
    assert_follows("", "gone/../f", "f");
    assert_follows("", "..f/...", "..f/...");
}

static void test_path_follow__ends_at_the_root(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_path_follow(&b, "/", "../../..");
    assert_string_equal(deja_buffer_string(&b), "/");
    deja_buffer_clear(&b);
    deja_path_follow(&b, "/nowhere", "/../x/../y");
    assert_string_equal(deja_buffer_string(&b), "/y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_path_follow__leaves_the_folder_that_a_link_leads_to,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test(test_path_follow__ends_at_the_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
