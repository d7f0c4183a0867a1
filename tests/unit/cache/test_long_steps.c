/*
 * What is long stays out of the way: with all helpers for long steps held at a gate, small files are hashed,
 * small results sealed, committed and restored, and large ones wait.
 */
#include "store_fixture.h"

#include "scratch.h"
#include "state.h"

#include <semaphore.h>

#define HELPERS    3
#define LONG_BYTES (STEP_LONG_BYTES + 1)
/* Too much to be done at once in the caller, and still short. */
#define SHORT_BYTES (STEP_LONG_BYTES / 2)

typedef struct held {
    deja_step step;
    int passes; /* does not stop at the gate */
    uint64_t bytes;
} held;

static sem_t gate;
static held holds[HELPERS];
static atomic_int inside; /* helpers at the gate */

static void hold(deja_cache *c, deja_step *step)
{
    held *h = (held *)step;
    if (steps_put_off(c->steps, step, h->bytes))
        return;
    atomic_fetch_add(&inside, !h->passes);
    while (!h->passes && sem_wait(&gate))
        assert_int_equal(errno, EINTR);
    steps_finish(c->steps, step);
}

/* From here on `count` helpers are busy. */
static void hold_helpers(deja_cache *c, int count, uint64_t bytes)
{
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    atomic_store(&inside, 0);
    for (int i = 0; i < count; i++) {
        holds[i] = (held){.bytes = bytes};
        assert_int_equal(steps_begin(c->steps, &holds[i].step, hold), 0);
    }
    while (atomic_load(&inside) < count)
        usleep(1000);
}

static deja_step *wait_any(deja_cache *c)
{
    struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
    return deja_cache_next(c);
}

/* Lets them go, and waits until they and `late` are finished. */
static void release_helpers(deja_cache *c, int count, const deja_step *late)
{
    int seen = 0;
    for (int i = 0; i < count; i++)
        assert_int_equal(sem_post(&gate), 0);
    for (int i = 0; i < count + (late != NULL); i++)
        seen += wait_any(c) == late;
    assert_int_equal(seen, late != NULL);
    sem_destroy(&gate);
}

static deja_cache *open_with_helpers(void)
{
    deja_cache_options options = {.size = sizeof options, .folder = "cache", .helpers = HELPERS};
    deja_cache *c = NULL;
    assert_int_equal(deja_cache_open(&c, &options, NULL), 0);
    return c;
}

static void make_file(const char *path, uint64_t bytes)
{
    char *data = deja_calloc(1, bytes);
    assert_non_null(data);
    memcpy(data, path, strlen(path));
    write_file(path, data, bytes, 0600);
    deja_free(data);
}

static void test_long_steps__small_files_are_hashed_meanwhile(void **state)
{
    (void)state;
    deja_cache *c = open_with_helpers();
    make_file("large", LONG_BYTES);
    make_file("small", SHORT_BYTES);
    deja_digest_item items[] = {{.path = "large"}, {.path = "small"}};
    deja_digest large = {.root_fd = AT_FDCWD, .items = &items[0], .count = 1};
    deja_digest small = {.root_fd = AT_FDCWD, .items = &items[1], .count = 1};
    hold_helpers(c, HELPERS - 1, LONG_BYTES);
    assert_int_equal(deja_digest_begin(c, &large), 0);
    assert_int_equal(deja_digest_begin(c, &small), 0);
    assert_ptr_equal(wait_any(c), &small.step);
    release_helpers(c, HELPERS - 1, &large.step);
    assert_int_equal(items[0].content.size, LONG_BYTES);
    assert_int_equal(items[1].content.size, SHORT_BYTES);
    deja_cache_close(c);
}

static void test_long_steps__many_small_files_are_long(void **state)
{
    (void)state;
    enum { N = 300 };
    static char names[N][8];
    static deja_digest_item items[N], one;
    deja_cache *c = open_with_helpers();
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "f%d", i);
        write_file(names[i], "x", 1, 0600);
        items[i].path = names[i];
    }
    make_file("small", SHORT_BYTES);
    one.path = "small";
    deja_digest many = {.root_fd = AT_FDCWD, .items = items, .count = N};
    deja_digest small = {.root_fd = AT_FDCWD, .items = &one, .count = 1};
    hold_helpers(c, HELPERS - 1, LONG_BYTES);
    assert_int_equal(deja_digest_begin(c, &many), 0);
    assert_int_equal(deja_digest_begin(c, &small), 0);
    assert_ptr_equal(wait_any(c), &small.step);
    release_helpers(c, HELPERS - 1, &many.step);
    deja_cache_close(c);
}

