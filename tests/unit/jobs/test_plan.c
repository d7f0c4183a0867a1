/* plan.h: what may start when. */
#include "batch_fixture.h"

#include "outputs.h"
#include "plan.h"
#include <deja/cleanup.h>
#include <deja/clock.h>

static plan *open_plan(batch *b, const selection *chosen)
{
    plan *p;
    deja_error err;
    if (plan_open(&p, b, chosen, &err) < 0)
        fail_msg("%s", err.text);
    return p;
}

static selection *choose(batch *b, const char *word)
{
    selection *s;
    assert_int_equal(selection_open(&s, b, &word, 1, NULL), 0);
    return s;
}

/* Takes the next one, which must be instance `index` of `name`. */
static plan_ready expect(plan *p, const char *name, uint32_t index)
{
    plan_ready ready;
    assert_int_equal(plan_next(p, &ready), 1);
    assert_string_equal(ready.def->name, name);
    assert_int_equal(ready.index, index);
    return ready;
}

static void expect_none(plan *p)
{
    plan_ready ready;
    assert_int_equal(plan_next(p, &ready), 0);
}

static void test_plan__hands_out_in_batch_order(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, matrix: {n: [1, 2]}}\n  b: {run: x}\n");
    plan *p = open_plan(b, NULL);
    expect(p, "a", 0);
    expect(p, "a", 1);
    expect(p, "b", 0);
    expect_none(p);
    int unexpanded;
    assert_int_equal(plan_total(p, &unexpanded), 3);
    assert_int_equal(unexpanded, 0);
    plan_close(p);
    batch_free(b);
}

static void test_plan__of_a_selection_only_the_chosen_instances(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  a: {run: x, matrix: {n: [1, 2, 3]}}\n"
                    "  b: {run: x, needs: c, matrix: {n: [1, 2, 3]}}\n"
                    "  c: {run: x, matrix: {n: [1, 2, 3]}}\n"
                    "  d: {run: x, needs: b}\n");
    static const char *const words[] = {"a[n=3]", "b[n=2]", "c[n=1]"};
    selection *s;
    int unexpanded;
    assert_int_equal(selection_open(&s, b, words, 3, NULL), 0);
    plan *p = open_plan(b, s);
    assert_int_equal(plan_total(p, &unexpanded), 4);
    assert_true(!plan_has(p, 0, 0) && plan_has(p, 0, 2) && plan_has(p, 2, 1) && !plan_has(p, 2, 2) &&
                !plan_has(p, 3, 0));
    plan_ready a = expect(p, "a", 2), c0 = expect(p, "c", 0), c1 = expect(p, "c", 1);
    expect_none(p);
    plan_settle(p, c1.def, 1, PLAN_LEFT, NULL, 0);
    plan_ready b1 = expect(p, "b", 1);
    plan_settle(p, c0.def, 0, PLAN_LEFT, NULL, 0);
    expect_none(p);
    plan_settle(p, b1.def, 1, PLAN_LEFT, NULL, 0);
    assert_false(plan_finished(p));
    plan_settle(p, a.def, 2, PLAN_LEFT, NULL, 0);
    assert_true(plan_finished(p));
    plan_close(p);
    selection_close(s);
    batch_free(b);
}

static void test_plan__waits_for_all_instances_of_a_needed_job(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  last: {run: x, needs: a}\n  a: {run: x, matrix: {n: [1, 2]}}\n");
    plan *p = open_plan(b, NULL);
    plan_ready one = expect(p, "a", 0), two = expect(p, "a", 1);
    expect_none(p);
    plan_settle(p, two.def, two.index, PLAN_LEFT, NULL, 0);
    expect_none(p);
    assert_false(plan_finished(p));
    plan_settle(p, one.def, one.index, PLAN_LEFT, NULL, 0);
    plan_ready last = expect(p, "last", 0);
    assert_null(last.blocked_by);
    assert_false(plan_finished(p));
    plan_settle(p, last.def, last.index, PLAN_LEFT, NULL, 0);
    assert_true(plan_finished(p));
    plan_close(p);
    batch_free(b);
}

