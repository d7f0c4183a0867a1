/* makers.h: who makes what others read. */
#include "batch_fixture.h"

#include "failing_alloc.h"
#include "makers.h"
#include <deja/cleanup.h>
#include <stdlib.h>

/* The pairs that were found: "reader<maker:read=made" each, with "m:" in front of what a matrix reads. */
typedef struct pairs {
    const batch *batch;
    char *list[64];
    size_t count;
    int answer; /* given to each */
} pairs;

static int note_pair(void *context, const makers_pair *pair, deja_error *err)
{
    pairs *p = context;
    char *text = NULL;
    assert_true(p->count < sizeof p->list / sizeof *p->list);
    assert_true(asprintf(&text, "%s%s<%s:%s=%s", pair->in_matrix ? "m:" : "",
                         p->batch->jobs[pair->reader].name, p->batch->jobs[pair->maker].name, pair->read,
                         pair->made) > 0);
    p->list[p->count++] = text;
    return p->answer < 0 ? deja_fail(err, p->answer, "told to stop") : 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All pairs sorted, each once, one a line; forgets them. Static memory. */
static const char *take_pairs(pairs *p)
{
    static char text[8192];
    size_t n = 0;
    qsort(p->list, p->count, sizeof *p->list, compare_texts);
    text[0] = '\0';
    for (size_t i = 0; i < p->count; i++)
        if (i + 1 == p->count || strcmp(p->list[i], p->list[i + 1]) != 0)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", p->list[i]);
    while (p->count > 0)
        free(p->list[--p->count]);
    return text;
}

static int add(makers *m, batch *b, uint32_t number, unsigned what, deja_error *err)
{
    batch_job *def = &b->jobs[number];
    uint32_t count = 0;
    int status = batch_expand(b, def, err);
    if (status == 0)
        status = matrix_count(def->matrix, &count, err);
    return status < 0 ? status : makers_add(m, def, count, what, err);
}

static int add_all(makers *m, batch *b, deja_error *err)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < b->job_count; i++)
        status = add(m, b, i, MAKERS_MADE | MAKERS_READ, err);
    return status;
}

/* The pairs of a batch of which all is known. */
static void expect_pairs(const char *text, const char *expected)
{
    batch *b = load(text);
    pairs p = {.batch = b};
    makers *m = NULL;
    deja_error err = {0};
    assert_int_equal(makers_open(&m, b, note_pair, &p, &err), 0);
    if (add_all(m, b, &err) || makers_link_all(m, &err))
        fail_msg("%s", err.text);
    assert_string_equal(take_pairs(&p), expected);
    makers_close(m);
    batch_free(b);
}

static void expect_refused(const char *text, const char *message)
{
    batch *b = load(text);
    pairs p = {.batch = b};
    makers *m = NULL;
    deja_error err = {0};
    assert_int_equal(makers_open(&m, b, note_pair, &p, &err), 0);
    assert_true(add_all(m, b, &err) < 0);
    if (!strstr(err.text, message))
        fail_msg("got: %s", err.text);
    makers_close(m);
    batch_free(b);
}

static void test_makers__pairs_by_name_and_standard_input(void **state)
{
    (void)state;
    expect_pairs("version: 1\njobs:\n"
                 "  use: {run: x, matrix: {n: [1, 2, 3]}, inputs: [\"o/${{ n }}\", other], stdin: ./o//4}\n"
                 "  make: {run: x, matrix: {n: {range: [2, 9]}}, outputs: [\"o/${{ n }}\"]}\n"
                 "  none: {run: x, inputs: [o/1, o], outputs: [o2]}\n",
                 "use<make:o/2=o/2\nuse<make:o/3=o/3\nuse<make:o/4=o/4\n");
}

