/* fields.h: keys and parameters for people and other programs. */
#include "batch_fixture.h"

#include "failing_alloc.h"
#include "fields.h"
#include <deja/cleanup.h>
#include <deja/encoding.h>

static deja_content content(deja_content_kind kind)
{
    return (deja_content){.kind = (uint8_t)kind, .size = 1, .hash = {{0xab, 1}}};
}

#define HEX "ab010000000000000000000000000000"

/* A key with one field for each way to write a value. */
static void make_key(deja_key *key)
{
    deja_content file = content(DEJA_CONTENT_FILE), link = content(DEJA_CONTENT_LINK);
    deja_content folder = {.kind = DEJA_CONTENT_FOLDER, .hash = {{0xab, 1}}}, absent = {0};
    deja_key_begin(key, "command");
    deja_key_add_string(key, DEJA_FIELD_TEXT, "", "a \"b\"\n\xff");
    deja_key_add_string(key, DEJA_FIELD_ENV, "V", "");
    deja_key_add(key, DEJA_FIELD_ENV_ABSENT, "W", NULL, 0);
    deja_key_add(key, DEJA_FIELD_ENV_SECRET, "S", &file.hash, sizeof file.hash);
    deja_key_add(key, DEJA_FIELD_PROGRAM, "", NULL, 0);
    deja_key_add_content(key, DEJA_FIELD_INPUT, "f", &file);
    deja_key_add_content(key, DEJA_FIELD_INPUT, "l", &link);
    deja_key_add_content(key, DEJA_FIELD_INPUT, "d", &folder);
    deja_key_add_content(key, DEJA_FIELD_STDIN, "n", &absent);
    deja_key_add(key, DEJA_FIELD_NEED, "j", &file.hash, sizeof file.hash);
}

static void test_fields__every_tag_has_its_own_name(void **state)
{
    (void)state;
    for (int i = DEJA_FIELD_KIND; i <= DEJA_FIELD_EXECUTABLE; i++) {
        assert_string_not_equal(fields_tag((deja_field_tag)i), "unknown");
        for (int k = DEJA_FIELD_KIND; k < i; k++)
            assert_string_not_equal(fields_tag((deja_field_tag)i), fields_tag((deja_field_tag)k));
    }
    assert_string_equal(fields_tag(DEJA_FIELD_ENV_ABSENT), "env-absent");
    assert_string_equal(fields_tag(DEJA_FIELD_INPUT), "input");
    assert_string_equal(fields_tag((deja_field_tag)(DEJA_FIELD_EXECUTABLE + 1)), "unknown");
}

static void test_fields__text_is_bytes_or_hashes(void **state)
{
    (void)state;
    static const char *const texts[] = {"command", "a \"b\"\n\xff", "",       "",       HEX, "absent",
                                        HEX,       ("link " HEX),   "folder", "absent", HEX};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_key key = {0};
    deja_field field;
    size_t at = 0, i = 0;
    make_key(&key);
    for (; deja_field_next(key.bytes.data, key.bytes.len, &at, &field) > 0; i++) {
        assert_true(i < sizeof texts / sizeof *texts);
        deja_buffer_clear(&b);
        fields_text(&b, &field);
        assert_string_equal(deja_buffer_string(&b), texts[i]);
    }
    assert_int_equal(i, sizeof texts / sizeof *texts);
    deja_key_done(&key);
}

static void test_fields__json_is_a_list_of_tag_name_and_value(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_key key = {0};
    make_key(&key);
    deja_buffer_add_char(&b, '{');
    fields_json(&b, "fields", key.bytes.data, key.bytes.len);
    deja_buffer_add_char(&b, '}');
    assert_string_equal(
        deja_buffer_string(&b),
        "{\"fields\":[[\"kind\",\"\",\"command\"],[\"text\",\"\",{\"base64\":\"YSAiYiIK/w==\"}],"
        "[\"env\",\"V\",\"\"],[\"env-absent\",\"W\",\"\"],[\"env-secret\",\"S\",\"" HEX "\"],"
        "[\"program\",\"\",null],[\"input\",\"f\",\"" HEX "\"],[\"input\",\"l\",\"link " HEX "\"],"
        "[\"input\",\"d\",\"folder\"],[\"stdin\",\"n\",null],[\"need\",\"j\",\"" HEX "\"]]}");
    deja_key_done(&key);
}

static void assert_argument(const char *expected, const deja_value *v)
{
    DEJA_AUTO_BUFFER deja_buffer encoding = {0}, text = {0};
    deja_error err;
    if (deja_encode(&encoding, v, NULL, &err))
        fail_msg("%s", err.text);
    deja_field field = {
        .tag = DEJA_FIELD_ARGUMENT, .value = (unsigned char *)encoding.data, .value_len = encoding.len};
    fields_text(&text, &field);
    const char *shown = deja_buffer_string(&text), *hash = strchr(expected, '*');
    if (!hash) {
        assert_string_equal(shown, expected);
    } else {
        assert_memory_equal(shown, expected, (size_t)(hash - expected));
        assert_int_equal(strlen(shown), (size_t)(hash - expected) + DEJA_HASH_HEX - 1);
    }
    /* cut or changed it is something unknown, and never a fault */
    for (size_t len = 0; len < encoding.len; len++) {
        DEJA_AUTO_FREE unsigned char *cut = deja_dup(encoding.data, len);
        field.value = cut;
        field.value_len = len;
        fields_text(&text, &field);
        encoding.data[len] = (char)(encoding.data[len] ^ 0x55);
        field.value = (unsigned char *)encoding.data;
        field.value_len = encoding.len;
        fields_text(&text, &field);
        encoding.data[len] = (char)(encoding.data[len] ^ 0x55);
    }
    assert_false(text.failed);
}

