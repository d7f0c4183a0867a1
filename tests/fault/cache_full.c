/*
 * A file system of thirty sizes runs full while results are stored, then gets room again; and one that is
 * read-only. Needs the right to mount (root); skipped otherwise.
 */
#include "store_fixture.h"

#include "scratch.h"

#include <sched.h>
#include <sys/mount.h>
#include <time.h>

#define SIZES   30
#define RESULTS 40

static int mount_tmpfs(unsigned long kilobytes, unsigned long flags)
{
    char options[64];
    snprintf(options, sizeof options, "size=%luk", kilobytes);
    return mount("deja-test", "disk", "tmpfs", flags, options);
}

static int setup(void **state)
{
    if (scratch_setup(state) || mkdir("disk", 0700))
        return -1;
    return 0;
}

static int teardown(void **state)
{
    (void)umount2("disk", MNT_DETACH);
    return scratch_teardown(state);
}

static int may_mount(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount_tmpfs(1000, 0) == 0 && umount("disk") == 0;
}

static int keep_nth(deja_cache *c, int i, const char *data)
{
    char name[32];
    snprintf(name, sizeof name, "result %d", i);
    deja_result r = result_of(name, name);
    if (i % 3 == 0)
        r.out = (deja_payload){data, BIG_BYTES - (uint64_t)i, -1};
    int status = keep(c, &r);
    if (status && status != DEJA_EFULL)
        fail_msg("result %d: %s", i, r.step.error.text);
    deja_result_done(&r);
    return status;
}

static void assert_kept(deja_cache *c, int i, const char *data)
{
    char name[32], byte;
    snprintf(name, sizeof name, "result %d", i);
    deja_entry *e = look(c, name);
    if (!e)
        fail_msg("result %d was acknowledged and is lost", i);
    if (i % 3) {
        assert_out(e, name);
    } else {
        int fd = deja_cache_open_stored(c, &e->out, NULL);
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, &byte, 1, 777), 1);
        assert_int_equal(byte, data[777]);
        close(fd);
    }
    deja_entry_free(e);
}

static void fill_up(unsigned long kilobytes, const char *data)
{
    int kept[RESULTS] = {0}, failed = 0;
    deja_cache *c = NULL;
    deja_cache_options options = {.size = sizeof options, .folder = "disk/cache"};
    deja_error err = {0};
    int r = deja_cache_open(&c, &options, &err);
    if (r && r != DEJA_EFULL)
        fail_msg("%lu kB: open: %s", kilobytes, err.text);
    for (int i = 0; !r && i < RESULTS; i++) {
        kept[i] = keep_nth(c, i, data) == 0;
        failed += !kept[i];
    }
    deja_cache_close(c);
    assert_true(r || failed || kilobytes > 2000);
    assert_int_equal(mount_tmpfs(20000, MS_REMOUNT), 0);
    c = open_cache("disk/cache");
    for (int i = 0; i < RESULTS; i++)
        if (kept[i])
            assert_kept(c, i, data);
    for (int i = 0; i < RESULTS; i++) {
        assert_int_equal(keep_nth(c, i, data), 0);
        assert_kept(c, i, data);
    }
    assert_warning(c, NULL);
    deja_cache_close(c);
}

static void test_full__a_disk_loses_nothing_acknowledged_and_recovers(void **state)
{
    (void)state;
    if (!may_mount())
        skip();
    char *data = big(1);
    for (int i = 0; i < SIZES; i++) {
        unsigned long kilobytes = 4 + (unsigned long)i * (unsigned long)i * 2;
        assert_int_equal(mount_tmpfs(kilobytes, 0), 0);
        fill_up(kilobytes, data);
        assert_int_equal(umount("disk"), 0);
    }
    deja_free(data);
}

static void test_full__a_read_only_file_system_is_refused_at_once(void **state)
{
    (void)state;
    if (!may_mount())
        skip();
    deja_cache *c = NULL;
    deja_cache_options options = {.size = sizeof options, .folder = "disk/cache"};
    deja_error err;
    assert_int_equal(mount_tmpfs(4000, 0), 0);
    c = open_cache("disk/cache");
    store(c, "one", "first");
    deja_cache_close(c);
    assert_int_equal(mount_tmpfs(4000, MS_REMOUNT | MS_RDONLY), 0);
    int64_t began = deja_monotonic_ns(NULL);
    assert_int_equal(deja_cache_open(&c, &options, &err), DEJA_EDENIED);
    assert_non_null(strstr(err.text, "read-only"));
    options.folder = "disk/other";
    assert_int_equal(deja_cache_open(&c, &options, &err), DEJA_EDENIED);
    print_message("%s\n", err.text);
    assert_true(deja_monotonic_ns(NULL) - began < 20 * DEJA_S_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full__a_disk_loses_nothing_acknowledged_and_recovers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_full__a_read_only_file_system_is_refused_at_once, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
