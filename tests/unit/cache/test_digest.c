/*
 * Contents of files: right at every size, from memory the second time, and in the face of files that change,
 * are no files, or cannot be read. A clock ten seconds ahead makes fresh files old enough to be trusted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "digest.h"
#include "failing_alloc.h"
#include "readahead.h"
#include "scratch.h"
#include "state.h"

#include <deja/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BIG ((size_t)READAHEAD_WORTH_BYTES)

static int64_t wall_ahead(void *context)
{
    (void)context;
    return deja_wall_ns(NULL) + 10 * DEJA_S_NS;
}

static const deja_clock clock_ahead = {.wall_ns = wall_ahead};

/* Only what digests need of a cache. */
static struct deja_cache open_cache(const deja_clock *clock)
{
    struct deja_cache c = {0};
    DEJA_AUTO_CLOSE int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    assert_int_equal(statmem_open(&c.statmem, folder, clock, NULL), 0);
    return c;
}

static void start_steps(struct deja_cache *c)
{
    assert_int_equal(steps_open(&c->steps, c, 2, NULL), 0);
}

static void close_cache(struct deja_cache *c)
{
    steps_close(c->steps);
    statmem_close(c->statmem);
}

static unsigned char *make_bytes(size_t len)
{
    unsigned char *bytes = deja_realloc(NULL, len);
    assert_non_null(bytes);
    uint64_t x = 1;
    for (size_t i = 0; i < len; i++) {
        x = x * UINT64_C(6364136223846793005) + 1;
        bytes[i] = (unsigned char)(x >> 56);
    }
    return bytes;
}

static void make_file(const char *path, const void *bytes, size_t len)
{
    DEJA_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)bytes + done, len - done);
        assert_true(n > 0);
        done += (size_t)n;
    }
}

static deja_digest_item digest_path(statmem *m, const char *path, uint32_t flags)
{
    deja_digest_item item = {.path = path, .flags = flags, .sys_errno = -1};
    item.content.kind = 99;
    digest_item(m, AT_FDCWD, &item, NULL);
    return item;
}

static void assert_content(const deja_digest_item *item, deja_content_kind kind, const void *bytes,
                           size_t len)
{
    deja_hash want = deja_hash_bytes(bytes, len);
    assert_int_equal(item->sys_errno, 0);
    assert_int_equal(item->content.kind, kind);
    assert_int_equal(item->content.size, len);
    assert_memory_equal(&item->content.hash, &want, sizeof want);
}

static int remembered(statmem *m, const char *path)
{
    deja_digest_item item = {.path = path};
    return digest_remembered(m, AT_FDCWD, &item, NULL);
}

static void test_digest__is_right_at_every_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0,      1,       240, 241,     4096,         65535,        65536,        65537,         131072,
        200001, BIG - 1, BIG, BIG + 1, BIG + 262143, BIG + 262144, BIG + 262145, 2 * BIG + 777, 4 * BIG};
    struct deja_cache c = open_cache(NULL);
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes(4 * BIG);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make_file("f", bytes, sizes[i]);
        deja_digest_item item = digest_path(c.statmem, "f", 0);
        assert_content(&item, DEJA_CONTENT_FILE, bytes, sizes[i]);
        DEJA_AUTO_CLOSE int fd = open("f", O_RDONLY | O_CLOEXEC);
        deja_hash hash;
        assert_int_equal(digest_fd(fd, sizes[i], &hash, NULL, NULL), 0);
        assert_memory_equal(&hash, &item.content.hash, sizeof hash);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    }
    close_cache(&c);
}

