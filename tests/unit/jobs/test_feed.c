/* Instances that become known during the run: jobs/feed.h, and their paths: jobs/made.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "feed.h"
#include "made.h"
#include <deja/cleanup.h>
#include <deja/memory.h>
#include <stdio.h>
#include <string.h>

/* A source of rows "0", "1", ... that can be told to wait, to end and to fail. */
typedef struct counter {
    uint32_t next, end;
    int waits, fails;
    size_t columns;
} counter;

static int next(void *context, feed_row **ret, deja_error *err)
{
    counter *c = context;
    char text[16];
    const char *const values[] = {text, "b", "c", "d", "e"};
    if (c->fails)
        return deja_fail(err, DEJA_EIO, "it failed");
    if (c->waits || c->next == c->end)
        return c->waits ? 0 : FEED_END;
    snprintf(text, sizeof text, "%u", c->next++);
    size_t lens[5] = {strlen(text), 1, 1, 1, 1};
    *ret = feed_row_new(values, lens, c->columns);
    return *ret ? 1 : deja_fail(err, DEJA_ENOMEM, "out of memory");
}

static int fd(void *context)
{
    (void)context;
    return 42;
}

static feed *open_feed(counter *c, size_t rows_most, size_t bytes_most)
{
    feed *f = NULL;
    feed_options o = {.next = next, .fd = fd, .context = c, .rows_most = rows_most, .bytes_most = bytes_most};
    assert_int_equal(feed_open(&f, &o, NULL), 0);
    return f;
}

static uint32_t take(feed *f)
{
    uint32_t index = UINT32_MAX;
    const deja_error *error;
    assert_int_equal(feed_next(f, &index, &error), 1);
    assert_null(error);
    return index;
}

static int takes_none(feed *f)
{
    uint32_t index;
    const deja_error *error;
    return feed_next(f, &index, &error) == 0;
}

static void test_feed__hands_out_rows_in_order_and_forgets_them(void **state)
{
    (void)state;
    counter c = {.end = 5000, .columns = 1};
    feed *f = open_feed(&c, SIZE_MAX, SIZE_MAX);
    uint32_t count;
    for (uint32_t i = 0; i < 5000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        assert_int_equal(take(f), i);
        assert_string_equal(feed_get(f, i)->values[0], text);
        if (i >= 2000) { /* out of order, and some are never dropped before the end */
            feed_drop(f, i % 2 ? i - 2000 : i);
            feed_settle(f);
        }
    }
    assert_int_equal(feed_count(f, &count), 0);
    assert_true(takes_none(f));
    assert_int_equal(feed_count(f, &count), 1);
    assert_int_equal(count, 5000);
    assert_null(feed_get(f, 2000));
    assert_non_null(feed_get(f, 0));
    assert_null(feed_get(f, 1));
    assert_null(feed_get(f, 5000));
    feed_drop(f, 2000);
    assert_false(feed_finished(f));
    for (int i = 0; i < 2000; i++)
        feed_settle(f);
    assert_true(feed_finished(f));
    feed_close(f);
    feed_close(NULL);
}

static void test_feed__says_what_it_waits_for(void **state)
{
    (void)state;
    counter c = {.end = 2, .columns = 1, .waits = 1};
    feed *f = open_feed(&c, SIZE_MAX, SIZE_MAX);
    assert_int_equal(feed_fd(f), -1);
    assert_true(takes_none(f));
    assert_int_equal(feed_fd(f), 42);
    assert_false(feed_finished(f));
    c.waits = 0;
    assert_int_equal(take(f), 0);
    assert_int_equal(feed_fd(f), -1);
    assert_int_equal(take(f), 1);
    assert_true(takes_none(f));
    assert_int_equal(feed_fd(f), -1);
    feed_close(f);
}

static void test_feed__holds_no_more_than_it_may(void **state)
{
    (void)state;
    counter c = {.end = 100, .columns = 1};
    feed *f = open_feed(&c, 2, SIZE_MAX);
    take(f);
    take(f);
    assert_true(takes_none(f));
    assert_int_equal(feed_fd(f), -1);
    feed_drop(f, 0);
    assert_int_equal(take(f), 2);
    feed_close(f);
    f = open_feed(&c, SIZE_MAX, 1);
    take(f); /* one at least, whatever it holds */
    assert_true(takes_none(f));
    feed_drop(f, 0);
    take(f);
    feed_close(f);
}

