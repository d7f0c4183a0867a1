/*
 * Patterns and the files of a folder.
 */
#include "failing_alloc.h"
#include "glob.h"
#include "scratch.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void make(const char *path)
{
    assert_int_equal(deja_file_make_parents(AT_FDCWD, path, 0755, NULL), 0);
    if (path[strlen(path) - 1] == '/')
        assert_int_equal(deja_file_make_dirs(AT_FDCWD, path, 0755, NULL), 0);
    else
        assert_int_equal(deja_file_replace(AT_FDCWD, path, "", 0, 0644, 0, NULL), 0);
}

/* The paths of a list, each followed by a blank. */
static void list_is(const glob_list *l, const char *expected, const char *what)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (size_t i = 0; i < l->count; i++) {
        deja_buffer_add_string(&b, l->paths[i]);
        deja_buffer_add_char(&b, ' ');
    }
    if (strcmp(deja_buffer_string(&b), expected) != 0)
        fail_msg("'%s' finds '%s', not '%s'", what, deja_buffer_string(&b), expected);
}

static void finds(const char *pattern, const char *expected)
{
    glob_list l = {0};
    deja_error err = {0};
    if (glob_find(AT_FDCWD, pattern, &l, &err))
        fail_msg("'%s': %s", pattern, err.text);
    list_is(&l, expected, pattern);
    for (size_t i = 0; i < l.count; i++)
        if (!glob_match(pattern, l.paths[i]))
            fail_msg("'%s' does not match '%s', which it found", pattern, l.paths[i]);
    glob_list_done(&l);
}

typedef struct match {
    const char *pattern, *path;
    int matches;
} match;

static void test_glob__patterns_match_by_the_text(void **state)
{
    (void)state;
    static const match all[] = {
        {"a", "a", 1},
        {"a", "b", 0},
        {"", "", 1},
        {"*", "a", 1},
        {"*", ".a", 0},
        {".*", ".a", 1},
        {"*", "a/b", 0},
        {"a*", "a", 1},
        {"a*c", "abbc", 1},
        {"a*c", "abbd", 0},
        {"*.tar.*", "x.tar.gz", 1},
        {"?", "a", 1},
        {"?", ".", 0},
        {"?", "", 0},
        {"?", "ab", 0},
        {"?", "\303\251", 1},
        {"??", "\303\251", 0},
        {"?", "\377", 1},
        {"*?\251", "\303\251", 0},
        {"a?", "a/", 0},
        {"[abc]", "b", 1},
        {"[a-c]", "d", 0},
        {"[!a]", "b", 1},
        {"[!a]", "a", 0},
        {"[^a]", "a", 0},
        {"[!a]", ".", 0},
        {"[.]", ".", 0},
        {"x[.]", "x.", 1},
        {"[]a]", "]", 1},
        {"[!]]", "]", 0},
        {"[a-]", "-", 1},
        {"[-a]", "-", 1},
        {"[\\]]", "]", 1},
        {"[\\a]", "\\", 0},
        {"[z-a]", "m", 0},
        {"[\303\240-\303\277]", "\303\251", 1},
        {"[\303\240-\303\277]", "\303", 0},
        {"[[:digit:]]", "5", 1},
        {"[[:digit:]x]", "x", 1},
        {"[![:alpha:]]", "a", 0},
        {"[[:nope:]]", "n", 0},
        {"[", "[", 1},
        {"[a", "[a", 1},
        {"[a/b]", "a/b]", 0},
        {"x[a/b]", "x[a/b]", 1},
        {"\\*", "*", 1},
        {"\\*", "a", 0},
        {"\\a", "a", 1},
        {"a\\", "a\\", 1},
        {"{a,b}", "a", 0},
        {"{a,b}", "{a,b}", 1},
        {"**", "a", 1},
        {"**", "a/b/c", 1},
        {"**", "a/.b/c", 0},
        {"**", "a/.b", 0},
        {"**/c", "c", 1},
        {"**/c", "a/b/c", 1},
        {"**/c", "a/.b/c", 0},
        {"**/.b/c", "a/.b/c", 1},
        {"a/**/c", "a/c", 1},
        {"a/**/c", "a/x/y/c", 1},
        {"a/**/c", "b/c", 0},
        {"a/**", "a/b/c", 1},
        {"a/**", "a", 0},
        {"a/**/", "a/", 1},
        {"a/**/", "a/b/", 1},
        {"a/**/", "a/b", 0},
        {"a**", "abc", 1},
        {"a**", "a/b", 0},
        {"**/b/**/d", "b/b/c/d", 1},
        {"**/b/**/d", "a/c/d", 0},
        {"*/", "a/", 1},
        {"*/", "a", 0},
        {"*", "a/", 0},
        {"/a", "/a", 1},
        {"/a", "a", 0},
        {"/**", "/a/b", 1},
        {"a//b", "a/b", 1},
        {"**/**", "a", 1},
        {"**/*.c", "x/y.c", 1},
        {"**/x", "x/x/x", 1},
        {"**/x/y", "x/x/y", 1},
        {"*a*b", "aab", 1},
    };
    for (size_t i = 0; i < COUNT(all); i++)
        if (glob_match(all[i].pattern, all[i].path) != all[i].matches)
            fail_msg("'%s' and '%s': not %d", all[i].pattern, all[i].path, all[i].matches);
}

