/*
 * Values: what is refused and how it is said, what is equal, and copies. BEHAVIOURS 24, 25, 30.
 */
#include "failing_alloc.h"
#include "value_zoo.h"

static void assert_refused(deja_value v, int code, const char *text)
{
    deja_error err;
    assert_int_equal(deja_value_check(&v, &err), code);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.text, text));
    assert_int_equal(deja_value_check(&v, NULL), code);
    assert_null(deja_value_dup(&v));
}

static void test_value__the_zoo_is_well_made(void **state)
{
    (void)state;
    zoo z = zoo_all();
    for (size_t i = 0; i < z.count; i++)
        assert_int_equal(deja_value_check(&z.item[i].value, NULL), 0);
    assert_int_equal(deja_value_check(NULL, NULL), DEJA_EINVAL);
}

/* BEHAVIOURS 30: what cannot be hashed is an error that names it. */
static void test_value__what_is_no_value_is_refused(void **state)
{
    (void)state;
    deja_value v = deja_value_of(11, 0);
    assert_refused(v, DEJA_ETYPE, "unknown kind");
    assert_refused(deja_value_of(DEJA_F32, 0), DEJA_ETYPE, "f32");
    assert_refused(deja_value_of(UINT32_MAX, 0), DEJA_ETYPE, "unknown kind");
    assert_refused(deja_value_of(DEJA_STRING, 0), DEJA_EINVAL, "NULL");
    assert_refused(deja_value_of(DEJA_FILE, 0), DEJA_EINVAL, "NULL");
    assert_refused(deja_value_of(DEJA_BYTES, 1), DEJA_EINVAL, "NULL");
    assert_refused(deja_value_of(DEJA_ARRAY, 0), DEJA_EINVAL, "NULL");
    assert_refused(deja_value_of(DEJA_LIST, 1), DEJA_EINVAL, "NULL");
    assert_refused(deja_value_of(DEJA_MAP, 1), DEJA_EINVAL, "NULL");
    assert_refused(deja_value_of(DEJA_BYTES, UINT64_MAX), DEJA_EINVAL, "too large");
    assert_refused(deja_string_n("a\0b", 3), DEJA_EINVAL, "NUL inside");
    assert_refused(deja_string_n("abc", 2), DEJA_EINVAL, "not followed by a NUL");
    v = deja_bool(1);
    v.i64 = 2;
    assert_refused(v, DEJA_EINVAL, "bool");
}

static void test_value__arrays_that_are_none_are_refused(void **state)
{
    (void)state;
    double x[4] = {0};
    int64_t shape[DEJA_NDIM_MAX + 1] = {4}, strides[2] = {INT64_MIN, 8};
    deja_array a = {.data = x, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
    assert_int_equal(deja_value_check(&(deja_value){.kind = DEJA_ARRAY, .array = &a}, NULL), 0);
    a.dtype = DEJA_STRING;
    assert_refused(deja_of_array(&a), DEJA_ETYPE, "string");
    a.dtype = DEJA_F64;
    shape[0] = -1;
    assert_refused(deja_of_array(&a), DEJA_EINVAL, "axis 0 is -1");
    shape[0] = INT64_MAX;
    assert_refused(deja_of_array(&a), DEJA_EINVAL, "too large");
    a.ndim = DEJA_NDIM_MAX + 1;
    assert_refused(deja_of_array(&a), DEJA_EINVAL, "33 dimensions");
    a.ndim = 1;
    a.shape = NULL;
    assert_refused(deja_of_array(&a), DEJA_EINVAL, "shape is NULL");
    a.shape = shape;
    shape[0] = 4;
    a.data = NULL;
    assert_refused(deja_of_array(&a), DEJA_EINVAL, "data is NULL");
    a.data = x;
    a.strides = strides;
    assert_refused(deja_of_array(&a), DEJA_EINVAL, "stride of axis 0");
    strides[0] = INT64_MAX / 2;
    assert_refused(deja_of_array(&a), DEJA_EINVAL, "stride of axis 0");
}

static void test_value__the_place_of_a_fault_is_named(void **state)
{
    (void)state;
    deja_value items[3] = {deja_null(), deja_null(), deja_value_of(99, 0)};
    deja_pair pairs[2] = {{"fine", deja_null()}, {"x", deja_list(items, 3)}};
    deja_value all = deja_map_of(pairs, 2);
    deja_error err;
    assert_int_equal(deja_value_check(&all, &err), DEJA_ETYPE);
    assert_string_equal(err.text, "key 'x': item 2: a value of kind 99 (unknown kind)");
}

static void test_value__keys_are_there_once(void **state)
{
    (void)state;
    deja_pair many[100];
    char names[100][8];
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "k%d", (i * 37) % 100);
        many[i] = (deja_pair){names[i], deja_i64(i)};
    }
    deja_value map = deja_map_of(many, 100);
    assert_int_equal(deja_value_check(&map, NULL), 0);
    many[99].key = "k5";
    assert_refused(map, DEJA_EINVAL, "'k5' is there twice");
    map.len = 2;
    many[1].key = many[0].key;
    assert_refused(map, DEJA_EINVAL, "'k0' is there twice");
    many[1].key = NULL;
    assert_refused(map, DEJA_EINVAL, "a key is NULL");
}

static void test_value__depth_has_a_limit(void **state)
{
    (void)state;
    deja_value nested[DEJA_DEPTH_MAX + 2] = {deja_i64(1)};
    for (int i = 1; i <= DEJA_DEPTH_MAX + 1; i++)
        nested[i] = deja_list(&nested[i - 1], 1);
    assert_int_equal(deja_value_check(&nested[DEJA_DEPTH_MAX], NULL), 0);
    assert_refused(nested[DEJA_DEPTH_MAX + 1], DEJA_EINVAL, "deeper than 64");
}

