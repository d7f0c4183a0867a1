/*
 * Shared memory: blocks that do not overlap, room that comes back, the same address in another process.
 */
#include "heap.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { heap_bytes = 64 << 20 };

static heap *open_heap(void)
{
    heap *h = NULL;
    deja_error err;
    if (heap_open(&h, heap_bytes, &err) < 0)
        fail_msg("%s", err.text);
    return h;
}

static void test_heap__blocks_are_aligned_and_apart(void **state)
{
    (void)state;
    enum { blocks = 2000 };
    heap *h = open_heap();
    unsigned char *block[blocks];
    size_t len[blocks];
    srand(7);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < blocks; i++) {
            len[i] = (size_t)rand() % (i % 50 ? 3000 : 200000) + 1;
            block[i] = heap_alloc(h, len[i], 1, NULL);
            assert_non_null(block[i]);
            assert_int_equal((uintptr_t)block[i] % heap_align, 0);
            assert_int_equal(block[i][0] | block[i][len[i] - 1], 0);
            memset(block[i], i & 255, len[i]);
        }
        for (int i = 0; i < blocks; i++) {
            assert_int_equal(block[i][0], i & 255);
            assert_int_equal(block[i][len[i] - 1], i & 255);
            if (i % 3 != round || round == 2)
                heap_free(h, block[i]);
        }
        for (int i = 0; i < blocks && round < 2; i++)
            if (i % 3 == round)
                heap_free(h, block[i]);
    }
    assert_int_equal(heap_used(h), 0);
    heap_close(h);
}

/* All of it can be had again as one block: free extents were merged, slabs but one of a size given up. */
static void test_heap__freed_room_merges(void **state)
{
    (void)state;
    heap *h = open_heap();
    void *block[60];
    for (int i = 0; i < 60; i++)
        assert_non_null(block[i] = heap_alloc(h, 1 << 20, 0, NULL));
    for (int i = 0; i < 60; i += 2)
        heap_free(h, block[i]);
    assert_null(heap_alloc(h, 40 << 20, 0, NULL));
    for (int i = 1; i < 60; i += 2)
        heap_free(h, block[i]);
    void *all = heap_alloc(h, heap_bytes, 0, NULL);
    assert_non_null(all);
    heap_free(h, all);
    heap_close(h);
}

static void test_heap__a_full_heap_is_an_error(void **state)
{
    (void)state;
    heap *h = open_heap();
    deja_error err;
    assert_null(heap_alloc(h, heap_bytes + 1, 0, &err));
    assert_int_equal(err.code, DEJA_EFULL);
    assert_null(heap_alloc(h, UINT64_MAX, 0, &err));
    void *most = heap_alloc(h, heap_bytes - 4096, 0, &err);
    assert_non_null(most);
    assert_null(heap_alloc(h, 8192, 0, &err));
    assert_int_equal(err.code, DEJA_EFULL);
    assert_null(heap_alloc(h, 10, 0, &err));
    heap_free(h, most);
    heap_close(h);
}

