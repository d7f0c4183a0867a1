/*
 * The n-th allocation fails, for every n, in each scenario of the store: each ends in an error or in success,
 * nothing leaks (AddressSanitizer looks), and the cache is sound afterwards.
 */
#include "store_fixture.h"

#include "scratch.h"

#include <stdatomic.h>

static atomic_long allocations_left; /* 0: none fails; n: the n-th from now does; helpers allocate too */

void *__real_deja_realloc(void *p, size_t size);
void *__wrap_deja_realloc(void *p, size_t size);

void *__wrap_deja_realloc(void *p, size_t size)
{
    long left = atomic_load(&allocations_left);
    while (left > 0 && !atomic_compare_exchange_weak(&allocations_left, &left, left - 1))
        ;
    return left == 1 ? NULL : __real_deja_realloc(p, size);
}

static int count_one(void *context, const deja_listed *entry)
{
    (void)entry;
    ++*(int *)context;
    return 0;
}

static int try_keep(deja_cache *c, const char *name, const char *data, size_t len, deja_output *o,
                    size_t outputs)
{
    deja_result r = result_of(name, "");
    r.out = (deja_payload){data, len, -1};
    r.outputs = o;
    r.output_count = outputs;
    int status = keep(c, &r);
    deja_result_done(&r);
    return status;
}

static int try_value(deja_cache *c, const char *data, size_t len)
{
    deja_result r = result_of("value", "");
    r.value = (deja_payload){data, len, -1};
    r.flags = DEJA_RESULT_VALUE;
    int status = keep(c, &r);
    deja_result_done(&r);
    deja_lookup l = {.key = r.key, .encoding = r.encoding, .encoding_len = r.encoding_len};
    deja_mapped m = {.map = NULL};
    if (!status)
        status = deja_cache_lookup(c, &l, 1, NULL);
    if (!status)
        status = l.entry ? deja_cache_map_value(c, l.entry, &m, NULL) : DEJA_ENOTFOUND;
    assert_true(status || (m.len == len && !memcmp(m.data, data, len)));
    deja_mapped_done(&m);
    deja_entry_free(l.entry);
    return status;
}

static int is_value(void *context, const deja_listed *entry, const void *encoding, size_t len)
{
    (void)context, (void)entry;
    return len == 5 && !memcmp(encoding, "value", 5);
}

static int try_values(deja_cache *c, const char *data)
{
    deja_hash key = key_of("value");
    uint64_t count;
    int r = try_value(c, data, 100);
    if (!r)
        r = deja_cache_forget(c, &key, NULL);
    if (r > 0)
        r = try_value(c, data, BIG_BYTES);
    return r ? r : deja_cache_forget_where(c, is_value, NULL, &count, NULL);
}

/* Keeps small and large, looks up, restores, lists, finds, keeps and forgets values, clears: the first
 * failure ends it. */
static int scenario(const char *data)
{
    deja_cache_options options = {.size = sizeof options, .folder = "cache"};
    deja_cache *c = NULL;
    deja_output o[2] = {{.name = "", .path = "small"}, {.name = "", .path = "large"}};
    uint8_t results[2];
    int r = deja_cache_open(&c, &options, NULL), listed = 0;
    uint64_t entries;
    char hex[DEJA_HASH_HEX];
    deja_entry *found = NULL;
    deja_hash key = key_of("with outputs");
    if (!r)
        r = try_keep(c, "small", "s", 1, NULL, 0);
    if (!r)
        r = try_keep(c, "large", data, BIG_BYTES, NULL, 0);
    if (!r)
        r = try_keep(c, "with outputs", "", 0, o, 2);
    deja_lookup l = {.key = key, .encoding = "with outputs", .encoding_len = strlen("with outputs")};
    if (!r)
        r = deja_cache_lookup(c, &l, 1, NULL);
    if (!r) {
        unlink("small");
        unlink("large");
        deja_restore restore = {.entry = l.entry, .root_fd = AT_FDCWD, .results = results};
        r = l.entry ? wait_step(c, &restore.step, deja_restore_begin(c, &restore)) : DEJA_ENOTFOUND;
    }
    if (!r)
        r = deja_cache_list(c, count_one, &listed, NULL);
    deja_hash_hex(&key, hex);
    if (!r)
        r = deja_cache_find(c, hex, &found, NULL);
    if (!r)
        r = try_values(c, data);
    if (!r)
        r = deja_cache_clear(c, &entries, NULL);
    deja_entry_free(l.entry);
    deja_entry_free(found);
    deja_cache_close(c);
    return r;
}

static void test_alloc__every_failure_ends_cleanly(void **state)
{
    (void)state;
    char *data = big(3);
    int failures = 0, r = 0;
    for (long n = 1;; n++) {
        atomic_store(&allocations_left, 0);
        write_file("small", "s", 1, 0600);
        write_file("large", data, BIG_BYTES, 0600);
        atomic_store(&allocations_left, n);
        r = scenario(data);
        long left = atomic_exchange(&allocations_left, 0);
        if (left > 0) /* it needs no n-th allocation */
            break;
        /* an allocation for a comfort (a warning, the memory of stat data) may fail unnoticed */
        failures += r != 0;
        if (r && r != DEJA_ENOMEM && r != DEJA_ERESOURCE)
            fail_msg("allocation %ld: code %d (%s)", n, r, deja_error_meaning(r));
        deja_cache *c = open_cache("cache");
        store(c, "afterwards", "sound");
        deja_entry *e = look(c, "afterwards");
        assert_out(e, "sound");
        deja_entry_free(e);
        assert_warning(c, NULL);
        deja_cache_close(c);
    }
    assert_int_equal(r, 0);
    assert_true(failures > 10);
    assert_int_equal(access("cache/db.damaged-1", F_OK), -1);
    deja_free(data);
}

/* The same in a store that is there already: opening must not begin it anew because memory is short. */
static void test_alloc__lack_of_memory_is_no_damage(void **state)
{
    (void)state;
    char *data = big(3);
    deja_cache *c = open_cache("cache");
    assert_int_equal(try_keep(c, "kept", data, BIG_BYTES, NULL, 0), 0);
    deja_cache_close(c);
    for (long n = 1;; n++) {
        deja_cache_options options = {.size = sizeof options, .folder = "cache"};
        deja_lookup l = {.key = key_of("kept"), .encoding = "kept", .encoding_len = 4};
        atomic_store(&allocations_left, n);
        int r = deja_cache_open(&c, &options, NULL), opened = !r;
        if (!r)
            r = deja_cache_lookup(c, &l, 1, NULL);
        int fd = !r && l.entry ? deja_cache_open_stored(c, &l.entry->out, NULL) : -1;
        long left = atomic_exchange(&allocations_left, 0);
        if (fd >= 0)
            close(fd);
        deja_entry_free(l.entry);
        if (opened) {
            assert_warning(c, NULL);
            deja_cache_close(c);
        }
        l.entry = NULL;
        assert_true(r == 0 || r == DEJA_ENOMEM);
        if (left > 0) {
            assert_true(fd >= 0);
            break;
        }
    }
    deja_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alloc__every_failure_ends_cleanly, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_alloc__lack_of_memory_is_no_damage, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
