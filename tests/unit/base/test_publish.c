/* Files that appear whole or not at all: replaced, unnamed, named. */
#include "failing_alloc.h"
#include "file_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void test_publish__replace_makes_and_replaces(void **state)
{
    (void)state;
    deja_error err;
    int before = count_open();
    for (int sync = 0; sync < 2; sync++) {
        assert_int_equal(deja_file_replace(AT_FDCWD, "out", "one", 3, 0640, sync, &err), 0);
        assert_content("out", "one");
        assert_int_equal(deja_file_replace(AT_FDCWD, "out", "two!", 4, 0444, sync, &err), 0);
        assert_content("out", "two!");
        struct stat st;
        assert_int_equal(stat("out", &st), 0);
        assert_int_equal(st.st_mode & 07777, 0444);
    }
    assert_int_equal(count_names("."), 1);
    assert_int_equal(count_open(), before);
}

static void test_publish__replace_is_relative_to_dirfd(void **state)
{
    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(mkdir("d/e", 0755), 0);
    DEJA_AUTO_CLOSE int dirfd = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(deja_file_replace(dirfd, "e/f", "x", 1, 0644, 1, NULL), 0);
    assert_content("d/e/f", "x");
    assert_int_equal(deja_file_replace(dirfd, "g", NULL, 0, 0644, 0, NULL), 0);
    assert_content("d/g", "");
    assert_int_equal(count_names("d"), 2);
    assert_int_equal(count_names("."), 1);
}

/* Old hard links and the target of a symbolic link keep their content: the name gets a new file. */
static void test_publish__replace_never_writes_into_the_old_file(void **state)
{
    (void)state;
    write_file("old", "old", 3);
    assert_int_equal(link("old", "hard"), 0);
    assert_int_equal(symlink("old", "soft"), 0);
    assert_int_equal(deja_file_replace(AT_FDCWD, "hard", "new", 3, 0644, 0, NULL), 0);
    assert_int_equal(deja_file_replace(AT_FDCWD, "soft", "new", 3, 0644, 0, NULL), 0);
    assert_content("old", "old");
    assert_content("hard", "new");
    assert_content("soft", "new");
    struct stat st;
    assert_int_equal(lstat("soft", &st), 0);
    assert_true(S_ISREG(st.st_mode));
}

static void test_publish__replace_leaves_nothing_behind(void **state)
{
    (void)state;
    deja_error err;
    int before = count_open();
    assert_int_equal(mkdir("taken", 0755), 0);
    assert_int_equal(deja_file_replace(AT_FDCWD, "taken", "x", 1, 0644, 1, &err), DEJA_ETYPE);
    assert_int_equal(deja_file_replace(AT_FDCWD, "none/out", "x", 1, 0644, 1, &err), DEJA_ENOTFOUND);
    assert_int_equal(deja_file_replace(AT_FDCWD, "new/", "x", 1, 0644, 1, &err), DEJA_ETYPE);
    char name[400];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(deja_file_replace(AT_FDCWD, name, "x", 1, 0644, 1, &err), DEJA_EINVAL);
    assert_int_equal(deja_file_replace(AT_FDCWD, "/proc/none", "x", 1, 0644, 1, &err) < 0, 1);
    assert_int_equal(count_names("."), 1);
    assert_int_equal(count_names("taken"), 0);
    assert_int_equal(count_open(), before);
}

