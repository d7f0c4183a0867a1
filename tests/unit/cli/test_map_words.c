/* The words of `deja map`: jobs/cli/map_words.h. */
#include "arguments_fixture.h"
#include "map_words.h"

/* "command | sources": of words in (...), of files in [...], linked ones with a plus; or "! " and why not. */
static const char *split(const char *text, int none_is_stdin)
{
    static char result[2048];
    char copy[256], *rest = copy;
    words all = {0};
    rows r = {0};
    deja_error err;
    map_words m = {.separator = '\n'};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok_r(rest, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        assert_int_equal(words_add(&all, word, NULL), 0);
    int code = map_words_split(&m, &all, none_is_stdin, &r, &err);
    for (size_t i = 0; i < m.command.count; i++)
        deja_buffer_addf(&b, "%s ", m.command.list[i]);
    for (size_t i = 0; i < r.count; i++)
        for (size_t k = 0; k < r.groups[i].count; k++) {
            const item_source *s = &r.groups[i].sources[k];
            deja_buffer_addf(&b, "%s%s", k ? "+" : "", s->words ? "(" : "[");
            for (size_t w = 0; w < s->word_count; w++)
                deja_buffer_addf(&b, "%s%s", w ? " " : "", s->words[w]);
            deja_buffer_addf(&b, "%s%s%s", s->words ? "" : s->name, s->keeps_empty ? "*" : "",
                             s->words ? ")" : "]");
        }
    snprintf(result, sizeof result, "%s%s", code ? "! " : "", code ? err.text : deja_buffer_string(&b));
    map_words_done(&m);
    rows_done(&r);
    words_done(&all);
    return result;
}

static void test_map_words__are_split(void **state)
{
    (void)state;
    static const struct {
        const char *text, *is;
    } cases[] = {
        {"echo x ::: a b", "echo x (a b)"},
        {"echo ::: a ::: b c", "echo (a)(b c)"},
        {"echo ::: a :::+ b ::: c", "echo (a*)+(b*)(c)"},
        {"echo :::", "echo ()"},
        {"echo :::: /dev/null /dev/null", "echo [/dev/null][/dev/null]"},
        {"echo ::: a ::::+ /dev/null ::: b", "echo (a*)+[/dev/null*](b)"},
        {"echo :::: -", "echo [standard input]"},
        {"echo : :: ::::: ::::- :::a a:::", "echo : :: ::::: ::::- :::a a::: [standard input]"},
        {"echo", "echo [standard input]"},
        {"echo :::+ a", "! ':::+' links to the source before it, and there is none"},
        {"echo ::::+ a", "! '::::+' links to the source before it, and there is none"},
        {"echo :::: - ::::+ -", "! standard input is named twice: it can be read only once"},
        {"echo ::::", "! '::::' needs the names of files; - is standard input"},
        {"echo :::: /none", "! open the arguments '/none': No such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(split(cases[i].text, 1), cases[i].is);
    assert_string_equal(split("echo", 0), "echo ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_words__are_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
