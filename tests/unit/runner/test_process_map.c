/*
 * Maps in processes: every form of arguments and results, and items that take their worker with them.
 */
#include "control_block.h"
#include "map_block.h"
#include "processes.h"

#include <fcntl.h>

static deja_map_run *begin(deja_pool *p, deja_pool_function *f, deja_map_task m)
{
    deja_map_run *r = NULL;
    deja_error err;
    m.size = sizeof m;
    if (deja_pool_map_begin(p, f, &m, &r, &err) < 0)
        fail_msg("%s", err.text);
    return r;
}

static void finish(deja_pool *p, deja_map_run *r, uint64_t count)
{
    int64_t end = deja_monotonic_ns(NULL) + processes_patience_ms * DEJA_MS_NS;
    for (;;) {
        uint32_t seen = deja_pool_seen(p);
        if (deja_map_run_done(r) == count)
            return;
        if (deja_monotonic_ns(NULL) > end)
            fail_msg("the map did not end");
        deja_pool_wait(p, seen, 1000);
    }
}

static int square(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg->kind != DEJA_F64)
        return deja_fail(err, DEJA_ETYPE, "a number is wanted");
    return deja_return(out, deja_f64(arg->f64 * arg->f64));
}

static int twice(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 2 || arg[0].kind != DEJA_I64 || arg[1].kind != DEJA_STRING)
        return deja_fail(err, DEJA_ETYPE, "an integer and a text are wanted");
    return deja_return(out, deja_i64(2 * arg[0].i64 + (int64_t)arg[1].len));
}

/* A text for multiples of 3, a large array for multiples of 100, else the number. */
static int mixed(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    char text[64];
    int64_t i = arg->i64, len = 10000;
    if (i % 100 == 0) {
        int64_t *numbers = deja_return_array(out, DEJA_I64, 1, &len, err);
        if (!numbers)
            return err->code;
        numbers[len - 1] = i;
        return 0;
    }
    snprintf(text, sizeof text, "item %lld", (long long)i);
    return deja_return(out, i % 3 == 0 ? deja_string(text) : deja_i64(i));
}

static int fail_odd(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    if (arg->i64 % 1000 == 1)
        return deja_fail(err, DEJA_ELIMIT, "%lld is odd", (long long)arg->i64);
    return deja_return(out, *arg);
}

static int die_at(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    if (arg[0].i64 % arg[1].i64 == 7) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    return deja_return(out, arg[0]);
}

/* Dies the first time: a file of arg[1] notes it. */
static int die_once(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    if (arg[0].i64 % 100 == 50) {
        char path[200];
        snprintf(path, sizeof path, "%s/%lld", arg[1].string, (long long)arg[0].i64);
        int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
        if (fd >= 0)
            raise(SIGKILL);
        unlink(path);
    }
    return deja_return(out, arg[0]);
}

static int nap_long_at_5(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    if (arg->i64 == 5)
        deja_sleep_ms(20000);
    return deja_return(out, *arg);
}

static int sum_row(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg->kind != DEJA_ARRAY || arg->array->ndim != 1)
        return deja_fail(err, DEJA_ETYPE, "a row is wanted");
    int64_t sum = 0;
    for (int64_t i = 0; i < arg->array->shape[0]; i++)
        sum += ((const int32_t *)arg->array->data)[i];
    return deja_return(out, deja_i64(sum));
}

