/*
 * Arrays: sizes, and elements in C order of views of any strides. BEHAVIOURS 26, 46.
 */
#include "array.h"
#include "failing_alloc.h"
#include "value_zoo.h"

static const deja_array *zoo_array(const char *name)
{
    static zoo z;
    z = zoo_all();
    return zoo_get(&z, name)->array;
}

static void assert_packs_to(const deja_array *a, const double *expected, size_t n)
{
    double packed[16];
    assert_int_equal(deja_array_bytes(a), n * sizeof *expected);
    deja_array_pack(a, packed);
    assert_memory_equal(packed, expected, n * sizeof *expected);
}

static void test_array__views_pack_in_c_order(void **state)
{
    (void)state;
    assert_packs_to(zoo_array("shape 2,3"), (double[]){1, 2, 3, 4, 5, 6}, 6);
    assert_packs_to(zoo_array("fortran 2,3"), (double[]){1, 3, 5, 2, 4, 6}, 6);
    assert_packs_to(zoo_array("every second"), (double[]){2, 3, 4}, 3);
    assert_packs_to(zoo_array("backwards"), (double[]){6, 5, 4, 3, 2, 1}, 6);
    assert_packs_to(zoo_array("six times the same"), (double[]){1, 1, 1, 1, 1, 1}, 6);
    assert_packs_to(zoo_array("shape of none"), (double[]){1}, 1);
    deja_array_pack(zoo_array("shape 0,3"), NULL);
}

static void test_array__plain_is_c_order_without_gaps(void **state)
{
    (void)state;
    double x[8];
    int64_t shape[3] = {1, 2, 3}, strides[3] = {-7, 24, 8};
    deja_array a = {.data = x, .dtype = DEJA_F64, .ndim = 3, .shape = shape, .strides = strides};
    assert_true(deja_array_is_plain(&a)); /* the stride of a length of 1 says nothing */
    strides[1] = 32;
    assert_false(deja_array_is_plain(&a));
    shape[0] = 0;
    assert_true(deja_array_is_plain(&a));
    assert_true(deja_array_is_plain(zoo_array("shape of none")));
    assert_false(deja_array_is_plain(zoo_array("fortran 2,3")));
    assert_false(deja_array_is_plain(zoo_array("backwards")));
}

static void test_array__sizes_that_do_not_fit_are_told(void **state)
{
    (void)state;
    int64_t shape[3] = {INT64_MAX, 2, 2};
    deja_array a = {.dtype = DEJA_F64, .ndim = 3, .shape = shape};
    assert_int_equal(deja_array_count(&a), UINT64_MAX);
    assert_int_equal(deja_array_bytes(&a), UINT64_MAX);
    a.ndim = 1;
    assert_int_equal(deja_array_count(&a), INT64_MAX);
    assert_int_equal(deja_array_bytes(&a), UINT64_MAX);
    shape[2] = 0;
    a.ndim = 3;
    assert_int_equal(deja_array_count(&a), 0);
    assert_int_equal(deja_array_bytes(&a), 0);
}

static void test_array__only_numbers_are_elements(void **state)
{
    (void)state;
    uint64_t sizes[26] = {[DEJA_BOOL] = 1, [DEJA_I8] = 1,  [DEJA_U8] = 1,   [DEJA_I16] = 2, [DEJA_U16] = 2,
                          [DEJA_I32] = 4,  [DEJA_U32] = 4, [DEJA_F32] = 4,  [DEJA_I64] = 8, [DEJA_U64] = 8,
                          [DEJA_F64] = 8,  [DEJA_C64] = 8, [DEJA_C128] = 16};
    for (uint32_t i = 0; i < 26; i++)
        assert_int_equal(deja_dtype_size(i), sizes[i]);
    assert_int_equal(deja_dtype_size(UINT32_MAX), 0);
}

/* A view of random strides over 4 axes, larger than the chunks in which it is visited, against a plain loop.
 */
static void check_view(const unsigned char *memory, uint32_t dtype, const int64_t *shape,
                       const int64_t *strides)
{
    static unsigned char packed[1 << 18], expected[1 << 18];
    uint64_t size = deja_dtype_size(dtype), at = 0;
    deja_array a = {.data = (void *)(uintptr_t)(memory + (1 << 19)),
                    .dtype = dtype,
                    .ndim = 4,
                    .shape = shape,
                    .strides = strides};
    for (int64_t i = 0; i < shape[0]; i++)
        for (int64_t j = 0; j < shape[1]; j++)
            for (int64_t k = 0; k < shape[2]; k++)
                for (int64_t l = 0; l < shape[3]; l++, at += size)
                    memcpy(expected + at,
                           (char *)a.data + i * strides[0] + j * strides[1] + k * strides[2] + l * strides[3],
                           size);
    deja_array_pack(&a, packed);
    assert_memory_equal(packed, expected, at);
    deja_hash hash, raw = deja_hash_bytes(expected, at);
    assert_int_equal(array_hash(&a, &hash, NULL), 0);
    assert_true(deja_hash_equal(&hash, &raw));
    deja_array copy = {.data = packed, .dtype = dtype, .ndim = 4, .shape = shape};
    assert_true(array_equal(&a, &copy));
    packed[at - 1] ^= 1;
    assert_false(array_equal(&a, &copy));
}

/* BEHAVIOURS 26 and 46: views of any kind are their elements; a copy does not matter. */
static void test_array__any_view_is_its_elements(void **state)
{
    (void)state;
    static unsigned char memory[1 << 20];
    static const uint32_t dtypes[] = {DEJA_U8, DEJA_I16, DEJA_F32, DEJA_F64, DEJA_C128};
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof memory; i++)
        memory[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
    for (int round = 0; round < 100; round++) {
        int64_t shape[4], strides[4];
        for (int i = 0; i < 4; i++) {
            shape[i] = 1 + (int64_t)((seed = seed * 1103515245 + 12345) >> 16) % 11;
            strides[i] = (int64_t)((seed = seed * 1103515245 + 12345) >> 16) % 8000 - 4000;
        }
        uint32_t dtype = dtypes[round % 5];
        if (round & 1)
            strides[3] = (int64_t)deja_dtype_size(dtype);
        check_view(memory, dtype, shape, strides);
    }
}

static void test_array__a_strided_hash_may_lack_memory(void **state)
{
    (void)state;
    deja_hash hash;
    failing_alloc_at(1);
    assert_int_equal(array_hash(zoo_array("fortran 2,3"), &hash, NULL), DEJA_ENOMEM);
    failing_alloc_at(1);
    assert_int_equal(array_hash(zoo_array("shape 2,3"), &hash, NULL), 0);
    assert_int_equal(failing_alloc_hits, 0);
    failing_alloc_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array__views_pack_in_c_order),
        cmocka_unit_test(test_array__plain_is_c_order_without_gaps),
        cmocka_unit_test(test_array__sizes_that_do_not_fit_are_told),
        cmocka_unit_test(test_array__only_numbers_are_elements),
        cmocka_unit_test(test_array__any_view_is_its_elements),
        cmocka_unit_test(test_array__a_strided_hash_may_lack_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
