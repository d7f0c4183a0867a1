/* The record of a run: jobs/record.h. */
#include "batch_fixture.h"
#include "failing_alloc.h"
#include "record.h"
#include <deja/clock.h>
#include <dirent.h>
#include <string.h>
#include <sys/file.h>

static const char two_jobs[] = "version: 1\n"
                               "jobs:\n"
                               "  a: {matrix: {n: [1, \"x\\ny\"], m: [z]}, run: \"echo ${{ n }} ${{ m }}\"}\n"
                               "  b: {run: echo b}\n";

static int64_t fixed_ns(void *context)
{
    (void)context;
    return 1795166609 * DEJA_S_NS + 5 * DEJA_MS_NS;
}

static const deja_clock fixed_clock = {.monotonic_ns = fixed_ns, .wall_ns = fixed_ns};

static record *open_record(const batch *b, const char *folder)
{
    static const char *const argv[] = {"-j4", "odd\xff", NULL};
    record *r = NULL;
    record_options o = {.folder = folder,
                        .batch = "deja.yaml",
                        .jobs = b,
                        .command = "run",
                        .argv = argv,
                        .version = "0.0.1",
                        .slots = 4,
                        .clock = &fixed_clock};
    assert_int_equal(record_open(&r, &o, NULL), 0);
    return r;
}

static flow_event event(const batch *b, flow_event_kind kind, uint32_t def, uint32_t index)
{
    return (flow_event){.kind = kind,
                        .def = &b->jobs[def],
                        .index = index,
                        .name = "a[n=x\ny/../z]",
                        .keyed = 1,
                        .out = {.fd = -1},
                        .err = {.fd = -1}};
}

static flow_bytes bytes(const char *text)
{
    return (flow_bytes){.data = text, .len = strlen(text), .fd = -1};
}

static const char *in_run(const record *r, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "runs/%s/%s", record_id(r), name);
    return path;
}

static void test_record__nothing_is_touched_when_nothing_happens(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    record *r = open_record(b, "runs");
    flow_totals t = {.total = 1};
    record_tick(r, &t, NULL, 0);
    record_finish(r, &t, 0);
    record_close(r);
    assert_int_not_equal(access("runs", F_OK), 0);
    batch_free(b);
}

static void test_record__hits_are_a_compact_list(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    record *r = open_record(b, "new/runs");
    flow_event hit = event(b, FLOW_HIT, 0, 1);
    memset(hit.key.byte, 0xab, sizeof hit.key.byte);
    record_event(r, &hit);
    assert_int_not_equal(access("new", F_OK), 0);
    flow_totals t = {.total = 1, .done = 1, .hits = 1};
    record_finish(r, &t, 0);
    char path[512];
    snprintf(path, sizeof path, "new/runs/%s/hits.bin", record_id(r));
    const char *text = read_file(path);
    assert_non_null(text);
    assert_memory_equal(text, "dejahits\1\0\0\0\x18\0\0\0\0\0\0\0\1\0\0\0\xab\xab", 26);
    record_close(r);
    batch_free(b);
}

static void test_record__many_hits_are_written_as_they_come(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    record *r = open_record(b, "runs");
    flow_event hit = event(b, FLOW_HIT, 0, 0);
    for (int i = 0; i < 30000; i++)
        record_event(r, &hit);
    struct stat st;
    assert_int_equal(stat(in_run(r, "hits.bin"), &st), 0);
    assert_true(st.st_size > 16);
    flow_totals t = {.total = 30000};
    record_finish(r, &t, 0);
    assert_int_equal(stat(in_run(r, "hits.bin"), &st), 0);
    assert_int_equal(st.st_size, 16 + 30000 * 24);
    record_close(r);
    batch_free(b);
}

