/*
 * Results on their way into the store: sealed, looked at again, committed.
 */
#include "store_fixture.h"

#include "scratch.h"

#include <sys/mman.h>
#include <sys/resource.h>

static int seal(deja_cache *c, deja_result *r)
{
    return wait_step(c, &r->step, deja_result_seal_begin(c, r));
}

static int commit(deja_cache *c, deja_result *r)
{
    return wait_step(c, &r->step, deja_result_commit_begin(c, r));
}

static void assert_stored(deja_cache *c, const deja_stored *s, const void *data, size_t len)
{
    char *back = deja_realloc(NULL, len + 1);
    assert_int_equal(s->content.size, len);
    deja_hash hash = deja_hash_bytes(data, len);
    assert_true(deja_hash_equal(&s->content.hash, &hash));
    if (s->where == DEJA_STORED_INLINE) {
        assert_memory_equal(s->data, data, len);
    } else {
        int fd = deja_cache_open_stored(c, s, NULL);
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, back, len + 1, 0), (ssize_t)len);
        assert_memory_equal(back, data, len);
        close(fd);
    }
    deja_free(back);
}

static void test_result__small_and_without_outputs_is_sealed_at_once(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_result r = result_of("one", "hello");
    r.err = (deja_payload){"oops", 4, -1};
    r.exit_status = 3;
    assert_int_equal(deja_result_seal_begin(c, &r), 1);
    assert_int_equal(r.step.status, 0);
    assert_int_equal(r.out_content.size, 5);
    assert_int_equal(deja_cache_fd(c), -1);
    assert_int_equal(commit(c, &r), 0);
    deja_result_done(&r);
    deja_result_done(&r);
    deja_entry *e = look(c, "one");
    assert_out(e, "hello");
    assert_stored(c, &e->err, "oops", 4);
    assert_int_equal(e->exit_status, 3);
    deja_entry_free(e);
    deja_cache_close(c);
}

static void test_result__outputs_are_kept_with_mode_and_kind(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    write_file("small", "s", 1, 0640);
    write_file("empty", "", 0, 0755);
    write_file("large", data, BIG_BYTES, 0400);
    assert_int_equal(symlink("where/to", "link"), 0);
    deja_output outputs[] = {{.name = "s", .path = "small"},
                             {.name = "", .path = "empty"},
                             {.name = "l", .path = "large"},
                             {.name = "k", .path = "link"}};
    deja_result r = result_of("one", "");
    r.outputs = outputs;
    r.output_count = 4;
    assert_int_equal(keep(c, &r), 0);
    assert_int_equal(outputs[0].stored.content.size, 1);
    assert_int_equal(outputs[3].stored.content.kind, DEJA_CONTENT_LINK);
    deja_result_done(&r);
    deja_entry *e = look(c, "one");
    assert_int_equal(e->output_count, 4);
    assert_string_equal(e->outputs[0].name, "s");
    assert_string_equal(e->outputs[0].path, "small");
    assert_int_equal(e->outputs[0].mode, 0640);
    assert_stored(c, &e->outputs[0].stored, "s", 1);
    assert_int_equal(e->outputs[1].mode, 0755);
    assert_stored(c, &e->outputs[1].stored, "", 0);
    assert_int_equal(e->outputs[2].mode, 0400);
    assert_int_equal(e->outputs[2].stored.where, DEJA_STORED_BLOB);
    assert_stored(c, &e->outputs[2].stored, data, BIG_BYTES);
    assert_stored(c, &e->outputs[3].stored, "where/to", 8);
    assert_int_equal(e->outputs[3].stored.content.kind, DEJA_CONTENT_LINK);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
}

static void test_result__missing_and_odd_outputs_are_named(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_output o = {.name = "", .path = "nowhere/file"};
    deja_result r = result_of("one", "");
    r.outputs = &o;
    r.output_count = 1;
    assert_int_equal(seal(c, &r), DEJA_ENOTFOUND);
    assert_non_null(strstr(r.step.error.text, "'nowhere/file'"));
    assert_int_equal(mkdir("folder", 0700), 0);
    o.path = "folder";
    assert_int_equal(seal(c, &r), DEJA_ETYPE);
    assert_non_null(strstr(r.step.error.text, "a folder"));
    assert_int_equal(mkfifo("fifo", 0600), 0);
    o.path = "fifo";
    assert_int_equal(seal(c, &r), DEJA_ETYPE);
    deja_result_done(&r);
    deja_result never = {0};
    deja_result_done(&never);
    assert_int_equal(deja_result_commit_begin(c, &never), 1);
    assert_int_equal(never.step.status, DEJA_EINVAL);
    deja_cache_close(c);
}

