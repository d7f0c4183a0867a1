/*
 * The canonical encoding: golden vectors (tests/golden/value-1), that no two values encode alike, and what it
 * says when it cannot. BEHAVIOURS 7 and 24 to 30.
 */
#include "failing_alloc.h"
#include "value_golden.h"
#include "value_zoo.h"

#include <deja/encoding.h>

static void encode(deja_buffer *b, deja_value v)
{
    deja_error err;
    deja_buffer_clear(b);
    if (deja_encode(b, &v, NULL, &err))
        fail_msg("%s", err.text);
}

static void assert_same(deja_value a, deja_value b, int same)
{
    DEJA_AUTO_BUFFER deja_buffer one = {0};
    DEJA_AUTO_BUFFER deja_buffer two = {0};
    encode(&one, a);
    encode(&two, b);
    assert_int_equal(one.len == two.len && memcmp(one.data, two.data, one.len) == 0, same);
}

static const char *after(const char *line, const char *word)
{
    size_t n = strlen(word);
    return strncmp(line, word, n) || line[n] != ' ' ? NULL : line + n + 1;
}

static void load_golden(deja_buffer *b)
{
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    golden_path(&path, TEST_FILE, "encodings.txt");
    assert_int_equal(deja_file_load(AT_FDCWD, deja_buffer_string(&path), 1 << 20, b, NULL), 0);
}

static void assert_hex(const deja_buffer *b, const char *hex)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    for (size_t i = 0; i < b->len; i++)
        deja_buffer_addf(&text, "%02x", (unsigned char)b->data[i]);
    assert_string_equal(deja_buffer_string(&text), hex);
}

/* BEHAVIOURS 28: for ever the same, in every process. */
static void test_encoding__matches_the_golden_vectors(void **state)
{
    (void)state;
    zoo z = zoo_all();
    const deja_value *v = NULL;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    load_golden(&text);
    size_t hashes = 0;
    char *left = text.data, hex[DEJA_HASH_HEX];
    for (char *line; (line = strsep(&left, "\n"));) {
        const char *rest;
        deja_hash hash;
        if ((rest = after(line, "value"))) {
            v = zoo_get(&z, rest);
        } else if ((rest = after(line, "encoding"))) {
            encode(&b, *v);
            assert_hex(&b, rest);
        } else if ((rest = after(line, "hash"))) {
            assert_int_equal(deja_value_hash(v, &hash, NULL), 0);
            deja_hash_hex(&hash, hex);
            assert_string_equal(hex, rest);
            hashes++;
        } else {
            assert_true(*line == '#' || !*line);
        }
    }
    assert_int_equal(hashes, z.count);
}

/* BEHAVIOURS 24: over all pairs; a copy and the value itself encode alike. */
static void test_encoding__differs_for_each_of_the_zoo(void **state)
{
    (void)state;
    zoo z = zoo_all();
    deja_buffer encoded[ZOO_MOST] = {0};
    for (size_t i = 0; i < z.count; i++) {
        encode(&encoded[i], z.item[i].value);
        DEJA_AUTO_FREE deja_value *copy = deja_value_dup(&z.item[i].value);
        assert_same(*copy, z.item[i].value, 1);
        for (size_t k = 0; k < i; k++)
            if (encoded[i].len == encoded[k].len &&
                memcmp(encoded[i].data, encoded[k].data, encoded[i].len) == 0)
                fail_msg("'%s' encodes as '%s'", z.item[i].name, z.item[k].name);
    }
    for (size_t i = 0; i < z.count; i++)
        deja_buffer_done(&encoded[i]);
}

/* BEHAVIOURS 25: sets are no kind of ours; of a map the order does not matter. */
static void test_encoding__sorts_the_keys(void **state)
{
    (void)state;
    for (uint64_t n = 2; n <= 100; n += 49) {
        deja_pair up[100], mixed[100];
        char names[100][8];
        for (uint64_t i = 0; i < n; i++) {
            snprintf(names[i], sizeof names[i], "k%02d", (int)i);
            up[i] = (deja_pair){names[i], deja_i64((int64_t)i)};
        }
        for (uint64_t i = 0; i < n; i++)
            mixed[i] = up[(i * 7 + 1) % n];
        assert_same(deja_map_of(up, n), deja_map_of(mixed, n), 1);
    }
}

/* Keys are bytes: compared unsigned, and none is a part of the next. */
static void test_encoding__sorts_keys_by_bytes(void **state)
{
    (void)state;
    deja_pair pairs[2] = {{"\xff", deja_null()}, {"a", deja_null()}};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    encode(&b, deja_map_of(pairs, 2));
    assert_int_equal((unsigned char)b.data[1 + 9 + 9], 'a');
}

static void test_encoding__integers_and_nan_are_one(void **state)
{
    (void)state;
    uint64_t bits = UINT64_C(0xfff8000000000123);
    double odd;
    memcpy(&odd, &bits, sizeof odd);
    assert_same(deja_i64(5), deja_u64(5), 1);
    assert_same(deja_i64(-1), deja_u64(UINT64_MAX), 0);
    assert_same(deja_f64(odd), deja_f64((double)NAN), 1);
}

/* BEHAVIOURS 26. Shape, dtype and 0-d are in the zoo; a view and its copy are one, other than in joblib
 * whatever the order in memory: ours see elements in C order only. */
static void test_encoding__a_view_is_its_copy(void **state)
{
    (void)state;
    zoo z = zoo_all();
    static const int64_t shape[] = {2, 3};
    deja_array copy = {.data = (double[]){1, 3, 5, 2, 4, 6}, .dtype = DEJA_F64, .ndim = 2, .shape = shape};
    assert_same(*zoo_get(&z, "fortran 2,3"), deja_of_array(&copy), 1);
}

