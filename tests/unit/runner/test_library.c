/*
 * Functions of a library that only workers load, and libraries that none of them may load.
 */
#include "library.h"
#include "processes.h"
#include "scratch.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

static char *folder;

static int setup(void **state)
{
    int rc = scratch_setup(state);
    folder = *state;
    return rc;
}

static const char *copy_of_probe(const char *name)
{
    static char path[512], command[2048];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(command, sizeof command, "cp '%s' '%s.new' && mv '%s.new' '%s'", CALL_PROBE, path, path, path);
    assert_int_equal(system(command), 0);
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

static deja_pool_function *define_in(deja_pool *p, const char *library, const char *symbol)
{
    return processes_define(
        p, (deja_pool_function_options){.name = symbol, .library = library, .symbol = symbol});
}

static int refuse(deja_pool *p, const char *library, const char *in_text)
{
    deja_error err = {0};
    deja_pool_function *f;
    deja_pool_function_options o = {
        .size = sizeof o, .name = "probe_add", .library = library, .symbol = "probe_add"};
    int rc = deja_pool_define(p, &o, &f, &err);
    if (rc < 0 && !strstr(err.text, in_text))
        fail_msg("'%s' is not in: %s", in_text, err.text);
    return rc;
}

/* The code of a call with (2, 3), whose result or text is checked. */
static int call(deja_pool *p, deja_pool_function *f, const char *in_text)
{
    deja_value args[] = {deja_i64(2), deja_i64(3)};
    processes_submit(p, f, args, 2, NULL);
    deja_task_outcome o = processes_next(p);
    int code = o.code;
    if (code == 0)
        assert_int_equal(o.product.scalar.i64, 5);
    else if (!o.text || !in_text || !strstr(o.text, in_text))
        fail_msg("unexpected: %s", o.text);
    deja_product_done(&o.product);
    deja_free(o.text);
    return code;
}

static void test_library__is_loaded_by_workers_only(void **state)
{
    (void)state;
    char trace[600], text[64] = "";
    snprintf(trace, sizeof trace, "%s/trace", folder);
    setenv("PROBE_TRACE", trace, 1);
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    deja_pool_function *f = define_in(p, copy_of_probe("libone.so"), "probe_add");
    assert_int_equal(access(trace, F_OK), -1);
    assert_int_equal(call(p, f, NULL), 0);
    assert_int_equal(call(p, f, NULL), 0);
    assert_int_equal(deja_pool_is_current(f), 1);
    deja_pool_close(p);
    unsetenv("PROBE_TRACE");
    int fd = open(trace, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    close(fd);
    assert_int_not_equal(strtol(text, NULL, 10), getpid());
    assert_null(strchr(strchr(text, '\n') + 1, '\n')); /* once */
}

static void test_library__without_the_symbol_is_named_with_it(void **state)
{
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    const char *path = copy_of_probe("libtwo.so");
    assert_int_equal(call(p, define_in(p, path, "no_such"), "has no function 'no_such'"), DEJA_ENOTFOUND);
    assert_int_equal(call(p, define_in(p, path, "probe_variable"), "that is a variable"), DEJA_ENOTFOUND);
    assert_int_equal(call(p, define_in(p, path, "probe_add"), NULL), 0);
    deja_pool_close(p);
}

static void test_library__that_is_missing_or_none_is_refused(void **state)
{
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    char path[600];
    snprintf(path, sizeof path, "%s/missing.so", folder);
    assert_int_equal(refuse(p, path, "missing.so' does not exist"), DEJA_ENOTFOUND);
    assert_int_equal(refuse(p, folder, "is no shared library"), DEJA_ETYPE);
    assert_int_equal(refuse(p, "/etc/passwd", "is no shared library"), DEJA_ETYPE);
    assert_int_equal(refuse(p, "libprobe.so", "is not absolute"), DEJA_EINVAL);
    deja_pool_close(p);
}

/* Overwrites two bytes of the head. */
static void patch(const char *path, off_t at, uint16_t with)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && pwrite(fd, &with, sizeof with, at) == sizeof with);
    close(fd);
}

static void test_library__of_another_machine_is_refused(void **state)
{
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    const char *path = copy_of_probe("libthree.so");
    patch(path, offsetof(Elf64_Ehdr, e_machine), EM_SPARC);
    assert_int_equal(refuse(p, path, "for another kind of machine"), DEJA_ETYPE);
    path = copy_of_probe("libthree.so");
    patch(path, offsetof(Elf64_Ehdr, e_type), ET_REL);
    assert_int_equal(refuse(p, path, "link it with -shared"), DEJA_ETYPE);
    path = copy_of_probe("libthree.so");
    assert_int_equal(truncate(path, 20), 0);
    assert_int_equal(refuse(p, path, "for another kind of machine"), DEJA_ETYPE);
    deja_pool_close(p);
}

