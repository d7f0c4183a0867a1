/* job.h: one instance, rendered. */
#include "job_fixture.h"

#include <deja/cleanup.h>

static void expect_failure(const char *text, const char *message)
{
    batch *b = load(text);
    job j = {0};
    deja_error err;
    assert_true(job_render(&j, b, &b->jobs[0], 0, JOB_ALL, &err) < 0);
    if (!strstr(err.text, message))
        fail_msg("got: %s", err.text);
    job_done(&j);
    batch_free(b);
}

static void test_job__is_rendered_from_its_number(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  c:\n"
                    "    matrix: {t: [data/a b.txt, z.tar.gz], n: {range: [1, 3]}}\n"
                    "    run: ./c -n ${{ n }} ${{ t }} > ${{ out }}\n"
                    "    inputs: [./c, \"${{ t }}\", \"x*/[a].c\"]\n"
                    "    outputs: {out: \"out/${{ t.stem }}.${{ n }}\"}\n");
    job j = render(b, "c", 2);
    assert_string_equal(j.text, "./c -n '3' 'data/a b.txt' > 'out/a b.3'");
    assert_string_equal(j.program, "./c");
    assert_null(j.argv);
    assert_string_equal(j.shell[0], "bash");
    assert_string_equal(j.inputs[0].path, "c");
    assert_string_equal(j.inputs[1].path, "data/a b.txt");
    assert_int_equal(j.inputs[2].pattern, 1);
    assert_string_equal(j.outputs[0].path, "out/a b.3");
    deja_buffer name = {0};
    job_name(&name, j.def, 5);
    assert_string_equal(name.data, "c[t=z.tar.gz,n=3]");
    deja_buffer_done(&name);
    job_done(&j);
    batch_free(b);
}

static void test_job__text_without_syntax_is_words(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  c: {run: \"ls -l 'a b'\"}\n");
    job j = render(b, "c", 0);
    assert_string_equal(j.argv[0], "ls");
    assert_string_equal(j.argv[2], "a b");
    assert_null(j.argv[3]);
    job_done(&j);
    batch_free(b);
}

static void test_job__gathers_outputs_of_needed_instances_in_order(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  a: {run: x, matrix: {n: [b, a]}, outputs: {o: \"${{ n }}.o\", p: \"${{ n }}.p\"}}\n"
                    "  l: {run: [cat, \"${{ a.outputs.o }}\", \"${{ a.outputs }}\"], needs: a}\n");
    job j = render(b, "l", 0);
    const char *const words[] = {"cat", "b.o", "a.o", "b.o", "b.p", "a.o", "a.p", NULL};
    for (size_t i = 0; words[i]; i++)
        assert_string_equal(j.argv[i], words[i]);
    assert_null(j.argv[7]);
    job_done(&j);
    batch_free(b);
}

/* Each stage has two inputs from the one before it: rendered as deep as it goes, the last one would take 2^60
 * steps. */
static void test_job__gathering_renders_no_further_than_one_job(void **state)
{
    (void)state;
    enum { STAGES = 60 };
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_add_string(&text, "version: 1\njobs:\n  s0: {run: x, outputs: {a: a0, b: b0}}\n");
    for (int i = 1; i <= STAGES; i++)
        deja_buffer_addf(
            &text,
            "  s%d: {run: x, needs: s%d, inputs: [\"${{ s%d.outputs }}\", \"${{ s%d.outputs.b }}\"], "
            "outputs: {a: a%d, b: b%d}}\n",
            i, i - 1, i - 1, i - 1, i, i);
    batch *b = load(deja_buffer_string(&text));
    job j = render(b, "s60", 0);
    assert_int_equal(j.input_count, 3);
    assert_string_equal(j.inputs[0].path, "a59");
    assert_string_equal(j.inputs[1].path, "b59");
    assert_string_equal(j.inputs[2].path, "b59");
    assert_string_equal(j.outputs[1].path, "b60");
    job_done(&j);
    batch_free(b);
}

static void test_job__inputs_are_listed_with_what_patterns_match(void **state)
{
    (void)state;
    write_file("b.c", "");
    write_file("a.c", "");
    batch *b = load("version: 1\njobs:\n  a: {run: [cc, \"${{ inputs }}\"], inputs: [x.h, \"*.c\", d/]}\n");
    job j = render(b, "a", 0);
    const char *const words[] = {"cc", "x.h", "a.c", "b.c", "d"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_string_equal(j.argv[i], words[i]);
    assert_null(j.argv[5]);
    job_done(&j);
    batch_free(b);
}

static void test_job__a_value_in_an_input_is_never_a_pattern(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  a: {run: x, matrix: {n: [\"*\"]}, inputs: [\"d/${{ n }}\", \"d/${{ n }}.[ch]\"]}\n");
    job j = render(b, "a", 0);
    assert_int_equal(j.inputs[0].pattern, 0);
    assert_string_equal(j.inputs[0].path, "d/*");
    assert_int_equal(j.inputs[1].pattern, 1);
    assert_string_equal(j.inputs[1].path, "d/\\*.[ch]");
    job_done(&j);
    batch_free(b);
}

static void test_job__refuses_outputs_outside_of_the_folder(void **state)
{
    (void)state;
    expect_failure("version: 1\njobs:\n  a: {run: x, matrix: {n: [..]}, outputs: [\"${{ n }}/x\"]}\n",
                   "outside");
    expect_failure("version: 1\njobs:\n  a: {run: x, matrix: {n: [\"\"]}, outputs: [\"${{ n }}\"]}\n",
                   "empty");
}

static void test_job__paths_are_relative_inside_and_absolute_outside(void **state)
{
    (void)state;
    char text[8192];
    snprintf(text, sizeof text,
             "version: 1\njobs:\n  a: {run: x, inputs: [./x//y/../z, %s/q, /etc/passwd, ../up], outputs: "
             "[/tmp/abs]}\n",
             (char *)*state);
    batch *b = load(text);
    job j = render(b, "a", 0);
    assert_string_equal(j.inputs[0].path, "x/z");
    assert_string_equal(j.inputs[1].path, "q");
    assert_string_equal(j.inputs[2].path, "/etc/passwd");
    assert_int_equal(j.inputs[3].path[0], '/');
    assert_string_equal(j.outputs[0].path, "/tmp/abs");
    job_done(&j);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_job__is_rendered_from_its_number),
        CASE(test_job__text_without_syntax_is_words),
        CASE(test_job__gathers_outputs_of_needed_instances_in_order),
        CASE(test_job__gathering_renders_no_further_than_one_job),
        CASE(test_job__inputs_are_listed_with_what_patterns_match),
        CASE(test_job__a_value_in_an_input_is_never_a_pattern),
        CASE(test_job__refuses_outputs_outside_of_the_folder),
        CASE(test_job__paths_are_relative_inside_and_absolute_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