static int count_calls(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    int fd = open(arg[1].string, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (write(fd, &arg[0].i64, 8) != 8)
        return deja_fail_errno(err, "write");
    close(fd);
    return deja_return(out, arg[0]);
}

static deja_array *shared(deja_pool *p, uint32_t dtype, int64_t count)
{
    deja_array *a = NULL;
    assert_int_equal(deja_pool_array_new(p, dtype, 1, &count, &a, NULL), 0);
    return a;
}

static deja_array *integers(deja_pool *p, int64_t count)
{
    deja_array *a = shared(p, DEJA_I64, count);
    for (int64_t i = 0; i < count; i++)
        ((int64_t *)a->data)[i] = i;
    return a;
}

static void test_process_map__numbers_in_and_out_in_place(void **state)
{
    enum { count = 200000 };
    deja_pool *p = *state;
    deja_array *x = shared(p, DEJA_F64, count), *y = shared(p, DEJA_F64, count);
    for (int i = 0; i < count; i++)
        ((double *)x->data)[i] = i;
    for (uint64_t chunk = 0; chunk < 2; chunk++) {
        memset(y->data, 0, count * sizeof(double));
        deja_map_run *r = begin(p, DEFINE(p, square),
                                (deja_map_task){.columns = 1,
                                                .count = count,
                                                .column = &(deja_column){.split = x},
                                                .into = y,
                                                .chunk = chunk * 1000});
        finish(p, r, count);
        for (int i = 0; i < count; i++) {
            assert_int_equal(deja_map_run_item(r, (uint64_t)i, NULL, NULL), 0);
            assert_true(((double *)y->data)[i] == (double)i * i);
        }
        assert_true(deja_map_run_wall_ns(r, 7) > 0);
        deja_map_run_free(r);
    }
    deja_pool_array_free(p, x);
    deja_pool_array_free(p, y);
}

static void test_process_map__any_array_and_one_value_for_all(void **state)
{
    enum { count = 3000 };
    deja_pool *p = *state;
    int16_t x[2 * count];
    double into[count];
    for (int i = 0; i < 2 * count; i++)
        x[i] = (int16_t)(i - 5);
    deja_array strided = {
        .data = x, .dtype = DEJA_I16, .ndim = 1, .shape = (int64_t[]){count}, .strides = (int64_t[]){4}};
    deja_array y = {.data = into, .dtype = DEJA_F64, .ndim = 1, .shape = (int64_t[]){count}};
    deja_column columns[] = {{.split = &strided}, {.same = deja_string("abc")}};
    deja_map_run *r = begin(p, DEFINE(p, twice),
                            (deja_map_task){.columns = 2, .count = count, .column = columns, .into = &y});
    finish(p, r, count);
    for (int i = 0; i < count; i++)
        assert_true(into[i] == 2 * (2 * i - 5) + 3);
    deja_map_run_free(r);
}

static void test_process_map__rows_of_an_array(void **state)
{
    enum { count = 1000, width = 7 };
    deja_pool *p = *state;
    int32_t x[count * width];
    for (int i = 0; i < count * width; i++)
        x[i] = i;
    deja_array a = {.data = x, .dtype = DEJA_I32, .ndim = 2, .shape = (int64_t[]){count, width}};
    deja_map_run *r =
        begin(p, DEFINE(p, sum_row),
              (deja_map_task){.columns = 1, .count = count, .column = &(deja_column){.split = &a}});
    finish(p, r, count);
    for (int i = 0; i < count; i++) {
        deja_product got;
        assert_int_equal(deja_map_run_item(r, (uint64_t)i, &got, NULL), 0);
        assert_int_equal(got.scalar.i64, width * width * i + width * (width - 1) / 2);
    }
    deja_map_run_free(r);
}

static void check_mixed(deja_map_run *r, uint64_t i)
{
    deja_product got;
    deja_arena arena = {0};
    deja_value v;
    char text[64];
    assert_int_equal(deja_map_run_item(r, i, &got, NULL), 0);
    v = got.scalar;
    if (got.len)
        assert_int_equal(deja_image_read(got.image, got.len, NULL, &arena, &v, NULL), 0);
    snprintf(text, sizeof text, "item %lld", (long long)i);
    if (i % 100 == 0)
        assert_int_equal(((const int64_t *)v.array->data)[9999], (int64_t)i);
    else if (i % 3 == 0)
        assert_string_equal(v.string, text);
    else
        assert_int_equal(v.i64, (int64_t)i);
    deja_arena_done(&arena);
    deja_product_done(&got);
}

static void test_process_map__results_of_any_kind(void **state)
{
    enum { count = 2000 };
    deja_pool *p = *state;
    deja_value rows[count];
    for (int i = 0; i < count; i++)
        rows[i] = deja_i64(i);
    deja_map_run *r = begin(p, DEFINE(p, mixed), (deja_map_task){.columns = 1, .count = count, .rows = rows});
    finish(p, r, count);
    for (uint64_t i = 0; i < count; i++)
        check_mixed(r, count - 1 - i);
    deja_map_run_free(r);
}

static void test_process_map__rows_of_any_kind(void **state)
{
    enum { count = 500 };
    deja_pool *p = *state;
    deja_value rows[2 * count];
    for (int i = 0; i < count; i++) {
        rows[2 * i] = deja_i64(i);
        rows[2 * i + 1] = deja_string(i % 2 ? "x" : "xyz");
    }
    deja_map_run *r = begin(p, DEFINE(p, twice), (deja_map_task){.columns = 2, .count = count, .rows = rows});
    finish(p, r, count);
    for (int i = 0; i < count; i++) {
        deja_product got;
        assert_int_equal(deja_map_run_item(r, (uint64_t)i, &got, NULL), 0);
        assert_int_equal(got.scalar.i64, 2 * i + (i % 2 ? 1 : 3));
    }
    deja_map_run_free(r);
}

static void test_process_map__each_item_has_its_own_failure(void **state)
{
    enum { count = 10000 };
    deja_pool *p = *state;
    deja_array *x = integers(p, count), *y = shared(p, DEJA_I64, count);
    deja_map_run *r =
        begin(p, DEFINE(p, fail_odd),
              (deja_map_task){.columns = 1, .count = count, .column = &(deja_column){.split = x}, .into = y});
    finish(p, r, count);
    for (uint64_t i = 0; i < count; i++) {
        const char *text = NULL;
        char want[64];
        int rc = deja_map_run_item(r, i, NULL, &text);
        assert_int_equal(rc, i % 1000 == 1 ? DEJA_ELIMIT : 0);
        snprintf(want, sizeof want, "'fail_odd': %llu is odd", (unsigned long long)i);
        if (rc)
            assert_string_equal(text, want);
    }
    deja_map_run_free(r);
    deja_pool_array_free(p, x);
    deja_pool_array_free(p, y);
}

/* Fails where another runs it at the same time: arg[1] is a path. */
static int alone(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    int fd = open(arg[1].string, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd < 0)
        return deja_fail(err, DEJA_EBUSY, "not alone");
    deja_sleep_ms(10);
    unlink(arg[1].string);
    close(fd);
    return deja_return(out, arg[0]);
}

static void test_process_map__maps_and_calls_share_max_running(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, alone, .max_running = 1);
    char folder[] = "/tmp/deja-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/busy", folder);
    deja_array *a = integers(p, 10);
    deja_column columns[] = {{.split = a}, {.same = deja_string(path)}};
    deja_map_run *r[2];
    for (int i = 0; i < 5; i++)
        processes_submit(p, f, ARGS(deja_i64(i), deja_string(path)), NULL);
    for (int i = 0; i < 2; i++)
        r[i] = begin(p, f, (deja_map_task){.columns = 2, .count = 10, .column = columns});
    for (int i = 0; i < 5; i++)
        processes_submit(p, f, ARGS(deja_i64(i), deja_string(path)), NULL);
    for (int i = 0; i < 2; i++) {
        finish(p, r[i], 10);
        for (uint64_t j = 0; j < 10; j++)
            assert_int_equal(deja_map_run_item(r[i], j, NULL, NULL), 0);
    }
    for (int i = 0; i < 10; i++) {
        deja_task_outcome o = processes_next(p);
        assert_int_equal(o.code, 0);
        processes_done(&o);
    }
    for (int i = 0; i < 2; i++)
        deja_map_run_free(r[i]);
    deja_pool_array_free(p, a);
    assert_int_equal(rmdir(folder), 0);
}