/* A block that comes back is empty again: its pages went to the system. */
static void test_heap__freed_pages_are_zero_again(void **state)
{
    (void)state;
    heap *h = open_heap();
    for (int i = 0; i < 3; i++) {
        char *block = heap_alloc(h, 1 << 20, 1, NULL);
        assert_int_equal(block[0] | block[(1 << 20) - 1], 0);
        memset(block, 1, 1 << 20);
        heap_free(h, block);
    }
    heap_close(h);
}

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_heap__a_worker_reads_and_writes_elsewhere(void **state)
{
    (void)state;
    heap *h = open_heap();
    volatile int *number = heap_alloc(h, sizeof *number, 1, NULL);
    *number = 1;
    pid_t pid = fork();
    if (pid == 0) {
        if (heap_turn_over(h, NULL) < 0 || *number != 1)
            _exit(1);
        *(volatile int *)heap_writable(h, (const void *)number) = 2;
        signal(SIGSEGV, SIG_DFL);
        *number = 3; /* faults */
        _exit(2);
    }
    int status = status_of(pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_int_equal(*number, 2);
    heap_close(h);
}

static void test_heap__a_frozen_array_cannot_be_written(void **state)
{
    (void)state;
    heap *h = open_heap();
    deja_array *a;
    assert_int_equal(heap_array_new(h, DEJA_F64, 2, (int64_t[]){3, 4}, &a, NULL), 0);
    assert_true(heap_holds(h, a->data, 96));
    ((double *)a->data)[11] = 1.5;
    assert_int_equal(heap_array_freeze(a, NULL), 0);
    assert_int_equal(heap_array_freeze(a, NULL), 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        ((volatile double *)a->data)[0] = 1;
        _exit(0);
    }
    assert_true(WIFSIGNALED(status_of(pid)));
    assert_true(((double *)a->data)[11] == 1.5);
    heap_close(h); /* the array outlives the heap's owner */
    assert_true(((double *)a->data)[11] == 1.5);
    heap_array_free(a);
}

static void test_heap__the_room_of_a_frozen_array_can_be_written_again(void **state)
{
    (void)state;
    heap *h = open_heap();
    for (int i = 0; i < 3; i++) {
        deja_array *a;
        assert_int_equal(heap_array_new(h, DEJA_I64, 1, (int64_t[]){100000}, &a, NULL), 0);
        memset(a->data, 1, 800000);
        assert_int_equal(heap_array_freeze(a, NULL), 0);
        heap_array_free(a);
    }
    heap_close(h);
}

static void test_heap__a_forked_child_gives_nothing_back(void **state)
{
    (void)state;
    heap *h = open_heap();
    deja_array *a;
    assert_int_equal(heap_array_new(h, DEJA_I64, 1, (int64_t[]){100000}, &a, NULL), 0);
    memset(a->data, 1, 800000);
    pid_t pid = fork();
    if (pid == 0) {
        heap_array_free(a);
        heap_close(h);
        _exit(0);
    }
    assert_int_equal(status_of(pid), 0);
    assert_int_equal(((char *)a->data)[500000], 1);
    heap_array_free(a);
    heap_close(h);
}

static void test_heap__a_limit_of_file_sizes_is_named(void **state)
{
    (void)state;
    struct rlimit before;
    deja_error err;
    heap *h = NULL;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit low = {.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int rc = heap_open(&h, heap_bytes, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, DEJA_ERESOURCE);
    assert_non_null(strstr(err.text, "ulimit -f"));
    assert_null(heap_alloc(h = open_heap(), 2 * heap_bytes, 0, &err));
    assert_non_null(strstr(err.text, "heap_bytes"));
    heap_close(h);
}

static void test_heap__bad_arrays_are_refused(void **state)
{
    (void)state;
    heap *h = open_heap();
    deja_array *a;
    deja_error err;
    assert_int_equal(heap_array_new(h, DEJA_STRING, 0, NULL, &a, &err), DEJA_EINVAL);
    assert_int_equal(heap_array_new(h, DEJA_F64, 1, (int64_t[]){-1}, &a, &err), DEJA_EINVAL);
    assert_int_equal(heap_array_new(h, DEJA_F64, 2, (int64_t[]){INT64_MAX, 9}, &a, &err), DEJA_EINVAL);
    assert_int_equal(heap_array_new(h, DEJA_F64, 1, (int64_t[]){heap_bytes}, &a, &err), DEJA_EFULL);
    assert_int_equal(heap_array_new(h, DEJA_F64, 1, (int64_t[]){0}, &a, &err), 0);
    heap_array_free(a);
    heap_array_free(NULL);
    heap_close(h);
    heap_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap__blocks_are_aligned_and_apart),
        cmocka_unit_test(test_heap__freed_room_merges),
        cmocka_unit_test(test_heap__a_full_heap_is_an_error),
        cmocka_unit_test(test_heap__freed_pages_are_zero_again),
        cmocka_unit_test(test_heap__a_worker_reads_and_writes_elsewhere),
        cmocka_unit_test(test_heap__a_frozen_array_cannot_be_written),
        cmocka_unit_test(test_heap__the_room_of_a_frozen_array_can_be_written_again),
        cmocka_unit_test(test_heap__a_forked_child_gives_nothing_back),
        cmocka_unit_test(test_heap__a_limit_of_file_sizes_is_named),
        cmocka_unit_test(test_heap__bad_arrays_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
