/* Options of a command: jobs/cli/args.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "args.h"
#include <stdio.h>
#include <string.h>

enum { FILE_OPTION = ARGS_FIRST, JOBS, QUIET, DRY_RUN, STOP };

static const args_option options[] = {
    {FILE_OPTION, 'f', "file", "FILE", "Read FILE."},
    {JOBS, 'j', "jobs", "N", "Run so many."},
    {QUIET, 'q', "quiet", NULL, "Say less."},
    {DRY_RUN, 0, "dry-run", NULL, "Do nothing."},
    {STOP, 0, "stop", "[=now]", "Stop."},
    {0},
};

static const args_command mixed = {.name = "run", .usage = "", .about = "About.", .options = options};
static const args_command ending = {
    .name = "exec", .usage = "", .about = "About.", .options = options, .first_word_ends = 1};

/* Walks over the words and writes what was found as text: "j=4 q word:x !error". */
static const char *walk(const args_command *c, const char *const *words)
{
    static char text[512];
    args a;
    deja_error err;
    int id;
    size_t len = 0;
    text[0] = 0;
    args_begin(&a, c, (char *const *)words);
    while ((id = args_next(&a, &err)) != ARGS_END && len < sizeof text) {
        const char *name = id == FILE_OPTION ? "f"
                           : id == JOBS      ? "j"
                           : id == QUIET     ? "q"
                           : id == DRY_RUN   ? "n"
                           : id == STOP      ? "s"
                                             : "";
        if (id < 0)
            return snprintf(text, sizeof text, "%s", err.text) < 0 ? NULL : text;
        if (id == ARGS_HELP)
            name = "help";
        if (id == ARGS_WORD)
            name = "word";
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%s%s", len ? " " : "", name,
                                a.value ? "=" : "", a.value ? a.value : "");
    }
    return text;
}

#define WALK(c, ...) walk(c, (const char *const[]){__VA_ARGS__, NULL})

static void test_args__an_argument_may_be_left_out(void **state)
{
    (void)state;
    assert_string_equal(WALK(&mixed, "--stop", "now", "--stop=now", "--stop="), "s word=now s=now s=");
}

static void test_args__all_spellings(void **state)
{
    (void)state;
    assert_string_equal(WALK(&mixed, "--jobs", "4", "--jobs=4", "-j", "4", "-j4"), "j=4 j=4 j=4 j=4");
    assert_string_equal(WALK(&mixed, "-qj4", "-qqf", "x", "-f-"), "q j=4 q q f=x f=-");
    assert_string_equal(WALK(&mixed, "--file=", "-f", ""), "f= f=");
    assert_string_equal(WALK(&mixed, "--file=a=b", "-fa=b", "-f=a"), "f=a=b f=a=b f==a");
    assert_string_equal(WALK(&mixed, "--dry-run", "-h", "--help"), "n help help");
}

static void test_args__an_argument_may_look_like_an_option(void **state)
{
    (void)state;
    assert_string_equal(WALK(&mixed, "-f", "-q", "--file", "--", "x"), "f=-q f=-- word=x");
}

static void test_args__words_may_stand_anywhere(void **state)
{
    (void)state;
    assert_string_equal(WALK(&mixed, "a", "-q", "b", "-", "--", "-q", "--", "--jobs"),
                        "word=a q word=b word=- word=-q word=-- word=--jobs");
}

static void test_args__the_first_word_may_end_the_options(void **state)
{
    (void)state;
    assert_string_equal(WALK(&ending, "-q", "cmd", "-q", "--", "--help"),
                        "q word=cmd word=-q word=-- word=--help");
    assert_string_equal(WALK(&ending, "-q", "--", "-x", "-q"), "q word=-x word=-q");
}

