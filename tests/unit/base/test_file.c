/* Whole files: reading, writing, copying, replacing, unnamed ones, folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "scratch.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void write_file(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(deja_file_write_all(fd, data, len, path, NULL), 0);
    close(fd);
}

static void assert_content(const char *path, const char *expected)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(deja_file_load(AT_FDCWD, path, 1 << 20, &b, NULL), 0);
    assert_string_equal(deja_buffer_string(&b), expected);
}

static int count_names(const char *folder)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static int count_open(void)
{
    return count_names("/proc/self/fd");
}

static void test_file__read_all_wants_every_byte(void **state)
{
    (void)state;
    write_file("f", "hello", 5);
    DEJA_AUTO_CLOSE int fd = open("f", O_RDONLY | O_CLOEXEC);
    char data[8];
    deja_error err;
    assert_int_equal(deja_file_read_all(fd, data, 3, "f", &err), 0);
    assert_memory_equal(data, "hel", 3);
    assert_int_equal(deja_file_read_all(fd, data, 3, "f", &err), DEJA_EIO);
    assert_string_equal(err.text, "read 'f': ended early, 1 bytes are missing");
    assert_int_equal(deja_file_read_all(-1, data, 1, "f", &err), DEJA_EIO);
    assert_int_equal(err.sys_errno, EBADF);
}

static void test_file__write_all_names_the_reason(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        skip();
    deja_error err;
    assert_int_equal(deja_file_write_all(fd, "x", 1, "out", &err), DEJA_EFULL);
    assert_string_equal(err.text, "write 'out': No space left on device");
    close(fd);
}

/* What was written before the limit stays; the rest is an error, not a short count. */
static void test_file__write_at_meets_a_limit(void **state)
{
    (void)state;
    struct rlimit old, small;
    char data[100] = {0};
    DEJA_AUTO_CLOSE int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, handler;
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &handler), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 60, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    deja_error err;
    int r = deja_file_write_at(fd, data, sizeof data, 0, "f", &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    sigaction(SIGXFSZ, &handler, NULL);
    assert_true(r < 0);
    assert_int_equal(err.sys_errno, EFBIG);
}