static deja_result result_with(const char *encoding, deja_output *o)
{
    deja_result r = result_of(encoding, "");
    r.outputs = o;
    r.output_count = 1;
    return r;
}

static void test_long_steps__small_results_are_kept_and_restored_meanwhile(void **state)
{
    (void)state;
    deja_cache *c = open_with_helpers();
    deja_output o[] = {{.name = "", .path = "large"}, {.name = "", .path = "small"}};
    uint8_t results[2] = {9, 9};
    make_file("large", LONG_BYTES);
    make_file("small", SHORT_BYTES);
    deja_result large = result_with("one", &o[0]), small = result_with("two", &o[1]);
    deja_cache_hurry(c);

    hold_helpers(c, HELPERS - 1, LONG_BYTES);
    assert_int_equal(deja_result_seal_begin(c, &large), 0);
    assert_int_equal(deja_result_seal_begin(c, &small), 0);
    assert_ptr_equal(wait_any(c), &small.step);
    release_helpers(c, HELPERS - 1, &large.step);

    hold_helpers(c, HELPERS - 1, LONG_BYTES);
    assert_int_equal(deja_result_commit_begin(c, &large), 0);
    assert_int_equal(deja_result_commit_begin(c, &small), 0);
    assert_ptr_equal(wait_any(c), &small.step);
    release_helpers(c, HELPERS - 1, &large.step);
    assert_int_equal(large.step.status | small.step.status, 0);
    deja_result_done(&large);
    deja_result_done(&small);

    deja_entry *one = look(c, "one"), *two = look(c, "two");
    deja_restore first = {.entry = one, .root_fd = AT_FDCWD, .results = &results[0]};
    deja_restore second = {.entry = two, .root_fd = AT_FDCWD, .results = &results[1]};
    assert_int_equal(unlink("large") | unlink("small"), 0);
    hold_helpers(c, HELPERS - 1, LONG_BYTES);
    assert_int_equal(deja_restore_begin(c, &first), 0);
    assert_int_equal(deja_restore_begin(c, &second), 0);
    assert_ptr_equal(wait_any(c), &second.step);
    release_helpers(c, HELPERS - 1, &first.step);
    assert_int_equal(first.step.status | second.step.status, 0);
    assert_int_equal(results[0] | results[1], DEJA_RESTORED_MADE);
    deja_entry_free(one);
    deja_entry_free(two);
    deja_cache_close(c);
}

/* An input that was read when it was young has to be read again after the run. */
static void test_long_steps__a_large_input_to_be_read_again_is_long(void **state)
{
    (void)state;
    deja_cache *c = open_with_helpers();
    make_file("large", LONG_BYTES);
    deja_digest_item item = {.path = "large"};
    deja_digest d = {.root_fd = AT_FDCWD, .items = &item, .count = 1};
    assert_int_equal(wait_step(c, &d.step, deja_digest_begin(c, &d)), 0);
    deja_result r = result_of("one", "x");
    r.inputs = &item;
    r.input_count = 1;
    held small = {.passes = 1};
    hold_helpers(c, HELPERS - 1, LONG_BYTES);
    assert_int_equal(deja_result_seal_begin(c, &r), 0);
    assert_int_equal(steps_begin(c->steps, &small.step, hold), 0);
    assert_ptr_equal(wait_any(c), &small.step);
    release_helpers(c, HELPERS - 1, &r.step);
    assert_int_equal(r.step.status, 0);
    assert_null(r.changed_input);
    deja_result_done(&r);
    deja_cache_close(c);
}

static void test_long_steps__a_result_without_blobs_needs_no_helper(void **state)
{
    (void)state;
    deja_cache *c = open_with_helpers();
    deja_result r = result_of("one", "hello");
    assert_int_equal(deja_result_seal_begin(c, &r), 1);
    hold_helpers(c, HELPERS, 0);
    assert_int_equal(deja_result_commit_begin(c, &r), 0);
    assert_ptr_equal(wait_any(c), &r.step);
    assert_int_equal(r.step.status, 0);
    release_helpers(c, HELPERS, NULL);
    deja_result_done(&r);
    deja_entry *e = look(c, "one");
    assert_out(e, "hello");
    deja_entry_free(e);
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_long_steps__small_files_are_hashed_meanwhile),
        CASE(test_long_steps__many_small_files_are_long),
        CASE(test_long_steps__small_results_are_kept_and_restored_meanwhile),
        CASE(test_long_steps__a_large_input_to_be_read_again_is_long),
        CASE(test_long_steps__a_result_without_blobs_needs_no_helper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
