/* Output that waits, when memory and files run out: jobs/cli/held.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "held.h"
#include "scratch.h"
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

static held_span text(const char *s)
{
    return (held_span){.data = s, .fd = -1, .len = strlen(s)};
}

/* All of a chain as one text, freed. */
static const char *take(held_pool *p, held *h)
{
    static char all[256];
    size_t at = 0, len;
    while (h) {
        char buffer[8];
        const char *data = held_peek(h, buffer, sizeof buffer, &len, NULL);
        assert_non_null(data);
        memcpy(all + at, data, len);
        at += len;
        held_skip(h, len);
        if (h->len[0] || h->len[1])
            continue;
        held *next = h->next;
        held_free(p, h);
        h = next;
    }
    all[at] = 0;
    return all;
}

static void test_held__a_piece_takes_more_only_in_order(void **state)
{
    (void)state;
    held_pool p = {.limit = 1000, .folder = ".", .spool_fd = -1};
    held *h = held_new(&p, 10);
    assert_int_equal(held_append(h, 0, "ab", 2), 1);
    assert_int_equal(held_append(h, 0, "c", 1), 1);
    assert_int_equal(held_append(h, 1, "E", 1), 1);
    assert_int_equal(held_append(h, 0, "d", 1), 0);
    assert_int_equal(held_append(h, 1, "FGHIJKL", 7), 0);
    assert_int_equal(held_append(h, 1, "FGHIJK", 6), 1);
    assert_int_equal(held_stream(h), 0);
    held_skip(h, 3);
    assert_int_equal(held_stream(h), 1);
    assert_string_equal(take(&p, h), "EFGHIJK");
    assert_int_equal(p.memory, 0);
    assert_null(held_new(&p, 1000));
    held_pool_done(&p);
}

static void test_held__the_file_is_emptied_when_nothing_is_in_it(void **state)
{
    (void)state;
    held_pool p = {.limit = 0, .folder = ".", .spool_fd = -1};
    held_span a = text("out"), b = text("err"), none = text("");
    held *one = held_keep(&p, &a, &b);
    held *two = held_keep(&p, &none, &b);
    assert_null(held_keep(&p, &none, &none));
    assert_int_equal(p.spool_end, 9);
    assert_string_equal(take(&p, two), "err");
    assert_int_equal(p.spool_end, 9);
    assert_string_equal(take(&p, one), "outerr");
    assert_int_equal(p.spool_end, 0);
    assert_int_equal(p.memory, 0);
    held_pool_done(&p);
}

static void test_held__without_a_file_output_stays_in_memory(void **state)
{
    (void)state;
    struct rlimit old, none = {0};
    held_pool p = {.limit = 0, .folder = ".", .spool_fd = -1};
    held_span a = text("out"), b = text("err");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    held *h = held_keep(&p, &a, &b);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_non_null(h);
    assert_int_equal(p.lost, 0);
    assert_string_equal(take(&p, h), "outerr");
    held_pool_done(&p);
}

/* Whichever allocation fails: the output is there, or its loss is told; nothing leaks. */
static void test_held__no_memory_loses_nothing_unsaid(void **state)
{
    (void)state;
    for (uint64_t limit = 0; limit <= 1000; limit += 1000) {
        int failed = 1;
        for (long n = 1; failed; n++) {
            held_pool p = {.limit = limit, .folder = ".", .spool_fd = -1};
            held_span a = text("out"), b = text("err");
            failing_alloc_at(n);
            held *h = held_keep(&p, &a, &b);
            failed = failing_alloc_hits > 0;
            failing_alloc_at(0);
            assert_true(h || p.lost);
            if (h)
                assert_string_equal(take(&p, h), "outerr");
            assert_int_equal(p.memory, 0);
            held_pool_done(&p);
        }
    }
}

static void test_held__a_file_that_ends_early_is_told(void **state)
{
    (void)state;
    held_pool p = {.limit = 1000, .folder = ".", .spool_fd = -1};
    int fd = open("short", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "abc", 3), 3);
    held_span s = {.fd = fd, .len = 100}, none = text("");
    assert_null(held_keep(&p, &s, &none));
    assert_int_equal(p.lost, 1);
    assert_non_null(strstr(p.trouble.text, "ended early"));
    assert_int_equal(p.memory, 0);
    close(fd);
    held_pool_done(&p);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_held__a_piece_takes_more_only_in_order),
        CASE(test_held__the_file_is_emptied_when_nothing_is_in_it),
        CASE(test_held__without_a_file_output_stays_in_memory),
        CASE(test_held__no_memory_loses_nothing_unsaid),
        CASE(test_held__a_file_that_ends_early_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
