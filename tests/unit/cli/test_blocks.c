/* A stream cut into blocks: jobs/cli/blocks.h. */
#include "arguments_fixture.h"
#include "blocks.h"
#include <sys/stat.h>

/* Appends the content of a block and "|". */
static void take(feed_row *row, deja_buffer *ret)
{
    struct stat st;
    char text[512];
    assert_int_equal(fstat(row->fd, &st), 0);
    assert_int_equal(st.st_size, (off_t)row->content.size);
    assert_true(st.st_size < (off_t)sizeof text);
    assert_int_equal(pread(row->fd, text, sizeof text, 0), st.st_size);
    deja_hash hash = deja_hash_bytes(text, (size_t)st.st_size);
    assert_memory_equal(&hash, &row->content.hash, sizeof hash);
    deja_buffer_add(ret, text, (size_t)st.st_size);
    deja_buffer_add_char(ret, '|');
    feed_row_free(row);
}

static int next_all(blocks *b, deja_buffer *ret)
{
    feed_row *row;
    int status;
    deja_buffer_clear(ret);
    while ((status = blocks_next(b, &row, NULL)) == 1)
        take(row, ret);
    return status;
}

static void check(const char *text, size_t size, const char *record_end, const char *is)
{
    int ends[2];
    DEJA_AUTO_BUFFER deja_buffer got = {0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    blocks b = {.fd = ends[0], .size = size, .record_end = record_end};
    write_to(ends[1], text, strlen(text));
    close(ends[1]);
    assert_int_equal(next_all(&b, &got), FEED_END);
    assert_string_equal(deja_buffer_string(&got), is);
    blocks_done(&b);
    close(ends[0]);
}

static void test_blocks__end_with_records(void **state)
{
    (void)state;
    check("a\nb\nc\n", 4, "\n", "a\nb\n|c\n|");
    check("a\nb\nc\n", 5, "\n", "a\nb\n|c\n|");
    check("a\nb\nc\n", 6, "\n", "a\nb\nc\n|");
    check("a\nb\nc\n", 1, "\n", "a\n|b\n|c\n|");
    check("aaaaaaaaa\nb\nc", 3, "\n", "aaaaaaaaa\n|b\nc|");
    check("aaaaaaaaa", 3, "\n", "aaaaaaaaa|");
    check("\n\n\n", 2, "\n", "\n\n|\n|");
    check("", 2, "\n", "");
    check("a--b--c---", 4, "--", "a--|b--|c---|");
    check("a--b--c-d", 3, "--", "a--|b--|c-d|");
    check("a--b--", 2, "--", "a--|b--|");
}

static void test_blocks__wait_for_more(void **state)
{
    (void)state;
    int ends[2];
    DEJA_AUTO_BUFFER deja_buffer got = {0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    blocks b = {.fd = ends[0], .size = 4, .record_end = "\n"};
    write_to(ends[1], "a\nb", 3);
    assert_int_equal(next_all(&b, &got), 0);
    assert_int_equal(blocks_fd(&b), ends[0]);
    write_to(ends[1], "bbbb", 4);
    assert_int_equal(next_all(&b, &got), 0);
    assert_string_equal(deja_buffer_string(&got), "a\n|");
    write_to(ends[1], "b\nc", 3);
    assert_int_equal(next_all(&b, &got), 0);
    assert_string_equal(deja_buffer_string(&got), "bbbbbb\n|");
    close(ends[1]);
    assert_int_equal(next_all(&b, &got), FEED_END);
    assert_string_equal(deja_buffer_string(&got), "c|");
    blocks_done(&b);
    close(ends[0]);
}

/* Whatever the pieces: all is there, and each block but the last ends with a record. */
static void test_blocks__lose_nothing(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 300; seed++) {
        uint32_t random = seed;
        int ends[2];
        char text[400];
        size_t len = next_number(&random) % sizeof text;
        const char *record_end = seed % 2 ? "\n" : "ab";
        DEJA_AUTO_BUFFER deja_buffer all = {0};
        feed_row *row;
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        blocks b = {.fd = ends[0], .size = 1 + next_number(&random) % 30, .record_end = record_end};
        for (size_t i = 0; i < len; i++)
            text[i] = "ab\nc"[next_number(&random) % 4];
        int status = 0;
        for (size_t at = 0; at < len || status == 0;) {
            size_t piece = 1 + next_number(&random) % 50;
            piece = piece < len - at ? piece : len - at;
            write_to(ends[1], text + at, piece);
            at += piece;
            if (at == len && ends[1] >= 0)
                close(deja_take_fd(ends[1]));
            while ((status = blocks_next(&b, &row, NULL)) == 1) {
                DEJA_AUTO_BUFFER deja_buffer block = {0};
                take(row, &block);
                deja_buffer_add(&all, block.data, block.len - 1);
                size_t n = strlen(record_end);
                assert_true(all.len == len || memcmp(block.data + block.len - 1 - n, record_end, n) == 0);
            }
        }
        assert_int_equal(status, FEED_END);
        assert_int_equal(all.len, len);
        assert_true(len == 0 || memcmp(all.data, text, len) == 0);
        blocks_done(&b);
        close(ends[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks__end_with_records),
        cmocka_unit_test(test_blocks__wait_for_more),
        cmocka_unit_test(test_blocks__lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
