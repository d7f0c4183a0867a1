/* readahead.h: a large file hashed while a second thread reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "readahead.h"
#include "scratch.h"

#include <deja/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define CHUNK ((size_t)256 * 1024)
#define MOST  (19 * CHUNK)

/* No two chunks are alike. */
static unsigned char *make_bytes(void)
{
    unsigned char *bytes = deja_realloc(NULL, MOST);
    assert_non_null(bytes);
    uint64_t x = 1;
    for (size_t i = 0; i < MOST; i += 8) {
        x = x * UINT64_C(6364136223846793005) + 1;
        memcpy(bytes + i, &x, 8);
    }
    return bytes;
}

static int make_file(const unsigned char *bytes, size_t len)
{
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, bytes + done, len - done);
        assert_true(n > 0);
        done += (size_t)n;
    }
    return fd;
}

/* The hash of `len` bytes of a file by way of a new hasher. */
static int hash_file(int fd, size_t len, deja_hash *ret, deja_error *err)
{
    deja_hasher *h = deja_hasher_new();
    assert_non_null(h);
    int status = readahead_hash(fd, len, h, NULL, err);
    *ret = deja_hasher_result(h);
    deja_hasher_free(h);
    return status;
}

static void test_readahead__is_right_at_every_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   CHUNK - 1,
                                   CHUNK,
                                   CHUNK + 1,
                                   2 * CHUNK,
                                   4 * CHUNK - 1,
                                   4 * CHUNK,
                                   4 * CHUNK + 1,
                                   5 * CHUNK,
                                   6 * CHUNK + 77,
                                   11 * CHUNK + 3,
                                   MOST - 1,
                                   MOST};
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes();
    DEJA_AUTO_CLOSE int fd = make_file(bytes, MOST);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        deja_hash have, want = deja_hash_bytes(bytes, sizes[i]);
        assert_int_equal(hash_file(fd, sizes[i], &have, NULL), 0);
        assert_true(deja_hash_equal(&have, &want));
    }
}

static void test_readahead__begins_at_0_and_moves_nothing(void **state)
{
    (void)state;
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes();
    DEJA_AUTO_CLOSE int fd = make_file(bytes, 5 * CHUNK);
    deja_hash have, want = deja_hash_bytes(bytes, 5 * CHUNK);
    assert_int_equal(lseek(fd, 1234, SEEK_SET), 1234);
    assert_int_equal(hash_file(fd, 5 * CHUNK, &have, NULL), 0);
    assert_true(deja_hash_equal(&have, &want));
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 1234);
}

static void test_readahead__adds_to_what_was_hashed(void **state)
{
    (void)state;
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes();
    DEJA_AUTO_CLOSE int fd = make_file(bytes + 100, MOST - 100);
    deja_hasher *h = deja_hasher_new();
    deja_hasher_add(h, bytes, 100);
    assert_int_equal(readahead_hash(fd, MOST - 100, h, NULL, NULL), 0);
    deja_hash have = deja_hasher_result(h), want = deja_hash_bytes(bytes, MOST);
    assert_true(deja_hash_equal(&have, &want));
    deja_hasher_free(h);
}

static void test_readahead__a_file_that_ends_early_has_changed(void **state)
{
    (void)state;
    static const size_t missing[] = {1, CHUNK, CHUNK + 1, 9 * CHUNK};
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes();
    DEJA_AUTO_CLOSE int fd = make_file(bytes, 9 * CHUNK);
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        deja_hash hash;
        deja_error err = {.sys_errno = 77};
        assert_int_equal(hash_file(fd, 9 * CHUNK + missing[i], &hash, &err), DEJA_ECHANGED);
        assert_string_equal(err.text, "hash a large file: it became shorter meanwhile");
        assert_int_equal(err.sys_errno, 0);
        assert_int_equal(hash_file(fd, 9 * CHUNK + missing[i], &hash, NULL), DEJA_ECHANGED);
    }
}

static void test_readahead__an_error_of_reading_keeps_its_errno(void **state)
{
    (void)state;
    DEJA_AUTO_CLOSE int writing = open("w", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    deja_hash hash;
    for (int i = 0; i < 20; i++) { /* whoever of the two threads meets it first */
        deja_error err = {0};
        assert_int_equal(hash_file(writing, MOST, &hash, &err), DEJA_EIO);
        assert_int_equal(err.sys_errno, EBADF);
    }
}

static void test_readahead__lack_of_memory_reads_nothing(void **state)
{
    (void)state;
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes();
    DEJA_AUTO_CLOSE int fd = make_file(bytes, CHUNK);
    deja_hasher *h = deja_hasher_new();
    deja_error err = {0};
    failing_alloc_at(1);
    assert_int_equal(readahead_hash(fd, CHUNK, h, NULL, &err), DEJA_ENOMEM);
    failing_alloc_at(0);
    deja_hash have = deja_hasher_result(h), want = deja_hash_bytes("", 0);
    assert_true(deja_hash_equal(&have, &want));
    deja_hasher_free(h);
}

typedef struct hashing {
    int fd;
    deja_hash want;
    int wrong;
} hashing;

static void *hash_often(void *context)
{
    hashing *h = context;
    deja_hash have;
    for (int i = 0; i < 5; i++)
        h->wrong += hash_file(h->fd, MOST, &have, NULL) != 0 || !deja_hash_equal(&have, &h->want);
    return NULL;
}

/* More of them than CPUs: then the second thread of each is late, or has nothing left to do. */
static void test_readahead__several_at_once_on_a_busy_machine(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes();
    DEJA_AUTO_CLOSE int fd = make_file(bytes, MOST);
    pthread_t threads[THREADS];
    hashing h[THREADS];
    for (int i = 0; i < THREADS; i++) {
        h[i] = (hashing){.fd = fd, .want = deja_hash_bytes(bytes, MOST)};
        assert_int_equal(pthread_create(&threads[i], NULL, hash_often, &h[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(h[i].wrong, 0);
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_readahead__is_right_at_every_size),
        CASE(test_readahead__begins_at_0_and_moves_nothing),
        CASE(test_readahead__adds_to_what_was_hashed),
        CASE(test_readahead__a_file_that_ends_early_has_changed),
        CASE(test_readahead__an_error_of_reading_keeps_its_errno),
        CASE(test_readahead__lack_of_memory_reads_nothing),
        CASE(test_readahead__several_at_once_on_a_busy_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
