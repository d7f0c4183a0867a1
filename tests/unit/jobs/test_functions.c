/* functions.h: batches with calls through the whole of flow.h, with workers and a library that does them
 * harm. */
#include "batch_fixture.h"

#include "flow.h"
#include <deja/cleanup.h>
#include <deja/image.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

extern char **environ;

/* What a run said. */
typedef struct run {
    char events[4096]; /* "kind:name" each */
    char reasons[8192];
    char out[4096], err[4096];
    flow_totals totals;
    deja_hash key;              /* of the last job */
    int signal_at_start, again; /* again: and once more, a little later */
    flow *flow;
} run;

static const char letters[] = "shfxkwRHnr";

static void listen(void *context, const flow_event *event)
{
    run *r = context;
    size_t n = strlen(r->events);
    if (event->kind != FLOW_STARTED)
        snprintf(r->events + n, sizeof r->events - n, "%s%c:%s", n ? " " : "", letters[event->kind],
                 event->name ? event->name : "-");
    if (event->kind == FLOW_STARTED && r->signal_at_start) {
        flow_signal(r->flow, r->signal_at_start);
        r->signal_at_start = 0;
    }
    if (event->keyed)
        r->key = event->key;
    if (event->reason || event->not_kept)
        strncat(r->reasons, event->reason ? event->reason : event->not_kept, sizeof r->reasons / 8);
    if (event->out.data)
        strncat(r->out, event->out.data, event->out.len);
    if (event->err.data)
        strncat(r->err, event->err.data, event->err.len);
}

static deja_cache *open_cache(void)
{
    deja_cache *c;
    deja_error err;
    if (deja_cache_open(&c, &(deja_cache_options){.size = sizeof(deja_cache_options), .folder = ".deja"},
                        &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

/* Runs jobs given as lines of YAML, from another folder: workers are in that of the batch. Static memory. */
static run *run_with(const char *jobs, unsigned slots, int signal_at_start, int again)
{
    static run r;
    static char text[4096];
    deja_error err;
    deja_claims *claims;
    plan *p;
    snprintf(text, sizeof text, "version: 1\njobs:\n%s", jobs);
    r = (run){.signal_at_start = signal_at_start, .again = again};
    char here[4096];
    batch *b = load(text);
    flow_options o = {.slots = slots, .lookup = 1, .store = 1, .run_id = "test", .cache = open_cache()};
    assert_int_equal(deja_claims_open(&claims, ".deja/claims", &err), 0);
    o.claims = o.output_claims = claims;
    o.environment = (const char *const *)environ;
    o.listen = listen;
    o.context = &r;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir("/"), 0);
    if (plan_open(&p, b, NULL, &err) < 0 || flow_open(&r.flow, b, p, &o, &err) < 0)
        fail_msg("%s", err.text);
    while (!flow_finished(r.flow)) {
        flow_step(r.flow);
        flow_wait(r.flow, NULL, 0, 1000);
        if (r.again && !r.signal_at_start && ++r.again > 10) {
            r.again = 0;
            flow_signal(r.flow, SIGINT);
        }
    }
    flow_totals_of(r.flow, &r.totals);
    flow_close(r.flow);
    plan_close(p);
    deja_claims_close(claims);
    deja_cache_close(o.cache);
    batch_free(b);
    assert_int_equal(chdir(here), 0);
    return &r;
}

static run *run_jobs(const char *jobs)
{
    return run_with(jobs, 2, 0, 0);
}

/* How two jobs ended: their letters in this order. What was kept later is told later. */
static const char *ends_of(const run *r, const char *first, const char *second)
{
    static char ends[3];
    const char *names[] = {first, second};
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, ":%s", names[i]);
        const char *at = strstr(r->events, name);
        ends[i] = at ? at[-1] : '-';
    }
    return ends;
}

static int setup(void **state)
{
    int rc = scratch_setup(state);
    return rc ? rc : symlink(CALL_PROBE, "lib.so");
}

