/* The arguments of one source: jobs/cli/item_source.h. */
#include "arguments_fixture.h"
#include "item_source.h"

/* All items that are there by now, each in <...>, behind one that is unfit a "!"; and the state that ended
 * them. */
static item_state read_all(item_source *s, deja_buffer *b)
{
    item it;
    int state;
    deja_buffer_clear(b);
    while ((state = item_source_next(s, &it, NULL)) == ITEM_ONE) {
        deja_buffer_add_char(b, '<');
        if (!it.unfit)
            deja_buffer_add(b, it.text, it.len);
        deja_buffer_add_string(b, it.unfit ? "!>" : ">");
    }
    return (item_state)state;
}

static void open_pipe(item_source *s, int *ret_end)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    *s = (item_source){.name = "a pipe", .fd = ends[0], .separator = '\n'};
    *ret_end = ends[1];
}

static void test_item_source__gives_lines_as_they_arrive(void **state)
{
    (void)state;
    item_source s;
    int end;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    open_pipe(&s, &end);
    assert_int_equal(read_all(&s, &b), ITEM_LATER);
    write_to(end, "a\nb c\nd", 7);
    assert_int_equal(read_all(&s, &b), ITEM_LATER);
    assert_string_equal(deja_buffer_string(&b), "<a><b c>");
    write_to(end, "e\n\n\r\n f", 7);
    item_source_wait(&s);
    assert_int_equal(read_all(&s, &b), ITEM_LATER);
    assert_string_equal(deja_buffer_string(&b), "<de><\r>");
    close(end);
    assert_int_equal(read_all(&s, &b), ITEM_END);
    assert_string_equal(deja_buffer_string(&b), "< f>");
    assert_int_equal(read_all(&s, &b), ITEM_END);
    item_source_done(&s);
}

static void test_item_source__keeps_empty_ones_where_it_is_told(void **state)
{
    (void)state;
    item_source s;
    int end;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    open_pipe(&s, &end);
    s.separator = '\0';
    s.keeps_empty = 1;
    write_to(end, "a\nb\0\0c\0", 7);
    close(end);
    assert_int_equal(read_all(&s, &b), ITEM_END);
    assert_string_equal(deja_buffer_string(&b), "<a\nb><><c>");
    item_source_done(&s);
}

static void test_item_source__refuses_what_cannot_be_an_argument(void **state)
{
    (void)state;
    item_source s;
    int end;
    char *line = deja_calloc(1, 3 * ITEM_MOST);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_non_null(line);
    memset(line, 'x', 3 * ITEM_MOST);
    open_pipe(&s, &end);
    assert_true(fcntl(end, F_SETPIPE_SZ, 1 << 20) > 0);
    write_to(end, line, ITEM_MOST);
    write_to(end, "\n", 1);
    assert_int_equal(read_all(&s, &b), ITEM_LATER);
    assert_int_equal(b.len, ITEM_MOST + 2);
    write_to(end, line, ITEM_MOST + 1);
    write_to(end, "\n", 1);
    assert_int_equal(read_all(&s, &b), ITEM_LATER);
    assert_string_equal(deja_buffer_string(&b), "<!>");
    write_to(end, line, 3 * ITEM_MOST);
    assert_int_equal(read_all(&s, &b), ITEM_LATER);
    assert_true(s.data.cap < 4 * ITEM_MOST);
    write_to(end, line, 3 * ITEM_MOST);
    assert_int_equal(read_all(&s, &b), ITEM_LATER);
    assert_true(s.data.cap < 4 * ITEM_MOST); /* of a long line only so much is held */
    write_to(end, "\nnext\nz\0z\n", 10);
    assert_int_equal(read_all(&s, &b), ITEM_LATER);
    assert_string_equal(deja_buffer_string(&b), "<!><next><!>");
    close(end);
    item_source_done(&s);
    deja_free(line);
}

/* Any bytes in pieces of any size give the same lines. */
static void test_item_source__does_not_care_for_pieces(void **state)
{
    (void)state;
    static const char text[] = "one\ntwo\n\nthree three\n\n\nfour\r\n5\n6\n\n7";
    for (uint32_t seed = 1; seed <= 200; seed++) {
        item_source s;
        int end;
        uint32_t random = seed;
        DEJA_AUTO_BUFFER deja_buffer all = {0};
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        open_pipe(&s, &end);
        for (size_t at = 0; at < sizeof text - 1;) {
            size_t len = 1 + next_number(&random) % 9;
            len = len < sizeof text - 1 - at ? len : sizeof text - 1 - at;
            write_to(end, text + at, len);
            at += len;
            if (next_number(&random) % 2)
                read_all(&s, &b);
            else
                continue;
            deja_buffer_add(&all, b.data, b.len);
        }
        close(end);
        assert_int_equal(read_all(&s, &b), ITEM_END);
        deja_buffer_add(&all, b.data, b.len);
        assert_string_equal(deja_buffer_string(&all), "<one><two><three three><four\r><5><6><7>");
        item_source_done(&s);
    }
}

static void test_item_source__of_files(void **state)
{
    (void)state;
    item_source s = {.separator = '\n'};
    deja_error err;
    item it;
    assert_int_equal(item_source_open(&s, "/dev/null", &err), 0);
    assert_int_equal(item_source_next(&s, &it, &err), ITEM_END);
    item_source_done(&s);
    assert_true(item_source_open(&s, "/does/not/exist", &err) < 0);
    assert_string_equal(err.text, "open the arguments '/does/not/exist': No such file or directory");
    item_source_done(&s);
    assert_int_equal(item_source_open(&s, "/", &err), 0);
    assert_true(item_source_next(&s, &it, &err) < 0);
    assert_string_equal(err.text, "read arguments from '/': Is a directory");
    item_source_done(&s);
    const char *const words[] = {"a", ""};
    s = (item_source){.words = words, .word_count = 2};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(read_all(&s, &b), ITEM_END);
    assert_string_equal(deja_buffer_string(&b), "<a><>");
    item_source_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_item_source__gives_lines_as_they_arrive),
        cmocka_unit_test(test_item_source__keeps_empty_ones_where_it_is_told),
        cmocka_unit_test(test_item_source__refuses_what_cannot_be_an_argument),
        cmocka_unit_test(test_item_source__does_not_care_for_pieces),
        cmocka_unit_test(test_item_source__of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
