/* Replacement strings of `deja map`: jobs/replacement.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "replacement.h"
#include <deja/cleanup.h>
#include <stdio.h>
#include <string.h>

static feed_row *row_of(const char *const *values, size_t count)
{
    size_t lens[8];
    for (size_t i = 0; i < count; i++)
        lens[i] = strlen(values[i]);
    feed_row *row = feed_row_new(values, lens, count);
    assert_non_null(row);
    row->index = 6;
    return row;
}

static int resolve(void *context, const template_expr *e, template_value *ret, deja_error *err)
{
    void **both = context;
    return replacement_resolve(both[0], e, both[1], ret, err);
}

/* A text rendered with these arguments, as words in <...>; or "! " and why not. */
static const char *render(const char *text, const replacement_syntax *syntax, const feed_row *row)
{
    static char result[2048];
    deja_arena arena = {0};
    deja_error err;
    template_text t;
    template_words words = {0};
    void *both[2] = {(void *)row, &arena};
    int code = replacement_parse(&t, text, syntax, &arena, &err);
    if (!code)
        code = replacement_place(&t, syntax, NULL, &err);
    if (!code)
        code = template_render_words(&t, resolve, both, &words, &arena, NULL, &err);
    result[0] = '\0';
    for (size_t i = 0; !code && i < words.count; i++)
        snprintf(result + strlen(result), sizeof result - strlen(result), "<%s>", words.words[i]);
    if (code)
        snprintf(result, sizeof result, "! %s", err.text);
    template_words_done(&words);
    deja_arena_done(&arena);
    return result;
}