/* In a child, as a limit for the size of files stays with the process. */
static void test_publish__replace_that_cannot_write_keeps_the_old(void **state)
{
    (void)state;
    write_file("out", "old", 3);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {.rlim_cur = 10, .rlim_max = 10};
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(SIGXFSZ, &ignore, NULL);
        char data[100] = {0};
        if (setrlimit(RLIMIT_FSIZE, &limit))
            _exit(2);
        _exit(deja_file_replace(AT_FDCWD, "out", data, sizeof data, 0644, 1, NULL) == DEJA_ELIMIT ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_content("out", "old");
    assert_int_equal(count_names("."), 1);
}

/* As root a device would be gone for all; a link leads to where people want it. */
static void test_publish__targets_are_regular_files(void **state)
{
    (void)state;
    deja_error err;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    const char *const refused[] = {"fifo", "/dev/null", "folder", "to_fifo"};
    assert_int_equal(mkfifo("fifo", 0600) | mkdir("folder", 0700) | symlink("fifo", "to_fifo"), 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(deja_file_target(&b, refused[i], &err), DEJA_ETYPE);
        assert_non_null(strstr(err.text, refused[i]));
    }
    assert_int_equal(symlink("nothing", "lost"), 0);
    assert_int_equal(deja_file_target(&b, "lost", &err), DEJA_ENOTFOUND);
    assert_int_equal(b.len, 0);
    assert_int_equal(deja_file_target(&b, "fresh", &err), 0);
    assert_string_equal(deja_buffer_string(&b), "fresh");
    deja_buffer_clear(&b);
    assert_int_equal(deja_file_replace(AT_FDCWD, "folder/real", "x", 1, 0600, 0, &err), 0);
    assert_int_equal(symlink("folder/real", "link"), 0);
    assert_int_equal(deja_file_target(&b, "link", &err), 0);
    assert_non_null(strstr(deja_buffer_string(&b), "/folder/real"));
}

static void test_publish__replace_survives_failing_allocations(void **state)
{
    (void)state;
    write_file("out", "old", 3);
    int before = count_open();
    for (long n = 1;; n++) {
        deja_error err;
        failing_alloc_at(n);
        int r = deja_file_replace(AT_FDCWD, "out", "new", 3, 0644, 1, &err);
        failing_alloc_at(0);
        assert_int_equal(count_names("."), 1);
        assert_int_equal(count_open(), before);
        if (r == 0) {
            assert_true(n > 2);
            break;
        }
        assert_int_equal(r, DEJA_ENOMEM);
    }
    assert_content("out", "new");
}

/* What is written in place has no name before it is published, and then the mode that any file would have. */
static void test_publish__begun_gets_its_name_when_published(void **state)
{
    (void)state;
    int before = count_open();
    mode_t old = umask(027);
    write_file("out", "old", 3);
    for (int sync = 0; sync < 2; sync++) {
        DEJA_AUTO_CLOSE int fd = deja_file_begin(AT_FDCWD, "out", 0666, NULL);
        assert_true(fd >= 0);
        assert_int_equal(deja_file_write_at(fd, "new!", 4, 0, "out", NULL), 0);
        assert_int_equal(count_names("."), 1);
        assert_content("out", sync ? "new!" : "old");
        assert_int_equal(deja_file_publish(fd, AT_FDCWD, "out", sync, NULL), 0);
        assert_content("out", "new!");
    }
    umask(old);
    struct stat st;
    assert_int_equal(stat("out", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(deja_file_begin(AT_FDCWD, "none/out", 0666, NULL), DEJA_ENOTFOUND);
    assert_int_equal(count_names("."), 1);
    assert_int_equal(count_open(), before);
}

static void test_publish__unnamed_gets_its_name_once(void **state)
{
    (void)state;
    deja_error err;
    DEJA_AUTO_CLOSE int fd = deja_file_unnamed(AT_FDCWD, ".", &err);
    assert_true(fd >= 0);
    assert_int_equal(count_names("."), 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(deja_file_write_all(fd, "content", 7, "unnamed", &err), 0);
    write_file("taken", "mine", 4);
    assert_int_equal(deja_file_link(fd, AT_FDCWD, "taken", &err), DEJA_EEXIST);
    assert_content("taken", "mine");
    assert_int_equal(deja_file_link(fd, AT_FDCWD, "named", &err), 0);
    assert_content("named", "content");
    assert_int_equal(count_names("."), 2);
    assert_int_equal(deja_file_unnamed(AT_FDCWD, "none", &err), DEJA_ENOTFOUND);
    assert_int_equal(deja_file_link(fd, AT_FDCWD, "none/x", &err), DEJA_ENOTFOUND);
}

/* What a file system without O_TMPFILE leaves us with: an unlinked file, which no link can bring back. */
static void test_publish__unlinked_gets_its_name_by_copy(void **state)
{
    (void)state;
    deja_error err;
    DEJA_AUTO_CLOSE int fd = open("gone", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(unlink("gone"), 0);
    assert_int_equal(deja_file_write_all(fd, "content", 7, "gone", &err), 0);
    assert_int_equal(fchmod(fd, 0444), 0);
    write_file("taken", "mine", 4);
    assert_int_equal(deja_file_link(fd, AT_FDCWD, "taken", &err), DEJA_EEXIST);
    assert_int_equal(count_names("."), 1);
    assert_int_equal(deja_file_link(fd, AT_FDCWD, "named", &err), 0);
    assert_content("named", "content");
    struct stat st;
    assert_int_equal(stat("named", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0444);
    assert_int_equal(count_names("."), 2);
}

/* Names of ours are random and never written into the place of another file. */
static void test_publish__a_name_that_is_taken_by_a_link_is_not_followed(void **state)
{
    (void)state;
    deja_error err;
    assert_int_equal(symlink("elsewhere", "named"), 0);
    DEJA_AUTO_CLOSE int fd = deja_file_unnamed(AT_FDCWD, ".", &err);
    assert_int_equal(deja_file_write_all(fd, "content", 7, "unnamed", &err), 0);
    assert_int_equal(deja_file_link(fd, AT_FDCWD, "named", &err), DEJA_EEXIST);
    assert_int_equal(access("elsewhere", F_OK), -1);
    assert_int_equal(count_names("."), 1);
}

/* A file of another file system gets its name by a copy: no link leads there. */
static void test_publish__a_file_of_elsewhere_gets_its_name_by_copy(void **state)
{
    (void)state;
    deja_error err;
    struct stat here, there;
    DEJA_AUTO_CLOSE int fd = deja_file_unnamed(AT_FDCWD, "/dev/shm", &err);
    if (fd < 0 || fstat(fd, &there) || stat(".", &here) || here.st_dev == there.st_dev)
        skip();
    assert_int_equal(deja_file_write_all(fd, "content", 7, "unnamed", &err), 0);
    assert_int_equal(deja_file_link(fd, AT_FDCWD, "named", &err), 0);
    assert_content("named", "content");
    assert_int_equal(deja_file_link(fd, AT_FDCWD, "named", &err), DEJA_EEXIST);
    for (long n = 1, hits = 1; hits; n++) {
        failing_alloc_at(n);
        int r = deja_file_link(fd, AT_FDCWD, "second", &err);
        hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_int_equal(r, hits ? DEJA_ENOMEM : 0);
        assert_int_equal(count_names("."), hits ? 1 : 2);
    }
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_publish__replace_makes_and_replaces),
        scratch_test(test_publish__replace_is_relative_to_dirfd),
        scratch_test(test_publish__replace_never_writes_into_the_old_file),
        scratch_test(test_publish__replace_leaves_nothing_behind),
        scratch_test(test_publish__replace_that_cannot_write_keeps_the_old),
        scratch_test(test_publish__targets_are_regular_files),
        scratch_test(test_publish__replace_survives_failing_allocations),
        scratch_test(test_publish__begun_gets_its_name_when_published),
        scratch_test(test_publish__unnamed_gets_its_name_once),
        scratch_test(test_publish__unlinked_gets_its_name_by_copy),
        scratch_test(test_publish__a_name_that_is_taken_by_a_link_is_not_followed),
        scratch_test(test_publish__a_file_of_elsewhere_gets_its_name_by_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
