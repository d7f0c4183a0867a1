/* depfile.c: what compilers write, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "depfile.h"
#include <deja/buffer.h>
#include <stdlib.h>
#include <string.h>

static int add(void *context, const char *path, deja_error *err)
{
    (void)err;
    deja_buffer *all = context;
    deja_buffer_addf(all, "<%s>", path);
    return 0;
}

static void assert_paths_of(const char *text, size_t len, const char *expected)
{
    deja_buffer all = {0};
    deja_error err;
    char *exact = malloc(len + 1); /* nothing behind the text may be looked at */
    assert_non_null(exact);
    memcpy(exact, text, len);
    exact = realloc(exact, len ? len : 1);
    if (depfile_parse(exact, len, add, &all, &err))
        fail_msg("%s", err.text);
    assert_string_equal(deja_buffer_string(&all), expected);
    deja_buffer_done(&all);
    free(exact);
}

static void assert_paths(const char *text, const char *expected)
{
    assert_paths_of(text, strlen(text), expected);
}

static void test_depfile__names_of_a_rule(void **state)
{
    (void)state;
    assert_paths("x.o: x.c a.h b.h\n", "<x.c><a.h><b.h>");
    assert_paths("x.o: x.c a.h \\\n b.h \\\n\tc.h", "<x.c><a.h><b.h><c.h>");
    assert_paths("x.o: x.c a.h \\\r\n b.h\r\n", "<x.c><a.h><b.h>");
    assert_paths("x.o x.d : x.c\n", "<x.c>");
    assert_paths("x.o \\\n x.d: x.c\\\n a.h\n", "<x.c><a.h>");
    assert_paths("", "");
    assert_paths("\n \n\\\n", "");
    assert_paths("x.o:", "");
}

/* gcc -MP, and files put together of several. */
static void test_depfile__rules_without_prerequisites_say_nothing(void **state)
{
    (void)state;
    assert_paths("x.o: x.c a.h\na.h:\nb.h:\n\ny.o: y.c\n", "<x.c><a.h><y.c>");
}

/* As gcc 12 and clang 14 wrote them for files of these names. */
static void test_depfile__escapes(void **state)
{
    (void)state;
    assert_paths("x.o: a\\ b.h c\\#d.h e$$f.h g\\h.h k:l.h\n", "<a b.h><c#d.h><e$f.h><g\\h.h><k:l.h>");
    assert_paths("x.o: i\\\\\\ j.h\n", "<i\\ j.h>");
    assert_paths("x.o: i\\\\ j.h\n", "<i\\><j.h>");
    assert_paths("x.o: i\\\\h.h\n", "<i\\\\h.h>");
    assert_paths("C\\:x.o: C\\:x.h $x$\n", "<C:x.h><$x$>");
    assert_paths("x.o: a\\", "<a\\>");
    assert_paths("x.o: a$", "<a$>");
    assert_paths("a\\ b.o: c\n", "<c>");
    assert_paths("a:b.o: c:d e:\n", "<c:d><e:>");
}

static void assert_refused(const char *text, size_t len, const char *expected)
{
    deja_buffer all = {0};
    deja_error err;
    assert_int_equal(depfile_parse(text, len, add, &all, &err), DEJA_EINVAL);
    assert_string_equal(err.text, expected);
    deja_buffer_done(&all);
}

static void test_depfile__what_is_none_is_refused(void **state)
{
    (void)state;
    assert_refused("x.o: a.h\nhello world\n", 21,
                   "line 2: no colon behind a target: this is not a rule as compilers write it");
    assert_refused("x.o: a\n\n\0", 9, "line 3: a NUL byte");
}

static int stop(void *context, const char *path, deja_error *err)
{
    ++*(int *)context;
    return strcmp(path, "b") == 0 ? deja_fail(err, DEJA_ENOMEM, "enough") : 0;
}

static void test_depfile__ends_when_told(void **state)
{
    (void)state;
    int count = 0;
    deja_error err;
    assert_int_equal(depfile_parse("x: a b c\n", 9, stop, &count, &err), DEJA_ENOMEM);
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depfile__names_of_a_rule),
        cmocka_unit_test(test_depfile__rules_without_prerequisites_say_nothing),
        cmocka_unit_test(test_depfile__escapes),
        cmocka_unit_test(test_depfile__what_is_none_is_refused),
        cmocka_unit_test(test_depfile__ends_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
