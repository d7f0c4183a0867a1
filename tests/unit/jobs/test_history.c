/* What is remembered of jobs: jobs/history.h. */
#include "batch_fixture.h"
#include "history_state.h"
#include <deja/key.h>
#include <fcntl.h>
#include <sys/file.h>

static const char text[] = "version: 1\n"
                           "jobs:\n"
                           "  a: {matrix: {t: [x, y], n: [1, 2, 3, 40]}, run: \"echo ${{ t }} ${{ n }}\"}\n"
                           "  b: {run: echo b}\n"
                           "  many: {matrix: {n: {range: [1, 20000]}}, run: \"echo ${{ n }}\"}\n";

static batch *load_expanded(void)
{
    batch *b = load(text);
    for (uint32_t i = 0; i < b->job_count; i++)
        assert_int_equal(batch_expand(b, &b->jobs[i], NULL), 0);
    assert_true(mkdir("runs", 0700) == 0 || errno == EEXIST);
    return b;
}

static history *open_at(const char *folder)
{
    const batch some = {.source = {.path = "some/deja.yaml"}};
    const history_options o = {.folder = folder, .batch = &some};
    history *h;
    assert_int_equal(history_open(&h, &o, NULL), 0);
    return h;
}

static void note(history *h, const batch_job *def, uint32_t index, flow_event_kind kind, int64_t wall_ns)
{
    deja_key k = {0};
    deja_key_begin(&k, "command");
    deja_key_add_string(&k, DEJA_FIELD_VERSION, "", "7");
    static int64_t now_ns = 1000;
    const flow_event e = {.kind = kind,
                          .def = def,
                          .index = index,
                          .keyed = 1,
                          .kept = kind == FLOW_FINISHED,
                          .key = {.byte = {(uint8_t)index, 2, 3}},
                          .encoding = k.bytes.data,
                          .encoding_len = k.bytes.len,
                          .exit_status = kind == FLOW_FAILED ? 3 : 0,
                          .reason = kind == FLOW_FAILED ? "it broke" : NULL,
                          .started_ns = now_ns++,
                          .wall_ns = wall_ns};
    history_note(h, &e, "RUN");
    deja_key_done(&k);
}

/* One note in a history of its own. */
static void note_once(const batch_job *def, uint32_t index, flow_event_kind kind, int64_t wall_ns)
{
    history *h = open_at("runs");
    note(h, def, index, kind, wall_ns);
    assert_int_equal(history_finish(h, NULL), 0);
    history_close(h);
}

static size_t find(history *h, const batch_job *def, uint32_t index, history_item ret[HISTORY_RUNS + 1])
{
    const history_id id = history_id_of(h, def, index);
    return history_find(h, &id, ret);
}

static size_t count_of(const batch_job *def, uint32_t index)
{
    history_item items[HISTORY_RUNS + 1];
    history *h = open_at("runs");
    size_t n = find(h, def, index, items);
    history_close(h);
    return n;
}

static void test_history__nothing_is_known_and_nothing_touched(void **state)
{
    (void)state;
    batch *b = load_expanded();
    int64_t wall;
    const char *const folders[] = {NULL, "nowhere", "runs"};
    for (size_t i = 0; i < 3; i++) {
        history_item items[HISTORY_RUNS + 1];
        history *h = open_at(folders[i]);
        assert_int_equal(find(h, &b->jobs[1], 0, items), 0);
        assert_int_equal(history_estimate(h, &b->jobs[1], 0, &wall), HISTORY_UNKNOWN);
        assert_int_equal(history_nearest(h, &b->jobs[1], 0, items), 0);
        assert_int_equal(history_finish(h, NULL), 0);
        history_close(h);
    }
    assert_int_not_equal(access("nowhere", F_OK), 0);
    assert_int_not_equal(access("runs/.history", F_OK), 0);
    history_close(NULL);
    batch_free(b);
}

