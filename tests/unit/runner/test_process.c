/*
 * The process backend: calls, results of every kind, and functions that do their worker harm.
 */
#include "control_block.h"
#include "processes.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int add(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 2 || arg[0].kind != DEJA_I64 || arg[1].kind != DEJA_I64)
        return deja_fail(err, DEJA_ETYPE, "two integers are wanted");
    return deja_return(out, deja_i64(arg[0].i64 + arg[1].i64));
}

static int pid_of(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)err;
    return deja_return(out, deja_i64(getpid()));
}

/* A text of arg[0] bytes. */
static int text_of(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    size_t len = (size_t)arg[0].i64;
    char *text = malloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    int rc = deja_return(out, deja_string_n(text, len));
    free(text);
    return rc;
}

static int array_of(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    int64_t len = arg[0].i64;
    int64_t *numbers = deja_return_array(out, DEJA_I64, 1, &len, err);
    if (!numbers)
        return err->code;
    for (int64_t i = 0; i < len; i++)
        numbers[i] = i * i;
    return 0;
}

static int length_of(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    return deja_return(
        out, deja_i64((int64_t)(arg->kind == DEJA_ARRAY ? deja_array_count(arg->array) : arg->len)));
}

static int sum_of(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg->kind != DEJA_ARRAY || arg->array->dtype != DEJA_I64)
        return deja_fail(err, DEJA_ETYPE, "an array of integers is wanted");
    const int64_t *x = arg->array->data;
    int64_t sum = 0;
    for (uint64_t i = 0; i < deja_array_count(arg->array); i++)
        sum += x[i];
    return deja_return(out, deja_i64(sum));
}

static int end_by(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)out, (void)err;
    signal((int)arg[0].i64, SIG_DFL);
    raise((int)arg[0].i64);
    return 0;
}

static int end_by_exit(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)out, (void)err;
    _exit((int)arg[0].i64);
}

static int close_all(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    for (int fd = 0; fd < 1000; fd++)
        close(fd);
    return deja_return(out, arg[0]);
}

static int fork_one(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    return fork() < 0 ? -1 : deja_return(out, arg[0]);
}

static int nap(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    deja_sleep_ms(arg[0].i64);
    return deja_return(out, arg[0]);
}

static int deaf(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)err;
    signal(SIGTERM, SIG_IGN);
    for (int i = 0; i < 600; i++)
        poll(NULL, 0, 100);
    return deja_return(out, deja_null());
}

static int say(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    printf("out %s", arg[0].string);
    fprintf(stderr, "err %s", arg[0].string);
    return deja_return(out, deja_i64((int64_t)arg[0].len));
}

static int say_and_die(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)out, (void)err, (void)n;
    fprintf(stderr, "last words: %s", arg[0].string);
    signal(SIGABRT, SIG_DFL);
    abort();
}

/* Ends its worker until the file arg[0] has so many bytes as arg[1] says. */
static int die_often(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    int fd = open(arg[0].string, O_WRONLY | O_CREAT | O_APPEND, 0600);
    off_t len = lseek(fd, 0, SEEK_END);
    if (len < arg[1].i64) {
        if (write(fd, "x", 1) == 1)
            raise(SIGKILL);
    }
    close(fd);
    return deja_return(out, deja_i64(len));
}

static int number; /* as it is when a pool is opened, changed by its initialiser */

static int number_is(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)err;
    return deja_return(out, deja_i64(number));
}

static void test_process__a_call_returns_its_result(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, add);
    processes_expect(processes_call(p, f, ARGS(deja_i64(40), deja_i64(2))), 42);
    deja_task_outcome o = processes_call(p, f, ARGS(deja_i64(40)));
    processes_expect_failure(o, DEJA_ETYPE, "'add': two integers are wanted");
    processes_expect(processes_call(p, f, ARGS(deja_i64(1), deja_i64(-3))), -2);
}

