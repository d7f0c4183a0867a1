/* yaml_tree.h: trees, their places and types, and all that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "yaml_tree.h"
#include <deja/buffer.h>
#include <deja/cleanup.h>
#include <string.h>

typedef struct document {
    source source;
    deja_arena arena;
    yaml_node *root;
} document;

static document parse(const char *text)
{
    document d = {.source = {.path = "x.yaml", .text = text, .len = strlen(text)}};
    deja_error err;
    if (yaml_parse(&d.source, &d.arena, &d.root, &err) < 0)
        fail_msg("%s", err.text);
    return d;
}

static void done(document *d)
{
    deja_arena_done(&d->arena);
}

static void refuse_bytes(const char *text, size_t len, const char *message)
{
    source s = {.path = "x.yaml", .text = text, .len = len};
    DEJA_AUTO_ARENA deja_arena arena = {0};
    yaml_node *root = NULL;
    deja_error err;
    assert_true(yaml_parse(&s, &arena, &root, &err) < 0);
    assert_null(root);
    if (!strstr(err.text, message))
        fail_msg("got: %s", err.text);
}

static void refuse(const char *text, const char *message)
{
    refuse_bytes(text, strlen(text), message);
}

/* `count` times `piece` between `head` and `tail`. */
static void refuse_many(const char *head, const char *piece, size_t count, const char *tail,
                        const char *message)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, head);
    for (size_t i = 0; i < count; i++)
        deja_buffer_add_string(&b, piece);
    deja_buffer_add_string(&b, tail);
    refuse_bytes(b.data, b.len, message);
}

static const yaml_node *item(const yaml_node *n, size_t i)
{
    assert_true(i < n->count);
    return n->pairs[i].value;
}

static void test_yaml__makes_a_tree(void **state)
{
    (void)state;
    document d = parse("a: [1, \"x y\", {b: c}]\n'd': |\n  one\n  two\ne:\n");
    assert_int_equal(d.root->kind, YAML_MAP);
    assert_int_equal(d.root->count, 3);
    const yaml_node *a = yaml_get(d.root, "a");
    assert_int_equal(a->kind, YAML_LIST);
    assert_int_equal(a->count, 3);
    assert_string_equal(item(a, 0)->text, "1");
    assert_true(item(a, 0)->plain);
    assert_string_equal(item(a, 1)->text, "x y");
    assert_false(item(a, 1)->plain);
    assert_string_equal(yaml_get(item(a, 2), "b")->text, "c");
    assert_string_equal(yaml_get(d.root, "d")->text, "one\ntwo\n");
    assert_true(yaml_is_null(yaml_get(d.root, "e")));
    assert_null(yaml_get(d.root, "z"));
    assert_null(yaml_get(a, "b"));
    done(&d);
}

static void expect_place(const yaml_node *n, uint32_t line, uint32_t column, uint32_t offset)
{
    assert_int_equal(n->mark.line, line);
    assert_int_equal(n->mark.column, column);
    assert_int_equal(n->mark.offset, offset);
}

static void test_yaml__remembers_places_in_characters_and_bytes(void **state)
{
    (void)state;
    document d = parse("é: [日, x]\nb: y\r\nc:\n  - z\n");
    const yaml_node *list = item(d.root, 0);
    expect_place(d.root->pairs[0].key, 1, 1, 0);
    expect_place(list, 1, 4, 4);
    expect_place(item(list, 0), 1, 5, 5);
    expect_place(item(list, 1), 1, 8, 10);
    expect_place(yaml_get(d.root, "b"), 2, 4, 16);
    expect_place(item(yaml_get(d.root, "c"), 0), 4, 5, 26);
    done(&d);
    d = parse("\xEF\xBB\xBF"
              "a: b\n");
    expect_place(yaml_get(d.root, "a"), 1, 4, 6);
    done(&d);
}

/* A line separator is a line break for libyaml, but not for editors. */
static void test_yaml__counts_lines_as_editors_do(void **state)
{
    (void)state;
    document d = parse("a: \"x\xE2\x80\xA8y\"\nb: c\n");
    assert_int_equal(yaml_get(d.root, "b")->mark.line, 2);
    done(&d);
}

static void test_yaml__keeps_the_spelling_of_numbers(void **state)
{
    (void)state;
    document d = parse("[1.50, 0x10, 007, 1e3, ~]");
    static const char *const spelled[] = {"1.50", "0x10", "007", "1e3", "~"};
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(item(d.root, i)->text, spelled[i]);
    done(&d);
}

