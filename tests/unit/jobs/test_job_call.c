/* job_call.h: arguments of calls, with their types; and batches with calls in them. */
#include "job_fixture.h"

#include "failing_alloc.h"
#include "plan.h"
#include <deja/buffer.h>
#include <deja/cleanup.h>

/* The arguments of an instance as JSON. Static memory. */
static const char *arguments(const batch *b, const char *name, uint32_t index)
{
    static char line[4096];
    job j = render(b, name, index);
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_value all = deja_list(j.args, j.arg_count);
    deja_value_json(&text, &all, 0);
    snprintf(line, sizeof line, "%s", deja_buffer_string(&text));
    job_done(&j);
    return line;
}

static void test_job_call__literals_keep_their_types(void **state)
{
    (void)state;
    batch *b = load(
        "version: 1\njobs:\n  a:\n    call: ./lib.so:f\n    with:\n"
        "      n: 64\n      x: 2.50\n      yes: true\n      nothing:\n      text: some text\n"
        "      quoted: \"64\"\n      huge: 18446744073709551615\n      literal: $${{ n }}\n"
        "      list: [1, [2, null], {k: 'v', l: []}]\n      empty: {}\n      many: {file: x, other: y}\n");
    assert_string_equal(arguments(b, "a", 0),
                        "[64,2.5,true,null,\"some text\",\"64\",18446744073709551615,\"${{ n }}\","
                        "[1,[2,null],{\"k\":\"v\",\"l\":[]}],{},{\"file\":\"x\",\"other\":\"y\"}]");
    assert_string_equal(b->jobs[0].with.names[1], "x");
    batch_free(b);
}

static void test_job_call__values_of_a_matrix_keep_theirs(void **state)
{
    (void)state;
    write_file("lines.txt", "1\n2\n");
    batch *b = load(
        "version: 1\njobs:\n  a:\n    matrix:\n      i: {range: [1, 2]}\n      r: {linspace: [1, 2, 2]}\n"
        "      v: [7, \"7\", 7.0, yes, true, null]\n      l: {lines: lines.txt}\n"
        "    call: lib.so:f\n    with: {i: \"${{ i }}\", r: '${{r}}', v: \"${{ v }}\", l: \"${{ l }}\", "
        "t: \"${{ i }} \", s: \"${{ i.stem }}\"}\n");
    deja_error err;
    assert_int_equal(batch_expand(b, &b->jobs[0], &err), 0);
    static const char *const wanted[] = {"7", "\"7\"", "7.0", "\"yes\"", "true", "null"};
    for (uint32_t k = 0; k < 6; k++) {
        char line[100];
        snprintf(line, sizeof line, "[2,1.0,%s,\"1\",\"2 \",\"2\"]", wanted[k]);
        assert_string_equal(arguments(b, "a", 24 + 2 * k), line);
    }
    batch_free(b);
}