/* BEHAVIOURS 7: written to in place, an argument is another. */
static void test_encoding__sees_what_was_changed_in_place(void **state)
{
    (void)state;
    double x[2] = {1, 2};
    static const int64_t shape[] = {2};
    deja_array a = {.data = x, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
    deja_value v = deja_of_array(&a);
    deja_hash before, after_it;
    assert_int_equal(deja_value_hash(&v, &before, NULL), 0);
    x[1] = 3;
    assert_int_equal(deja_value_hash(&v, &after_it, NULL), 0);
    assert_false(deja_hash_equal(&before, &after_it));
}

static void test_encoding__a_file_is_its_content(void **state)
{
    (void)state;
    assert_int_equal(deja_file_replace(AT_FDCWD, "other", "one\n", 4, 0600, 0, NULL), 0);
    assert_same(deja_file("one"), deja_file("./other"), 1);
    assert_int_equal(deja_file_replace(AT_FDCWD, "other", "two\n", 4, 0600, 0, NULL), 0);
    assert_same(deja_file("one"), deja_file("other"), 0);
    assert_same(deja_file("one"), deja_string("one"), 0);
}

static void assert_fails(deja_value v, int code, const char *text)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_hash hash;
    deja_error err;
    assert_int_equal(deja_encode(&b, &v, NULL, &err), code);
    assert_non_null(strstr(err.text, text));
    assert_int_equal(deja_value_hash(&v, &hash, NULL), code);
}

/* BEHAVIOURS 30: the cause is named. There is one hash, so no name of one can be wrong. */
static void test_encoding__says_what_cannot_be_hashed(void **state)
{
    (void)state;
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_fails(deja_file("none"), DEJA_ENOTFOUND, "'none'");
    assert_fails(deja_file("folder"), DEJA_ETYPE, "'folder' is no regular file");
    assert_fails(deja_file("fifo"), DEJA_ETYPE, "'fifo' is no regular file");
    assert_fails(deja_value_of(99, 0), DEJA_ETYPE, "kind 99");
}

typedef struct asked {
    int arrays, files, code;
} asked;

static int remembered_array(void *context, const deja_array *a, deja_hash *ret, deja_error *err)
{
    asked *c = context;
    c->arrays++;
    *ret = deja_hash_bytes(a->data, deja_array_bytes(a));
    return c->code ? deja_fail(err, c->code, "asked") : 0;
}

static int remembered_file(void *context, const char *path, deja_hash *ret, uint64_t *ret_size,
                           deja_error *err)
{
    asked *c = context;
    c->files++;
    assert_string_equal(path, "one");
    *ret = deja_hash_bytes("one\n", 4);
    *ret_size = 4;
    return c->code ? deja_fail(err, c->code, "asked") : 0;
}

/* BEHAVIOURS 27 and 29: who remembers a hash saves the reading, and the encoding is the same. What it costs
 * is measured by tests/bench, as a time is no test. */
static void test_encoding__asks_who_remembers(void **state)
{
    (void)state;
    zoo z = zoo_all();
    asked c = {0};
    deja_encoding_options options = {remembered_array, remembered_file, &c};
    deja_value items[2] = {*zoo_get(&z, "shape 2,3"), *zoo_get(&z, "file one")}, v = deja_list(items, 2);
    DEJA_AUTO_BUFFER deja_buffer alone = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    encode(&alone, v);
    assert_int_equal(deja_encode(&b, &v, &options, NULL), 0);
    assert_int_equal(c.arrays, 1);
    assert_int_equal(c.files, 1);
    assert_int_equal(b.len, alone.len);
    assert_memory_equal(b.data, alone.data, b.len);
    c.code = DEJA_ECHANGED;
    deja_error err;
    assert_int_equal(deja_encode(&b, &v, &options, &err), DEJA_ECHANGED);
    assert_string_equal(err.text, "asked");
}

static void test_encoding__survives_failing_allocations(void **state)
{
    (void)state;
    zoo z = zoo_all();
    deja_value items[ZOO_MOST];
    for (size_t i = 0; i < z.count; i++)
        items[i] = z.item[i].value;
    deja_value all = deja_list(items, z.count);
    deja_hash expected, hash;
    assert_int_equal(deja_value_hash(&all, &expected, NULL), 0);
    long n = 1;
    for (;; n++) {
        deja_error err;
        failing_alloc_at(n);
        int r = deja_value_hash(&all, &hash, &err);
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        if (!hits)
            break;
        assert_int_equal(r, DEJA_ENOMEM);
        assert_non_null(strstr(err.text, "memory"));
    }
    assert_true(n > 5);
    assert_true(deja_hash_equal(&hash, &expected));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        zoo_test(test_encoding__matches_the_golden_vectors),
        zoo_test(test_encoding__differs_for_each_of_the_zoo),
        zoo_test(test_encoding__sorts_the_keys),
        zoo_test(test_encoding__sorts_keys_by_bytes),
        zoo_test(test_encoding__integers_and_nan_are_one),
        zoo_test(test_encoding__a_view_is_its_copy),
        zoo_test(test_encoding__sees_what_was_changed_in_place),
        zoo_test(test_encoding__a_file_is_its_content),
        zoo_test(test_encoding__says_what_cannot_be_hashed),
        zoo_test(test_encoding__asks_who_remembers),
        zoo_test(test_encoding__survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