static void test_process__workers_are_other_processes(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, pid_of);
    deja_task_outcome o = processes_call(p, f, NULL, 0);
    int64_t pids[8];
    processes_await(p, 3); /* zygote and two workers */
    deja_pool_pids(p, pids, 8);
    assert_true(o.product.scalar.i64 == pids[1] || o.product.scalar.i64 == pids[2]);
    assert_int_not_equal(o.product.scalar.i64, getpid());
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no children of ours */
    processes_done(&o);
}

static void test_process__many_tasks_all_end_once(void **state)
{
    enum { tasks = 20000 };
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, add);
    unsigned char *seen = calloc(tasks, 1);
    for (int i = 0; i < tasks; i++)
        processes_submit(p, f, ARGS(deja_i64(i), deja_i64(1)), (void *)(intptr_t)i);
    for (int i = 0; i < tasks; i++) {
        deja_task_outcome o = processes_next(p);
        intptr_t which = (intptr_t)o.user;
        assert_int_equal(seen[which]++, 0);
        processes_expect(o, which + 1);
    }
    free(seen);
}

/* What is canceled leaves its entry in the ring, behind the one that waits. */
static void test_process__many_canceled_tasks_do_not_lose_one_that_waits(void **state)
{
    enum { canceled = 5000 };
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    deja_pool_function *f = DEFINE(p, nap), *g = DEFINE(p, add);
    processes_expect(processes_call(p, f, ARGS(deja_i64(1))), 1); /* the worker is there */
    uint64_t busy = processes_submit(p, f, ARGS(deja_i64(300)), NULL);
    poll(NULL, 0, 50);
    uint64_t waits = processes_submit(p, g, ARGS(deja_i64(3), deja_i64(4)), NULL);
    int lost = 0, ended = 0;
    for (int i = 0; i < canceled; i++)
        lost += !deja_pool_cancel(p, processes_submit(p, g, ARGS(deja_i64(i), deja_i64(0)), NULL), 0);
    for (int i = 0; i < canceled + 2; i++) {
        deja_task_outcome o = processes_next(p);
        ended += o.code == 0;
        if (o.task == waits)
            assert_int_equal(o.product.scalar.i64, 7);
        else if (o.task != busy)
            assert_true(o.code == DEJA_ECANCELED || lost-- > 0);
        processes_done(&o);
    }
    assert_in_range(ended, 2, canceled);
    deja_pool_close(p);
}

/* In the room of a slot, just beyond it, and as a file. */
static void test_process__results_of_any_size(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, text_of), *g = DEFINE(p, array_of);
    static const int64_t sizes[] = {0, 1, 400, 470, 480, 490, 500, 510, 600, 5000, 70000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        deja_task_outcome o = processes_call(p, f, ARGS(deja_i64(sizes[i])));
        deja_value v;
        assert_int_equal(o.code, 0);
        assert_int_equal(deja_image_read(o.product.image, o.product.len, NULL, NULL, &v, NULL), 0);
        assert_int_equal(v.len, sizes[i]);
        assert_true(sizes[i] == 0 || (v.string[0] == 'x' && v.string[v.len - 1] == 'x'));
        processes_done(&o);
        o = processes_call(p, g, ARGS(deja_i64(sizes[i])));
        deja_arena arena = {0};
        assert_int_equal(o.code, 0);
        assert_int_equal(deja_image_read(o.product.image, o.product.len, NULL, &arena, &v, NULL), 0);
        assert_int_equal(deja_array_count(v.array), sizes[i]);
        for (int64_t j = 0; j < sizes[i]; j += 997)
            assert_int_equal(((const int64_t *)v.array->data)[j], j * j);
        deja_arena_done(&arena);
        processes_done(&o);
    }
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Beyond the room of a slot results come as files, of which there may be only so many at once. */
static void test_process__many_results_need_no_descriptors(void **state)
{
    enum { results = 1000 };
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, text_of);
    static deja_task_outcome o[results];
    struct rlimit before, few = {.rlim_cur = 200};
    int descriptors = open_descriptors();
    getrlimit(RLIMIT_NOFILE, &before);
    few.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    for (int i = 0; i < results; i++)
        processes_submit(p, f, ARGS(deja_i64(1000 + i)), (void *)(intptr_t)i);
    for (int i = 0; i < results; i++)
        o[i] = processes_next(p);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(open_descriptors(), descriptors);
    for (int i = 0; i < results; i++) {
        deja_value v;
        assert_int_equal(o[i].code, 0);
        assert_int_equal(deja_image_read(o[i].product.image, o[i].product.len, NULL, NULL, &v, NULL), 0);
        assert_int_equal(v.len, 1000 + (intptr_t)o[i].user);
        processes_done(&o[i]);
    }
}

