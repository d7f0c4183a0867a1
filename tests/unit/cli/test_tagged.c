/* Lines with a tag: jobs/cli/tagged.h. */
#include "pipes.h"
#include "tagged.h"
#include <deja/cleanup.h>
#include <deja/file.h>

static void check(const char *tag, const char *data, size_t len, const char *expected, size_t expected_len)
{
    tagged t = {.fd = -1};
    const flow_bytes bytes = {.data = data, .len = len, .fd = -1};
    assert_int_equal(tagged_make(&t, tag, &bytes, NULL), 0);
    assert_int_equal(t.bytes.fd, -1);
    assert_int_equal(t.bytes.len, expected_len);
    if (expected_len)
        assert_memory_equal(t.bytes.data, expected, expected_len);
    tagged_done(&t);
}

#define CHECK(data, expected) check("t:", data, sizeof(data) - 1, expected, sizeof(expected) - 1)

static void test_tagged__each_line_has_a_tag(void **state)
{
    (void)state;
    CHECK("", "");
    CHECK("a\n", "t:a\n");
    CHECK("a", "t:a\n");
    CHECK("\n", "t:\n");
    CHECK("a\n\nb", "t:a\nt:\nt:b\n");
    CHECK("a\0b\n\0", "t:a\0b\nt:\0\n");
    check("t:", NULL, 0, "", 0);
}

/* `lines` lines of `len` bytes without their newline, as a file or in memory, tagged, and looked at. */
static void check_many(int as_file, size_t lines, size_t len)
{
    tagged t = {.fd = -1};
    DEJA_AUTO_BUFFER deja_buffer all = {0};
    DEJA_AUTO_BUFFER deja_buffer expected = {0};
    for (size_t i = 0; i < lines; i++) {
        deja_buffer_add_string(&expected, "job\t");
        for (size_t k = 0; k < len; k++) {
            deja_buffer_add_char(&all, (char)('a' + k % 26));
            deja_buffer_add_char(&expected, (char)('a' + k % 26));
        }
        deja_buffer_add_char(&all, '\n');
        deja_buffer_add_char(&expected, '\n');
    }
    DEJA_AUTO_CLOSE int fd = as_file ? open("stream", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (as_file)
        assert_int_equal(deja_file_write_at(fd, all.data, all.len, 0, "stream", NULL), 0);
    /* without the last newline, which comes back */
    const flow_bytes bytes = {.data = all.data, .len = all.len - 1, .fd = fd};
    assert_int_equal(tagged_make(&t, "job\t", &bytes, NULL), 0);
    assert_int_equal(t.bytes.len, expected.len);
    assert_int_equal(t.bytes.fd >= 0, expected.len > 1 << 20);
    DEJA_AUTO_FREE char *got = deja_realloc(NULL, expected.len);
    if (t.bytes.fd >= 0)
        assert_int_equal(deja_file_read_at(t.bytes.fd, got, expected.len, 0), expected.len);
    else
        memcpy(got, t.bytes.data, expected.len);
    assert_true(memcmp(got, expected.data, expected.len) == 0);
    tagged_done(&t);
}

static void test_tagged__large_output_is_put_aside(void **state)
{
    (void)state;
    for (int as_file = 0; as_file < 2; as_file++) {
        check_many(as_file, 1, 100);
        check_many(as_file, 3, 3 << 20);
        check_many(as_file, 300000, 5);
        check_many(as_file, 3, (1 << 16) - 1); /* lines end where chunks do */
    }
}

static void test_tagged__output_that_ended_early_is_an_error(void **state)
{
    (void)state;
    tagged t = {.fd = -1};
    deja_error err;
    DEJA_AUTO_CLOSE int fd = open("stream", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const flow_bytes bytes = {.len = 10, .fd = fd};
    assert_int_equal(tagged_make(&t, "t", &bytes, &err), DEJA_EIO);
    tagged_done(&t);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_tagged__each_line_has_a_tag),
        CASE(test_tagged__large_output_is_put_aside),
        CASE(test_tagged__output_that_ended_early_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
