/* Why a job would run: jobs/why.h. */
#include "batch_fixture.h"
#include "why.h"
#include <deja/key.h>

static const char text[] = "version: 1\n"
                           "jobs:\n"
                           "  a: {matrix: {n: [1, 2, 9]}, run: \"echo ${{ n }}\"}\n"
                           "  always: {run: echo b, cache: false}\n";

typedef struct world {
    batch *batch;
    history *history;
    why why;
    deja_key now;
    deja_buffer text;
} world;

static void reopen(world *w)
{
    const history_options o = {.folder = "runs", .batch = w->batch};
    if (w->history)
        assert_int_equal(history_finish(w->history, NULL), 0);
    history_close(w->history);
    assert_int_equal(history_open(&w->history, &o, NULL), 0);
}

static world begin(void)
{
    world w = {.batch = load(text)};
    assert_int_equal(batch_expand(w.batch, &w.batch->jobs[0], NULL), 0);
    assert_int_equal(batch_expand(w.batch, &w.batch->jobs[1], NULL), 0);
    assert_int_equal(mkdir("runs", 0700), 0);
    reopen(&w);
    return w;
}

static void end(world *w)
{
    why_done(&w->why);
    history_close(w->history);
    deja_key_done(&w->now);
    deja_buffer_done(&w->text);
    batch_free(w->batch);
}

/* An event of instance `index` of job 0 whose key has this version and this variable. */
static flow_event event(world *w, flow_event_kind kind, uint32_t index, const char *version,
                        const char *value)
{
    deja_hash key;
    deja_key_begin(&w->now, "command");
    deja_key_add_string(&w->now, DEJA_FIELD_VERSION, "", version);
    deja_key_add_string(&w->now, DEJA_FIELD_ENV, "V", value);
    assert_int_equal(deja_key_finish(&w->now, &key), 0);
    return (flow_event){.kind = kind,
                        .def = &w->batch->jobs[0],
                        .index = index,
                        .name = "a",
                        .keyed = 1,
                        .key = key,
                        .encoding = w->now.bytes.data,
                        .encoding_len = w->now.bytes.len};
}

static void ran(world *w, flow_event_kind kind, uint32_t index, const char *version, const char *value,
                int kept)
{
    flow_event e = event(w, kind, index, version, value);
    e.kept = kept;
    e.exit_status = kind == FLOW_FAILED ? 4 : 0;
    history_note(w->history, &e, "20260101-000000.000-1");
    reopen(w);
}

/* Why instance `index` would run with such a key, in a few words. */
static const char *asked(world *w, uint32_t index, const char *version, const char *value, why_kind expected)
{
    const why_options o = {.history = w->history};
    flow_event e = event(w, FLOW_WOULD_RUN, index, version, value);
    why_find(&w->why, &o, &e);
    assert_int_equal(w->why.kind, expected);
    deja_buffer_clear(&w->text);
    why_short(&w->text, &w->why);
    return deja_buffer_string(&w->text);
}

static void test_why__what_needs_no_history(void **state)
{
    (void)state;
    world w = begin();
    const why_options all = {.history = w.history}, forced = {.history = w.history, .always = "--force"};
    flow_event e = event(&w, FLOW_WOULD_HIT, 0, "1", "x");
    why_find(&w.why, &all, &e);
    assert_int_equal(w.why.kind, WHY_ANSWERED);
    e.kind = FLOW_WOULD_RUN;
    why_find(&w.why, &all, &e);
    assert_int_equal(w.why.kind, WHY_NEVER);
    why_find(&w.why, &forced, &e);
    assert_int_equal(w.why.kind, WHY_ALWAYS);
    assert_string_equal(w.why.text, "--force");
    e.reason = "depends on 'b'";
    why_find(&w.why, &forced, &e);
    assert_int_equal(w.why.kind, WHY_DEPENDS);
    e = (flow_event){.kind = FLOW_WOULD_RUN, .def = &w.batch->jobs[1], .name = "always"};
    why_find(&w.why, &forced, &e);
    assert_int_equal(w.why.kind, WHY_UNCACHED);
    e.def = &w.batch->jobs[0];
    why_find(&w.why, &all, &e);
    assert_int_equal(w.why.kind, WHY_NO_KEY);
    end(&w);
}