static void test_process__a_result_is_kept_without_its_file(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, array_of);
    deja_task_outcome o = processes_call(p, f, ARGS(deja_i64(100000)));
    deja_arena arena = {0};
    deja_value v;
    int fd = o.product.fd;
    assert_true(fd >= 0);
    deja_product_close_file(&o.product);
    assert_int_equal(o.product.fd, -1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(deja_image_read(o.product.image, o.product.len, NULL, &arena, &v, NULL), 0);
    assert_int_equal(((const int64_t *)v.array->data)[99999], INT64_C(99999) * 99999);
    deja_arena_done(&arena);
    processes_done(&o);
}

static void test_process__arguments_of_any_size(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, length_of);
    char *text = malloc(2000001);
    memset(text, 'y', 2000000);
    text[2000000] = '\0';
    static const uint64_t sizes[] = {0, 1, 300, 450, 480, 500, 520, 10000, 2000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        deja_task_outcome o = processes_call(p, f, ARGS(deja_bytes(text, sizes[i])));
        processes_expect(o, (int64_t)sizes[i]);
    }
    free(text);
}

/* The first number of arg[1], as it is after arg[0] ms. */
static int first_later(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    deja_sleep_ms(arg[0].i64);
    return deja_return(out, deja_i64(((const int64_t *)arg[1].array->data)[0]));
}

static int where(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    return deja_return(out, deja_i64((int64_t)(intptr_t)arg[0].array->data));
}

/* A view made by hand: the program may write while a worker reads. */
static void test_process__an_array_that_may_change_is_copied(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, first_later), *g = DEFINE(p, where);
    deja_array *a;
    assert_int_equal(deja_pool_array_new(p, DEJA_I64, 1, (int64_t[]){100000}, &a, NULL), 0);
    deja_array view = {
        .data = (int64_t *)a->data + 8, .dtype = DEJA_I64, .ndim = 1, .shape = (int64_t[]){50}};
    int64_t *numbers = view.data;
    numbers[0] = 1;
    assert_int_equal(deja_pool_array_is_frozen(p, &view), 0);
    processes_submit(p, f, ARGS(deja_i64(100), deja_of_array(&view)), NULL);
    numbers[0] = 2;
    processes_expect(processes_next(p), 1);
    assert_int_equal(deja_pool_array_freeze(p, a, NULL), 0);
    assert_int_equal(deja_pool_array_is_frozen(p, &view), 1);
    assert_int_equal(deja_pool_array_is_frozen(p, a), 1);
    processes_expect(processes_call(p, g, ARGS(deja_of_array(&view))), (int64_t)(intptr_t)numbers);
    processes_expect(processes_call(p, f, ARGS(deja_i64(0), deja_of_array(&view))), 2);
    deja_pool_array_free(p, a);
}

static void test_process__arrays_of_the_heap_are_seen_in_place(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, sum_of);
    deja_array *a;
    assert_int_equal(deja_pool_array_new(p, DEJA_I64, 1, (int64_t[]){1000000}, &a, NULL), 0);
    assert_int_equal(deja_pool_array_is_shared(p, a), 1);
    for (int i = 0; i < 1000000; i++)
        ((int64_t *)a->data)[i] = i;
    processes_expect(processes_call(p, f, ARGS(deja_of_array(a))), INT64_C(499999500000));
    ((int64_t *)a->data)[0] = 7;
    assert_int_equal(deja_pool_array_freeze(p, a, NULL), 0);
    processes_expect(processes_call(p, f, ARGS(deja_of_array(a))), INT64_C(499999500007));
    deja_pool_array_free(p, a);
}

