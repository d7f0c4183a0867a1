/* environment.h: what a job sees of the environment, and what of it is in its key. */
#include "job_fixture.h"

#include "environment.h"
#include "failing_alloc.h"
#include <deja/cleanup.h>

static const char *const outer[] = {
    "PATH=/bin", "LANG=C", "SECRET_KEY=s3cret", "FOO=outer",         "LC_TIME=x",
    "OTHER=o",   "PWD=/x", "HOME=/h",           "MKL_NUM_THREADS=7", NULL};

/* The names and values of the key's environment fields as "NAME=value;NAME!;NAME#;". */
static const char *environment_fields(const char *text)
{
    static char line[4096];
    batch *b = load(text);
    job j = render(b, "a", 0);
    deja_key key = {0};
    deja_error err;
    size_t at = 0, n = 0;
    deja_field field;
    deja_key_begin(&key, "command");
    assert_int_equal(environment_key(&key, &j, outer, &err), 0);
    while (deja_field_next(key.bytes.data, key.bytes.len, &at, &field) > 0) {
        const char *sign = field.tag == DEJA_FIELD_ENV ? "=" : field.tag == DEJA_FIELD_ENV_ABSENT ? "!" : "#";
        if (field.tag == DEJA_FIELD_KIND)
            continue;
        n += (size_t)snprintf(line + n, sizeof line - n, "%.*s%s%.*s;", (int)field.name_len, field.name, sign,
                              field.tag == DEJA_FIELD_ENV ? (int)field.value_len : 0,
                              (const char *)field.value);
    }
    deja_key_done(&key);
    job_done(&j);
    batch_free(b);
    return line;
}

static void test_environment__key_has_named_variables_and_the_locale(void **state)
{
    (void)state;
    assert_string_equal(environment_fields("version: 1\njobs:\n  a: {run: x}\n"), "LANG=C;LC_TIME=x;TZ!;");
    assert_string_equal(
        environment_fields("version: 1\njobs:\n  a: {run: x, env: [FOO, NONE, SECRET_KEY]}\n"),
        "FOO=outer;LANG=C;LC_TIME=x;NONE!;SECRET_KEY#;TZ!;");
    assert_string_equal(
        environment_fields("version: 1\njobs:\n  a: {run: x, env: {FOO: \"in ner\", TZ: \"\"}}\n"),
        "FOO=in ner;LANG=C;LC_TIME=x;TZ=;");
    assert_string_equal(environment_fields("version: 1\njobs:\n  a: {run: x, clean-env: true, env: [FOO]}\n"),
                        "FOO=outer;LANG!;TZ!;");
}

static const char *const *build_environment(job *j)
{
    const char *const *list;
    deja_error err;
    assert_int_equal(
        environment_build(&list, j, outer, &(environment_own){.cwd = "/work", .claims = "abc"}, &err), 0);
    return list;
}

static void test_environment__job_sees_all_and_what_deja_adds(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, env: {FOO: inner}}\n  c: {run: x, clean-env: true, "
                    "env: [OTHER]}\n");
    job a = render(b, "a", 0), c = render(b, "c", 0);
    const char *const *list = build_environment(&a);
    assert_string_equal(environment_get(list, "FOO"), "inner");
    assert_string_equal(environment_get(list, "OTHER"), "o");
    assert_string_equal(environment_get(list, "PWD"), "/work");
    assert_string_equal(environment_get(list, "DEJA_CLAIMS"), "abc");
    assert_string_equal(environment_get(list, "OMP_NUM_THREADS"), "1");
    assert_string_equal(environment_get(list, "MKL_NUM_THREADS"), "7");
    list = build_environment(&c);
    assert_string_equal(environment_get(list, "OTHER"), "o");
    assert_string_equal(environment_get(list, "HOME"), "/h");
    assert_null(environment_get(list, "FOO"));
    assert_null(environment_get(list, "LANG"));
    job_done(&a);
    job_done(&c);
    batch_free(b);
}

static void test_environment__a_variable_is_found_by_its_whole_name(void **state)
{
    (void)state;
    static const char *const list[] = {"AB=1", "A=2", "A=3", "EMPTY=", "NO_SIGN", "=odd", NULL};
    assert_string_equal(environment_get(list, "A"), "2");
    assert_string_equal(environment_get(list, "AB"), "1");
    assert_string_equal(environment_get(list, "EMPTY"), "");
    assert_null(environment_get(list, "ABC"));
    assert_null(environment_get(list, "NO_SIGN"));
    assert_null(environment_get(NULL, "A"));
}

