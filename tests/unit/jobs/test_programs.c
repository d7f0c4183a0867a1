/* programs.h: program files, found and remembered. */
#include "batch_fixture.h"

#include "failing_alloc.h"
#include "programs.h"
#include <deja/cleanup.h>
#include <errno.h>
#include <fcntl.h>

static void make_program(const char *path, const char *text)
{
    write_file(path, text);
    assert_int_equal(chmod(path, 0700), 0);
}

/* Where `word` is found in the PATH "one:two" as seen from `cwd`; "" for nowhere. Static memory. */
static const char *find(programs *p, const char *word, const char *path, const char *cwd)
{
    static char text[256];
    DEJA_AUTO_BUFFER deja_buffer found = {0};
    programs_find(p, AT_FDCWD, word, path, cwd, &found);
    snprintf(text, sizeof text, "%s", deja_buffer_string(&found));
    return text;
}

static void test_programs__an_answer_holds_until_it_is_forgotten(void **state)
{
    (void)state;
    programs p = {0};
    mkdir("one", 0700);
    mkdir("two", 0700);
    make_program("two/tool", "");
    assert_string_equal(find(&p, "tool", "one:two", "."), "two/tool");
    make_program("one/tool", "");
    assert_string_equal(find(&p, "tool", "one:two", "."), "two/tool");
    programs_forget(&p);
    assert_string_equal(find(&p, "tool", "one:two", "."), "one/tool");
    programs_done(&p);
}

static void test_programs__another_question_has_another_answer(void **state)
{
    (void)state;
    programs p = {0};
    mkdir("one", 0700);
    mkdir("one/one", 0700);
    make_program("one/tool", "");
    make_program("one/tool2", "");
    make_program("one/one/tool", "");
    assert_string_equal(find(&p, "tool", "one", "."), "one/tool");
    assert_string_equal(find(&p, "tool", "one", "one"), "one/one/tool");
    assert_string_equal(find(&p, "tool", "one", "."), "one/tool");
    assert_string_equal(find(&p, "tool2", "one", "."), "one/tool2");
    assert_string_equal(find(&p, "tool", "one", "."), "one/tool");
    assert_string_equal(find(&p, "tool", "one/one", "."), "one/one/tool");
    assert_string_equal(find(&p, "one/tool", "", "."), "one/tool");
    programs_done(&p);
}

static void test_programs__what_was_not_found_is_looked_for_again(void **state)
{
    (void)state;
    programs p = {0};
    mkdir("one", 0700);
    make_program("one/other", "");
    assert_string_equal(find(&p, "other", "one", "."), "one/other");
    assert_string_equal(find(&p, "tool", "one", "."), "");
    make_program("one/tool", "");
    assert_string_equal(find(&p, "tool", "one", "."), "one/tool");
    programs_done(&p);
}

static void test_programs__an_answer_is_appended(void **state)
{
    (void)state;
    programs p = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    make_program("tool", "");
    for (int i = 0; i < 2; i++) {
        deja_buffer_add_string(&b, "<");
        programs_find(&p, AT_FDCWD, "./tool", "", ".", &b);
    }
    assert_string_equal(deja_buffer_string(&b), "<tool<tool");
    programs_done(&p);
}

static void test_programs__the_kernel_executes_elf_and_interpreter_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int native;
    } cases[] = {{"#!/bin/sh\n", 1}, {"#!", 1},     {"\177ELF...", 1}, {"\177EL", 0},
                 {"echo hi\n", 0},   {"# text", 0}, {"#", 0},          {"", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        programs p = {0};
        make_program("tool", cases[i].text);
        assert_int_equal(programs_is_native(&p, "tool"), cases[i].native);
        programs_done(&p);
    }
    programs p = {0};
    assert_int_equal(programs_is_native(&p, "none"), 0);
    programs_done(&p);
}

