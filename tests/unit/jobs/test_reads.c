/* reads.h: what a job reads. */
#include "job_fixture.h"

#include "failing_alloc.h"
#include "reads.h"
#include <deja/cleanup.h>
#include <errno.h>
#include <fcntl.h>

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

/* A list as a digest leaves it: content of each item by its number. */
static void hash_items(reads *r)
{
    for (size_t i = 0; i < r->count; i++)
        r->items[i].content =
            (deja_content){.kind = DEJA_CONTENT_FILE, .size = i, .hash = deja_hash_bytes(&i, sizeof i)};
}

static void test_reads__the_key_has_program_standard_input_and_inputs(void **state)
{
    (void)state;
    char line[1024] = "";
    write_file("in", "");
    mkdir("empty", 0700);
    batch *b = load("version: 1\njobs:\n  a: {run: x, stdin: in, inputs: [z, a, z, empty/]}\n");
    job j = render(b, "a", 0);
    reads r = {0};
    deja_key key = {0};
    size_t at = 0, n = 0;
    deja_field field;
    assert_int_equal(reads_list(&r, &j, "/bin/x", NULL), 0);
    hash_items(&r);
    deja_key_begin(&key, "command");
    reads_key(&r, &key);
    while (deja_field_next(key.bytes.data, key.bytes.len, &at, &field) > 0) {
        deja_content content = {.size = 99};
        if (field.tag == DEJA_FIELD_KIND)
            continue;
        assert_int_equal(deja_field_content(&field, &content), 0);
        n += (size_t)snprintf(line + n, sizeof line - n, "%d %.*s %d %d;", field.tag, (int)field.name_len,
                              field.name, content.kind, (int)content.size);
    }
    assert_string_equal(line, "12  1 0;14 in 1 1;13 a 1 2;13 z 1 3;13 empty 3 0;");
    deja_key_done(&key);
    reads_done(&r);
    job_done(&j);
    batch_free(b);
}

/* No program, or one that cannot be read, is a field without a value: still not the same as none at all. */
static void test_reads__a_program_that_cannot_be_read_is_told_apart(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x}\n");
    job j = render(b, "a", 0);
    reads r = {0};
    deja_error err;
    assert_int_equal(reads_list(&r, &j, NULL, &err), 0);
    assert_int_equal(reads_check_program(&r, &err), 0);
    assert_int_equal(reads_list(&r, &j, "/bin/x", &err), 0);
    assert_int_equal(reads_check_program(&r, &err), 0);
    r.items[0].sys_errno = EACCES;
    assert_int_equal(reads_check(&r, &err), 0);
    assert_true(reads_check_program(&r, &err) < 0);
    assert_string_equal(err.text, "read program '/bin/x': Permission denied");
    reads_done(&r);
    job_done(&j);
    batch_free(b);
}

