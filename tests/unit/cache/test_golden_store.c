/*
 * Stores of schema 1 as they were written then: the database and one blob each, in tests/golden/store-1 with
 * records of format 1, in store-1-value with one of a value in its row and one of a value in a blob (format
 * 2). This version must answer from them. DEJA_GOLDEN=store-1 (or the other) makes it anew, for a new schema
 * in a new folder.
 */
#include "db.h"
#include "store_fixture.h"

#include "scratch.h"

#include <deja/file.h>
#include <stdlib.h>

#define CREATED_NS INT64_C(1700000000123456789)

static int64_t fixed_ns(void *context)
{
    (void)context;
    return CREATED_NS;
}

static void golden_path(const char *store, const char *name, char path[4096])
{
    const char *slash = strrchr(TEST_FILE, '/');
    snprintf(path, 4096, "%.*s/../../golden/%s/%s", slash ? (int)(slash - TEST_FILE) : 1,
             slash ? TEST_FILE : ".", store, name);
}

static int is_to_be_made(const char *store)
{
    const char *wanted = getenv("DEJA_GOLDEN");
    return wanted && !strcmp(wanted, store);
}

static void copy(const char *from, const char *to)
{
    deja_buffer b = {0};
    deja_error err;
    if (deja_file_load(AT_FDCWD, from, 10 << 20, &b, &err))
        fail_msg("%s", err.text);
    assert_int_equal(deja_file_make_parents(AT_FDCWD, to, 0700, NULL), 0);
    write_file(to, b.data, b.len, 0644);
    deja_buffer_done(&b);
}

static void blob_name(const char *data, char name[64])
{
    char hex[DEJA_HASH_HEX];
    deja_hash hash = deja_hash_bytes(data, BIG_BYTES);
    deja_hash_hex(&hash, hex);
    snprintf(name, 64, "blobs/%.2s/%s", hex, hex + 2);
}

static deja_cache *open_fixed(void)
{
    static const deja_clock clock = {.monotonic_ns = fixed_ns, .wall_ns = fixed_ns};
    deja_cache_options options = {.size = sizeof options, .folder = "cache", .clock = &clock};
    deja_cache *c = NULL;
    assert_int_equal(deja_cache_open(&c, &options, NULL), 0);
    return c;
}

/* Takes the cache's database and the blob of `data` as golden. */
static void save_golden(const char *store, const char *data)
{
    char name[64], from[80], to[4096];
    db *d = NULL;
    assert_int_equal(db_open(&d, "cache/db", 0, NULL), 0);
    deja_cache_numbers n;
    assert_int_equal(db_totals(d, &n, NULL), 0); /* opens the WAL */
    assert_int_equal(db_checkpoint(d, 1, NULL), 0);
    db_close(d);
    golden_path(store, "db", to);
    copy("cache/db", to);
    blob_name(data, name);
    golden_path(store, name, to);
    snprintf(from, sizeof from, "cache/%s", name);
    copy(from, to);
}

/* A golden store as "old". */
static void load_golden(const char *store, const char *data)
{
    char name[64], from[4096], to[80];
    blob_name(data, name);
    golden_path(store, "db", from);
    assert_int_equal(mkdir("old", 0700), 0);
    copy(from, "old/db");
    golden_path(store, name, from);
    snprintf(to, sizeof to, "old/%s", name);
    copy(from, to);
}

/* The entry "with everything": standard output in the row, standard error none, a blob, a link, a recorded
 * output. */
static void make_golden(const char *data)
{
    deja_cache *c = open_fixed();
    write_file("large", data, BIG_BYTES, 0755);
    assert_int_equal(symlink("large", "link"), 0);
    deja_output o[2] = {{.name = "l", .path = "large"}, {.name = "", .path = "link"}},
                recorded = {.name = "", .path = "large"};
    deja_result r = result_of("with everything", "standard output\n");
    r.exit_status = 3, r.wall_ns = 1, r.cpu_ns = 2, r.peak_rss_bytes = 3;
    r.outputs = o, r.output_count = 2;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    r = result_of("recorded", "");
    r.outputs = &recorded, r.output_count = 1, r.flags = DEJA_RESULT_RECORD;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_cache_close(c);
    save_golden("store-1", data);
}

