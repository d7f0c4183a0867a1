/*
 * XXH3: golden values by the xxhsum program (xxHash 0.8.1, `xxhsum -H2` and `-H3`), every kernel, streaming.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "hash_kernels.h"

#include <deja/hash.h>
#include <deja/memory.h>
#include <string.h>

#define LONGEST 1048583 /* bytes of input */

/* Inputs are the first `len` bytes of the sequence that `fill` makes; lengths lie at XXH3's own limits. */
static const struct golden {
    size_t len;
    const char *hash128;
} golden[] = {
    {0, "99aa06d3014798d86001c324468d497f"},       {1, "495b62073ef70ca44c5cca45d0f4811f"},
    {3, "390cdc5b4a895dd76e3e2670e61106ac"},       {4, "aa6e2f274640a3f43d668af6f2a44d77"},
    {8, "6a86a3bda6af4e3d61ddbe7f31a6100d"},       {9, "664c7ca18afd62558c7b67fd458a936b"},
    {16, "7f9a218b0425449ae2ce54a7c19c730d"},      {17, "66fc23f6439dbd778d96ef110fcdebb4"},
    {128, "aec730751478556cff361dec1385710a"},     {129, "98cd36ccbb5579264545b3a09738e31a"},
    {240, "5293e17bf553903d3f2c53e72293711f"},     {241, "b53840fe3fedf161956cae592c67279e"},
    {255, "08c3b91c3870117b64a6073025eb7929"},     {256, "d0d2829a226d0edbb15e550733c5dfac"},
    {1024, "f3fc143cd81d51baa1e16f2edf2cbed6"},    {1025, "90bcb44432d2e5020a6d2c17259fe4bb"},
    {65536, "8ed434cc4900de947402b5216cd59665"},   {262145, "5ff250740a2fbc5678a9264b6cfc46ab"},
    {LONGEST, "471b2be0d76510e1777c2e2befd28c4d"},
};
#define GOLDEN (sizeof golden / sizeof *golden)

static int fill(void **state)
{
    unsigned char *data = deja_realloc(NULL, LONGEST);
    if (!data)
        return -1;
    for (size_t i = 0; i < LONGEST; i++)
        data[i] = (unsigned char)(i * 131 + (i >> 8) * 17 + 7);
    *state = data;
    return 0;
}

static int drop(void **state)
{
    deja_free(*state);
    return 0;
}

static void assert_hash(const deja_hash *h, const char *expected)
{
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(h, hex);
    assert_string_equal(hex, expected);
}

static void test_hash__golden(void **state)
{
    for (size_t i = 0; i < GOLDEN; i++) {
        deja_hash h = deja_hash_bytes(*state, golden[i].len);
        assert_hash(&h, golden[i].hash128);
    }
    deja_hash none = deja_hash_bytes(NULL, 0);
    assert_hash(&none, golden[0].hash128);
}

static void test_hash__golden_64(void **state)
{
    assert_true(deja_hash64(NULL, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(deja_hash64(*state, 16) == UINT64_C(0x86abf6baccea0858));
    assert_true(deja_hash64(*state, 240) == UINT64_C(0xb6cfaf343fab81e6));
    assert_true(deja_hash64(*state, 241) == UINT64_C(0x956cae592c67279e));
    assert_true(deja_hash64(*state, 1025) == UINT64_C(0x0a6d2c17259fe4bb));
    assert_true(deja_hash64(*state, 262145) == UINT64_C(0x78a9264b6cfc46ab));
}

/* Parts that are never multiples of XXH3's block or stripe, and some that are. */
static void test_hash__streaming_equals_one_call(void **state)
{
    static const size_t parts[] = {1, 3, 63, 64, 65, 255, 256, 257, 1024, 4097, 262144};
    const char *data = *state;
    deja_hasher *h = deja_hasher_new();
    assert_non_null(h);
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        for (size_t i = 0; i < GOLDEN; i++) {
            deja_hasher_reset(h);
            size_t left = golden[i].len;
            for (size_t at = 0; left; at = golden[i].len - left) {
                size_t n = left < parts[p] ? left : parts[p];
                deja_hasher_add(h, data + at, n);
                left -= n;
            }
            deja_hash result = deja_hasher_result(h);
            assert_hash(&result, golden[i].hash128);
        }
    deja_hasher_free(h);
    deja_hasher_free(NULL);
}

static void test_hash__goes_on_after_a_result(void **state)
{
    const char *data = *state;
    deja_hasher *h = deja_hasher_new();
    assert_non_null(h);
    deja_hasher_add(h, NULL, 0);
    deja_hasher_add(h, data, 1024);
    deja_hash part = deja_hasher_result(h);
    assert_hash(&part, "f3fc143cd81d51baa1e16f2edf2cbed6");
    deja_hasher_add(h, data + 1024, 1);
    deja_hash whole = deja_hasher_result(h);
    assert_hash(&whole, "90bcb44432d2e5020a6d2c17259fe4bb");
    deja_hasher_free(h);
}

static void test_hash__out_of_memory(void **state)
{
    (void)state;
    failing_alloc_at(1);
    assert_null(deja_hasher_new());
    failing_alloc_at(0);
}

#if defined(__x86_64__)
static void assert_value(XXH128_hash_t value, const char *expected)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, value);
    deja_hash h;
    memcpy(h.byte, canonical.digest, sizeof h.byte);
    assert_hash(&h, expected);
}