static void test_programs__what_is_executed_without_reading_is_no_script(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip(); /* may read everything */
    programs p = {0};
    make_program("tool", "echo hi\n");
    assert_int_equal(chmod("tool", 0100), 0);
    assert_int_equal(programs_is_native(&p, "tool"), 1);
    programs_done(&p);
}

static void test_programs__a_native_file_is_looked_at_once(void **state)
{
    (void)state;
    programs p = {0};
    make_program("tool", "#!/bin/sh\n");
    make_program("script", "echo\n");
    assert_int_equal(programs_is_native(&p, "tool"), 1);
    write_file("tool", "echo\n");
    assert_int_equal(programs_is_native(&p, "tool"), 1);
    assert_int_equal(programs_is_native(&p, "script"), 0);
    assert_int_equal(programs_is_native(&p, "too"), 0);
    write_file("script", "#!/bin/sh\n");
    assert_int_equal(programs_is_native(&p, "script"), 1);
    programs_forget(&p);
    assert_int_equal(programs_is_native(&p, "tool"), 0);
    programs_done(&p);
}

static void test_programs__the_content_that_was_noted_is_recalled(void **state)
{
    (void)state;
    programs p = {0};
    deja_digest_item bad = {.path = "/bin/x", .sys_errno = ENOENT}, have = {.path = "/bin/x"};
    deja_digest_item good = {
        .path = "/bin/x", .stamp = 7, .content = {DEJA_CONTENT_FILE, deja_hash_bytes("x", 1), 1}};
    deja_digest_item later = {.path = "/bin/y", .stamp = 8}, near = {.path = "/bin/xx"};
    assert_int_equal(programs_recall(&p, &have), 0);
    programs_note(&p, &bad, p.generation);
    assert_int_equal(programs_recall(&p, &have), 0);
    programs_note(&p, &good, p.generation);
    assert_int_equal(programs_recall(&p, &have), 1);
    assert_int_equal(have.stamp, 7);
    assert_int_equal(have.content.size, 1);
    assert_true(deja_hash_equal(&have.content.hash, &good.content.hash));
    assert_int_equal(programs_recall(&p, &near), 0);
    programs_note(&p, &later, p.generation);
    assert_int_equal(programs_recall(&p, &have), 1);
    programs_forget(&p);
    assert_int_equal(programs_recall(&p, &have), 0);
    programs_note(&p, &later, p.generation);
    assert_int_equal(programs_recall(&p, &have), 0);
    have.path = "/bin/y";
    assert_int_equal(programs_recall(&p, &have), 1);
    assert_int_equal(have.stamp, 8);
    programs_done(&p);
}

/* Without memory nothing is remembered; what is remembered is never a part. */
static void test_programs__lack_of_memory_only_forgets(void **state)
{
    (void)state;
    deja_digest_item item = {.path = "/bin/a/path/that/is/longer/than/what/fits", .stamp = 3};
    make_program("tool", "#!/bin/sh\n");
    long n = 1;
    for (int hits = 1; hits; n++) {
        programs p = {0};
        deja_digest_item have = item;
        failing_alloc_at(n);
        int native = programs_is_native(&p, "tool");
        programs_note(&p, &item, p.generation);
        hits = (int)failing_alloc_hits;
        failing_alloc_at(0);
        assert_int_equal(native, 1);
        have.stamp = 0;
        if (programs_recall(&p, &have))
            assert_int_equal(have.stamp, 3);
        programs_done(&p);
    }
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_programs__an_answer_holds_until_it_is_forgotten),
        CASE(test_programs__another_question_has_another_answer),
        CASE(test_programs__what_was_not_found_is_looked_for_again),
        CASE(test_programs__an_answer_is_appended),
        CASE(test_programs__the_kernel_executes_elf_and_interpreter_lines),
        CASE(test_programs__what_is_executed_without_reading_is_no_script),
        CASE(test_programs__a_native_file_is_looked_at_once),
        CASE(test_programs__the_content_that_was_noted_is_recalled),
        CASE(test_programs__lack_of_memory_only_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