/* BEHAVIOURS 24: over all pairs. */
static void test_value__each_equals_itself_alone(void **state)
{
    (void)state;
    zoo z = zoo_all();
    for (size_t i = 0; i < z.count; i++)
        for (size_t k = 0; k < z.count; k++)
            if (deja_value_equal(&z.item[i].value, &z.item[k].value) != (i == k))
                fail_msg("'%s' and '%s'", z.item[i].name, z.item[k].name);
}

static void test_value__integers_are_equal_by_number(void **state)
{
    (void)state;
    deja_value a = deja_i64(5), b = deja_u64(5), c = deja_i64(-1), d = deja_u64(UINT64_MAX);
    assert_true(deja_value_equal(&a, &b));
    assert_true(deja_value_equal(&b, &a));
    assert_false(deja_value_equal(&c, &d));
    assert_false(deja_value_equal(&d, &c));
}

static void test_value__all_nan_are_one(void **state)
{
    (void)state;
    uint64_t bits = UINT64_C(0xfff8000000000123);
    double odd;
    memcpy(&odd, &bits, sizeof odd);
    deja_value a = deja_f64(odd), b = deja_f64((double)NAN);
    assert_true(deja_value_equal(&a, &b));
}

/* BEHAVIOURS 25, the order of a map's keys: few keys, many keys, and where there is no memory to sort them.
 */
static void test_value__the_order_of_keys_does_not_matter(void **state)
{
    (void)state;
    for (uint64_t n = 2; n <= 100; n += 49) {
        deja_pair up[100], down[100];
        char names[100][8];
        for (uint64_t i = 0; i < n; i++) {
            snprintf(names[i], sizeof names[i], "k%d", (int)i);
            up[i] = (deja_pair){names[i], deja_i64((int64_t)i)};
            down[n - 1 - i] = up[i];
        }
        deja_value a = deja_map_of(up, n), b = deja_map_of(down, n);
        for (long fail = 0; fail < 2; fail++) {
            failing_alloc_at(fail);
            assert_true(deja_value_equal(&a, &b));
            down[0].value = deja_i64(-1);
            failing_alloc_at(fail);
            assert_false(deja_value_equal(&a, &b));
            failing_alloc_at(0);
            down[0].value = up[n - 1].value;
        }
        down[0].key = "other";
        assert_false(deja_value_equal(&a, &b));
    }
}

/* BEHAVIOURS d: equal is equal however the parts are shared in memory. */
static void test_value__sharing_parts_does_not_matter(void **state)
{
    (void)state;
    char text[] = "a", same[] = "a";
    deja_value shared[2] = {deja_string(text), deja_string(text)},
               apart[2] = {deja_string(text), deja_string(same)};
    deja_value a = deja_list(shared, 2), b = deja_list(apart, 2);
    assert_true(deja_value_equal(&a, &b));
}

static void test_value__a_copy_is_equal_and_its_own(void **state)
{
    (void)state;
    zoo z = zoo_all();
    for (size_t i = 0; i < z.count; i++) {
        DEJA_AUTO_FREE deja_value *copy = deja_value_dup(&z.item[i].value);
        assert_non_null(copy);
        assert_int_equal(deja_value_check(copy, NULL), 0);
        assert_true(deja_value_equal(copy, &z.item[i].value));
    }
    char text[] = "text";
    deja_value v = deja_string(text);
    DEJA_AUTO_FREE deja_value *copy = deja_value_dup(&v);
    text[0] = 'n';
    assert_string_equal(copy->string, "text");
    failing_alloc_at(1);
    assert_null(deja_value_dup(&v));
    failing_alloc_at(0);
}

static void test_value__map_get_finds_or_says_no(void **state)
{
    (void)state;
    zoo z = zoo_all();
    const deja_value *map = zoo_get(&z, "map a1 b2");
    assert_int_equal(deja_map_get(map, "a")->i64, 1);
    assert_null(deja_map_get(map, "c"));
    assert_null(deja_map_get(map, NULL));
    assert_null(deja_map_get(NULL, "a"));
    assert_null(deja_map_get(zoo_get(&z, "list 1"), "a"));
}

static void test_value__kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(deja_kind_name(DEJA_MAP), "map");
    assert_string_equal(deja_kind_name(DEJA_C128), "c128");
    assert_string_equal(deja_kind_name(11), "unknown kind");
    assert_string_equal(deja_kind_name(25), "unknown kind");
}

static void test_value__null_pointers_make_null(void **state)
{
    (void)state;
    assert_int_equal(deja_string(NULL).kind, DEJA_NULL);
    assert_int_equal(deja_file(NULL).kind, DEJA_NULL);
    assert_int_equal(deja_of_array(NULL).kind, DEJA_NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value__the_zoo_is_well_made),
        cmocka_unit_test(test_value__what_is_no_value_is_refused),
        cmocka_unit_test(test_value__arrays_that_are_none_are_refused),
        cmocka_unit_test(test_value__the_place_of_a_fault_is_named),
        cmocka_unit_test(test_value__keys_are_there_once),
        cmocka_unit_test(test_value__depth_has_a_limit),
        cmocka_unit_test(test_value__each_equals_itself_alone),
        cmocka_unit_test(test_value__integers_are_equal_by_number),
        cmocka_unit_test(test_value__all_nan_are_one),
        cmocka_unit_test(test_value__the_order_of_keys_does_not_matter),
        cmocka_unit_test(test_value__sharing_parts_does_not_matter),
        cmocka_unit_test(test_value__a_copy_is_equal_and_its_own),
        cmocka_unit_test(test_value__map_get_finds_or_says_no),
        cmocka_unit_test(test_value__kinds_have_names),
        cmocka_unit_test(test_value__null_pointers_make_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
