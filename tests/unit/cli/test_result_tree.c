/* `--results`: jobs/cli/result_tree.h. */
#include "pipes.h"
#include "result_tree.h"
#include <deja/cleanup.h>

/* The folder of an instance of a job with one parameter. */
static void path_of(deja_buffer *b, const char *of, const char *name, const char *value)
{
    matrix_axis axis = {0};
    assert_int_equal(matrix_list(&axis, name, &value, 1, NULL), 0);
    matrix m = {.axes = &axis, .count = 1};
    const batch_job def = {.name = of, .matrix = &m, .expanded = 1};
    deja_buffer_clear(b);
    result_tree_path(b, &def, 0);
    matrix_axis_done(&axis);
}

static void test_result_tree__a_name_is_safe(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        {"a", "n", "1", "a/n=1"},
        {"a", "n", "", "a/n="},
        {".a", ".n", ".v", "%2Ea/%2En=.v"},
        {"..", "x", "..", "%2E./x=.."},
        {"a/b", "n=m", "c=d/e", "a%2Fb/n%3Dm=c=d%2Fe"},
        {"a", "n", "%2F\n\177 \303\244\377*", "a/n=%252F%0A%7F \303\244\377*"},
    };
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        path_of(&b, cases[i][0], cases[i][1], cases[i][2]);
        assert_string_equal(b.data, cases[i][3]);
    }
}

/* A name of `len` times `text` and `tail`: what becomes of it. */
static void long_path(deja_buffer *b, const char *text, size_t times, const char *tail)
{
    DEJA_AUTO_BUFFER deja_buffer value = {0};
    for (size_t i = 0; i < times; i++)
        deja_buffer_add_string(&value, text);
    deja_buffer_add_string(&value, tail);
    path_of(b, "a", "n", value.data);
}

static void test_result_tree__a_long_name_ends_in_its_hash(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    DEJA_AUTO_BUFFER deja_buffer other = {0};
    long_path(&b, "x", 253, "");
    assert_int_equal(b.len, 2 + 255);
    assert_null(strstr(b.data, "%-"));
    long_path(&b, "x", 254, "");
    assert_int_equal(b.len, 2 + 255);
    assert_non_null(strstr(b.data, "xx%-"));
    long_path(&other, "x", 253, "y");
    assert_int_equal(other.len, b.len);
    assert_string_not_equal(other.data, b.data);
    assert_memory_equal(other.data, b.data, 200);
}

static void test_result_tree__nothing_is_cut_in_two(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (size_t i = 0; i < 4; i++) {
        static const char *const heads[] = {"\303\244", "\360\237\230\200", "\n", "/"};
        static const size_t sizes[] = {2, 4, 3, 3};
        long_path(&b, heads[i], 300, "");
        const char *hash = strstr(b.data, "%-");
        assert_non_null(hash);
        assert_int_equal(((size_t)(hash - b.data) - strlen("a/n=")) % sizes[i], 0);
        assert_true(b.len <= 2 + 255);
    }
}

static void test_result_tree__a_long_path_is_one_hash(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    DEJA_AUTO_BUFFER deja_buffer value = {0};
    matrix_axis axes[10] = {0};
    for (size_t i = 0; i < 200; i++)
        deja_buffer_add_char(&value, 'v');
    for (size_t i = 0; i < 10; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        assert_int_equal(matrix_list(&axes[i], name, (const char *const *)&value.data, 1, NULL), 0);
    }
    matrix m = {.axes = axes, .count = 10};
    const batch_job def = {.name = "a", .matrix = &m, .expanded = 1};
    result_tree_path(&b, &def, 0);
    assert_memory_equal(b.data, "a/%-", 4);
    assert_int_equal(b.len, 4 + 32);
    for (size_t i = 0; i < 10; i++)
        matrix_axis_done(&axes[i]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_result_tree__a_name_is_safe),
        CASE(test_result_tree__a_long_name_ends_in_its_hash),
        CASE(test_result_tree__nothing_is_cut_in_two),
        CASE(test_result_tree__a_long_path_is_one_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