/* One start in 20 s: of a call or an item, whichever comes first; and nobody waits for the next at a stop. */
static void test_process_map__maps_and_calls_share_the_rate(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, fail_odd, .per_second = 0.05);
    deja_array *a = integers(p, 10);
    deja_column column = {.split = a};
    deja_task_outcome o;
    processes_expect(processes_call(p, f, ARGS(deja_i64(0))), 0);
    int64_t began = deja_monotonic_ns(NULL);
    deja_map_run *r = begin(p, f, (deja_map_task){.columns = 1, .count = 10, .column = &column});
    poll(NULL, 0, 100);
    assert_int_equal(deja_map_run_done(r), 0);
    deja_map_run_stop(r);
    finish(p, r, 10);
    assert_int_equal(deja_map_run_item(r, 0, NULL, NULL), DEJA_ECANCELED);
    deja_map_run_free(r);
    assert_true(deja_monotonic_ns(NULL) - began < 8 * DEJA_S_NS);
    assert_int_equal(deja_pool_take(p, &o, 1), 0);
    deja_pool_array_free(p, a);
}

static void test_process_map__it_stops_at_a_failure(void **state)
{
    enum { count = 1000000 };
    deja_pool *p = *state;
    deja_array *x = integers(p, count);
    deja_map_run *r = begin(p, DEFINE(p, fail_odd),
                            (deja_map_task){.columns = 1,
                                            .count = count,
                                            .column = &(deja_column){.split = x},
                                            .chunk = 10,
                                            .stop_at_failure = 1});
    finish(p, r, count);
    uint64_t canceled = 0, failed = 0;
    for (uint64_t i = 0; i < count; i++) {
        int rc = deja_map_run_item(r, i, NULL, NULL);
        canceled += rc == DEJA_ECANCELED;
        failed += rc == DEJA_ELIMIT;
    }
    assert_true(failed >= 1 && failed <= 2);
    assert_true(canceled > count / 2);
    deja_map_run_free(r);
    deja_pool_array_free(p, x);
}