static void test_plan__failure_blocks_what_needs_it_and_nothing_else(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x}\n  b: {run: x, needs: a}\n  c: {run: x, needs: b}\n  "
                    "d: {run: x}\n");
    plan *p = open_plan(b, NULL);
    plan_ready a = expect(p, "a", 0);
    assert_null(expect(p, "d", 0).blocked_by);
    plan_settle(p, a.def, 0, PLAN_FAILED, NULL, 0);
    plan_ready blocked = expect(p, "b", 0);
    assert_string_equal(blocked.blocked_by->name, "a");
    plan_settle(p, blocked.def, 0, PLAN_FAILED, NULL, 0);
    assert_string_equal(expect(p, "c", 0).blocked_by->name, "b");
    plan_close(p);
    batch_free(b);
}

static void test_plan__left_depends_on_every_instance_in_order(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, matrix: {n: [1, 2]}}\n  b: {run: x, needs: a}\n");
    deja_hash one = deja_hash_bytes("1", 1), two = deja_hash_bytes("2", 1), seen[2];
    for (int swap = 0; swap < 2; swap++) {
        plan *p = open_plan(b, NULL);
        plan_ready first = expect(p, "a", 0), second = expect(p, "a", 1);
        plan_settle(p, second.def, second.index, PLAN_LEFT, swap ? &one : &two, 0);
        plan_settle(p, first.def, first.index, PLAN_LEFT, swap ? &two : &one, 0);
        assert_int_equal(plan_left(p, &b->jobs[1].needs[0], 0, &seen[swap]), 1);
        plan_close(p);
    }
    assert_false(deja_hash_equal(&seen[0], &seen[1]));
    batch_free(b);
}

static void test_plan__selects_a_job_with_all_it_needs(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x}\n  b: {run: x, needs: a}\n  c: {run: x}\n");
    selection *s = choose(b, "b");
    plan *p = open_plan(b, s);
    plan_ready a = expect(p, "a", 0);
    expect_none(p);
    plan_settle(p, a.def, 0, PLAN_LEFT, NULL, 0);
    plan_ready last = expect(p, "b", 0);
    plan_settle(p, last.def, 0, PLAN_LEFT, NULL, 0);
    assert_true(plan_finished(p));
    expect_none(p);
    plan_close(p);
    selection_close(s);
    batch_free(b);
}

static void test_plan__an_input_that_is_an_output_is_an_edge(void **state)
{
    (void)state;
    batch *b =
        load("version: 1\njobs:\n  use: {run: x, inputs: [made]}\n  make: {run: x, outputs: [made]}\n");
    selection *s = choose(b, "use");
    plan *p = open_plan(b, s);
    plan_ready make = expect(p, "make", 0);
    expect_none(p);
    plan_settle(p, make.def, 0, PLAN_LEFT, NULL, 0);
    expect(p, "use", 0);
    plan_close(p);
    selection_close(s);
    batch_free(b);
}

static void test_plan__standard_input_that_is_an_output_is_an_edge(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  use: {run: x, stdin: made}\n  make: {run: x, outputs: [made]}\n");
    plan *p = open_plan(b, NULL);
    expect(p, "make", 0);
    expect_none(p);
    plan_close(p);
    batch_free(b);
}

static void expect_program_edge(const char *run, int edge)
{
    char text[512];
    snprintf(text, sizeof text, "version: 1\njobs:\n  use: {%s}\n  make: {run: x, outputs: [bin/tool]}\n",
             run);
    batch *b = load(text);
    plan *p = open_plan(b, NULL);
    expect(p, edge ? "make" : "use", 0);
    plan_close(p);
    batch_free(b);
}

