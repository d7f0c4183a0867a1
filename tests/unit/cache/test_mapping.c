/* mapping.c: values where they lie. */
#include "store_fixture.h"

#include "scratch.h"

#include <sys/mman.h>

static void keep_value(deja_cache *c, const char *encoding, deja_payload value)
{
    deja_result r = result_of(encoding, "printed");
    r.value = value;
    r.flags = DEJA_RESULT_VALUE;
    if (keep(c, &r))
        fail_msg("keep: %s", r.step.error.text);
    deja_hash hash = deja_hash_bytes(value.data, value.len);
    if (value.data)
        assert_true(deja_hash_equal(&r.value_content.hash, &hash));
    deja_result_done(&r);
}

static void keep_big(deja_cache *c, const char *encoding, unsigned seed)
{
    char *data = big(seed);
    keep_value(c, encoding, (deja_payload){data, BIG_BYTES, -1});
    deja_free(data);
}

static void blob_of(const char *data, char path[80])
{
    char hex[DEJA_HASH_HEX];
    deja_hash hash = deja_hash_bytes(data, BIG_BYTES);
    deja_hash_hex(&hash, hex);
    snprintf(path, 80, "cache/blobs/%.2s/%s", hex, hex + 2);
}

static int map(deja_cache *c, const char *encoding, deja_mapped *ret, deja_error *err)
{
    deja_entry *e = look(c, encoding);
    assert_non_null(e);
    int r = deja_cache_map_value(c, e, ret, err);
    deja_entry_free(e);
    return r;
}

static void test_mapping__a_small_value_is_borrowed_from_the_entry(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    for (size_t len = 0; len < 200; len += 7) {
        char *data = big(3), name[16];
        snprintf(name, sizeof name, "value %zu", len);
        keep_value(c, name, (deja_payload){data, len, -1});
        deja_entry *e = look(c, name);
        assert_out(e, "printed");
        assert_int_equal(e->has_value, 1);
        assert_int_equal(e->value.where, DEJA_STORED_INLINE);
        deja_mapped m;
        assert_int_equal(deja_cache_map_value(c, e, &m, NULL), 0);
        assert_ptr_equal(m.data, e->value.data);
        assert_int_equal((uintptr_t)m.data % 64, 0);
        assert_int_equal(m.len, len);
        assert_memory_equal(m.data, data, len);
        deja_mapped_done(&m);
        assert_memory_equal(e->value.data, data, len);
        deja_entry_free(e);
        deja_free(data);
    }
    deja_cache_close(c);
}

static void test_mapping__a_large_value_is_the_stage_itself(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1), path[80];
    int stage = deja_cache_stage(c, NULL);
    assert_int_equal(write(stage, data, BIG_BYTES), BIG_BYTES);
    keep_value(c, "array", (deja_payload){NULL, 0, stage});
    struct stat was, is;
    blob_of(data, path);
    assert_int_equal(fstat(stage, &was), 0);
    assert_int_equal(stat(path, &is), 0);
    assert_int_equal(was.st_ino, is.st_ino);
    deja_mapped m;
    deja_entry *e = look(c, "array");
    assert_int_equal(e->value.where, DEJA_STORED_BLOB);
    assert_int_equal(deja_cache_map_value(c, e, &m, NULL), 0);
    assert_int_equal(m.len, BIG_BYTES);
    assert_memory_equal(m.data, data, BIG_BYTES);
    assert_int_equal(mprotect(m.map, 1, PROT_READ | PROT_WRITE), -1); /* not even on purpose */
    deja_mapped_done(&m);
    assert_null(m.data);
    deja_mapped_done(&m);
    deja_mapped_done(NULL);
    deja_entry_free(e);
    close(stage);
    deja_free(data);
    deja_cache_close(c);
}

static void test_mapping__outlives_all_that_it_came_from(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    deja_mapped m;
    keep_big(c, "array", 1);
    assert_int_equal(map(c, "array", &m, NULL), 0);
    assert_int_equal(deja_cache_clear(c, NULL, NULL), 0);
    assert_int_equal(count_blobs("cache"), 0);
    deja_cache_close(c);
    assert_memory_equal(m.data, data, BIG_BYTES);
    deja_mapped_done(&m);
    deja_free(data);
}

static void test_mapping__without_a_value_there_is_nothing(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_mapped m = {.len = 7};
    store(c, "command", "out");
    deja_entry *e = look(c, "command");
    assert_int_equal(e->has_value, 0);
    assert_int_equal(deja_cache_map_value(c, e, &m, NULL), DEJA_ENOTFOUND);
    assert_int_equal(m.len, 7);
    deja_entry_free(e);
    deja_cache_close(c);
}

/* The rule for blobs: what was changed, cut or removed is a miss with a warning, and made again by the next
 * commit. */
static void test_mapping__damage_is_a_miss_and_repaired(void **state)
{
    (void)state;
    char *data = big(1), path[80];
    blob_of(data, path);
    for (int how = 0; how < 4; how++) {
        deja_cache *c = open_cache("cache");
        deja_mapped m = {.len = 7};
        deja_error err = {0};
        keep_big(c, "array", 1);
        deja_entry *e = look(c, "array");
        assert_int_equal(deja_cache_map_value(c, e, &m, NULL), 0);
        deja_mapped_done(&m);
        m.len = 7;
        chmod(path, 0600);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        if (how == 0)
            assert_int_equal(pwrite(fd, "?", 1, BIG_BYTES / 2), 1);
        if (how == 1)
            assert_int_equal(ftruncate(fd, 4096), 0);
        if (how == 2)
            assert_int_equal(ftruncate(fd, BIG_BYTES + 1), 0);
        if (how == 3)
            assert_int_equal(unlink(path), 0);
        close(fd);
        assert_int_equal(deja_cache_map_value(c, e, &m, &err), how == 3 ? DEJA_ENOTFOUND : DEJA_ECORRUPT);
        assert_non_null(strstr(err.text, "blob"));
        assert_int_equal(m.len, 7);
        assert_warning(c, how == 3 ? NULL : "damaged");
        keep_big(c, "array", 1);
        assert_int_equal(deja_cache_map_value(c, e, &m, NULL), 0);
        assert_memory_equal(m.data, data, BIG_BYTES);
        deja_mapped_done(&m);
        deja_entry_free(e);
        deja_cache_close(c);
    }
    deja_free(data);
}

/* A value and standard output of the same bytes are one blob with two references. */
static void test_mapping__a_value_counts_as_a_reference(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    deja_result r = result_of("both", "");
    r.out = r.value = (deja_payload){data, BIG_BYTES, -1};
    r.flags = DEJA_RESULT_VALUE;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_cache_numbers n;
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.blobs, 1);
    r.flags = 0; /* the value is not looked at any more */
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    assert_int_equal(count_blobs("cache"), 1);
    store(c, "both", "small");
    deja_cache_close(c);
    assert_int_equal(count_blobs("cache"), 0);
    deja_free(data);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_mapping__a_small_value_is_borrowed_from_the_entry),
        CASE(test_mapping__a_large_value_is_the_stage_itself),
        CASE(test_mapping__outlives_all_that_it_came_from),
        CASE(test_mapping__without_a_value_there_is_nothing),
        CASE(test_mapping__damage_is_a_miss_and_repaired),
        CASE(test_mapping__a_value_counts_as_a_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
