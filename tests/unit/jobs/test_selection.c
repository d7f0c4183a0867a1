/* selection.h: which instances words of the command line choose. */
#include "batch_fixture.h"

#include "failing_alloc.h"
#include "selection.h"
#include <deja/cleanup.h>

static const char text[] =
    "version: 1\njobs:\n"
    "  count: {run: x, matrix: {text: [a, b/c.txt, .d, \"x,y]\", \"\"], n: {range: [1, 3]}}}\n"
    "  scan: {run: x, matrix: {T: {linspace: [0.5, 2.5, 3]}}}\n"
    "  table: {run: x, needs: count}\n"
    "  late: {run: x, needs: table, matrix: {n: {lines: list.txt}}}\n";

#define WORDS(...)                                                                                           \
    ((const char *const[]){__VA_ARGS__}), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void add_chosen(deja_buffer *b, const selection *s, const batch_job *def)
{
    uint32_t count;
    selection_part part = selection_of(s, def);
    if (part == SELECTION_ALL)
        deja_buffer_addf(b, "%s ", def->name);
    if (part != SELECTION_SOME)
        return;
    deja_buffer_addf(b, "%s:", def->name);
    assert_int_equal(matrix_count(def->matrix, &count, NULL), 0);
    for (uint32_t i = 0; i < count; i++)
        if (selection_has(s, def, i))
            deja_buffer_addf(b, "%u,", i);
    deja_buffer_add_string(b, " ");
}

/* "count:0,1, table " or the text of the error. Static memory. */
static const char *chosen(const char *const *words, size_t count)
{
    static char result[4096];
    DEJA_AUTO_BUFFER deja_buffer all = {0};
    deja_error err = {0};
    selection *s;
    batch *b = load(text);
    if (selection_open(&s, b, words, count, &err)) {
        assert_int_equal(err.code, DEJA_EINVAL);
        deja_buffer_add_string(&all, err.text);
    } else {
        for (uint32_t i = 0; i < b->job_count; i++)
            add_chosen(&all, s, &b->jobs[i]);
        selection_close(s);
    }
    snprintf(result, sizeof result, "%s", deja_buffer_string(&all));
    batch_free(b);
    return result;
}

static void test_selection__no_words_are_all(void **state)
{
    (void)state;
    batch *b = load(text);
    selection *s;
    assert_int_equal(selection_open(&s, b, NULL, 0, NULL), 0);
    assert_null(s);
    assert_int_equal(selection_of(s, &b->jobs[0]), SELECTION_ALL);
    assert_int_equal(selection_has(s, &b->jobs[0], 7), 1);
    assert_int_equal(selection_check(s, &b->jobs[0], NULL), 0);
    selection_close(s);
    batch_free(b);
}

static void test_selection__jobs_by_name_and_by_pattern(void **state)
{
    (void)state;
    assert_string_equal(chosen(WORDS("table")), "table ");
    assert_string_equal(chosen(WORDS("table", "count", "table")), "count table ");
    assert_string_equal(chosen(WORDS("*ta*")), "table ");
    assert_string_equal(chosen(WORDS("?can", "*")), "count scan table late ");
}

static void test_selection__instances_by_their_values(void **state)
{
    (void)state;
    assert_string_equal(chosen(WORDS("count[text=a]")), "count:0,1,2, ");
    assert_string_equal(chosen(WORDS("count[n=2,text=b*]")), "count:4, ");
    assert_string_equal(chosen(WORDS("count[text=b*txt]")), "count:3,4,5, ");
    assert_string_equal(chosen(WORDS("count[text=*,n=1]")), "count:0,3,6,9,12, ");
    assert_string_equal(chosen(WORDS("count[text=[!ab]*,n=[12]]")), "count:6,7,9,10, ");
    assert_string_equal(chosen(WORDS("count[text=,n=3]")), "count:14, ");
    assert_string_equal(chosen(WORDS("count[text=a,n=1]", "count[n=3,text=b*]")), "count:0,5, ");
    assert_string_equal(chosen(WORDS("count[n=1]", "count")), "count ");
    assert_string_equal(chosen(WORDS("*[n=2]")), "count:1,4,7,10,13, late: ");
}

static void test_selection__a_backslash_takes_the_next_character_as_it_is(void **state)
{
    (void)state;
    assert_string_equal(chosen(WORDS("count[text=x\\,y\\],n=1]")), "count:9, ");
    assert_string_equal(chosen(WORDS("count[text=x\\,y],n=1]")), "count:9, ");
    assert_string_equal(chosen(WORDS("count[text=\\a,n=1]")), "count:0, ");
    assert_string_equal(chosen(WORDS("count[text=*\\]]")), "count:9,10,11, ");
    assert_string_equal(chosen(WORDS("count[text=a\\]")),
                        "'count[text=a\\]' does not end with ']': expected JOB[NAME=PATTERN,...]");
}

