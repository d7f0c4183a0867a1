/*
 * Compression: any length comes back, and only a frame of exactly the right length is taken.
 */
#include "compress.h"
#include "value_zoo.h"

static char text[300000], back[sizeof text];

static uint64_t pack(deja_buffer *b, size_t len, int level)
{
    uint64_t stored;
    DEJA_AUTO_CLOSE int fd = open("packed", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(compress_to(fd, 64, text, len, level, &stored, "packed", NULL), 0);
    deja_buffer_clear(b);
    assert_int_equal(deja_file_load(AT_FDCWD, "packed", 1 << 20, b, NULL), 0);
    assert_int_equal(b->len, 64 + stored);
    return stored;
}

static void test_compress__any_length_comes_back(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 1000, 131072, sizeof text};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * i >> 7);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
        for (int level = 1; level <= COMPRESS_LEVEL_MOST; level += 9) {
            uint64_t stored = pack(&b, lens[i], level);
            assert_int_equal(compress_undo(b.data + 64, stored, back, lens[i], NULL), 0);
            assert_memory_equal(back, text, lens[i]);
        }
}

static void test_compress__other_lengths_are_damage(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_error err;
    uint64_t stored = pack(&b, 1000, 3);
    assert_int_equal(compress_undo(b.data + 64, stored, back, 999, &err), DEJA_ECORRUPT);
    assert_int_equal(compress_undo(b.data + 64, stored, back, 1001, &err), DEJA_ECORRUPT);
    assert_string_equal(err.text, "decompress: another length");
    assert_int_equal(compress_undo(b.data + 64, stored - 1, back, 1000, NULL), DEJA_ECORRUPT);
    assert_int_equal(compress_undo(b.data + 64, 0, back, 0, NULL), DEJA_ECORRUPT);
    DEJA_AUTO_FREE char *frame = deja_dup(b.data + 64, stored);
    deja_buffer_add(&b, frame, stored); /* a second frame */
    assert_int_equal(compress_undo(b.data + 64, 2 * stored, back, 2000, NULL), DEJA_ECORRUPT);
}

static void test_compress__a_failed_write_is_told(void **state)
{
    (void)state;
    uint64_t stored;
    deja_error err;
    DEJA_AUTO_CLOSE int fd = open("one", O_RDONLY | O_CLOEXEC);
    assert_true(compress_to(fd, 0, text, 1000, 3, &stored, "one", &err) < 0);
    assert_non_null(strstr(err.text, "'one'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        zoo_test(test_compress__any_length_comes_back),
        zoo_test(test_compress__other_lengths_are_damage),
        zoo_test(test_compress__a_failed_write_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
