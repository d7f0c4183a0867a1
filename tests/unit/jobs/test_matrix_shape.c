/* matrix.h: what is not a product. Batches by their rows, and random designs against a simple enumeration. */
#include "batch_fixture.h"

#include "failing_alloc.h"
#include "job.h"
#include <deja/cleanup.h>

/* The instances of the first job, "[a=1,b=2]" each; static memory. Or the text of the error. */
static const char *rows(const char *words)
{
    static char text[8192];
    char batch_file[4096], folder[4096];
    DEJA_AUTO_BUFFER deja_buffer all = {0};
    deja_error err;
    batch *b = NULL;
    snprintf(batch_file, sizeof batch_file, "version: 1\njobs:\n  j:\n    run: x\n%s", words);
    assert_non_null(getcwd(folder, sizeof folder));
    int code = batch_load_text(&b, "b", batch_file, strlen(batch_file), folder, &err);
    if (!code)
        code = batch_expand(b, &b->jobs[0], &err);
    uint32_t count = 0;
    if (!code)
        code = matrix_count(b->jobs[0].matrix, &count, &err);
    for (uint32_t i = 0; i < count; i++) {
        deja_buffer_add_string(&all, i ? " " : "");
        job_name(&all, &b->jobs[0], i);
    }
    snprintf(text, sizeof text, "%s", code ? err.text : deja_buffer_string(&all));
    batch_free(b);
    return text;
}

static void test_matrix_shape__names_of_a_zip_advance_together(void **state)
{
    (void)state;
    assert_string_equal(rows("    matrix: {zip: {a: [1, 2], b: {range: [7, 8]}}, c: [x, y]}"),
                        "j[a=1,b=7,c=x] j[a=1,b=7,c=y] j[a=2,b=8,c=x] j[a=2,b=8,c=y]");
    assert_string_equal(rows("    matrix: {c: [x], zip: [{a: [1, 2], b: [3, 4]}, {d: [5, 6], e: [7, 8]}]}"),
                        "j[c=x,a=1,b=3,d=5,e=7] j[c=x,a=1,b=3,d=6,e=8] j[c=x,a=2,b=4,d=5,e=7] "
                        "j[c=x,a=2,b=4,d=6,e=8]");
    write_file("list", "one\ntwo\n");
    assert_string_equal(rows("    matrix: {zip: {a: {lines: list}, b: [1, 2]}}"),
                        "j[a=one,b=1] j[a=two,b=2]");
}

static void test_matrix_shape__exclude_leaves_rows_out(void **state)
{
    (void)state;
    assert_string_equal(rows("    matrix: {a: [1, 2, 3], b: [x, y], exclude: [{a: 2}, {a: 3, b: x}]}"),
                        "j[a=1,b=x] j[a=1,b=y] j[a=3,b=y]");
    assert_string_equal(rows("    matrix: {a: [x1, x2, y], exclude: {a: x*}}"), "j[a=y]");
    assert_string_equal(rows("    matrix: {a: {range: [1, 5]}, exclude: {a: {not: [2, 04]}}}"),
                        "j[a=2] j[a=4]");
}

static void test_matrix_shape__include_adds_rows_and_values(void **state)
{
    (void)state;
    assert_string_equal(
        rows("    matrix: {a: [1, 2], b: [x], include: [{a: 3, b: z}, {a: 1, b: x}, {b: z, a: 3}]}"),
        "j[a=1,b=x] j[a=2,b=x] j[a=3,b=z]");
    assert_string_equal(
        rows("    matrix: {os: [linux, mac], n: [1, 2], include: [{color: blue}, {os: mac, color: green}, "
             "{os: mac, n: 2, color: red}, {os: bsd, n: 1, color: grey}, {os: bsd, n: 2}]}"),
        "j[os=linux,n=1,color=blue] j[os=linux,n=2,color=blue] j[os=mac,n=1,color=green] "
        "j[os=mac,n=2,color=red] j[os=bsd,n=1,color=grey] j[os=bsd,n=2,color=blue]");
    assert_string_equal(rows("    matrix: {include: [{a: 1, b: x}, {a: 2, b: y, c: z}, {c: w}]}"),
                        "j[a=1,b=x,c=w] j[a=2,b=y,c=w]");
}

