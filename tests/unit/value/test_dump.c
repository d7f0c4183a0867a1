/*
 * Values in files. BEHAVIOURS 50 to 53, c, f.
 */
#include "failing_alloc.h"
#include "value_golden.h"
#include "value_zoo.h"

#include <deja/dump.h>
#include <deja/hash.h>
#include <deja/image.h>
#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

static deja_loaded *load(const char *path)
{
    deja_loaded *l = NULL;
    deja_error err;
    if (deja_load(path, &l, &err))
        fail_msg("%s", err.text);
    assert_int_equal(deja_value_check(deja_loaded_value(l), NULL), 0);
    return l;
}

static void dump(const char *path, const deja_value *v, int level)
{
    deja_error err;
    if (deja_dump(path, v, level, &err))
        fail_msg("%s", err.text);
}

static void assert_load_fails(const char *path, int code, const char *text)
{
    deja_loaded *l = NULL;
    deja_error err;
    assert_int_equal(deja_load(path, &l, &err), code);
    assert_null(l);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.text, text));
    assert_int_equal(deja_load(path, &l, NULL), code);
}

static int count_names(void)
{
    DIR *d = opendir(".");
    int n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void slurp(const char *path, deja_buffer *b)
{
    assert_int_equal(deja_file_load(AT_FDCWD, path, 1 << 24, b, NULL), 0);
}

static void spill(const char *path, const void *data, size_t len)
{
    assert_int_equal(deja_file_replace(AT_FDCWD, path, data, len, 0644, 0, NULL), 0);
}

/* BEHAVIOURS 51: compressed or not, the data are right; a compressed one is simply in memory. */
static void test_dump__is_loaded_as_it_was(void **state)
{
    (void)state;
    zoo z = zoo_all();
    static const int levels[] = {0, 1, 19};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < z.count; i++) {
            dump("v", &z.item[i].value, levels[k]);
            deja_loaded *l = load("v");
            assert_true(deja_value_equal(deja_loaded_value(l), &z.item[i].value));
            deja_loaded_free(l);
        }
    assert_int_equal(count_names(), 3); /* and the two files of the zoo */
}