static void test_history__what_is_noted_comes_back_whole(void **state)
{
    (void)state;
    batch *b = load_expanded();
    note_once(&b->jobs[0], 5, FLOW_FAILED, 70);
    history *h = open_at("runs");
    history_item items[HISTORY_RUNS + 1];
    history_record r = {.param_count = 0};
    assert_int_equal(find(h, &b->jobs[0], 5, items), 1);
    assert_int_equal(history_load(h, &items[0], &r), 1);
    assert_int_equal(r.item.flags, HISTORY_FAILED | HISTORY_KEYED);
    assert_int_equal(r.item.wall_ns, 70);
    assert_int_equal(r.exit_status, 3);
    assert_int_equal(r.key.byte[0], 5);
    assert_string_equal(r.job, "a");
    assert_string_equal(r.run, "RUN");
    assert_string_equal(r.reason, "it broke");
    assert_int_equal(r.param_count, 2);
    assert_string_equal(r.params[0].name, "n");
    assert_string_equal(r.params[0].value, "2");
    assert_string_equal(r.params[1].value, "y");
    size_t at = 0;
    deja_field field;
    assert_int_equal(deja_field_next(r.encoding, r.encoding_len, &at, &field), 1);
    assert_int_equal(deja_field_next(r.encoding, r.encoding_len, &at, &field), 1);
    assert_int_equal(field.tag, DEJA_FIELD_VERSION);
    assert_int_equal(find(h, &b->jobs[0], 4, items), 0);
    history_record_done(&r);
    history_close(h);
    batch_free(b);
}

/* Another value in a matrix moves the numbers of all that follow. */
static void test_history__an_instance_is_known_by_its_parameters(void **state)
{
    (void)state;
    batch *b = load_expanded();
    note_once(&b->jobs[0], 1, FLOW_FINISHED, 10); /* t=x, n=2 */
    batch_free(b);
    b = load("version: 1\njobs:\n  a: {matrix: {n: [0, 2], t: [x]}, run: \"echo ${{ t }} ${{ n }}\"}\n");
    assert_int_equal(batch_expand(b, &b->jobs[0], NULL), 0);
    assert_int_equal(count_of(&b->jobs[0], 0), 0);
    assert_int_equal(count_of(&b->jobs[0], 1), 1);
    const batch file = {.source = {.path = "other.yaml"}};
    const history_options other = {.folder = "runs", .batch = &file};
    history *h;
    history_item items[HISTORY_RUNS + 1];
    assert_int_equal(history_open(&h, &other, NULL), 0);
    assert_int_equal(find(h, &b->jobs[0], 1, items), 0);
    history_close(h);
    batch_free(b);
}

static void test_history__the_newest_come_first(void **state)
{
    (void)state;
    batch *b = load_expanded();
    for (int i = 1; i <= 6; i++)
        note_once(&b->jobs[1], 0, FLOW_FINISHED, i);
    history *h = open_at("runs");
    history_item items[HISTORY_RUNS + 1];
    assert_int_equal(find(h, &b->jobs[1], 0, items), HISTORY_RUNS + 1);
    for (int i = 0; i <= HISTORY_RUNS; i++)
        assert_int_equal(items[i].wall_ns, 6 - i);
    history_close(h);
    batch_free(b);
}

static int64_t estimate(const batch_job *def, uint32_t index, history_source from)
{
    int64_t wall = -1;
    history *h = open_at("runs");
    assert_int_equal(history_estimate(h, def, index, &wall), from);
    history_close(h);
    return wall;
}

static void test_history__an_estimate_is_the_median_or_the_nearest(void **state)
{
    (void)state;
    batch *b = load_expanded();
    const batch_job *a = &b->jobs[0];
    note_once(a, 0, FLOW_FAILED, 900); /* t=x, n=1: failures say nothing */
    assert_int_equal(estimate(a, 0, HISTORY_UNKNOWN), -1);
    note_once(a, 0, FLOW_FINISHED, 100);
    note_once(a, 0, FLOW_FINISHED, 400);
    note_once(a, 0, FLOW_FINISHED, 120);
    assert_int_equal(estimate(a, 0, HISTORY_OWN), 120);
    note_once(a, 3, FLOW_FINISHED, 4000);                    /* t=x, n=40 */
    assert_int_equal(estimate(a, 2, HISTORY_NEAREST), 120);  /* t=x, n=3: all of n=1's median run or newest */
    assert_int_equal(estimate(a, 7, HISTORY_NEAREST), 4000); /* t=y, n=40 */
    assert_int_equal(estimate(&b->jobs[1], 0, HISTORY_UNKNOWN), -1);
    batch_free(b);
}