/* The value of the last job of a run as JSON. Static memory. */
static const char *value_of(const run *r)
{
    static char line[1024];
    char hex[DEJA_HASH_HEX];
    deja_error err;
    deja_entry *e;
    deja_mapped m;
    deja_value v;
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_cache *c = open_cache();
    deja_hash_hex(&r->key, hex);
    if (deja_cache_find(c, hex, &e, &err) < 0 || deja_cache_map_value(c, e, &m, &err) < 0 ||
        deja_image_read(m.data, m.len, NULL, &arena, &v, &err) < 0)
        fail_msg("%s", err.text);
    deja_value_json(&b, &v, 4);
    snprintf(line, sizeof line, "%s", deja_buffer_string(&b));
    deja_mapped_done(&m);
    deja_entry_free(e);
    deja_cache_close(c);
    return line;
}

static void test_functions__values_are_kept_and_answered(void **state)
{
    (void)state;
    static const char text[] = "  a: {call: \"./lib.so:probe_add\", with: {a: 40, b: 2}}\n";
    run *r = run_jobs(text);
    assert_string_equal(r->events, "f:a");
    assert_string_equal(value_of(r), "42");
    r = run_jobs(text);
    assert_string_equal(r->events, "h:a");
    assert_string_equal(value_of(r), "42");
    assert_string_equal(run_jobs("  a: {call: \"./lib.so:probe_add\", with: {a: 40, b: 3}}\n")->events,
                        "f:a");
}

static void test_functions__values_of_every_size(void **state)
{
    (void)state;
    run *r = run_jobs("  a: {call: \"./lib.so:probe_echo\", with: {x: [1, two, {k: null}], y: 2.5}}\n");
    assert_string_equal(value_of(r), "[[1,\"two\",{\"k\":null}],2.5]");
    r = run_jobs("  a: {call: \"./lib.so:probe_array\", with: {n: 200000}}\n");
    assert_string_equal(r->events, "f:a");
    assert_non_null(strstr(value_of(r), "{\"dtype\":\"f64\",\"shape\":[200000],\"data\":[0.0,0.5,1.0,1.5,"));
    assert_string_equal(run_jobs("  a: {call: \"./lib.so:probe_array\", with: {n: 200000}}\n")->events,
                        "h:a");
}

static void test_functions__output_is_captured_and_replayed(void **state)
{
    (void)state;
    static const char text[] = "  a: {call: \"./lib.so:probe_print\", with: {who: you}}\n";
    for (int i = 0; i < 2; i++) {
        run *r = run_jobs(text);
        assert_string_equal(r->events, i ? "h:a" : "f:a");
        assert_string_equal(r->out, "raw\nhello you\n");
        assert_string_equal(r->err, "and a warning\n");
    }
}

static void test_functions__outputs_are_as_those_of_commands(void **state)
{
    (void)state;
    static const char text[] = "  a: {call: \"./lib.so:probe_write\", with: {to: \"${{ o }}\", what: text}, "
                               "outputs: {o: d/x}}\n";
    assert_string_equal(run_jobs(text)->events, "f:a");
    assert_string_equal(read_file("d/x"), "text");
    unlink("d/x");
    assert_string_equal(run_jobs(text)->events, "h:a");
    assert_string_equal(read_file("d/x"), "text");
    run *r = run_jobs("  a: {call: \"./lib.so:probe_add\", with: {a: 1, b: 2}, outputs: [missing]}\n");
    assert_string_equal(r->events, "x:a");
    assert_non_null(strstr(r->reasons, "missing"));
}

/* One that ends at TERM, and one that is deaf to it; after that other calls go on. */
static void test_functions__a_call_may_time_out_and_be_tried_again(void **state)
{
    (void)state;
    run *r =
        run_jobs("  a: {call: \"./lib.so:probe_loop\", timeout: 100ms, retries: 1}\n"
                 "  b: {call: \"./lib.so:probe_add\", with: {a: 1, b: 2}, timeout: 1h, needs: {a: order}}\n"
                 "  c: {call: \"./lib.so:probe_abort\", retries: 2, allow-failure: true}\n"
                 "  d: {call: \"./lib.so:probe_add\", with: {a: 1, b: 2}, needs: {c: order}}\n");
    assert_string_equal(ends_of(r, "a", "b"), "rk");
    assert_non_null(strstr(r->events, "r:a x:a"));
    assert_non_null(strstr(r->reasons, "timed out after 100ms"));
    assert_non_null(strstr(r->events, "x:c"));
    assert_non_null(strstr(r->events, "f:d"));
    assert_int_equal(r->totals.failed, 2);
    assert_int_equal(r->totals.allowed, 1);
}

