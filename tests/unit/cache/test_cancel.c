/*
 * Canceling: what reads or copies 100 GB ends at once, nothing of it is kept or remembered, and what is not
 * meant goes on.
 */
#include "blob.h"
#include "digest.h"
#include "state.h"
#include "store_fixture.h"

#include "scratch.h"

#include <dirent.h>

#define HUGE_BYTES ((uint64_t)100 << 30)
#define LONG_BYTES (STEP_LONG_BYTES + 1)

static int64_t wall_ahead(void *context)
{
    (void)context;
    return deja_wall_ns(NULL) + 3600 * DEJA_S_NS;
}

/* With a clock by which every file is old enough to be remembered. */
static deja_cache *open_ahead(void)
{
    static const deja_clock ahead = {.wall_ns = wall_ahead};
    deja_cache_options options = {.size = sizeof options, .folder = "cache", .helpers = 2, .clock = &ahead};
    deja_cache *c = NULL;
    assert_int_equal(deja_cache_open(&c, &options, NULL), 0);
    return c;
}

static void make_sparse(const char *path, uint64_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    close(fd);
}

static int is_open(const struct stat *wanted)
{
    int found = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat st;
        found |= fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && st.st_dev == wanted->st_dev &&
                 st.st_ino == wanted->st_ino;
    }
    closedir(dir);
    return found;
}

/* Until a helper is at this file. */
static void wait_until_open(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    while (!is_open(&st))
        usleep(1000);
}

static void assert_canceled(deja_cache *c, deja_step *step, const char *path, unsigned what)
{
    wait_until_open(path);
    deja_cache_cancel(c, what);
    assert_int_equal(wait_step(c, step, 0), DEJA_ECANCELED);
    assert_int_equal(step->error.code, DEJA_ECANCELED);
    assert_non_null(strstr(step->error.text, "canceled"));
    deja_cache_cancel(c, 0);
}

static int is_remembered(deja_cache *c, const char *path)
{
    deja_digest_item item = {.path = path};
    return digest_remembered(c->statmem, AT_FDCWD, &item, NULL);
}

static void test_cancel__digests_under_way_and_waiting_end(void **state)
{
    (void)state;
    enum { N = 4 };
    deja_cache *c = open_ahead();
    deja_digest_item items[N][2];
    deja_digest d[N];
    make_sparse("huge", HUGE_BYTES);
    write_file("small", "s", 1, 0600);
    write_file("known", "k", 1, 0600);
    deja_digest_item known = {.path = "known"};
    digest_item(c->statmem, AT_FDCWD, &known, NULL);
    assert_int_equal(is_remembered(c, "known"), 1);
    for (int i = 0; i < N; i++) {
        items[i][0] = (deja_digest_item){.path = "huge"};
        items[i][1] = (deja_digest_item){.path = i ? "small" : "known"};
        d[i] = (deja_digest){.root_fd = AT_FDCWD, .items = items[i], .count = 2};
        assert_int_equal(deja_digest_begin(c, &d[i]), 0);
    }
    wait_until_open("huge");
    deja_cache_cancel(c, DEJA_CANCEL_DIGESTS);
    for (int finished = 0; finished < N;) {
        struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
        assert_int_equal(poll(&p, 1, 20000), 1);
        for (deja_step *s; (s = deja_cache_next(c)); finished++)
            assert_int_equal(s->status, DEJA_ECANCELED);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(items[i][0].sys_errno, ECANCELED);
        assert_int_equal(items[i][0].content.kind, DEJA_CONTENT_ABSENT);
        assert_int_equal(items[i][1].sys_errno, i ? ECANCELED : 0);
    }
    assert_int_equal(is_remembered(c, "huge"), 0);
    assert_int_equal(is_remembered(c, "small"), 0);
    deja_cache_close(c);
}