static void test_history__what_was_adopted_is_known_and_tells_no_duration(void **state)
{
    (void)state;
    batch *b = load_expanded();
    history_item items[HISTORY_RUNS + 1];
    int64_t wall;
    history *h = open_at("runs");
    const flow_event e = {.kind = FLOW_FINISHED, .def = &b->jobs[1], .adopted = 1, .started_ns = 1};
    history_note(h, &e, "RUN");
    assert_int_equal(history_finish(h, NULL), 0);
    history_close(h);
    h = open_at("runs");
    assert_int_equal(find(h, &b->jobs[1], 0, items), 1);
    assert_int_equal(items[0].flags, HISTORY_ADOPTED);
    assert_int_equal(history_estimate(h, &b->jobs[1], 0, &wall), HISTORY_UNKNOWN);
    assert_int_equal(history_mean(h, &b->jobs[1], &wall, &wall), 0);
    history_close(h);
    batch_free(b);
}

static void test_history__the_nearest_instance_is_another_one(void **state)
{
    (void)state;
    batch *b = load_expanded();
    const batch_job *a = &b->jobs[0];
    note_once(a, 0, FLOW_FINISHED, 1);
    note_once(a, 2, FLOW_FINISHED, 2);
    note_once(a, 6, FLOW_FINISHED, 3);
    note_once(a, 1, FLOW_FAILED, 4);
    history *h = open_at("runs");
    history_item item;
    assert_int_equal(history_nearest(h, a, 2, &item), 1);
    assert_int_equal(item.wall_ns, 1); /* same t, n 1 instead of 3; the other has n=3 and another t */
    assert_int_equal(history_nearest(h, a, 7, &item), 1);
    assert_int_equal(item.wall_ns, 3);
    history_close(h);
    batch_free(b);
}

/* Enough for an index, in several rounds; some instances more often than they are remembered. */
static void test_history__many_records_are_put_in_order(void **state)
{
    (void)state;
    batch *b = load_expanded();
    const batch_job *many = &b->jobs[2];
    struct stat st;
    for (int round = 0; round < 8; round++) {
        history *h = open_at("runs");
        for (uint32_t i = 0; i < 20000; i++) {
            note(h, many, i, i % 5000 == 1 && round == 7 ? FLOW_FAILED : FLOW_FINISHED,
                 round * 100000 + (int)i);
            assert_int_equal(history_flush(h, 0, NULL), 0);
        }
        assert_int_equal(history_finish(h, NULL), 0);
        history_close(h);
    }
    assert_int_equal(stat("runs/.history.index", &st), 0);
    assert_true(st.st_size > 20000 * 48);
    assert_int_equal(stat("runs/.history", &st), 0);
    assert_true(st.st_size < 8 * 20000 * 140); /* replaced at least once */
    history *h = open_at("runs");
    history_item items[HISTORY_RUNS + 1];
    history_record r = {.param_count = 0};
    for (uint32_t i = 0; i < 20000; i += 977) {
        assert_int_equal(find(h, many, i, items), HISTORY_RUNS);
        assert_int_equal(items[0].wall_ns, 700000 + i);
        assert_int_equal(history_load(h, &items[2], &r), 1);
        assert_int_equal(r.item.wall_ns, 500000 + i);
    }
    assert_int_equal(find(h, many, 5001, items), HISTORY_RUNS + 1);
    assert_true(items[0].flags & HISTORY_FAILED);
    history_record_done(&r);
    history_close(h);
    batch_free(b);
}