static void test_process__a_death_costs_its_task_only(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, add), *g = DEFINE(p, end_by), *h = DEFINE(p, end_by_exit);
    static const int signals[] = {SIGSEGV, SIGKILL, SIGABRT, SIGTERM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        deja_task_outcome o = processes_call(p, g, ARGS(deja_i64(signals[i])));
        assert_int_equal(o.signal, signals[i]);
        processes_expect_failure(o, DEJA_EKILLED, "'end_by' ended its worker by signal");
        processes_expect(processes_call(p, f, ARGS(deja_i64(1), deja_i64(2))), 3);
    }
    deja_task_outcome o = processes_call(p, h, ARGS(deja_i64(0)));
    assert_int_equal(o.signal, 0);
    processes_expect_failure(o, DEJA_EKILLED, "'end_by_exit' ended its worker by exit(3) with status 0");
    processes_await(p, 3);
}

static void test_process__a_worker_without_descriptors_is_replaced(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, close_all), *g = DEFINE(p, array_of);
    for (int i = 0; i < 6; i++) {
        processes_expect(processes_call(p, f, ARGS(deja_i64(i))), i);
        deja_task_outcome o = processes_call(p, g, ARGS(deja_i64(100000)));
        assert_int_equal(o.code, 0);
        processes_done(&o);
    }
}

static void test_process__a_fork_in_a_function_is_no_second_worker(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, fork_one);
    for (int i = 0; i < 20; i++)
        processes_expect(processes_call(p, f, ARGS(deja_i64(i))), i);
    deja_task_outcome o;
    poll(NULL, 0, 20);
    assert_int_equal(deja_pool_take(p, &o, 1), 0);
}

static void test_process__a_late_task_is_ended(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, nap, .timeout_ms = 50), *g = DEFINE(p, deaf, .timeout_ms = 50);
    int64_t begin = deja_monotonic_ns(NULL);
    processes_expect_failure(processes_call(p, f, ARGS(deja_i64(10000))), DEJA_ETIMEDOUT, "'nap'");
    processes_expect(processes_call(p, f, ARGS(deja_i64(1))), 1);
    processes_expect_failure(processes_call(p, g, NULL, 0), DEJA_ETIMEDOUT, "limit of 50 ms");
    assert_true(deja_monotonic_ns(NULL) - begin < 8 * DEJA_S_NS);
}

/* Its deadline comes while nothing may pass, and moves on for who still runs. */
static void test_process__no_timeout_passes_while_the_pool_is_held(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, nap, .timeout_ms = 50);
    deja_pool_hold(p, 1);
    processes_expect(processes_call(p, f, ARGS(deja_i64(200))), 200);
    deja_pool_hold(p, 0);
    processes_expect_failure(processes_call(p, f, ARGS(deja_i64(10000))), DEJA_ETIMEDOUT, "'nap'");
}

static void test_process__a_task_can_be_canceled(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, nap);
    uint64_t task[4];
    for (int i = 0; i < 4; i++)
        task[i] = processes_submit(p, f, ARGS(deja_i64(10000)), NULL);
    processes_await(p, 3);
    poll(NULL, 0, 50); /* two run by now */
    int taken_back = 0;
    for (int i = 0; i < 4; i++)
        taken_back += deja_pool_cancel(p, task[i], 1);
    assert_int_equal(taken_back, 2);
    for (int i = 0; i < 4; i++) {
        deja_task_outcome o = processes_next(p);
        assert_int_equal(o.code, DEJA_ECANCELED);
        processes_done(&o);
    }
}

