/* cache_get.h: what results hold, handed out. */
#include "cache/store_fixture.h"

#include "cache_get.h"
#include "scratch.h"

#include <deja/cleanup.h>
#include <deja/dump.h>
#include <deja/image.h>

static void keep_payload(deja_cache *c, const char *encoding, const void *data, size_t len)
{
    deja_result r = result_of(encoding, "");
    r.value = (deja_payload){data, len, -1};
    r.flags = DEJA_RESULT_VALUE;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
}

static void keep_value(deja_cache *c, const char *encoding, const deja_value *v)
{
    DEJA_AUTO_BUFFER deja_buffer image = {0};
    deja_image_add(&image, v);
    assert_false(image.failed);
    keep_payload(c, encoding, image.data, image.len);
}

static int get(deja_cache *c, const char *encoding, const char *to, const char *output, deja_error *err)
{
    deja_entry *e = look(c, encoding);
    assert_non_null(e);
    int r = cache_get_entry(c, e, &(cache_get){to, output}, err);
    deja_entry_free(e);
    return r;
}

static void assert_loads(const char *path, const deja_value *v)
{
    deja_loaded *l = NULL;
    assert_int_equal(deja_load(path, &l, NULL), 0);
    assert_true(deja_value_equal(deja_loaded_value(l), v));
    deja_loaded_free(l);
}

static void test_cache_get__a_value_goes_into_files(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    static double numbers[100000];
    for (size_t i = 0; i < 100000; i++)
        numbers[i] = (double)i / 7;
    static const size_t counts[] = {3, 100000}; /* in the row, and in a blob */
    for (size_t i = 0; i < 2; i++) {
        int64_t shape[] = {(int64_t)counts[i]};
        deja_array a = {.data = numbers, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
        deja_value v = deja_of_array(&a);
        DEJA_AUTO_BUFFER deja_buffer json = {0};
        deja_value_json(&json, &v, 0);
        deja_buffer_add_char(&json, '\n');
        keep_value(c, "array", &v);
        assert_int_equal(get(c, "array", "x.npy", NULL, NULL), 0);
        assert_loads("x.npy", &v);
        assert_int_equal(get(c, "array", "x.deja", NULL, NULL), 0);
        assert_loads("x.deja", &v);
        assert_int_equal(get(c, "array", "x.json", NULL, NULL), 0);
        assert_file("x.json", json.data, json.len);
    }
    deja_cache_close(c);
}

static void test_cache_get__of_another_name_or_kind_is_refused(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_value v = deja_i64(7);
    deja_error err = {0};
    keep_value(c, "number", &v);
    assert_int_equal(get(c, "number", "x.npy", NULL, &err), DEJA_ETYPE);
    assert_non_null(strstr(err.text, "'i64'"));
    assert_int_equal(get(c, "number", "x", NULL, &err), DEJA_EINVAL);
    assert_int_equal(get(c, "number", ".json", NULL, &err), DEJA_EINVAL);
    assert_int_equal(get(c, "number", "x.json", "output", &err), DEJA_ENOTFOUND);
    assert_int_equal(access("x.npy", F_OK), -1);
    assert_int_equal(access("x.json", F_OK), -1);
    deja_cache_close(c);
}

static void test_cache_get__what_is_no_image_is_damage(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_error err = {0};
    keep_payload(c, "nonsense", "these bytes are no image", 24);
    assert_int_equal(get(c, "nonsense", "x.json", NULL, &err), DEJA_ECORRUPT);
    assert_int_equal(access("x.json", F_OK), -1);
    deja_cache_close(c);
}

static void test_cache_get__outputs_are_written_byte_by_byte(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    deja_error err = {0};
    write_file("small", "a\0b", 3, 0600);
    write_file("large", data, BIG_BYTES, 0600);
    deja_output outputs[] = {{.name = "s", .path = "small"}, {.name = "", .path = "large"}};
    deja_result r = result_of("job", "printed");
    r.outputs = outputs, r.output_count = 2;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    assert_int_equal(get(c, "job", "got", NULL, NULL), 0);
    assert_file("got", "printed", 7);
    assert_int_equal(get(c, "job", "got", "s", NULL), 0);
    assert_file("got", "a\0b", 3);
    assert_int_equal(get(c, "job", "got", "large", NULL), 0);
    assert_file("got", data, BIG_BYTES);
    assert_int_equal(get(c, "job", "got", "", &err), DEJA_ENOTFOUND); /* not the one without a name */
    r.encoding = "recorded", r.encoding_len = 8, r.key = key_of("recorded"), r.flags = DEJA_RESULT_RECORD;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    assert_int_equal(get(c, "recorded", "other", "s", &err), DEJA_ENOTFOUND);
    assert_non_null(strstr(err.text, "only the hash"));
    assert_int_equal(access("other", F_OK), -1);
    deja_free(data);
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_cache_get__a_value_goes_into_files),
        CASE(test_cache_get__of_another_name_or_kind_is_refused),
        CASE(test_cache_get__what_is_no_image_is_damage),
        CASE(test_cache_get__outputs_are_written_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
