/* joint.h: which instances of two jobs belong together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "joint.h"
#include <deja/cleanup.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AXES = 3 };

typedef struct table {
    matrix_axis axes[MOST_AXES];
    matrix m;
    deja_arena arena;
    uint32_t rows[2][MOST_AXES];
} table;

static void begin(table *t, size_t count)
{
    *t = (table){.m = {.count = count}};
    t->m.axes = t->axes;
}

static void list(table *t, size_t at, const char *name, const char *const *values, size_t count)
{
    assert_int_equal(matrix_list(&t->axes[at], name, values, count, NULL), 0);
}

static void done(table *t)
{
    for (size_t i = 0; i < t->m.count; i++)
        matrix_axis_done(&t->axes[i]);
    deja_arena_done(&t->arena);
}

/* Other than a product: one combination left out, up to two added, perhaps with values of their own. */
static void reshape(table *t)
{
    static const char *const values[] = {"2", "9"};
    static const uint8_t plain[2];
    matrix_clause never = {.only = UINT32_MAX}, first[MOST_AXES];
    matrix_condition exclude = {.clauses = first, .count = t->m.count};
    matrix_entry entries[2];
    matrix_fault fault;
    matrix_design d = {.exclude = &exclude,
                       .exclude_count = (size_t)rand() % 2,
                       .entries = entries,
                       .entry_count = 1 + (size_t)rand() % 2};
    for (size_t i = 0; i < t->m.count; i++) {
        first[i] = (matrix_clause){.axis = i};
        assert_int_equal(matrix_extend(&t->axes[i], values + rand() % 2, plain, 1, NULL), 0);
    }
    for (size_t e = 0; e < d.entry_count; e++) {
        for (size_t i = 0; i < t->m.count; i++)
            t->rows[e][i] = (uint32_t)rand() % t->axes[i].count;
        entries[e] = (matrix_entry){.where = {.clauses = &never, .count = 1}, .row = t->rows[e]};
    }
    assert_int_equal(matrix_shape_make(&t->m, &d, &t->arena, &fault, NULL), 0);
}

/* Instance `index` in words: "a=1,b=2", of the names that `other` has, too, in the order of `names`. */
static void words_of(deja_buffer *b, const matrix *m, uint32_t index, const matrix *other,
                     const matrix *names)
{
    uint32_t indices[MOST_AXES + 1];
    matrix_indices(m, index, indices);
    for (size_t i = 0; i < names->count; i++)
        for (size_t k = 0; k < m->count; k++)
            if (strcmp(m->axes[k].name, names->axes[i].name) == 0 && matrix_axis_of(other, m->axes[k].name)) {
                deja_buffer_addf(b, "%s=", m->axes[k].name);
                matrix_value(&m->axes[k], indices[k], b);
                deja_buffer_add_char(b, '\n');
            }
}

static int belong(const matrix *reader, uint32_t r, const matrix *needed, uint32_t n)
{
    DEJA_AUTO_BUFFER deja_buffer one = {0}, other = {0};
    words_of(&one, reader, r, needed, needed);
    words_of(&other, needed, n, reader, needed);
    return strcmp(deja_buffer_string(&one), deja_buffer_string(&other)) == 0;
}

static uint32_t count_of(const matrix *m)
{
    uint32_t count;
    assert_int_equal(matrix_count(m, &count, NULL), 0);
    return count;
}

/* The readers of a maker are those that belong to it, in order, and the other way round. */
static void compare_groups(const joint *j, const matrix *reader, const matrix *needed)
{
    uint32_t readers = count_of(reader), makers = count_of(needed);
    int single = 1;
    for (uint32_t r = 0; r < readers; r++) {
        uint32_t group = joint_of_reader(j, r), n = 0;
        assert_true(group < joint_groups(j));
        for (uint32_t m = 0; m < makers; m++)
            if (belong(reader, r, needed, m))
                assert_int_equal(joint_maker(j, group, n++), m);
        assert_int_equal(joint_maker_count(j, group), n);
    }
    for (uint32_t m = 0; m < makers; m++) {
        uint32_t group = joint_of_maker(j, m), n = 0;
        assert_true(group < joint_groups(j));
        for (uint32_t r = 0; r < readers; r++)
            if (belong(reader, r, needed, m))
                assert_int_equal(joint_reader(j, group, n++), r);
        assert_int_equal(joint_reader_count(j, group), n);
        single &= joint_maker_count(j, group) == 1;
    }
    assert_int_equal(joint_is_single(j), single);
}

/* The first reader that no maker belongs to, or -1. */
static int64_t find_missing(const matrix *reader, const matrix *needed)
{
    for (uint32_t r = 0; r < count_of(reader); r++) {
        int found = 0;
        for (uint32_t m = 0; m < count_of(needed) && !found; m++)
            found = belong(reader, r, needed, m);
        if (!found)
            return r;
    }
    return -1;
}