/* Canceled in the moment in which a worker has taken it: it has not begun. */
static void test_process__a_cancel_with_kill_is_never_lost(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, nap, .capture = 1);
    slot *slots = control_block_slots();
    assert_non_null(slots);
    for (int i = 0; i < 30; i++) {
        uint64_t task = processes_submit(p, f, ARGS(deja_i64(8000)), NULL);
        int64_t until = deja_monotonic_ns(NULL) + 5000 * DEJA_MS_NS;
        for (uint32_t j = 0; (slots[j].word & 0xff) != slot_taken; j = (j + 1) % 8)
            assert_true(deja_monotonic_ns(NULL) < until);
        assert_int_equal(deja_pool_cancel(p, task, 1), 0);
        deja_task_outcome o = processes_next(p);
        assert_int_equal(o.code, DEJA_ECANCELED);
        processes_done(&o);
    }
}

static void test_process__a_task_is_tried_again_but_not_for_ever(void **state)
{
    deja_pool *p = *state;
    char path[] = "/tmp/deja-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    deja_pool_function *none = DEFINE(p, die_often), *more = DEFINE(p, die_often, .retries = 5);
    deja_task_outcome o = processes_call(p, none, ARGS(deja_string(path), deja_i64(1)));
    processes_expect_failure(o, DEJA_EKILLED, "signal 9");
    assert_int_equal(truncate(path, 0), 0);
    processes_expect(processes_call(p, more, ARGS(deja_string(path), deja_i64(1))), 1);
    assert_int_equal(truncate(path, 0), 0);
    o = processes_call(p, more, ARGS(deja_string(path), deja_i64(100)));
    processes_expect_failure(o, DEJA_EKILLED, "signal 9");
    fd = open(path, O_RDONLY);
    assert_int_equal(lseek(fd, 0, SEEK_END), 2); /* quarantine after two */
    close(fd);
    unlink(path);
}

static void expect_stream(int fd, const char *text)
{
    char got[200] = "";
    assert_true(fd >= 0);
    assert_true(read(fd, got, sizeof got - 1) >= 0);
    assert_string_equal(got, text);
}

/* Leaves pointers in its slot that lead nowhere. */
static int spoil_slot(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    slot *slots = control_block_slots();
    for (uint32_t i = 0; slots && i < slot_count; i++) {
        slots[i].place = (void *)8;
        slots[i].args_at = (void *)16;
        slots[i].timeout_ns = -1;
    }
    return slots ? deja_return(out, arg[0]) : deja_fail(err, DEJA_EIO, "no control block");
}

static void test_process__a_spoiled_slot_harms_nobody(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, spoil_slot), *g = DEFINE(p, add);
    processes_expect(processes_call(p, f, ARGS(deja_i64(5))), 5);
    processes_expect(processes_call(p, g, ARGS(deja_i64(1), deja_i64(2))), 3);
}

static void test_process__output_is_captured(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, say, .capture = 1), *g = DEFINE(p, say_and_die, .capture = 1);
    for (int i = 0; i < 3; i++) {
        deja_task_outcome o = processes_call(p, f, ARGS(deja_string("hello")));
        expect_stream(o.out_fd, "out hello");
        expect_stream(o.err_fd, "err hello");
        processes_expect(o, 5);
    }
    deja_task_outcome o = processes_call(p, g, ARGS(deja_string("why")));
    expect_stream(o.err_fd, "last words: why");
    processes_expect_failure(o, DEJA_EKILLED, "signal 6");
}

static void test_process__a_function_of_no_file_is_refused(void **state)
{
    deja_pool *p = *state;
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    deja_pool_function_options o = {.size = sizeof o, .name = "callback", .function = (deja_job_fn)code};
    deja_pool_function *f;
    deja_error err;
    assert_int_equal(deja_pool_define(p, &o, &f, &err), DEJA_EINVAL);
    assert_non_null(strstr(err.text, "'callback' lies in no file"));
    assert_non_null(strstr(err.text, "inline"));
    munmap(code, 4096);
}

static void test_process__globals_are_those_of_the_opening(void **state)
{
    (void)state;
    number = 5;
    deja_pool *p = processes_open(OPTIONS(.workers = 1));
    number = 6;
    processes_expect(processes_call(p, DEFINE(p, number_is), NULL, 0), 5);
    deja_pool_close(p);
}

static int set_number(void *arg, deja_error *err)
{
    (void)err;
    number = *(int *)arg + number;
    return 0;
}

