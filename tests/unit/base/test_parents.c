/* parents.h: folders, made with their parents, synced. */
#include "failing_alloc.h"
#include "file_fixture.h"
#include "parents.h"

static void test_parents__make_dirs(void **state)
{
    (void)state;
    deja_error err;
    struct stat st;
    assert_int_equal(deja_file_make_dirs(AT_FDCWD, "a//b/./c/", 0700, &err), 0);
    assert_int_equal(stat("a/b/c", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(deja_file_make_dirs(AT_FDCWD, "a/b/c", 0755, &err), 0);
    assert_int_equal(deja_file_make_dirs(AT_FDCWD, "/", 0755, &err), 0);
    assert_int_equal(deja_file_make_parents(AT_FDCWD, "x/y/file", 0755, &err), 0);
    assert_int_equal(stat("x/y", &st), 0);
    assert_int_equal(stat("x/y/file", &st), -1);
    assert_int_equal(deja_file_make_parents(AT_FDCWD, "file", 0755, &err), 0);
    assert_int_equal(deja_file_make_parents(AT_FDCWD, "/file", 0755, &err), 0);
    assert_int_equal(symlink("x", "link"), 0);
    assert_int_equal(deja_file_make_dirs(AT_FDCWD, "link/z", 0755, &err), 0);
    assert_int_equal(stat("x/z", &st), 0);
}

static void test_parents__make_dirs_meets_a_file(void **state)
{
    (void)state;
    deja_error err;
    write_file("f", "x", 1);
    assert_int_equal(deja_file_make_dirs(AT_FDCWD, "f", 0755, &err), DEJA_EEXIST);
    assert_string_equal(err.text, "make folder 'f': File exists");
    assert_int_equal(deja_file_make_dirs(AT_FDCWD, "f/g/h", 0755, &err), DEJA_EEXIST);
    assert_string_equal(err.text, "make folder 'f': File exists");
    assert_int_equal(deja_file_make_dirs(AT_FDCWD, "", 0755, &err), DEJA_ENOTFOUND);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(deja_file_make_dirs(AT_FDCWD, "dangling", 0755, &err), DEJA_EEXIST);
    assert_string_equal(err.text, "make folder 'dangling': it is a link that leads to nothing");
    assert_int_equal(deja_file_make_parents(AT_FDCWD, "dangling/f", 0755, &err), DEJA_EEXIST);
    assert_string_equal(err.text, "make folder 'dangling': it is a link that leads to nothing");
}

static void test_parents__sync_parent(void **state)
{
    (void)state;
    deja_error err;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(deja_file_sync_parent(AT_FDCWD, "d/x", &err), 0);
    assert_int_equal(deja_file_sync_parent(AT_FDCWD, "x", &err), 0);
    assert_int_equal(deja_file_sync_parent(AT_FDCWD, "none/x", &err), DEJA_ENOTFOUND);
    assert_string_equal(err.text, "open folder 'none': No such file or directory");
}

static void test_parents__the_folder_of_a_path(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a/b", "a"},     {"a/b/", "a"}, {"a/b/c", "a/b"}, {"a//b", "a"}, {"b", "."},
        {"b/", "."},      {"./b", "."},  {"/b", "/"},      {"/b//", "/"}, {"/", "/"},
        {"//a/b", "//a"}, {"", "."},     {"../b", ".."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DEJA_AUTO_FREE char *folder = parents_folder(cases[i][0]);
        assert_non_null(folder);
        assert_string_equal(folder, cases[i][1]);
    }
}

static void test_parents__are_made_below_dirfd(void **state)
{
    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    DEJA_AUTO_CLOSE int dirfd = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(deja_file_make_parents(dirfd, "a/b/file", 0755, NULL), 0);
    assert_int_equal(access("d/a/b", F_OK), 0);
    assert_int_equal(deja_file_sync_parent(dirfd, "a/b/file", NULL), 0);
    assert_int_equal(count_names("."), 1);
}

/* As mkdir -p does it. */
static void test_parents__that_exist_need_no_right_to_write(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip(); /* may write anywhere */
    deja_error err;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(mkdir("d/e", 0755), 0);
    assert_int_equal(chmod("d", 0555), 0);
    int there = deja_file_make_dirs(AT_FDCWD, "d/e/f", 0755, &err);
    int missing = deja_file_make_dirs(AT_FDCWD, "d/g", 0755, &err);
    assert_int_equal(chmod("d", 0755), 0);
    assert_int_equal(there, 0);
    assert_int_equal(missing, DEJA_EDENIED);
}

static void test_parents__lack_of_memory_makes_nothing(void **state)
{
    (void)state;
    int before = count_open();
    for (int what = 0; what < 3; what++)
        for (long n = 1, hits = 1; hits; n++) {
            deja_error err;
            failing_alloc_at(n);
            int r = what == 0   ? deja_file_make_dirs(AT_FDCWD, "a/b", 0755, &err)
                    : what == 1 ? deja_file_make_parents(AT_FDCWD, "c/d/e", 0755, &err)
                                : deja_file_sync_parent(AT_FDCWD, "a/b", &err);
            hits = failing_alloc_hits;
            failing_alloc_at(0);
            assert_int_equal(r, hits ? DEJA_ENOMEM : 0);
            assert_int_equal(count_names("."), what == 2 ? 2 : what + !hits);
            assert_true(n < 10);
        }
    assert_int_equal(count_open(), before);
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_parents__make_dirs),
        scratch_test(test_parents__make_dirs_meets_a_file),
        scratch_test(test_parents__sync_parent),
        scratch_test(test_parents__the_folder_of_a_path),
        scratch_test(test_parents__are_made_below_dirfd),
        scratch_test(test_parents__that_exist_need_no_right_to_write),
        scratch_test(test_parents__lack_of_memory_makes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
