/* Whole files: reading, writing, copying. */
#include "failing_alloc.h"
#include "file_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

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

typedef struct endless {
    deja_stop stop;
    int code;
} endless;

static void *copy_endlessly(void *context)
{
    endless *e = context;
    DEJA_AUTO_CLOSE int from = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    DEJA_AUTO_CLOSE int to = open("/dev/null", O_WRONLY | O_CLOEXEC);
    e->code = deja_file_copy_until(&e->stop, from, to, INT64_MAX, "to", NULL);
    return NULL;
}

static void test_file__copy_ends_when_it_is_wished(void **state)
{
    (void)state;
    write_file("from", "12345", 5);
    DEJA_AUTO_CLOSE int from = open("from", O_RDONLY | O_CLOEXEC);
    DEJA_AUTO_CLOSE int to = open("to", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    deja_stop stop = {0};
    deja_error err;
    assert_int_equal(deja_file_copy_until(&stop, from, to, 5, "to", &err), 0);
    assert_content("to", "12345");
    deja_stop_set(&stop, 1);
    assert_int_equal(ftruncate(to, 0), 0);
    assert_int_equal(deja_file_copy_until(&stop, from, to, 5, "to", &err), DEJA_ECANCELED);
    assert_string_equal(err.text, "write 'to': canceled");
    assert_content("to", "");

    endless e = {.code = 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, copy_endlessly, &e), 0);
    deja_stop_set(&e.stop, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(e.code, DEJA_ECANCELED);
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
        scratch_test(test_file__copy),
        scratch_test(test_file__copy_notices_a_shorter_file),
        scratch_test(test_file__copy_by_hand),
        scratch_test(test_file__copy_ends_when_it_is_wished),
        scratch_test(test_file__at_an_offset),
        scratch_test(test_file__is_the_same_until_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