static void test_process_map__a_death_costs_its_item_only(void **state)
{
    enum { count = 20000, every = 2000 };
    deja_pool *p = *state;
    for (int into = 0; into < 2; into++) {
        deja_array *x = integers(p, count), *y = shared(p, DEJA_I64, count);
        deja_column columns[] = {{.split = x}, {.same = deja_i64(every)}};
        deja_map_run *r =
            begin(p, DEFINE(p, die_at),
                  (deja_map_task){.columns = 2, .count = count, .column = columns, .into = into ? y : NULL});
        finish(p, r, count);
        for (uint64_t i = 0; i < count; i++) {
            const char *text = "";
            deja_product got;
            int rc = deja_map_run_item(r, i, &got, &text);
            assert_int_equal(rc, i % every == 7 ? DEJA_EKILLED : 0);
            if (rc)
                assert_non_null(strstr(text, "'die_at' ended its worker by signal 11"));
            else
                assert_int_equal(got.scalar.i64, (int64_t)i);
        }
        deja_map_run_free(r);
        deja_pool_array_free(p, x);
        deja_pool_array_free(p, y);
    }
}

static void test_process_map__a_lost_item_is_tried_again(void **state)
{
    enum { count = 1000 };
    deja_pool *p = *state;
    char folder[] = "/tmp/deja-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    deja_array *x = integers(p, count);
    deja_column columns[] = {{.split = x}, {.same = deja_string(folder)}};
    deja_map_run *r = begin(p, DEFINE(p, die_once, .retries = 1),
                            (deja_map_task){.columns = 2, .count = count, .column = columns});
    finish(p, r, count);
    for (uint64_t i = 0; i < count; i++) {
        deja_product got;
        assert_int_equal(deja_map_run_item(r, i, &got, NULL), 0);
        assert_int_equal(got.scalar.i64, (int64_t)i);
    }
    deja_map_run_free(r);
    deja_pool_array_free(p, x);
    assert_int_equal(rmdir(folder), 0);
}