static void test_library__that_others_may_change_is_refused(void **state)
{
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    const char *path = copy_of_probe("libfour.so");
    assert_int_equal(chmod(path, 0757), 0);
    assert_int_equal(refuse(p, path, "others may write to it"), DEJA_EDENIED);
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(refuse(p, path, "replace it in its folder"), DEJA_EDENIED);
    assert_int_equal(chmod(folder, 01777), 0);
    assert_int_equal(call(p, define_in(p, path, "probe_add"), NULL), 0);
    assert_int_equal(chmod(folder, 0700), 0);
    deja_pool_close(p);
}

/* The link lies where nobody else writes, the file does not. */
static void test_library__by_a_link_counts_with_both_folders(void **state)
{
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    char open_folder[600], file[700], link[600];
    snprintf(open_folder, sizeof open_folder, "%s/open", folder);
    snprintf(file, sizeof file, "%s/libfive.so", open_folder);
    snprintf(link, sizeof link, "%s/link.so", folder);
    assert_int_equal(mkdir(open_folder, 0700), 0);
    assert_int_equal(rename(copy_of_probe("libfive.so"), file), 0);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(call(p, define_in(p, link, "probe_add"), NULL), 0);
    assert_int_equal(chmod(open_folder, 0777), 0);
    assert_int_equal(refuse(p, link, "replace it in its folder"), DEJA_EDENIED);
    deja_pool_close(p);
}

/* What a worker has loaded is never taken for what lies there now. */
static void test_library__that_was_replaced_is_not_mistaken(void **state)
{
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    const char *path = copy_of_probe("libsix.so");
    deja_pool_function *f = define_in(p, path, "probe_add");
    assert_int_equal(call(p, f, NULL), 0);
    copy_of_probe("libsix.so");
    assert_int_equal(deja_pool_is_current(f), 0);
    deja_pool_function *again = define_in(p, path, "probe_add");
    assert_int_equal(deja_pool_is_current(again), 1);
    assert_int_equal(call(p, again, "was replaced while it was in use"), DEJA_ECHANGED);
    deja_pool_close(p);
}

/* By another name, and written to in its place. */
static void test_library__that_was_written_to_is_not_mistaken(void **state)
{
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    char link_path[600];
    const char *path = copy_of_probe("libnine.so");
    snprintf(link_path, sizeof link_path, "%s/libten.so", folder);
    assert_int_equal(link(path, link_path), 0);
    assert_int_equal(call(p, define_in(p, path, "probe_add"), NULL), 0);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
    assert_int_equal(call(p, define_in(p, link_path, "probe_add"), "was replaced while it was in use"),
                     DEJA_ECHANGED);
    deja_pool_close(p);
}

/* Not even its constructors run. */
static void test_library__replaced_before_it_is_loaded_is_refused(void **state)
{
    (void)state;
    char trace[600];
    snprintf(trace, sizeof trace, "%s/untouched", folder);
    setenv("PROBE_TRACE", trace, 1);
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    deja_pool_function *f = define_in(p, copy_of_probe("libseven.so"), "probe_add");
    copy_of_probe("libseven.so");
    assert_int_equal(call(p, f, "was replaced since"), DEJA_ECHANGED);
    deja_pool_close(p);
    unsetenv("PROBE_TRACE");
    assert_int_equal(access(trace, F_OK), -1);
}

static void test_library__is_for_processes_only(void **state)
{
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    deja_error err = {0};
    deja_pool_function *f;
    const char *path = copy_of_probe("libeight.so");
    deja_pool_function_options o = {
        .size = sizeof o, .backend = DEJA_THREAD, .name = "f", .library = path, .symbol = "probe_add"};
    assert_int_equal(deja_pool_define(p, &o, &f, &err), DEJA_EINVAL);
    o.backend = DEJA_PROCESS;
    o.symbol = NULL;
    assert_int_equal(deja_pool_define(p, &o, &f, &err), DEJA_EINVAL);
    assert_int_equal(deja_pool_submit_here(p, define_in(p, path, "probe_add"), NULL, 0, NULL, NULL, &err),
                     DEJA_EINVAL);
    deja_pool_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_library__is_loaded_by_workers_only),
        cmocka_unit_test(test_library__without_the_symbol_is_named_with_it),
        cmocka_unit_test(test_library__that_is_missing_or_none_is_refused),
        cmocka_unit_test(test_library__of_another_machine_is_refused),
        cmocka_unit_test(test_library__that_others_may_change_is_refused),
        cmocka_unit_test(test_library__by_a_link_counts_with_both_folders),
        cmocka_unit_test(test_library__that_was_replaced_is_not_mistaken),
        cmocka_unit_test(test_library__that_was_written_to_is_not_mistaken),
        cmocka_unit_test(test_library__replaced_before_it_is_loaded_is_refused),
        cmocka_unit_test(test_library__is_for_processes_only),
    };
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
