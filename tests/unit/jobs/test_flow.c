/* flow.h: batches through key, lookup, dispatch, result and store, with a real cache and real processes. */
#include "batch_fixture.h"

#include "flow.h"
#include <deja/cleanup.h>
#include <signal.h>

extern char **environ;

/* What a run said: events as words in one line, and its totals. */
typedef struct run {
    char events[65536];
    char out[65536];
    flow_totals totals;
    const char *only; /* events of these kinds: letters of `letters` */
    flow *flow;
    int signal_at_start; /* sent when the first job has started */
} run;

/* One letter for each kind: started hit finished failed skipped waiting would-Run would-Hit note retrying. */
static const char letters[] = "shfxkwRHnr";

static void listen(void *context, const flow_event *event)
{
    run *r = context;
    char letter = letters[event->kind];
    if (event->kind == FLOW_STARTED && r->signal_at_start) {
        flow_signal(r->flow, r->signal_at_start);
        r->signal_at_start = 0;
    }
    if (strchr(r->only, letter)) {
        size_t n = strlen(r->events);
        snprintf(r->events + n, sizeof r->events - n, "%s%c:%s", n ? " " : "", letter,
                 event->name ? event->name : "-");
    }
    if (event->out.data) {
        size_t n = strlen(r->out);
        snprintf(r->out + n, sizeof r->out - n, "%.*s", (int)event->out.len, event->out.data);
    }
}

static const flow_options defaults = {.slots = 2, .lookup = 1, .store = 1, .run_id = "test"};

/* Runs deja.yaml's text; `only`: the letters of events to note. */
static run *run_batch(const char *text, const flow_options *options, const char *only)
{
    static run r;
    deja_error err;
    deja_cache *cache = NULL;
    deja_claims *claims = NULL;
    int signal_at_start = r.signal_at_start;
    r = (run){.only = only, .signal_at_start = signal_at_start};
    batch *b = load(text);
    assert_int_equal(
        deja_cache_open(&cache, &(deja_cache_options){.size = sizeof(deja_cache_options), .folder = ".deja"},
                        &err),
        0);
    assert_int_equal(deja_claims_open(&claims, ".deja/claims", &err), 0);
    flow_options o = *options;
    o.cache = cache;
    o.claims = o.output_claims = claims;
    o.environment = o.environment ? o.environment : (const char *const *)environ;
    o.listen = listen;
    o.context = &r;
    plan *p;
    if (plan_open(&p, b, NULL, &err) < 0 || flow_open(&r.flow, b, p, &o, &err) < 0)
        fail_msg("%s", err.text);
    while (!flow_finished(r.flow)) {
        flow_step(r.flow);
        flow_wait(r.flow, NULL, 0, 1000);
    }
    flow_totals_of(r.flow, &r.totals);
    flow_close(r.flow);
    plan_close(p);
    deja_claims_close(claims);
    deja_cache_close(cache);
    batch_free(b);
    r.signal_at_start = 0;
    return &r;
}