static void test_digest__hashes_a_part_or_says_that_it_ended_early(void **state)
{
    (void)state;
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes(2 * BIG);
    static const size_t sizes[] = {0, 10, 65536, 100000, BIG + 5, 2 * BIG};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make_file("f", bytes, sizes[i]);
        DEJA_AUTO_CLOSE int fd = open("f", O_RDONLY | O_CLOEXEC);
        deja_hash hash, want = deja_hash_bytes(bytes, sizes[i] / 2);
        deja_error err;
        assert_int_equal(digest_fd(fd, sizes[i] / 2, &hash, NULL, NULL), 0);
        assert_memory_equal(&hash, &want, sizeof hash);
        assert_int_equal(digest_fd(fd, sizes[i] + 1, &hash, NULL, &err), DEJA_ECHANGED);
        assert_int_equal(digest_fd(fd, sizes[i] + 3 * BIG, &hash, NULL, &err), DEJA_ECHANGED);
    }
}

static void test_digest__errors_of_reading_are_reported(void **state)
{
    (void)state;
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes(2 * BIG);
    make_file("f", bytes, 2 * BIG);
    DEJA_AUTO_CLOSE int fd = open("f", O_WRONLY | O_CLOEXEC);
    deja_hash hash;
    deja_error err = {0};
    assert_int_equal(digest_fd(fd, 100, &hash, NULL, &err), DEJA_EIO);
    assert_int_equal(err.sys_errno, EBADF);
    err.sys_errno = 0;
    assert_int_equal(digest_fd(fd, 2 * BIG, &hash, NULL, &err), DEJA_EIO);
    assert_int_equal(err.sys_errno, EBADF);
}

static void test_digest__a_settled_file_is_not_read_twice(void **state)
{
    (void)state;
    struct deja_cache c = open_cache(&clock_ahead);
    make_file("f", "one", 3);
    uint64_t size = 0;
    deja_digest_item item = {.path = "f"};
    assert_int_equal(digest_remembered(c.statmem, AT_FDCWD, &item, &size), 0);
    assert_int_equal(size, 3);
    item = digest_path(c.statmem, "f", 0);
    assert_int_equal(digest_remembered(c.statmem, AT_FDCWD, &item, &size), 1);
    assert_content(&item, DEJA_CONTENT_FILE, "one", 3);
    make_file("f", "four", 4);
    assert_int_equal(remembered(c.statmem, "f"), 0);
    item = digest_path(c.statmem, "f", 0);
    assert_content(&item, DEJA_CONTENT_FILE, "four", 4);
    close_cache(&c);
}

static void test_digest__a_young_file_is_read_again(void **state)
{
    (void)state;
    struct deja_cache c = open_cache(NULL);
    make_file("f", "one", 3);
    deja_digest_item item = digest_path(c.statmem, "f", 0);
    assert_content(&item, DEJA_CONTENT_FILE, "one", 3);
    assert_int_equal(remembered(c.statmem, "f"), 0);
    close_cache(&c);
}

static void test_digest__links_count_as_targets_or_as_themselves(void **state)
{
    (void)state;
    struct deja_cache c = open_cache(&clock_ahead);
    make_file("f", "content", 7);
    assert_int_equal(symlink("f", "link"), 0);
    for (int i = 0; i < 2; i++) {
        deja_digest_item item = digest_path(c.statmem, "link", 0);
        assert_content(&item, DEJA_CONTENT_FILE, "content", 7);
        item = digest_path(c.statmem, "link", DEJA_DIGEST_NO_FOLLOW);
        assert_content(&item, DEJA_CONTENT_LINK, "f", 1);
        item = digest_path(c.statmem, "f", DEJA_DIGEST_NO_FOLLOW);
        assert_content(&item, DEJA_CONTENT_FILE, "content", 7);
    }
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(digest_path(c.statmem, "dangling", 0).sys_errno, ENOENT);
    deja_digest_item item = digest_path(c.statmem, "dangling", DEJA_DIGEST_NO_FOLLOW);
    assert_content(&item, DEJA_CONTENT_LINK, "nowhere", 7);
    close_cache(&c);
}

static void make_socket(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strncpy(name.sun_path, path, sizeof name.sun_path - 1);
    DEJA_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && !bind(fd, (struct sockaddr *)&name, sizeof name));
}

