/* What one job of `deja map` gets: jobs/cli/bundle.h. */
#include "arguments_fixture.h"
#include "bundle.h"

/* All jobs that are there by now, "a,b;" each. */
static int next_all(bundle *b, deja_buffer *ret)
{
    feed_row *row;
    int status;
    deja_buffer_clear(ret);
    while ((status = bundle_next(b, &row, NULL)) == 1) {
        for (uint32_t i = 0; i < row->count; i++)
            deja_buffer_addf(ret, "%s%s", i ? "," : "", row->values[i]);
        deja_buffer_add_string(ret, row->error ? "!;" : ";");
        feed_row_free(row);
    }
    return status;
}

static void check(const char *text, bundle_options options, const char *is)
{
    rows r = {0};
    char copy[64];
    const char *list[32];
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    snprintf(copy, sizeof copy, "%s", text);
    add_words(&r, 0, copy, list);
    bundle all = {.rows = &r, .options = options};
    assert_int_equal(next_all(&all, &b), FEED_END);
    assert_string_equal(deja_buffer_string(&b), is);
    assert_int_equal(next_all(&all, &b), FEED_END);
    bundle_done(&all);
    rows_done(&r);
}

static void test_bundle__of_a_number(void **state)
{
    (void)state;
    check("a b c", (bundle_options){.each = 1}, "a;b;c;");
    check("a b c d e", (bundle_options){.each = 2}, "a,b;c,d;e;");
    check("a b", (bundle_options){.each = 9}, "a,b;");
    check("", (bundle_options){.each = 2}, "");
}

static void test_bundle__of_as_many_as_fit(void **state)
{
    (void)state;
    bundle_options o = {.fit_bytes = 3 * (2 + 8), .times = 1, .slots = 1};
    check("a b c d e f g", o, "a,b,c;d,e,f;g;");
    check("a bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb c", o, "a;bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb;c;");
    o.times = 3;
    check("a b c", o, "a;b;c;");
    o = (bundle_options){.fit_bytes = 1000, .times = 1, .slots = 3};
    check("a b c d e f g", o, "a,b,c;d,e,f;g;");
    check("a b", o, "a;b;");
    check("", o, "");
    o = (bundle_options){.fit_bytes = 2 * (2 + 2) + 3, .times = 1, .slots = 1, .is_shell = 1};
    check("a b c", o, "a,b;c;");
    check("' b c", o, "',b;c;"); /* a quote costs three bytes more */
    check("'' b c", o, "'';b,c;");
}

static void test_bundle__waits_until_it_is_full(void **state)
{
    (void)state;
    rows r = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    int end = add_pipe(&r, 0);
    bundle pair = {.rows = &r, .options = {.each = 2}};
    write_to(end, "a\nb\nc\n", 6);
    assert_int_equal(next_all(&pair, &b), 0);
    assert_string_equal(deja_buffer_string(&b), "a,b;");
    assert_int_equal(bundle_fd(&pair), r.groups[0].sources[0].fd);
    write_to(end, "d\0\ne\n", 5);
    assert_int_equal(next_all(&pair, &b), 0);
    assert_string_equal(deja_buffer_string(&b), "c,d!;");
    close(end);
    assert_int_equal(next_all(&pair, &b), FEED_END);
    assert_string_equal(deja_buffer_string(&b), "e;");
    bundle_done(&pair);
    rows_done(&r);
}

static void test_bundle__leaves_room_for_the_rest(void **state)
{
    (void)state;
    size_t room = bundle_room(100, 1), most = bundle_room(0, 0);
    assert_true(room > 100000 && room < ITEM_MOST);
    assert_true(most > 4096);
    assert_true(bundle_room((size_t)1 << 40, 0) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bundle__of_a_number),
        cmocka_unit_test(test_bundle__of_as_many_as_fit),
        cmocka_unit_test(test_bundle__waits_until_it_is_full),
        cmocka_unit_test(test_bundle__leaves_room_for_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
