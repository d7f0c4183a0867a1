/* outputs.h: who makes which path, and the life of an output around a run. */
#include "job_fixture.h"

#include "failing_alloc.h"
#include "outputs.h"
#include <sys/stat.h>

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

static void test_outputs__two_that_make_one_path_are_named(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, matrix: {n: [1, 2]}, outputs: [\"${{ n }}\", both]}\n");
    outputs_index x = {0};
    deja_error err = {0};
    assert_int_equal(add_all(&x, b, &err), DEJA_ESYNTAX);
    assert_non_null(strstr(err.text, "deja.yaml:3:58: 'a[n=1]' and 'a[n=2]' both make 'both'"));
    outputs_index_done(&x);
    batch_free(b);
}

static void test_outputs__index_knows_hashes_by_maker(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, outputs: [o]}\n  b: {run: x, outputs: [p]}\n");
    outputs_index x = {0};
    deja_error err;
    uint32_t number = 9, index = 9;
    uint64_t o = outputs_path_hash("o"), p = outputs_path_hash("p");
    assert_int_equal(outputs_index_has(&x, o, -1), 0);
    assert_int_equal(outputs_index_find(&x, b, "o", &number, &index, &err), 0);
    for (uint32_t i = 0; i < 2; i++) {
        job j = render(b, b->jobs[i].name, 0);
        assert_int_equal(outputs_index_add(&x, b, &j, &err), 0);
        job_done(&j);
    }
    assert_int_equal(outputs_index_has(&x, o, -1), 1);
    assert_int_equal(outputs_index_has(&x, o, 0), 1);
    assert_int_equal(outputs_index_has(&x, o, 1), 0);
    assert_int_equal(outputs_index_has(&x, p, 1), 1);
    assert_int_equal(outputs_index_has(&x, o + 1, -1), 0);
    assert_int_equal(outputs_index_find(&x, b, "q", &number, &index, &err), 0);
    assert_int_equal(number, 9);
    assert_int_equal(outputs_index_find(&x, b, "p", &number, &index, &err), 1);
    assert_int_equal(number, 1);
    assert_int_equal(index, 0);
    outputs_index_done(&x);
    batch_free(b);
}

static void test_outputs__an_input_means_a_path(void **state)
{
    (void)state;
    static const struct {
        job_input in;
        const char *path;
        int means;
    } cases[] = {
        {{.path = "a/b"}, "a/b", 1},
        {{.path = "a"}, "a/b", 0},
        {{.path = "a*"}, "ab", 0},
        {{.path = "a*", .pattern = 1}, "ab", 1},
        {{.path = "a*", .pattern = 1}, "a/b", 0},
        {{.path = "**/b", .pattern = 1}, "/x/b", 0},
        {{.path = "/x/*", .pattern = 1}, "/x/b", 1},
        {{.path = "a", .folder = 1}, "a/b/c", 1},
        {{.path = "a", .folder = 1}, "a", 0},
        {{.path = "a", .folder = 1}, "ab/c", 0},
        {{.path = ".", .folder = 1}, "a", 1},
        {{.path = ".", .folder = 1}, "/a", 0},
        {{.path = "/", .folder = 1}, "/a/b", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (outputs_match(&cases[i].in, cases[i].path) != cases[i].means)
            fail_msg("'%s' and '%s'", cases[i].in.path, cases[i].path);
}

static void test_outputs__are_claimed_by_their_absolute_path(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x}\n");
    char full[8192];
    snprintf(full, sizeof full, "%s/d/o", b->folder);
    deja_hash relative = outputs_claim(b, "d/o"), absolute = outputs_claim(b, full),
              other = outputs_claim(b, "d/p");
    assert_true(deja_hash_equal(&relative, &absolute));
    assert_false(deja_hash_equal(&relative, &other));
    mkdir("d", 0700);
    assert_int_equal(symlink("d", "e") | symlink("o", "d/p"), 0);
    deja_hash made = outputs_claim(b, "d/o"), linked = outputs_claim(b, "e/o"),
              last = outputs_claim(b, "e/p"), deep = outputs_claim(b, "d/x/y/o"),
              deep_linked = outputs_claim(b, "e/x/y/o");
    assert_true(deja_hash_equal(&made, &relative));
    assert_true(deja_hash_equal(&linked, &relative));
    assert_true(deja_hash_equal(&last, &other));
    assert_true(deja_hash_equal(&deep, &deep_linked));
    batch_free(b);
}

/* Links are outputs of their own, whatever they lead to; folders around outputs stay. */
static void test_outputs__links_are_themselves(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, outputs: [d/link, dangling]}\n");
    job j = render(b, "a", 0);
    deja_error err;
    write_file("target", "kept");
    mkdir("d", 0700);
    assert_int_equal(symlink("../target", "d/link") | symlink("nowhere", "dangling"), 0);
    assert_int_equal(outputs_check(&j, &err), 0);
    assert_int_equal(outputs_prepare(&j, NULL, 0, &err), 0);
    assert_int_equal(unlink("d/link"), -1);
    assert_int_equal(unlink("dangling"), -1);
    assert_int_equal(symlink("../target", "d/link"), 0);
    outputs_remove(&j);
    assert_int_equal(unlink("d/link"), -1);
    assert_int_equal(access("d", F_OK), 0);
    assert_string_equal(read_file("target"), "kept");
    job_done(&j);
    batch_free(b);
}