/* By content: a file that is another one of the same content answers. */
static void test_functions__files_count_by_content(void **state)
{
    (void)state;
    static const char text[] = "  a: {call: \"./lib.so:probe_size\", with: {f: {file: data}}}\n";
    write_file("data", "12345");
    assert_string_equal(value_of(run_jobs(text)), "5");
    unlink("data");
    write_file("data", "12345");
    assert_string_equal(run_jobs(text)->events, "h:a");
    write_file("data", "123");
    run *r = run_jobs(text);
    assert_string_equal(r->events, "f:a");
    assert_string_equal(value_of(r), "3");
    unlink("data");
    r = run_jobs(text);
    assert_string_equal(r->events, "x:a");
    assert_string_equal(r->reasons, "input 'data' does not exist");
}

static const char *run_pair(int a, int b, const char *words)
{
    char jobs[512];
    snprintf(jobs, sizeof jobs,
             "  a: {call: \"./lib.so:probe_add\", with: {a: %d, b: %d}%s}\n"
             "  b: {needs: a, run: \"true\"}\n",
             a, b, words);
    return ends_of(run_jobs(jobs), "a", "b");
}

static void test_functions__what_needs_a_value_runs_when_it_changes(void **state)
{
    (void)state;
    assert_string_equal(run_pair(1, 2, ""), "ff");
    assert_string_equal(run_pair(2, 1, ""), "fh"); /* the same value */
    assert_string_equal(run_pair(2, 2, ""), "ff");
    assert_string_equal(run_pair(2, 2, ", cache: false"), "fh"); /* hashed although it is not kept */
    assert_string_equal(run_pair(3, 2, ", cache: false"), "ff");
}

static void test_functions__harm_costs_the_job_and_not_the_run(void **state)
{
    (void)state;
    static const struct {
        const char *function, *reason;
    } cases[] = {
        {"fail", "'probe_fail': the sun is too low"},
        {"add", "probe_add wants two numbers, not 0 arguments"},
        {"abort", "in 'probe_abort' of library 'lib.so'"},
        {"kill", "in 'probe_kill' of library 'lib.so'"},
        {"exit", "'probe_exit' ended its worker by exit(3) with status 3"},
        {"nowhere", "has no function 'probe_nowhere'"},
        {"variable", "has no function 'probe_variable': that is a variable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char jobs[512];
        snprintf(jobs, sizeof jobs,
                 "  bad: {call: \"./lib.so:probe_%s\"}\n"
                 "  good: {matrix: {n: [%zu, 100]}, call: \"./lib.so:probe_add\", with: {n: \"${{ n }}\", m: "
                 "%zu}}\n",
                 cases[i].function, i, i);
        for (int again = 0; again < 2; again++) { /* no failure is kept */
            run *r = run_jobs(jobs);
            assert_int_equal(r->totals.failed, 1);
            assert_int_equal(again ? r->totals.hits : r->totals.ran, 2);
            if (!strstr(r->reasons, cases[i].reason))
                fail_msg("'%s' is not in: %s", cases[i].reason, r->reasons);
        }
    }
    assert_non_null(strstr(run_jobs("  a: {call: \"./lib.so:probe_abort\"}\n")->err, "about to abort\n"));
}

static void test_functions__closed_descriptors_harm_nobody_else(void **state)
{
    (void)state;
    run *r = run_jobs(
        "  bad: {matrix: {n: [1, 2, 3]}, call: \"./lib.so:probe_close\", with: {n: \"${{ n }}\"}}\n"
        "  good: {matrix: {n: [1, 2, 3]}, call: \"./lib.so:probe_print\", with: {n: \"${{ n }}\"}}\n");
    assert_int_equal(r->totals.failed, 0);
    assert_int_equal(r->totals.ran, 6);
    assert_string_equal(r->out, "raw\nhello nobody\nraw\nhello nobody\nraw\nhello nobody\n");
}

static void test_functions__a_library_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    run *r =
        run_jobs("  a: {call: \"./none.so:f\"}\n  b: {call: \"./lib.so:probe_add\", with: {a: 1, b: 1}}\n");
    assert_string_equal(ends_of(r, "a", "b"), "xf");
    assert_string_equal(r->reasons, "library 'none.so' does not exist");
    write_file("text.so", "no library");
    assert_non_null(
        strstr(run_jobs("  a: {call: \"./text.so:f\"}\n")->reasons, "text.so' is no shared library"));
    mkdir("folder.so", 0700);
    assert_string_equal(run_jobs("  a: {call: \"./folder.so:f\"}\n")->reasons,
                        "library 'folder.so' must be a file, it is a folder");
    assert_int_equal(chmod("text.so", 0666), 0);
    assert_non_null(strstr(run_jobs("  a: {call: \"./text.so:f\"}\n")->reasons, "others may write to it"));
}