static void check_kernel(const char *data, XXH128_hash_t (*bytes)(const void *, size_t),
                         XXH64_hash_t (*bytes64)(const void *, size_t),
                         void (*add)(XXH3_state_t *, const void *, size_t))
{
    XXH3_state_t *stream = XXH3_createState();
    assert_non_null(stream);
    for (size_t i = 0; i < GOLDEN; i++) {
        assert_value(bytes(data, golden[i].len), golden[i].hash128);
        XXH3_128bits_reset(stream);
        size_t half = golden[i].len / 2;
        add(stream, data, half);
        XXH3_128bits_update(stream, data + half, golden[i].len - half); /* the portable kernel goes on */
        assert_value(XXH3_128bits_digest(stream), golden[i].hash128);
    }
    assert_true(bytes64(data, 262145) == UINT64_C(0x78a9264b6cfc46ab));
    XXH3_freeState(stream);
}

static void test_hash__avx2_kernel(void **state)
{
    if (!__builtin_cpu_supports("avx2"))
        skip();
    check_kernel(*state, hash_avx2_bytes, hash_avx2_bytes64, hash_avx2_add);
}

static void test_hash__avx512_kernel(void **state)
{
    if (!__builtin_cpu_supports("avx512f"))
        skip();
    check_kernel(*state, hash_avx512_bytes, hash_avx512_bytes64, hash_avx512_add);
}
#endif

static void test_hash__reads_what_it_writes(void **state)
{
    (void)state;
    deja_hash a = deja_hash_bytes("a", 1), b;
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(&a, hex);
    assert_int_equal(deja_hash_parse(&b, hex), 0);
    assert_true(deja_hash_equal(&a, &b));
    hex[0] = hex[0] == '0' ? '1' : '0';
    assert_int_equal(deja_hash_parse(&b, hex), 0);
    assert_false(deja_hash_equal(&a, &b));
    assert_int_equal(deja_hash_parse(&a, "ABCDEFabcdef00000000000000000000"), 0);
    assert_memory_equal(a.byte, "\xAB\xCD\xEF\xAB\xCD\xEF\0", 7);
}

static void test_hash__refuses_other_text(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "0",
                                      "0123456789abcdef0123456789abcde",
                                      "0123456789abcdef0123456789abcdef0",
                                      "0123456789abcdefg123456789abcdef",
                                      " 123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        deja_hash h;
        memset(h.byte, 7, sizeof h.byte);
        assert_int_equal(deja_hash_parse(&h, bad[i]), DEJA_ESYNTAX);
        assert_int_equal(h.byte[0], 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__golden),
        cmocka_unit_test(test_hash__golden_64),
        cmocka_unit_test(test_hash__streaming_equals_one_call),
        cmocka_unit_test(test_hash__goes_on_after_a_result),
        cmocka_unit_test(test_hash__out_of_memory),
#if defined(__x86_64__)
        cmocka_unit_test(test_hash__avx2_kernel),
        cmocka_unit_test(test_hash__avx512_kernel),
#endif
        cmocka_unit_test(test_hash__reads_what_it_writes),
        cmocka_unit_test(test_hash__refuses_other_text),
    };
    return cmocka_run_group_tests(tests, fill, drop);
}
