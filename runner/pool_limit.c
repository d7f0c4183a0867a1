/*
 * What begins when: tasks wait in the list of their function while it runs as often as it may, began too
 * recently, or its backend is full.
 */
#include "inline.h"
#include "limit.h"
#include "pool_state.h"

#include <deja/clock.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

static int is_local(const deja_pool_function *f)
{
    return f->options.backend != DEJA_PROCESS;
}

/* A failed initialiser fails the task, not the call. */
static void fail_by_init(deja_pool *p, task *t)
{
    t->outcome.code = p->init_error.code;
    t->outcome.text = deja_strdup(p->init_error.text);
    t->state = task_ended;
    pool_finished(p, t);
}

/* 1: begun; 0: not now; negative: refused. */
static int try(deja_pool *p, task *t, const deja_value *args, size_t n, deja_error *err)
{
    deja_pool_function *f = t->function;
    if (f->options.max_running && f->running >= f->options.max_running)
        return 0;
    int64_t again_ns = 0;
    if (f->options.per_second > 0 && !t->lane) /* a lane asks for each item */
        again_ns = limit_claim(f, deja_monotonic_ns(NULL));
    if (again_ns) {
        pool_due(p, again_ns);
        return 0;
    }
    backend *b = p->backend[f->options.backend];
    int rc = 1;
    t->state = task_given;
    if (is_local(f) && p->init_error.code)
        fail_by_init(p, t);
    else
        rc = b->start(b, t, args, n, err);
    if (rc == 1)
        f->running++;
    else
        t->state = task_waiting;
    return rc;
}

static void enqueue(deja_pool *p, task *t)
{
    deja_pool_function *f = t->function;
    task_list l = {f->first, f->last};
    list_append(&l, t);
    f->first = l.first;
    f->last = l.last;
    if (!f->is_waiting) {
        f->is_waiting = 1;
        f->next_waiting = p->waiting;
        p->waiting = f;
    }
}

static int keep(backend *b, task *t, const deja_value *args, size_t n, deja_error *err)
{
    if (b->prepare)
        return b->prepare(b, t, args, n, err);
    deja_value list = deja_list(args, n);
    t->args = deja_value_dup(&list);
    if (t->args)
        return 0;
    int rc = deja_value_check(&list, err);
    if (rc == 0)
        rc = deja_fail(err, DEJA_ENOMEM, "copy the arguments");
    return err ? deja_fail_in(err, "'%s'", t->function->options.name) : rc;
}

/* One that is refused after it waited has an outcome that says why. */
static void refuse(deja_pool *p, task *t, int code, const deja_error *err)
{
    if (!t->lane) {
        t->outcome.text = deja_strdup(err->text);
        t->state = task_ended;
        pool_report(p, t, code);
    }
    pool_over(p, t);
}

void pool_unqueue(task *t)
{
    deja_pool_function *f = t->function;
    task_list l = {f->first, f->last};
    list_remove(&l, t);
    f->first = l.first;
    f->last = l.last;
}

static void put_back(deja_pool_function *f, task *t)
{
    task_list l = {f->first, f->last};
    list_prepend(&l, t);
    f->first = l.first;
    f->last = l.last;
}

/* Out of the list before it is tried: the links are the backend's then. */
static void start_function(deja_pool *p, deja_pool_function *f)
{
    deja_error err;
    for (task *t; (t = f->first);) {
        pool_unqueue(t);
        int rc = try(p, t, NULL, 0, &err);
        if (rc == 0) {
            put_back(f, t);
            return;
        }
        if (rc < 0)
            refuse(p, t, rc, &err);
    }
}

/* Those that are due, then when to look again. */
static void look(deja_pool *p)
{
    if (atomic_load_explicit(&p->due_ns, memory_order_relaxed) == INT64_MAX)
        return;
    int64_t now = deja_monotonic_ns(NULL);
    if (now < atomic_load(&p->due_ns))
        return;
    atomic_store(&p->due_ns, INT64_MAX);
    for (int i = 0; i < backends; i++) {
        backend *b = p->backend[i];
        if (b && b->look)
            pool_due(p, b->look(b, now));
    }
    pool_absorb(p);
}

int pool_put(deja_pool *p, deja_pool_function *f, task *t, const deja_value *args, size_t n, deja_error *err)
{
    backend *b = p->backend[f->options.backend];
    t->function = f;
    int rc = b->prepare || t->lane ? 0 : keep(b, t, args, n, err);
    if (rc == 0 && !f->first)
        rc = try(p, t, args, n, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (b->prepare)
        rc = keep(b, t, args, n, err);
    if (rc == 0)
        enqueue(p, t);
    return rc;
}

static void begin_here(deja_pool *p, task *t)
{
    t->function->running++;
    t->state = task_given;
    if (p->init_error.code)
        fail_by_init(p, t);
    else
        inline_put_first(p->backend[DEJA_INLINE], t);
}

int pool_put_here(deja_pool *p, deja_pool_function *f, task *t, const deja_value *args, size_t n,
                  deja_error *err)
{
    int rc = is_local(f) ? pool_open_backend(p, DEJA_INLINE, err)
                         : deja_fail(err, DEJA_EINVAL, "'%s' is run by workers only", f->options.name);
    t->function = f;
    if (rc == 0 && !t->lane)
        rc = keep(p->backend[DEJA_INLINE], t, args, n, err);
    if (rc < 0)
        return rc;
    begin_here(p, t);
    return 0;
}

int pool_hurry(deja_pool *p, task *t)
{
    if (!is_local(t->function) || pool_open_backend(p, DEJA_INLINE, NULL) < 0)
        return 0;
    if (t->state != task_waiting)
        return inline_hurry(p->backend[DEJA_INLINE], t);
    pool_unqueue(t);
    begin_here(p, t);
    return 1;
}

void pool_start_waiting(deja_pool *p)
{
    for (deja_pool_function **at = &p->waiting; *at;) {
        deja_pool_function *f = *at;
        start_function(p, f);
        if (f->first) {
            at = &f->next_waiting;
            continue;
        }
        *at = f->next_waiting;
        f->is_waiting = 0;
    }
}

void pool_pump(deja_pool *p)
{
    backend *process = p->backend[DEJA_PROCESS];
    if (process && process->collect)
        process->collect(process);
    pool_absorb(p);
    look(p);
    if (p->waiting)
        pool_start_waiting(p);
    if (process && process->resume)
        process->resume(process);
}