/* Every way to split `name` at a star, for comparison with the one that is used. */
static int slow_match(const char *p, const char *s)
{
    if (!*p)
        return !*s;
    if (*p == '*')
        return slow_match(p + 1, s) || (*s && slow_match(p, s + 1));
    return *s && (*p == '?' || *p == *s) && slow_match(p + 1, s + 1);
}

static void random_text(uint32_t *seed, const char *alphabet, char text[9])
{
    size_t len = 1 + ((*seed = *seed * 1664525 + 1013904223) >> 20 & 7);
    for (size_t i = 0; i < len; i++)
        text[i] = alphabet[(*seed = *seed * 1664525 + 1013904223) >> 16 & 7];
    text[len] = 0;
}

static void test_glob__going_back_to_the_last_star_is_enough(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int n = 0; n < 20000; n++) {
        char pattern[9], name[9];
        random_text(&seed, "ab*?*ab*", pattern);
        random_text(&seed, "abababaa", name);
        if (glob_match(pattern, name) != slow_match(pattern, name))
            fail_msg("'%s' and '%s'", pattern, name);
    }
}

static void test_glob__many_stars_take_no_time(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer pattern = {0}, path = {0};
    for (int i = 0; i < 2000; i++) {
        deja_buffer_add_string(&pattern, i % 2 ? "a*" : "**/");
        deja_buffer_add_string(&path, "aaaa/aaaa");
    }
    deja_buffer_add_char(&pattern, 'b');
    assert_false(glob_match(deja_buffer_string(&pattern), deja_buffer_string(&path)));
}

static void test_glob__escaped_text_stands_for_itself(void **state)
{
    (void)state;
    static const char *const texts[] = {"a*b", "[x]",   "?",        "\\", "a\\*", "{a,b}",
                                        "!",   "plain", "\303\251", "[",  ".x",   "**"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        DEJA_AUTO_BUFFER deja_buffer back = {0};
        glob_escape(&b, texts[i], strlen(texts[i]));
        assert_false(glob_is_pattern(deja_buffer_string(&b)));
        assert_true(glob_match(deja_buffer_string(&b), texts[i]));
        glob_unescape(&back, deja_buffer_string(&b));
        assert_string_equal(deja_buffer_string(&back), texts[i]);
    }
    assert_true(glob_is_pattern("a?"));
    assert_true(glob_is_pattern("\\\\*"));
    assert_false(glob_is_pattern("\\*\\?\\["));
    assert_false(glob_is_pattern("a]{b}\\"));
}

static void make_tree(void)
{
    static const char *const paths[] = {"a.c",         "b.c",      ".h.c",      "d/e.c", "d/f.h",
                                        "d/g/h.c",     "d/.i/j.c", "d/g/k/l.c", "m/n.c", "empty/",
                                        "we*rd/[x].c", "z z/\n.c", "\377.c"};
    for (size_t i = 0; i < COUNT(paths); i++)
        make(paths[i]);
    assert_int_equal(symlink("d", "link"), 0);
    assert_int_equal(symlink("../m", "d/up"), 0);
    assert_int_equal(symlink("nowhere", "broken.c"), 0);
    assert_int_equal(symlink("a.c", "alias.c"), 0);
    assert_int_equal(mkfifo("fifo.c", 0600), 0);
}

static void test_glob__finds_files_in_the_order_of_bytes(void **state)
{
    (void)state;
    make_tree();
    finds("*.c", "a.c alias.c b.c broken.c fifo.c \377.c ");
    finds("d/*.c", "d/e.c ");
    finds("./d/*.?", "./d/e.c ./d/f.h ");
    finds("d//*.h", "d/f.h ");
    finds("[!a-z]*.c", "\377.c ");
    finds(".*.c", ".h.c ");
    finds("a.c", "a.c ");
    finds("no.c", "");
    finds("no/*.c", "");
    finds("a.c/*", "");
    finds("we\\*rd/*", "we*rd/[x].c ");
    finds("we\\*rd/\\[x\\].c", "we*rd/[x].c ");
    finds("we\\*rd/[x].c", "");
    finds("z z/*", "z z/\n.c ");
    finds("m/../d/*.h", "m/../d/f.h ");
    finds("*/../*/f.h",
          "d/../d/f.h d/../link/f.h empty/../d/f.h empty/../link/f.h link/../d/f.h link/../link/f.h "
          "m/../d/f.h m/../link/f.h we*rd/../d/f.h we*rd/../link/f.h z z/../d/f.h z z/../link/f.h ");
    finds("", "");
}