static void test_selection__numbers_are_compared_as_numbers(void **state)
{
    (void)state;
    assert_string_equal(chosen(WORDS("scan[T=2.50]", "scan[T=5e-1]")), "scan:0,2, ");
    assert_string_equal(chosen(WORDS("scan[T=*.5]")), "scan:0,1,2, ");
    assert_string_equal(chosen(WORDS("count[n=02,text=a]")), "count:1, ");
}

static void test_selection__what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_string_equal(chosen(WORDS("table", "tabel")),
                        "no job 'tabel' in the batch, did you mean 'table'?");
    assert_string_equal(chosen(WORDS("")), "no job '' in the batch");
    assert_string_equal(chosen(WORDS("xyzzy[n=1]")), "no job 'xyzzy' in the batch");
    assert_string_equal(chosen(WORDS("x*")), "no job of the batch matches 'x*'");
    assert_string_equal(chosen(WORDS("table[n=1]")),
                        "'table[n=1]': the job 'table' has no matrix, it is one job");
    assert_string_equal(chosen(WORDS("count[txt=a]")),
                        "'count[txt=a]': the job 'count' has no parameter 'txt', did you mean 'text'?");
    assert_string_equal(chosen(WORDS("count[n=1,zebra=a]")),
                        "'count[n=1,zebra=a]': the job 'count' has no parameter 'zebra'; it has: text, n");
    assert_string_equal(chosen(WORDS("*[zebra=a]")),
                        "'*[zebra=a]': the job 'count' has no parameter 'zebra'; it has: text, n");
    assert_string_equal(chosen(WORDS("count[n=4]")),
                        "'count[n=4]': no value of 'n' matches '4'; its values are 1, 2, 3");
    assert_string_equal(chosen(WORDS("sc*[T=7]")), "'sc*[T=7]': no instance of these jobs matches");
    assert_string_equal(chosen(WORDS("count[n=1,n=2]")), "'count[n=1,n=2]': 'n' stands twice");
    assert_string_equal(chosen(WORDS("count[]")),
                        "'count[]': nothing between the brackets, expected NAME=PATTERN");
    assert_string_equal(chosen(WORDS("count[")),
                        "'count[' does not end with ']': expected JOB[NAME=PATTERN,...]");
    assert_string_equal(
        chosen(WORDS("count[text=x,y]")),
        "'count[text=x,y]': expected NAME=PATTERN, found 'y' (a comma of a value is written '\\,')");
    assert_string_equal(
        chosen(WORDS("count[=1]")),
        "'count[=1]': expected NAME=PATTERN, found '=1' (a comma of a value is written '\\,')");
}

static void test_selection__of_a_matrix_that_is_read_late_it_is_checked_then(void **state)
{
    (void)state;
    batch *b = load(text);
    batch_job *late = &b->jobs[3];
    deja_error err;
    selection *s;
    write_file("list.txt", "1\n2\n3\n");
    assert_int_equal(selection_open(&s, b, WORDS("late[n=2]", "late[n=9]"), &err), 0);
    assert_int_equal(selection_check(s, late, &err), 0);
    assert_int_equal(batch_expand(b, late, &err), 0);
    assert_int_equal(selection_has(s, late, 0), 0);
    assert_int_equal(selection_has(s, late, 1), 1);
    assert_int_equal(selection_check(s, late, &err), DEJA_EINVAL);
    assert_string_equal(err.text, "'late[n=9]': no value of 'n' matches '9'; its values are 1, 2, 3");
    selection_close(s);
    batch_free(b);
}

static void test_selection__lack_of_memory_selects_nothing(void **state)
{
    (void)state;
    static const char *const words[] = {"table", "count[text=a,n=1]", "*"};
    batch *b = load(text);
    for (long n = 1, hits = 1; hits; n++) {
        selection *s = NULL;
        deja_error err = {0};
        failing_alloc_at(n);
        int status = selection_open(&s, b, words, 3, &err);
        hits = failing_alloc_hits;
        failing_alloc_at(0);
        if (hits) {
            assert_int_equal(status, DEJA_ENOMEM);
            assert_null(s);
        }
        selection_close(s);
    }
    batch_free(b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_selection__no_words_are_all),
        CASE(test_selection__jobs_by_name_and_by_pattern),
        CASE(test_selection__instances_by_their_values),
        CASE(test_selection__a_backslash_takes_the_next_character_as_it_is),
        CASE(test_selection__numbers_are_compared_as_numbers),
        CASE(test_selection__what_is_wrong_is_said),
        CASE(test_selection__of_a_matrix_that_is_read_late_it_is_checked_then),
        CASE(test_selection__lack_of_memory_selects_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