static void add_key(deja_key *k)
{
    deja_hash hash = deja_hash_bytes("secret", 6);
    deja_content content = {.kind = DEJA_CONTENT_FILE, .hash = hash, .size = 6};
    deja_key_begin(k, "command");
    deja_key_add_string(k, DEJA_FIELD_ENV, "V", "value");
    deja_key_add(k, DEJA_FIELD_ENV_SECRET, "TOKEN", &hash, sizeof hash);
    deja_key_add_content(k, DEJA_FIELD_INPUT, "f", &content);
    content.kind = DEJA_CONTENT_LINK;
    deja_key_add_content(k, DEJA_FIELD_INPUT, "l", &content);
    content.kind = DEJA_CONTENT_ABSENT;
    deja_key_add_content(k, DEJA_FIELD_STDIN, "s", &content);
    deja_key_add(k, DEJA_FIELD_WORD, "", "\xff", 1);
}

static void test_record__a_job_that_ran_is_a_line_with_all_that_it_is_made_of(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    record *r = open_record(b, "runs");
    deja_key k = {0};
    add_key(&k);
    flow_event e = event(b, FLOW_FINISHED, 0, 1);
    e.encoding = k.bytes.data;
    e.encoding_len = k.bytes.len;
    e.wall_ns = 1500000000;
    e.out = bytes("out");
    e.not_kept = "disk full";
    record_event(r, &e);
    flow_totals t = {.total = 1, .done = 1, .ran = 1};
    record_finish(r, &t, 3);
    char expected[2048], hex[DEJA_HASH_HEX];
    deja_hash hash = deja_hash_bytes("secret", 6);
    deja_hash_hex(&hash, hex);
    snprintf(expected, sizeof expected,
             "{\"event\":\"finished\",\"job\":\"a\",\"params\":{\"n\":\"x\\ny\",\"m\":\"z\"},\"number\":0,"
             "\"index\":1,\"key\":\"00000000000000000000000000000000\",\"status\":0,\"start_ns\":0,"
             "\"wall_s\":1.5,\"cpu_s\":0,\"peak_rss_bytes\":0,\"stdout_bytes\":3,\"stderr_bytes\":0,\"output_"
             "at\":0,"
             "\"not_kept\":\"disk full\",\"fields\":[[\"kind\",\"\",\"command\"],[\"env\",\"V\",\"value\"],"
             "[\"env-secret\",\"TOKEN\",\"%s\"],[\"input\",\"f\",\"%s\"],[\"input\",\"l\",\"link %s\"],"
             "[\"stdin\",\"s\",null],[\"word\",\"\",{\"base64\":\"/w==\"}]]}\n",
             hex, hex, hex);
    assert_string_equal(read_file(in_run(r, "jobs.jsonl")), expected);
    const char *meta = read_file(in_run(r, "meta.json"));
    assert_non_null(strstr(meta, "\"argv\":[\"-j4\",{\"base64\":\"b2Rk/w==\"}]"));
    assert_non_null(strstr(meta, "\"start\":\"2026-11-20T09:23:29Z\""));
    assert_non_null(
        strstr(meta, "\"exit_status\":3,\"totals\":{\"total\":1,\"done\":1,\"hits\":0,\"ran\":1,"));
    assert_non_null(strstr(meta, "\"jobs\":[\"a\",\"b\"]}\n"));
    record_close(r);
    deja_key_done(&k);
    batch_free(b);
}

static void test_record__logs_of_failed_jobs_have_safe_and_unique_names(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    record *r = open_record(b, "runs");
    flow_event e = event(b, FLOW_FAILED, 0, 0);
    e.exit_status = 1;
    e.out = bytes("out");
    e.err = bytes("err");
    record_event(r, &e);
    assert_string_equal(record_log(r), in_run(r, "log/0001-a_n_x_y_.._z_.err"));
    assert_string_equal(read_file(record_log(r)), "err");
    assert_string_equal(read_file(in_run(r, "log/0001-a_n_x_y_.._z_.out")), "out");
    e.err = bytes("");
    record_event(r, &e);
    assert_string_equal(record_log(r), in_run(r, "log/0002-a_n_x_y_.._z_.out"));
    e.out = bytes("");
    record_event(r, &e);
    assert_null(record_log(r));
    record_close(r);
    batch_free(b);
}

