/* job.h, environment.h, reads.h, outputs.h: one instance, rendered. */
#include "batch_fixture.h"

#include "environment.h"
#include "outputs.h"
#include "reads.h"
#include <deja/cleanup.h>
#include <fcntl.h>

static job render(const batch *b, const char *name, uint32_t index)
{
    job j = {0};
    deja_error err;
    if (job_render(&j, b, batch_find(b, name, strlen(name)), index, JOB_ALL, &err) < 0)
        fail_msg("%s", err.text);
    return j;
}

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

static const char *const outer[] = {
    "PATH=/bin", "LANG=C", "SECRET_KEY=s3cret", "FOO=outer",         "LC_TIME=x",
    "OTHER=o",   "PWD=/x", "HOME=/h",           "MKL_NUM_THREADS=7", NULL};

/* The names and values of the key's environment fields as "NAME=value;NAME!;NAME#;". */
static const char *environment_fields(const char *text)
{
    static char line[4096];
    batch *b = load(text);
    job j = render(b, "a", 0);
    deja_key key = {0};
    deja_error err;
    size_t at = 0, n = 0;
    deja_field field;
    deja_key_begin(&key, "command");
    assert_int_equal(environment_key(&key, &j, outer, &err), 0);
    while (deja_field_next(key.bytes.data, key.bytes.len, &at, &field) > 0) {
        const char *sign = field.tag == DEJA_FIELD_ENV ? "=" : field.tag == DEJA_FIELD_ENV_ABSENT ? "!" : "#";
        if (field.tag == DEJA_FIELD_KIND)
            continue;
        n += (size_t)snprintf(line + n, sizeof line - n, "%.*s%s%.*s;", (int)field.name_len, field.name, sign,
                              field.tag == DEJA_FIELD_ENV ? (int)field.value_len : 0,
                              (const char *)field.value);
    }
    deja_key_done(&key);
    job_done(&j);
    batch_free(b);
    return line;
}

static void test_environment__key_has_named_variables_and_the_locale(void **state)
{
    (void)state;
    assert_string_equal(environment_fields("version: 1\njobs:\n  a: {run: x}\n"), "LANG=C;LC_TIME=x;TZ!;");
    assert_string_equal(
        environment_fields("version: 1\njobs:\n  a: {run: x, env: [FOO, NONE, SECRET_KEY]}\n"),
        "FOO=outer;LANG=C;LC_TIME=x;NONE!;SECRET_KEY#;TZ!;");
    assert_string_equal(
        environment_fields("version: 1\njobs:\n  a: {run: x, env: {FOO: \"in ner\", TZ: \"\"}}\n"),
        "FOO=in ner;LANG=C;LC_TIME=x;TZ=;");
    assert_string_equal(environment_fields("version: 1\njobs:\n  a: {run: x, clean-env: true, env: [FOO]}\n"),
                        "FOO=outer;LANG!;TZ!;");
}

static const char *const *build_environment(job *j)
{
    const char *const *list;
    deja_error err;
    assert_int_equal(environment_build(&list, j, outer, "/work", "abc", &err), 0);
    return list;
}

static void test_environment__job_sees_all_and_what_deja_adds(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, env: {FOO: inner}}\n  c: {run: x, clean-env: true, "
                    "env: [OTHER]}\n");
    job a = render(b, "a", 0), c = render(b, "c", 0);
    const char *const *list = build_environment(&a);
    assert_string_equal(environment_get(list, "FOO"), "inner");
    assert_string_equal(environment_get(list, "OTHER"), "o");
    assert_string_equal(environment_get(list, "PWD"), "/work");
    assert_string_equal(environment_get(list, "DEJA_CLAIMS"), "abc");
    assert_string_equal(environment_get(list, "OMP_NUM_THREADS"), "1");
    assert_string_equal(environment_get(list, "MKL_NUM_THREADS"), "7");
    list = build_environment(&c);
    assert_string_equal(environment_get(list, "OTHER"), "o");
    assert_string_equal(environment_get(list, "HOME"), "/h");
    assert_null(environment_get(list, "FOO"));
    assert_null(environment_get(list, "LANG"));
    job_done(&a);
    job_done(&c);
    batch_free(b);
}

