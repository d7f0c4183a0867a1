/*
 * Axes, their values and their product.
 */
#include "failing_alloc.h"
#include "matrix.h"
#include "scratch.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* All values, each followed by a comma. */
static void has_values(const matrix_axis *a, const char *expected)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (uint32_t i = 0; i < a->count; i++) {
        matrix_value(a, i, &b);
        deja_buffer_add_char(&b, ',');
    }
    assert_string_equal(deja_buffer_string(&b), expected);
}

static void finds_all(const matrix_axis *a)
{
    for (uint32_t i = 0; i < a->count; i++) {
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        matrix_value(a, i, &b);
        assert_int_equal(matrix_find(a, deja_buffer_string(&b)), i);
    }
}

static void range_is(int64_t first, int64_t last, int64_t step, const char *expected)
{
    matrix_axis a;
    assert_int_equal(matrix_range(&a, "n", first, last, step, NULL), 0);
    has_values(&a, expected);
    finds_all(&a);
    matrix_axis_done(&a);
}

static void test_matrix__a_list_keeps_its_spelling(void **state)
{
    (void)state;
    static const char *const values[] = {"1.50", "true", "", "a b", "1.50"};
    matrix_axis a;
    assert_int_equal(matrix_list(&a, "x", values, COUNT(values), NULL), 0);
    assert_string_equal(a.name, "x");
    has_values(&a, "1.50,true,,a b,1.50,");
    assert_string_equal(matrix_text(&a, 3), "a b");
    assert_int_equal(matrix_find(&a, "1.50"), 0);
    assert_int_equal(matrix_find(&a, ""), 2);
    assert_int_equal(matrix_find(&a, "1.5"), -1);
    matrix_axis_done(&a);
    assert_int_equal(matrix_list(&a, "x", NULL, 0, NULL), 0);
    assert_int_equal(a.count, 0);
    assert_int_equal(matrix_find(&a, ""), -1);
    matrix_axis_done(&a);
}

static void test_matrix__a_range_has_both_ends(void **state)
{
    (void)state;
    range_is(1, 4, 1, "1,2,3,4,");
    range_is(3, 3, 1, "3,");
    range_is(-1, 1, 1, "-1,0,1,");
    range_is(0, 10, 5, "0,5,10,");
    range_is(0, 9, 4, "0,4,8,");
    range_is(3, 1, 1, "3,2,1,");
    range_is(3, 1, -1, "3,2,1,");
    range_is(10, 1, 4, "10,6,2,");
    range_is(INT64_MAX - 1, INT64_MAX, 1, "9223372036854775806,9223372036854775807,");
    range_is(INT64_MIN, INT64_MAX, INT64_MAX, "-9223372036854775808,-1,9223372036854775806,");
    range_is(INT64_MAX, INT64_MIN, INT64_MIN, "9223372036854775807,-1,");
}

static void test_matrix__a_range_that_goes_nowhere_or_too_far_is_refused(void **state)
{
    (void)state;
    matrix_axis a;
    deja_error err;
    assert_int_equal(matrix_range(&a, "n", 1, 2, 0, &err), DEJA_EINVAL);
    assert_int_equal(matrix_range(&a, "n", 1, 2, -1, &err), DEJA_EINVAL);
    assert_int_equal(matrix_range(&a, "n", 0, UINT32_MAX, 1, &err), DEJA_ELIMIT);
    assert_int_equal(matrix_range(&a, "n", INT64_MIN, INT64_MAX, 1, &err), DEJA_ELIMIT);
    assert_non_null(strstr(err.text, "'n'"));
    assert_int_equal(matrix_range(&a, "n", 1, UINT32_MAX, 1, &err), 0);
    assert_int_equal(a.count, UINT32_MAX);
    assert_int_equal(matrix_find(&a, "4294967295"), UINT32_MAX - 1);
    matrix_axis_done(&a);
}

static void test_matrix__a_range_is_searched_by_number(void **state)
{
    (void)state;
    static const char *const absent[] = {"0", "2", "11", "-9", "1.0", "x", "", "1 ", "9223372036854775808"};
    matrix_axis a;
    assert_int_equal(matrix_range(&a, "n", 1, 10, 3, NULL), 0);
    assert_int_equal(matrix_find(&a, "+7"), 2);
    for (size_t i = 0; i < COUNT(absent); i++)
        assert_int_equal(matrix_find(&a, absent[i]), -1);
    matrix_axis_done(&a);
}

static void linspace_is(double begin, double end, int64_t count, const char *expected)
{
    matrix_axis a;
    assert_int_equal(matrix_linspace(&a, "T", begin, end, count, NULL), 0);
    has_values(&a, expected);
    if (begin != end)
        finds_all(&a);
    matrix_axis_done(&a);
}