static void test_record__a_log_in_a_file_is_copied(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    record *r = open_record(b, "runs");
    write_file("spooled", "from a file, and more");
    FILE *f = fopen("spooled", "r");
    flow_event e = event(b, FLOW_FAILED, 1, 0);
    e.err = (flow_bytes){.len = 11, .fd = fileno(f)};
    record_event(r, &e);
    assert_string_equal(read_file(record_log(r)), "from a file");
    fclose(f);
    record_close(r);
    batch_free(b);
}

static void test_record__output_of_all_jobs_goes_into_one_file(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    record *r = open_record(b, "runs");
    static char large[70000];
    memset(large, 'x', sizeof large);
    flow_event e = event(b, FLOW_FINISHED, 0, 0);
    record_event(r, &e); /* says nothing */
    e.out = bytes("out one");
    e.err = bytes("err one");
    record_event(r, &e);
    e.kept = 1;
    e.out = (flow_bytes){.data = large, .len = sizeof large, .fd = -1};
    record_event(r, &e); /* the cache has it */
    int fd = open("deja.yaml.spool", O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_int_equal(write(fd, "spooled", 7), 7);
    e.out = (flow_bytes){.fd = fd, .len = 7};
    record_event(r, &e);
    flow_event failed = event(b, FLOW_FAILED, 1, 0);
    failed.out = bytes("bad");
    record_event(r, &failed); /* has a file of its own */
    flow_totals t = {.total = 5};
    record_finish(r, &t, 0);
    assert_string_equal(read_file(in_run(r, "output")), "out oneerr onespoolederr one");
    const char *lines = read_file(in_run(r, "jobs.jsonl"));
    assert_non_null(strstr(lines, "\"stdout_bytes\":7,\"stderr_bytes\":7,\"output_at\":0,"));
    assert_non_null(strstr(lines, "\"stdout_bytes\":7,\"stderr_bytes\":7,\"output_at\":14,"));
    assert_non_null(strstr(lines, "\"stdout_bytes\":70000,\"stderr_bytes\":7,\"fields\""));
    assert_non_null(strstr(lines, "\"stdout_bytes\":3,\"stderr_bytes\":0,\"log\":1,"));
    close(fd);
    record_close(r);
    batch_free(b);
}

static void test_record__a_living_run_holds_its_lock_and_tells_how_far_it_is(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    record *r = open_record(b, "runs");
    flow_event e = event(b, FLOW_STARTED, 0, 0);
    record_event(r, &e);
    flow_totals t = {.total = 9, .done = 2, .running = 1};
    record_tick(r, &t, NULL, 0);
    DIR *runs = opendir("runs");
    runs_state seen;
    assert_int_equal(runs_alive(dirfd(runs), record_id(r), &seen), 1);
    assert_memory_equal(seen.magic, "dejarun1", 8);
    assert_int_equal(seen.pid, getpid());
    assert_int_equal(seen.total, 9);
    assert_int_equal(seen.running, 1);
    char id[RUNS_ID];
    snprintf(id, sizeof id, "%s", record_id(r));
    record_close(r);
    assert_int_equal(runs_alive(dirfd(runs), id, &seen), 0);
    closedir(runs);
    batch_free(b);
}

static void test_record__a_taken_id_gets_a_number(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    record *one = open_record(b, "runs");
    record *two = open_record(b, "runs");
    assert_string_equal(record_id(one), record_id(two));
    flow_event e = event(b, FLOW_STARTED, 0, 0);
    record_event(one, &e);
    record_event(two, &e);
    assert_string_not_equal(record_id(one), record_id(two));
    assert_true(runs_is_id(record_id(two)));
    record_close(one);
    record_close(two);
    batch_free(b);
}

static void test_record__trouble_is_told_once_and_stops_nothing(void **state)
{
    (void)state;
    deja_error err;
    batch *b = load(two_jobs);
    write_file("file", "");
    record *r = open_record(b, "file/runs");
    flow_event e = event(b, FLOW_FAILED, 0, 0);
    e.err = bytes("err");
    record_event(r, &e);
    record_event(r, &e);
    flow_totals t = {.total = 1};
    record_finish(r, &t, 0);
    assert_null(record_log(r));
    assert_int_equal(record_trouble(r, &err), 1);
    assert_non_null(strstr(err.text, "file"));
    assert_int_equal(record_trouble(r, &err), 0);
    record_close(r);
    batch_free(b);
}

static void test_record__a_folder_that_others_may_write_to_is_refused(void **state)
{
    (void)state;
    deja_error err;
    batch *b = load(two_jobs);
    assert_int_equal(mkdir("runs", 0700), 0);
    assert_int_equal(chmod("runs", 0720), 0);
    record *r = open_record(b, "runs");
    flow_event e = event(b, FLOW_STARTED, 0, 0);
    record_event(r, &e);
    assert_int_equal(record_trouble(r, &err), 1);
    assert_int_equal(err.code, DEJA_EDENIED);
    record_close(r);
    batch_free(b);
}

static void test_record__without_a_folder_there_is_only_an_id(void **state)
{
    (void)state;
    deja_error err;
    batch *b = load(two_jobs);
    record *r = open_record(b, NULL);
    flow_event e = event(b, FLOW_FAILED, 0, 0);
    flow_totals t = {.total = 1};
    record_event(r, &e);
    record_tick(r, &t, NULL, 0);
    record_finish(r, &t, 0);
    assert_true(runs_is_id(record_id(r)));
    assert_int_equal(record_trouble(r, &err), 0);
    record_close(r);
    record_close(NULL);
    batch_free(b);
}

/* Whichever allocation fails: no crash, no leak, and trouble is told unless all was written. */
static void test_record__no_memory_is_trouble_and_nothing_worse(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    int failed = 1;
    for (long n = 1; failed; n++) {
        record *r = NULL;
        char folder[32];
        deja_error err;
        snprintf(folder, sizeof folder, "runs%ld", n);
        record_options o = {
            .folder = folder, .jobs = b, .command = "run", .version = "0.0.1", .clock = &fixed_clock};
        flow_totals t = {.total = 4, .done = 4};
        failing_alloc_at(n);
        if (record_open(&r, &o, &err) == 0) {
            flow_event e = event(b, FLOW_STARTED, 0, 0);
            record_event(r, &e);
            e.kind = FLOW_FINISHED;
            record_event(r, &e);
            e.kind = FLOW_FAILED;
            e.err = bytes("err");
            record_event(r, &e);
            e.kind = FLOW_HIT;
            record_event(r, &e);
            record_tick(r, &t, NULL, 0);
            record_finish(r, &t, 0);
        }
        failed = failing_alloc_hits > 0;
        failing_alloc_at(0);
        assert_true(failed || !record_trouble(r, &err));
        record_close(r);
    }
    batch_free(b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_record__nothing_is_touched_when_nothing_happens),
        CASE(test_record__hits_are_a_compact_list),
        CASE(test_record__many_hits_are_written_as_they_come),
        CASE(test_record__a_job_that_ran_is_a_line_with_all_that_it_is_made_of),
        CASE(test_record__logs_of_failed_jobs_have_safe_and_unique_names),
        CASE(test_record__a_log_in_a_file_is_copied),
        CASE(test_record__output_of_all_jobs_goes_into_one_file),
        CASE(test_record__a_living_run_holds_its_lock_and_tells_how_far_it_is),
        CASE(test_record__a_taken_id_gets_a_number),
        CASE(test_record__trouble_is_told_once_and_stops_nothing),
        CASE(test_record__a_folder_that_others_may_write_to_is_refused),
        CASE(test_record__no_memory_is_trouble_and_nothing_worse),
        CASE(test_record__without_a_folder_there_is_only_an_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
