/* Rows of arguments out of several sources: jobs/cli/rows.h. */
#include "arguments_fixture.h"
#include "failing_alloc.h"
#include "rows.h"

/* All rows that are there by now, "a,b;" each; and the state that ended them. */
static int pull_all(rows *r, deja_buffer *b, deja_error *err)
{
    texts row = {0};
    int state;
    deja_buffer_clear(b);
    while ((state = rows_pull(r, &row, err)) == ITEM_ONE) {
        for (size_t i = 0; i < row.count; i++) {
            size_t len;
            const char *text = texts_get(&row, i, &len);
            deja_buffer_addf(b, "%s%.*s", i ? "," : "", (int)len, text);
        }
        deja_buffer_add_string(b, r->unfit.code ? "!;" : ";");
        texts_clear(&row);
    }
    texts_done(&row);
    return state;
}

static void test_rows__multiplies_and_links(void **state)
{
    (void)state;
    static const struct {
        const char *sources[4];
        int linked[4];
        const char *is;
    } cases[] = {
        {{"a b"}, {0}, "a;b;"},
        {{""}, {0}, ""},
        {{"a b", "1 2 3"}, {0}, "a,1;a,2;a,3;b,1;b,2;b,3;"},
        {{"a b", "1 2", "x y"}, {0}, "a,1,x;a,1,y;a,2,x;a,2,y;b,1,x;b,1,y;b,2,x;b,2,y;"},
        {{"a b c", "1 2"}, {0, 1}, "a,1;b,2;"},
        {{"a b", "1 2 3"}, {0, 1}, "a,1;b,2;"},
        {{"a b", "1 2", "x y z"}, {0, 1, 0}, "a,1,x;a,1,y;a,1,z;b,2,x;b,2,y;b,2,z;"},
        {{"a b", "x y z", "1 2"}, {0, 0, 1}, "a,x,1;a,y,2;b,x,1;b,y,2;"},
        {{"a b", "", "1 2"}, {0}, ""},
        {{"", "a b"}, {0}, ""},
        {{"a b", ""}, {0, 1}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rows r = {0};
        char text[4][32];
        const char *lists[4][8];
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        for (size_t k = 0; k < 4 && cases[i].sources[k]; k++) {
            snprintf(text[k], sizeof text[k], "%s", cases[i].sources[k]);
            add_words(&r, cases[i].linked[k], text[k], lists[k]);
        }
        assert_int_equal(pull_all(&r, &b, NULL), ITEM_END);
        assert_string_equal(deja_buffer_string(&b), cases[i].is);
        assert_int_equal(pull_all(&r, &b, NULL), ITEM_END);
        assert_string_equal(deja_buffer_string(&b), "");
        rows_done(&r);
    }
}

static void test_rows__come_as_the_first_source_does(void **state)
{
    (void)state;
    rows r = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    int first = add_pipe(&r, 0), linked = add_pipe(&r, 1), second = add_pipe(&r, 0);
    write_to(first, "a\nb\n", 4);
    assert_int_equal(pull_all(&r, &b, NULL), ITEM_LATER);
    assert_int_equal(rows_fd(&r), r.groups[1].sources[0].fd); /* what is multiplied comes first */
    write_to(second, "1\n2\n", 4);
    assert_int_equal(pull_all(&r, &b, NULL), ITEM_LATER);
    assert_string_equal(deja_buffer_string(&b), "");
    close(second);
    assert_int_equal(pull_all(&r, &b, NULL), ITEM_LATER);
    assert_int_equal(rows_fd(&r), r.groups[0].sources[1].fd);
    write_to(linked, "x\n", 2);
    assert_int_equal(pull_all(&r, &b, NULL), ITEM_LATER);
    assert_string_equal(deja_buffer_string(&b), "a,x,1;a,x,2;");
    write_to(linked, "y\nz\n", 4);
    assert_int_equal(pull_all(&r, &b, NULL), ITEM_LATER);
    assert_string_equal(deja_buffer_string(&b), "b,y,1;b,y,2;");
    assert_int_equal(rows_fd(&r), r.groups[0].sources[0].fd);
    close(first);
    assert_int_equal(pull_all(&r, &b, NULL), ITEM_END);
    assert_int_equal(rows_fd(&r), -1);
    close(linked);
    rows_done(&r);
}

static void test_rows__splits_columns_and_reads_names(void **state)
{
    (void)state;
    rows r = {.column_separator = ", "};
    char text[] = "n k", rest[] = "w v";
    const char *list[8], *more[8];
    texts names = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    add_words(&r, 0, text, list);
    list[1] = "a, b,, c, ";
    add_words(&r, 0, rest, more);
    assert_int_equal(rows_header(&r, &names, NULL), 0);
    assert_int_equal(names.count, 2);
    assert_int_equal(pull_all(&r, &b, NULL), ITEM_END);
    assert_string_equal(deja_buffer_string(&b), "a,b,,c,,v;");
    texts_done(&names);
    deja_error err;
    assert_int_equal(rows_header(&r, &names, &err), DEJA_EINVAL);
    texts_done(&names);
    rows_done(&r);
}

static void test_rows__marks_what_can_be_no_argument(void **state)
{
    (void)state;
    rows r = {0};
    char text[] = "1 2";
    const char *list[8];
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    int end = add_pipe(&r, 0);
    add_words(&r, 0, text, list);
    write_to(end, "a\nb\0b\nc\n", 8);
    close(end);
    assert_int_equal(pull_all(&r, &b, NULL), ITEM_END);
    assert_string_equal(deja_buffer_string(&b), "a,1;a,2;b,1!;b,2!;c,1;c,2;");
    rows_done(&r);
}

static void test_rows__survives_every_failed_allocation(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        rows r = {0};
        const char *lists[2][8] = {{"a", "b"}, {"1", "2"}};
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        failing_alloc_at(n);
        int added = 0;
        for (int i = 0; i < 2; i++) {
            item_source *s = rows_add(&r, 0);
            if (s)
                *s = (item_source){.words = lists[i], .word_count = 2, .fd = -1};
            added += s != NULL;
        }
        int ended = added == 2 ? pull_all(&r, &b, NULL) : DEJA_ENOMEM;
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        if (!hits)
            assert_string_equal(deja_buffer_string(&b), "a,1;a,2;b,1;b,2;");
        else if (!b.failed)
            assert_int_equal(ended, DEJA_ENOMEM);
        rows_done(&r);
        if (!hits)
            return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows__multiplies_and_links),
        cmocka_unit_test(test_rows__come_as_the_first_source_does),
        cmocka_unit_test(test_rows__splits_columns_and_reads_names),
        cmocka_unit_test(test_rows__marks_what_can_be_no_argument),
        cmocka_unit_test(test_rows__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