/* A fifo nobody writes to must not block. */
static void test_digest__what_is_no_file_has_an_errno_and_no_content(void **state)
{
    (void)state;
    struct deja_cache c = open_cache(NULL);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    make_socket("socket");
    make_file("f", "", 0);
    static const struct {
        const char *path;
        int sys_errno;
    } cases[] = {{"fifo", EINVAL}, {"folder", EISDIR}, {"loop", ELOOP},       {"socket", EINVAL},
                 {"none", ENOENT}, {"f/x", ENOTDIR},   {"/dev/null", EINVAL}, {"", ENOENT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        deja_digest_item item = digest_path(c.statmem, cases[i].path, 0);
        assert_int_equal(item.sys_errno, cases[i].sys_errno);
        assert_int_equal(item.content.kind, DEJA_CONTENT_ABSENT);
        assert_int_equal(item.content.size, 0);
        assert_int_equal(remembered(c.statmem, cases[i].path), 1);
    }
    close_cache(&c);
}

static void test_digest__paths_begin_at_the_root(void **state)
{
    (void)state;
    struct deja_cache c = open_cache(NULL);
    assert_int_equal(mkdir("folder", 0700), 0);
    make_file("folder/f", "inside", 6);
    DEJA_AUTO_CLOSE int root = open("folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    deja_digest_item item = {.path = "f"};
    digest_item(c.statmem, root, &item, NULL);
    assert_content(&item, DEJA_CONTENT_FILE, "inside", 6);
    close_cache(&c);
}

static void test_digest__what_may_not_be_read_says_so(void **state)
{
    (void)state;
    struct deja_cache c = open_cache(NULL);
    make_file("f", "secret", 6);
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    deja_digest_item item = digest_path(c.statmem, "f", 0);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(item.sys_errno, EMFILE);
    assert_int_equal(item.content.kind, DEJA_CONTENT_ABSENT);
    assert_int_equal(chmod("f", 0), 0);
    item = digest_path(c.statmem, "f", 0);
    assert_int_equal(item.sys_errno, geteuid() ? EACCES : 0);
    close_cache(&c);
}

/* Such files have a size of 0 and content all the same; it must be read, and not be remembered. */
static void test_digest__files_of_proc_are_read_whole(void **state)
{
    (void)state;
    struct deja_cache c = open_cache(&clock_ahead);
    char text[4096];
    DEJA_AUTO_CLOSE int fd = open("/proc/version", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    if (n > 0) {
        deja_digest_item item = digest_path(c.statmem, "/proc/version", 0);
        assert_content(&item, DEJA_CONTENT_FILE, text, (size_t)n);
        assert_int_equal(remembered(c.statmem, "/proc/version"), 0);
    }
    close_cache(&c);
}

typedef struct meddler {
    _Atomic int stop;
    size_t len;
    const unsigned char *bytes;
} meddler;

/* Shortens, lengthens and rewrites the file until told to stop. */
static void *meddle(void *context)
{
    meddler *me = context;
    DEJA_AUTO_CLOSE int fd = open("f", O_WRONLY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && !atomic_load(&me->stop); i++) {
        if (ftruncate(fd, (off_t)(me->len / (size_t)(1 + i % 3))) ||
            pwrite(fd, me->bytes + i % 100, 1000, 0) < 0)
            break;
    }
    return NULL;
}

static void test_digest__a_file_that_changes_harms_nobody(void **state)
{
    (void)state;
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes(3 * BIG);
    static const size_t sizes[] = {20000, 3 * BIG};
    for (size_t i = 0; i < 2; i++) {
        struct deja_cache c = open_cache(&clock_ahead);
        make_file("f", bytes, sizes[i]);
        meddler m = {.len = sizes[i], .bytes = bytes};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, meddle, &m), 0);
        for (int round = 0; round < 50; round++) {
            deja_digest_item item = digest_path(c.statmem, "f", 0);
            assert_true(item.sys_errno == 0 || item.sys_errno == EAGAIN);
            assert_int_equal(item.content.kind, item.sys_errno ? DEJA_CONTENT_ABSENT : DEJA_CONTENT_FILE);
        }
        atomic_store(&m.stop, 1);
        pthread_join(thread, NULL);
        make_file("f", bytes, sizes[i]);
        deja_digest_item item = digest_path(c.statmem, "f", 0);
        assert_content(&item, DEJA_CONTENT_FILE, bytes, sizes[i]);
        close_cache(&c);
    }
}

/* A clock that changes the file whenever it is asked, which is between the first stat and the first read. */
typedef struct meddling_clock {
    int calls, changes;
} meddling_clock;

static int64_t meddling_wall_ns(void *context)
{
    meddling_clock *me = context;
    if (me->calls++ < me->changes) {
        DEJA_AUTO_CLOSE int fd = open("f", O_WRONLY | O_APPEND | O_CLOEXEC);
        assert_int_equal(write(fd, "x", 1), 1);
    }
    return wall_ahead(NULL);
}

static void test_digest__a_file_that_changes_while_it_is_read_is_read_again(void **state)
{
    (void)state;
    meddling_clock me = {.changes = 2};
    deja_clock clock = {.wall_ns = meddling_wall_ns, .context = &me};
    struct deja_cache c = open_cache(&clock);
    make_file("f", "content", 7);
    deja_digest_item item = digest_path(c.statmem, "f", 0);
    assert_content(&item, DEJA_CONTENT_FILE, "contentxx", 9);
    assert_int_equal(me.calls, 3);
    assert_int_equal(remembered(c.statmem, "f"), 1);
    me = (meddling_clock){.changes = 1000};
    make_file("f", "content", 7);
    item = digest_path(c.statmem, "f", 0);
    assert_int_equal(item.sys_errno, EAGAIN);
    assert_int_equal(item.content.kind, DEJA_CONTENT_ABSENT);
    assert_true(me.calls > 1 && me.calls < 10);
    assert_int_equal(remembered(c.statmem, "f"), 0);
    close_cache(&c);
}

static void test_digest__lack_of_memory_is_an_errno(void **state)
{
    (void)state;
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes(2 * BIG);
    static const size_t sizes[] = {100, 200000, 2 * BIG};
    struct deja_cache c = open_cache(NULL);
    for (size_t i = 0; i < 3; i++) {
        make_file("f", bytes, sizes[i]);
        long hits = 1;
        for (long n = 1; hits; n++) {
            failing_alloc_at(n);
            deja_digest_item item = digest_path(c.statmem, "f", 0);
            hits = failing_alloc_hits;
            failing_alloc_at(0);
            assert_int_equal(item.sys_errno, hits ? ENOMEM : 0);
        }
    }
    close_cache(&c);
}

/* ---- digests of several paths ---- */

static void finish(struct deja_cache *c, deja_digest *d, int begun)
{
    if (begun)
        return;
    struct pollfd p = {.fd = steps_fd(c->steps), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 30000), 1);
    assert_ptr_equal(steps_next(c->steps), &d->step);
}