static void test_matrix_shape__what_is_excluded_may_be_included_again(void **state)
{
    (void)state;
    assert_string_equal(rows("    matrix: {a: [1, 2], b: [x, y], exclude: {a: 1}, include: [{a: 1, b: y}]}"),
                        "j[a=2,b=x] j[a=2,b=y] j[a=1,b=y]");
}

static void test_matrix_shape__when_keeps_the_rows_it_holds_for(void **state)
{
    (void)state;
    assert_string_equal(rows("    matrix: {a: [1, 2, 3], b: [x, y]}\n    when: {a: [1, 3], b: {not: y}}"),
                        "j[a=1,b=x] j[a=3,b=x]");
    assert_string_equal(rows("    matrix: {a: [1, 2, 3], b: [x, y]}\n    when: [{a: 2}, {b: y}]"),
                        "j[a=1,b=y] j[a=2,b=x] j[a=2,b=y] j[a=3,b=y]");
    assert_string_equal(
        rows("    matrix: {a: [1, 2], include: [{c: r}, {a: 2, c: g}, {a: 3}]}\n    when: {c: r}"),
        "j[a=1,c=r] j[a=3,c=r]");
    assert_string_equal(rows("    matrix: {a: [1, 2], b: [x, y]}\n    when: {a: 1, b: [x, y], }\n"),
                        "j[a=1,b=x] j[a=1,b=y]");
}

/* A product that nobody could write down, and what is left of it. */
static void test_matrix_shape__a_product_is_not_made_where_nobody_asks(void **state)
{
    (void)state;
    deja_error err;
    uint32_t count, indices[3];
    batch *b = load("version: 1\njobs:\n"
                    "  j:\n"
                    "    run: x\n"
                    "    matrix: {a: {range: [1, 60000]}, b: {range: [0, 9]}, c: {range: [1, 6000]},\n"
                    "      exclude: {b: {not: 7}}}\n");
    assert_int_equal(matrix_count(b->jobs[0].matrix, &count, &err), 0);
    assert_int_equal(count, 360000000);
    matrix_indices(b->jobs[0].matrix, 6000 * 59999 + 17, indices);
    assert_true(indices[0] == 59999 && indices[1] == 7 && indices[2] == 17);
    batch_free(b);
}

/* ---- random designs ---- */

enum { AXES = 4, MOST_ROWS = 4096, ROUNDS = 3000 };

static uint32_t below(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 12) % n;
}

typedef struct design {
    matrix_axis axes[AXES];
    uint32_t groups[AXES];
    char fits[32][8];
    matrix_clause clauses[32];
    size_t used; /* of clauses */
    matrix_condition exclude[2], when[2];
    matrix_entry entries[3];
    uint32_t row[3][AXES], value[3];
    size_t added[3];
    matrix_design d;
    int last_is_added;
} design;

static matrix_condition random_condition(design *x, uint32_t *seed, size_t axes)
{
    matrix_condition c = {.clauses = &x->clauses[x->used], .count = 1 + below(seed, 2)};
    for (size_t i = 0; i < c.count; i++, x->used++) {
        matrix_clause *k = &x->clauses[x->used];
        k->axis = below(seed, (uint32_t)axes);
        k->only = below(seed, 3);
        k->fits = below(seed, 2) ? x->fits[x->used] : NULL;
        for (uint32_t v = 0; v < 8; v++)
            x->fits[x->used][v] = (char)below(seed, 2);
    }
    return c;
}