static deja_array numbers(double *x, int64_t *shape, int64_t n)
{
    *shape = n;
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(i % 1000);
    return (deja_array){.data = x, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
}

/* BEHAVIOURS 53: aligned, and mapped read-only; valid after the name is gone. */
static void test_dump__arrays_are_mapped(void **state)
{
    (void)state;
    static double x[100000];
    int64_t shape;
    deja_array a = numbers(x, &shape, 100000);
    deja_value v = deja_of_array(&a);
    for (int level = 0; level < 2; level++) {
        dump("v", &v, level);
        deja_loaded *l = load("v");
        assert_int_equal(unlink("v"), 0);
        const deja_array *back = deja_loaded_value(l)->array;
        assert_int_equal((uintptr_t)back->data % 64, 0);
        assert_memory_equal(back->data, x, sizeof x);
        deja_loaded_free(l);
    }
}

static void test_dump__compresses(void **state)
{
    (void)state;
    static double x[100000];
    int64_t shape;
    deja_array a = numbers(x, &shape, 100000);
    deja_value v = deja_of_array(&a);
    struct stat st;
    dump("v", &v, 3);
    assert_int_equal(stat("v", &st), 0);
    assert_true(st.st_size < (off_t)sizeof x / 4);
}

/* BEHAVIOURS 52: what earlier releases wrote loads; and this one writes a plain file as they did. */
static void test_dump__golden_files_load(void **state)
{
    (void)state;
    deja_value expected = golden_value();
    static const char *const names[] = {"plain.dump", "compressed.dump"};
    for (size_t i = 0; i < 2; i++) {
        DEJA_AUTO_BUFFER deja_buffer path = {0};
        golden_path(&path, TEST_FILE, names[i]);
        deja_loaded *l = load(deja_buffer_string(&path));
        assert_true(deja_value_equal(deja_loaded_value(l), &expected));
        deja_loaded_free(l);
    }
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    DEJA_AUTO_BUFFER deja_buffer golden = {0};
    DEJA_AUTO_BUFFER deja_buffer written = {0};
    golden_path(&path, TEST_FILE, "plain.dump");
    slurp(deja_buffer_string(&path), &golden);
    dump("v", &expected, 0);
    slurp("v", &written);
    assert_int_equal(written.len, golden.len);
    assert_memory_equal(written.data, golden.data, golden.len);
}

static void test_dump__the_golden_image_is_written(void **state)
{
    (void)state;
    deja_value v = golden_value();
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    DEJA_AUTO_BUFFER deja_buffer golden = {0};
    DEJA_AUTO_BUFFER deja_buffer image = {0};
    golden_path(&path, TEST_FILE, "value.image");
    slurp(deja_buffer_string(&path), &golden);
    deja_image_add(&image, &v);
    assert_int_equal(image.len, golden.len);
    assert_memory_equal(image.data, golden.data, golden.len);
}

/* A frame of zstd has bits that mean nothing: the value is then the right one all the same. */
static void assert_damaged_or_right(const deja_value *v, int level)
{
    deja_loaded *l = NULL;
    if (level && deja_load("damaged", &l, NULL) == 0) {
        assert_true(deja_value_equal(deja_loaded_value(l), v));
        deja_loaded_free(l);
    } else {
        assert_load_fails("damaged", DEJA_ECORRUPT, "load 'damaged': ");
    }
}

static void check_damage(const deja_value *v, int level)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    slurp("v", &b);
    for (size_t at = 0; at < b.len; at += at < 128 ? 1 : 5) {
        b.data[at] ^= 0x10;
        spill("damaged", b.data, b.len);
        assert_damaged_or_right(v, at < 64 ? 0 : level);
        b.data[at] ^= 0x10;
    }
    for (size_t len = 0; len < b.len; len += len < 128 ? 1 : 5) {
        spill("damaged", b.data, len);
        assert_damaged_or_right(v, 0);
    }
    spill("damaged", b.data, b.len);
    deja_loaded_free(load("damaged"));
}

/* BEHAVIOURS c: a flipped byte anywhere is noticed, and so is a missing end. */
static void test_dump__damage_is_noticed(void **state)
{
    (void)state;
    zoo z = zoo_all();
    const deja_value *v = zoo_get(&z, "list of a map and an array");
    for (int level = 0; level < 2; level++) {
        dump("v", v, level);
        check_damage(v, level);
    }
}

static void test_dump__a_later_format_is_another_version(void **state)
{
    (void)state;
    deja_value v = deja_i64(1);
    dump("v", &v, 0);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    slurp("v", &b);
    for (int at = 8; at <= 12; at += 4) { /* the format, the flags */
        b.data[at] += 2;
        uint64_t check = deja_hash64(b.data, 56);
        memcpy(b.data + 56, &check, 8);
        spill("later", b.data, b.len);
        assert_load_fails("later", DEJA_EVERSION, "load 'later': ");
        b.data[at] -= 2;
    }
}

static void test_dump__replaces_whole_or_not_at_all(void **state)
{
    (void)state;
    deja_value v = deja_string("one"), none = deja_value_of(99, 0);
    deja_error err;
    dump("v", &v, 0);
    assert_int_equal(deja_dump("v", &none, 0, &err), DEJA_ETYPE);
    assert_non_null(strstr(err.text, "write 'v': "));
    assert_int_equal(deja_dump("v", &v, 20, &err), DEJA_EINVAL);
    assert_int_equal(deja_dump("v", &v, -1, &err), DEJA_EINVAL);
    assert_int_equal(deja_dump("none/v", &v, 0, &err), DEJA_ENOTFOUND);
    assert_int_equal(deja_dump("none/v", &v, 3, &err), DEJA_ENOTFOUND);
    deja_loaded *l = load("v");
    assert_string_equal(deja_loaded_value(l)->string, "one");
    deja_loaded_free(l);
    assert_int_equal(count_names(), 3);
}

