/* The word include: batches of several files. */
#include "batch_fixture.h"

#include "failing_alloc.h"
#include <deja/cleanup.h>
#include <sys/stat.h>

/* "a b c", the names of the jobs, or the text of the error; static memory. */
static const char *jobs_of(const char *text)
{
    static char result[2048];
    char folder[4096];
    deja_error err;
    batch *b = NULL;
    assert_non_null(getcwd(folder, sizeof folder));
    if (batch_load_text(&b, "dir/main.yaml", text, strlen(text), folder, &err)) {
        snprintf(result, sizeof result, "%s", err.text);
        return result;
    }
    result[0] = '\0';
    for (uint32_t i = 0; i < b->job_count; i++)
        snprintf(result + strlen(result), sizeof result - strlen(result), "%s%s", i ? " " : "",
                 b->jobs[i].name);
    batch_free(b);
    return result;
}

static void test_batch_parts__jobs_come_before_those_of_the_file_itself(void **state)
{
    (void)state;
    assert_int_equal(mkdir("sub", 0700), 0);
    write_file("a.yaml", "version: 1\ninclude: sub/b.yaml\njobs: {a1: {run: x}, a2: {run: x, needs: m}}\n");
    write_file("sub/b.yaml", "version: 1\ninclude: [../c.yaml]\njobs: {b: {run: x, needs: c}}\n");
    write_file("c.yaml", "version: 1\njobs: {c: {run: x}}\n");
    assert_string_equal(jobs_of("version: 1\ninclude: [./a.yaml, c.yaml]\njobs: {m: {run: x, needs: b}}\n"),
                        "c b a1 a2 m");
    assert_string_equal(jobs_of("version: 1\ninclude: [c.yaml]\n"), "c");
}

static void test_batch_parts__paths_are_those_of_the_batch(void **state)
{
    (void)state;
    deja_error err;
    assert_int_equal(mkdir("sub", 0700), 0);
    write_file("sub/b.yaml", "version: 1\njobs: {b: {run: x, matrix: {l: {lines: list}}}}\n");
    write_file("list", "1\n2\n");
    batch *b = load("version: 1\ninclude: [sub/b.yaml]\n");
    assert_int_equal(batch_expand(b, &b->jobs[0], &err), 0);
    batch_free(b);
}

static void test_batch_parts__variables_and_defaults_of_other_files(void **state)
{
    (void)state;
    write_file(
        "a.yaml",
        "version: 1\nvars: {x: 1}\ndefaults: {version: a, scope: a}\njobs: {a: {run: \"x ${{ y }}\"}}\n");
    write_file("b.yaml", "version: 1\ninclude: [a.yaml]\ndefaults: {scope: b}\njobs: {b: {run: x}}\n");
    batch *b =
        load("version: 1\ninclude: [b.yaml, a.yaml]\nvars: {y: \"${{ x }}2\"}\ndefaults: {keep: record}\n"
             "jobs: {m: {run: \"${{ x }}\", version: m}}\n");
    const batch_job *a = &b->jobs[0], *other = &b->jobs[1], *m = &b->jobs[2];
    assert_string_equal(batch_find_var(b, "y")->text, "12");
    assert_string_equal(a->version, "a");
    assert_string_equal(a->scope, "a");
    assert_string_equal(other->version, "a");
    assert_string_equal(other->scope, "b");
    assert_string_equal(m->version, "m");
    assert_string_equal(m->scope, "b");
    assert_true(m->keep_record && !other->keep_record);
    batch_free(b);
}

static void test_batch_parts__errors_stand_in_their_file(void **state)
{
    (void)state;
    deja_error err;
    write_file("a.yaml", "version: 1\njobs:\n  a:\n    rum: x\n");
    assert_string_equal(jobs_of("version: 1\ninclude: [a.yaml]\n"),
                        "dir/a.yaml:4:5: unknown word 'rum' in a job, did you mean 'run'?\n    4 |     rum: "
                        "x\n      |     ^");
    write_file("a.yaml", "version: 1\njobs:\n  a: {run: \"x ${{ nothing }}\"}\n");
    assert_string_equal(jobs_of("version: 1\ninclude: [a.yaml]\n"),
                        "dir/a.yaml:3:15: unknown name 'nothing'; known here: inputs, outputs\n"
                        "    3 |   a: {run: \"x ${{ nothing }}\"}\n      |               ^");
    write_file("a.yaml", "version: 1\njobs: [\n");
    assert_non_null(strstr(jobs_of("version: 1\ninclude: [a.yaml]\n"), "dir/a.yaml:2:"));
    write_file("a.yaml", "jobs: {a: {run: x}}\n");
    assert_non_null(
        strstr(jobs_of("version: 1\ninclude: [a.yaml]\n"), "dir/a.yaml:1:1: 'version' is missing"));
    write_file("a.yaml", "");
    assert_non_null(strstr(jobs_of("version: 1\ninclude: [a.yaml]\n"), "dir/a.yaml:1:1: the file is empty"));
    write_file("a.yaml", "version: 1\njobs: {a: {run: x, matrix: {l: {lines: none}}}}\n");
    batch *b = load("version: 1\ninclude: [a.yaml]\n");
    assert_true(batch_expand(b, &b->jobs[0], &err) < 0);
    assert_non_null(strstr(err.text, "a.yaml:2:40: open 'none'"));
    batch_free(b);
}

