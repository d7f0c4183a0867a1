/* Contexts: opened in odd places, several of them, damaged, and what workers see: jobs/calls/context.c. */
#include "calls.h"
#include <dirent.h>
#include <ftw.h>
#include <pthread.h>

static void keep_text(void *context, const char *text)
{
    snprintf(context, 1024, "%s", text);
}

/* BEHAVIOURS 22: a bad place is told once, and everything is computed. */
static void test_context__works_on_where_no_cache_can_be(void **state)
{
    (void)state;
    deja_error err;
    char text[1024] = "";
    FILE *file = fopen("cache", "w");
    fclose(file);
    deja *d = deja_open(DEJA_OPTIONS(.cache = "cache", .warn = keep_text, .warn_context = text), &err);
    assert_non_null(d);
    assert_non_null(strstr(text, "continuing without a cache"));
    assert_non_null(strstr(text, "cache"));
    deja_fn *f = define_on(d, DEJA_PROCESS, "add", add);
    for (int i = 0; i < 2; i++)
        assert_int_equal(call_i64(f, 1, 2), 3);
    assert_int_equal(runs(), 2);
    deja_close(d);
}

static void test_context__refuses_bad_options(void **state)
{
    (void)state;
    deja_error err;
    const deja_options none = {0};
    assert_null(deja_open(&none, &err));
    assert_int_equal(err.code, DEJA_EINVAL);
    setenv("DEJA_MODE", "maybe", 1);
    assert_null(deja_open(NULL, &err));
    assert_int_equal(err.code, DEJA_EINVAL);
    assert_non_null(strstr(err.text, "maybe"));
    setenv("DEJA_MODE", "off", 1);
    deja *d = open_with(0);
    assert_int_equal(call_i64(define_on(d, DEJA_INLINE, "add", add), 1, 2), 3);
    deja_close(d);
    unsetenv("DEJA_MODE");
    assert_int_equal(access("cache", F_OK), -1);
    d = open_with(DEJA_NO_CACHE);
    deja_fn_options negative = {.size = sizeof negative, .timeout_ms = -1},
                    unknown = {.size = sizeof unknown, .backend = 9};
    assert_null(deja_define(d, "add", "1", add, &negative, &err));
    assert_int_equal(err.code, DEJA_EINVAL);
    assert_null(deja_define(d, "add", "1", add, &unknown, &err));
    assert_null(deja_define(d, "", "1", add, NULL, &err));
    assert_null(deja_define(d, "add", "1", NULL, NULL, &err));
    deja_close(d);
}

/* BEHAVIOURS 16 and c: flipped bytes are a miss, one warning, and computed anew; through a reference they are
 * an error. */
static int make_text(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    static char text[100000];
    (void)n;
    (void)err;
    mark();
    memset(text, 'a' + (int)arg->i64, sizeof text - 1);
    return deja_return(out, deja_string(text));
}

static int flip_byte(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)at;
    if (kind != FTW_F || st->st_size < 90000)
        return 0;
    chmod(path, 0600);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "#", 1, 5000), 1);
    close(fd);
    return 0;
}

static void test_context__notices_damage(void **state)
{
    (void)state;
    deja_error err;
    char text[1024] = "", reference[DEJA_REFERENCE];
    deja *d = open_with(0);
    assert_int_equal(deja_shelve(define_on(d, DEJA_THREAD, "text", make_text), DEJA_ARGS(1), reference, &err),
                     0);
    deja_close(d);
    assert_int_equal(nftw("cache/blobs", flip_byte, 8, FTW_PHYS), 0);
    d = deja_open(DEJA_OPTIONS(.cache = "cache", .warn = keep_text, .warn_context = text), &err);
    assert_null(deja_fetch(d, reference, &err));
    assert_int_equal(err.code, DEJA_ECORRUPT);
    deja_fn *f = define_on(d, DEJA_THREAD, "text", make_text);
    for (int i = 0; i < 2; i++) {
        deja_results *r = deja_call(f, DEJA_ARGS(1), &err);
        assert_non_null(r);
        for (int k = 0; k < 99999; k++)
            assert_int_equal(deja_results_at(r, 0)->string[k], 'b');
        deja_results_free(r);
        assert_int_equal(deja_sync(d, &err), 0);
    }
    assert_int_equal(runs(), 2);
    assert_non_null(strstr(text, "damaged"));
    deja_close(d);
}

/* Better than joblib, g: 100 results are 100 rows and no files of their own. */
static size_t files_in(const char *path)
{
    size_t n = 0;
    DIR *folder = opendir(path);
    for (struct dirent *e; folder && (e = readdir(folder));)
        n += e->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return n;
}

static void test_context__keeps_small_results_in_rows(void **state)
{
    (void)state;
    deja *d = open_with(0);
    deja_fn *f = define_on(d, DEJA_INLINE, "add", add);
    for (int i = 0; i < 100; i++)
        assert_int_equal(call_i64(f, i, 1), i + 1);
    deja_close(d);
    assert_true(files_in("cache") < 10);
    assert_int_equal(files_in("cache/blobs"), 0);
}