static void test_reads__opens_patterns_and_folders_sorted_and_once(void **state)
{
    (void)state;
    mkdir("d", 0700);
    mkdir("d/e", 0700);
    mkdir("empty", 0700);
    mkdir("d/bare", 0700);
    mkdir("away", 0700);
    write_file("away/x", "");
    write_file("d/b", "");
    write_file("d/.h", "");
    write_file("d/e/new\nline", "");
    assert_int_equal(symlink("b", "d/link"), 0);
    assert_int_equal(symlink("nowhere", "d/dangling"), 0);
    assert_int_equal(symlink("../away", "d/way"), 0);
    assert_int_equal(symlink("../../d", "d/e/up"), 0);
    batch *b = load("version: 1\njobs:\n  a: {run: x, stdin: d/b, inputs: [z, d/, \"d/?\", empty/]}\n");
    job j = render(b, "a", 0);
    reads r = {0};
    deja_error err;
    assert_int_equal(reads_list(&r, &j, "/bin/x", &err), 0);
    const char *const paths[] = {"/bin/x",
                                 "d/b",
                                 "d/.h",
                                 "d/b",
                                 "d/dangling",
                                 "d/e/new\nline",
                                 "d/e/up",
                                 "d/e/up/.h",
                                 "d/e/up/b",
                                 "d/e/up/dangling",
                                 "d/e/up/e/new\nline",
                                 "d/e/up/e/up",
                                 "d/e/up/link",
                                 "d/e/up/way",
                                 "d/e/up/way/x",
                                 "d/link",
                                 "d/way",
                                 "z"};
    for (size_t i = 0; i < r.count && i < sizeof paths / sizeof *paths; i++)
        assert_string_equal(r.items[i].path, paths[i]);
    assert_int_equal(r.count, sizeof paths / sizeof *paths);
    assert_int_equal(r.items[4].flags, DEJA_DIGEST_NO_FOLLOW);
    assert_int_equal(r.items[15].flags, 0);
    assert_int_equal(r.items[16].flags, DEJA_DIGEST_NO_FOLLOW);
    assert_int_equal(r.empty_count, 3);
    assert_string_equal(r.empty[0], "d/bare");
    assert_string_equal(r.empty[1], "d/e/up/bare");
    assert_string_equal(r.empty[2], "empty");
    reads_done(&r);
    job_done(&j);
    batch_free(b);
}

static void test_reads__refuses_what_matches_nothing_and_its_own_output(void **state)
{
    (void)state;
    write_file("a.c", "");
    batch *b =
        load("version: 1\njobs:\n  a: {run: x, inputs: [\"*.none\"]}\n  b: {run: x, inputs: [nodir/]}\n"
             "  c: {run: x, matrix: {n: [a]}, inputs: [\"*.c\"], outputs: [\"${{ n }}.c\"]}\n");
    reads r = {0};
    deja_error err;
    job a = render(b, "a", 0), nodir = render(b, "b", 0), own = render(b, "c", 0);
    assert_int_equal(reads_list(&r, &a, NULL, &err), DEJA_ENOTFOUND);
    assert_non_null(strstr(err.text, "'*.none' matches no file"));
    assert_int_equal(reads_list(&r, &nodir, NULL, &err), DEJA_ENOTFOUND);
    assert_int_equal(reads_list(&r, &own, NULL, &err), DEJA_EINVAL);
    reads_done(&r);
    job_done(&a);
    job_done(&nodir);
    job_done(&own);
    batch_free(b);
}

static void test_reads__finds_programs_as_execvp_does(void **state)
{
    (void)state;
    deja_buffer found = {0};
    mkdir("bin", 0700);
    mkdir("bin/dir", 0700);
    write_file("bin/plain", "");
    write_file("bin/tool", "");
    chmod("bin/tool", 0700);
    chmod("bin/plain", 0600);
    assert_int_equal(reads_find_program(AT_FDCWD, "tool", "/nonexistent::bin", ".", &found), 1);
    assert_string_equal(found.data, "bin/tool");
    deja_buffer_clear(&found);
    assert_int_equal(reads_find_program(AT_FDCWD, "plain", "bin", ".", &found), 0);
    assert_int_equal(reads_find_program(AT_FDCWD, "dir", "bin", ".", &found), 0);
    deja_buffer_clear(&found);
    assert_int_equal(reads_find_program(AT_FDCWD, "./tool", "/x", "bin", &found), 1);
    deja_buffer_done(&found);
}