static void test_digest__small_files_are_read_at_once_without_a_thread(void **state)
{
    (void)state;
    struct deja_cache c = open_cache(NULL);
    start_steps(&c);
    make_file("a", "aa", 2);
    make_file("b", "bbb", 3);
    deja_digest_item items[] = {{.path = "a"}, {.path = "none"}, {.path = "b"}, {.path = "."}};
    deja_digest d = {.root_fd = AT_FDCWD, .items = items, .count = 4};
    assert_int_equal(deja_digest_begin(&c, &d), 1);
    assert_int_equal(d.step.status, 0);
    assert_content(&items[0], DEJA_CONTENT_FILE, "aa", 2);
    assert_int_equal(items[1].sys_errno, ENOENT);
    assert_content(&items[2], DEJA_CONTENT_FILE, "bbb", 3);
    assert_int_equal(items[3].sys_errno, EISDIR);
    assert_int_equal(steps_fd(c.steps), -1);
    deja_digest nothing = {.root_fd = AT_FDCWD};
    assert_int_equal(deja_digest_begin(&c, &nothing), 1);
    close_cache(&c);
}

static void test_digest__large_files_come_later_and_are_remembered(void **state)
{
    (void)state;
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes(3 * BIG);
    struct deja_cache c = open_cache(&clock_ahead);
    start_steps(&c);
    make_file("large", bytes, 3 * BIG);
    make_file("middle", bytes, 500000);
    make_file("small", bytes, 10);
    deja_digest_item items[] = {{.path = "large"}, {.path = "none"}, {.path = "middle"}, {.path = "small"}};
    deja_digest d = {.root_fd = AT_FDCWD, .items = items, .count = 4};
    for (int round = 0; round < 2; round++) {
        int begun = deja_digest_begin(&c, &d);
        assert_int_equal(begun, round);
        finish(&c, &d, begun);
        assert_int_equal(d.step.status, 0);
        assert_content(&items[0], DEJA_CONTENT_FILE, bytes, 3 * BIG);
        assert_int_equal(items[1].sys_errno, ENOENT);
        assert_content(&items[2], DEJA_CONTENT_FILE, bytes, 500000);
        assert_content(&items[3], DEJA_CONTENT_FILE, bytes, 10);
    }
    close_cache(&c);
}

