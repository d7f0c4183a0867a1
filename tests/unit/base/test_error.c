/* Errors: texts, prefixes, cuts, codes of errno. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <deja/error.h>
#include <deja/text.h>
#include <errno.h>
#include <string.h>

static void test_error__says_code_and_text(void **state)
{
    (void)state;
    deja_error err = {.sys_errno = 77};
    assert_int_equal(deja_fail(&err, DEJA_EINVAL, "bad %s %d", "value", 3), DEJA_EINVAL);
    assert_int_equal(err.code, DEJA_EINVAL);
    assert_int_equal(err.sys_errno, 0);
    assert_string_equal(err.text, "bad value 3");
}

static void test_error__errno_chooses_the_code(void **state)
{
    (void)state;
    deja_error err;
    errno = ENOENT;
    assert_int_equal(deja_fail_errno(&err, "open '%s'", "x"), DEJA_ENOTFOUND);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_int_equal(errno, ENOENT);
    assert_string_equal(err.text, "open 'x': No such file or directory");
    assert_int_equal(deja_code_of_errno(EDQUOT), DEJA_EFULL);
    assert_int_equal(deja_code_of_errno(ENOSPC), DEJA_EFULL);
    assert_int_equal(deja_code_of_errno(EMFILE), DEJA_ERESOURCE);
    assert_int_equal(deja_code_of_errno(EROFS), DEJA_EDENIED);
    assert_int_equal(deja_code_of_errno(EPIPE), DEJA_EIO);
    assert_int_equal(deja_code_of_errno(0), DEJA_EIO);
}

static void test_error__contexts_read_from_left_to_right(void **state)
{
    (void)state;
    deja_error err;
    deja_fail(&err, DEJA_EIO, "write 'a'");
    assert_int_equal(deja_fail_in(&err, "step %d", 2), DEJA_EIO);
    assert_int_equal(deja_fail_in(&err, "job '%s'", "count"), DEJA_EIO);
    assert_string_equal(err.text, "job 'count': step 2: write 'a'");
    assert_int_equal(err.code, DEJA_EIO);
}

static void test_error__may_be_null(void **state)
{
    (void)state;
    assert_int_equal(deja_fail(NULL, DEJA_EIO, "x"), DEJA_EIO);
    errno = EACCES;
    assert_int_equal(deja_fail_errno(NULL, "x"), DEJA_EDENIED);
    assert_int_equal(deja_fail_in(NULL, "x"), DEJA_EINVAL);
}

static void test_error__may_quote_itself(void **state)
{
    (void)state;
    deja_error err;
    deja_fail(&err, DEJA_EIO, "inner");
    deja_fail(&err, DEJA_EINVAL, "outer <%s>", err.text);
    assert_string_equal(err.text, "outer <inner>");
}

/* Every number of one-byte characters before a run of four-byte ones: each way a sequence can straddle the
 * cut. */
static void test_error__cuts_at_a_character(void **state)
{
    (void)state;
    for (int before = 0; before < 8; before++) {
        char text[4096];
        memset(text, 'a', (size_t)before);
        for (size_t at = (size_t)before; at + 5 < sizeof text; at += 4)
            memcpy(text + at, "\xF0\x9F\x98\x80", 5);
        deja_error err;
        deja_fail(&err, DEJA_EIO, "%s", text);
        size_t len = strlen(err.text);
        assert_in_range(len, sizeof err.text - 1 - 3, sizeof err.text - 1);
        assert_string_equal(err.text + len - 3, "...");
        assert_true(deja_text_is_utf8(err.text, len));
    }
}

static void test_error__longest_text_is_not_cut(void **state)
{
    (void)state;
    deja_error err;
    char text[sizeof err.text + 1];
    memset(text, 'x', sizeof text);
    text[sizeof err.text - 1] = '\0';
    deja_fail(&err, DEJA_EIO, "%s", text);
    assert_string_equal(err.text, text);
    text[sizeof err.text - 1] = 'x';
    text[sizeof err.text] = '\0';
    deja_fail(&err, DEJA_EIO, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(err.text + sizeof err.text - 4, "...");
}

static void test_error__cuts_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    char text[3000];
    memset(text, '\x80', sizeof text);
    text[sizeof text - 1] = '\0';
    deja_error err;
    deja_fail(&err, DEJA_EIO, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    for (int i = 0; i < 40; i++)
        deja_fail_in(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void test_error__every_code_has_a_meaning(void **state)
{
    (void)state;
#define X(name, value, text)                                                                                 \
    assert_int_equal(name, value);                                                                           \
    assert_string_equal(deja_error_meaning(value), text);
    DEJA_ERRORS(X)
#undef X
    assert_string_equal(deja_error_meaning(12345), "unknown error");
    assert_string_equal(deja_error_meaning(0), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error__says_code_and_text),
        cmocka_unit_test(test_error__errno_chooses_the_code),
        cmocka_unit_test(test_error__contexts_read_from_left_to_right),
        cmocka_unit_test(test_error__may_be_null),
        cmocka_unit_test(test_error__may_quote_itself),
        cmocka_unit_test(test_error__cuts_at_a_character),
        cmocka_unit_test(test_error__longest_text_is_not_cut),
        cmocka_unit_test(test_error__cuts_bytes_that_are_not_utf8),
        cmocka_unit_test(test_error__every_code_has_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
