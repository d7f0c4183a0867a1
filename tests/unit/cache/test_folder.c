/*
 * The folder of a cache: made, refused, locked, and its database moved aside.
 */
#include "folder.h"

#include "store_fixture.h"

#include "scratch.h"

#include <limits.h>
#include <sys/file.h>
#include <sys/wait.h>

static void test_folder__is_made_with_its_parents_and_furnished_once(void **state)
{
    (void)state;
    struct folder f;
    assert_int_equal(folder_open(&f, "x/y/z", 0, NULL), 0);
    assert_int_equal(f.made, 1);
    assert_true(f.path[0] == '/' && f.db[0] == '/');
    assert_int_equal(folder_furnish(&f, NULL), 0);
    write_file("x/y/z/.gitignore", "mine\n", 5, 0600);
    assert_int_equal(folder_furnish(&f, NULL), 0);
    assert_file("x/y/z/.gitignore", "mine\n", 5);
    folder_close(&f);
    folder_close(&f);
    assert_int_equal(folder_open(&f, "x/y/z", 0, NULL), 0);
    assert_int_equal(f.made, 0);
    folder_close(&f);
}

static void test_folder__that_others_may_write_to_is_refused(void **state)
{
    (void)state;
    struct folder f;
    deja_error err;
    assert_int_equal(mkdir("shared", 0700), 0);
    assert_int_equal(chmod("shared", 0770), 0);
    assert_int_equal(folder_open(&f, "shared", 0, &err), DEJA_EDENIED);
    assert_non_null(strstr(err.text, "others may write"));
    assert_non_null(strstr(err.text, "chmod"));
    assert_int_equal(chmod("shared", 0755), 0);
    assert_int_equal(folder_open(&f, "shared", 0, &err), 0);
    folder_close(&f);
}

static void test_folder__of_another_user_is_refused(void **state)
{
    (void)state;
    struct folder f;
    deja_error err;
    if (geteuid() != 0) {
        assert_int_equal(folder_open(&f, "/", 0, &err), DEJA_EDENIED);
        assert_non_null(strstr(err.text, "belongs to user 0"));
        return;
    }
    assert_int_equal(mkdir("theirs", 0700), 0);
    assert_int_equal(chown("theirs", 12345, 12345), 0);
    assert_int_equal(folder_open(&f, "theirs", 0, &err), DEJA_EDENIED);
    assert_int_equal(folder_open(&f, "theirs", 1, &err), DEJA_EDENIED);
    assert_non_null(strstr(err.text, "belongs to user 12345"));
}

static void test_folder__without_the_right_to_write_is_refused(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip(); /* root may write everywhere; a read-only file system is tested in tests/fault */
    struct folder f;
    deja_error err;
    assert_int_equal(mkdir("closed", 0500), 0);
    assert_int_equal(folder_open(&f, "closed", 0, &err), DEJA_EDENIED);
    assert_non_null(strstr(err.text, "may not write"));
}

static void test_folder__that_is_only_read_is_not_made_and_need_not_be_writable(void **state)
{
    (void)state;
    struct folder f;
    assert_int_equal(folder_open(&f, "x/y", 1, NULL), DEJA_ENOTFOUND);
    assert_int_equal(access("x", F_OK), -1);
    assert_int_equal(mkdir("closed", 0500), 0);
    assert_int_equal(folder_open(&f, "closed", 1, NULL), 0);
    folder_close(&f);
}

static void test_folder__where_a_file_is_in_the_way_is_refused(void **state)
{
    (void)state;
    struct folder f;
    deja_error err;
    write_file("file", "x", 1, 0600);
    assert_int_equal(folder_open(&f, "file", 0, &err), DEJA_EEXIST);
    assert_int_not_equal(folder_open(&f, "file/below", 0, &err), 0);
    assert_int_equal(folder_open(&f, "", 0, &err), DEJA_EINVAL);
    assert_int_equal(folder_open(&f, NULL, 0, &err), DEJA_EINVAL);
    assert_file("file", "x", 1);
}

/* A path up to the limit works to the end; a longer one is refused with a word that helps. */
static void test_folder__with_a_path_too_long_for_sqlite_is_refused(void **state)
{
    (void)state;
    char here[PATH_MAX], path[PATH_MAX];
    struct folder f;
    deja_error err;
    assert_non_null(getcwd(here, sizeof here));
    size_t most = 512 - sizeof "/db.new-journal", len = strlen(here);
    memcpy(path, here, len);
    for (size_t i = len; i < most + 1; i++)
        path[i] = (i - len) % 100 == 0 && i < most - 1 ? '/' : 'x';
    path[most + 1] = 0;
    assert_int_equal(folder_open(&f, path, 0, &err), DEJA_ELIMIT);
    assert_non_null(strstr(err.text, "choose another folder"));
    path[most] = 0;
    deja_cache_close(open_cache(path));
}

static void test_folder__lock_excludes_and_dies_with_its_holder(void **state)
{
    (void)state;
    struct folder f;
    int ready[2];
    char byte;
    assert_int_equal(folder_open(&f, "cache", 0, NULL), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int held = folder_lock(&f, NULL);
        if (held < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        usleep(50000);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    int fd = open("cache/lock", O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    close(fd);
    fd = folder_lock(&f, NULL); /* waits for the child's end */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    folder_close(&f);
}

static void test_folder__moving_aside_takes_the_next_number_and_the_side_files(void **state)
{
    (void)state;
    struct folder f;
    unsigned n = 0;
    assert_int_equal(folder_open(&f, "cache", 0, NULL), 0);
    write_file("cache/db", "a", 1, 0600);
    write_file("cache/db-wal", "w", 1, 0600);
    assert_int_equal(folder_move_aside(&f, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_file("cache/db.damaged-1", "a", 1);
    assert_file("cache/db.damaged-1-wal", "w", 1);
    write_file("cache/db", "b", 1, 0600);
    assert_int_equal(folder_move_aside(&f, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_file("cache/db.damaged-1", "a", 1);
    assert_file("cache/db.damaged-2", "b", 1);
    write_file("cache/db-wal", "stale", 5, 0600);
    assert_int_equal(folder_drop_side_files(&f, NULL), 0);
    assert_int_equal(access("cache/db-wal", F_OK), -1);
    folder_close(&f);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_folder__is_made_with_its_parents_and_furnished_once),
        CASE(test_folder__that_others_may_write_to_is_refused),
        CASE(test_folder__of_another_user_is_refused),
        CASE(test_folder__without_the_right_to_write_is_refused),
        CASE(test_folder__that_is_only_read_is_not_made_and_need_not_be_writable),
        CASE(test_folder__where_a_file_is_in_the_way_is_refused),
        CASE(test_folder__with_a_path_too_long_for_sqlite_is_refused),
        CASE(test_folder__lock_excludes_and_dies_with_its_holder),
        CASE(test_folder__moving_aside_takes_the_next_number_and_the_side_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