static void test_golden_store__of_schema_1_is_read(void **state)
{
    (void)state;
    char *data = big(1);
    if (is_to_be_made("store-1"))
        make_golden(data);
    load_golden("store-1", data);
    deja_cache *c = open_cache("old");
    deja_cache_numbers n;
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 2);
    assert_int_equal(n.blobs, 1);
    assert_int_equal(n.blob_bytes, BIG_BYTES);
    deja_entry *e = look(c, "with everything");
    assert_out(e, "standard output\n");
    assert_string_equal(e->label, "with everything");
    assert_int_equal(e->exit_status, 3);
    assert_int_equal(e->created_ns, CREATED_NS);
    assert_int_equal(e->wall_ns, 1);
    assert_int_equal(e->cpu_ns, 2);
    assert_int_equal(e->peak_rss_bytes, 3);
    assert_int_equal(e->err.content.size, 0);
    assert_int_equal(e->output_count, 2);
    assert_string_equal(e->outputs[0].name, "l");
    assert_int_equal(e->outputs[0].mode, 0755);
    assert_int_equal(e->outputs[1].stored.content.kind, DEJA_CONTENT_LINK);
    unlink("large");
    unlink("link");
    uint8_t results[2];
    deja_restore restore = {.entry = e, .root_fd = AT_FDCWD, .results = results};
    assert_int_equal(wait_step(c, &restore.step, deja_restore_begin(c, &restore)), 0);
    assert_file("large", data, BIG_BYTES);
    deja_entry_free(e);
    e = look(c, "recorded");
    assert_non_null(e);
    assert_int_equal(e->outputs[0].stored.where, DEJA_STORED_RECORD);
    deja_entry_free(e);
    store(c, "with everything", "new");
    assert_warning(c, NULL);
    deja_cache_close(c);
    deja_free(data);
}

static void keep_value(deja_cache *c, const char *name, const void *value, size_t len)
{
    deja_result r = result_of(name, "");
    r.value = (deja_payload){value, len, -1};
    r.flags = DEJA_RESULT_VALUE;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
}

static void assert_value(deja_cache *c, const char *name, const void *value, size_t len)
{
    deja_mapped m;
    deja_entry *e = look(c, name);
    assert_non_null(e);
    assert_int_equal(deja_cache_map_value(c, e, &m, NULL), 0);
    assert_int_equal(m.len, len);
    assert_memory_equal(m.data, value, len);
    deja_mapped_done(&m);
    deja_entry_free(e);
}

static void test_golden_store__with_values_is_read(void **state)
{
    (void)state;
    char *data = big(2);
    if (is_to_be_made("store-1-value")) {
        deja_cache *made = open_fixed();
        store(made, "a command", "standard output\n");
        keep_value(made, "a small value", "sixteen bytes...", 16);
        keep_value(made, "a large value", data, BIG_BYTES);
        deja_cache_close(made);
        save_golden("store-1-value", data);
    }
    load_golden("store-1-value", data);
    deja_cache *c = open_cache("old");
    deja_entry *e = look(c, "a command");
    assert_out(e, "standard output\n");
    assert_int_equal(e->has_value, 0);
    deja_entry_free(e);
    assert_value(c, "a small value", "sixteen bytes...", 16);
    assert_value(c, "a large value", data, BIG_BYTES);
    keep_value(c, "a small value", "other", 5);
    assert_value(c, "a small value", "other", 5);
    assert_warning(c, NULL);
    deja_cache_close(c);
    deja_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_golden_store__with_values_is_read, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_golden_store__of_schema_1_is_read, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