static void expect_types(const char *text, int is_null, int is_bool, int is_int, int is_number)
{
    document d = parse(text);
    int flag;
    int64_t whole;
    double number;
    const yaml_node *n = item(d.root, 0);
    if (yaml_is_null(n) != is_null || yaml_bool(n, &flag) != is_bool || yaml_int(n, &whole) != is_int ||
        yaml_double(n, &number) != is_number)
        fail_msg("types of %s", text);
    done(&d);
}

static void test_yaml__knows_the_types_of_the_core_schema(void **state)
{
    (void)state;
    expect_types("[~]", 1, 0, 0, 0);
    expect_types("[null]", 1, 0, 0, 0);
    expect_types("[nULL]", 0, 0, 0, 0);
    expect_types("[\"null\"]", 0, 0, 0, 0);
    expect_types("[true]", 0, 1, 0, 0);
    expect_types("[False]", 0, 1, 0, 0);
    expect_types("['true']", 0, 0, 0, 0);
    expect_types("[yes]", 0, 0, 0, 0);
    expect_types("[on]", 0, 0, 0, 0);
    expect_types("[12]", 0, 0, 1, 1);
    expect_types("[-0]", 0, 0, 1, 1);
    expect_types("[0o17]", 0, 0, 1, 1);
    expect_types("[0x]", 0, 0, 0, 0);
    expect_types("[0xfg]", 0, 0, 0, 0);
    expect_types("[9223372036854775808]", 0, 0, 0, 1);
    expect_types("[1.5]", 0, 0, 0, 1);
    expect_types("[.5e-3]", 0, 0, 0, 1);
    expect_types("[1.]", 0, 0, 0, 1);
    expect_types("[1e]", 0, 0, 0, 0);
    expect_types("[.]", 0, 0, 0, 0);
    expect_types("[.inf]", 0, 0, 0, 0);
    expect_types("[1e999]", 0, 0, 0, 0);
    expect_types("[1_000]", 0, 0, 0, 0);
    expect_types("[12:30]", 0, 0, 0, 0);
    expect_types("[!!str 12]", 0, 0, 0, 0);
    expect_types("[[1]]", 0, 0, 0, 0);
}

static void test_yaml__reads_values_of_numbers(void **state)
{
    (void)state;
    document d = parse("[0x1F, 0o17, -12, 010, -1.25e2]");
    int64_t whole;
    double number;
    static const int64_t expected[] = {31, 15, -12, 10};
    for (size_t i = 0; i < 4; i++) {
        assert_true(yaml_int(item(d.root, i), &whole));
        assert_int_equal(whole, expected[i]);
    }
    assert_true(yaml_double(item(d.root, 4), &number));
    assert_true(number == -125.0);
    done(&d);
}

static void test_yaml__takes_a_text_without_a_document_as_null(void **state)
{
    (void)state;
    static const char *const texts[] = {"",      "\n\n",         "# only\n  # comments\n",
                                        "---\n", "\xEF\xBB\xBF", "---\n...\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        document d = parse(texts[i]);
        assert_true(yaml_is_null(d.root));
        done(&d);
    }
}

static void test_yaml__takes_marks_around_one_document(void **state)
{
    (void)state;
    document d = parse("%YAML 1.2\n---\na: b\n...\n# end\n...\n");
    assert_string_equal(yaml_get(d.root, "a")->text, "b");
    done(&d);
    refuse("a: b\n---\n", "2:1: a second document begins here");
    refuse("a: b\n...\nc: d\n", "3:1: expected the end of the file");
    refuse("%TAG ! x:\n---\na\n", "1:1: directives are not supported");
    refuse("\n# c\n%FOO\n---\n", "3:1: directives are not supported");
    refuse("%YAML 1.2\n%YAML 1.2\n---\n", "2:1: directives are not supported");
}

static void test_yaml__shares_what_an_alias_names(void **state)
{
    (void)state;
    document d = parse("a: &x [1, 2]\nb: *x\nc: &x 3\nd: *x\n");
    assert_ptr_equal(yaml_get(d.root, "a"), yaml_get(d.root, "b"));
    assert_string_equal(yaml_get(d.root, "d")->text, "3");
    done(&d);
    refuse("a: *b\n", "1:4: no anchor '&b' stands before");
    refuse("a: &x [*x]\n", "1:8: '*x' stands inside the value that it names");
}

static void test_yaml__refuses_a_key_twice_in_small_and_large_maps(void **state)
{
    (void)state;
    refuse("{a: 1, 'a': 2}", "1:8: 'a' stands here for the second time, after line 1 column 2");
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (int i = 0; i < 1000; i++)
        deja_buffer_addf(&b, "key%d: {a: 1}\n", i);
    size_t len = b.len;
    deja_buffer_add_string(&b, "key3: 1\n");
    refuse_bytes(b.data, b.len, "1001:1: 'key3' stands here for the second time, after line 4 column 1");
    b.data[len] = '\0';
    document d = parse(b.data);
    assert_int_equal(d.root->count, 1000);
    done(&d);
}