static void test_file__above_standard_leaves_the_standard_streams_alone(void **state)
{
    (void)state;
    int kept = dup(0);
    close(0);
    int low = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(low, 0);
    DEJA_AUTO_CLOSE int high = deja_file_above_standard(low);
    assert_true(high > 2);
    assert_int_equal(fcntl(high, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(0, F_GETFD), -1);
    assert_int_equal(deja_file_above_standard(high), high);
    errno = ENFILE;
    assert_int_equal(deja_file_above_standard(-1), -1);
    assert_int_equal(errno, ENFILE);
    assert_int_equal(dup2(kept, 0), 0);
    close(kept);
}

static void test_file__load_respects_the_limit(void **state)
{
    (void)state;
    deja_error err;
    char data[1000];
    memset(data, 'x', sizeof data);
    write_file("f", data, sizeof data);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(deja_file_load(AT_FDCWD, "f", 1000, &b, &err), 0);
    assert_int_equal(b.len, 1000);
    deja_buffer_clear(&b);
    assert_int_equal(deja_file_load(AT_FDCWD, "f", 999, &b, &err), DEJA_ELIMIT);
    assert_string_equal(err.text, "'f' has more than 999 bytes");
    write_file("empty", "", 0);
    deja_buffer_clear(&b);
    assert_int_equal(deja_file_load(AT_FDCWD, "empty", 0, &b, &err), 0);
    assert_int_equal(b.len, 0);
    /* A file that says it has no size: the limit must hold while reading. */
    assert_int_equal(deja_file_load(AT_FDCWD, "/proc/self/status", 10, &b, &err), DEJA_ELIMIT);
    assert_int_equal(deja_file_load(AT_FDCWD, "/dev/zero", 1 << 20, &b, &err), DEJA_ELIMIT);
}

static void test_file__load_refuses_what_is_no_file(void **state)
{
    (void)state;
    deja_error err;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(mkdir("folder", 0755), 0);
    assert_int_equal(deja_file_load(AT_FDCWD, "folder", 100, &b, &err), DEJA_ETYPE);
    assert_int_equal(deja_file_load(AT_FDCWD, "none", 100, &b, &err), DEJA_ENOTFOUND);
    assert_string_equal(err.text, "open 'none': No such file or directory");
    assert_int_equal(mkfifo("fifo", 0644), 0);
    assert_int_equal(deja_file_load(AT_FDCWD, "fifo", 100, &b, &err), 0); /* and does not wait for a writer */
    assert_int_equal(b.len, 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(deja_file_load(AT_FDCWD, "loop", 100, &b, &err), DEJA_EINVAL);
}

static void test_file__load_reads_a_pipe(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(deja_file_write_all(ends[1], "piped", 5, "pipe", NULL), 0);
    close(ends[1]);
    char path[40];
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_content(path, "piped");
    close(ends[0]);
}

static void test_file__replace_makes_and_replaces(void **state)
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

static void test_file__replace_is_relative_to_dirfd(void **state)
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
static void test_file__replace_never_writes_into_the_old_file(void **state)
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

static void test_file__replace_leaves_nothing_behind(void **state)
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
static void test_file__replace_that_cannot_write_keeps_the_old(void **state)
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

static void test_file__replace_survives_failing_allocations(void **state)
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

static void test_file__unnamed_gets_its_name_once(void **state)
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
static void test_file__unlinked_gets_its_name_by_copy(void **state)
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

static void test_file__copy(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4096, 1000003};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        DEJA_AUTO_FREE char *data = deja_realloc(NULL, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++)
            data[k] = (char)(k * 7 >> 3);
        write_file("from", data, sizes[i]);
        DEJA_AUTO_CLOSE int from = open("from", O_RDONLY | O_CLOEXEC);
        DEJA_AUTO_CLOSE int to = open("to", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_int_equal(deja_file_copy(from, to, sizes[i], "to", NULL), 0);
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        assert_int_equal(deja_file_load(AT_FDCWD, "to", 1 << 20, &b, NULL), 0);
        assert_int_equal(b.len, sizes[i]);
        if (sizes[i])
            assert_memory_equal(b.data, data, sizes[i]);
    }
}

static void test_file__copy_notices_a_shorter_file(void **state)
{
    (void)state;
    write_file("from", "12345", 5);
    DEJA_AUTO_CLOSE int from = open("from", O_RDONLY | O_CLOEXEC);
    DEJA_AUTO_CLOSE int to = open("to", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    deja_error err;
    assert_int_equal(deja_file_copy(from, to, 6, "to", &err), DEJA_ECHANGED);
    assert_int_equal(ftruncate(to, 0), 0);
    assert_int_equal(deja_file_copy(from, to, 3, "to", &err), 0); /* a longer one is copied as far as asked */
    assert_content("to", "123");
}

/* Kinds of files that the kernel does not copy by itself go through memory. */
static void test_file__copy_by_hand(void **state)
{
    (void)state;
    DEJA_AUTO_CLOSE int from = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    DEJA_AUTO_CLOSE int to = open("to", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(deja_file_copy(from, to, 300000, "to", NULL), 0);
    struct stat st;
    assert_int_equal(fstat(to, &st), 0);
    assert_int_equal(st.st_size, 300000);
    failing_alloc_at(1);
    assert_int_equal(deja_file_copy(from, to, 300000, "to", NULL), DEJA_ENOMEM);
    failing_alloc_at(0);
}

static void test_file__at_an_offset(void **state)
{
    (void)state;
    char back[8] = "";
    deja_error err;
    write_file("f", "0123456789", 10);
    DEJA_AUTO_CLOSE int fd = open("f", O_RDWR | O_CLOEXEC);
    assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
    assert_int_equal(deja_file_write_at(fd, "abc", 3, 8, "f", &err), 0);
    assert_int_equal(deja_file_read_at(fd, back, sizeof back, 6), 5);
    assert_memory_equal(back, "67abc", 5);
    assert_int_equal(deja_file_read_at(fd, back, sizeof back, 11), 0);
    assert_int_equal(deja_file_read_at(-1, back, sizeof back, 0), -1);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 3);
    DEJA_AUTO_CLOSE int full = open("/dev/full", O_RDWR | O_CLOEXEC);
    assert_int_equal(deja_file_write_at(full, "abc", 3, 0, "some/where", &err), DEJA_EFULL);
    assert_string_equal(err.text, "write 'some/where': No space left on device");
    assert_int_equal(deja_file_copy(fd, full, 5, "some/where", &err), DEJA_EFULL);
    assert_string_equal(err.text, "write 'some/where': No space left on device");
}

static void test_file__is_the_same_until_it_changes(void **state)
{
    (void)state;
    struct stat before, after;
    write_file("f", "content", 7);
    assert_int_equal(stat("f", &before), 0);
    assert_int_equal(stat("f", &after), 0);
    assert_true(deja_file_same(&before, &after));
    after.st_ctim.tv_nsec ^= 1;
    assert_false(deja_file_same(&before, &after));
    assert_int_equal(chmod("f", 0755), 0);
    assert_int_equal(stat("f", &after), 0);
    assert_false(deja_file_same(&before, &after));
}

static void test_file__above_the_standard_streams(void **state)
{
    (void)state;
    int input = fcntl(0, F_DUPFD_CLOEXEC, 3);
    close(0);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fd, 0);
    fd = deja_file_above_standard(fd);
    assert_true(fd > 2);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(0, F_GETFD), -1);
    assert_int_equal(deja_file_above_standard(fd), fd);
    close(fd);
    assert_int_equal(deja_file_above_standard(-1), -1);
    if (input >= 0) {
        assert_int_equal(dup2(input, 0), 0);
        close(input);
    }
}

