/*
 * Parsing and rendering of templates, and the attributes of paths.
 */
#include "failing_alloc.h"
#include "template.h"
#include <deja/cleanup.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int resolve(void *context, const template_expr *e, template_value *ret, deja_error *err)
{
    static const char *const items[] = {"a b", "", "${{ v }}"};
    (void)context;
    if (strcmp(e->names[0], "list") == 0)
        *ret = (template_value){.items = items, .count = COUNT(items), .is_list = 1};
    else if (strcmp(e->names[0], "none") == 0)
        *ret = (template_value){.is_list = 1};
    else if (strcmp(e->names[0], "v") == 0)
        *ret = (template_value){.data = "<${{ v }}'\">", .len = 12};
    else if (strcmp(e->names[0], "nul") == 0)
        *ret = (template_value){.data = "a\0b", .len = 3};
    else if (strcmp(e->names[0], "empty") == 0)
        *ret = (template_value){0};
    else
        return deja_fail(err, DEJA_ENOTFOUND, "unknown name '%s'", e->names[0]);
    return 0;
}

static int parse(template_text *t, const char *text, deja_arena *arena, size_t *offset, deja_error *err)
{
    return template_parse(t, text, strlen(text), arena, offset, err);
}

static void renders(const char *text, const char *expected)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    template_text t;
    assert_int_equal(parse(&t, text, &arena, NULL, NULL), 0);
    assert_int_equal(template_render(&t, resolve, NULL, &b, NULL, NULL), 0);
    assert_string_equal(deja_buffer_string(&b), expected);
}

static void test_template__values_stand_in_the_text_verbatim(void **state)
{
    (void)state;
    renders("", "");
    renders("no expression $x {y} $${z} }}", "no expression $x {y} $${z} }}");
    renders("a${{ v }}b", "a<${{ v }}'\">b");
    renders("${{v}}${{\n v\t}}", "<${{ v }}'\"><${{ v }}'\">");
    renders("[${{ empty }}]", "[]");
    renders("$", "$");
    renders("${", "${");
}

static void test_template__a_doubled_dollar_writes_the_braces(void **state)
{
    (void)state;
    renders("$${{ v }}", "${{ v }}");
    renders("a$${{b", "a${{b");
    renders("$$${{ v }}", "$${{ v }}");
    renders("$${{${{ empty }}$${{", "${{${{");
}

static void test_template__an_expression_keeps_its_path_and_place(void **state)
{
    (void)state;
    DEJA_AUTO_ARENA deja_arena arena = {0};
    template_text t;
    assert_int_equal(parse(&t, "x ${{ job-1.outputs._o2 }}y", &arena, NULL, NULL), 0);
    assert_int_equal(t.count, 3);
    assert_int_equal(t.expr_count, 1);
    const template_expr *e = t.parts[1].expr;
    assert_non_null(e);
    assert_int_equal(e->count, 3);
    assert_string_equal(e->names[0], "job-1");
    assert_string_equal(e->names[1], "outputs");
    assert_string_equal(e->names[2], "_o2");
    assert_int_equal(e->offset, 2);
    assert_int_equal(e->len, strlen("${{ job-1.outputs._o2 }}"));
    assert_int_equal(t.parts[2].offset, e->offset + e->len);
    assert_null(template_only(&t));
    assert_int_equal(parse(&t, "${{ a }}", &arena, NULL, NULL), 0);
    assert_ptr_equal(template_only(&t), t.parts[0].expr);
    assert_int_equal(parse(&t, "$${{ a }}", &arena, NULL, NULL), 0);
    assert_null(template_only(&t));
}

typedef struct fault {
    const char *text;
    size_t offset;
} fault;

