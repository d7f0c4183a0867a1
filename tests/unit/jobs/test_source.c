/* source.h: places in a text, and messages about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "source.h"
#include <stdio.h>
#include <string.h>

static source make(const char *text)
{
    return (source){.path = "deja.yaml", .text = text, .len = strlen(text)};
}

static void expect(const source *s, mark at, const char *message, const char *text)
{
    deja_error err;
    int code = s->path && *s->path ? DEJA_ESYNTAX : DEJA_EINVAL;
    assert_int_equal(source_fail(s, at, &err, "%s", message), code);
    assert_int_equal(err.code, code);
    assert_string_equal(err.text, text);
}

/* The message about the first byte of `what` in `text`. */
static void expect_at(const char *text, const char *what, const char *expected)
{
    source s = make(text);
    expect(&s, source_mark(&s, (size_t)(strstr(text, what) - text)), "wrong", expected);
}

static void test_source__shows_the_line_with_a_caret(void **state)
{
    (void)state;
    expect_at("one: 1\ntwo: 2\nthree: 3", "2", "deja.yaml:2:6: wrong\n    2 | two: 2\n      |      ^");
    expect_at("one: 1", "one", "deja.yaml:1:1: wrong\n    1 | one: 1\n      | ^");
    expect_at("one: 1\r\ntwo: 2\r\n", "two", "deja.yaml:2:1: wrong\n    2 | two: 2\n      | ^");
}

static void test_source__repeats_tabs_before_the_caret(void **state)
{
    (void)state;
    expect_at("\ta\tb: x", "x", "deja.yaml:1:7: wrong\n    1 | \ta\tb: x\n      | \t \t   ^");
}

static void test_source__counts_characters_and_aligns_columns(void **state)
{
    (void)state;
    /* Two wide characters take four columns, a combining accent none. */
    expect_at("日本 e\u0301: x", "x", "deja.yaml:1:8: wrong\n    1 | 日本 e\u0301: x\n      |         ^");
}

static void test_source__escapes_what_could_command_a_terminal(void **state)
{
    (void)state;
    expect_at("a\x1b[31m\x07\xff: x", "x",
              "deja.yaml:1:11: wrong\n    1 | a\\x1b[31m\\x07\\xff: x\n      |                    ^");
    source s = make("x");
    expect(&s, source_mark(&s, 0), "bad \x1b[2J\nword",
           "deja.yaml:1:1: bad \\x1b[2J\\nword\n    1 | x\n      | ^");
}

static void test_source__cuts_long_lines_around_the_caret(void **state)
{
    (void)state;
    char line[501];
    memset(line, '.', 500);
    line[500] = '\0';
    line[250] = 'X';
    source s = make(line);
    deja_error err;
    source_fail(&s, source_mark(&s, 250), &err, "wrong");
    char *text = strchr(err.text, '\n') + 1, *pad = strchr(text, '\n') + 1;
    assert_int_equal(strncmp(text, "    1 | ...", 11), 0);
    assert_true(pad - text < 110);
    assert_int_equal(strchr(text, 'X') - text, strchr(pad, '^') - pad);
    assert_int_equal(strncmp(pad - 4, "...\n", 4), 0);
    assert_true(strchr(pad, '^') - pad < 60);
}

static void test_source__shows_a_short_line_whole(void **state)
{
    (void)state;
    expect_at("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: x", "x",
              "deja.yaml:1:75: wrong\n"
              "    1 | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: x\n"
              "      |                                                                           ^");
}

static void test_source__always_shows_the_caret(void **state)
{
    (void)state;
    static char path[5000], message[5000], line[5000];
    memset(path, 'p', sizeof path - 1);
    memset(message, 'm', sizeof message - 1);
    /* Combining characters take no column: only their bytes limit the line. */
    for (size_t i = 0; i + 2 < sizeof line; i += 2)
        memcpy(line + i, "\xcc\x81", 2);
    source s = {.path = path, .text = line, .len = strlen(line)};
    deja_error err;
    source_fail(&s, source_mark(&s, 4000), &err, "%s", message);
    assert_true(strlen(err.text) < sizeof err.text - 4);
    assert_int_equal(err.text[strlen(err.text) - 1], '^');
    assert_non_null(strstr(err.text, "mmm...\n"));
}

static void test_source__widens_the_gutter_for_long_files(void **state)
{
    (void)state;
    static char text[200002];
    memset(text, '\n', 200000);
    text[200000] = 'x';
    source s = make(text);
    expect(&s, source_mark(&s, 200000), "wrong", "deja.yaml:200001:1: wrong\n200001 | x\n       | ^");
}

static void test_source__without_place_or_path_says_only_the_message(void **state)
{
    (void)state;
    source s = make("x");
    expect(&s, (mark){0}, "wrong", "deja.yaml: wrong");
    source none = {.path = "", .text = "", .len = 0};
    expect(&none, (mark){0}, "wrong", "wrong");
    source null = {0};
    expect(&null, (mark){0}, "wrong", "wrong");
    assert_int_equal(source_fail(&s, source_mark(&s, 0), NULL, "wrong"), DEJA_ESYNTAX);
}