static void test_outputs__old_ones_go_and_folders_come(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, outputs: [new/er/one, old]}\n");
    job j = render(b, "a", 0);
    deja_error err;
    write_file("old", "old");
    assert_int_equal(outputs_prepare(&j, NULL, 0, &err), 0);
    assert_null(read_file("old"));
    assert_int_equal(outputs_check(&j, &err), DEJA_ENOTFOUND);
    assert_string_equal(err.text, "it did not make its output 'new/er/one'");
    write_file("new/er/one", "1");
    mkdir("old", 0700);
    assert_int_equal(outputs_check(&j, &err), DEJA_ETYPE);
    assert_int_equal(outputs_prepare(&j, NULL, 0, &err), DEJA_EEXIST);
    assert_non_null(strstr(err.text, "folder of this name is in the way"));
    rmdir("old");
    write_file("old", "2");
    write_file("new/er/one", "1");
    assert_int_equal(outputs_check(&j, &err), 0);
    outputs_remove(&j);
    assert_null(read_file("old"));
    assert_null(read_file("new/er/one"));
    job_done(&j);
    batch_free(b);
}

/* The outputs of all instances of the first job. */
static int add_all(outputs_index *x, const batch *b, deja_error *err)
{
    job j = {0};
    uint32_t count;
    int status = matrix_count(b->jobs[0].matrix, &count, err);
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        assert_int_equal(job_render(&j, b, &b->jobs[0], i, JOB_ALL, err), 0);
        status = outputs_index_add(x, b, &j, err);
        if (status == 0)
            status = outputs_check_inputs(x, &j, err);
    }
    job_done(&j);
    return status;
}

static void test_outputs__index_finds_each_of_many(void **state)
{
    (void)state;
    batch *b = load(
        "version: 1\njobs:\n  a: {run: x, matrix: {n: {range: [0, 9999]}}, outputs: [\"o/${{ n }}\"]}\n");
    outputs_index x = {0};
    deja_error err;
    uint32_t number, index;
    assert_int_equal(add_all(&x, b, &err), 0);
    assert_int_equal(x.count, 10000);
    for (uint32_t i = 0; i < 10000; i += 37) {
        char path[32];
        snprintf(path, sizeof path, "o/%u", i);
        assert_int_equal(outputs_index_find(&x, b, path, &number, &index, &err), 1);
        assert_int_equal(index, i);
    }
    assert_int_equal(outputs_index_find(&x, b, "o/10000", &number, &index, &err), 0);
    outputs_index_done(&x);
    batch_free(b);
}

static void test_outputs__refuses_an_output_that_is_read(void **state)
{
    (void)state;
    const char *const inputs[] = {"[o/x.c]", "[\"o/*.c\"]", "[o/]", "[./]"};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        char text[256];
        snprintf(
            text, sizeof text,
            "version: 1\njobs:\n  a: {run: x, matrix: {n: [x]}, inputs: %s, outputs: [\"o/${{ n }}.c\"]}\n",
            inputs[i]);
        batch *b = load(text);
        outputs_index x = {0};
        deja_error err = {0};
        assert_true(add_all(&x, b, &err) < 0);
        assert_non_null(strstr(err.text, "output 'o/x.c' is also an input"));
        outputs_index_done(&x);
        batch_free(b);
    }
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
        CASE(test_environment__key_has_named_variables_and_the_locale),
        CASE(test_environment__job_sees_all_and_what_deja_adds),
        CASE(test_reads__opens_patterns_and_folders_sorted_and_once),
        CASE(test_reads__refuses_what_matches_nothing_and_its_own_output),
        CASE(test_reads__finds_programs_as_execvp_does),
        CASE(test_outputs__old_ones_go_and_folders_come),
        CASE(test_outputs__index_finds_each_of_many),
        CASE(test_outputs__refuses_an_output_that_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