static void test_feed__tells_why_there_are_no_more(void **state)
{
    (void)state;
    counter c = {.end = 2, .columns = 1};
    feed *f = open_feed(&c, SIZE_MAX, SIZE_MAX);
    uint32_t index;
    const deja_error *error;
    take(f);
    c.fails = 1;
    assert_int_equal(feed_next(f, &index, &error), 1);
    assert_int_equal(index, 1);
    assert_string_equal(error->text, "it failed");
    assert_true(takes_none(f));
    const deja_error why = {.code = DEJA_EINVAL, .text = "refused"};
    assert_string_equal(feed_refuse(f, 0, &why)->text, "refused");
    feed_close(f);
}

static void test_feed__names_instances(void **state)
{
    (void)state;
    static const char *const names[] = {"n", "letter"};
    counter c = {.end = 9, .columns = 4};
    feed *f = NULL;
    feed_options o = {.next = next,
                      .fd = fd,
                      .context = &c,
                      .names = names,
                      .name_count = 2,
                      .rows_most = 9,
                      .bytes_most = SIZE_MAX};
    assert_int_equal(feed_open(&f, &o, NULL), 0);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    take(f);
    feed_name(f, 0, &b);
    c.columns = 5;
    take(f);
    feed_name(f, 1, &b);
    c.columns = 0;
    take(f);
    feed_name(f, 2, &b);
    assert_string_equal(deja_buffer_string(&b), "[n=0,letter=b,3=c,4=d][n=1,letter=b,3=c,...][#=3]");
    feed_close(f);
}

static void test_feed__names_long_arguments_in_short(void **state)
{
    (void)state;
    char text[1000], expected[1000];
    const char *const values[] = {text};
    const size_t lens[] = {600};
    for (size_t i = 0; i < 600; i += 2)
        memcpy(text + i, "\303\244", 2);
    memmove(text + 1, text, 599);
    text[0] = 'x';
    snprintf(expected, sizeof expected, "[1=%.199s...]", text);
    counter c = {.end = 1, .columns = 1};
    feed *f = open_feed(&c, 9, SIZE_MAX);
    take(f);
    feed_row *row = (feed_row *)feed_get(f, 0), *longer = feed_row_new(values, lens, 1);
    row->values[0] = longer->values[0];
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    feed_name(f, 0, &b);
    assert_string_equal(deja_buffer_string(&b), expected);
    feed_close(f);
    feed_row_free(longer);
}

static void test_feed__survives_every_failed_allocation(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        counter c = {.end = 3, .columns = 2};
        feed_options o = {.next = next, .fd = fd, .context = &c, .rows_most = 9, .bytes_most = SIZE_MAX};
        feed *f = NULL;
        uint32_t index;
        const deja_error *error = NULL;
        failing_alloc_at(n);
        if (feed_open(&f, &o, NULL) == 0)
            for (int i = 0; i < 9 && !error && feed_next(f, &index, &error); i++)
                ;
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        if (f && hits) {
            assert_int_equal(error->code, DEJA_ENOMEM);
            assert_true(takes_none(f));
        }
        feed_close(f);
        if (!hits)
            return;
    }
}

static void test_made__knows_each_path_once(void **state)
{
    (void)state;
    made m = {0};
    char path[32];
    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof path, "out/%d", i);
        assert_int_equal(made_add(&m, path, NULL), 1);
        assert_int_equal(made_add(&m, path, NULL), 0);
    }
    assert_int_equal(made_add(&m, "out/7", NULL), 0);
    made_done(&m);
    failing_alloc_at(1);
    assert_int_equal(made_add(&m, "a", NULL), DEJA_ENOMEM);
    failing_alloc_at(0);
    assert_int_equal(made_add(&m, "a", NULL), 1);
    made_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feed__hands_out_rows_in_order_and_forgets_them),
        cmocka_unit_test(test_feed__says_what_it_waits_for),
        cmocka_unit_test(test_feed__holds_no_more_than_it_may),
        cmocka_unit_test(test_feed__tells_why_there_are_no_more),
        cmocka_unit_test(test_feed__names_instances),
        cmocka_unit_test(test_feed__names_long_arguments_in_short),
        cmocka_unit_test(test_feed__survives_every_failed_allocation),
        cmocka_unit_test(test_made__knows_each_path_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