static void random_design(design *x, uint32_t *seed)
{
    static const char *const texts[] = {"0", "1", "2", "3", "4"};
    static const uint8_t plain[5];
    memset(x, 0, sizeof *x);
    uint32_t sizes[AXES];
    x->last_is_added = (int)below(seed, 2);
    size_t own = AXES - (size_t)x->last_is_added;
    for (size_t i = 0; i < own; i++) {
        x->groups[i] = below(seed, 3) ? (uint32_t)i : below(seed, (uint32_t)i + 1);
        x->groups[i] = x->groups[x->groups[i]];
        sizes[i] = x->groups[i] < i ? sizes[x->groups[i]] : below(seed, 4);
        assert_int_equal(matrix_list(&x->axes[i], "a", texts, sizes[i], NULL), 0);
        assert_int_equal(matrix_extend(&x->axes[i], texts, plain, 2, NULL), 0);
    }
    if (x->last_is_added) {
        x->groups[AXES - 1] = MATRIX_ADDED;
        assert_int_equal(matrix_list(&x->axes[AXES - 1], "z", texts, 5, NULL), 0);
    }
    x->d = (matrix_design){.groups = x->groups,
                           .exclude = x->exclude,
                           .exclude_count = below(seed, 3),
                           .entries = x->entries,
                           .entry_count = below(seed, 4),
                           .when = x->when,
                           .when_count = below(seed, 3)};
    x->d.has_when = x->d.when_count > 0;
    for (size_t i = 0; i < x->d.exclude_count; i++)
        x->exclude[i] = random_condition(x, seed, own);
    for (size_t i = 0; i < x->d.when_count; i++)
        x->when[i] = random_condition(x, seed, AXES);
    for (size_t i = 0; i < x->d.entry_count; i++) {
        matrix_entry *e = &x->entries[i];
        e->where = random_condition(x, seed, own);
        if (x->last_is_added && i == 0 && below(seed, 4))
            e->where.count = 0;
        for (size_t k = 0; k < AXES; k++)
            x->row[i][k] = k < own ? below(seed, x->axes[k].count) : UINT32_MAX;
        e->row = below(seed, 3) ? x->row[i] : NULL;
        x->added[i] = AXES - 1;
        x->value[i] = below(seed, 5);
        e->added = &x->added[i];
        e->value = &x->value[i];
        e->added_count = (size_t)x->last_is_added;
    }
}

/* ---- the simple way ---- */

typedef struct table {
    uint32_t rows[MOST_ROWS][AXES];
    size_t count;
} table;

static int simple_holds(const matrix_condition *c, const uint32_t *row)
{
    for (size_t i = 0; i < c->count; i++) {
        const matrix_clause *k = &c->clauses[i];
        uint32_t v = row[k->axis];
        if (v == UINT32_MAX || !(k->fits ? k->fits[v] : v == k->only))
            return 0;
    }
    return 1;
}

static int simple_any(const matrix_condition *c, size_t count, const uint32_t *row)
{
    for (size_t i = 0; i < count; i++)
        if (simple_holds(&c[i], row))
            return 1;
    return 0;
}

/* 0, or the kind of fault + 1. */
static int simple(const design *x, table *t)
{
    uint32_t row[AXES];
    size_t product = 0;
    t->count = 0;
    for (row[0] = 0; row[0] < 5; row[0]++)
        for (row[1] = 0; row[1] < 5; row[1]++)
            for (row[2] = 0; row[2] < 5; row[2]++)
                for (row[3] = 0; row[3] < 5; row[3]++) {
                    int there = 1;
                    for (size_t i = 0; i < AXES; i++) {
                        int added = x->groups[i] == MATRIX_ADDED;
                        there &= added ? row[i] == 0 : row[i] < matrix_own_count(&x->axes[i]);
                        there &= added || row[i] == row[x->groups[i]];
                    }
                    product += (size_t)there;
                    if (!there || simple_any(x->exclude, x->d.exclude_count, row))
                        continue;
                    memcpy(t->rows[t->count], row, sizeof row);
                    if (x->last_is_added)
                        t->rows[t->count][AXES - 1] = UINT32_MAX;
                    t->count++;
                }
    for (size_t e = 0; e < x->d.entry_count; e++) {
        const matrix_entry *entry = &x->entries[e];
        int found = 0;
        for (size_t r = 0; r < t->count; r++)
            if (simple_holds(&entry->where, t->rows[r])) {
                found = 1;
                if (entry->added_count)
                    t->rows[r][AXES - 1] = *entry->value;
            }
        if (found || (!entry->row && entry->where.count == 0))
            continue;
        if (!entry->row)
            return MATRIX_NO_ROW + 1;
        uint32_t *added = t->rows[t->count++];
        memcpy(added, entry->row, sizeof row);
        for (size_t before = 0; before < e; before++)
            if (x->last_is_added && simple_holds(&x->entries[before].where, added))
                added[AXES - 1] = x->value[before];
        if (x->last_is_added)
            added[AXES - 1] = *entry->value;
    }
    for (size_t r = 0; r < t->count; r++)
        for (size_t i = 0; i < AXES; i++)
            if (t->rows[r][i] == UINT32_MAX)
                return MATRIX_NO_VALUE + 1;
    if (t->count == 0 && product && x->d.exclude_count)
        return MATRIX_EMPTY + 1;
    size_t kept = 0;
    for (size_t r = 0; r < t->count; r++)
        if (!x->d.has_when || simple_any(x->when, x->d.when_count, t->rows[r]))
            memmove(t->rows[kept++], t->rows[r], sizeof row);
    t->count = kept;
    return 0;
}