static void test_cancel__digests_begun_later_end_until_it_is_taken_back(void **state)
{
    (void)state;
    deja_cache *c = open_ahead();
    deja_digest_item item = {.path = "f"};
    deja_digest d = {.root_fd = AT_FDCWD, .items = &item, .count = 1};
    write_file("f", "x", 1, 0600);
    deja_cache_cancel(c, DEJA_CANCEL_DIGESTS);
    assert_int_equal(wait_step(c, &d.step, deja_digest_begin(c, &d)), DEJA_ECANCELED);
    deja_cache_cancel(c, 0);
    assert_int_equal(wait_step(c, &d.step, deja_digest_begin(c, &d)), 0);
    assert_int_equal(item.sys_errno, 0);
    deja_cache_cancel(c, DEJA_CANCEL_DIGESTS);
    assert_int_equal(wait_step(c, &d.step, deja_digest_begin(c, &d)), 0); /* from memory */
    assert_int_equal(item.content.size, 1);
    deja_cache_close(c);
}

static void test_cancel__without_the_digests_all_else_goes_on(void **state)
{
    (void)state;
    deja_cache *c = open_ahead();
    deja_output o = {.name = "", .path = "o"};
    deja_digest_item input = {.path = "i"};
    uint8_t restored = 9;
    make_sparse("o", LONG_BYTES);
    make_sparse("i", LONG_BYTES);
    digest_item(c->statmem, AT_FDCWD, &input, NULL);
    deja_cache_cancel(c, DEJA_CANCEL_DIGESTS);
    deja_result r = result_of("one", "");
    r.outputs = &o;
    r.output_count = 1;
    r.inputs = &input;
    r.input_count = 1;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    assert_int_equal(unlink("o"), 0);
    deja_entry *e = look(c, "one");
    deja_restore back = {.entry = e, .root_fd = AT_FDCWD, .results = &restored};
    assert_int_equal(wait_step(c, &back.step, deja_restore_begin(c, &back)), 0);
    assert_int_equal(restored, DEJA_RESTORED_MADE);
    assert_int_equal(access("o", F_OK), 0);
    deja_entry_free(e);
    deja_cache_close(c);
}

static void test_cancel__seals_end(void **state)
{
    (void)state;
    deja_cache *c = open_ahead();
    static const uint32_t flags[] = {0, DEJA_RESULT_RECORD, DEJA_RESULT_NO_KEEP};
    make_sparse("huge", HUGE_BYTES);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        deja_output o = {.name = "", .path = "huge"};
        deja_result r = result_of("one", "");
        r.outputs = &o;
        r.output_count = 1;
        r.flags = flags[i];
        assert_int_equal(deja_result_seal_begin(c, &r), 0);
        assert_canceled(c, &r.step, "huge", DEJA_CANCEL_ALL);
        deja_result_done(&r);
        assert_int_equal(is_remembered(c, "huge"), 0);
    }
    deja_cache_close(c);
}

/* It was not changed: nobody knows. */
static void test_cancel__a_seal_that_looks_at_an_input_again_ends(void **state)
{
    (void)state;
    deja_cache *c = open_ahead();
    make_sparse("huge", HUGE_BYTES);
    deja_digest_item input = {.path = "huge"};
    deja_result r = result_of("one", "");
    r.inputs = &input;
    r.input_count = 1;
    assert_int_equal(deja_result_seal_begin(c, &r), 0);
    assert_canceled(c, &r.step, "huge", DEJA_CANCEL_ALL);
    assert_null(r.changed_input);
    deja_result_done(&r);
    deja_cache_close(c);
}

static void test_cancel__a_sealed_result_is_committed(void **state)
{
    (void)state;
    deja_cache *c = open_ahead();
    char *data = big(1);
    deja_result r = result_of("one", "");
    r.out = (deja_payload){data, BIG_BYTES, -1};
    assert_int_equal(wait_step(c, &r.step, deja_result_seal_begin(c, &r)), 0);
    deja_cache_cancel(c, DEJA_CANCEL_ALL);
    assert_int_equal(wait_step(c, &r.step, deja_result_commit_begin(c, &r)), 0);
    deja_result_done(&r);
    deja_entry *e = look(c, "one");
    assert_non_null(e);
    int fd = deja_cache_open_stored(c, &e->out, NULL);
    assert_true(fd >= 0);
    close(fd);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
}