static void test_yaml__refuses_strange_keys_and_tags(void **state)
{
    (void)state;
    refuse("[a, b]: c", "expected a word before ':', found a list");
    refuse("? {a: b}\n: c", "expected a word before ':', found a map");
    refuse("?\n: 2", "expected a word before ':'");
    refuse("a: {b: c}\nd:\n  <<: {e: f}\n", "3:3: merge keys ('<<') are not supported");
    refuse("a: !x b", "the tag '!x' is not supported");
    refuse("a: !!map {}", "is not supported");
    refuse("a: !!int 3", "is not supported");
    document d = parse("'': 1\n\"<<\": 2\n");
    assert_int_equal(d.root->count, 2);
    done(&d);
}

static void test_yaml__stops_at_64_levels(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (int i = 0; i < YAML_DEPTH; i++)
        deja_buffer_add_char(&b, '[');
    for (int i = 0; i < YAML_DEPTH; i++)
        deja_buffer_add_char(&b, ']');
    document d = parse(b.data);
    done(&d);
    refuse_many("", "[", 200000, "", "1:65: more than 64 levels of nesting");
    refuse_many("", "{", 200000, "", "1:65: more than 64 levels of nesting");
    refuse_many("", "- ", 100000, "", "1:129: more than 64 levels of nesting");
    refuse_many("", "? ", 100000, "", "more than 64 levels of nesting");
    refuse_many("", "{a: ", 50000, "", "more than 64 levels of nesting");
}

/* Each line holds an alias of the one before: 100 levels, though the text has two. */
static void test_yaml__counts_levels_through_aliases(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, "- &a0 x\n");
    for (int i = 1; i < 100; i++)
        deja_buffer_addf(&b, "- &a%d [*a%d]\n", i, i - 1);
    refuse_bytes(b.data, b.len, "64:9: more than 64 levels of nesting");
}

static void test_yaml__stops_alias_bombs(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, "- &a0 [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 30; i++) {
        deja_buffer_addf(&b, "- &a%d [*a%d", i, i - 1);
        for (int k = 0; k < 8; k++)
            deja_buffer_addf(&b, ", *a%d", i - 1);
        deja_buffer_add_string(&b, "]\n");
    }
    refuse_bytes(b.data, b.len, "aliases make more than 1000000 values");
    refuse_many("[&a x", ",*a", 1000001, "]", "aliases make more than 1000000 values");
}

static void test_yaml__stops_at_huge_texts_and_names(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, "a: ");
    for (size_t i = 0; i < YAML_TEXT_BYTES; i++)
        deja_buffer_add_char(&b, 'x');
    document d = parse(b.data);
    assert_int_equal(yaml_get(d.root, "a")->len, YAML_TEXT_BYTES);
    done(&d);
    refuse_many("a: ", "x", YAML_TEXT_BYTES + 1, "", "1:4: a text of more than 1 MB");
    refuse_many("? ", "x", YAML_TEXT_BYTES + 1, "\n: 1", "1:3: a text of more than 1 MB");
    refuse_many("a: \"", "x", 20 * YAML_TEXT_BYTES, "\"", "a text of more than 1 MB");
    refuse_many("a: b\n", "# comment\n", 2 * YAML_TEXT_BYTES, "c: d\n", "8 MB of blanks and comments");
    refuse_many("&", "a", 300, " x", "the name of an anchor has more than 256 bytes");
}

/* What is refused without an event in between is fine with many of them. */
static void test_yaml__takes_large_files(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    char text[2048];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 12000; i++) {
        deja_buffer_addf(&b, "key%d: ", i);
        deja_buffer_add(&b, text, sizeof text);
        deja_buffer_add_char(&b, '\n');
    }
    document d = parse(b.data);
    assert_int_equal(d.root->count, 12000);
    assert_int_equal(item(d.root, 11999)->mark.line, 12000);
    done(&d);
}

static void test_yaml__stops_at_too_many_values(void **state)
{
    (void)state;
    refuse_many("[", "1,", YAML_NODES, "]", "more than 1500000 values in one file");
}