static void test_matrix_shape__agrees_with_a_simple_enumeration(void **state)
{
    (void)state;
    static table t;
    static design x;
    uint32_t seed = 7, made = 0, faulty = 0;
    for (int round = 0; round < ROUNDS; round++) {
        deja_arena arena = {0};
        matrix_fault f;
        deja_error err;
        random_design(&x, &seed);
        matrix m = {.axes = x.axes, .count = AXES};
        int expected = simple(&x, &t);
        int code = matrix_shape_make(&m, &x.d, &arena, &f, &err);
        if (code ? (int)f.kind + 1 != expected : expected)
            fail_msg("round %d: fault %d, expected %d", round, code ? (int)f.kind + 1 : 0, expected);
        faulty += expected != 0;
        uint32_t count = 0;
        if (!code)
            assert_int_equal(matrix_count(&m, &count, NULL), 0);
        if (!code && count != t.count)
            fail_msg("round %d: %u rows, expected %zu", round, count, t.count);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t indices[AXES];
            matrix_indices(&m, i, indices);
            if (memcmp(indices, t.rows[i], sizeof indices) != 0)
                fail_msg("round %d: row %u differs", round, i);
        }
        made += count > 0;
        for (size_t i = 0; i < AXES; i++)
            matrix_axis_done(&x.axes[i]);
        deja_arena_done(&arena);
    }
    assert_true(made > ROUNDS / 8 && faulty > ROUNDS / 20);
}

static void test_matrix_shape__survives_every_failed_allocation(void **state)
{
    (void)state;
    static const char text[] =
        "version: 1\njobs:\n"
        "  j: {run: x, when: {c: [r, g]}, matrix: {zip: {a: [1, 2], b: [3, 4]}, n: [1, 2, 3], "
        "exclude: {n: 2}, include: [{c: r}, {a: 7, b: 8, n: 9}, {n: 1, c: g}]}}\n";
    for (long n = 1, hits = 1; hits; n++) {
        batch *b = NULL;
        deja_error err = {0};
        failing_alloc_at(n);
        int code = batch_load_text(&b, "b", text, strlen(text), "/tmp", &err);
        hits = failing_alloc_hits;
        failing_alloc_at(0);
        if (code != 0 && !(hits && code == DEJA_ENOMEM)) /* some can be done without */
            fail_msg("allocation %ld: %s", n, err.text);
        batch_free(b);
    }
}

#define in_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scratch(test_matrix_shape__names_of_a_zip_advance_together),
        in_scratch(test_matrix_shape__exclude_leaves_rows_out),
        in_scratch(test_matrix_shape__include_adds_rows_and_values),
        in_scratch(test_matrix_shape__what_is_excluded_may_be_included_again),
        in_scratch(test_matrix_shape__when_keeps_the_rows_it_holds_for),
        in_scratch(test_matrix_shape__a_product_is_not_made_where_nobody_asks),
        in_scratch(test_matrix_shape__agrees_with_a_simple_enumeration),
        in_scratch(test_matrix_shape__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