static void test_matrix__a_linspace_is_written_as_short_as_can_be(void **state)
{
    (void)state;
    linspace_is(1.5, 3.5, 5, "1.5,2,2.5,3,3.5,");
    linspace_is(0, 1, 4, "0,0.3333333333333333,0.6666666666666666,1,");
    linspace_is(0, 0.3, 4, "0,0.09999999999999999,0.19999999999999998,0.3,");
    linspace_is(1, -1, 3, "1,0,-1,");
    linspace_is(2.5, 7, 1, "2.5,");
    linspace_is(2, 2, 2, "2,2,");
    linspace_is(-2.4, 0.1, 2, "-2.4,0.1,");
}

static void test_matrix__every_value_of_a_linspace_is_found(void **state)
{
    (void)state;
    matrix_axis a;
    assert_int_equal(matrix_linspace(&a, "T", -0.7, 1e3 / 7, 10007, NULL), 0);
    finds_all(&a);
    matrix_axis_done(&a);
    assert_int_equal(matrix_linspace(&a, "T", 1.5, 3.5, 41, NULL), 0);
    assert_int_equal(matrix_find(&a, "2.50"), 20);
    assert_int_equal(matrix_find(&a, "15e-1"), 0);
    static const char *const absent[] = {"2.51", "1.4", "3.6", "", " 2.5", "2.5x", "nan", "inf", "1e300"};
    for (size_t i = 0; i < COUNT(absent); i++)
        assert_int_equal(matrix_find(&a, absent[i]), -1);
    matrix_axis_done(&a);
}

static void test_matrix__a_linspace_of_nonsense_is_refused(void **state)
{
    (void)state;
    matrix_axis a;
    assert_int_equal(matrix_linspace(&a, "T", 0, 1, 0, NULL), DEJA_EINVAL);
    assert_int_equal(matrix_linspace(&a, "T", 0, 1, -1, NULL), DEJA_EINVAL);
    assert_int_equal(matrix_linspace(&a, "T", 0, 1, INT64_C(1) << 32, NULL), DEJA_ELIMIT);
    assert_int_equal(matrix_linspace(&a, "T", 0, 1 / 0.0, 3, NULL), DEJA_EINVAL);
    assert_int_equal(matrix_linspace(&a, "T", 0 / 0.0, 1, 3, NULL), DEJA_EINVAL);
    assert_int_equal(matrix_linspace(&a, "T", -1e308, 1e308, 3, NULL), DEJA_EINVAL);
}

static void test_matrix__lines_are_verbatim_and_empty_ones_skipped(void **state)
{
    (void)state;
    static const char text[] = "\n a b \n\nc\r\n#d\n\n${{ x }}";
    matrix_axis a;
    assert_int_equal(deja_file_replace(AT_FDCWD, "l", text, sizeof text - 1, 0644, 0, NULL), 0);
    assert_int_equal(matrix_lines(&a, "l", AT_FDCWD, "l", NULL), 0);
    has_values(&a, " a b ,c\r,#d,${{ x }},");
    assert_int_equal(matrix_find(&a, "#d"), 2);
    matrix_axis_done(&a);
    assert_int_equal(deja_file_replace(AT_FDCWD, "l", "\n\n", 2, 0644, 0, NULL), 0);
    assert_int_equal(matrix_lines(&a, "l", AT_FDCWD, "l", NULL), 0);
    assert_int_equal(a.count, 0);
    matrix_axis_done(&a);
    assert_int_equal(deja_file_replace(AT_FDCWD, "l", "", 0, 0644, 0, NULL), 0);
    assert_int_equal(matrix_lines(&a, "l", AT_FDCWD, "l", NULL), 0);
    assert_int_equal(a.count, 0);
    matrix_axis_done(&a);
}

static void test_matrix__lines_with_a_nul_or_without_a_file_are_refused(void **state)
{
    (void)state;
    matrix_axis a;
    deja_error err;
    assert_int_equal(deja_file_replace(AT_FDCWD, "l", "a\0b", 3, 0644, 0, NULL), 0);
    assert_int_equal(matrix_lines(&a, "l", AT_FDCWD, "l", &err), DEJA_EINVAL);
    assert_int_equal(matrix_lines(&a, "l", AT_FDCWD, "no", &err), DEJA_ENOTFOUND);
    assert_non_null(strstr(err.text, "'no'"));
}

static void test_matrix__a_glob_is_sorted(void **state)
{
    (void)state;
    static const char *const names[] = {"b.txt", "a.txt", "c", "B.txt"};
    matrix_axis a;
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(deja_file_replace(AT_FDCWD, names[i], "", 0, 0644, 0, NULL), 0);
    assert_int_equal(matrix_glob(&a, "f", AT_FDCWD, "*.txt", NULL), 0);
    has_values(&a, "B.txt,a.txt,b.txt,");
    matrix_axis_done(&a);
    assert_int_equal(matrix_glob(&a, "f", AT_FDCWD, "*.no", NULL), 0);
    assert_int_equal(a.count, 0);
    matrix_axis_done(&a);
}