/* What deja has of its own never comes from outside, unless the batch names it. */
static void test_environment__of_an_outer_run_is_not_handed_on(void **state)
{
    (void)state;
    static const char *const nested[] = {"PWD=/x",  "OLDPWD=/y", "DEJA_CLAIMS=c", "DEJA_RUN=r",
                                         "=C:=C:/", "NO_SIGN",   "DEJA_MODE=off", NULL};
    batch *b = load("version: 1\njobs:\n  a: {run: x}\n  b: {run: x, env: [OLDPWD, PWD]}\n");
    job a = render(b, "a", 0), named = render(b, "b", 0);
    const char *const *list;
    assert_int_equal(environment_build(&list, &a, nested, &(environment_own){.cwd = "/work"}, NULL), 0);
    assert_string_equal(environment_get(list, "PWD"), "/work");
    assert_null(environment_get(list, "OLDPWD"));
    assert_null(environment_get(list, "DEJA_CLAIMS"));
    assert_null(environment_get(list, "DEJA_RUN"));
    assert_null(environment_get(list, ""));
    assert_string_equal(environment_get(list, "DEJA_MODE"), "off");
    assert_int_equal(
        environment_build(&list, &named, nested, &(environment_own){.cwd = "/work", .claims = "mine"}, NULL),
        0);
    assert_string_equal(environment_get(list, "PWD"), "/x");
    assert_string_equal(environment_get(list, "OLDPWD"), "/y");
    assert_string_equal(environment_get(list, "DEJA_CLAIMS"), "mine");
    job_done(&a);
    job_done(&named);
    batch_free(b);
}

static void test_environment__one_thread_unless_the_batch_says_so(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, clean-env: true, env: {OMP_NUM_THREADS: 3}}\n");
    job j = render(b, "a", 0);
    const char *const *list = build_environment(&j);
    size_t seen = 0;
    for (size_t i = 0; list[i]; i++)
        seen += strncmp(list[i], "OMP_NUM_THREADS=", 16) == 0;
    assert_int_equal(seen, 1);
    assert_string_equal(environment_get(list, "OMP_NUM_THREADS"), "3");
    assert_string_equal(environment_get(list, "MKL_NUM_THREADS"), "1"); /* the caller's does not pass */
    job_done(&j);
    batch_free(b);
}

static void test_environment__path_is_what_the_job_will_see(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    batch *b = load("version: 1\njobs:\n  a: {run: x}\n  b: {run: x, env: {PATH: /set}}\n"
                    "  c: {run: x, clean-env: true}\n");
    job a = render(b, "a", 0), set = render(b, "b", 0), clean = render(b, "c", 0);
    assert_string_equal(environment_path(&a, outer), "/bin");
    assert_string_equal(environment_path(&set, outer), "/set");
    assert_string_equal(environment_path(&clean, outer), "/bin");
    assert_string_equal(environment_path(&a, none), "/bin:/usr/bin");
    job_done(&a);
    job_done(&set);
    job_done(&clean);
    batch_free(b);
}

static int scenario(job *j)
{
    const char *const *list;
    deja_key key = {0};
    deja_hash hash;
    deja_error err = {0};
    int status =
        environment_build(&list, j, outer, &(environment_own){.cwd = "/work", .claims = "abc"}, &err);
    if (status == 0)
        status = environment_key(&key, j, outer, &err);
    if (status == 0)
        status = deja_key_finish(&key, &hash);
    deja_key_done(&key);
    return status;
}

static void test_environment__any_allocation_may_fail(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_add_string(&text,
                           "version: 1\njobs:\n  a: {run: x, matrix: {n: [1]}, env: {LONG: \"${{ n }}");
    for (int i = 0; i < 10000; i++)
        deja_buffer_add_char(&text, 'v');
    deja_buffer_add_string(&text, "\"}}\n");
    batch *b = load(deja_buffer_string(&text));
    long n = 1;
    for (int status = -1; status != 0; n++) {
        job j = render(b, "a", 0);
        failing_alloc_at(n);
        status = scenario(&j);
        failing_alloc_at(0);
        assert_true(status == 0 || status == DEJA_ENOMEM);
        job_done(&j);
    }
    assert_true(n > 3);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_environment__key_has_named_variables_and_the_locale),
        CASE(test_environment__job_sees_all_and_what_deja_adds),
        CASE(test_environment__a_variable_is_found_by_its_whole_name),
        CASE(test_environment__of_an_outer_run_is_not_handed_on),
        CASE(test_environment__one_thread_unless_the_batch_says_so),
        CASE(test_environment__path_is_what_the_job_will_see),
        CASE(test_environment__any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