static void test_glob__two_stars_are_any_depth(void **state)
{
    (void)state;
    make_tree();
    finds("**/e.c", "d/e.c ");
    finds("d/**/*.c", "d/e.c d/g/h.c d/g/k/l.c ");
    finds("d/**", "d/e.c d/f.h d/g/h.c d/g/k/l.c ");
    finds("**/g/**/*.c", "d/g/h.c d/g/k/l.c ");
    finds("**/**/**/l.c", "d/g/k/l.c ");
    finds("**/.i/*", "d/.i/j.c ");
    finds("**/n.c", "m/n.c ");
    finds("**/up/n.c", "d/up/n.c ");
    finds("link/**/h.c", "link/g/h.c ");
    finds("**/*.h", "d/f.h ");
}

static void test_glob__folders_match_only_with_a_slash(void **state)
{
    (void)state;
    make_tree();
    finds("*d", "");
    finds("d", "");
    finds("d/", "d/ ");
    finds("a.c/", "");
    finds("*/", "d/ empty/ link/ m/ we*rd/ z z/ ");
    finds("d/*/", "d/g/ d/up/ ");
    finds("d/**/", "d/ d/g/ d/g/k/ ");
    finds("**/", "d/ d/g/ d/g/k/ empty/ m/ we*rd/ z z/ ");
    finds("/", "/ ");
}

static void test_glob__an_absolute_pattern_gives_absolute_paths(void **state)
{
    DEJA_AUTO_BUFFER deja_buffer pattern = {0}, path = {0};
    glob_list l = {0};
    make("d/e.c");
    glob_escape(&pattern, *state, strlen(*state));
    deja_buffer_add_string(&pattern, "/**/*.c");
    deja_buffer_addf(&path, "%s/d/e.c", (const char *)*state);
    assert_int_equal(glob_find(-1, deja_buffer_string(&pattern), &l, NULL), 0);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.paths[0], deja_buffer_string(&path));
    glob_list_done(&l);
}

static void test_glob__types_are_told(void **state)
{
    (void)state;
    glob_list l = {0};
    make_tree();
    assert_int_equal(glob_find(AT_FDCWD, "*.c", &l, NULL), 0);
    static const unsigned char expected[] = {GLOB_FILE, GLOB_LINK,    GLOB_FILE,
                                             GLOB_LINK, GLOB_SPECIAL, GLOB_FILE};
    assert_int_equal(l.count, COUNT(expected));
    assert_memory_equal(l.types, expected, COUNT(expected));
    assert_int_equal(glob_find(AT_FDCWD, "d/", &l, NULL), 0);
    assert_int_equal(l.types[0], GLOB_FOLDER);
    glob_list_done(&l);
}