/* BEHAVIOURS f: no room is an error that says so, and nothing stays. */
static void test_dump__without_room_is_an_error(void **state)
{
    (void)state;
    static double x[100000];
    int64_t shape;
    deja_array a = numbers(x, &shape, 100000);
    deja_value v = deja_of_array(&a);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){65536, old.rlim_max};
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    deja_error err;
    int plain = deja_dump("v", &v, 0, &err), compressed = deja_dump("v", &v, 1, &err),
        npy = deja_npy_save("v", &a, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, before);
    assert_true(plain < 0 && compressed < 0 && npy < 0);
    assert_int_equal(count_names(), 2);
}

static void test_dump__a_new_file_has_the_usual_mode(void **state)
{
    (void)state;
    deja_value v = deja_i64(1);
    struct stat st;
    mode_t old = umask(027);
    for (int level = 0; level < 2; level++) {
        dump("v", &v, level);
        assert_int_equal(stat("v", &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
    }
    umask(old);
}

static void test_dump__a_file_that_is_replaced_keeps_its_mode(void **state)
{
    (void)state;
    deja_value v = deja_i64(1);
    struct stat st;
    mode_t old = umask(022);
    for (int level = 0; level < 2; level++)
        for (mode_t mode = 0600; mode <= 0666; mode += 0066) { /* less and more than a new file has */
            dump("v", &v, level);
            assert_int_equal(chmod("v", mode), 0);
            dump("v", &v, level);
            assert_int_equal(stat("v", &st), 0);
            assert_int_equal(st.st_mode & 07777, mode);
            assert_int_equal(unlink("v"), 0);
        }
    umask(old);
}

static void test_dump__what_is_no_dump_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_load_fails("none", DEJA_ENOTFOUND, "'none'");
    assert_load_fails("folder", DEJA_ETYPE, "'folder' is no regular file");
    assert_load_fails("fifo", DEJA_ETYPE, "'fifo' is no regular file");
    assert_load_fails("empty", DEJA_ECORRUPT, "neither a dump nor an .npy");
    assert_load_fails("one", DEJA_ECORRUPT, "neither a dump nor an .npy");
    assert_null(deja_loaded_value(NULL));
    deja_loaded_free(NULL);
}

static void test_dump__survives_failing_allocations(void **state)
{
    (void)state;
    zoo z = zoo_all();
    const deja_value *v = zoo_get(&z, "list of a map and an array");
    for (int level = 0; level < 2; level++)
        for (long n = 1;; n++) {
            deja_loaded *l = NULL;
            failing_alloc_at(n);
            int r = deja_dump("v", v, level, NULL);
            if (!r)
                r = deja_load("v", &l, NULL);
            long hits = failing_alloc_hits;
            failing_alloc_at(0);
            assert_int_equal(r, hits ? DEJA_ENOMEM : 0);
            deja_loaded_free(l);
            unlink("v");
            if (!hits)
                break;
        }
    assert_int_equal(count_names(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        zoo_test(test_dump__is_loaded_as_it_was),
        zoo_test(test_dump__arrays_are_mapped),
        zoo_test(test_dump__compresses),
        zoo_test(test_dump__golden_files_load),
        zoo_test(test_dump__the_golden_image_is_written),
        zoo_test(test_dump__damage_is_noticed),
        zoo_test(test_dump__a_later_format_is_another_version),
        zoo_test(test_dump__replaces_whole_or_not_at_all),
        zoo_test(test_dump__without_room_is_an_error),
        zoo_test(test_dump__a_new_file_has_the_usual_mode),
        zoo_test(test_dump__a_file_that_is_replaced_keeps_its_mode),
        zoo_test(test_dump__what_is_no_dump_is_refused),
        zoo_test(test_dump__survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