static void test_plan__a_program_that_a_job_makes_is_an_edge(void **state)
{
    (void)state;
    expect_program_edge("run: bin/tool x", 1);
    expect_program_edge("run: [./bin/tool, x]", 1);
    expect_program_edge("run: ./tool x, cwd: bin", 1);
    expect_program_edge("run: \"${{ p }} x\", matrix: {p: [./other, bin/tool]}", 1);
    expect_program_edge("run: \"bin/tool ${{ p }}\", matrix: {p: [1, 2]}", 1);
    expect_program_edge("run: \"bin/${{ p }} x\", matrix: {p: [other, tool]}", 1);
    expect_program_edge("run: tool x", 0);
    expect_program_edge("run: ./tool x", 0);
    expect_program_edge("run: echo bin/tool", 0);
}

static void test_plan__refuses_a_cycle_through_files_link_by_link(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  a: {run: x, inputs: [fb], outputs: [fa]}\n"
                    "  b: {run: x, inputs: [fa], outputs: [fb]}\n");
    plan *p;
    deja_error err;
    assert_true(plan_open(&p, b, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "deja.yaml:4:"));
    assert_non_null(strstr(err.text, "'a' reads 'fb' of 'b', 'b' reads 'fa' of 'a'"));
    batch_free(b);
}

static void expect_refused(const char *text, const char *message)
{
    plan *p;
    deja_error err;
    batch *b = load(text);
    assert_true(plan_open(&p, b, NULL, &err) < 0);
    if (!strstr(err.text, message))
        fail_msg("%s", err.text);
    batch_free(b);
}

/* `input` of one job means a file that another one makes. */
static void expect_edge(const char *input, const char *output)
{
    char text[8192];
    snprintf(text, sizeof text,
             "version: 1\njobs:\n  use: {run: x, inputs: [\"%s\"]}\n  make: {run: x, outputs: [\"%s\"]}\n",
             input, output);
    batch *b = load(text);
    selection *s = choose(b, "use");
    plan *p = open_plan(b, s);
    plan_ready make = expect(p, "make", 0);
    expect_none(p);
    plan_settle(p, make.def, 0, PLAN_LEFT, NULL, 0);
    expect(p, "use", 0);
    plan_close(p);
    selection_close(s);
    batch_free(b);
}

static void expect_no_edge(const char *input, const char *output)
{
    char text[8192];
    snprintf(text, sizeof text,
             "version: 1\njobs:\n  use: {run: x, inputs: [\"%s\"]}\n  make: {run: x, outputs: [\"%s\"]}\n",
             input, output);
    batch *b = load(text);
    plan *p = open_plan(b, NULL);
    expect(p, "use", 0);
    expect(p, "make", 0);
    plan_close(p);
    batch_free(b);
}

static void test_plan__a_pattern_or_a_folder_of_outputs_is_an_edge(void **state)
{
    (void)state;
    char here[4096], path[4200];
    expect_edge("*", "made");
    expect_edge("out/*.txt", "out/a.txt");
    expect_edge("out/**", "out/d/e/a.txt");
    expect_edge("**/*.txt", "out/d/a.txt");
    expect_edge("o[u]t/a?b", "out/axb");
    expect_edge("out/", "out/d/a.txt");
    expect_edge("./", "out/a");
    assert_non_null(getcwd(here, sizeof here));
    snprintf(path, sizeof path, "%s/out/", here);
    expect_edge(path, "out/a");
    snprintf(path, sizeof path, "%s/../", here);
    expect_edge(path, "out/a");
    snprintf(path, sizeof path, "%s/out/*", here);
    expect_edge(path, "out/a");
    snprintf(path, sizeof path, "%s/out/a*", here);
    expect_edge(path, "./out/../out/ab");
    expect_edge("./out/*", "out/a");
    expect_edge("x/../out/./*", "out/a");
    expect_edge("/elsewhere/*", "/elsewhere/a");
    expect_edge("/elsewhere/", "/elsewhere/d/a");
    expect_no_edge("out/*.txt", "out/a.csv");
    expect_no_edge("out/*", "out/d/a");
    expect_no_edge("out/", "outer/a");
    expect_no_edge("./", "/elsewhere/a");
    expect_no_edge("*", "/a");
}