static void test_result__large_standard_output_becomes_a_blob(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    int stage = deja_cache_stage(c, NULL), memory = memfd_create("out", MFD_CLOEXEC), named;
    write_file("named", data, BIG_BYTES - 3, 0600);
    named = open("named", O_RDONLY | O_CLOEXEC);
    assert_int_equal(write(stage, data, BIG_BYTES), BIG_BYTES);
    assert_int_equal(write(memory, data + 1, BIG_BYTES - 1), BIG_BYTES - 1);
    const deja_payload from[] = {{.fd = stage}, {.fd = memory}, {.fd = named}, {data, BIG_BYTES - 2, -1}};
    static const size_t lens[] = {BIG_BYTES, BIG_BYTES - 1, BIG_BYTES - 3, BIG_BYTES - 2};
    static const char *const names[] = {"stage", "memory", "named", "data"};
    for (int i = 0; i < 4; i++) {
        deja_result r = result_of(names[i], "");
        r.out = from[i];
        assert_int_equal(keep(c, &r), 0);
        assert_int_equal(r.out_content.size, lens[i]);
        deja_result_done(&r);
    }
    for (int i = 0; i < 4; i++) {
        deja_entry *e = look(c, names[i]);
        assert_int_equal(e->out.where, DEJA_STORED_BLOB);
        assert_stored(c, &e->out, i == 1 ? data + 1 : data, lens[i]);
        deja_entry_free(e);
    }
    struct stat st;
    assert_int_equal(fstat(stage, &st), 0);
    assert_int_equal(st.st_nlink, 1); /* the stage itself became the blob */
    assert_int_equal(fstat(named, &st), 0);
    assert_int_equal(st.st_nlink, 1); /* a file with a name did not */
    assert_int_equal(st.st_mode & 0777, 0600);
    close(stage), close(memory), close(named);
    deja_free(data);
    deja_cache_close(c);
}

static void test_result__a_small_stage_goes_into_the_row(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_result r = result_of("one", "");
    int fd = deja_cache_stage(c, NULL);
    assert_int_equal(write(fd, "tiny", 4), 4);
    r.out = (deja_payload){.fd = fd};
    assert_int_equal(deja_result_seal_begin(c, &r), 1);
    assert_int_equal(commit(c, &r), 0);
    deja_result_done(&r);
    close(fd);
    deja_entry *e = look(c, "one");
    assert_out(e, "tiny");
    deja_entry_free(e);
    deja_cache_close(c);
}

static void test_result__a_changed_input_is_named(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    write_file("a", "1", 1, 0600);
    write_file("b", "1", 1, 0600);
    deja_digest_item inputs[3] = {{.path = "a"}, {.path = "b"}, {.path = "missing"}};
    deja_digest d = {.root_fd = AT_FDCWD, .items = inputs, .count = 3};
    assert_int_equal(wait_step(c, &d.step, deja_digest_begin(c, &d)), 0);
    deja_result r = result_of("one", "");
    r.inputs = inputs;
    r.input_count = 3;
    assert_int_equal(seal(c, &r), 0);
    assert_null(r.changed_input);
    write_file("b", "2", 1, 0600);
    assert_int_equal(seal(c, &r), 0);
    assert_ptr_equal(r.changed_input, inputs[1].path);
    write_file("b", "1", 1, 0600); /* who knows what was read in between */
    assert_int_equal(seal(c, &r), 0);
    assert_ptr_equal(r.changed_input, inputs[1].path);
    assert_int_equal(wait_step(c, &d.step, deja_digest_begin(c, &d)), 0);
    assert_int_equal(seal(c, &r), 0);
    assert_null(r.changed_input);
    write_file("missing", "", 0, 0600);
    assert_int_equal(seal(c, &r), 0);
    assert_ptr_equal(r.changed_input, inputs[2].path);
    deja_result_done(&r);
    deja_cache_close(c);
}