static void test_fields__an_argument_is_a_scalar_or_kind_and_hash(void **state)
{
    (void)state;
    double numbers[6] = {0};
    deja_array a = {.data = numbers, .dtype = DEJA_F64, .ndim = 2, .shape = (int64_t[]){2, 3}};
    deja_array one = {.data = numbers, .dtype = DEJA_F64};
    const struct {
        deja_value v;
        const char *text;
    } cases[] = {{deja_null(), "null"},
                 {deja_bool(1), "true"},
                 {deja_i64(-7), "-7"},
                 {deja_u64(UINT64_MAX), "18446744073709551615"},
                 {deja_f64(0.01), "0.01"},
                 {deja_string("a\"b"), "\"a\\\"b\""},
                 {deja_string(""), "\"\""},
                 {deja_bytes("xy", 2), "bytes *"},
                 {deja_of_array(&a), "array f64 2x3 *"},
                 {deja_of_array(&one), "array f64 *"},
                 {deja_list(NULL, 0), "list *"},
                 {deja_map_of(NULL, 0), "map *"},
                 {deja_file("deja.yaml"), "file *"}};
    write_file("deja.yaml", "content");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_argument(cases[i].text, &cases[i].v);
}

static void test_fields__a_build_id_is_hexadecimal(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_field field = {.tag = DEJA_FIELD_BUILD, .value = (const unsigned char *)"\x01\xfe", .value_len = 2};
    fields_text(&b, &field);
    assert_string_equal(deja_buffer_string(&b), "01fe");
}

/* What lies in a database may be damaged: then there are fewer fields, and the text is whole all the same. */
static void test_fields__json_of_damaged_bytes_is_whole(void **state)
{
    (void)state;
    deja_key key = {0};
    deja_content wrong = content(DEJA_CONTENT_FILE);
    make_key(&key);
    for (size_t len = 0; len < key.bytes.len; len++) {
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        fields_json(&b, "f", key.bytes.data, len);
        assert_memory_equal(deja_buffer_string(&b), "\"f\":[", 5);
        assert_int_equal(b.data[b.len - 1], ']');
        assert_true(b.len == 6 || b.data[b.len - 2] == ']');
    }
    deja_key_begin(&key, "command");
    deja_key_add(&key, DEJA_FIELD_INPUT, "i", &wrong.hash, 3);
    deja_key_add(&key, DEJA_FIELD_NEED, "j", &wrong.hash, 3);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    fields_json(&b, "f", key.bytes.data, key.bytes.len);
    assert_string_equal(deja_buffer_string(&b),
                        "\"f\":[[\"kind\",\"\",\"command\"],[\"input\",\"i\",null],[\"need\",\"j\",null]]");
    deja_key_done(&key);
}

static void expect_params(const batch *b, const char *name, uint32_t index, const char *expected)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    fields_params(&text, "params", batch_find(b, name, strlen(name)), index);
    assert_string_equal(deja_buffer_string(&text), expected);
}

static void test_fields__params_are_the_values_of_an_instance(void **state)
{
    (void)state;
    batch *b =
        load("version: 1\njobs:\n"
             "  none: {run: x}\n"
             "  a: {run: x, matrix: {s: [\"q\\\"\", two], n: {range: [7, 9]}, m-2: {linspace: [0, 1, 2]}}}\n"
             "  late: {run: x, needs: a, matrix: {f: {glob: \"*\"}}}\n");
    expect_params(b, "none", 0, "\"params\":{}");
    expect_params(b, "late", 0, "\"params\":{}"); /* not known before the run */
    expect_params(b, "a", 0, "\"params\":{\"s\":\"q\\\"\",\"n\":\"7\",\"m-2\":\"0\"}");
    expect_params(b, "a", 11, "\"params\":{\"s\":\"two\",\"n\":\"9\",\"m-2\":\"1\"}");
    batch_free(b);
}

static void test_fields__lack_of_memory_is_seen_by_the_caller(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a: {run: x, matrix: {s: [one]}}\n");
    deja_key key = {0};
    make_key(&key);
    long n = 1;
    for (int failed = 1; failed; n++) {
        DEJA_AUTO_BUFFER deja_buffer text = {0};
        failing_alloc_at(n);
        fields_params(&text, "p", &b->jobs[0], 0);
        fields_json(&text, "f", key.bytes.data, key.bytes.len);
        failed = failing_alloc_hits != 0;
        failing_alloc_at(0);
        assert_int_equal(text.failed, failed);
    }
    assert_true(n > 3);
    deja_key_done(&key);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_fields__every_tag_has_its_own_name),
        CASE(test_fields__text_is_bytes_or_hashes),
        CASE(test_fields__json_is_a_list_of_tag_name_and_value),
        CASE(test_fields__an_argument_is_a_scalar_or_kind_and_hash),
        CASE(test_fields__a_build_id_is_hexadecimal),
        CASE(test_fields__json_of_damaged_bytes_is_whole),
        CASE(test_fields__params_are_the_values_of_an_instance),
        CASE(test_fields__lack_of_memory_is_seen_by_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