/* 64 MB of nothing in particular. */
static void test_yaml__stops_at_huge_files(void **state)
{
    (void)state;
    size_t len = (size_t)YAML_FILE_BYTES + 1;
    char *text = deja_realloc(NULL, len);
    assert_non_null(text);
    static const char fill[] = {' ', '\n', ':', '"', '-', 'x', '\t'};
    for (size_t i = 0; i < sizeof fill; i++) {
        memset(text, fill[i], len);
        source s = {.path = "x.yaml", .text = text, .len = len};
        deja_arena arena = {0};
        yaml_node *root;
        deja_error err;
        assert_int_equal(yaml_parse(&s, &arena, &root, &err), DEJA_ELIMIT);
        s.len--;
        int status = yaml_parse(&s, &arena, &root, &err);
        assert_true(status < 0 || yaml_is_null(root));
        deja_arena_done(&arena);
    }
    deja_free(text);
}

static void test_yaml__refuses_what_is_no_utf8(void **state)
{
    (void)state;
    refuse_bytes("\xFF\xFE"
                 "a\0",
                 4, "save the file as UTF-8");
    refuse_bytes("\xFE\xFF\0a", 4, "save the file as UTF-8");
    refuse_bytes("a\0:\0", 4, "save the file as UTF-8");
    refuse("a: b\nc: \xC3(", "2:4: the byte 0xC3 is not valid UTF-8");
    refuse("a: \xED\xA0\x80", "1:4: the byte 0xED is not valid UTF-8");
    refuse("a: \xC0\x80", "1:4: the byte 0xC0 is not valid UTF-8");
    refuse("a: b\x07", "1:5: a control character");
    refuse_bytes("ab: c\0d", 7, "1:6: a NUL character");
    refuse("a: \"\\0\"", "1:4: a NUL character");
}

/* A few megabytes of every character that means something must end, well or not, without an abort. */
static void test_yaml__survives_repeated_indicators(void **state)
{
    (void)state;
    static const char *const pieces[] = {"[",   "]",     "{",     "}",   "[]",  "[],", "- ",  "-\n",
                                         ": ",  "a: ",   "? ",    "&",   "&a ", "*",   "*a ", "!",
                                         "!a ", "|",     "|\n",   ">\n", "'",   "\"",  "%",   "@",
                                         "`",   "---\n", "...\n", "\\",  ",",   "#",   "\r",  "\xC2\x85"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        for (int k = 0; k < 100000; k++)
            deja_buffer_add_string(&b, pieces[i]);
        source s = {.path = "x.yaml", .text = b.data, .len = b.len};
        DEJA_AUTO_ARENA deja_arena arena = {0};
        yaml_node *root = NULL;
        deja_error err;
        int status = yaml_parse(&s, &arena, &root, &err);
        assert_true(status < 0 ? strlen(err.text) > 8 : root != NULL);
    }
}

static void test_yaml__survives_every_failed_allocation(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (int i = 0; i < 40; i++)
        deja_buffer_addf(&b, "k%d: &a%d [x, {y: 'z'}]\n", i, i);
    source s = {.path = "x.yaml", .text = b.data, .len = b.len};
    long n = 0;
    int code = DEJA_ENOMEM;
    while (code) {
        DEJA_AUTO_ARENA deja_arena arena = {0};
        yaml_node *root = NULL;
        deja_error err;
        failing_alloc_at(++n);
        code = yaml_parse(&s, &arena, &root, &err);
        failing_alloc_at(0);
        assert_true(code == 0 || code == DEJA_ENOMEM);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml__makes_a_tree),
        cmocka_unit_test(test_yaml__remembers_places_in_characters_and_bytes),
        cmocka_unit_test(test_yaml__counts_lines_as_editors_do),
        cmocka_unit_test(test_yaml__keeps_the_spelling_of_numbers),
        cmocka_unit_test(test_yaml__knows_the_types_of_the_core_schema),
        cmocka_unit_test(test_yaml__reads_values_of_numbers),
        cmocka_unit_test(test_yaml__takes_a_text_without_a_document_as_null),
        cmocka_unit_test(test_yaml__takes_marks_around_one_document),
        cmocka_unit_test(test_yaml__shares_what_an_alias_names),
        cmocka_unit_test(test_yaml__refuses_a_key_twice_in_small_and_large_maps),
        cmocka_unit_test(test_yaml__refuses_strange_keys_and_tags),
        cmocka_unit_test(test_yaml__stops_at_64_levels),
        cmocka_unit_test(test_yaml__counts_levels_through_aliases),
        cmocka_unit_test(test_yaml__stops_alias_bombs),
        cmocka_unit_test(test_yaml__stops_at_huge_texts_and_names),
        cmocka_unit_test(test_yaml__takes_large_files),
        cmocka_unit_test(test_yaml__stops_at_too_many_values),
        cmocka_unit_test(test_yaml__stops_at_huge_files),
        cmocka_unit_test(test_yaml__refuses_what_is_no_utf8),
        cmocka_unit_test(test_yaml__survives_repeated_indicators),
        cmocka_unit_test(test_yaml__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