static void test_plan__a_pattern_with_values_finds_its_makers(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  use: {run: x, matrix: {n: [1, 2]}, inputs: [\"${{ n }}/*.a\", \"${{ n }}/*.b\"]}\n"
                    "  none: {run: x, matrix: {n: [1, 2]}, outputs: [\"3/${{ n }}.a\"]}\n"
                    "  make: {run: x, matrix: {n: [1, 2]}, outputs: [\"${{ n }}/x.b\"]}\n");
    selection *s = choose(b, "use");
    plan *p = open_plan(b, s);
    plan_ready one = expect(p, "make", 0), two = expect(p, "make", 1);
    expect_none(p);
    plan_settle(p, one.def, 0, PLAN_LEFT, NULL, 0);
    plan_settle(p, two.def, 1, PLAN_LEFT, NULL, 0);
    expect(p, "use", 0);
    expect(p, "use", 1);
    plan_close(p);
    selection_close(s);
    batch_free(b);
}

static void test_plan__refuses_a_pattern_over_outputs_of_the_same_job(void **state)
{
    (void)state;
    expect_refused(
        "version: 1\njobs:\n"
        "  a: {run: x, matrix: {n: [1, 2]}, inputs: [\"in/*\", \"out/1*\"], outputs: [\"out/${{ n }}\"]}\n",
        "output 'out/1' is also an input");
    expect_refused(
        "version: 1\njobs:\n"
        "  a: {run: x, matrix: {n: [1, 2]}, inputs: [\"out/*_${{ n }}\"], outputs: [\"out/_1${{ n }}_2_\", "
        "\"out/${{ n }}_2\"]}\n",
        "is also an input");
}

static void test_plan__refuses_a_matrix_of_what_others_make(void **state)
{
    (void)state;
    expect_refused("version: 1\njobs:\n"
                   "  use: {run: x, matrix: {f: {glob: \"*.txt\", allow-empty: true}}}\n"
                   "  make: {run: x, outputs: [a.txt]}\n",
                   "the matrix of 'use' reads 'a.txt', which 'make' makes: add 'needs: make' to 'use'");
    write_file("list", "1\n");
    expect_refused("version: 1\njobs:\n"
                   "  use: {run: x, matrix: {f: {lines: ./list}}}\n"
                   "  make: {run: x, outputs: [list]}\n",
                   "the matrix of 'use' reads 'list', which 'make' makes");
    write_file("b.txt", "");
    expect_refused(
        "version: 1\njobs:\n"
        "  use: {run: x, matrix: {f: {glob: \"*.txt\"}}, outputs: [\"${{ f.stem }}.sorted.txt\"]}\n",
        "the matrix of 'use' reads '*.txt', and it makes 'b.sorted.txt' itself");
    batch *b = load("version: 1\njobs:\n"
                    "  use: {run: x, needs: between, matrix: {f: {lines: list}}}\n"
                    "  between: {run: x, needs: make}\n"
                    "  make: {run: x, outputs: [list]}\n");
    plan_close(open_plan(b, NULL));
    batch_free(b);
}

/* Instances that become known during the run: who reads what they make must wait for them. */
static void test_plan__late_outputs_need_a_written_need(void **state)
{
    (void)state;
    batch *b =
        load("version: 1\njobs:\n"
             "  make: {run: x}\n"
             "  each: {run: x, needs: make, matrix: {f: {glob: \"*.made\"}}, outputs: [\"out/${{ f }}\"]}\n"
             "  use: {run: x, inputs: [\"out/*\"]}\n");
    write_file("1.made", "");
    plan *p = open_plan(b, NULL);
    plan_ready make = expect(p, "make", 0);
    expect(p, "use", 0);
    plan_settle(p, make.def, 0, PLAN_LEFT, NULL, 0);
    plan_ready each = expect(p, "each", 0);
    assert_non_null(each.error);
    assert_non_null(strstr(each.error->text, "deja.yaml:5:"));
    assert_non_null(strstr(each.error->text, "'use' reads 'out/1.made'"));
    assert_non_null(strstr(each.error->text, "add 'needs: each' to 'use'"));
    plan_close(p);
    batch_free(b);
}

static void test_plan__late_inputs_wait_for_their_makers(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  make: {run: x}\n"
                    "  each: {run: x, needs: make, matrix: {f: {glob: \"*.made\"}}, inputs: [\"in/${{ f "
                    "}}\", \"in/*\"]}\n"
                    "  other: {run: x, outputs: [in/1.made]}\n");
    write_file("1.made", "");
    selection *s = choose(b, "each");
    plan *p = open_plan(b, s);
    plan_ready make = expect(p, "make", 0);
    expect_none(p);
    plan_settle(p, make.def, 0, PLAN_LEFT, NULL, 0);
    plan_ready other = expect(p, "other", 0);
    expect_none(p);
    plan_settle(p, other.def, 0, PLAN_LEFT, NULL, 0);
    plan_ready each = expect(p, "each", 0);
    plan_settle(p, each.def, 0, PLAN_LEFT, NULL, 0);
    assert_true(plan_finished(p));
    plan_close(p);
    selection_close(s);
    batch_free(b);
}

