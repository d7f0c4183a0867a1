/*
 * The calls of deja/pool.h.
 */
#include "inline.h"
#include "map_block.h"
#include "pool_state.h"

#include <deja/clock.h>
#include <deja/runner.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    default_grace_ms = 1000,
    default_stack_bytes = 16 * 1024,
    spin_most_ns = 20 * 1000, /* a sleeping thread costs some 5 us to wake: longer than this is a waste */
    spin_least_ns = 500,
};

static int fail_foreign(deja_error *err)
{
    return deja_fail(err, DEJA_EFORK, "a pool cannot be used in a forked child");
}

static void *map_page(int flags)
{
    void *at =
        mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void unmap_page(void *at)
{
    if (at)
        munmap(at, (size_t)sysconf(_SC_PAGESIZE));
}

/* MADV_WIPEONFORK: one load tells a forked child, where getpid() would be a system call for each task. */
static int map_pages(deja_pool *p, deja_error *err)
{
    p->bell = map_page(MAP_SHARED);
    p->own = map_page(MAP_PRIVATE);
    if (!p->bell || !p->own || madvise(p->own, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK) < 0)
        return deja_fail_errno(err, "open a pool");
    *p->own = 1;
    return 0;
}

static void set_defaults(deja_pool *p, const deja_pool_options *options)
{
    deja_pool_options *o = &p->options;
    *o = *options;
    if (!o->workers)
        o->workers = (uint32_t)deja_cpu_count();
    if (!o->stack_bytes)
        o->stack_bytes = default_stack_bytes;
    if (!o->grace_ms)
        o->grace_ms = default_grace_ms;
    p->due_ns = INT64_MAX;
    p->spin_ns = spin_most_ns / 2;
    p->fd = -1;
}

static int set_up(deja_pool *p, deja_error *err)
{
    int rc = map_pages(p, err);
    if (rc < 0 || p->options.no_process)
        return rc;
    deja_error own = {0};
    p->backend[DEJA_PROCESS] = process_open(p, &p->options, p->bell, &own);
    if (p->backend[DEJA_PROCESS])
        return 0;
    if (err)
        *err = own;
    return own.code;
}

/* Of this process; the zygote has its own. Its failure is the failure of each task. */
static void run_init(deja_pool *p)
{
    deja_error *e = &p->init_error;
    if (p->init_done)
        return;
    p->init_done = 1;
    int rc = p->options.init ? p->options.init(p->options.init_arg, e) : 0;
    if (rc == 0) {
        e->code = 0;
        return;
    }
    if (!e->text[0])
        deja_fail(e, rc, "%s", deja_error_meaning(rc));
    e->code = rc < 0 ? rc : DEJA_EINVAL;
    deja_fail_in(e, "initialiser");
}

int pool_open_backend(deja_pool *p, uint32_t kind, deja_error *err)
{
    static backend *(*const open[backends])(deja_pool *, const deja_pool_options *, deja_error *) = {
        [DEJA_THREAD] = thread_open, [DEJA_ASYNC] = async_open, [DEJA_INLINE] = inline_open};
    if (p->backend[kind])
        return 0;
    if (!open[kind])
        return deja_fail(err, DEJA_EINVAL, "this pool was opened without processes");
    deja_error own = {0};
    run_init(p);
    p->backend[kind] = open[kind](p, &p->options, &own);
    if (p->backend[kind])
        return 0;
    if (err)
        *err = own;
    return own.code;
}

static int check_function(const deja_pool_function_options *o, deja_error *err)
{
    if (!o || o->size != sizeof *o || !o->name || (!o->function == !o->library) ||
        (!o->library != !o->symbol))
        return deja_fail(err, DEJA_EINVAL,
                         "a function of a pool needs options with a name and a function, or a library and a "
                         "symbol in it");
    if (o->backend >= backends)
        return deja_fail(err, DEJA_EINVAL, "'%s': there is no backend %u", o->name, o->backend);
    if (o->library && o->backend != DEJA_PROCESS)
        return deja_fail(err, DEJA_EINVAL, "'%s': only processes load the library of a function", o->name);
    if (o->timeout_ms < 0 || o->timeout_ms > INT64_MAX / DEJA_MS_NS / 2 || o->per_second < 0)
        return deja_fail(err, DEJA_EINVAL, "'%s': a limit is negative or too large", o->name);
    return 0;
}

static int make_function(deja_pool *p, const deja_pool_function_options *o, deja_pool_function **ret,
                         deja_error *err)
{
    deja_pool_function *f = deja_calloc(1, sizeof *f);
    char *name = deja_strdup(o->name);
    if (!f || !name) {
        deja_free(f);
        deja_free(name);
        return deja_fail(err, DEJA_ENOMEM, "define '%s'", o->name);
    }
    f->pool = p;
    f->options = *o;
    f->options.name = name;
    f->number = p->function_count;
    *ret = f;
    return 0;
}

static void free_function(deja_pool_function *f)
{
    deja_free((char *)f->options.name);
    deja_free(f);
}

static void forget_task(void *context, task *t)
{
    deja_pool *p = context;
    backend *b = p->backend[t->function->options.backend];
    if (b && b->free_task)
        b->free_task(b, t);
    task_table_free(&p->tasks, t);
}

static void close_backend(deja_pool *p, int kind)
{
    backend *b = p->backend[kind];
    p->backend[kind] = NULL;
    if (b)
        b->close(b);
}

/* Processes last: functions of threads may still use what they have. */
static void close_backends(deja_pool *p)
{
    for (int kind = backends; kind-- > DEJA_PROCESS + 1;)
        close_backend(p, kind);
    task_table_walk(&p->tasks, forget_task, p);
    close_backend(p, DEJA_PROCESS);
}

static void free_pool(deja_pool *p)
{
    for (deja_pool_function *next, *f = p->functions; f; f = next) {
        next = f->next;
        free_function(f);
    }
    pool_drop_warnings(p);
    task_table_done(&p->tasks);
    unmap_page(p->bell);
    unmap_page(p->own);
    deja_free(p);
}

static size_t hand_out(deja_pool *p, deja_task_outcome *ret, size_t most)
{
    size_t n = 0;
    for (task *t; n < most && (t = p->ready); n++) {
        p->ready = t->ready_next;
        ret[n] = t->outcome;
        t->outcome.text = NULL;
        t->outcome.product = (deja_product){.fd = -1};
        t->outcome.out_fd = t->outcome.err_fd = -1;
        pool_deliver(p, t);
    }
    return n;
}

static void take_back(deja_pool *p, task *t)
{
    t->state = task_canceled;
    pool_report(p, t, DEJA_ECANCELED);
    pool_rung(p);
}

/* Longer where spinning met something, shorter where it was in vain. */
static void adapt(deja_pool *p, int64_t spin_ns, int64_t slept_ns)
{
    int64_t next = slept_ns <= spin_most_ns ? spin_ns * 2 : spin_ns / 2;
    next = next > spin_most_ns ? spin_most_ns : next < spin_least_ns ? spin_least_ns : next;
    if (next != spin_ns)
        p->spin_ns = next;
}

const deja_pool_options *pool_options(const deja_pool *p)
{
    return &p->options;
}

int pool_is_foreign(const deja_pool *p)
{
    return !*p->own;
}

int deja_pool_open(deja_pool **ret, const deja_pool_options *options, deja_error *err)
{
    if (!options || options->size != sizeof *options)
        return deja_fail(err, DEJA_EINVAL, "a pool needs options of the size of this version");
    deja_pool *p = deja_calloc(1, sizeof *p);
    if (!p)
        return deja_fail(err, DEJA_ENOMEM, "open a pool");
    set_defaults(p, options);
    int rc = set_up(p, err);
    if (rc < 0) {
        free_pool(p);
        return rc;
    }
    *ret = p;
    return 0;
}

void deja_pool_close(deja_pool *p)
{
    if (!p)
        return;
    pool_fd_close(p);
    close_backends(p);
    free_pool(p);
}

int deja_pool_define(deja_pool *p, const deja_pool_function_options *options, deja_pool_function **ret,
                     deja_error *err)
{
    if (pool_is_foreign(p))
        return fail_foreign(err);
    deja_pool_function *f = NULL;
    int rc = check_function(options, err);
    if (rc == 0)
        rc = pool_open_backend(p, options->backend, err);
    if (rc == 0)
        rc = make_function(p, options, &f, err);
    if (rc < 0)
        return rc;
    backend *b = p->backend[options->backend];
    rc = b->define ? b->define(b, f, err) : 0;
    f->options.library = f->options.symbol = NULL; /* the caller's; what matters of them is in the place */
    if (rc < 0) {
        free_function(f);
        return rc;
    }
    f->next = p->functions;
    p->functions = f;
    p->function_count++;
    *ret = f;
    return 0;
}

void pool_work(deja_pool *p)
{
    deja_pool_work work;
    if (p->options.inline_apart || !deja_pool_work_take(p, &work))
        return;
    deja_pool_work_run(p, &work);
    pool_pump(p);
}

int deja_pool_work_take(deja_pool *p, deja_pool_work *ret)
{
    backend *b = pool_is_foreign(p) ? NULL : p->backend[DEJA_INLINE];
    return b && inline_take(b, ret);
}

void deja_pool_work_run(deja_pool *p, deja_pool_work *w)
{
    inline_run(p->backend[DEJA_INLINE], w);
}

typedef int put_fn(deja_pool *p, deja_pool_function *f, task *t, const deja_value *args, size_t n,
                   deja_error *err);

static int submit(deja_pool *p, deja_pool_function *f, put_fn *put, const deja_value *args, size_t n,
                  void *user, uint64_t *ret_task, deja_error *err)
{
    if (pool_is_foreign(p))
        return fail_foreign(err);
    task *t = task_table_new(&p->tasks);
    if (!t)
        return deja_fail(err, DEJA_ENOMEM, "'%s': a task", f->options.name);
    t->outcome.user = user;
    uint64_t number = t->outcome.task;
    int rc = put(p, f, t, args, n, err);
    if (rc < 0)
        task_table_free(&p->tasks, t);
    else if (ret_task)
        *ret_task = number;
    return rc;
}

int deja_pool_submit(deja_pool *p, deja_pool_function *f, const deja_value *args, size_t n, void *user,
                     uint64_t *ret_task, deja_error *err)
{
    return submit(p, f, pool_put, args, n, user, ret_task, err);
}

int deja_pool_submit_here(deja_pool *p, deja_pool_function *f, const deja_value *args, size_t n, void *user,
                          uint64_t *ret_task, deja_error *err)
{
    return submit(p, f, pool_put_here, args, n, user, ret_task, err);
}

int deja_pool_hurry(deja_pool *p, uint64_t number)
{
    task *t = pool_is_foreign(p) ? NULL : task_table_find(&p->tasks, number);
    return t && !(t->marks & task_over) && pool_hurry(p, t);
}

size_t deja_pool_take(deja_pool *p, deja_task_outcome *ret, size_t most)
{
    if (pool_is_foreign(p) || most == 0)
        return 0;
    pool_fd_clear(p);
    pool_pump(p);
    if (!p->ready)
        pool_work(p);
    size_t n = hand_out(p, ret, most);
    pool_fd_remind(p);
    return n;
}

int deja_pool_cancel(deja_pool *p, uint64_t number, int kill)
{
    task *t = pool_is_foreign(p) ? NULL : task_table_find(&p->tasks, number);
    if (!t || t->lane || (t->marks & task_over))
        return 0;
    if (t->state == task_waiting) {
        pool_unqueue(t);
        take_back(p, t);
        pool_over(p, t);
        return 1;
    }
    backend *b = p->backend[t->function->options.backend];
    int taken = t->state == task_given || t->state == task_running ? b->cancel(b, t, kill) : 0;
    if (!taken)
        return 0;
    take_back(p, t);
    if (taken == 1) {
        t->function->running--;
        pool_over(p, t);
        pool_start_waiting(p);
    }
    return 1;
}

uint32_t deja_pool_seen(const deja_pool *p)
{
    return __atomic_load_n(p->bell, __ATOMIC_ACQUIRE);
}

int deja_pool_wait(deja_pool *p, uint32_t seen, int64_t timeout_ms)
{
    if (pool_is_foreign(p))
        return 0;
    if (deja_pool_seen(p) != seen || p->inline_work || timeout_ms == 0)
        return deja_pool_seen(p) != seen || p->inline_work;
    int64_t now = deja_monotonic_ns(NULL), due = p->due_ns, spin_ns = p->spin_ns;
    int64_t until = timeout_ms < 0 || timeout_ms > (INT64_MAX - now) / DEJA_MS_NS
                        ? INT64_MAX
                        : now + timeout_ms * DEJA_MS_NS;
    int rung = bell_wait(p->bell, seen, due < until ? due : until, spin_ns);
    adapt(p, spin_ns, deja_monotonic_ns(NULL) - now);
    if (!rung && due < until) {
        pool_rung(p); /* a take will look at what is due */
        return 1;
    }
    return rung;
}

int deja_pool_fd(deja_pool *p, deja_error *err)
{
    if (pool_is_foreign(p))
        return fail_foreign(err);
    int rc = p->fd >= 0 ? 0 : pool_fd_open(p, err);
    return rc < 0 ? -1 : p->fd;
}

int deja_pool_map_begin(deja_pool *p, deja_pool_function *f, const deja_map_task *m, deja_map_run **ret,
                        deja_error *err)
{
    if (pool_is_foreign(p))
        return fail_foreign(err);
    if (!m || m->size != sizeof *m)
        return deja_fail(err, DEJA_EINVAL, "'%s': a map needs its description", f->options.name);
    if (m->into && deja_pool_array_is_frozen(p, m->into))
        return deja_fail(err, DEJA_EINVAL,
                         "'%s': 'into': the array is read-only since a call got it: deja_array_edit gives a "
                         "copy",
                         f->options.name);
    if (f->options.backend != DEJA_PROCESS && p->init_error.code) {
        if (err)
            *err = p->init_error;
        return p->init_error.code;
    }
    backend *b = p->backend[f->options.backend];
    return b->map_begin(b, f, m, ret, err);
}

uint64_t deja_map_run_done(deja_map_run *r)
{
    if (!pool_is_foreign(r->pool))
        pool_pump(r->pool);
    return r->done(r);
}

int deja_map_run_item(deja_map_run *r, uint64_t i, deja_product *ret_product, const char **ret_text)
{
    return r->item(r, i, ret_product, ret_text);
}

int64_t deja_map_run_wall_ns(const deja_map_run *r, uint64_t i)
{
    return r->wall_ns(r, i);
}

static uint64_t times_of(deja_map_run *r, uint16_t *ret)
{
    uint64_t failed = 0, count = r->done(r);
    for (uint64_t i = 0; i < count; i++) {
        int code = r->item(r, i, NULL, NULL);
        ret[i] = code ? 0 : map_mark_of(r->wall_ns(r, i));
        failed += code != 0;
    }
    return failed;
}

uint64_t deja_map_run_times(deja_map_run *r, uint16_t *ret)
{
    return r->times ? r->times(r, ret) : times_of(r, ret);
}

int64_t deja_map_time_ns(uint16_t time)
{
    return time ? map_mark_ns(time) : 0;
}

void deja_map_run_stop(deja_map_run *r)
{
    r->stop(r);
}

void deja_map_run_free(deja_map_run *r)
{
    if (r)
        r->free(r);
}

size_t deja_pool_pids(deja_pool *p, int64_t *ret, size_t most)
{
    backend *b = p->backend[DEJA_PROCESS];
    return b && b->pids && !pool_is_foreign(p) ? b->pids(b, ret, most) : 0;
}

void deja_pool_hold(deja_pool *p, int held)
{
    backend *b = p->backend[DEJA_PROCESS];
    if (b && b->hold && !pool_is_foreign(p))
        b->hold(b, held);
}

void deja_pool_ring(deja_pool *p)
{
    pool_rung(p);
}