static void compare(const matrix *reader, const matrix *needed)
{
    joint *j = NULL;
    uint32_t missing = UINT32_MAX;
    int status = joint_open(&j, reader, needed, &missing, NULL);
    int64_t expected = find_missing(reader, needed);
    if (expected >= 0) {
        assert_int_equal(status, DEJA_ENOTFOUND);
        assert_int_equal(missing, expected);
        return;
    }
    assert_int_equal(status, 0);
    compare_groups(j, reader, needed);
    joint_close(j);
}

static void random_table(table *t, size_t least)
{
    static const char *const names[] = {"a", "b", "c", "d"}, *const values[] = {"1", "2", "3", "1", "x"};
    size_t count = least + (size_t)rand() % (MOST_AXES + 1 - least), from = (size_t)rand() % 4;
    begin(t, count);
    for (size_t i = 0; i < count; i++) {
        const char *name = names[(from + i) % 4];
        int kind = rand() % 4;
        if (kind == 0)
            assert_int_equal(matrix_range(&t->axes[i], name, 1, 1 + rand() % 3, 1, NULL), 0);
        else if (kind == 1)
            assert_int_equal(matrix_linspace(&t->axes[i], name, 1, 2 + rand() % 2, 1 + rand() % 3, NULL), 0);
        else
            list(t, i, name, values + rand() % 2, 1 + (size_t)rand() % (kind == 2 ? 2 : 4));
    }
    if (rand() % 3 == 0)
        reshape(t);
}

static void test_joint__agrees_with_a_comparison_of_all_with_all(void **state)
{
    (void)state;
    srand(3);
    for (int i = 0; i < 4000; i++) {
        table reader, needed;
        random_table(&reader, 1);
        random_table(&needed, 1);
        if (joint_shares(&reader.m, &needed.m))
            compare(&reader.m, &needed.m);
        done(&reader);
        done(&needed);
    }
}

static void test_joint__shares_names(void **state)
{
    (void)state;
    table one, two, none;
    begin(&one, 1);
    begin(&two, 2);
    begin(&none, 0);
    list(&one, 0, "a", (const char *const[]){"1"}, 1);
    list(&two, 0, "b", (const char *const[]){"1"}, 1);
    list(&two, 1, "a", (const char *const[]){"1"}, 1);
    assert_int_equal(joint_shares(&one.m, &two.m), 1);
    assert_int_equal(joint_shares(&two.m, &one.m), 2);
    assert_int_equal(joint_shares(&two.m, &two.m), 2);
    assert_int_equal(joint_shares(&one.m, &none.m), 0);
    assert_int_equal(joint_shares(&none.m, &one.m), 0);
    done(&one);
    done(&two);
}

/* A million with a million: nothing grows with the square. */
static void test_joint__of_many_values(void **state)
{
    (void)state;
    table reader, needed;
    uint32_t missing;
    joint *j;
    begin(&reader, 2);
    begin(&needed, 1);
    assert_int_equal(matrix_range(&reader.axes[0], "k", 1, 2, 1, NULL), 0);
    assert_int_equal(matrix_range(&reader.axes[1], "n", 1, 1000000, 1, NULL), 0);
    assert_int_equal(matrix_range(&needed.axes[0], "n", 1000000, 1, 1, NULL), 0);
    assert_int_equal(joint_open(&j, &reader.m, &needed.m, &missing, NULL), 0);
    assert_int_equal(joint_groups(j), 1000000);
    assert_int_equal(joint_maker(j, joint_of_reader(j, 1000000), 0), 999999);
    assert_int_equal(joint_reader_count(j, joint_of_maker(j, 0)), 2);
    assert_int_equal(joint_reader(j, joint_of_maker(j, 0), 1), 1999999);
    joint_close(j);
    done(&reader);
    done(&needed);
}

static void test_joint__survives_every_failed_allocation(void **state)
{
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        table reader, needed;
        const char *const values[] = {"1", "2", twice ? "1" : "3"};
        begin(&reader, 1);
        begin(&needed, 1);
        list(&reader, 0, "a", values, 2);
        list(&needed, 0, "a", values, 3);
        joint *j = NULL;
        uint32_t missing;
        for (long n = 1; failing_alloc_at(n), joint_open(&j, &reader.m, &needed.m, &missing, NULL) != 0; n++)
            assert_null(j);
        failing_alloc_at(0);
        joint_close(j);
        done(&reader);
        done(&needed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joint__agrees_with_a_comparison_of_all_with_all),
        cmocka_unit_test(test_joint__shares_names),
        cmocka_unit_test(test_joint__of_many_values),
        cmocka_unit_test(test_joint__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