static void test_args__faults_are_named(void **state)
{
    (void)state;
    assert_string_equal(WALK(&mixed, "--dry-rn"), "unknown option '--dry-rn', did you mean '--dry-run'?");
    assert_string_equal(WALK(&mixed, "--hlep"), "unknown option '--hlep', did you mean '--help'?");
    assert_string_equal(WALK(&mixed, "--job=3"), "unknown option '--job', did you mean '--jobs'?");
    assert_string_equal(WALK(&mixed, "--zzzzzz"), "unknown option '--zzzzzz'");
    assert_string_equal(WALK(&mixed, "-qx"), "unknown option '-x'");
    assert_string_equal(WALK(&mixed, "--quiet=1"), "option '--quiet' takes no argument");
    assert_string_equal(WALK(&mixed, "--file"), "option '--file' needs an argument: FILE");
    assert_string_equal(WALK(&mixed, "-qj"), "option '-j' needs an argument: N");
    assert_string_equal(WALK(&mixed, "--=x"), "unknown option '--'");
}

static void test_args__numbers_have_limits(void **state)
{
    static const char *const bad[] = {"0", "11", "", "x", "1x", " 1", "99999999999999999999", "-1"};
    int64_t n;
    deja_error err;
    (void)state;
    args a = {.value = "10"};
    assert_int_equal(args_number(&a, "--jobs", 1, 10, &n, &err), 0);
    assert_int_equal(n, 10);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a.value = bad[i];
        assert_int_equal(args_number(&a, "--jobs", 1, 10, &n, &err), DEJA_EINVAL);
        assert_non_null(strstr(err.text, "--jobs takes a whole number from 1 to 10"));
    }
}

static void test_args__text_is_filled_to_eighty_columns(void **state)
{
    (void)state;
    deja_buffer b = {0};
    const char *word = "wörd ";
    deja_buffer text = {0};
    for (int i = 0; i < 40; i++)
        deja_buffer_add_string(&text, word);
    args_fill(&b, deja_buffer_string(&text), 10, 3);
    /* seven columns are filled up, then words of four and a blank: 14 of them take 69 columns */
    assert_memory_equal(b.data, "       wörd wörd", 18);
    const char *end = strchr(b.data, '\n');
    assert_int_equal(end - b.data, 7 + 14 * 6 - 1);
    assert_memory_equal(end + 1, "          wörd", 15);
    deja_buffer_clear(&b);
    args_fill(&b,
              "a-word-that-is-far-longer-than-eighty-columns-and-cannot-be-broken-anywhere-because-it-has-no-"
              "blank x",
              2, 0);
    assert_string_equal(b.data,
                        "  a-word-that-is-far-longer-than-eighty-columns-and-cannot-be-broken-anywhere-"
                        "because-it-has-no-blank\n  x\n");
    deja_buffer_done(&b);
    deja_buffer_done(&text);
}

static void test_args__help_comes_from_the_table(void **state)
{
    static const args_example examples[] = {{"deja run x", "Runs x."}, {0}};
    static const args_command c = {.name = "run",
                                   .usage = "[OPTION]...",
                                   .about = "One.\n\n  kept   as  it is",
                                   .options = options,
                                   .examples = examples};
    (void)state;
    deja_buffer b = {0};
    args_help(&b, &c);
    assert_string_equal(deja_buffer_string(&b), "Usage: deja run [OPTION]...\n"
                                                "\n"
                                                "One.\n"
                                                "\n"
                                                "  kept   as  it is\n"
                                                "\n"
                                                "Options:\n"
                                                "  -f, --file FILE         Read FILE.\n"
                                                "  -j, --jobs N            Run so many.\n"
                                                "  -q, --quiet             Say less.\n"
                                                "      --dry-run           Do nothing.\n"
                                                "      --stop[=now]        Stop.\n"
                                                "  -h, --help              Show this help.\n"
                                                "\n"
                                                "Examples:\n"
                                                "  deja run x\n"
                                                "      Runs x.\n");
    deja_buffer_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_args__all_spellings),
        cmocka_unit_test(test_args__an_argument_may_be_left_out),
        cmocka_unit_test(test_args__an_argument_may_look_like_an_option),
        cmocka_unit_test(test_args__words_may_stand_anywhere),
        cmocka_unit_test(test_args__the_first_word_may_end_the_options),
        cmocka_unit_test(test_args__faults_are_named),
        cmocka_unit_test(test_args__numbers_have_limits),
        cmocka_unit_test(test_args__text_is_filled_to_eighty_columns),
        cmocka_unit_test(test_args__help_comes_from_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