static void test_glob__a_tree_lists_every_file_and_follows_no_link(void **state)
{
    (void)state;
    glob_list l = {0};
    make_tree();
    assert_int_equal(glob_tree(AT_FDCWD, "d", &l, NULL), 0);
    list_is(&l, "d/.i/j.c d/e.c d/f.h d/g/h.c d/g/k/l.c d/up ", "tree d");
    assert_int_equal(l.types[5], GLOB_LINK);
    assert_int_equal(glob_tree(AT_FDCWD, "d/g//", &l, NULL), 0);
    list_is(&l, "d/g/h.c d/g/k/l.c ", "tree d/g//");
    assert_int_equal(glob_tree(AT_FDCWD, "link/", &l, NULL), 0);
    list_is(&l, "link/.i/j.c link/e.c link/f.h link/g/h.c link/g/k/l.c link/up ", "tree link/");
    assert_int_equal(glob_tree(AT_FDCWD, "empty", &l, NULL), 0);
    list_is(&l, "empty ", "tree empty");
    assert_int_equal(l.types[0], GLOB_FOLDER);
    assert_int_equal(mkdir("empty/inner", 0700), 0);
    assert_int_equal(glob_tree(AT_FDCWD, "empty", &l, NULL), 0);
    list_is(&l, "empty/inner ", "tree empty with an empty one");
    assert_int_equal(rmdir("empty/inner"), 0);
    int fd = open("d/g", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(glob_tree(fd, ".", &l, NULL), 0);
    list_is(&l, "h.c k/l.c ", "tree .");
    close(fd);
    glob_list_done(&l);
}

static void test_glob__a_tree_of_no_folder_is_refused(void **state)
{
    (void)state;
    glob_list l = {0};
    deja_error err;
    make("file");
    assert_int_equal(glob_tree(AT_FDCWD, "no", &l, &err), DEJA_ENOTFOUND);
    assert_non_null(strstr(err.text, "'no'"));
    assert_int_equal(glob_tree(AT_FDCWD, "file/", &l, &err), DEJA_ETYPE);
    assert_int_equal(l.count, 0);
}

static void test_glob__an_unreadable_folder_is_named(void **state)
{
    (void)state;
    glob_list l = {0};
    deja_error err;
    make("d/x/f");
    assert_int_equal(chmod(".", 0755), 0);
    assert_int_equal(chmod("d/x", 0), 0);
    if (geteuid() == 0) /* who may read all */
        assert_int_equal(seteuid(65534), 0);
    int found = glob_find(AT_FDCWD, "**/f", &l, &err);
    int named = strstr(err.text, "'d/x'") != NULL;
    int tree = glob_tree(AT_FDCWD, "d", &l, &err);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod("d/x", 0700), 0);
    assert_int_equal(found, DEJA_EDENIED);
    assert_true(named);
    assert_int_equal(tree, DEJA_EDENIED);
    assert_int_equal(glob_find(AT_FDCWD, "d/*", &l, &err), 0);
    glob_list_done(&l);
}

static void test_glob__a_pattern_of_too_many_components_is_refused(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer pattern = {0};
    glob_list l = {0};
    for (int i = 0; i < 100; i++)
        deja_buffer_add_string(&pattern, "a/");
    assert_int_equal(glob_find(AT_FDCWD, deja_buffer_string(&pattern), &l, NULL), 0);
    for (int i = 0; i < 64; i++)
        deja_buffer_add_string(&pattern, "*/");
    assert_int_equal(glob_find(AT_FDCWD, deja_buffer_string(&pattern), &l, NULL), DEJA_ELIMIT);
    glob_list_done(&l);
}

static void test_glob__a_deep_tree_needs_one_descriptor(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    glob_list l = {0};
    for (int i = 0; i < 1500; i++)
        deja_buffer_add_string(&path, "d/");
    deja_buffer_add_string(&path, "f");
    make(deja_buffer_string(&path));
    assert_int_equal(glob_tree(AT_FDCWD, "d", &l, NULL), 0);
    assert_int_equal(l.count, 1);
    assert_int_equal(glob_find(AT_FDCWD, "**/f", &l, NULL), 0);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.paths[0], deja_buffer_string(&path));
    glob_list_done(&l);
}

static int find_some(void)
{
    glob_list l = {0};
    int code = glob_find(AT_FDCWD, "**/[a-c].*", &l, NULL);
    if (!code)
        code = glob_tree(AT_FDCWD, "d", &l, NULL);
    glob_list_done(&l);
    return code;
}

static void test_glob__a_failed_allocation_is_reported(void **state)
{
    (void)state;
    long n = 1;
    make("d/e/a.c");
    for (int code; failing_alloc_at(n), (code = find_some()) != 0; n++)
        assert_int_equal(code, DEJA_ENOMEM);
    failing_alloc_at(0);
    assert_true(n > 8);
}

#define WITH_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glob__patterns_match_by_the_text),
        cmocka_unit_test(test_glob__going_back_to_the_last_star_is_enough),
        cmocka_unit_test(test_glob__many_stars_take_no_time),
        cmocka_unit_test(test_glob__escaped_text_stands_for_itself),
        WITH_SCRATCH(test_glob__finds_files_in_the_order_of_bytes),
        WITH_SCRATCH(test_glob__two_stars_are_any_depth),
        WITH_SCRATCH(test_glob__folders_match_only_with_a_slash),
        WITH_SCRATCH(test_glob__an_absolute_pattern_gives_absolute_paths),
        WITH_SCRATCH(test_glob__types_are_told),
        WITH_SCRATCH(test_glob__a_tree_lists_every_file_and_follows_no_link),
        WITH_SCRATCH(test_glob__a_tree_of_no_folder_is_refused),
        WITH_SCRATCH(test_glob__an_unreadable_folder_is_named),
        WITH_SCRATCH(test_glob__a_pattern_of_too_many_components_is_refused),
        WITH_SCRATCH(test_glob__a_deep_tree_needs_one_descriptor),
        WITH_SCRATCH(test_glob__a_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