static int refuse(void *arg, deja_error *err)
{
    (void)arg;
    return deja_fail(err, DEJA_ENOTFOUND, "no model");
}

static int crash(void *arg, deja_error *err)
{
    (void)arg, (void)err;
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return 0;
}

static void test_process__the_initialiser_runs_before_any_task(void **state)
{
    (void)state;
    int given = 7;
    for (uint32_t each = 0; each < 2; each++) {
        number = 1;
        deja_pool *p =
            processes_open(OPTIONS(.workers = 2, .init = set_number, .init_arg = &given, .init_each = each));
        deja_pool_function *f = DEFINE(p, number_is);
        for (int i = 0; i < 10; i++)
            processes_expect(processes_call(p, f, NULL, 0), 8);
        assert_int_equal(number, 1);
        deja_pool_close(p);
    }
}

static void test_process__a_failing_initialiser_is_told(void **state)
{
    (void)state;
    deja_pool *p;
    deja_error err;
    assert_int_equal(deja_pool_open(&p, OPTIONS(.workers = 1, .init = refuse), &err), DEJA_ENOTFOUND);
    assert_string_equal(err.text, "initialiser: no model");
    assert_true(deja_pool_open(&p, OPTIONS(.workers = 1, .init = crash), &err) < 0);
    p = processes_open(OPTIONS(.workers = 2, .init = refuse, .init_each = 1));
    processes_expect_failure(processes_call(p, DEFINE(p, number_is), NULL, 0), DEJA_ENOTFOUND,
                             "initialiser: no model");
    deja_pool_close(p);
    p = processes_open(OPTIONS(.workers = 2, .init = crash, .init_each = 1));
    processes_expect_failure(processes_call(p, DEFINE(p, number_is), NULL, 0), DEJA_EKILLED, "initialiser");
    deja_pool_close(p);
}

static void test_process__workers_are_renewed(void **state)
{
    (void)state;
    deja_pool *p = processes_open(OPTIONS(.workers = 1, .max_tasks = 3));
    deja_pool_function *f = DEFINE(p, pid_of);
    int64_t last = 0, changes = 0;
    for (int i = 0; i < 12; i++) {
        deja_task_outcome o = processes_call(p, f, NULL, 0);
        changes += o.product.scalar.i64 != last;
        last = o.product.scalar.i64;
        processes_done(&o);
    }
    assert_int_equal(changes, 4);
    deja_pool_close(p);
}

static void test_process__nothing_is_left_after_a_close(void **state)
{
    (void)state;
    int64_t pids[8];
    deja_pool *p = processes_open(OPTIONS(.workers = 3, .grace_ms = 50));
    deja_pool_function *f = DEFINE(p, deaf);
    for (int i = 0; i < 6; i++)
        processes_submit(p, f, NULL, 0, NULL);
    processes_await(p, 4);
    size_t n = deja_pool_pids(p, pids, 8);
    poll(NULL, 0, 50);
    deja_pool_close(p);
    assert_true(processes_gone(pids, n));
}

static void test_process__a_killed_zygote_fails_its_tasks(void **state)
{
    (void)state;
    int64_t pids[8];
    deja_pool *p = processes_open(OPTIONS(.workers = 2));
    deja_pool_function *f = DEFINE(p, nap);
    for (int i = 0; i < 5; i++)
        processes_submit(p, f, ARGS(deja_i64(30000)), NULL);
    processes_await(p, 3);
    size_t n = deja_pool_pids(p, pids, 8);
    kill((pid_t)pids[0], SIGKILL);
    for (int i = 0; i < 5; i++)
        processes_expect_failure(processes_next(p), DEJA_EKILLED, "'nap'");
    assert_true(processes_gone(pids, n));
    deja_pool_close(p);
}

static int nested(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    deja_pool *p;
    int rc = deja_pool_open(&p, OPTIONS(.workers = 8), err);
    if (rc < 0)
        return rc;
    deja_task_outcome o = processes_call(p, DEFINE(p, add), ARGS(arg[0], deja_i64(1)));
    size_t pids = deja_pool_pids(p, NULL, 0);
    deja_pool_close(p);
    return pids > 2 ? deja_fail(err, DEJA_ELIMIT, "too many") : deja_return(out, o.product.scalar);
}