static void test_plan__a_late_cycle_fails_its_job_and_what_needs_it(void **state)
{
    (void)state;
    batch *b =
        load("version: 1\njobs:\n"
             "  make: {run: x}\n"
             "  each: {run: x, needs: make, matrix: {f: {glob: \"*.made\"}}, inputs: [\"in/${{ f }}\"]}\n"
             "  after: {run: x, needs: each, outputs: [in/1.made]}\n");
    write_file("1.made", "");
    plan *p = open_plan(b, NULL);
    plan_ready make = expect(p, "make", 0);
    plan_settle(p, make.def, 0, PLAN_LEFT, NULL, 0);
    plan_ready each = expect(p, "each", 0);
    assert_non_null(each.error);
    assert_non_null(strstr(each.error->text, "'each' reads 'in/1.made' of 'after', 'after' needs 'each'"));
    plan_settle(p, each.def, 0, PLAN_FAILED, NULL, 0);
    plan_ready after = expect(p, "after", 0);
    assert_string_equal(after.blocked_by->name, "each");
    plan_settle(p, after.def, 0, PLAN_FAILED, NULL, 0);
    assert_true(plan_finished(p));
    plan_close(p);
    batch_free(b);
}

static void test_plan__a_job_whose_need_failed_does_not_ask_for_its_instances(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  make: {run: x}\n"
                    "  each: {run: x, needs: make, matrix: {f: {glob: \"*.made\"}}}\n");
    plan_end ends[] = {PLAN_FAILED, PLAN_UNKNOWN};
    for (int i = 0; i < 2; i++) {
        plan *p = open_plan(b, NULL);
        plan_ready make = expect(p, "make", 0);
        plan_settle(p, make.def, 0, ends[i], NULL, 0);
        plan_ready each = expect(p, "each", 0);
        assert_null(each.error);
        assert_string_equal(each.blocked_by->name, "make");
        assert_int_equal(each.would, i);
        DEJA_AUTO_BUFFER deja_buffer name = {0};
        job_name(&name, each.def, each.index);
        assert_string_equal(deja_buffer_string(&name), "each");
        plan_close(p);
    }
    batch_free(b);
}

static void test_plan__what_one_instance_left_may_be_unknown(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, matrix: {n: [1, 2]}}\n  b: {run: x, needs: a}\n");
    plan *p = open_plan(b, NULL);
    deja_hash one = deja_hash_bytes("1", 1), left;
    plan_ready first = expect(p, "a", 0);
    plan_settle(p, first.def, 0, PLAN_LEFT, &one, 0);
    plan_settle(p, expect(p, "a", 1).def, 1, PLAN_LEFT, NULL, 0);
    assert_int_equal(plan_left(p, &b->jobs[1].needs[0], 0, &left), 0);
    plan_close(p);
    batch_free(b);
}