/* That it cannot be looked at says nothing of the input: it is told as what it is. */
static void test_result__trouble_with_looking_is_no_change(void **state)
{
    (void)state;
    deja_error err;
    struct rlimit limit, none;
    deja_cache *c = open_cache("cache");
    write_file("a", "1", 1, 0600); /* so young that it is read again */
    deja_digest_item input = {.path = "a"};
    deja_digest d = {.root_fd = AT_FDCWD, .items = &input, .count = 1};
    assert_int_equal(wait_step(c, &d.step, deja_digest_begin(c, &d)), 0);
    deja_result r = result_of("one", "");
    r.inputs = &input;
    r.input_count = 1;
    assert_int_equal(deja_result_check_inputs(&r, &err), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int sealed = seal(c, &r);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(sealed, 0);
    assert_ptr_equal(r.changed_input, input.path);
    assert_int_equal(r.input_errno, EMFILE);
    assert_int_equal(deja_result_check_inputs(&r, &err), DEJA_ERESOURCE);
    assert_string_equal(err.text, "look at file 'a' again: Too many open files");
    assert_int_equal(seal(c, &r), 0);
    assert_null(r.changed_input);
    write_file("a", "2", 1, 0600);
    assert_int_equal(seal(c, &r), 0);
    assert_int_equal(r.input_errno, 0);
    assert_int_equal(deja_result_check_inputs(&r, &err), DEJA_ECHANGED);
    deja_result_done(&r);
    deja_cache_close(c);
}

static void test_result__recorded_outputs_are_hashes_only(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    deja_cache_numbers n;
    write_file("large", data, BIG_BYTES, 0600);
    deja_output o = {.name = "", .path = "large"};
    deja_result r = result_of("one", "out");
    r.outputs = &o;
    r.output_count = 1;
    r.flags = DEJA_RESULT_RECORD;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_entry *e = look(c, "one");
    deja_hash hash = deja_hash_bytes(data, BIG_BYTES);
    assert_out(e, "out");
    assert_int_equal(e->outputs[0].stored.where, DEJA_STORED_RECORD);
    assert_true(deja_hash_equal(&e->outputs[0].stored.content.hash, &hash));
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.blobs, 0);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
}

static void test_result__that_is_not_to_be_kept_is_looked_at(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    write_file("o", "x", 1, 0600);
    deja_output o = {.name = "", .path = "o"};
    deja_result r = result_of("one", "out");
    deja_hash hash = deja_hash_bytes("out", 3);
    r.outputs = &o;
    r.output_count = 1;
    r.flags = DEJA_RESULT_NO_KEEP;
    assert_int_equal(seal(c, &r), 0);
    assert_true(deja_hash_equal(&r.out_content.hash, &hash));
    assert_int_equal(o.stored.content.size, 1);
    assert_int_equal(commit(c, &r), DEJA_EINVAL);
    deja_result_done(&r);
    int fd = memfd_create("out", MFD_CLOEXEC);
    assert_int_equal(write(fd, "out", 3), 3);
    r.out = (deja_payload){.fd = fd};
    assert_int_equal(seal(c, &r), 0);
    assert_true(deja_hash_equal(&r.out_content.hash, &hash));
    close(fd);
    deja_result_done(&r);
    assert_null(look(c, "one"));
    deja_cache_close(c);
}

static void test_result__two_outputs_of_one_content_share_a_blob(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    deja_cache_numbers n;
    write_file("x", data, BIG_BYTES, 0600);
    write_file("y", data, BIG_BYTES, 0600);
    deja_output o[2] = {{.name = "", .path = "x"}, {.name = "", .path = "y"}};
    deja_result r = result_of("one", "");
    r.outputs = o;
    r.output_count = 2;
    for (int i = 0; i < 2; i++) { /* replacing by the same must not lose it */
        assert_int_equal(keep(c, &r), 0);
        deja_result_done(&r);
    }
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.blobs, 1);
    deja_entry *e = look(c, "one");
    assert_stored(c, &e->outputs[1].stored, data, BIG_BYTES);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
}

/* ---- discovered inputs ---- */

static int64_t ctime_ns(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec;
}