static void test_flow__second_run_is_answered_from_the_cache(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n  a: {run: \"echo out; echo made > x\", outputs: [x]}\n";
    assert_string_equal(run_batch(text, &defaults, "shf")->events, "s:a f:a");
    run *r = run_batch(text, &defaults, "shf");
    assert_string_equal(r->events, "h:a");
    assert_string_equal(r->out, "out\n");
    assert_true(r->totals.saved_ns > 0);
}

static void test_flow__outputs_are_restored_right_ones_left_edited_ones_told(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n  a: {run: \"echo made > d/x\", outputs: [d/x]}\n";
    run_batch(text, &defaults, "");
    struct stat before, after;
    assert_int_equal(stat("d/x", &before), 0);
    assert_string_equal(run_batch(text, &defaults, "hn")->events, "h:a");
    assert_int_equal(stat("d/x", &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    unlink("d/x");
    rmdir("d");
    assert_string_equal(run_batch(text, &defaults, "hn")->events, "h:a");
    assert_string_equal(read_file("d/x"), "made\n");
    write_file("d/x", "edited");
    flow_options keep = defaults;
    keep.keep_edited = 1;
    assert_string_equal(run_batch(text, &keep, "hn")->events, "n:a h:a");
    assert_string_equal(read_file("d/x"), "edited");
    assert_string_equal(run_batch(text, &defaults, "hn")->events, "n:a h:a");
    assert_string_equal(read_file("d/x"), "made\n");
}

static void test_flow__every_part_of_the_key_counts(void **state)
{
    (void)state;
    const char *const lines[] = {"run: cat in",
                                 "run: cat  in",
                                 "run: [cat, in]",
                                 "run: cat in, version: 2",
                                 "run: cat in, scope: s",
                                 "run: cat in, cwd: d",
                                 "run: cat in, inputs: [in]",
                                 "run: cat in, stdin: in",
                                 "run: cat in, env: {A: b}",
                                 "run: cat in, env: [NOT_SET]",
                                 "run: cat in, shell: sh",
                                 "run: cat in, clean-env: true",
                                 "run: cat in > o, outputs: [o]",
                                 "run: cat in > o, outputs: {n: o}"};
    mkdir("d", 0700);
    write_file("in", "1");
    write_file("d/in", "2");
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            char text[256];
            snprintf(text, sizeof text, "version: 1\njobs:\n  a: {%s}\n", lines[i]);
            assert_string_equal(run_batch(text, &defaults, "hfx")->events, pass ? "h:a" : "f:a");
        }
}

static void test_flow__a_changed_input_is_a_miss_and_a_revert_a_hit(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n  a: {run: cat in, inputs: [in]}\n";
    const char *const content[] = {"1", "2", "1", "2"};
    for (int i = 0; i < 4; i++) {
        write_file("in", content[i]); /* of the same size, within the same second */
        run *r = run_batch(text, &defaults, "hf");
        assert_string_equal(r->events, i < 2 ? "f:a" : "h:a");
        assert_string_equal(r->out, content[i]);
    }
}

static void test_flow__equal_results_cut_off_what_depends_on_them(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n"
                       "  a: {run: \"head -c 1 in > first\", inputs: [in], outputs: [first]}\n"
                       "  b: {run: cat first, needs: a}\n"
                       "  c: {run: echo c, needs: {a: order}}\n";
    write_file("in", "x1");
    assert_string_equal(run_batch(text, &defaults, "hf")->events[0] ? "ran" : "", "ran");
    write_file("in", "x2");
    assert_string_equal(
        run_batch(text, &(flow_options){.slots = 1, .lookup = 1, .store = 1, .run_id = "t"}, "h")->events,
        "h:b h:c");
    write_file("in", "y2");
    assert_string_equal(run_batch(text, &defaults, "h")->events, "h:c");
}

static void test_flow__an_edited_output_that_is_left_counts_for_what_needs_it(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n"
                       "  a: {run: echo made > x, outputs: [x]}\n"
                       "  b: {run: cat x, needs: a}\n";
    flow_options keep = defaults;
    keep.keep_edited = 1;
    run_batch(text, &defaults, "");
    write_file("x", "edited");
    run *r = run_batch(text, &keep, "hf");
    assert_string_equal(r->events, "h:a f:b");
    assert_string_equal(r->out, "edited");
    r = run_batch(text, &keep, "hf");
    assert_string_equal(r->events, "h:a h:b");
    assert_string_equal(r->out, "edited");
    r = run_batch(text, &defaults, "hf");
    assert_string_equal(r->events, "h:a h:b");
    assert_string_equal(r->out, "made\n");
    write_file("x", "edited again");
    keep.dry_run = 1;
    assert_string_equal(run_batch(text, &keep, "HR")->events, "H:a R:b");
}

/* The blobs' folder is in the way: what `a` made can be neither read into the cache nor told by a hash. */
static void test_flow__what_needs_a_job_of_unknown_results_is_not_kept(void **state)
{
    (void)state;
    const char *text =
        "version: 1\njobs:\n"
        "  a: {run: \"cat in in in > x; rm -rf .deja/blobs; echo > .deja/blobs\", outputs: [x], "
        "inputs: [in]}\n"
        "  b: {run: head -c 2 x, needs: a}\n";
    static char big[40001];
    memset(big, '1', sizeof big - 1);
    for (int i = 1; i <= 2; i++) {
        big[0] = (char)('0' + i);
        write_file("in", big);
        run *r = run_batch(text, &defaults, "hf");
        assert_string_equal(r->events, "f:a f:b");
        assert_string_equal(r->out, i == 1 ? "11" : "21");
        assert_int_equal(r->totals.not_kept, 2);
    }
}

/* The program that is found in PATH may change while the run goes on. */
static void test_flow__a_program_made_by_a_job_is_found_by_the_next(void **state)
{
    (void)state;
    const char *text =
        "version: 1\njobs:\n"
        "  a: {run: tool, env: {PATH: \"bin:old:/bin:/usr/bin\"}}\n"
        "  b: {run: \"mkdir bin; printf '#!/bin/sh\\necho new' > bin/tool; chmod +x bin/tool\", "
        "needs: a}\n"
        "  c: {run: tool, needs: b, env: {PATH: \"bin:old:/bin:/usr/bin\"}}\n";
    mkdir("old", 0700);
    write_file("old/tool", "#!/bin/sh\necho old\n");
    chmod("old/tool", 0700);
    assert_string_equal(run_batch(text, &defaults, "")->out, "old\nnew\n");
}

static void test_flow__an_order_does_not_hide_what_a_dry_run_can_tell(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n"
                       "  a: {run: \"true\", cache: false}\n"
                       "  b: {run: echo b, needs: {a: order}}\n"
                       "  c: {run: echo c, needs: a}\n";
    run_batch(text, &defaults, "");
    flow_options dry = defaults;
    dry.dry_run = 1;
    assert_string_equal(run_batch(text, &dry, "HR")->events, "R:a R:c H:b");
}

static void test_flow__failures_are_never_kept_and_their_outputs_go(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n"
                       "  a: {run: \"echo half > x; exit 3\", outputs: [x]}\n"
                       "  k: {run: \"echo half > y; exit 3\", outputs: [y], keep-failed: true}\n"
                       "  b: {run: echo b, needs: a}\n  c: {run: echo c}\n";
    for (int i = 0; i < 2; i++) {
        run *r = run_batch(text, &defaults, "x");
        assert_int_equal(r->totals.failed, 2);
        assert_int_equal(r->totals.skipped, 1);
        assert_int_equal(r->totals.ran + r->totals.hits, 1);
        assert_null(read_file("x"));
        assert_string_equal(read_file("y"), "half\n");
    }
}

static void test_flow__a_missing_output_is_a_failure(void **state)
{
    (void)state;
    assert_string_equal(
        run_batch("version: 1\njobs:\n  a: {run: \":\", outputs: [x]}\n", &defaults, "fx")->events, "x:a");
}

static void test_flow__a_job_that_changes_its_input_is_not_kept(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n"
                       "  a: {run: echo more >> in, inputs: [in]}\n"
                       "  b: {run: touch d/new, inputs: [d/]}\n";
    mkdir("d", 0700);
    write_file("in", "");
    write_file("d/f", "");
    run *r = run_batch(text, &(flow_options){.slots = 1, .lookup = 1, .store = 1, .run_id = "t"}, "nf");
    assert_string_equal(r->events, "n:a f:a n:b f:b");
    assert_int_equal(r->totals.not_kept, 0);
}

static void test_flow__an_input_that_changes_back_is_not_kept(void **state)
{
    (void)state;
    write_file("in", "A");
    run *r =
        run_batch("version: 1\njobs:\n  a: {run: \"echo B > in; cat in; printf A > in\", inputs: [in]}\n",
                  &defaults, "nfh");
    assert_string_equal(r->events, "n:a f:a");
    assert_string_equal(r->out, "B\n");
    const char *text =
        "version: 1\njobs:\n  a: {run: \"mv in aside; cp -p aside in; echo B > in; cat in; mv aside "
        "in\", inputs: [in]}\n";
    r = run_batch(text, &defaults, "nfh");
    assert_string_equal(r->events, "n:a f:a");
    r = run_batch(text, &defaults, "nfh");
    assert_string_equal(r->events, "n:a f:a");
}

static void test_flow__no_spelling_hides_that_an_output_is_an_input(void **state)
{
    (void)state;
    const char *const inputs[] = {"./out/*", "out/../out/*", "./", "../", "../*/out/*"};
    mkdir("out", 0700);
    write_file("out/x", "");
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "version: 1\njobs:\n  a: {run: echo > out/x, inputs: [\"%s\"], outputs: [out/x]}\n",
                 inputs[i]);
        char here[4096];
        batch *b = NULL;
        plan *p = NULL;
        deja_error err;
        int status = batch_load_text(&b, "deja.yaml", text, strlen(text), getcwd(here, sizeof here), &err);
        if (status == 0)
            status = plan_open(&p, b, NULL, &err);
        plan_close(p);
        batch_free(b);
        if (status < 0)
            assert_non_null(strstr(err.text, "output 'out/x' is also an input"));
        else
            assert_string_equal(run_batch(text, &defaults, "fx")->events, "x:a");
    }
}

static void test_flow__same_key_runs_once(void **state)
{
    (void)state;
    run *r =
        run_batch("version: 1\njobs:\n  a: {run: sleep 0.1; echo same}\n  b: {run: sleep 0.1; echo same}\n",
                  &defaults, "fh");
    assert_string_equal(r->events, "f:a h:b");
    assert_string_equal(r->out, "same\nsame\n");
}

static void test_flow__one_slot_keeps_batch_order(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n  a: {run: cat big | wc -c, inputs: [big]}\n  b: {run: echo b}\n"
                       "  c: {run: echo c, matrix: {n: [1, 2]}, cache: false}\n";
    FILE *f = fopen("big", "w");
    assert_non_null(f);
    for (int i = 0; i < 4096; i++) {
        static const char block[4096];
        assert_int_equal(fwrite(block, 1, sizeof block, f), sizeof block);
    }
    fclose(f);
    flow_options one = defaults;
    one.slots = 1;
    assert_string_equal(run_batch(text, &one, "s")->events, "s:a s:b s:c[n=1] s:c[n=2]");
}

static void test_flow__dry_run_tells_and_does_nothing(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n  a: {run: echo a > x, outputs: [x]}\n  b: {run: cat x, needs: "
                       "a}\n  c: {run: echo c}\n";
    flow_options dry = defaults;
    dry.dry_run = 1;
    run *r = run_batch(text, &dry, letters);
    assert_non_null(strstr(r->events, "R:a"));
    assert_non_null(strstr(r->events, "R:c"));
    assert_non_null(strstr(r->events, "R:b"));
    assert_int_equal(r->totals.ran, 3);
    assert_null(read_file("x"));
    run_batch(text, &defaults, "");
    unlink("x");
    assert_int_equal(run_batch(text, &dry, letters)->totals.hits, 3);
    assert_null(read_file("x"));
}

static void test_flow__refresh_and_readonly(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n  a: {run: date +%N}\n";
    char first[64], second[64];
    flow_options readonly = defaults, refresh = defaults;
    readonly.store = 0;
    refresh.lookup = 0;
    assert_string_equal(run_batch(text, &readonly, "fh")->events, "f:a");
    snprintf(first, sizeof first, "%.60s", run_batch(text, &defaults, "")->out);
    run *r = run_batch(text, &refresh, "fh");
    assert_string_equal(r->events, "f:a");
    snprintf(second, sizeof second, "%.60s", r->out);
    assert_string_not_equal(first, second);
    r = run_batch(text, &readonly, "fh");
    assert_string_equal(r->events, "h:a");
    assert_string_equal(r->out, second);
}

static void test_flow__a_status_that_counts_no_more_is_a_miss(void **state)
{
    (void)state;
    assert_string_equal(
        run_batch("version: 1\njobs:\n  a: {run: exit 1, ok-status: [0, 1]}\n", &defaults, "fhx")->events,
        "f:a");
    assert_string_equal(
        run_batch("version: 1\njobs:\n  a: {run: exit 1, ok-status: [0, 1]}\n", &defaults, "fhx")->events,
        "h:a");
    assert_string_equal(run_batch("version: 1\njobs:\n  a: {run: exit 1}\n", &defaults, "fhx")->events,
                        "x:a");
}

static void test_flow__direct_execution_does_what_the_shell_would(void **state)
{
    (void)state;
    write_file("script", "test -n \"$BASH_VERSION\" && echo by bash\n");
    chmod("script", 0700);
    assert_string_equal(run_batch("version: 1\njobs:\n  a: {run: ./script}\n", &defaults, "")->out,
                        "by bash\n");
    flow_options o = defaults;
    o.environment = (const char *const[]){"PATH=/usr/bin:/bin", "BASH_FUNC_ls%%=() { echo function; }", NULL};
    assert_string_equal(run_batch("version: 1\njobs:\n  a: {run: ls -d /}\n", &o, "")->out, "function\n");
    write_file("rc", "cat() { echo rc; }\n");
    o.environment = (const char *const[]){"PATH=/usr/bin:/bin", "BASH_ENV=./rc", NULL};
    assert_string_equal(run_batch("version: 1\njobs:\n  a: {run: cat /dev/null}\n", &o, "")->out, "rc\n");
}

static void test_flow__record_needs_its_outputs_in_place(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n  a: {run: echo x > x, outputs: [x], keep: record}\n";
    assert_string_equal(run_batch(text, &defaults, "fh")->events, "f:a");
    assert_string_equal(run_batch(text, &defaults, "fh")->events, "h:a");
    unlink("x");
    assert_string_equal(run_batch(text, &defaults, "fh")->events, "f:a");
}

static void test_flow__a_signal_ends_the_run_and_keeps_what_is_finished(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n  a: {run: \"trap 'echo kept' TERM; sleep 30 & wait $! || :\"}\n  "
                       "b: {run: sleep 30}\n"
                       "  c: {run: echo never}\n";
    flow_options one = defaults;
    one.slots = 1;
    run *r = run_batch("version: 1\njobs:\n  z: {run: \":\"}\n", &one, "");
    r->signal_at_start = SIGTERM;
    r = run_batch(text, &one, "sfkh");
    assert_non_null(strstr(r->events, "s:a"));
    assert_null(strstr(r->events, "s:b"));
    assert_null(strstr(r->events, "s:c"));
    assert_int_equal(r->totals.failed, 0);
}

static void test_flow__a_deja_inside_does_not_wait_for_its_ancestor(void **state)
{
    (void)state;
    deja_claims *theirs;
    deja_error err;
    batch *b = load("version: 1\njobs:\n  a: {run: echo x > o, outputs: [o]}\n");
    char path[8192], claims[128] = "DEJA_CLAIMS=", *home = *state;
    snprintf(path, sizeof path, "output:%s/o", home);
    deja_hash what = deja_hash_bytes(path, strlen(path));
    deja_hash_hex(&what, claims + strlen(claims));
    mkdir(".deja", 0700);
    assert_int_equal(deja_claims_open(&theirs, ".deja/claims", &err), 0);
    assert_int_equal(deja_claim_try(theirs, &what, &err), 1);
    flow_options inside = defaults;
    inside.environment = (const char *const[]){"PATH=/usr/bin:/bin", claims, NULL};
    assert_string_equal(
        run_batch("version: 1\njobs:\n  a: {run: echo x > o, outputs: [o]}\n", &inside, "fw")->events, "f:a");
    deja_claims_close(theirs);
    batch_free(b);
}

/* `b` and `c` were keyed with the old content while `slow` ran; they are kept under the one that they read.
 */
static void test_flow__what_waits_for_a_slot_is_keyed_anew(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n"
                       "  slow: {run: sleep 1.3; echo new > in}\n"
                       "  b: {run: cat in, inputs: [in]}\n"
                       "  c: {run: cat in in, inputs: [in]}\n";
    flow_options one = defaults;
    one.slots = 1;
    write_file("in", "old\n");
    run *r = run_batch(text, &one, "fn");
    assert_string_equal(r->events, "f:slow f:b f:c");
    assert_string_equal(r->out, "new\nnew\nnew\n");
    assert_string_equal(run_batch(text, &one, "hfn")->events, "h:slow h:b h:c");
}

/* `d[k=1]` has the outputs looked at, and so many are not looked at again at once: what the others read of
 * them counts when they were looked at after their end. */
static void test_flow__a_change_between_two_looks_at_many_outputs_is_seen(void **state)
{
    (void)state;
    const char *text = "version: 1\njobs:\n"
                       "  a: {matrix: {n: {range: [1, 1001]}}, run: \"cp in ${{ o }}\", inputs: [in],"
                       " outputs: {o: \"o/${{ n }}\"}}\n"
                       "  d: {matrix: {k: {range: [1, 3]}}, needs: a,"
                       " run: \"test ${{ k }} = 1 || echo edited > o/700; cat o/700\"}\n";
    flow_options one = defaults;
    one.slots = 1;
    write_file("in", "made\n");
    run *r = run_batch(text, &one, "n");
    assert_string_equal(r->events, "n:d[k=2] n:d[k=3]");
    assert_int_equal(r->totals.ran, 1004);
    assert_int_equal(run_batch(text, &one, "")->totals.hits, 1002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_flow__second_run_is_answered_from_the_cache),
        CASE(test_flow__outputs_are_restored_right_ones_left_edited_ones_told),
        CASE(test_flow__every_part_of_the_key_counts),
        CASE(test_flow__a_changed_input_is_a_miss_and_a_revert_a_hit),
        CASE(test_flow__equal_results_cut_off_what_depends_on_them),
        CASE(test_flow__an_edited_output_that_is_left_counts_for_what_needs_it),
        CASE(test_flow__what_needs_a_job_of_unknown_results_is_not_kept),
        CASE(test_flow__a_program_made_by_a_job_is_found_by_the_next),
        CASE(test_flow__an_order_does_not_hide_what_a_dry_run_can_tell),
        CASE(test_flow__failures_are_never_kept_and_their_outputs_go),
        CASE(test_flow__a_missing_output_is_a_failure),
        CASE(test_flow__a_job_that_changes_its_input_is_not_kept),
        CASE(test_flow__an_input_that_changes_back_is_not_kept),
        CASE(test_flow__no_spelling_hides_that_an_output_is_an_input),
        CASE(test_flow__same_key_runs_once),
        CASE(test_flow__one_slot_keeps_batch_order),
        CASE(test_flow__dry_run_tells_and_does_nothing),
        CASE(test_flow__refresh_and_readonly),
        CASE(test_flow__a_status_that_counts_no_more_is_a_miss),
        CASE(test_flow__direct_execution_does_what_the_shell_would),
        CASE(test_flow__record_needs_its_outputs_in_place),
        CASE(test_flow__a_signal_ends_the_run_and_keeps_what_is_finished),
        CASE(test_flow__a_deja_inside_does_not_wait_for_its_ancestor),
        CASE(test_flow__what_waits_for_a_slot_is_keyed_anew),
        CASE(test_flow__a_change_between_two_looks_at_many_outputs_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