/* Neither time that grows with the square nor a stack that grows with the length: else this does not end. */
static void test_plan__long_chains_against_the_order_of_the_file(void **state)
{
    (void)state;
    enum { LENGTH = 20000 };
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_add_string(&text, "version: 1\njobs:\n");
    for (int i = 0; i < LENGTH; i++)
        deja_buffer_addf(&text, "  j%d: {run: x, %s: j%d, inputs: [f%d], outputs: [f%d]}\n", i,
                         i + 1 < LENGTH ? "needs" : "version", i + 1, i + 1, i);
    batch *b = load(deja_buffer_string(&text));
    plan *p = open_plan(b, NULL);
    plan_ready ready;
    for (int i = LENGTH; i-- > 0;) {
        assert_int_equal(plan_next(p, &ready), 1);
        assert_int_equal(ready.def->number, i);
        plan_settle(p, ready.def, 0, i == LENGTH / 2 ? PLAN_FAILED : PLAN_LEFT, NULL, 0);
    }
    assert_true(plan_finished(p));
    plan_close(p);
    batch_free(b);
}

static void test_plan__refuses_two_makers_of_one_output(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, matrix: {n: [1, 2]}, outputs: [same]}\n");
    plan *p;
    deja_error err;
    assert_true(plan_open(&p, b, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "'a[n=1]' and 'a[n=2]' both make 'same'"));
    batch_free(b);
}

static void test_plan__a_matrix_of_made_files_is_read_when_they_are_there(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  make: {run: x}\n"
                    "  each: {run: x, needs: make, matrix: {f: {glob: \"*.made\"}}}\n");
    plan *p = open_plan(b, NULL);
    int unexpanded;
    plan_total(p, &unexpanded);
    assert_int_equal(unexpanded, 1);
    plan_ready make = expect(p, "make", 0);
    write_file("1.made", "");
    write_file("2.made", "");
    plan_settle(p, make.def, 0, PLAN_LEFT, NULL, 0);
    expect(p, "each", 0);
    expect(p, "each", 1);
    assert_int_equal(plan_total(p, &unexpanded), 3);
    assert_int_equal(unexpanded, 0);
    plan_close(p);
    batch_free(b);
}

static void test_plan__a_matrix_that_stays_empty_fails_or_is_skipped(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n"
                    "  make: {run: x}\n"
                    "  none: {run: x, needs: make, matrix: {f: {glob: \"*.none\", allow-empty: true}}}\n"
                    "  after: {run: x, needs: none}\n"
                    "  bad: {run: x, needs: make, matrix: {f: {glob: \"*.none\"}}}\n");
    plan *p = open_plan(b, NULL);
    plan_ready make = expect(p, "make", 0);
    plan_settle(p, make.def, 0, PLAN_LEFT, NULL, 0);
    plan_ready after = expect(p, "after", 0);
    plan_ready bad = expect(p, "bad", 0);
    assert_non_null(bad.error);
    plan_settle(p, after.def, 0, PLAN_LEFT, NULL, 0);
    plan_settle(p, bad.def, 0, PLAN_FAILED, NULL, 0);
    assert_true(plan_finished(p));
    plan_close(p);
    batch_free(b);
}

/* A job of `count` instances, all settled with the outputs that they have now. */
static plan *settle_all(batch *b, uint32_t count)
{
    plan *p = open_plan(b, NULL);
    for (uint32_t i = 0; i < count; i++) {
        plan_ready ready = expect(p, "a", i);
        job j = {0};
        assert_int_equal(job_render(&j, b, ready.def, i, JOB_OUTPUTS, NULL), 0);
        plan_settle(p, ready.def, i, PLAN_LEFT, &(deja_hash){0}, outputs_stamp(&j));
        job_done(&j);
    }
    return p;
}