static void test_batch_parts__names_of_two_files_collide(void **state)
{
    (void)state;
    write_file("a.yaml", "version: 1\nvars: {v: 1}\njobs:\n  a: {run: x}\n");
    assert_string_equal(jobs_of("version: 1\ninclude: [a.yaml]\njobs: {b: {run: x}, a: {run: x}}\n"),
                        "dir/main.yaml:3:21: there is already a job 'a', in 'dir/a.yaml', line 4\n"
                        "    3 | jobs: {b: {run: x}, a: {run: x}}\n      |                     ^");
    assert_string_equal(jobs_of("version: 1\ninclude: [a.yaml]\nvars: {v: 2}\n"),
                        "dir/main.yaml:3:8: there is already a variable 'v', in 'dir/a.yaml', line 2\n"
                        "    3 | vars: {v: 2}\n      |        ^");
    assert_string_equal(
        jobs_of("version: 1\ninclude: [a.yaml]\njobs: {b: {run: x, matrix: {v: [1]}}}\n"),
        "dir/main.yaml:3:29: 'v' already names a variable, in 'dir/a.yaml', line 2: names in expressions "
        "must differ\n    3 | jobs: {b: {run: x, matrix: {v: [1]}}}\n      |                             ^");
}

static void test_batch_parts__cycles_are_named(void **state)
{
    (void)state;
    write_file("a.yaml", "version: 1\ninclude: [b.yaml]\n");
    write_file("b.yaml", "version: 1\ninclude: [a.yaml]\n");
    assert_string_equal(
        jobs_of("version: 1\ninclude: [a.yaml]\n"),
        "dir/b.yaml:2:11: files include each other: 'a.yaml' includes 'b.yaml' includes 'a.yaml'\n"
        "    2 | include: [a.yaml]\n      |           ^");
    assert_string_equal(jobs_of("version: 1\ninclude: [x/../main.yaml]\n"),
                        "dir/main.yaml:2:11: files include each other: 'main.yaml' includes 'main.yaml'\n"
                        "    2 | include: [x/../main.yaml]\n      |           ^");
    assert_string_equal(jobs_of("version: 1\ninclude: none.yaml\n"),
                        "dir/main.yaml:2:10: there is no file 'none.yaml'\n"
                        "    2 | include: none.yaml\n      |          ^");
}

/* Each file twice, over and over: no path through them is walked twice. */
static void test_batch_parts__many_ways_to_a_file_are_one(void **state)
{
    (void)state;
    char name[32], text[128];
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "%d.yaml", i);
        snprintf(text, sizeof text, "version: 1\ninclude: [%d.yaml, %d.yaml]\ndefaults: {scope: s}\n", i + 1,
                 i + 1);
        write_file(name, text);
    }
    write_file("60.yaml", "version: 1\njobs: {last: {run: x}}\n");
    assert_string_equal(jobs_of("version: 1\ninclude: [0.yaml]\n"), "last");
    snprintf(text, sizeof text, "version: 1\ninclude: [./link/60.yaml]\n");
    write_file("60.yaml", text);
    assert_int_equal(symlink(".", "link"), 0);
    /* The kernel follows 40 links, we go through 64 files: whichever comes first ends it. */
    assert_non_null(strstr(jobs_of("version: 1\ninclude: [60.yaml]\n"), "link/link/link/"));
}

static void test_batch_parts__survives_every_failed_allocation(void **state)
{
    (void)state;
    char folder[4096];
    static const char text[] = "version: 1\ninclude: [a.yaml]\nvars: {y: 2}\njobs: {m: {run: x, needs: a}}\n";
    assert_non_null(getcwd(folder, sizeof folder));
    write_file("a.yaml", "version: 1\nvars: {x: 1}\ndefaults: {version: a}\njobs: {a: {run: x}}\n");
    for (long n = 1, hits = 1; hits; n++) {
        batch *b = NULL;
        deja_error err = {0};
        failing_alloc_at(n);
        int code = batch_load_text(&b, "b", text, strlen(text), folder, &err);
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
        in_scratch(test_batch_parts__jobs_come_before_those_of_the_file_itself),
        in_scratch(test_batch_parts__paths_are_those_of_the_batch),
        in_scratch(test_batch_parts__variables_and_defaults_of_other_files),
        in_scratch(test_batch_parts__errors_stand_in_their_file),
        in_scratch(test_batch_parts__names_of_two_files_collide),
        in_scratch(test_batch_parts__cycles_are_named),
        in_scratch(test_batch_parts__many_ways_to_a_file_are_one),
        in_scratch(test_batch_parts__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