static void test_file__make_dirs(void **state)
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

static void test_file__make_dirs_meets_a_file(void **state)
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
}

static void test_file__sync_parent(void **state)
{
    (void)state;
    deja_error err;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(deja_file_sync_parent(AT_FDCWD, "d/x", &err), 0);
    assert_int_equal(deja_file_sync_parent(AT_FDCWD, "x", &err), 0);
    assert_int_equal(deja_file_sync_parent(AT_FDCWD, "none/x", &err), DEJA_ENOTFOUND);
    assert_string_equal(err.text, "open folder 'none': No such file or directory");
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_file__read_all_wants_every_byte),
        scratch_test(test_file__write_all_names_the_reason),
        scratch_test(test_file__write_at_meets_a_limit),
        scratch_test(test_file__above_standard_leaves_the_standard_streams_alone),
        scratch_test(test_file__load_respects_the_limit),
        scratch_test(test_file__load_refuses_what_is_no_file),
        scratch_test(test_file__load_reads_a_pipe),
        scratch_test(test_file__replace_makes_and_replaces),
        scratch_test(test_file__replace_is_relative_to_dirfd),
        scratch_test(test_file__replace_never_writes_into_the_old_file),
        scratch_test(test_file__replace_leaves_nothing_behind),
        scratch_test(test_file__replace_that_cannot_write_keeps_the_old),
        scratch_test(test_file__replace_survives_failing_allocations),
        scratch_test(test_file__unnamed_gets_its_name_once),
        scratch_test(test_file__unlinked_gets_its_name_by_copy),
        scratch_test(test_file__copy),
        scratch_test(test_file__copy_notices_a_shorter_file),
        scratch_test(test_file__copy_by_hand),
        scratch_test(test_file__at_an_offset),
        scratch_test(test_file__is_the_same_until_it_changes),
        scratch_test(test_file__above_the_standard_streams),
        scratch_test(test_file__make_dirs),
        scratch_test(test_file__make_dirs_meets_a_file),
        scratch_test(test_file__sync_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