static void test_process__a_pool_within_a_worker_has_one_worker(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, nested);
    for (int i = 0; i < 4; i++)
        processes_submit(p, f, ARGS(deja_i64(5)), NULL);
    for (int i = 0; i < 4; i++)
        processes_expect(processes_next(p), 6);
}

static int variable(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    const char *value = getenv(arg[0].string);
    return deja_return(out, deja_i64(value ? atoi(value) : -1));
}

static void test_process__threads_of_libraries_are_limited(void **state)
{
    (void)state;
    setenv("MKL_NUM_THREADS", "77", 1);
    unsetenv("OMP_NUM_THREADS");
    deja_pool *p = processes_open(OPTIONS(.workers = 64));
    deja_pool_function *f = DEFINE(p, variable);
    processes_expect(processes_call(p, f, ARGS(deja_string("OMP_NUM_THREADS"))), 1);
    processes_expect(processes_call(p, f, ARGS(deja_string("MKL_NUM_THREADS"))), 77);
    assert_null(getenv("OMP_NUM_THREADS"));
    deja_pool_close(p);
    unsetenv("MKL_NUM_THREADS");
}

static void test_process__a_forked_child_is_refused(void **state)
{
    deja_pool *p = *state;
    deja_pool_function *f = DEFINE(p, add);
    pid_t pid = fork();
    if (pid == 0) {
        int rc = deja_pool_submit(p, f, ARGS(deja_i64(1), deja_i64(2)), NULL, NULL, NULL);
        deja_pool_close(p);
        _exit(rc == DEJA_EFORK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    processes_expect(processes_call(p, f, ARGS(deja_i64(1), deja_i64(2))), 3);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_POOL(test_process__a_call_returns_its_result),
        WITH_POOL(test_process__workers_are_other_processes),
        WITH_POOL(test_process__many_tasks_all_end_once),
        WITH_POOL(test_process__results_of_any_size),
        WITH_POOL(test_process__many_results_need_no_descriptors),
        WITH_POOL(test_process__a_result_is_kept_without_its_file),
        WITH_POOL(test_process__arguments_of_any_size),
        WITH_POOL(test_process__arrays_of_the_heap_are_seen_in_place),
        WITH_POOL(test_process__an_array_that_may_change_is_copied),
        WITH_POOL(test_process__a_death_costs_its_task_only),
        WITH_POOL(test_process__a_worker_without_descriptors_is_replaced),
        WITH_POOL(test_process__a_fork_in_a_function_is_no_second_worker),
        WITH_POOL(test_process__a_late_task_is_ended),
        WITH_POOL(test_process__no_timeout_passes_while_the_pool_is_held),
        WITH_POOL(test_process__a_task_can_be_canceled),
        WITH_POOL(test_process__a_cancel_with_kill_is_never_lost),
        WITH_POOL(test_process__a_task_is_tried_again_but_not_for_ever),
        WITH_POOL(test_process__a_spoiled_slot_harms_nobody),
        WITH_POOL(test_process__output_is_captured),
        WITH_POOL(test_process__a_function_of_no_file_is_refused),
        cmocka_unit_test(test_process__many_canceled_tasks_do_not_lose_one_that_waits),
        cmocka_unit_test(test_process__globals_are_those_of_the_opening),
        cmocka_unit_test(test_process__the_initialiser_runs_before_any_task),
        cmocka_unit_test(test_process__a_failing_initialiser_is_told),
        cmocka_unit_test(test_process__workers_are_renewed),
        cmocka_unit_test(test_process__nothing_is_left_after_a_close),
        cmocka_unit_test(test_process__a_killed_zygote_fails_its_tasks),
        WITH_POOL(test_process__a_pool_within_a_worker_has_one_worker),
        cmocka_unit_test(test_process__threads_of_libraries_are_limited),
        WITH_POOL(test_process__a_forked_child_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