static const char *run_made(const char *version, const char *after)
{
    char jobs[512];
    snprintf(jobs, sizeof jobs,
             "  a: {call: \"./made.so:probe_add\", with: {a: 1, b: 1}%s}\n"
             "  make: {run: \"cp lib.so made.so%s\", inputs: [lib.so], outputs: [made.so]}\n",
             version, after);
    return ends_of(run_jobs(jobs), "make", "a");
}

/* The job that makes the library comes first, and its content counts, unless there is a version. */
static void test_functions__libraries_are_made_and_replaced(void **state)
{
    (void)state;
    static const char longer[] = "; printf x >> made.so"; /* an ELF file does not mind */
    assert_string_equal(run_made("", ""), "ff");
    assert_string_equal(run_made("", ""), "hh");
    assert_string_equal(run_made("", longer), "ff");
    assert_string_equal(run_made(", version: 1", longer), "hf");
    assert_string_equal(run_made(", version: 1", ""), "hh");
}

/* While the second one waits for its slot: it is keyed anew, and the worker that has the old code is not to
 * answer for the new. */
static void test_functions__a_library_replaced_meanwhile_is_not_mistaken(void **state)
{
    (void)state;
    static const char text[] = "  a: {matrix: {n: [1, 2]}, call: \"./copy.so:probe_replace\", with: {p: "
                               "copy.so, n: \"${{ n }}\"}}\n";
    assert_int_equal(system("cp lib.so copy.so && chmod 755 copy.so"), 0);
    run *r = run_with(text, 1, 0, 0);
    assert_int_equal(r->totals.ran, 1);
    assert_int_equal(r->totals.failed, 1);
    assert_non_null(strstr(r->reasons, "library 'copy.so' changed while it ran: its result is not kept"));
    assert_non_null(strstr(r->reasons, "copy.so' was replaced while it was in use: run again"));
}

static void expect_ended(const char *function, int again)
{
    char jobs[256];
    snprintf(jobs, sizeof jobs,
             "  a: {call: \"./lib.so:probe_%s\", outputs: [o]}\n  b: {run: \"true\", needs: a}\n", function);
    int64_t begin = deja_monotonic_ns(NULL);
    run *r = run_with(jobs, 2, SIGINT, again);
    assert_string_equal(r->events, "k:a");
    assert_string_equal(r->reasons, "interrupted");
    assert_int_equal(r->totals.failed, 0);
    assert_true(deja_monotonic_ns(NULL) - begin < 20 * DEJA_S_NS); /* not for ever */
}

/* The signal comes with the start: before a worker has it, as likely as not. */
static void test_functions__a_signal_ends_one_that_loops(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        expect_ended("loop", 0);
}

static void test_functions__a_second_signal_kills_one_that_is_deaf(void **state)
{
    (void)state;
    expect_ended("deaf", 1);
}

#define in_scratch(test) cmocka_unit_test_setup_teardown(test, setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scratch(test_functions__a_call_may_time_out_and_be_tried_again),
        in_scratch(test_functions__values_are_kept_and_answered),
        in_scratch(test_functions__values_of_every_size),
        in_scratch(test_functions__output_is_captured_and_replayed),
        in_scratch(test_functions__outputs_are_as_those_of_commands),
        in_scratch(test_functions__files_count_by_content),
        in_scratch(test_functions__what_needs_a_value_runs_when_it_changes),
        in_scratch(test_functions__harm_costs_the_job_and_not_the_run),
        in_scratch(test_functions__closed_descriptors_harm_nobody_else),
        in_scratch(test_functions__a_library_that_cannot_be_used_is_named),
        in_scratch(test_functions__libraries_are_made_and_replaced),
        in_scratch(test_functions__a_library_replaced_meanwhile_is_not_mistaken),
        in_scratch(test_functions__a_signal_ends_one_that_loops),
        in_scratch(test_functions__a_second_signal_kills_one_that_is_deaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
