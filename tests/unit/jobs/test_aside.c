/* aside.h: jobs that wait for a claim of somebody else, first by hand, then in a small run. */
#include "batch_fixture.h"

#include "aside.h"
#include "outputs.h"
#include "resources.h"
#include <deja/clock.h>

/* A flow that is never stepped, with jobs a, b and c in flight. */
typedef struct waiting {
    flow flow;
    active *jobs[3];
    int told; /* FLOW_WAITING events */
    char reason[256];
} waiting;

static void note_waiting(void *context, const flow_event *event)
{
    waiting *w = context;
    assert_int_equal(event->kind, FLOW_WAITING);
    w->told++;
    snprintf(w->reason, sizeof w->reason, "%s", event->reason ? event->reason : "nobody of ours");
}

static void begin(waiting *w)
{
    *w = (waiting){.flow = {.options = {.lookup = 1, .listen = note_waiting, .context = w}}};
    w->flow.batch = load("version: 1\njobs:\n  a: {run: x}\n  b: {run: x}\n  c: {run: x}\n");
    assert_int_equal(resources_open(&w->flow, NULL), 0);
    for (uint32_t i = 0; i < 3; i++) {
        w->jobs[i] = active_new(&w->flow, &w->flow.batch->jobs[i], 0);
        assert_non_null(w->jobs[i]);
    }
}

static void end(waiting *w)
{
    for (int i = 0; i < 3; i++)
        active_retire(w->jobs[i]);
    active_free_idle(&w->flow);
    resources_close(w->flow.resources);
    batch_free(w->flow.batch);
}

static void set_key(active *a, const char *key)
{
    a->keyed = 1;
    a->key = deja_hash_bytes(key, strlen(key));
    a->keyed_ns = deja_monotonic_ns(NULL);
}

static void test_aside__asks_again_after_1_ms_rising_to_100_ms(void **state)
{
    (void)state;
    static const int64_t ms[] = {1, 2, 4, 8, 16, 32, 64, 100, 100};
    waiting w;
    begin(&w);
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
        int64_t before = deja_monotonic_ns(NULL);
        aside_add(w.jobs[0]);
        int64_t after = deja_monotonic_ns(NULL);
        assert_int_equal(w.jobs[0]->stage, ASIDE);
        assert_int_equal(w.flow.aside.count, 1);
        assert_in_range(w.jobs[0]->ask_again_ns, before + ms[i] * DEJA_MS_NS, after + ms[i] * DEJA_MS_NS);
        assert_int_equal(aside_next_ns(&w.flow), w.jobs[0]->ask_again_ns);
        active_enter(w.jobs[0], MISSED);
    }
    end(&w);
}

static void test_aside__only_those_whose_time_has_come_are_woken(void **state)
{
    (void)state;
    waiting w;
    begin(&w);
    assert_int_equal(aside_wake(&w.flow), 0);
    assert_true(aside_next_ns(&w.flow) == INT64_MAX);
    for (int i = 0; i < 3; i++)
        aside_add(w.jobs[i]);
    assert_int_equal(w.flow.preparing, 0);
    set_key(w.jobs[0], "k");
    w.jobs[0]->ask_again_ns = w.jobs[1]->ask_again_ns = 1;
    w.jobs[2]->ask_again_ns = INT64_MAX - 1;
    assert_int_equal(aside_next_ns(&w.flow), 1);
    assert_int_equal(aside_wake(&w.flow), 1);
    assert_int_equal(w.jobs[0]->stage, LOOKING); /* with a key: it may have been kept meanwhile */
    assert_int_equal(w.jobs[1]->stage, MISSED);
    assert_int_equal(w.jobs[2]->stage, ASIDE);
    assert_true(aside_next_ns(&w.flow) == INT64_MAX - 1);
    assert_int_equal(aside_wake(&w.flow), 0);
    end(&w);
}

static void test_aside__where_the_cache_is_not_asked_it_goes_on_as_missed(void **state)
{
    (void)state;
    waiting w;
    begin(&w);
    w.flow.options.lookup = 0;
    set_key(w.jobs[0], "k");
    aside_add(w.jobs[0]);
    w.jobs[0]->ask_again_ns = 0;
    assert_int_equal(aside_wake(&w.flow), 1);
    assert_int_equal(w.jobs[0]->stage, MISSED);
    end(&w);
}

static void test_aside__who_waits_for_a_key_is_hurried(void **state)
{
    (void)state;
    waiting w;
    begin(&w);
    deja_hash key = deja_hash_bytes("k", 1);
    set_key(w.jobs[0], "other");
    set_key(w.jobs[1], "k");
    w.jobs[2]->key = key; /* but it is not keyed */
    for (int i = 0; i < 3; i++) {
        aside_add(w.jobs[i]);
        w.jobs[i]->ask_again_ns = INT64_MAX - 1;
    }
    aside_hurry(&w.flow, &key);
    assert_int_equal(aside_wake(&w.flow), 1);
    assert_int_equal(w.jobs[0]->stage, ASIDE);
    assert_int_equal(w.jobs[1]->stage, LOOKING);
    assert_int_equal(w.jobs[2]->stage, ASIDE);
    end(&w);
}