static void test_makers__pairs_by_pattern_and_folder(void **state)
{
    (void)state;
    expect_pairs("version: 1\njobs:\n"
                 "  p: {run: x, inputs: [\"o/*.a\", \"*.top\", \"**/deep\"]}\n"
                 "  f: {run: x, inputs: [o/d/]}\n"
                 "  all: {run: x, inputs: [./]}\n"
                 "  no: {run: x, inputs: [\"o/*.b\", o/d/e/f/, od/]}\n"
                 "  make: {run: x, outputs: [o/x.a]}\n"
                 "  top: {run: x, outputs: [y.top]}\n"
                 "  deep: {run: x, outputs: [o/d/e/deep]}\n",
                 "all<deep:.=o/d/e/deep\nall<make:.=o/x.a\nall<top:.=y.top\n"
                 "f<deep:o/d=o/d/e/deep\n"
                 "p<deep:**/deep=o/d/e/deep\np<make:o/*.a=o/x.a\np<top:*.top=y.top\n");
}

static void test_makers__absolute_patterns_reach_into_the_folder(void **state)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0}, expected = {0};
    char real[4096];
    assert_non_null(realpath(*state, real));
    deja_buffer_addf(&text,
                     "version: 1\njobs:\n"
                     "  in: {run: x, inputs: [\"%s/../*/o\"]}\n"
                     "  out: {run: x, inputs: [/deja-none/]}\n"
                     "  make: {run: x, outputs: [o]}\n"
                     "  far: {run: x, outputs: [/deja-none/a/b]}\n"
                     "  near: {run: x, inputs: [\"n*\"]}\n",
                     real);
    deja_buffer_addf(&expected, "in<make:%.*s/*/o=%s/o\nout<far:/deja-none=/deja-none/a/b\n",
                     (int)(strrchr(real, '/') - real), real, real);
    expect_pairs(deja_buffer_string(&text), deja_buffer_string(&expected));
}

static void test_makers__pairs_of_a_matrix_say_so(void **state)
{
    (void)state;
    write_file("a.txt", "");
    write_file("list[1]", "x\n");
    expect_pairs("version: 1\njobs:\n"
                 "  g: {run: x, matrix: {f: {glob: \"./*.txt\"}}}\n"
                 "  l: {run: x, matrix: {f: {lines: \"list[1]\"}}}\n"
                 "  a: {run: x, outputs: [a.txt]}\n"
                 "  b: {run: x, outputs: [\"list[1]\", list1]}\n",
                 "m:g<a:*.txt=a.txt\nm:l<b:list\\[1]=list[1]\n");
}

/* The same job on both sides is a pair, too: what it means is for the caller to say. */
static void test_makers__a_job_may_read_what_it_makes_for_itself(void **state)
{
    (void)state;
    expect_pairs("version: 1\njobs:\n"
                 "  a: {run: x, matrix: {n: [1, 2]}, inputs: [\"${{ n }}\"], outputs: [\"${{ n }}1\"]}\n"
                 "  b: {run: x, matrix: {n: [1, 2]}, inputs: [\"s${{ n }}\"], outputs: [\"ss${{ n }}\"]}\n",
                 "");
    expect_pairs("version: 1\njobs:\n"
                 "  a: {run: x, matrix: {n: [x, xy]}, inputs: [\"${{ n }}\"], outputs: [\"${{ n }}y\"]}\n",
                 "a<a:xy=xy\n");
}

static void test_makers__refuses_one_path_of_two(void **state)
{
    (void)state;
    expect_refused("version: 1\njobs:\n"
                   "  a: {run: x, outputs: [o/x]}\n"
                   "  b: {run: x, matrix: {n: [w, x]}, outputs: [\"o/${{ n }}\"]}\n",
                   "deja.yaml:4:46: 'a' and 'b[n=x]' both make 'o/x'");
    expect_refused("version: 1\njobs:\n  a: {run: x, matrix: {n: [1, 2]}, outputs: [o]}\n",
                   "'a[n=1]' and 'a[n=2]' both make 'o'");
    expect_refused(
        "version: 1\njobs:\n  a: {run: x, matrix: {n: [x]}, inputs: [\"o/*\"], outputs: [\"o/${{ n }}\"]}\n",
        "output 'o/x' is also an input");
}