static void test_replacement__stands_for_arguments_and_their_parts(void **state)
{
    (void)state;
    static const char *const values[] = {"dir/a.tar.gz", "b", "$(c) '\"{}"};
    static const replacement_syntax any = {.most = 3}, one = {.most = 1};
    static const struct {
        const char *text, *is;
    } cases[] = {
        {"{1}", "<dir/a.tar.gz>"},
        {"{1.}", "<dir/a.tar>"},
        {"{1/}", "<a.tar.gz>"},
        {"{1//}", "<dir>"},
        {"{1/.}", "<a.tar>"},
        {"{-1}", "<$(c) '\"{}>"},
        {"{-2}", "<b>"},
        {"{-3/}", "<a.tar.gz>"},
        {"{#}", "<7>"},
        {"{}", "<dir/a.tar.gz><b><$(c) '\"{}>"},
        {"{/}", "<a.tar.gz><b><$(c) '\"{}>"},
        {"x{2}y{#}", "<xby7>"},
        {"{{2}}", "<{b}>"},
        {"$$${{2}}", "<$$${b}>"},
        {"${{ x }}", "<${{ x }}>"},
        {"{0}{01}{a}{1a}{}}{",
         "! '{}' in '{0}{01}{a}{1a}{}}{' stands for several arguments: it must be a word by itself"},
        {"{0}{01}{ 1}{1 }{--1}{-}{+1}{1.1}{1...}{", "<{0}{01}{ 1}{1 }{--1}{-}{+1}{1.1}{1...}{>"},
        {"{4}",
         "! '{4}' in '{4}', but a job has only 3 arguments; '-I %' makes % the only replacement string"},
        {"{-4}",
         "! '{-4}' in '{-4}', but a job has only 3 arguments; '-I %' makes % the only replacement string"},
        {"{1234567}", "<{1234567}>"},
        {"", "<>"},
    };
    feed_row *row = row_of(values, 3), *single = row_of(values, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(render(cases[i].text, &any, row), cases[i].is);
    assert_string_equal(render("a{}b{/}", &one, single), "<adir/a.tar.gzba.tar.gz>");
    feed_row_free(row);
    feed_row_free(single);
}

static void test_replacement__of_a_missing_argument_is_nothing(void **state)
{
    (void)state;
    static const char *const values[] = {"a"};
    static const replacement_syntax any = {0};
    feed_row *row = row_of(values, 1), *none = row_of(values, 0);
    assert_string_equal(render("{2}", &any, row), "");
    assert_string_equal(render("x{2}", &any, row), "<x>");
    assert_string_equal(render("{-2/}y", &any, row), "<y>");
    assert_string_equal(render("{}", &any, none), "");
    assert_string_equal(render("{#}", &any, none), "<7>");
    feed_row_free(row);
    feed_row_free(none);
}

static void test_replacement__by_name(void **state)
{
    (void)state;
    static const char *const values[] = {"a/b.c", "2"};
    static const char *const names[] = {"file", "n."};
    static const replacement_syntax syntax = {.names = names, .name_count = 2, .most = 2};
    feed_row *row = row_of(values, 2);
    assert_string_equal(render("{file/.}-{n.}-{n}-{1}", &syntax, row), "<b-2-{n}-a/b.c>");
    feed_row_free(row);
}

static void test_replacement__of_another_spelling_is_the_only_one(void **state)
{
    (void)state;
    static const char *const values[] = {"v"};
    static const replacement_syntax percent = {.all = "%", .most = 1}, pipe = {.only_number = 1, .most = 1};
    feed_row *row = row_of(values, 1);
    assert_string_equal(render("{} {1} {#} %%", &percent, row), "<{} {1} {#} vv>");
    assert_string_equal(render("{} {1} {#}", &pipe, row), "<{} {1} 7>");
    feed_row_free(row);
}

static void test_replacement__leaves_a_shells_own_alone(void **state)
{
    (void)state;
    static const char *const values[] = {"v"};
    static const replacement_syntax shell = {.is_shell = 1, .most = 1}, argv = {.most = 1};
    feed_row *row = row_of(values, 1);
    assert_string_equal(render("${1} ${#} $ {1}", &shell, row), "<${1} ${#} $ v>");
    assert_string_equal(render("${1} ${#}", &argv, row), "<$v $7>");
    feed_row_free(row);
}

static void test_replacement__knows_places_of_a_shell(void **state)
{
    (void)state;
    static const replacement_syntax many = {0};
    static const unsigned char alone[] = {0, SHELL_WORD}, glued[] = {0, SHELL_BARE},
                               comment[] = {0, SHELL_COMMENT};
    deja_arena arena = {0};
    deja_error err;
    template_text t;
    assert_int_equal(replacement_parse(&t, "echo {}", &many, &arena, &err), 0);
    assert_int_equal(t.count, 2);
    assert_true(replacement_has_all(&t));
    assert_int_equal(replacement_place(&t, &many, alone, &err), 0);
    assert_int_equal(replacement_place(&t, &many, comment, &err), 0);
    assert_int_equal(replacement_place(&t, &many, glued, &err), DEJA_EINVAL);
    assert_int_equal(replacement_parse(&t, "{#} {1}", &many, &arena, &err), 0);
    assert_false(replacement_has_all(&t));
    deja_arena_done(&arena);
}

static void test_replacement__survives_every_failed_allocation(void **state)
{
    (void)state;
    static const char *const values[] = {"a/b.c", "d"};
    static const replacement_syntax any = {0};
    feed_row *row = row_of(values, 2);
    const char *is = "!";
    for (long n = 1; is[0] == '!'; n++) {
        failing_alloc_at(n);
        is = render("{1/} and {2} and {#}", &any, row);
    }
    failing_alloc_at(0);
    assert_string_equal(is, "<b.c and d and 7>");
    feed_row_free(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replacement__stands_for_arguments_and_their_parts),
        cmocka_unit_test(test_replacement__of_a_missing_argument_is_nothing),
        cmocka_unit_test(test_replacement__by_name),
        cmocka_unit_test(test_replacement__of_another_spelling_is_the_only_one),
        cmocka_unit_test(test_replacement__leaves_a_shells_own_alone),
        cmocka_unit_test(test_replacement__knows_places_of_a_shell),
        cmocka_unit_test(test_replacement__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