static void test_why__the_same_key_failed_was_kept_or_not(void **state)
{
    (void)state;
    world w = begin();
    ran(&w, FLOW_FINISHED, 0, "1", "x", 1);
    asked(&w, 0, "1", "x", WHY_FORGOTTEN);
    ran(&w, FLOW_FAILED, 0, "1", "x", 0);
    assert_string_equal(asked(&w, 0, "1", "x", WHY_FAILED), "failed last time: exit status 4");
    ran(&w, FLOW_FINISHED, 0, "1", "x", 0);
    asked(&w, 0, "1", "x", WHY_NOT_KEPT);
    asked(&w, 1, "1", "x", WHY_NEVER);
    end(&w);
}

static void test_why__the_run_that_is_most_like_now_is_compared(void **state)
{
    (void)state;
    world w = begin();
    ran(&w, FLOW_FINISHED, 0, "1", "x", 1);
    ran(&w, FLOW_FINISHED, 0, "2", "y", 1);
    assert_string_equal(asked(&w, 0, "1", "z", WHY_CHANGED), "variable 'V': 'x' -> 'z'");
    assert_string_equal(asked(&w, 0, "2", "z", WHY_CHANGED), "variable 'V': 'y' -> 'z'");
    assert_string_equal(asked(&w, 0, "3", "z", WHY_CHANGED), "version: '2' -> '3', and 1 more");
    asked(&w, 0, "1", "x", WHY_FORGOTTEN); /* an older one, word for word */
    end(&w);
}

static void test_why__a_skipped_job_counts_only_alone(void **state)
{
    (void)state;
    world w = begin();
    const flow_event skipped = {
        .kind = FLOW_SKIPPED, .def = &w.batch->jobs[0], .name = "a", .reason = "needs 'b', which failed"};
    history_note(w.history, &skipped, "20260101-000000.000-1");
    reopen(&w);
    assert_string_equal(asked(&w, 0, "1", "x", WHY_FAILED), "failed last time: skipped");
    ran(&w, FLOW_FINISHED, 0, "1", "y", 1);
    history_note(w.history, &skipped, "20260101-000000.000-1");
    reopen(&w);
    assert_string_equal(asked(&w, 0, "1", "x", WHY_CHANGED), "variable 'V': 'y' -> 'x'");
    end(&w);
}

static void test_why__the_nearest_instance_stands_in_when_asked_for(void **state)
{
    (void)state;
    world w = begin();
    ran(&w, FLOW_FINISHED, 2, "1", "nine", 1);
    ran(&w, FLOW_FINISHED, 0, "1", "one", 1);
    flow_event e = event(&w, FLOW_WOULD_RUN, 1, "1", "two");
    const why_options now = {.history = w.history, .nearest = 1};
    why_find(&w.why, &now, &e);
    assert_int_equal(w.why.kind, WHY_NEAREST);
    assert_string_equal(w.why.before.params[0].value, "1");
    assert_int_equal(w.why.differences.count, 1);
    end(&w);
}

static void test_why__without_a_cache_only_what_ran_before_misses_it(void **state)
{
    (void)state;
    world w = begin();
    ran(&w, FLOW_FINISHED, 0, "1", "x", 1);
    const why_options o = {.history = w.history, .absent = "the cache is not there any more"};
    flow_event e = {.kind = FLOW_WOULD_RUN, .def = &w.batch->jobs[0], .name = "a"};
    why_find(&w.why, &o, &e);
    assert_int_equal(w.why.kind, WHY_ALWAYS);
    assert_string_equal(w.why.text, o.absent);
    e.index = 1;
    why_find(&w.why, &o, &e);
    assert_int_equal(w.why.kind, WHY_NEVER);
    end(&w);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_why__what_needs_no_history),
        CASE(test_why__the_same_key_failed_was_kept_or_not),
        CASE(test_why__the_run_that_is_most_like_now_is_compared),
        CASE(test_why__a_skipped_job_counts_only_alone),
        CASE(test_why__the_nearest_instance_stands_in_when_asked_for),
        CASE(test_why__without_a_cache_only_what_ran_before_misses_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