static void test_process_map__a_late_item_is_ended(void **state)
{
    enum { count = 20 };
    deja_pool *p = *state;
    deja_array *x = integers(p, count);
    deja_map_run *r =
        begin(p, DEFINE(p, nap_long_at_5, .timeout_ms = 100),
              (deja_map_task){.columns = 1, .count = count, .column = &(deja_column){.split = x}});
    finish(p, r, count);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(deja_map_run_item(r, i, NULL, NULL), i == 5 ? DEJA_ETIMEDOUT : 0);
    deja_map_run_free(r);
    deja_pool_array_free(p, x);
}

/* Workers are killed again and again: no item is left out, and one that was not killed ran once. */
static void test_process_map__killed_workers_lose_nothing(void **state)
{
    enum { count = 3000, kills = 30 };
    deja_pool *p = *state;
    char path[] = "/tmp/deja-test-XXXXXX";
    close(mkstemp(path));
    deja_array *x = integers(p, count);
    deja_column columns[] = {{.split = x}, {.same = deja_string(path)}};
    deja_map_run *r =
        begin(p, DEFINE(p, count_calls), (deja_map_task){.columns = 2, .count = count, .column = columns});
    for (int i = 0; i < kills && deja_map_run_done(r) < count; i++) {
        int64_t pids[3];
        if (deja_pool_pids(p, pids, 3) == 3)
            kill((pid_t)pids[1 + i % 2], SIGKILL);
        poll(NULL, 0, 2);
    }
    finish(p, r, count);
    unsigned char *calls = calloc(count, 1);
    int fd = open(path, O_RDONLY);
    for (int64_t i; read(fd, &i, 8) == 8;)
        calls[i]++;
    close(fd);
    unlink(path);
    uint64_t lost = 0;
    for (uint64_t i = 0; i < count; i++) {
        int rc = deja_map_run_item(r, i, NULL, NULL);
        assert_true(rc == 0 || rc == DEJA_EKILLED);
        lost += rc != 0;
        assert_true(rc == 0 ? calls[i] == 1 : calls[i] <= 1);
    }
    assert_true(lost <= kills);
    free(calls);
    deja_map_run_free(r);
    deja_pool_array_free(p, x);
}

static void test_process_map__one_can_be_given_up(void **state)
{
    enum { count = 1000 };
    deja_pool *p = *state;
    deja_array *x = integers(p, count);
    deja_pool_function *f = DEFINE(p, nap_long_at_5, .timeout_ms = 300);
    deja_map_run *r =
        begin(p, f, (deja_map_task){.columns = 1, .count = count, .column = &(deja_column){.split = x}});
    deja_map_run_free(r);
    deja_pool_array_free(p, x);
}

static void test_process_map__no_items_are_done_at_once(void **state)
{
    deja_pool *p = *state;
    deja_map_run *r = begin(p, DEFINE(p, square), (deja_map_task){.columns = 1});
    assert_int_equal(deja_map_run_done(r), 0);
    deja_map_run_free(r);
}

static void test_process_map__marks_keep_times(void **state)
{
    (void)state;
    for (int64_t ns = 0; ns < INT64_C(1) << 50; ns = ns * 5 / 4 + 1) {
        uint16_t mark = map_mark_of(ns);
        assert_true(mark >= map_marks);
        int64_t off = map_mark_ns(mark) - ns;
        assert_true((off < 0 ? -off : off) <= ns / 500);
    }
    assert_true(map_mark_of(-5) == map_marks);
}

static int open_pool(void **state)
{
    *state = processes_open(OPTIONS(.workers = 2, .grace_ms = 100));
    return 0;
}

static int close_pool(void **state)
{
    deja_pool_close(*state);
    return 0;
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, open_pool, close_pool)