static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    char c;
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 0x55;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static void test_history__a_damaged_record_costs_itself_only(void **state)
{
    (void)state;
    batch *b = load_expanded();
    for (uint32_t i = 0; i < 3; i++)
        note_once(&b->jobs[0], i, FLOW_FINISHED, 5);
    struct stat st;
    assert_int_equal(stat("runs/.history", &st), 0);
    off_t each = (st.st_size - HISTORY_LOG_HEADER) / 3;
    flip("runs/.history", HISTORY_LOG_HEADER + each + 60);
    assert_int_equal(count_of(&b->jobs[0], 0), 1);
    assert_int_equal(count_of(&b->jobs[0], 1), 0);
    assert_int_equal(count_of(&b->jobs[0], 2), 1);
    assert_int_equal(truncate("runs/.history", st.st_size - 3), 0); /* what a kill leaves */
    assert_int_equal(count_of(&b->jobs[0], 2), 0);
    note_once(&b->jobs[0], 3, FLOW_FINISHED, 5);
    assert_int_equal(count_of(&b->jobs[0], 3), 1);
    assert_int_equal(count_of(&b->jobs[0], 0), 1);
    batch_free(b);
}

static void test_history__any_byte_may_be_wrong(void **state)
{
    (void)state;
    batch *b = load_expanded();
    for (uint32_t i = 0; i < 3; i++)
        note_once(&b->jobs[0], i, FLOW_FINISHED, 5);
    struct stat st;
    assert_int_equal(stat("runs/.history", &st), 0);
    for (off_t at = 0; at < st.st_size; at++) {
        flip("runs/.history", at);
        history *h = open_at("runs");
        history_item items[HISTORY_RUNS + 1];
        history_record r = {.param_count = 0};
        int64_t wall;
        size_t n = find(h, &b->jobs[0], 1, items);
        for (size_t i = 0; i < n; i++)
            history_load(h, &items[i], &r);
        history_estimate(h, &b->jobs[0], 4, &wall);
        history_record_done(&r);
        history_close(h);
        flip("runs/.history", at);
    }
    assert_int_equal(count_of(&b->jobs[0], 1), 1);
    batch_free(b);
}

static void test_history__a_foreign_index_is_not_believed(void **state)
{
    (void)state;
    batch *b = load_expanded();
    note_once(&b->jobs[0], 0, FLOW_FINISHED, 5);
    history_item item = {.id = {1, 2}};
    int fd = open("runs", O_RDONLY | O_DIRECTORY);
    assert_int_equal(history_index_save(fd, 12345, 32, &item, 1, NULL), 0);
    assert_int_equal(count_of(&b->jobs[0], 0), 1);
    write_file("runs/.history.index", "short");
    assert_int_equal(count_of(&b->jobs[0], 0), 1);
    close(fd);
    batch_free(b);
}

static void test_history__what_is_no_history_is_told_once_and_left(void **state)
{
    (void)state;
    batch *b = load_expanded();
    write_file("runs/.history", "a letter to somebody, longer than a header");
    history *h = open_at("runs");
    deja_error err;
    note(h, &b->jobs[1], 0, FLOW_FINISHED, 1);
    assert_int_equal(history_finish(h, &err), DEJA_ECORRUPT);
    assert_string_equal(err.text, "the history of jobs in 'runs': '.history' is damaged: remove it");
    note(h, &b->jobs[1], 0, FLOW_FINISHED, 1);
    assert_int_equal(history_finish(h, &err), 0);
    history_close(h);
    assert_string_equal(read_file("runs/.history"), "a letter to somebody, longer than a header");
    batch_free(b);
}