/* What becomes known later is paired with all that was known before, from both sides. */
static void test_makers__later_ones_are_paired_with_earlier_ones(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  early: {run: x, inputs: [late.o, \"late*\"], outputs: [early.o]}\n"
                    "  late: {run: x, inputs: [early.o, \"ea*\"], outputs: [late.o]}\n"
                    "  never: {run: x, inputs: [early.o]}\n");
    pairs p = {.batch = b};
    makers *m = NULL;
    deja_error err = {0};
    assert_int_equal(makers_open(&m, b, note_pair, &p, &err), 0);
    assert_int_equal(add(m, b, 0, MAKERS_MADE | MAKERS_READ, &err), 0);
    assert_int_equal(makers_link_all(m, &err), 0);
    assert_string_equal(take_pairs(&p), "");
    assert_int_equal(add(m, b, 1, MAKERS_MADE, &err), 0);
    assert_int_equal(makers_link(m, &b->jobs[1], MAKERS_MADE, &err), 0);
    assert_string_equal(take_pairs(&p), "early<late:late*=late.o\nearly<late:late.o=late.o\n");
    assert_int_equal(add(m, b, 1, MAKERS_READ, &err), 0);
    assert_int_equal(makers_link(m, &b->jobs[1], MAKERS_READ, &err), 0);
    assert_string_equal(take_pairs(&p), "late<early:ea*=early.o\nlate<early:early.o=early.o\n");
    makers_close(m);
    batch_free(b);
}

static void test_makers__the_answer_of_the_caller_ends_the_search(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  use: {run: x, inputs: [a, b, \"?\"]}\n"
                    "  make: {run: x, outputs: [a, b]}\n");
    pairs p = {.batch = b, .answer = DEJA_EINVAL};
    makers *m = NULL;
    deja_error err = {0};
    assert_int_equal(makers_open(&m, b, note_pair, &p, &err), 0);
    assert_int_equal(add_all(m, b, &err), 0);
    assert_int_equal(makers_link_all(m, &err), DEJA_EINVAL);
    assert_string_equal(err.text, "told to stop");
    assert_int_equal(p.count, 1);
    take_pairs(&p);
    makers_close(m);
    makers_close(NULL);
    batch_free(b);
}

static int scenario(batch *b, pairs *p)
{
    makers *m = NULL;
    deja_error err = {0};
    int status = makers_open(&m, b, note_pair, p, &err);
    if (status == 0)
        status = add_all(m, b, &err);
    if (status == 0)
        status = makers_link_all(m, &err);
    makers_close(m);
    if (status)
        assert_non_null(strstr(err.text, "out of memory"));
    return status;
}

static void test_makers__any_allocation_may_fail(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    char real[4096];
    assert_non_null(realpath(*state, real));
    deja_buffer_addf(
        &text,
        "version: 1\njobs:\n"
        "  use: {run: x, matrix: {n: [1, 2]}, inputs: [\"${{ n }}.o\", \"%s/*.o\"], stdin: 1.o}\n"
        "  make: {run: x, matrix: {n: [1, 2]}, outputs: [\"${{ n }}.o\"]}\n",
        real);
    batch *b = load(deja_buffer_string(&text));
    pairs p = {.batch = b};
    long n = 1;
    for (int status; failing_alloc_at(n), (status = scenario(b, &p)) != 0; n++) {
        assert_int_equal(status, DEJA_ENOMEM);
        failing_alloc_at(0);
        take_pairs(&p);
    }
    failing_alloc_at(0);
    assert_true(n > 10);
    assert_int_equal(p.count, 5); /* 1.o as input, as standard input of both; 2.o; the pattern */
    take_pairs(&p);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_makers__pairs_by_name_and_standard_input),
        CASE(test_makers__pairs_by_pattern_and_folder),
        CASE(test_makers__absolute_patterns_reach_into_the_folder),
        CASE(test_makers__pairs_of_a_matrix_say_so),
        CASE(test_makers__a_job_may_read_what_it_makes_for_itself),
        CASE(test_makers__refuses_one_path_of_two),
        CASE(test_makers__later_ones_are_paired_with_earlier_ones),
        CASE(test_makers__the_answer_of_the_caller_ends_the_search),
        CASE(test_makers__any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