static void test_outputs__refuses_special_files_and_files_as_folders(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, outputs: [pipe]}\n  b: {run: x, outputs: [f/o]}\n");
    job a = render(b, "a", 0), below = render(b, "b", 0);
    deja_error err = {0};
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(outputs_check(&a, &err), DEJA_ETYPE);
    assert_string_equal(err.text, "its output 'pipe' is neither a file nor a link");
    write_file("f", "");
    assert_true(outputs_prepare(&below, NULL, 0, &err) < 0);
    assert_non_null(strstr(err.text, "f"));
    assert_string_equal(read_file("f"), "");
    job_done(&a);
    job_done(&below);
    batch_free(b);
}

static void test_outputs__lack_of_memory_is_an_error(void **state)
{
    (void)state;
    batch *b =
        load("version: 1\njobs:\n  a: {run: x, matrix: {n: {range: [1, 400]}}, outputs: [\"o${{ n }}\"]}\n");
    job j = {0};
    deja_error err = {0};
    outputs_index x = {0};
    int failures = 0;
    for (uint32_t i = 0; i < 400; i++) {
        assert_int_equal(job_render(&j, b, &b->jobs[0], i, JOB_OUTPUTS, &err), 0);
        failing_alloc_at(1);
        int status = outputs_index_add(&x, b, &j, &err);
        failing_alloc_at(0);
        if (status == 0)
            continue;
        assert_int_equal(status, DEJA_ENOMEM);
        failures++;
        assert_int_equal(outputs_index_add(&x, b, &j, &err), 0);
    }
    assert_int_equal(failures, 3); /* the first table, and at 192 and 384 */
    assert_int_equal(x.count, 400);
    job_done(&j);
    outputs_index_done(&x);
    batch_free(b);
}

static void test_outputs__a_stamp_sees_files_through_links(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, outputs: [file, link, folder]}\n");
    job j = render(b, "a", 0);
    mkdir("d", 0700);
    write_file("file", "1");
    write_file("data", "1");
    assert_int_equal(symlink("data", "link"), 0);
    assert_int_equal(symlink("d", "folder"), 0);
    uint64_t stamp = outputs_stamp(&j);
    assert_true(outputs_stamp(&j) == stamp);
    write_file("d/f", "what is in a folder does not count");
    assert_true(outputs_stamp(&j) == stamp);
    write_file("data", "22");
    assert_false(outputs_stamp(&j) == stamp);
    job_done(&j);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_outputs__old_ones_go_and_folders_come),
        CASE(test_outputs__index_finds_each_of_many),
        CASE(test_outputs__refuses_an_output_that_is_read),
        CASE(test_outputs__two_that_make_one_path_are_named),
        CASE(test_outputs__index_knows_hashes_by_maker),
        CASE(test_outputs__an_input_means_a_path),
        CASE(test_outputs__are_claimed_by_their_absolute_path),
        CASE(test_outputs__links_are_themselves),
        CASE(test_outputs__refuses_special_files_and_files_as_folders),
        CASE(test_outputs__lack_of_memory_is_an_error),
        CASE(test_outputs__a_stamp_sees_files_through_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