static void test_template__a_malformed_expression_is_named_by_its_offset(void **state)
{
    (void)state;
    static const fault faults[] = {
        {"a ${{ b", 2},     {"a ${{", 2},           {"${{}}", 3},
        {"${{  }}", 5},     {"${{ 1 }}", 4},        {"${{ a b }}", 6},
        {"${{ a. }}", 6},   {"${{ .a }}", 4},       {"${{ a..b }}", 6},
        {"${{ a }", 6},     {"${{ a } }", 6},       {"${{ a + 1 }}", 6},
        {"${{ -a }}", 4},   {"${{ ${{ a }} }}", 4}, {"${{ a\303\251 }}", 5},
        {"${{ a }}${{", 8}, {"${{ a . b }}", 6},
    };
    for (size_t i = 0; i < COUNT(faults); i++) {
        DEJA_AUTO_ARENA deja_arena arena = {0};
        template_text t;
        deja_error err = {0};
        size_t offset = 999;
        int code = parse(&t, faults[i].text, &arena, &offset, &err);
        if (code != DEJA_ESYNTAX || offset != faults[i].offset || !*err.text)
            fail_msg("'%s': %d at %zu: %s", faults[i].text, code, offset, err.text);
    }
}

static void test_template__a_nul_is_refused_in_text_and_value(void **state)
{
    (void)state;
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    template_text t;
    size_t offset = 0;
    assert_int_equal(template_parse(&t, "ab\0c", 4, &arena, &offset, NULL), DEJA_ESYNTAX);
    assert_int_equal(offset, 2);
    assert_int_equal(parse(&t, "ab${{ nul }}", &arena, NULL, NULL), 0);
    offset = 0;
    assert_int_equal(template_render(&t, resolve, NULL, &b, &offset, NULL), DEJA_EINVAL);
    assert_int_equal(offset, 2);
}

static void test_template__an_error_of_the_resolver_comes_with_its_place(void **state)
{
    (void)state;
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    template_words words = {0};
    template_text t;
    deja_error err;
    size_t offset = 0;
    assert_int_equal(parse(&t, "${{ v }} ${{ x }}", &arena, NULL, NULL), 0);
    assert_int_equal(template_render(&t, resolve, NULL, &b, &offset, &err), DEJA_ENOTFOUND);
    assert_int_equal(offset, 9);
    assert_string_equal(err.text, "unknown name 'x'");
    assert_int_equal(parse(&t, "${{ x }}", &arena, NULL, NULL), 0);
    assert_int_equal(template_render_words(&t, resolve, NULL, &words, &arena, &offset, &err), DEJA_ENOTFOUND);
    assert_int_equal(offset, 0);
    assert_int_equal(words.count, 0);
}

static size_t count_words(const char *text, template_words *words, deja_arena *arena)
{
    template_text t;
    size_t before = words->count;
    assert_int_equal(parse(&t, text, arena, NULL, NULL), 0);
    assert_int_equal(template_render_words(&t, resolve, NULL, words, arena, NULL, NULL), 0);
    return words->count - before;
}

static void test_template__a_list_alone_becomes_words(void **state)
{
    (void)state;
    DEJA_AUTO_ARENA deja_arena arena = {0};
    template_words words = {0};
    assert_int_equal(count_words("-x", &words, &arena), 1);
    assert_int_equal(count_words("${{ list }}", &words, &arena), 3);
    assert_int_equal(count_words("${{ none }}", &words, &arena), 0);
    assert_int_equal(count_words("${{ empty }}", &words, &arena), 1);
    assert_int_equal(count_words("", &words, &arena), 1);
    assert_int_equal(count_words("a${{ v }}", &words, &arena), 1);
    static const char *const expected[] = {"-x", "a b", "", "${{ v }}", "", "", "a<${{ v }}'\">"};
    assert_int_equal(words.count, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_string_equal(words.words[i], expected[i]);
    template_words_done(&words);
    assert_int_equal(words.count, 0);
}

static void test_template__a_list_beside_text_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"a${{ list }}", "${{ list }} ", "${{ list }}${{ list }}"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        DEJA_AUTO_ARENA deja_arena arena = {0};
        template_words words = {0};
        template_text t;
        deja_error err;
        assert_int_equal(parse(&t, texts[i], &arena, NULL, NULL), 0);
        assert_int_equal(template_render_words(&t, resolve, NULL, &words, &arena, NULL, &err), DEJA_ETYPE);
        assert_non_null(strstr(err.text, "'${{ list }}'"));
        template_words_done(&words);
    }
}