/* What a seal says of "seen" when the job began at `since_ns`. */
static const char *changed_since(deja_cache *c, uint32_t flags, int64_t since_ns)
{
    deja_digest_item item = {.path = "seen", .flags = flags};
    deja_result r = result_of("key", "out");
    r.flags = DEJA_RESULT_DISCOVERED;
    r.discovered = &item;
    r.discovered_count = 1;
    r.since_ns = since_ns;
    assert_int_equal(seal(c, &r), 0);
    const char *changed = r.changed_input;
    assert_int_equal(item.flags, 0); /* it is kept, and says nothing about the next run */
    deja_result_done(&r);
    return changed;
}

/* Stamped in the tick in which the job began it may have changed afterwards; but what a job made that ended
 * before did not. */
static void test_result__discovered_inputs_are_older_than_the_run(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    write_file("seen", "seen", 4, 0600);
    int64_t at = ctime_ns("seen"), tick = 10000000;
    assert_null(changed_since(c, 0, at + 1));
    assert_string_equal(changed_since(c, 0, at), "seen");
    assert_string_equal(changed_since(c, 0, at - tick), "seen");
    assert_null(changed_since(c, DEJA_DIGEST_MADE, at));
    assert_null(changed_since(c, DEJA_DIGEST_MADE, at - tick + 1));
    assert_string_equal(changed_since(c, DEJA_DIGEST_MADE, at - tick), "seen");
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, "seen", old, 0), 0); /* times set back are new stat data */
    assert_string_equal(changed_since(c, 0, at), "seen");
    assert_int_equal(unlink("seen"), 0);
    assert_string_equal(changed_since(c, 0, INT64_MAX), "seen"); /* it cannot be told what it was */
    deja_cache_close(c);
}

/* The file is old, and was not there: the way to it was switched under the job. */
static void test_result__the_way_to_discovered_inputs_is_older_than_the_run(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    assert_int_equal(mkdir("v1", 0700), 0);
    write_file("v1/seen", "seen", 4, 0600);
    assert_int_equal(symlink("v1", "inc"), 0);
    deja_digest_item item = {.path = "inc/seen"};
    deja_result r = result_of("key", "out");
    r.flags = DEJA_RESULT_DISCOVERED;
    r.discovered = &item;
    r.discovered_count = 1;
    struct stat st;
    assert_int_equal(lstat("inc", &st), 0);
    int64_t linked = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec;
    for (int64_t later = 1; later >= 0; later--) {
        while (ctime_ns("v1/seen") >= linked) { /* the link has to be the younger one */
            assert_int_equal(unlink("inc"), 0);
            assert_int_equal(symlink("v1", "inc"), 0);
            assert_int_equal(lstat("inc", &st), 0);
            linked = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec;
        }
        r.since_ns = linked + later;
        assert_int_equal(seal(c, &r), 0);
        assert_int_equal(r.changed_input != NULL, !later);
        deja_result_done(&r);
    }
    deja_cache_close(c);
}

static void test_result__a_discovered_input_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    assert_int_equal(mkdir("seen", 0700), 0);
    deja_digest_item item = {.path = "seen"};
    deja_result r = result_of("key", "out");
    r.flags = DEJA_RESULT_DISCOVERED;
    r.discovered = &item;
    r.discovered_count = 1;
    assert_int_not_equal(seal(c, &r), 0);
    assert_non_null(strstr(r.step.error.text, "look at 'seen', which it read"));
    deja_result_done(&r);
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_result__small_and_without_outputs_is_sealed_at_once),
        CASE(test_result__outputs_are_kept_with_mode_and_kind),
        CASE(test_result__missing_and_odd_outputs_are_named),
        CASE(test_result__large_standard_output_becomes_a_blob),
        CASE(test_result__a_small_stage_goes_into_the_row),
        CASE(test_result__a_changed_input_is_named),
        CASE(test_result__trouble_with_looking_is_no_change),
        CASE(test_result__recorded_outputs_are_hashes_only),
        CASE(test_result__that_is_not_to_be_kept_is_looked_at),
        CASE(test_result__two_outputs_of_one_content_share_a_blob),
        CASE(test_result__discovered_inputs_are_older_than_the_run),
        CASE(test_result__the_way_to_discovered_inputs_is_older_than_the_run),
        CASE(test_result__a_discovered_input_that_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
