/* The record of a run, read: jobs/past_run.h. */
#include "batch_fixture.h"
#include "past_run.h"
#include "record.h"
#include <fcntl.h>

static const char two_jobs[] = "version: 1\n"
                               "jobs:\n"
                               "  a: {matrix: {n: [1, \"x\\ny\"]}, run: \"echo ${{ n }}\"}\n"
                               "  b: {run: echo b}\n";

static flow_bytes bytes(const char *text)
{
    return (flow_bytes){.data = text, .len = strlen(text), .fd = -1};
}

/* A run with a hit, a job that ran and one that failed; its id in static memory. `living`: it goes on. */
static const char *make(batch *b, record **living)
{
    static char id[RUNS_ID];
    static const char *const argv[] = {"-j4", "odd\xff", NULL};
    record *r = NULL;
    record_options o = {.folder = "runs",
                        .batch = "deja.yaml",
                        .jobs = b,
                        .command = "run",
                        .argv = argv,
                        .version = "0",
                        .slots = 4};
    assert_int_equal(record_open(&r, &o, NULL), 0);
    flow_event e = {.kind = FLOW_HIT,
                    .def = &b->jobs[0],
                    .index = 0,
                    .name = "a[n=1]",
                    .keyed = 1,
                    .key = {{7}},
                    .out = {.fd = -1},
                    .err = {.fd = -1}};
    record_event(r, &e);
    e.kind = FLOW_FINISHED;
    e.index = 1;
    e.wall_ns = 1500000000;
    e.out = bytes("out");
    e.err = bytes("error");
    record_event(r, &e);
    e = (flow_event){.kind = FLOW_FAILED,
                     .def = &b->jobs[1],
                     .name = "b",
                     .exit_status = -1,
                     .signal = 11,
                     .reason = "it broke",
                     .out = {.fd = -1},
                     .err = bytes("sorry")};
    record_event(r, &e);
    flow_totals t = {.total = 3, .done = 3, .hits = 1, .ran = 1, .failed = 1};
    snprintf(id, sizeof id, "%s", record_id(r));
    const runs_job running = {.started_ns = 5, .name = "b"};
    record_tick(r, &t, &running, 1);
    if (living) {
        *living = r;
        return id;
    }
    record_finish(r, &t, 1);
    record_close(r);
    return id;
}

typedef struct seen {
    const past_run *run;
    unsigned count;
} seen;

static int check_job(void *context, const past_job *j)
{
    seen *s = context;
    uint64_t at;
    char text[8] = "";
    if (s->count++ == 0) {
        assert_string_equal(j->label.data, "a[n=x\ny]");
        assert_int_equal(j->failed, 0);
        assert_int_equal(j->keyed, 1);
        assert_int_equal(j->key.byte[0], 7);
        assert_int_equal(j->wall_ns, 1500000000);
        int fd = past_run_output(s->run, j, 1, &at);
        assert_int_equal(pread(fd, text, 5, (off_t)at), 5);
        assert_string_equal(text, "error");
        close(fd);
        return 0;
    }
    assert_string_equal(j->label.data, "b");
    assert_int_equal(j->failed, 1);
    assert_int_equal(j->exit_status, -1);
    assert_int_equal(j->signal, 11);
    assert_string_equal(j->reason.data, "it broke");
    int fd = past_run_output(s->run, j, 1, &at);
    assert_int_equal(pread(fd, text, 5, (off_t)at), 5);
    assert_string_equal(text, "sorry");
    close(fd);
    return 0;
}

static void test_past_run__what_was_recorded_comes_back(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    assert_int_equal(batch_expand(b, &b->jobs[0], NULL), 0);
    const char *id = make(b, NULL);
    int runs_fd = open("runs", O_RDONLY | O_DIRECTORY);
    past_run run = {.fd = -1};
    deja_hash key;
    assert_int_equal(past_run_open(&run, runs_fd, id, NULL), 0);
    assert_true(run.readable && run.ended && !run.lives);
    assert_string_equal(run.batch.data, "deja.yaml");
    assert_string_equal(run.command.data, "run");
    assert_string_equal(run.arguments.data, "-j4 odd\xff");
    assert_int_equal(run.slots, 4);
    assert_int_equal(run.exit_status, 1);
    assert_int_equal(run.totals.failed, 1);
    seen s = {.run = &run};
    assert_int_equal(past_run_jobs(&run, check_job, &s), 0);
    assert_int_equal(s.count, 2);
    assert_int_equal(past_run_hit(&run, "a", 0, &key), 1);
    assert_int_equal(key.byte[0], 7);
    assert_int_equal(past_run_hit(&run, "a", 1, &key), 0);
    assert_int_equal(past_run_hit(&run, "c", 0, &key), 0);
    past_run_close(&run);
    close(runs_fd);
    batch_free(b);
}

