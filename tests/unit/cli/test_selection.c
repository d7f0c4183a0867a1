/* selection.h: which jobs of a batch are to run. */
#include "jobs/batch_fixture.h"

#include "failing_alloc.h"
#include "selection.h"
#include <deja/cleanup.h>

static const char chain[] = "version: 1\njobs:\n"
                            "  count: {run: x}\n"
                            "  table: {run: x, needs: [count, clean]}\n"
                            "  plot: {run: x, needs: {table: order}}\n"
                            "  clean: {run: x}\n"
                            "  alone: {run: x, matrix: {n: [1, 2]}}\n";

/* The jobs that are selected as letters of their names, or the text of the error. Static memory. */
static const char *selected(const char *const *words, size_t count, int expected)
{
    static char text[1024];
    size_t n = 0;
    DEJA_AUTO_FREE uint8_t *set = NULL;
    deja_error err = {0};
    batch *b = load(chain);
    assert_int_equal(select_jobs(&set, b, words, count, &err), expected);
    text[0] = '\0';
    for (uint32_t i = 0; expected == 0 && i < b->job_count; i++)
        if (set[i])
            n += (size_t)snprintf(text + n, sizeof text - n, "%s ", b->jobs[i].name);
    if (expected) {
        assert_null(set);
        snprintf(text, sizeof text, "%s", err.text);
    }
    batch_free(b);
    return text;
}

static void test_selection__no_words_are_all_jobs(void **state)
{
    (void)state;
    batch *b = load(chain);
    uint8_t byte = 0, *set = &byte;
    assert_int_equal(select_jobs(&set, b, NULL, 0, NULL), 0);
    assert_null(set);
    batch_free(b);
}

static void test_selection__a_job_comes_with_all_that_it_needs(void **state)
{
    (void)state;
    assert_string_equal(selected((const char *const[]){"count"}, 1, 0), "count ");
    assert_string_equal(selected((const char *const[]){"table"}, 1, 0), "count table clean ");
    assert_string_equal(selected((const char *const[]){"plot"}, 1, 0), "count table plot clean ");
    assert_string_equal(selected((const char *const[]){"alone", "clean", "alone"}, 3, 0), "clean alone ");
}

static void test_selection__an_unknown_word_is_named_with_what_is_near(void **state)
{
    (void)state;
    assert_string_equal(selected((const char *const[]){"count", "tabel"}, 2, DEJA_EINVAL),
                        "no job 'tabel' in the batch, did you mean 'table'?");
    assert_string_equal(selected((const char *const[]){"xyzzy"}, 1, DEJA_EINVAL),
                        "no job 'xyzzy' in the batch");
    assert_string_equal(selected((const char *const[]){""}, 1, DEJA_EINVAL), "no job '' in the batch");
}

static void test_selection__single_instances_are_refused(void **state)
{
    (void)state;
    assert_string_equal(selected((const char *const[]){"alone[n=1]"}, 1, DEJA_EINVAL),
                        "'alone[n=1]': single instances of a job cannot be chosen; 'alone' runs all of them");
    assert_string_equal(selected((const char *const[]){"nobody[n=1]"}, 1, DEJA_EINVAL),
                        "no job 'nobody[n=1]' in the batch");
}

/* A chain in the order that makes a recursion deepest. */
static void test_selection__a_long_chain_is_taken_whole(void **state)
{
    (void)state;
    enum { LENGTH = 20000 };
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    DEJA_AUTO_FREE uint8_t *set = NULL;
    deja_buffer_add_string(&text, "version: 1\njobs:\n");
    for (int i = 0; i < LENGTH; i++)
        deja_buffer_addf(&text, "  j%d: {run: x, %s: j%d}\n", i, i + 1 < LENGTH ? "needs" : "version", i + 1);
    batch *b = load(deja_buffer_string(&text));
    assert_int_equal(select_jobs(&set, b, (const char *const[]){"j1"}, 1, NULL), 0);
    assert_int_equal(set[0], 0);
    for (uint32_t i = 1; i < LENGTH; i++)
        assert_int_equal(set[i], 1);
    batch_free(b);
}

static void test_selection__lack_of_memory_selects_nothing(void **state)
{
    (void)state;
    static const char *const words[][1] = {{"plot"}, {"nobody"}};
    batch *b = load(chain);
    for (int unknown = 0; unknown < 2; unknown++)
        for (long n = 1, hits = 1; hits; n++) {
            DEJA_AUTO_FREE uint8_t *set = NULL;
            deja_error err = {0};
            failing_alloc_at(n);
            int status = select_jobs(&set, b, words[unknown], 1, &err);
            hits = failing_alloc_hits;
            failing_alloc_at(0);
            assert_int_equal(set != NULL, status == 0);
            assert_true(status == 0 || status == DEJA_ENOMEM || status == DEJA_EINVAL);
            if (!hits)
                assert_int_equal(status, unknown ? DEJA_EINVAL : 0);
            else if (!unknown)
                assert_int_equal(status, DEJA_ENOMEM);
        }
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_selection__no_words_are_all_jobs),
        CASE(test_selection__a_job_comes_with_all_that_it_needs),
        CASE(test_selection__an_unknown_word_is_named_with_what_is_near),
        CASE(test_selection__single_instances_are_refused),
        CASE(test_selection__a_long_chain_is_taken_whole),
        CASE(test_selection__lack_of_memory_selects_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