static void test_matrix__the_last_name_varies_fastest(void **state)
{
    (void)state;
    static const char *const letters[] = {"x", "y"};
    matrix_axis axes[3];
    uint32_t count, indices[3];
    assert_int_equal(matrix_list(&axes[0], "a", letters, 2, NULL), 0);
    assert_int_equal(matrix_range(&axes[1], "b", 1, 3, 1, NULL), 0);
    assert_int_equal(matrix_linspace(&axes[2], "c", 0, 1, 2, NULL), 0);
    matrix m = {.axes = axes, .count = 3};
    assert_int_equal(matrix_count(&m, &count, NULL), 0);
    assert_int_equal(count, 12);
    for (uint32_t n = 0; n < count; n++) {
        matrix_indices(&m, n, indices);
        assert_int_equal(indices[0], n / 6);
        assert_int_equal(indices[1], n / 2 % 3);
        assert_int_equal(indices[2], n % 2);
    }
    assert_ptr_equal(matrix_axis_of(&m, "b"), &axes[1]);
    assert_null(matrix_axis_of(&m, "B"));
    for (size_t k = 0; k < 3; k++)
        matrix_axis_done(&axes[k]);
}

static void test_matrix__the_product_has_a_limit(void **state)
{
    (void)state;
    matrix_axis axes[3];
    uint32_t count;
    deja_error err;
    matrix none = {0}, m = {.axes = axes, .count = 2};
    assert_int_equal(matrix_count(&none, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(matrix_range(&axes[0], "a", 1, 65537, 1, NULL), 0);
    assert_int_equal(matrix_range(&axes[1], "b", 1, 65535, 1, NULL), 0);
    assert_int_equal(matrix_list(&axes[2], "c", NULL, 0, NULL), 0);
    assert_int_equal(matrix_count(&m, &count, NULL), 0);
    assert_int_equal(count, UINT32_MAX);
    axes[1].count++;
    assert_int_equal(matrix_count(&m, &count, &err), DEJA_ELIMIT);
    m.count = 3;
    assert_int_equal(matrix_count(&m, &count, NULL), 0);
    assert_int_equal(count, 0);
    for (size_t k = 0; k < 3; k++)
        matrix_axis_done(&axes[k]);
}

static int make_some(void)
{
    static const char *const values[] = {"a", "b"};
    matrix_axis a = {0}, b = {0}, c = {0}, d = {0};
    int code = matrix_list(&a, "a", values, 2, NULL);
    if (!code)
        code = matrix_range(&b, "b", 1, 2, 1, NULL);
    if (!code)
        code = matrix_linspace(&c, "c", 1, 2, 2, NULL);
    if (!code)
        code = matrix_lines(&d, "d", AT_FDCWD, "l", NULL);
    matrix_axis_done(&a);
    matrix_axis_done(&b);
    matrix_axis_done(&c);
    matrix_axis_done(&d);
    return code;
}

static void test_matrix__a_failed_allocation_is_reported(void **state)
{
    (void)state;
    long n = 1;
    assert_int_equal(deja_file_replace(AT_FDCWD, "l", "a\nb\n", 4, 0644, 0, NULL), 0);
    for (int code; failing_alloc_at(n), (code = make_some()) != 0; n++)
        assert_int_equal(code, DEJA_ENOMEM);
    failing_alloc_at(0);
    assert_true(n > 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix__a_list_keeps_its_spelling),
        cmocka_unit_test(test_matrix__a_range_has_both_ends),
        cmocka_unit_test(test_matrix__a_range_that_goes_nowhere_or_too_far_is_refused),
        cmocka_unit_test(test_matrix__a_range_is_searched_by_number),
        cmocka_unit_test(test_matrix__a_linspace_is_written_as_short_as_can_be),
        cmocka_unit_test(test_matrix__every_value_of_a_linspace_is_found),
        cmocka_unit_test(test_matrix__a_linspace_of_nonsense_is_refused),
        cmocka_unit_test_setup_teardown(test_matrix__lines_are_verbatim_and_empty_ones_skipped, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_matrix__lines_with_a_nul_or_without_a_file_are_refused,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_matrix__a_glob_is_sorted, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_matrix__the_last_name_varies_fastest),
        cmocka_unit_test(test_matrix__the_product_has_a_limit),
        cmocka_unit_test_setup_teardown(test_matrix__a_failed_allocation_is_reported, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