typedef struct attributes {
    const char *path, *name, *stem, *ext, *dir;
} attributes;

static void has_attribute(const char *path, const char *attribute, const char *expected)
{
    const char *found;
    size_t len;
    assert_int_equal(template_attribute(path, strlen(path), attribute, &found, &len), 0);
    if (strlen(expected) != len || memcmp(found, expected, len) != 0)
        fail_msg("'%s'.%s is '%.*s', not '%s'", path, attribute, (int)len, found, expected);
}

static void test_template__attributes_take_a_path_apart(void **state)
{
    (void)state;
    static const attributes all[] = {
        {"a.txt", "a.txt", "a", ".txt", "."},
        {"data/a.tar.gz", "a.tar.gz", "a.tar", ".gz", "data"},
        {"x/y/b", "b", "b", "", "x/y"},
        {".bashrc", ".bashrc", ".bashrc", "", "."},
        {"h/.a.b", ".a.b", ".a", ".b", "h"},
        {"a.", "a.", "a", ".", "."},
        {"..", "..", "..", "", "."},
        {"../x", "x", "x", "", ".."},
        {"...x", "...x", "...x", "", "."},
        {"/", "/", "/", "", "/"},
        {"//", "/", "/", "", "/"},
        {"/b.c", "b.c", "b", ".c", "/"},
        {"//b", "b", "b", "", "/"},
        {"a//b", "b", "b", "", "a"},
        {"a/b/", "b", "b", "", "a"},
        {"a.d/b", "b", "b", "", "a.d"},
        {"a/", "a", "a", "", "."},
        {"", "", "", "", "."},
        {"\377.\377", "\377.\377", "\377", ".\377", "."},
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        has_attribute(all[i].path, "name", all[i].name);
        has_attribute(all[i].path, "stem", all[i].stem);
        has_attribute(all[i].path, "ext", all[i].ext);
        has_attribute(all[i].path, "dir", all[i].dir);
    }
}

static void test_template__an_unknown_attribute_is_not_found(void **state)
{
    (void)state;
    const char *found;
    size_t len, known = 0;
    assert_int_equal(template_attribute("a", 1, "base", &found, &len), DEJA_ENOTFOUND);
    for (; template_attributes[known]; known++)
        assert_int_equal(template_attribute(NULL, 0, template_attributes[known], &found, &len), 0);
    assert_int_equal(known, 4);
}

static int parse_and_render(void)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    template_words words = {0};
    template_text t;
    int code = parse(&t, "a${{ b.c.d }}$${{ e${{ empty }}", &arena, NULL, NULL);
    if (!code)
        code = parse(&t, "${{ list }}", &arena, NULL, NULL);
    if (!code)
        code = template_render_words(&t, resolve, NULL, &words, &arena, NULL, NULL);
    template_words_done(&words);
    return code;
}

static void test_template__a_failed_allocation_is_reported(void **state)
{
    (void)state;
    long n = 1;
    for (; failing_alloc_at(n), parse_and_render() != 0; n++)
        assert_int_equal(failing_alloc_hits, 1);
    failing_alloc_at(0);
    assert_true(n > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_template__values_stand_in_the_text_verbatim),
        cmocka_unit_test(test_template__a_doubled_dollar_writes_the_braces),
        cmocka_unit_test(test_template__an_expression_keeps_its_path_and_place),
        cmocka_unit_test(test_template__a_malformed_expression_is_named_by_its_offset),
        cmocka_unit_test(test_template__a_nul_is_refused_in_text_and_value),
        cmocka_unit_test(test_template__an_error_of_the_resolver_comes_with_its_place),
        cmocka_unit_test(test_template__a_list_alone_becomes_words),
        cmocka_unit_test(test_template__a_list_beside_text_is_refused),
        cmocka_unit_test(test_template__attributes_take_a_path_apart),
        cmocka_unit_test(test_template__an_unknown_attribute_is_not_found),
        cmocka_unit_test(test_template__a_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
