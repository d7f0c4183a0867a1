/* scalar.h: the types of YAML 1.2's core schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scalar.h"
#include <math.h>

static deja_value value_of(const char *text)
{
    deja_value v = deja_null();
    deja_error err;
    if (scalar_of(text, strlen(text), &v, &err) < 0)
        fail_msg("%s", err.text);
    return v;
}

static void expect(const char *text, deja_value wanted)
{
    deja_value v = value_of(text);
    if (!deja_value_equal(&v, &wanted))
        fail_msg("'%s' is taken for another value, of kind %s", text, deja_kind_name(v.kind));
}

static void test_scalar__words(void **state)
{
    (void)state;
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        expect(nulls[i], deja_null());
    expect("true", deja_bool(1));
    expect("FALSE", deja_bool(0));
    static const char *const texts[] = {"yes", "on",  "nULL", "tRUE",  "1_000", "0b1",   "1.2.3",
                                        "0x",  "0o9", "-",    ".",     "+",     "inf",   "nan",
                                        "--1", "1e",  "0x1g", "-0x1f", "12:30", "+.nan", "1 "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], deja_string(texts[i]));
}

static void test_scalar__whole_numbers(void **state)
{
    (void)state;
    expect("0", deja_i64(0));
    expect("-7", deja_i64(-7));
    expect("+12", deja_i64(12));
    expect("0x1F", deja_i64(31));
    expect("0o17", deja_i64(15));
    expect("9223372036854775807", deja_i64(INT64_MAX));
    expect("-9223372036854775808", deja_i64(INT64_MIN));
    expect("9223372036854775808", deja_u64(UINT64_C(9223372036854775808)));
    expect("18446744073709551615", deja_u64(UINT64_MAX));
    expect("0xffffffffffffffff", deja_u64(UINT64_MAX));
    expect("0o1777777777777777777777", deja_u64(UINT64_MAX));
}

static void test_scalar__reals(void **state)
{
    (void)state;
    expect("1.0", deja_f64(1));
    expect("-.5", deja_f64(-.5));
    expect("2e3", deja_f64(2000));
    expect("1.", deja_f64(1));
    expect("-0.0", deja_f64(-0.0));
    expect(".inf", deja_f64(INFINITY));
    expect("-.INF", deja_f64(-INFINITY));
    expect(".NaN", deja_f64(NAN));
}

static void test_scalar__numbers_that_are_too_large_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"18446744073709551616", "-9223372036854775809", "0x10000000000000000",
                                        "1e999"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        deja_value v;
        deja_error err;
        assert_int_equal(scalar_of(texts[i], strlen(texts[i]), &v, &err), DEJA_ELIMIT);
        assert_non_null(strstr(err.text, texts[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalar__words),
        cmocka_unit_test(test_scalar__whole_numbers),
        cmocka_unit_test(test_scalar__reals),
        cmocka_unit_test(test_scalar__numbers_that_are_too_large_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
