/*
 * Streams in memory and in spools, spools that are full, and memory that is short.
 */
#include "capture.h"
#include "commands.h"
#include "failing_alloc.h"

#include <deja/file.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { spool_room = 100000 }; /* bytes */

typedef struct spool {
    int calls;
    int broken; /* 1: fails, 2: gives a file that takes nothing, 3: one that takes spool_room */
    int fd;
} spool;

static int give_spool(void *context, deja_error *err)
{
    spool *s = context;
    s->calls++;
    if (s->broken == 1)
        return deja_fail(err, DEJA_EFULL, "no space");
    if (s->broken == 2)
        return open("/dev/full", O_RDWR | O_CLOEXEC);
    s->fd = memfd_create("spool", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (s->broken == 3 && (ftruncate(s->fd, spool_room) || fcntl(s->fd, F_ADD_SEALS, F_SEAL_GROW)))
        return deja_fail(err, DEJA_EIO, "no seals");
    return s->fd;
}

static void fill(char *block, size_t len, uint64_t at)
{
    for (size_t i = 0; i < len; i++)
        block[i] = (char)((at + i) * 2654435761U >> 13);
}

static void add_pattern(capture *c, const capture_store *store, uint64_t total)
{
    char block[7000];
    for (uint64_t at = 0; at < total;) {
        size_t len = total - at < sizeof block ? (size_t)(total - at) : sizeof block;
        fill(block, len, at);
        capture_add(c, store, block, len);
        at += len;
    }
}

static void check_pattern(const deja_captured *all, uint64_t total)
{
    char want[4096], got[4096];
    assert_int_equal(all->len, total);
    for (uint64_t at = 0; at < total;) {
        size_t len = total - at < sizeof want ? (size_t)(total - at) : sizeof want;
        fill(want, len, at);
        if (all->fd >= 0)
            assert_int_equal(pread(all->fd, got, len, (off_t)at), len);
        assert_memory_equal(all->fd >= 0 ? got : all->data + at, want, len);
        at += len;
    }
}

static void test_capture__small_stays_in_memory(void **state)
{
    (void)state;
    capture_store store = {.limit = 10000};
    capture c;
    deja_captured all;
    capture_init(&c);
    add_pattern(&c, &store, 10000);
    capture_take(&c, &all);
    assert_int_equal(all.fd, -1);
    assert_int_equal(all.error, 0);
    assert_int_equal(all.data[10000], 0);
    check_pattern(&all, 10000);
    captured_done(&all);
    capture_done(&c);
}

static void test_capture__large_goes_to_the_given_spool(void **state)
{
    (void)state;
    spool s = {0};
    capture_store store = {.limit = 10000, .spool = give_spool, .context = &s};
    capture c;
    deja_captured all;
    capture_init(&c);
    add_pattern(&c, &store, 1000001);
    capture_take(&c, &all);
    assert_int_equal(s.calls, 1);
    assert_int_equal(all.fd, s.fd);
    assert_null(all.data);
    assert_int_equal(all.error, 0);
    check_pattern(&all, 1000001);
    captured_done(&all);
    assert_int_equal(all.fd, -1);
}

static void check_fallback(int broken, int error)
{
    spool s = {.broken = broken};
    capture_store store = {.limit = 10000, .spool = give_spool, .context = &s};
    capture c;
    deja_captured all;
    capture_init(&c);
    add_pattern(&c, &store, 500000);
    capture_take(&c, &all);
    assert_int_equal(s.calls, 1);
    assert_int_equal(all.error, error);
    assert_int_equal(all.lost, 0);
    assert_true(all.fd > 2);
    check_pattern(&all, 500000);
    captured_done(&all);
}

static void test_capture__a_refused_spool_becomes_a_memfd(void **state)
{
    (void)state;
    check_fallback(1, DEJA_EFULL);
}

static void test_capture__a_full_spool_becomes_a_memfd(void **state)
{
    (void)state;
    check_fallback(2, DEJA_EFULL);
}

static void test_capture__a_spool_that_fills_up_on_the_way_becomes_a_memfd(void **state)
{
    (void)state;
    check_fallback(3, deja_code_of_errno(EPERM));
}

/* RLIMIT_FSIZE stops a spool in the middle of a block, and a memfd likewise. */
static void test_capture__a_spool_that_fills_up_keeps_what_it_has(void **state)
{
    (void)state;
    spool s = {0};
    capture_store store = {.limit = 10000, .spool = give_spool, .context = &s};
    struct rlimit before, limit;
    capture c;
    deja_captured all;
    sighandler_t handler = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 100000, .rlim_max = before.rlim_max};
    capture_init(&c);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    add_pattern(&c, &store, 500000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    capture_take(&c, &all);
    assert_int_equal(all.error, deja_code_of_errno(EFBIG));
    assert_int_equal(all.sys_errno, EFBIG);
    assert_int_equal(all.len + all.lost, 500000);
    assert_true(all.len > 90000 && all.len <= 100000);
    check_pattern(&all, all.len);
    captured_done(&all);
}

static void test_capture__without_descriptors_memory_goes_on_to_sixteen_times(void **state)
{
    (void)state;
    capture_store store = {.limit = 10000};
    struct rlimit before, none;
    capture c;
    deja_captured all;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    capture_init(&c);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    add_pattern(&c, &store, 170000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    capture_take(&c, &all);
    assert_int_equal(all.fd, -1);
    assert_int_equal(all.error, DEJA_ERESOURCE);
    assert_int_equal(all.len + all.lost, 170000);
    assert_true(all.len > 150000 && all.len <= 160000);
    check_pattern(&all, all.len);
    captured_done(&all);
}

static void test_capture__no_allocation_loses_bytes(void **state)
{
    (void)state;
    long n = 1;
    for (;; n++) {
        capture_store store = {.limit = 100000};
        capture c;
        deja_captured all;
        capture_init(&c);
        failing_alloc_at(n);
        add_pattern(&c, &store, 300000);
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        capture_take(&c, &all);
        assert_int_equal(all.lost, 0);
        check_pattern(&all, 300000);
        captured_done(&all);
        if (!hits)
            break;
    }
    assert_true(n > 1);
}

static void test_capture__done_takes_zeroed_memory(void **state)
{
    (void)state;
    deja_captured zero = {0};
    int fds = commands_count_fds();
    captured_done(&zero);
    assert_int_equal(commands_count_fds(), fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture__small_stays_in_memory),
        cmocka_unit_test(test_capture__large_goes_to_the_given_spool),
        cmocka_unit_test(test_capture__a_refused_spool_becomes_a_memfd),
        cmocka_unit_test(test_capture__a_full_spool_becomes_a_memfd),
        cmocka_unit_test(test_capture__a_spool_that_fills_up_on_the_way_becomes_a_memfd),
        cmocka_unit_test(test_capture__a_spool_that_fills_up_keeps_what_it_has),
        cmocka_unit_test(test_capture__without_descriptors_memory_goes_on_to_sixteen_times),
        cmocka_unit_test(test_capture__no_allocation_loses_bytes),
        cmocka_unit_test(test_capture__done_takes_zeroed_memory),
    };
    return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