static void test_digest__several_at_once(void **state)
{
    (void)state;
    enum { N = 12 };
    DEJA_AUTO_FREE unsigned char *bytes = make_bytes(BIG + N);
    struct deja_cache c = open_cache(&clock_ahead);
    start_steps(&c);
    static char paths[N][8];
    deja_digest_item items[N][2];
    deja_digest d[N];
    unsigned later = 0;
    make_file("shared", bytes, BIG + N);
    for (int i = 0; i < N; i++) {
        snprintf(paths[i], sizeof paths[i], "%d", i);
        make_file(paths[i], bytes + i, BIG);
        items[i][0] = (deja_digest_item){.path = paths[i]};
        items[i][1] = (deja_digest_item){.path = "shared"};
        d[i] = (deja_digest){.root_fd = AT_FDCWD, .items = items[i], .count = 2};
        later += !deja_digest_begin(&c, &d[i]);
    }
    while (later) {
        struct pollfd p = {.fd = steps_fd(c.steps), .events = POLLIN};
        assert_int_equal(poll(&p, 1, 30000), 1);
        later -= steps_next(c.steps) != NULL;
    }
    for (int i = 0; i < N; i++) {
        assert_content(&items[i][0], DEJA_CONTENT_FILE, bytes + i, BIG);
        assert_content(&items[i][1], DEJA_CONTENT_FILE, bytes, BIG + N);
    }
    close_cache(&c);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_digest__is_right_at_every_size),
        CASE(test_digest__hashes_a_part_or_says_that_it_ended_early),
        CASE(test_digest__errors_of_reading_are_reported),
        CASE(test_digest__a_settled_file_is_not_read_twice),
        CASE(test_digest__a_young_file_is_read_again),
        CASE(test_digest__links_count_as_targets_or_as_themselves),
        CASE(test_digest__what_is_no_file_has_an_errno_and_no_content),
        CASE(test_digest__paths_begin_at_the_root),
        CASE(test_digest__what_may_not_be_read_says_so),
        CASE(test_digest__files_of_proc_are_read_whole),
        CASE(test_digest__a_file_that_changes_harms_nobody),
        CASE(test_digest__a_file_that_changes_while_it_is_read_is_read_again),
        CASE(test_digest__lack_of_memory_is_an_errno),
        CASE(test_digest__small_files_are_read_at_once_without_a_thread),
        CASE(test_digest__large_files_come_later_and_are_remembered),
        CASE(test_digest__several_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
