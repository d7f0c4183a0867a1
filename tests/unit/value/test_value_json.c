/*
 * Values as JSON.
 */
#include "value_zoo.h"

static void assert_json(deja_value v, uint64_t most, const char *expected)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_value_json(&b, &v, most);
    assert_string_equal(deja_buffer_string(&b), expected);
}

static void test_value_json__numbers_read_back_equal(void **state)
{
    (void)state;
    assert_json(deja_null(), 0, "null");
    assert_json(deja_bool(1), 0, "true");
    assert_json(deja_i64(INT64_MIN), 0, "-9223372036854775808");
    assert_json(deja_u64(UINT64_MAX), 0, "18446744073709551615");
    assert_json(deja_f64(0.1), 0, "0.1");
    assert_json(deja_f64(1), 0, "1.0");
    assert_json(deja_f64(-0.0), 0, "-0.0");
    assert_json(deja_f64(1e300), 0, "1e+300");
    assert_json(deja_f64(5e-324), 0, "5e-324");
    assert_json(deja_f64((double)NAN), 0, "\"nan\"");
    assert_json(deja_f64((double)-INFINITY), 0, "\"-inf\"");
}

static void test_value_json__text_is_escaped_or_base64(void **state)
{
    (void)state;
    assert_json(deja_string("a\"\\\n\x1b\x7f\xc2\x9b\xc3\xa9"), 0,
                "\"a\\\"\\\\\\u000a\\u001b\\u007f\\u009b\xc3\xa9\"");
    assert_json(deja_string("\xff\xfe"), 0, "{\"base64\":\"//4=\"}");
    assert_json(deja_bytes("a", 1), 0, "{\"base64\":\"YQ==\"}");
    assert_json(deja_bytes("abc", 3), 0, "{\"base64\":\"YWJj\"}");
    assert_json(deja_bytes(NULL, 0), 0, "{\"base64\":\"\"}");
    assert_json(deja_file("a b"), 0, "{\"file\":\"a b\"}");
    assert_json(deja_file("\xff"), 0, "{\"file\":{\"base64\":\"/w==\"}}");
}

static void test_value_json__arrays_show_the_first(void **state)
{
    (void)state;
    zoo z = zoo_all();
    assert_json(*zoo_get(&z, "fortran 2,3"), 0,
                "{\"dtype\":\"f64\",\"shape\":[2,3],\"data\":[1.0,3.0,5.0,2.0,4.0,6.0]}");
    assert_json(*zoo_get(&z, "fortran 2,3"), 2,
                "{\"dtype\":\"f64\",\"shape\":[2,3],\"data\":[1.0,3.0,\"...\"]}");
    assert_json(*zoo_get(&z, "fortran 2,3"), 6,
                "{\"dtype\":\"f64\",\"shape\":[2,3],\"data\":[1.0,3.0,5.0,2.0,4.0,6.0]}");
    assert_json(*zoo_get(&z, "shape 0,3"), 1, "{\"dtype\":\"f64\",\"shape\":[0,3],\"data\":[]}");
    assert_json(*zoo_get(&z, "shape of none"), 1, "{\"dtype\":\"f64\",\"shape\":[],\"data\":[1.0]}");
    assert_json(*zoo_get(&z, "array bool"), 0, "{\"dtype\":\"bool\",\"shape\":[2],\"data\":[false,true]}");
    assert_json(*zoo_get(&z, "array c64"), 0,
                "{\"dtype\":\"c64\",\"shape\":[2],\"data\":[[0.0,0.0],[1.0,0.0]]}");
    assert_json(*zoo_get(&z, "array c128"), 1,
                "{\"dtype\":\"c128\",\"shape\":[2],\"data\":[[0.0,0.0],\"...\"]}");
}

static void assert_elements(uint32_t dtype, const void *data, const char *expected)
{
    static const int64_t shape[] = {2};
    deja_array a = {.data = (void *)(uintptr_t)data, .dtype = dtype, .ndim = 1, .shape = shape};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_value v = deja_of_array(&a);
    deja_value_json(&b, &v, 0);
    assert_non_null(strstr(deja_buffer_string(&b), expected));
}

static void test_value_json__elements_of_each_type(void **state)
{
    (void)state;
    assert_elements(DEJA_I8, (int8_t[]){-128, 127}, "[-128,127]");
    assert_elements(DEJA_U8, (uint8_t[]){0, 255}, "[0,255]");
    assert_elements(DEJA_I16, (int16_t[]){-32768, 1}, "[-32768,1]");
    assert_elements(DEJA_U16, (uint16_t[]){65535, 1}, "[65535,1]");
    assert_elements(DEJA_I32, (int32_t[]){INT32_MIN, 1}, "[-2147483648,1]");
    assert_elements(DEJA_U32, (uint32_t[]){UINT32_MAX, 1}, "[4294967295,1]");
    assert_elements(DEJA_I64, (int64_t[]){INT64_MIN, 1}, "[-9223372036854775808,1]");
    assert_elements(DEJA_U64, (uint64_t[]){UINT64_MAX, 1}, "[18446744073709551615,1]");
    assert_elements(DEJA_F32, (float[]){0.1F, 16777216.0F}, "[0.1,16777216.0]");
    assert_elements(DEJA_F32, (float[]){(float)NAN, 3.4028235e38F}, "[\"nan\",3.4028235e+38]");
}

static void test_value_json__lists_and_maps_nest(void **state)
{
    (void)state;
    zoo z = zoo_all();
    assert_json(*zoo_get(&z, "map of three"), 0, "{\"b\":2,\"a\":1,\"\":[1,\"a\"]}");
    assert_json(*zoo_get(&z, "list empty"), 0, "[]");
    assert_json(*zoo_get(&z, "map empty"), 0, "{}");
    deja_pair odd = {"\xff\"", deja_null()};
    assert_json(deja_map_of(&odd, 1), 0, "{\"\\ufffd\\\"\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_json__numbers_read_back_equal),
        cmocka_unit_test(test_value_json__text_is_escaped_or_base64),
        cmocka_unit_test(test_value_json__arrays_show_the_first),
        cmocka_unit_test(test_value_json__elements_of_each_type),
        cmocka_unit_test(test_value_json__lists_and_maps_nest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