static void test_plan__many_outputs_are_looked_at_after_a_pause_and_never_before_they_count(void **state)
{
    (void)state;
    int64_t later = 0, began = deja_monotonic_ns(NULL);
    write_file("700", "made");
    batch *b = load("version: 1\njobs:\n"
                    "  a: {run: x, matrix: {n: {range: [1, 1001]}}, outputs: [\"${{ n }}\"]}\n"
                    "  b: {run: x, needs: a}\n");
    plan *p = settle_all(b, 1001);
    assert_int_equal(plan_changed(p, &b->jobs[1].needs[0], 0, began, &later), REMAINS_SAME);
    write_file("700", "edited");
    assert_int_equal(plan_changed(p, &b->jobs[1].needs[0], 0, began, &later), REMAINS_SAME);
    int64_t now = deja_monotonic_ns(NULL);
    assert_int_equal(plan_changed(p, &b->jobs[1].needs[0], 0, now, &later), REMAINS_LOOK_LATER);
    assert_true(later > now);
    assert_int_equal(plan_changed(p, &b->jobs[1].needs[0], 0, now, NULL), REMAINS_CHANGED);
    assert_int_equal(plan_changed(p, &b->jobs[1].needs[0], 0, began, &later), REMAINS_CHANGED);
    plan_close(p);
    batch_free(b);
}

static void test_plan__few_outputs_are_looked_at_at_once(void **state)
{
    (void)state;
    int64_t later = 0;
    write_file("2", "made");
    batch *b = load("version: 1\njobs:\n"
                    "  a: {run: x, matrix: {n: [1, 2]}, outputs: [\"${{ n }}\"]}\n"
                    "  b: {run: x, needs: a}\n");
    plan *p = settle_all(b, 2);
    assert_int_equal(plan_changed(p, &b->jobs[1].needs[0], 0, deja_monotonic_ns(NULL), &later), REMAINS_SAME);
    write_file("2", "edited");
    assert_int_equal(plan_changed(p, &b->jobs[1].needs[0], 0, deja_monotonic_ns(NULL), &later),
                     REMAINS_CHANGED);
    plan_close(p);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_plan__hands_out_in_batch_order),
        CASE(test_plan__of_a_selection_only_the_chosen_instances),
        CASE(test_plan__waits_for_all_instances_of_a_needed_job),
        CASE(test_plan__failure_blocks_what_needs_it_and_nothing_else),
        CASE(test_plan__left_depends_on_every_instance_in_order),
        CASE(test_plan__selects_a_job_with_all_it_needs),
        CASE(test_plan__an_input_that_is_an_output_is_an_edge),
        CASE(test_plan__standard_input_that_is_an_output_is_an_edge),
        CASE(test_plan__a_program_that_a_job_makes_is_an_edge),
        CASE(test_plan__refuses_a_cycle_through_files_link_by_link),
        CASE(test_plan__a_pattern_or_a_folder_of_outputs_is_an_edge),
        CASE(test_plan__a_pattern_with_values_finds_its_makers),
        CASE(test_plan__refuses_a_pattern_over_outputs_of_the_same_job),
        CASE(test_plan__refuses_a_matrix_of_what_others_make),
        CASE(test_plan__late_outputs_need_a_written_need),
        CASE(test_plan__late_inputs_wait_for_their_makers),
        CASE(test_plan__a_late_cycle_fails_its_job_and_what_needs_it),
        CASE(test_plan__a_job_whose_need_failed_does_not_ask_for_its_instances),
        CASE(test_plan__what_one_instance_left_may_be_unknown),
        CASE(test_plan__long_chains_against_the_order_of_the_file),
        CASE(test_plan__refuses_two_makers_of_one_output),
        CASE(test_plan__a_matrix_of_made_files_is_read_when_they_are_there),
        CASE(test_plan__a_matrix_that_stays_empty_fails_or_is_skipped),
        CASE(test_plan__many_outputs_are_looked_at_after_a_pause_and_never_before_they_count),
        CASE(test_plan__few_outputs_are_looked_at_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
