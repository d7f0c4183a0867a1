/* Where things live: jobs/cli/place.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <deja/place.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int clean(void **state)
{
    (void)state;
    unsetenv("DEJA_CACHE");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("XDG_STATE_HOME");
    return setenv("HOME", "/home/me", 1);
}

static const char *cache(const char *option, const char *beside)
{
    static char text[1024];
    deja_buffer b = {0};
    deja_error err;
    int code = deja_place_cache(&b, option, beside, &err);
    snprintf(text, sizeof text, "%s", code ? err.text : deja_buffer_string(&b));
    deja_buffer_done(&b);
    return text;
}

static const char *runs(const char *beside)
{
    static char text[1024];
    deja_buffer b = {0};
    deja_error err;
    int code = deja_place_runs(&b, beside, &err);
    snprintf(text, sizeof text, "%s", code ? err.text : deja_buffer_string(&b));
    deja_buffer_done(&b);
    return text;
}

static void test_place__the_option_goes_before_the_environment(void **state)
{
    (void)state;
    assert_string_equal(cache(NULL, "/batch"), "/batch/.deja");
    setenv("DEJA_CACHE", "/env", 1);
    assert_string_equal(cache(NULL, "/batch"), "/env");
    assert_string_equal(cache("opt", "/batch"), "opt");
    assert_string_equal(cache(NULL, NULL), "/env");
    setenv("DEJA_CACHE", "", 1);
    assert_string_equal(cache(NULL, "/batch"), "/batch/.deja");
}

static void test_place__the_users_folders_are_those_of_xdg(void **state)
{
    (void)state;
    assert_string_equal(cache(NULL, NULL), "/home/me/.cache/deja");
    assert_string_equal(runs(NULL), "/home/me/.local/state/deja/runs");
    setenv("XDG_CACHE_HOME", "/c", 1);
    setenv("XDG_STATE_HOME", "/s", 1);
    assert_string_equal(cache(NULL, NULL), "/c/deja");
    assert_string_equal(runs(NULL), "/s/deja/runs");
    setenv("XDG_CACHE_HOME", "relative", 1);
    assert_string_equal(cache(NULL, NULL), "/home/me/.cache/deja");
    assert_string_equal(runs("/batch"), "/batch/.deja/runs");
}

static void test_place__without_a_home_it_says_what_to_set(void **state)
{
    (void)state;
    unsetenv("HOME");
    assert_non_null(strstr(cache(NULL, NULL), "set HOME, XDG_CACHE_HOME or DEJA_CACHE"));
    assert_non_null(strstr(runs(NULL), "HOME"));
}

static void test_place__modes_are_three_words(void **state)
{
    deja_place_mode mode = DEJA_PLACE_OFF;
    deja_error err;
    (void)state;
    assert_int_equal(deja_place_mode_of(NULL, &mode, &err), 0);
    assert_int_equal(mode, DEJA_PLACE_USE);
    assert_int_equal(deja_place_mode_of("off", &mode, &err), 0);
    assert_int_equal(mode, DEJA_PLACE_OFF);
    assert_int_equal(deja_place_mode_of("readonly", &mode, &err), 0);
    assert_int_equal(mode, DEJA_PLACE_READONLY);
    assert_int_equal(deja_place_mode_of("refresh", &mode, &err), 0);
    assert_int_equal(mode, DEJA_PLACE_REFRESH);
    assert_int_equal(deja_place_mode_of("OFF", &mode, &err), DEJA_EINVAL);
    assert_string_equal(err.text, "DEJA_MODE is 'OFF': expected off, readonly or refresh");
}

#define CASE(name) cmocka_unit_test_setup(name, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_place__the_option_goes_before_the_environment),
        CASE(test_place__the_users_folders_are_those_of_xdg),
        CASE(test_place__without_a_home_it_says_what_to_set),
        CASE(test_place__modes_are_three_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