static void test_reads__trouble_is_told_for_people(void **state)
{
    (void)state;
    static const struct {
        int sys_errno, code;
        const char *text;
    } cases[] = {
        {ENOENT, DEJA_ENOTFOUND, "input 'f' does not exist"},
        {EISDIR, DEJA_ETYPE, "input 'f' is a folder: write 'f/' to mean all files below it"},
        {EINVAL, DEJA_ETYPE, "input 'f' is neither a file nor a link to one"},
        {EAGAIN, DEJA_ECHANGED, "input 'f' keeps changing while it is read"},
        {EACCES, DEJA_EDENIED, "read input 'f': Permission denied"},
    };
    deja_digest_item items[2] = {{.path = "in"}, {.path = "f"}};
    reads r = {.items = items, .count = 2, .has_stdin = 1};
    deja_error err = {0};
    assert_int_equal(reads_check(&r, &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        items[1].sys_errno = cases[i].sys_errno;
        assert_int_equal(reads_check(&r, &err), cases[i].code);
        assert_string_equal(err.text, cases[i].text);
    }
    items[0].sys_errno = ENOENT;
    assert_int_equal(reads_check(&r, &err), DEJA_ENOTFOUND);
    assert_string_equal(err.text, "standard input 'in' does not exist");
}

static void test_reads__probing_looks_without_reading(void **state)
{
    (void)state;
    write_file("f", "");
    mkdir("d", 0700);
    assert_int_equal(symlink("nowhere", "link"), 0);
    deja_digest_item items[] = {
        {.path = "none"}, {.path = "f"}, {.path = "link", .flags = DEJA_DIGEST_NO_FOLLOW}};
    reads r = {.items = items, .count = 3, .has_program = 1};
    deja_error err = {0};
    assert_int_equal(reads_probe(&r, AT_FDCWD, &err), 0); /* the program may be missing */
    items[2].flags = 0;
    assert_int_equal(reads_probe(&r, AT_FDCWD, &err), DEJA_ENOTFOUND);
    assert_string_equal(err.text, "input 'link' does not exist");
    items[1].path = "d";
    assert_int_equal(reads_probe(&r, AT_FDCWD, &err), DEJA_ETYPE);
    items[1].path = "f";
    items[2].flags = DEJA_DIGEST_NO_FOLLOW;
    assert_int_equal(reads_probe(&r, AT_FDCWD, &err), 0);
}

static void test_reads__lists_are_compared_by_their_paths(void **state)
{
    (void)state;
    deja_digest_item two[] = {{.path = "a"}, {.path = "b"}},
                     other[] = {{.path = "a", .sys_errno = 1}, {.path = "c"}};
    const char *d = "d", *e = "e";
    reads a = {.items = two, .count = 2, .empty = &d, .empty_count = 1};
    reads b = {.items = other, .count = 1, .empty = &d, .empty_count = 1};
    assert_int_equal(reads_same_paths(&a, &b), 0);
    b.count = 2;
    assert_int_equal(reads_same_paths(&a, &b), 0);
    other[1].path = "b";
    assert_int_equal(reads_same_paths(&a, &b), 1);
    b.empty = &e;
    assert_int_equal(reads_same_paths(&a, &b), 0);
    b.empty_count = 0;
    assert_int_equal(reads_same_paths(&a, &b), 0);
}

static void test_reads__special_files_are_refused(void **state)
{
    (void)state;
    mkdir("d", 0700);
    assert_int_equal(mkfifo("d/pipe", 0600), 0);
    batch *b = load("version: 1\njobs:\n  a: {run: x, inputs: [d/]}\n  b: {run: x, inputs: [\"d/*\"]}\n");
    reads r = {0};
    deja_error err = {0};
    job folder = render(b, "a", 0), pattern = render(b, "b", 0);
    assert_int_equal(reads_list(&r, &folder, NULL, &err), DEJA_ETYPE);
    assert_string_equal(err.text, "input 'd': 'd/pipe' is neither a file nor a link");
    assert_int_equal(reads_list(&r, &pattern, NULL, &err), DEJA_ETYPE);
    assert_string_equal(err.text, "input 'd/*': 'd/pipe' is neither a file nor a link");
    reads_done(&r);
    job_done(&folder);
    job_done(&pattern);
    batch_free(b);
}

static void test_reads__any_allocation_may_fail(void **state)
{
    (void)state;
    deja_error err = {0};
    reads r = {0};
    mkdir("d", 0700);
    mkdir("d/empty", 0700);
    mkdir("away", 0700);
    write_file("away/x", "");
    assert_int_equal(symlink("../away", "d/way"), 0);
    batch *b = load("version: 1\njobs:\n  a: {run: x, stdin: in, inputs: [z, d/, \"aw*/\"]}\n");
    long n = 1;
    for (int status = -1; status != 0; n++) {
        job j = render(b, "a", 0);
        failing_alloc_at(n);
        status = reads_list(&r, &j, "/bin/x", &err);
        failing_alloc_at(0);
        if (status)
            assert_int_equal(status, DEJA_ENOMEM);
        else
            assert_int_equal(r.count, 6); /* program, in, away/x, d/way, d/way/x, z */
        reads_done(&r);
        job_done(&j);
    }
    assert_true(n > 5);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_reads__opens_patterns_and_folders_sorted_and_once),
        CASE(test_reads__refuses_what_matches_nothing_and_its_own_output),
        CASE(test_reads__finds_programs_as_execvp_does),
        CASE(test_reads__the_key_has_program_standard_input_and_inputs),
        CASE(test_reads__a_program_that_cannot_be_read_is_told_apart),
        CASE(test_reads__trouble_is_told_for_people),
        CASE(test_reads__probing_looks_without_reading),
        CASE(test_reads__lists_are_compared_by_their_paths),
        CASE(test_reads__special_files_are_refused),
        CASE(test_reads__any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