/* Told once, when it has waited for a while in all, and with the name of a job of this run. */
static void test_aside__a_long_wait_is_told_once(void **state)
{
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        waiting w;
        begin(&w);
        set_key(w.jobs[0], "k");
        set_key(w.jobs[1], "k");
        w.jobs[1]->claimed = ours;
        aside_add(w.jobs[0]);
        assert_int_equal(w.told, 0);
        w.jobs[0]->aside_since_ns -= DEJA_S_NS;
        for (int i = 0; i < 3; i++)
            aside_add(w.jobs[0]);
        assert_int_equal(w.told, 1);
        assert_string_equal(w.reason, ours ? "'b' makes the same" : "nobody of ours");
        w.jobs[1]->claimed = 0;
        end(&w);
    }
}

/* The events of a run as letters with the names of jobs. */
typedef struct run {
    char events[1024];
    flow *flow;
    deja_claims *held; /* given back when somebody is told to wait */
    deja_hash what;
} run;

static void note_event(void *context, const flow_event *event)
{
    static const char letters[] = "shfxkwRHnr";
    run *r = context;
    size_t n = strlen(r->events);
    if (event->kind != FLOW_WAITING || r->held) /* else it depends on how busy the machine is */
        snprintf(r->events + n, sizeof r->events - n, "%c:%s ", letters[event->kind],
                 event->name ? event->name : "-");
    if (event->kind == FLOW_WAITING && r->held)
        deja_claim_release(r->held, &r->what);
}

static const char *run_batch(run *r, const char *text)
{
    deja_error err;
    deja_cache *cache = NULL;
    deja_claims *claims = NULL;
    plan *p;
    batch *b = load(text);
    deja_cache_options options = {.size = sizeof options, .folder = ".deja"};
    assert_int_equal(deja_cache_open(&cache, &options, &err), 0);
    assert_int_equal(deja_claims_open(&claims, ".deja/claims", &err), 0);
    assert_int_equal(plan_open(&p, b, NULL, &err), 0);
    flow_options o = {.slots = 2,
                      .lookup = 1,
                      .store = 1,
                      .run_id = "test",
                      .cache = cache,
                      .claims = claims,
                      .output_claims = claims,
                      .environment = (const char *const *)environ,
                      .listen = note_event,
                      .context = r};
    assert_int_equal(flow_open(&r->flow, b, p, &o, &err), 0);
    while (!flow_finished(r->flow)) {
        flow_step(r->flow);
        flow_wait(r->flow, NULL, 0, 1000);
    }
    flow_close(r->flow);
    plan_close(p);
    deja_claims_close(claims);
    deja_cache_close(cache);
    batch_free(b);
    return r->events;
}

static void test_aside__of_two_equal_jobs_one_runs_and_the_other_is_answered(void **state)
{
    (void)state;
    run r = {0};
    const char *events = run_batch(&r, "version: 1\njobs:\n  a: {run: sleep 0.01}\n  b: {run: sleep 0.01}\n");
    assert_string_equal(events, "s:a f:a h:b ");
}

static void test_aside__takes_no_slot_and_goes_on_when_the_claim_is_given_back(void **state)
{
    (void)state;
    run r = {0};
    batch *b = load("version: 1\njobs:\n  a: {run: x, outputs: [o]}\n");
    r.what = outputs_claim(b, "o");
    batch_free(b);
    deja_cache *cache = NULL;
    deja_cache_options options = {.size = sizeof options, .folder = ".deja"};
    assert_int_equal(deja_cache_open(&cache, &options, NULL), 0); /* makes the folder of claims */
    deja_cache_close(cache);
    assert_int_equal(deja_claims_open(&r.held, ".deja/claims", NULL), 0);
    assert_int_equal(deja_claim_try(r.held, &r.what, NULL), 1);
    const char *events =
        run_batch(&r, "version: 1\njobs:\n"
                      "  a: {run: echo > o, outputs: [o]}\n  b: {run: echo b}\n  c: {run: echo c}\n");
    const char *waits = strstr(events, "w:a ");
    assert_non_null(waits);
    assert_non_null(strstr(waits, "s:a "));
    assert_null(strstr(waits + 1, "w:a "));
    assert_non_null(strstr(events, "f:b "));
    assert_non_null(strstr(events, "f:c "));
    assert_string_equal(read_file("o"), "\n");
    deja_claims_close(r.held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_aside__asks_again_after_1_ms_rising_to_100_ms),
        CASE(test_aside__only_those_whose_time_has_come_are_woken),
        CASE(test_aside__where_the_cache_is_not_asked_it_goes_on_as_missed),
        CASE(test_aside__who_waits_for_a_key_is_hurried),
        CASE(test_aside__a_long_wait_is_told_once),
        CASE(test_aside__of_two_equal_jobs_one_runs_and_the_other_is_answered),
        CASE(test_aside__takes_no_slot_and_goes_on_when_the_claim_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