/* BEHAVIOURS 49: contexts side by side, in two threads, on one cache. */
static void *use_context(void *context)
{
    deja_error err;
    int *result = context;
    deja *d = deja_open(DEJA_OPTIONS(.cache = "cache", .workers = 1), &err);
    deja_fn *f = d ? deja_define(d, "add", "1", add, NULL, &err) : NULL;
    int64_t sum = 0, x;
    for (int64_t i = 0; f && i < 50; i++)
        sum += deja_call_i64(f, DEJA_ARGS(i, 1), &x, &err) == 0 ? x : 0;
    deja_close(d);
    *result = (int)sum;
    return NULL;
}

static void test_context__two_in_two_threads(void **state)
{
    (void)state;
    pthread_t threads[2];
    int sums[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, use_context, &sums[i]);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sums[i], 50 * 49 / 2 + 50);
    }
    assert_int_equal(runs(), 50);
}

/* BEHAVIOURS 41 and the header's second paragraph: workers see globals as they were at the opening, and what
 * the initialiser made of them. */
static int global = 1, model;

static int load(void *arg, deja_error *err)
{
    (void)err;
    model = 100 * *(int *)arg;
    return 0;
}

static int see(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg;
    (void)n;
    (void)err;
    return deja_return(out, deja_i64(model + global));
}

static void test_context__workers_see_globals_of_the_opening(void **state)
{
    (void)state;
    deja_error err;
    int64_t x;
    int weight = 7;
    global = 2;
    deja *d = deja_open(DEJA_OPTIONS(.flags = DEJA_NO_CACHE, .workers = 2, .init = load, .init_arg = &weight),
                        &err);
    assert_non_null(d);
    global = 3;
    assert_int_equal(deja_call_i64(define_on(d, DEJA_PROCESS, "see", see), DEJA_NO_ARGS, &x, &err), 0);
    assert_int_equal(x, 702);
    deja_close(d);
}

static int refuse(void *arg, deja_error *err)
{
    return deja_fail(err, DEJA_ENOTFOUND, "no file '%s'", (const char *)arg);
}

static void test_context__tells_a_failed_initialiser(void **state)
{
    (void)state;
    char name[] = "weights";
    deja_error err;
    assert_null(deja_open(DEJA_OPTIONS(.flags = DEJA_NO_CACHE, .init = refuse, .init_arg = name), &err));
    assert_int_equal(err.code, DEJA_ENOTFOUND);
    assert_non_null(strstr(err.text, "no file 'weights'"));
}

/* BEHAVIOURS 9, as far as C goes: strict keys hold the build of the program; plain ones do not. */
static void test_context__strict_is_another_key(void **state)
{
    (void)state;
    deja_error err;
    deja *d = open_with(0);
    deja_fn *plain = define_on(d, DEJA_INLINE, "add", add);
    assert_int_equal(call_i64(plain, 1, 2), 3);
    deja_close(d);
    for (int i = 0; i < 2; i++) {
        d = open_with(0);
        deja_fn *strict =
            deja_define(d, "add", "1", add, DEJA_FN_OPTIONS(.backend = DEJA_INLINE, .strict = 1), &err);
        assert_int_equal(call_i64(strict, 1, 2), 3);
        assert_int_equal(runs(), 2);
        deja_close(d);
    }
}

/* BEHAVIOURS 34, 35 and 37: a limit of time ends one that hangs, and the context goes on. */
static int hang(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    (void)err;
    for (volatile int64_t i = 0; arg->i64 == 13;)
        i++;
    return deja_return(out, *arg);
}

static void test_context__ends_what_hangs(void **state)
{
    (void)state;
    deja_error err;
    deja_value rows[20];
    deja *d = open_with(DEJA_NO_CACHE);
    deja_fn *f = deja_define(d, "hang", "1", hang, DEJA_FN_OPTIONS(.timeout_ms = 200), &err);
    for (int i = 0; i < 20; i++)
        rows[i] = deja_i64(i);
    deja_results *r = deja_map(f, rows, 20, 1, NULL, &err);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(deja_results_code(r, i), i == 13 ? DEJA_ETIMEDOUT : 0);
    deja_results_free(r);
    assert_null(deja_call(f, DEJA_ARGS(13), &err));
    assert_int_equal(err.code, DEJA_ETIMEDOUT);
    assert_non_null(strstr(err.text, "'hang'"));
    int64_t x;
    assert_int_equal(deja_call_i64(f, DEJA_ARGS(5), &x, &err), 0);
    assert_int_equal(x, 5);
    deja_close(d);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_context__works_on_where_no_cache_can_be),
        CASE(test_context__refuses_bad_options),
        CASE(test_context__notices_damage),
        CASE(test_context__keeps_small_results_in_rows),
        CASE(test_context__two_in_two_threads),
        CASE(test_context__workers_see_globals_of_the_opening),
        CASE(test_context__tells_a_failed_initialiser),
        CASE(test_context__strict_is_another_key),
        CASE(test_context__ends_what_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