static void test_source__mark_does_not_count_a_byte_order_mark(void **state)
{
    (void)state;
    source s = make("\xEF\xBB\xBF"
                    "abc\nx");
    assert_int_equal(source_mark(&s, 4).column, 2);
    assert_int_equal(source_mark(&s, 7).line, 2);
    assert_int_equal(source_mark(&s, 7).column, 1);
}

/* The place of byte `offset` of the value of the scalar that begins at the first `"` or `|` of `text`. */
static mark inside(const char *text, const char *value, size_t offset)
{
    source s = make(text);
    mark at = source_mark(&s, strcspn(text, "\"|"));
    return source_mark_in(&s, at, value, offset);
}

static void test_source__mark_in_finds_the_nth_expression(void **state)
{
    (void)state;
    mark m = inside("a: \"\\t${{ x }} \\\"${{ y }}\"", "\t${{ x }} \"${{ y }}", 11);
    assert_int_equal(m.column, 18);
    m = inside("a: |\n    echo ${{ x }}\n    echo ${{ y }}\n", "echo ${{ x }}\necho ${{ y }}\n", 19);
    assert_int_equal(m.line, 3);
    assert_int_equal(m.column, 10);
}

static void test_source__mark_in_passes_what_stands_before_a_block(void **state)
{
    (void)state;
    static const char text[] = "a: |- # ${{ x }}\n  ${{ x }}\n",
                      tagged[] = "!!str &n | # ${{ x }}\n  ${{ x }}\n";
    mark m = inside(text, "${{ x }}", 0);
    assert_int_equal(m.line, 2);
    assert_int_equal(m.column, 3);
    source s = make(tagged);
    m = source_mark_in(&s, source_mark(&s, 0), "${{ x }}\n", 0);
    assert_int_equal(m.line, 2);
}

static void test_source__mark_in_finds_an_expression_that_was_folded(void **state)
{
    (void)state;
    source s = make("a: >-\n  echo ${{\n  x }}\n");
    mark m = source_mark_in(&s, source_mark(&s, 3), "echo ${{ x }}", 5);
    assert_int_equal(m.line, 2);
    assert_int_equal(m.column, 8);
}

static void test_source__mark_in_goes_into_an_expression(void **state)
{
    (void)state;
    mark m = inside("a: \"${{ x + 1 }}\"", "${{ x + 1 }}", 6);
    assert_int_equal(m.column, 11);
}

static void test_source__mark_in_falls_back_to_the_scalar(void **state)
{
    (void)state;
    mark m = inside("a: \"\\x24{{ x }}\"", "${{ x }}", 0);
    assert_int_equal(m.column, 4);
    m = inside("a: \"text\"", "text", 2);
    assert_int_equal(m.column, 4);
    /* The next expression of the file belongs to another text. */
    m = inside("a: \"\\x24{{ x }}\"\nb: \"${{ y }}\"", "${{ x }}", 0);
    assert_int_equal(m.line, 1);
    assert_int_equal(m.column, 4);
    source none = {0};
    assert_int_equal(source_mark_in(&none, (mark){0}, "${{ x }}", 0).line, 0);
}

static void test_source__word_is_cut_on_a_character(void **state)
{
    (void)state;
    char word[SOURCE_WORD];
    assert_string_equal(source_word(word, "short", 5), "short");
    char text[200];
    for (size_t i = 0; i < 198; i += 3)
        memcpy(text + i, "日", 3);
    source_word(word, text, 198);
    assert_int_equal(strlen(word), 63);
    assert_string_equal(word + 60, "...");
    source_word(word, text + 1, 197); /* begins inside a character */
    assert_true(strlen(word) < SOURCE_WORD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source__shows_the_line_with_a_caret),
        cmocka_unit_test(test_source__repeats_tabs_before_the_caret),
        cmocka_unit_test(test_source__counts_characters_and_aligns_columns),
        cmocka_unit_test(test_source__escapes_what_could_command_a_terminal),
        cmocka_unit_test(test_source__cuts_long_lines_around_the_caret),
        cmocka_unit_test(test_source__shows_a_short_line_whole),
        cmocka_unit_test(test_source__always_shows_the_caret),
        cmocka_unit_test(test_source__widens_the_gutter_for_long_files),
        cmocka_unit_test(test_source__without_place_or_path_says_only_the_message),
        cmocka_unit_test(test_source__mark_does_not_count_a_byte_order_mark),
        cmocka_unit_test(test_source__mark_in_finds_the_nth_expression),
        cmocka_unit_test(test_source__mark_in_passes_what_stands_before_a_block),
        cmocka_unit_test(test_source__mark_in_finds_an_expression_that_was_folded),
        cmocka_unit_test(test_source__mark_in_goes_into_an_expression),
        cmocka_unit_test(test_source__mark_in_falls_back_to_the_scalar),
        cmocka_unit_test(test_source__word_is_cut_on_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