static void test_job_call__paths_and_lists_are_texts(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  n: {matrix: {i: [1, 2]}, run: x, outputs: {o: \"d/${{ i }}.txt\"}}\n"
                    "  a:\n    needs: n\n    call: ./sub/../lib.so:f\n    inputs: [in, ./in2]\n"
                    "    with: {all: \"${{ n.outputs }}\", in: [\"${{ inputs }}\"], out: \"${{ out }}\", "
                    "stem: \"${{ out.stem }}\", data: {file: ./data.txt}}\n"
                    "    outputs: {out: ./out/x.tsv}\n");
    assert_string_equal(arguments(b, "a", 0),
                        "[[\"d/1.txt\",\"d/2.txt\"],[[\"in\",\"in2\",\"data.txt\"]],\"out/x.tsv\",\"x\","
                        "{\"file\":\"data.txt\"}]");
    job j = render(b, "a", 0);
    assert_string_equal(j.library, "lib.so");
    assert_int_equal(j.input_count, 3);
    job_done(&j);
    batch_free(b);
}

/* Their characters are no pattern. */
static void test_job_call__files_are_inputs_by_their_names(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a:\n    matrix: {n: [\"*\", b]}\n    call: lib.so:f\n"
                    "    with: {x: {file: \"d[1]/${{ n }}\"}}\n");
    job j = render(b, "a", 0);
    assert_int_equal(j.input_count, 1);
    assert_int_equal(j.inputs[0].pattern, 0);
    assert_string_equal(j.inputs[0].path, "d[1]/*");
    assert_string_equal(j.args[0].string, "d[1]/*");
    assert_int_equal(j.args[0].kind, DEJA_FILE);
    job_done(&j);
    batch_free(b);
}

static void test_job_call__a_folder_is_no_file(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a:\n    matrix: {n: [d/]}\n    call: lib.so:f\n"
                    "    with: {x: {file: \"${{ n }}\"}}\n");
    job j = {0};
    deja_error err;
    assert_true(job_render(&j, b, &b->jobs[0], 0, JOB_ALL, &err) < 0);
    assert_non_null(strstr(err.text, ": 'd/' is a folder"));
    assert_non_null(strstr(err.text, "deja.yaml:6:"));
    job_done(&j);
    batch_free(b);
}

static void test_job_call__defaults_of_commands_do_not_touch_it(void **state)
{
    (void)state;
    batch *b =
        load("version: 1\ndefaults: {shell: sh, cwd: d, clean-env: true, ok-status: [3], env: {A: b}, "
             "secret: [S], version: 2, keep-failed: true}\njobs:\n  a: {call: lib.so:f}\n  b: {run: x}\n");
    const batch_job *a = &b->jobs[0];
    assert_null(a->cwd);
    assert_null(a->shell);
    assert_int_equal(a->clean_env, 0);
    assert_int_equal(a->ok_status[0], 0);
    assert_int_equal(a->env_count, 1);
    assert_string_equal(a->env[0].name, "S");
    assert_string_equal(a->version, "2");
    assert_int_equal(a->keep_failed, 1);
    assert_int_equal(b->jobs[1].env_count, 2);
    batch_free(b);
}

/* The second job comes first. */
static void expect_waiting(const char *text)
{
    batch *b = load(text);
    plan *p;
    plan_ready ready;
    deja_error err;
    if (plan_open(&p, b, NULL, &err) < 0)
        fail_msg("%s", err.text);
    for (uint32_t number = 2; number-- > 0;) {
        assert_int_equal(plan_next(p, &ready), 1);
        assert_int_equal(ready.def->number, number);
        plan_settle(p, ready.def, ready.index, PLAN_LEFT, NULL, 0);
    }
    plan_close(p);
    batch_free(b);
}

static void test_job_call__waits_for_who_makes_what_it_reads(void **state)
{
    (void)state;
    expect_waiting("version: 1\njobs:\n  a: {call: \"./out/lib.so:f\"}\n"
                   "  lib: {run: make, outputs: [out/lib.so]}\n");
    expect_waiting("version: 1\njobs:\n  a: {call: \"lib.so:f\", with: {x: [{file: data.txt}]}}\n"
                   "  data: {run: make data, outputs: [data.txt]}\n");
}

static void test_job_call__does_not_make_its_own_library(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {call: \"./lib.so:f\", outputs: [lib.so]}\n");
    plan *p;
    deja_error err;
    assert_true(plan_open(&p, b, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "output 'lib.so' is also the library of 'a'"));
    batch_free(b);
}

static void test_job_call__survives_every_failed_allocation(void **state)
{
    (void)state;
    static const char text[] =
        "version: 1\njobs:\n  a:\n    matrix: {n: [1, x]}\n    call: ./lib.so:f\n"
        "    with: {n: \"${{ n }}\", t: \"t ${{ n }}\", f: {file: \"*x\"}, l: [1, {a: b}]}\n";
    int code = DEJA_ENOMEM;
    for (long n = 1; code; n++) {
        batch *b = NULL;
        job j = {0};
        failing_alloc_at(n);
        code = batch_load_text(&b, "deja.yaml", text, sizeof text - 1, "/tmp", NULL);
        if (!code)
            code = job_render(&j, b, &b->jobs[0], 1, JOB_ALL, NULL);
        failing_alloc_at(0);
        assert_true(code == 0 || code == DEJA_ENOMEM || code == DEJA_EINVAL);
        job_done(&j);
        batch_free(b);
        assert_true(n < 10000);
    }
}

#define in_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scratch(test_job_call__literals_keep_their_types),
        in_scratch(test_job_call__values_of_a_matrix_keep_theirs),
        in_scratch(test_job_call__paths_and_lists_are_texts),
        in_scratch(test_job_call__files_are_inputs_by_their_names),
        in_scratch(test_job_call__a_folder_is_no_file),
        in_scratch(test_job_call__defaults_of_commands_do_not_touch_it),
        in_scratch(test_job_call__waits_for_who_makes_what_it_reads),
        in_scratch(test_job_call__does_not_make_its_own_library),
        in_scratch(test_job_call__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