/* An entry with one output of which the hash is wrong. */
static void make_huge_entry(deja_entry *e, deja_output *o)
{
    *o = (deja_output){.name = "", .path = "huge", .mode = 0600};
    o->stored.content = (deja_content){DEJA_CONTENT_FILE, key_of("x"), HUGE_BYTES};
    o->stored.where = DEJA_STORED_BLOB;
    *e = (deja_entry){.label = "one", .outputs = o, .output_count = 1};
}

static void test_cancel__restores_end_and_what_was_there_stays(void **state)
{
    (void)state;
    deja_cache *c = open_ahead();
    deja_entry e;
    deja_output o;
    uint8_t result = 9;
    make_huge_entry(&e, &o);
    make_sparse("huge", HUGE_BYTES);
    deja_restore r = {.entry = &e, .root_fd = AT_FDCWD, .results = &result};
    assert_int_equal(deja_restore_begin(c, &r), 0);
    assert_canceled(c, &r.step, "huge", DEJA_CANCEL_ALL);
    assert_int_equal(access("huge", F_OK), 0);
    assert_int_equal(is_remembered(c, "huge"), 0);
    deja_cache_close(c);
}

static void test_cancel__a_blob_that_was_not_read_to_its_end_is_no_damage(void **state)
{
    (void)state;
    deja_cache *c = open_ahead();
    deja_entry e;
    deja_output o;
    char blob[BLOB_PATH], path[BLOB_PATH + 16], folder[32];
    uint8_t result = 9;
    make_huge_entry(&e, &o);
    blob_path(&o.stored.content.hash, blob);
    snprintf(path, sizeof path, "cache/%s", blob);
    snprintf(folder, sizeof folder, "%.14s", path);
    assert_int_equal(mkdir(folder, 0700), 0);
    make_sparse(path, HUGE_BYTES);
    deja_restore r = {.entry = &e, .root_fd = AT_FDCWD, .results = &result};
    assert_int_equal(deja_restore_begin(c, &r), 0);
    assert_canceled(c, &r.step, path, DEJA_CANCEL_ALL);
    assert_warning(c, NULL);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(access("huge", F_OK), -1);
    deja_cache_close(c);
}

static void test_cancel__a_restore_begun_later_makes_nothing(void **state)
{
    (void)state;
    deja_cache *c = open_ahead();
    deja_output o[] = {{.name = "", .path = "small"}, {.name = "", .path = "large"}};
    uint8_t results[2];
    write_file("small", "s", 1, 0600);
    make_sparse("large", LONG_BYTES);
    deja_result kept = result_of("one", "");
    kept.outputs = o;
    kept.output_count = 2;
    assert_int_equal(keep(c, &kept), 0);
    deja_result_done(&kept);
    assert_int_equal(unlink("small") | unlink("large"), 0);
    deja_entry *e = look(c, "one");
    deja_restore r = {.entry = e, .root_fd = AT_FDCWD, .results = results};
    deja_cache_cancel(c, DEJA_CANCEL_ALL);
    assert_int_equal(wait_step(c, &r.step, deja_restore_begin(c, &r)), DEJA_ECANCELED);
    assert_int_equal(access("small", F_OK), -1);
    assert_int_equal(access("large", F_OK), -1);
    deja_cache_cancel(c, 0);
    assert_int_equal(wait_step(c, &r.step, deja_restore_begin(c, &r)), 0);
    assert_int_equal(access("small", F_OK) | access("large", F_OK), 0);
    deja_entry_free(e);
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_cancel__digests_under_way_and_waiting_end),
        CASE(test_cancel__digests_begun_later_end_until_it_is_taken_back),
        CASE(test_cancel__without_the_digests_all_else_goes_on),
        CASE(test_cancel__seals_end),
        CASE(test_cancel__a_seal_that_looks_at_an_input_again_ends),
        CASE(test_cancel__a_sealed_result_is_committed),
        CASE(test_cancel__restores_end_and_what_was_there_stays),
        CASE(test_cancel__a_blob_that_was_not_read_to_its_end_is_no_damage),
        CASE(test_cancel__a_restore_begun_later_makes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
