/*
 * Functions are found in workers by object and offset: of the program, of a library that was opened later,
 * and not of one that was replaced.
 */
#include "processes.h"

#include "function_place.h"
#include <dlfcn.h>
#include <fcntl.h>

static int here(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    return deja_return(out, arg[0]);
}

static function_place *find(deja_job_fn function)
{
    deja_error err;
    function_place *p = calloc(1, function_place_size("f"));
    if (function_place_find(function, "f", p, &err) < 0)
        fail_msg("%s", err.text);
    return p;
}

static deja_job_fn load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    deja_job_fn f = (deja_job_fn)(uintptr_t)dlsym(library, "triple");
    assert_non_null(f);
    return f;
}

static void copy(const char *from, const char *to)
{
    static char buffer[1 << 16];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0700);
    assert_true(in >= 0 && out >= 0);
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;)
        assert_int_equal(write(out, buffer, (size_t)n), n);
    close(in);
    close(out);
}

static void test_function_place__what_is_mapped_is_found(void **state)
{
    (void)state;
    function_place *p = find(here);
    assert_ptr_equal(function_place_open(p, NULL), here);
    assert_string_equal(p->path, "");
    p->id.build[0] ^= 1;
    p->id.inode ^= 1;
    deja_error err;
    assert_null(function_place_open(p, &err));
    assert_int_equal(err.code, DEJA_ECHANGED);
    free(p);
}

static void test_function_place__a_library_opened_later_works(void **state)
{
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 2));
    deja_pool_function *f = DEFINE(p, here);
    processes_expect(processes_call(p, f, ARGS(deja_i64(1))), 1); /* workers are there by now */
    deja_job_fn triple = load(LATE_LIBRARY);
    deja_pool_function *g = DEFINE(p, triple);
    for (int i = 0; i < 10; i++)
        processes_expect(processes_call(p, g, ARGS(deja_i64(i))), 3 * i);
    deja_pool_close(p);
}

/* The workers die of it before their first item. */
static void test_function_place__a_library_that_aborts_ends_a_map(void **state)
{
    (void)state;
    char folder[] = "/tmp/deja-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/lib.so", folder); /* not the one that is open already */
    copy(LATE_LIBRARY, path);
    setenv("DEJA_TEST_LIBRARY_ABORTS", "1", 1);
    deja_pool *p = processes_open(OPTIONS(.workers = 2));
    unsetenv("DEJA_TEST_LIBRARY_ABORTS");
    deja_job_fn triple = load(path);
    deja_pool_function *f = DEFINE(p, triple, .retries = 1);
    deja_value rows[100];
    deja_map_task m = {.size = sizeof m, .columns = 1, .count = 100, .rows = rows};
    deja_map_run *r = NULL;
    const char *text = NULL;
    int64_t end = deja_monotonic_ns(NULL) + 8000 * DEJA_MS_NS;
    for (int i = 0; i < 100; i++)
        rows[i] = deja_i64(i);
    assert_int_equal(deja_pool_map_begin(p, f, &m, &r, NULL), 0);
    while (deja_map_run_done(r) < 100 && deja_monotonic_ns(NULL) < end)
        deja_pool_wait(p, deja_pool_seen(p), 20);
    assert_int_equal(deja_map_run_done(r), 100);
    assert_int_equal(deja_map_run_item(r, 99, NULL, &text), DEJA_EKILLED);
    assert_non_null(strstr(text, "'triple' ended its worker by signal 6"));
    deja_map_run_free(r);
    deja_pool_close(p);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

static void test_function_place__a_replaced_library_is_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/deja-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/lib.so", folder);
    copy(LATE_LIBRARY, path);
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    deja_job_fn triple = load(path);
    deja_pool_function *f = DEFINE(p, triple);
    Dl_info other;
    assert_true(dladdr((void *)(uintptr_t)dlopen, &other) != 0);
    unlink(path);
    copy(other.dli_fname, path);
    processes_expect_failure(processes_call(p, f, ARGS(deja_i64(1))), DEJA_ECHANGED, "was replaced");
    unlink(path);
    processes_expect_failure(processes_call(p, f, ARGS(deja_i64(1))), DEJA_ECHANGED, "was replaced");
    deja_pool_close(p);
    assert_int_equal(rmdir(folder), 0);
}

/* Whoever opened the new one and defined its functions gets those, in workers that have the old one, too. */
static void test_function_place__a_library_that_was_replaced_can_be_defined_anew(void **state)
{
    (void)state;
    char folder[] = "/tmp/deja-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/lib.so", folder);
    copy(LATE_LIBRARY, path);
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    void *old = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(old);
    deja_job_fn triple = load(path);
    processes_expect(processes_call(p, DEFINE(p, triple), ARGS(deja_i64(7))), 21);
    dlclose(old);
    dlclose(old); /* the one of load() */
    unlink(path);
    copy(LATE_LIBRARY_ANEW, path);
    triple = load(path);
    for (int i = 0; i < 2; i++)
        processes_expect(processes_call(p, DEFINE(p, triple), ARGS(deja_i64(7))), 35);
    deja_pool_close(p);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_function_place__what_is_mapped_is_found),
        cmocka_unit_test(test_function_place__a_library_opened_later_works),
        cmocka_unit_test(test_function_place__a_library_that_aborts_ends_a_map),
        cmocka_unit_test(test_function_place__a_replaced_library_is_refused),
        cmocka_unit_test(test_function_place__a_library_that_was_replaced_can_be_defined_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