static void test_past_run__a_living_run_tells_what_runs(void **state)
{
    (void)state;
    batch *b = load(two_jobs);
    assert_int_equal(batch_expand(b, &b->jobs[0], NULL), 0);
    record *living;
    const char *id = make(b, &living);
    int runs_fd = open("runs", O_RDONLY | O_DIRECTORY);
    past_run run = {.fd = -1};
    runs_job list[4];
    deja_buffer names = {0};
    assert_int_equal(past_run_open(&run, runs_fd, id, NULL), 0);
    assert_true(run.lives && !run.ended);
    assert_int_equal(run.totals.done, 3);
    assert_int_equal(runs_running(runs_fd, id, &names, list, 4), 1);
    assert_int_equal(list[0].started_ns, 5);
    assert_memory_equal(list[0].name, "b", list[0].name_len);
    past_run_close(&run);
    record_close(living);
    assert_int_equal(past_run_open(&run, runs_fd, id, NULL), 0);
    assert_true(!run.lives && !run.ended && run.readable);
    past_run_close(&run);
    deja_buffer_done(&names);
    close(runs_fd);
    batch_free(b);
}

static void test_past_run__runs_are_found_by_the_beginning_of_their_ids(void **state)
{
    (void)state;
    char id[RUNS_ID];
    deja_error err;
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    assert_int_equal(past_run_find(fd, "last", id, &err), DEJA_ENOTFOUND);
    mkdir("20260101-101112.000-1", 0700);
    mkdir("20260101-101112.000-12", 0700);
    mkdir("20260102-131415.000-2", 0700);
    mkdir("not-a-run", 0700);
    assert_int_equal(past_run_find(fd, "last", id, &err), 0);
    assert_string_equal(id, "20260102-131415.000-2");
    assert_int_equal(past_run_find(fd, "20260102", id, &err), 0);
    assert_int_equal(past_run_find(fd, "1314", id, &err), 0);
    assert_int_equal(past_run_find(fd, "20260101-101112.000-1", id, &err), 0);
    assert_string_equal(id, "20260101-101112.000-1");
    assert_int_equal(past_run_find(fd, "20260101", id, &err), DEJA_EINVAL);
    assert_string_equal(err.text, "2 runs begin with '20260101' ('deja runs' lists them)");
    assert_int_equal(past_run_find(fd, "", id, &err), DEJA_ENOTFOUND);
    close(fd);
}

static int count_job(void *context, const past_job *j)
{
    uint64_t at;
    const seen *s = context;
    deja_buffer path = {0};
    past_run_log(s->run, j, 0, &path);
    deja_buffer_done(&path);
    int fd = past_run_output(s->run, j, 0, &at);
    if (fd >= 0)
        close(fd);
    return 0;
}

static void read_all(int runs_fd, const char *id)
{
    past_run run = {.fd = -1};
    runs_job list[4];
    deja_hash key;
    deja_buffer names = {0};
    assert_int_equal(past_run_open(&run, runs_fd, id, NULL), 0);
    seen s = {.run = &run};
    past_run_jobs(&run, count_job, &s);
    past_run_hit(&run, "a", 3, &key);
    runs_running(runs_fd, id, &names, list, 4);
    deja_buffer_done(&names);
    past_run_close(&run);
}

/* Each byte of each file is made another one, and each file is cut everywhere. */
static void test_past_run__damage_ends_softly(void **state)
{
    (void)state;
    static const char *const files[] = {"meta.json", "jobs.jsonl", "hits.bin", "output", "state"};
    batch *b = load(two_jobs);
    assert_int_equal(batch_expand(b, &b->jobs[0], NULL), 0);
    const char *id = make(b, NULL);
    int runs_fd = open("runs", O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[256], data[8192];
        snprintf(path, sizeof path, "runs/%s/%s", id, files[i]);
        int fd = open(path, O_RDWR);
        ssize_t len = pread(fd, data, sizeof data, 0);
        assert_true(len > 0 && len < (ssize_t)sizeof data);
        for (ssize_t at = 0; at < len && at < 1500; at++) {
            const char other = (char)(data[at] ^ (1 << at % 8));
            assert_int_equal(pwrite(fd, &other, 1, at), 1);
            read_all(runs_fd, id);
            assert_int_equal(pwrite(fd, &data[at], 1, at), 1);
        }
        for (ssize_t at = len; at >= 0; at -= at % 7 + 1) {
            assert_int_equal(ftruncate(fd, at), 0);
            read_all(runs_fd, id);
        }
        close(fd);
    }
    close(runs_fd);
    batch_free(b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_past_run__what_was_recorded_comes_back),
        CASE(test_past_run__a_living_run_tells_what_runs),
        CASE(test_past_run__runs_are_found_by_the_beginning_of_their_ids),
        CASE(test_past_run__damage_ends_softly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