/* Who wants to write while another one puts things in order writes into the new file. */
static void test_history__a_replaced_file_is_followed(void **state)
{
    (void)state;
    batch *b = load_expanded();
    note_once(&b->jobs[0], 0, FLOW_FINISHED, 5);
    int runs_fd = open("runs", O_RDONLY | O_DIRECTORY);
    history_log l = {.fd = -1};
    assert_int_equal(history_log_open(&l, runs_fd, 1, NULL), 0);
    assert_int_equal(history_log_lock(&l, runs_fd, NULL), 0);
    history_log late = {.fd = -1};
    assert_int_equal(history_log_open(&late, runs_fd, 1, NULL), 0);
    assert_int_equal(history_log_rewrite(&l, runs_fd, NULL, 0, NULL), 0);
    assert_int_equal(history_log_lock(&late, runs_fd, NULL), DEJA_ECHANGED);
    history_log_close(&late);
    history_log_close(&l);
    assert_int_equal(count_of(&b->jobs[0], 0), 0);
    note_once(&b->jobs[0], 0, FLOW_FINISHED, 5);
    assert_int_equal(count_of(&b->jobs[0], 0), 1);
    close(runs_fd);
    batch_free(b);
}

static void test_history__the_oldest_go_when_there_is_too_much(void **state)
{
    (void)state;
    history_index x = {0};
    for (uint64_t i = 0; i < 100; i++) {
        const history_item item = {
            .id = {.job = i % 50}, .at = i, .len = 10, .started_ns = (int64_t)i, .wall_ns = (int64_t)i};
        assert_int_equal(history_index_add(&x, &item), 0);
    }
    history_index_sort(&x);
    history_item *kept;
    size_t count;
    uint64_t bytes;
    assert_int_equal(history_index_keep(&x, 1000, &kept, &count, &bytes), 0);
    assert_int_equal(count, 100);
    deja_free(kept);
    assert_int_equal(history_index_keep(&x, 600, &kept, &count, &bytes), 0);
    assert_int_equal(count, 50);
    deja_free(kept);
    assert_int_equal(history_index_keep(&x, 200, &kept, &count, &bytes), 0);
    assert_int_equal(count, 20);
    assert_int_equal(bytes, 200);
    for (size_t i = 0; i < count; i++)
        assert_true(kept[i].started_ns >= 80);
    deja_free(kept);
    history_index_close(&x);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

/* A slow run of an instance that was quick before or after makes no long job. */
static void test_history__the_mean_and_the_longest(void **state)
{
    (void)state;
    batch *b = load_expanded();
    const batch_job *def = &b->jobs[0];
    int64_t mean, longest;
    history *h = open_at("runs");
    assert_int_equal(history_mean(h, def, &mean, &longest), 0);
    history_close(h);
    note_once(def, 0, FLOW_FINISHED, 100);
    note_once(def, 1, FLOW_FINISHED, 20);
    note_once(def, 1, FLOW_FINISHED, 900);
    note_once(def, 2, FLOW_FINISHED, 700);
    note_once(def, 2, FLOW_FINISHED, 30);
    note_once(def, 2, FLOW_FAILED, 9000);
    note_once(&b->jobs[1], 0, FLOW_FINISHED, 5000);
    h = open_at("runs");
    assert_int_equal(history_mean(h, def, &mean, &longest), 5);
    assert_int_equal(mean, 350);
    assert_int_equal(longest, 100);
    history_close(h);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_history__nothing_is_known_and_nothing_touched),
        CASE(test_history__what_is_noted_comes_back_whole),
        CASE(test_history__an_instance_is_known_by_its_parameters),
        CASE(test_history__the_newest_come_first),
        CASE(test_history__an_estimate_is_the_median_or_the_nearest),
        CASE(test_history__the_mean_and_the_longest),
        CASE(test_history__what_was_adopted_is_known_and_tells_no_duration),
        CASE(test_history__the_nearest_instance_is_another_one),
        CASE(test_history__many_records_are_put_in_order),
        CASE(test_history__a_damaged_record_costs_itself_only),
        CASE(test_history__any_byte_may_be_wrong),
        CASE(test_history__a_foreign_index_is_not_believed),
        CASE(test_history__what_is_no_history_is_told_once_and_left),
        CASE(test_history__a_replaced_file_is_followed),
        CASE(test_history__the_oldest_go_when_there_is_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
