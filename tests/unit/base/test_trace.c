/* The trace: one whole JSON line for each region. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "scratch.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/trace.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define LINES   200
#define THREADS 4

static void *write_lines(void *context)
{
    for (int i = 0; i < LINES; i++)
        deja_trace_region(context, "region", "detail", deja_monotonic_ns(NULL));
    return NULL;
}

static void test_trace__off_does_nothing(void **state)
{
    (void)state;
    deja_trace_region(NULL, "x", "y", 0);
    deja_trace_close(NULL);
}

static void test_trace__escapes(void **state)
{
    (void)state;
    deja_trace *t = NULL;
    assert_int_equal(deja_trace_open(&t, "trace", NULL), 0);
    deja_trace_region(t, "hash", "a\"b\\c\n\xFF\xC3\xBC", deja_monotonic_ns(NULL));
    deja_trace_region(t, "none", NULL, 0);
    deja_trace_close(t);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(deja_file_load(AT_FDCWD, "trace", 1 << 20, &b, NULL), 0);
    const char *start = "{\"region\":\"hash\",\"detail\":\"a\\\"b\\\\c\\u000a\\ufffd\xC3\xBC\",\"start_ns\":";
    assert_int_equal(strncmp(deja_buffer_string(&b), start, strlen(start)), 0);
    assert_non_null(strstr(b.data, "}\n{\"region\":\"none\",\"detail\":\"\",\"start_ns\":0,\"ns\":"));
    assert_int_equal(b.data[b.len - 1], '\n');
}

static void test_trace__threads_do_not_mix_lines(void **state)
{
    (void)state;
    deja_trace *t = NULL;
    assert_int_equal(deja_trace_open(&t, "trace", NULL), 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, t), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    deja_trace_close(t);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(deja_file_load(AT_FDCWD, "trace", 1 << 24, &b, NULL), 0);
    int lines = 0;
    for (const char *at = deja_buffer_string(&b); *at; at = strchr(at, '\n') + 1) {
        assert_int_equal(strncmp(at, "{\"region\":\"region\",", 19), 0);
        lines++;
    }
    assert_int_equal(lines, LINES * THREADS);
}

/* As two processes would: each has the file open for itself. */
static void test_trace__appends_beside_others(void **state)
{
    (void)state;
    deja_trace *a = NULL, *b = NULL;
    assert_int_equal(deja_trace_open(&a, "trace", NULL), 0);
    assert_int_equal(deja_trace_open(&b, "trace", NULL), 0);
    deja_trace_region(a, "one", "", 0);
    deja_trace_region(b, "two", "", 0);
    deja_trace_region(a, "three", "", 0);
    deja_trace_close(a);
    deja_trace_close(b);
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    assert_int_equal(deja_file_load(AT_FDCWD, "trace", 1 << 20, &text, NULL), 0);
    const char *one = strstr(deja_buffer_string(&text), "\"one\"");
    const char *two = one ? strstr(one, "\"two\"") : NULL;
    assert_non_null(two);
    assert_non_null(strstr(two, "\"three\""));
}

static void test_trace__open_fails_cleanly(void **state)
{
    (void)state;
    deja_trace *t = NULL;
    deja_error err;
    assert_int_equal(deja_trace_open(&t, "none/trace", &err), DEJA_ENOTFOUND);
    assert_string_equal(err.text, "open trace 'none/trace': No such file or directory");
    failing_alloc_at(1);
    assert_int_equal(deja_trace_open(&t, "trace", &err), DEJA_ENOMEM);
    failing_alloc_at(0);
    assert_null(t);
    assert_int_equal(deja_trace_open(&t, "trace", &err), 0);
    failing_alloc_at(1);
    deja_trace_region(t, "lost", "", 0);
    failing_alloc_at(0);
    deja_trace_close(t);
    struct stat st;
    assert_int_equal(stat("trace", &st), 0);
    assert_int_equal(st.st_size, 0);
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_trace__off_does_nothing),         scratch_test(test_trace__escapes),
        scratch_test(test_trace__threads_do_not_mix_lines), scratch_test(test_trace__appends_beside_others),
        scratch_test(test_trace__open_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