/* Leaves pointers in the description of its map that lead nowhere. */
static int spoil_map(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    slot *slots = control_block_slots();
    char *base = control_block_mapping("deja-heap", "r-", NULL),
         *twin = control_block_mapping("deja-heap", "rw", NULL);
    if (!slots || !base || !twin)
        return deja_fail(err, DEJA_EIO, "no shared memory");
    for (uint32_t i = 0; i < slot_count; i++) {
        const slot *s = &slots[i];
        if ((s->word & 0xff) != slot_taken || s->kind != slot_map)
            continue;
        map_block *b = (map_block *)(twin + ((const char *)s->args_at - base));
        b->mark = (void *)8;
        b->record = (void *)16;
        b->into = (void *)24;
        b->place = (void *)32;
        b->shares = UINT64_MAX;
    }
    return deja_return(out, arg[0]);
}

static void test_process_map__a_spoiled_description_harms_nobody(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, spoil_map, .max_running = 1);
    deja_array *from = integers(p, 10), *to = shared(p, DEJA_I64, 10);
    deja_column column = {.split = from};
    for (int i = 0; i < 2; i++) {
        deja_map_run *r =
            begin(p, f,
                  (deja_map_task){
                      .columns = 1, .count = 10, .column = &column, .into = i ? to : NULL, .chunk = 10});
        finish(p, r, 10);
        for (uint64_t j = 0; j < 10; j++) {
            deja_product made;
            assert_int_equal(deja_map_run_item(r, j, &made, NULL), 0);
            assert_int_equal(made.scalar.i64, j);
        }
        deja_map_run_free(r);
    }
    deja_pool_array_free(p, from);
    deja_pool_array_free(p, to);
}

static void test_process_map__results_go_to_no_frozen_array(void **state)
{
    deja_pool *p = *state;
    deja_array *into = shared(p, DEJA_F64, 100), *from = shared(p, DEJA_F64, 100);
    deja_array view = {
        .data = (double *)into->data + 50, .dtype = DEJA_F64, .ndim = 1, .shape = (int64_t[]){50}};
    deja_column all = {.split = from}, half = {.split = &view};
    assert_int_equal(deja_pool_array_freeze(p, into, NULL), 0);
    for (uint32_t backend = DEJA_PROCESS; backend <= DEJA_INLINE; backend++) {
        deja_pool_function *f = DEFINE(p, square, .backend = backend);
        deja_map_run *r = NULL;
        deja_error err;
        deja_map_task m = {.size = sizeof m, .columns = 1, .count = 100, .column = &all, .into = into};
        assert_int_equal(deja_pool_map_begin(p, f, &m, &r, &err), DEJA_EINVAL);
        assert_non_null(strstr(err.text, "'square': 'into': the array is read-only since a call got it"));
        m = (deja_map_task){.size = sizeof m, .columns = 1, .count = 50, .column = &half, .into = &view};
        assert_int_equal(deja_pool_map_begin(p, f, &m, &r, &err), DEJA_EINVAL);
        assert_null(r);
    }
    deja_pool_array_free(p, into);
    deja_pool_array_free(p, from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_POOL(test_process_map__numbers_in_and_out_in_place),
        WITH_POOL(test_process_map__a_spoiled_description_harms_nobody),
        WITH_POOL(test_process_map__results_go_to_no_frozen_array),
        WITH_POOL(test_process_map__any_array_and_one_value_for_all),
        WITH_POOL(test_process_map__rows_of_an_array),
        WITH_POOL(test_process_map__results_of_any_kind),
        WITH_POOL(test_process_map__rows_of_any_kind),
        WITH_POOL(test_process_map__each_item_has_its_own_failure),
        WITH_POOL(test_process_map__maps_and_calls_share_max_running),
        WITH_POOL(test_process_map__maps_and_calls_share_the_rate),
        WITH_POOL(test_process_map__it_stops_at_a_failure),
        WITH_POOL(test_process_map__a_death_costs_its_item_only),
        WITH_POOL(test_process_map__a_lost_item_is_tried_again),
        WITH_POOL(test_process_map__a_late_item_is_ended),
        WITH_POOL(test_process_map__killed_workers_lose_nothing),
        WITH_POOL(test_process_map__one_can_be_given_up),
        WITH_POOL(test_process_map__no_items_are_done_at_once),
        cmocka_unit_test(test_process_map__marks_keep_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
