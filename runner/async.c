/*
 * The async backend: one thread, whose loop runs coroutines, waits for descriptors and timers, and takes new
 * tasks from a stack that the owner pushes to. Outcomes are handed over in batches, with one ring of the
 * bell.
 */
#include "async.h"

#include "fd_watch.h"
#include "inside.h"
#include "local.h"
#include "local_map.h"
#include "pool_state.h"
#include "stall.h"

#include <deja/clock.h>
#include <deja/file.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    events_at_once = 256,
    begun_at_once = 64, /* coroutines between two looks at timers and descriptors */
    map_lanes = 4096,   /* items of a map at once, where its function says nothing */
    idle_trim_ms = 100, /* without coroutines for so long: stacks are given back */
};

enum { timer_wake, timer_deadline };

/* A wish of the owner to end a coroutine that waits for a descriptor. */
typedef struct kill_wish {
    struct kill_wish *next;
    uint64_t number;
} kill_wish;

typedef struct coroutine_list {
    coroutine *first, *last;
} coroutine_list;

typedef struct async {
    backend ops;
    deja_pool *pool;
    int stage_folder;
    pthread_t thread;
    int is_started;
    _Atomic int stop;
    _Atomic(task *) fresh;      /* stack, the newest first */
    _Atomic(kill_wish *) kills; /* the same */
    _Atomic int sleeping;
    int event_fd;
    stall stall;
    int is_watched; /* the owner's: a look is due */
    /* the loop's own: */
    coroutine_set set;
    timer_heap timers;
    fd_watch watch;
    coroutine_list ready;
    task *first_new, *last_new;
    coroutine **of_task; /* by the lower half of a task's number, which is dense */
    size_t of_task_cap;
    uint32_t ended;       /* since the bell rang last */
    int64_t now_ns;       /* of the latest look at the clock */
    int waits_for_memory; /* a task could not be begun: again when one has ended */
    int lacks_pwait2;
    int woken; /* in the round before: so many new ones begin, too, that wake-ups do not starve them */
} async;

static async *loop_of(coroutine *c)
{
    return (async *)((char *)c->set - offsetof(async, set));
}

static void append(coroutine_list *l, coroutine *c)
{
    c->next = NULL;
    if (l->last)
        l->last->next = c;
    else
        l->first = c;
    l->last = c;
}

static coroutine *pop_ready(async *a)
{
    coroutine *c = a->ready.first;
    if (c && !(a->ready.first = c->next))
        a->ready.last = NULL;
    return c;
}

/* ---- tasks and their coroutines ---- */

static void *grown(async *a, size_t index)
{
    size_t cap = a->of_task_cap ? a->of_task_cap : 256;
    while (cap <= index)
        cap *= 2;
    coroutine **of_task = deja_realloc_array(a->of_task, cap, sizeof *of_task);
    if (!of_task)
        return NULL;
    memset(of_task + a->of_task_cap, 0, (cap - a->of_task_cap) * sizeof *of_task);
    a->of_task = of_task;
    a->of_task_cap = cap;
    return of_task;
}

static void body(coroutine *c)
{
    deja_sink sink;
    sink_init(&sink, loop_of(c)->stage_folder);
    local_execute(c->task, &sink);
    sink_done(&sink);
}

/* Two timers each, so that setting one cannot fail. */
static coroutine *coroutine_for(async *a, task *t)
{
    uint32_t index = (uint32_t)t->outcome.task;
    if ((index >= a->of_task_cap && !grown(a, index)) ||
        timer_heap_reserve(&a->timers, 2 * (a->set.live + 1)) < 0)
        return NULL;
    coroutine *c = coroutine_new(&a->set, body);
    if (!c)
        return NULL;
    a->of_task[index] = c;
    c->task = t;
    c->number = t->outcome.task;
    c->fd = -1;
    c->killed = 0;
    c->inside = NULL;
    c->deadline.kind = timer_deadline;
    return c;
}

static void end(async *a, coroutine *c)
{
    timer_clear(&a->timers, &c->deadline);
    a->of_task[(uint32_t)c->number] = NULL;
    pool_ended(a->pool, c->task);
    a->ended++;
    c->task = NULL;
    coroutine_free(c);
}

static void ring(async *a)
{
    if (a->ended)
        pool_rung(a->pool);
    a->ended = 0;
}

static void resume(async *a, coroutine *c)
{
    stall_begin(&a->stall, c->task, a->now_ns);
    int over = coroutine_resume(c);
    a->now_ns = deja_monotonic_ns(NULL);
    stall_end(&a->stall, a->now_ns);
    if (over)
        end(a, c);
}

static void run_ready(async *a)
{
    coroutine *last = a->ready.last; /* who yields meanwhile waits for the next round */
    a->woken = 0;
    for (coroutine *c = NULL; c != last && (c = pop_ready(a)); a->woken++)
        resume(a, c);
}

/* ---- what comes from the owner ---- */

static void fetch_new(async *a)
{
    task *first = NULL, *last = NULL;
    if (!atomic_load_explicit(&a->fresh, memory_order_relaxed))
        return;
    for (task *next, *t = atomic_exchange(&a->fresh, NULL); t; t = next) {
        next = t->next;
        t->next = first;
        last = last ? last : t;
        first = t;
    }
    if (a->last_new)
        a->last_new->next = first;
    else
        a->first_new = first;
    a->last_new = last;
}

static task *pop_new(async *a)
{
    task *t = a->first_new;
    if (!(a->first_new = t->next))
        a->last_new = NULL;
    return t;
}

/* What was canceled needs no coroutine. Without memory the rest waits until some have ended. */
static void begin_new(async *a)
{
    a->waits_for_memory = 0;
    for (int i = 0; i < begun_at_once + a->woken && a->first_new; i++) {
        task *t = a->first_new;
        int canceled = t->state == task_canceled;
        coroutine *c = canceled ? NULL : coroutine_for(a, t);
        a->waits_for_memory = !c && !canceled && a->set.live;
        if (a->waits_for_memory)
            return;
        pop_new(a);
        if (c) {
            resume(a, c);
            continue;
        }
        local_fail(t, DEJA_ENOMEM, "no memory for a coroutine");
        pool_finished(a->pool, t);
    }
}

static void wake(void *waiter, int events)
{
    coroutine *c = waiter;
    async *a = loop_of(c);
    timer_clear(&a->timers, &c->wake);
    c->fd = -1;
    c->result = events;
    append(&a->ready, c);
}

static void kill_wished(async *a)
{
    kill_wish *next, *k = NULL;
    if (atomic_load_explicit(&a->kills, memory_order_relaxed))
        k = atomic_exchange(&a->kills, NULL);
    for (; k; k = next) {
        next = k->next;
        uint32_t index = (uint32_t)k->number;
        coroutine *c = index < a->of_task_cap ? a->of_task[index] : NULL;
        if (c && c->number == k->number) {
            c->killed = 1;
            if (c->fd >= 0) {
                fd_watch_remove(&a->watch, c->fd, c);
                wake(c, DEJA_ECANCELED);
            }
        }
        deja_free(k);
    }
}

/* ---- timers and descriptors ---- */

static void time_is_over(async *a, coroutine *c)
{
    if (c->fd >= 0)
        fd_watch_remove(&a->watch, c->fd, c);
    c->fd = -1;
    c->result = 0;
    coroutine_prefetch(c);
    append(&a->ready, c);
}

static void look_at_deadline(async *a, coroutine *c)
{
    int64_t again = local_look(c->task, a->now_ns);
    if (again != INT64_MAX)
        timer_set(&a->timers, &c->deadline, again);
}

static void expire(async *a)
{
    for (timer *t; (t = timer_heap_pop(&a->timers, a->now_ns));) {
        if (t->kind == timer_deadline)
            look_at_deadline(a, (coroutine *)((char *)t - offsetof(coroutine, deadline)));
        else
            time_is_over(a, (coroutine *)((char *)t - offsetof(coroutine, wake)));
    }
}

static int wait_ms(int64_t left_ns)
{
    int64_t ms = left_ns > 0 ? (left_ns + DEJA_MS_NS - 1) / DEJA_MS_NS : 0;
    return ms > idle_trim_ms * 10 ? idle_trim_ms * 10 : (int)ms;
}

/* epoll_pwait2 (Linux 5.11) knows nanoseconds; without it a wait is up to a millisecond too long. */
static int wait_events(async *a, struct epoll_event *event, int64_t left_ns)
{
#ifdef SYS_epoll_pwait2
    struct timespec left = {.tv_sec = left_ns / DEJA_S_NS, .tv_nsec = left_ns % DEJA_S_NS};
    if (!a->lacks_pwait2) {
        long n =
            syscall(SYS_epoll_pwait2, a->watch.epoll, event, (int)events_at_once, &left, NULL, (size_t)0);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return (int)n;
        a->lacks_pwait2 = 1;
    }
#endif
    return epoll_wait(a->watch.epoll, event, events_at_once, wait_ms(left_ns));
}

static void handle_event(async *a, const struct epoll_event *e)
{
    eventfd_t ignored;
    if (e->data.fd == a->event_fd)
        (void)!eventfd_read(a->event_fd, &ignored);
    else
        fd_watch_handle(&a->watch, e->data.fd, e->events, wake);
}

/* 0: there is something to do at once. */
static int64_t may_sleep_ns(async *a)
{
    if (a->ready.first || (a->first_new && !a->waits_for_memory && !a->stop))
        return 0;
    int64_t next = timer_heap_next_ns(&a->timers), left = next == INT64_MAX ? INT64_MAX : next - a->now_ns;
    int64_t most = a->set.live || a->set.is_trimmed ? DEJA_S_NS : idle_trim_ms * DEJA_MS_NS;
    return left < 0 ? 0 : left < most ? left : most;
}

/* Who pushes looks at `sleeping` after it pushed; we look at what was pushed after we set it. After a stop
 * only the end of what lives counts. */
static int is_called(async *a)
{
    return (a->stop && !a->set.live) || atomic_load(&a->fresh) || atomic_load(&a->kills);
}

static void wait_for_events(async *a)
{
    struct epoll_event event[events_at_once];
    int64_t left = may_sleep_ns(a);
    if (left) {
        ring(a);
        atomic_store(&a->sleeping, 1);
        if (is_called(a))
            left = 0;
    }
    int n = wait_events(a, event, left);
    atomic_store(&a->sleeping, 0);
    for (int i = 0; i < n; i++)
        handle_event(a, &event[i]);
    a->now_ns = deja_monotonic_ns(NULL);
    if (n == 0 && left >= idle_trim_ms * DEJA_MS_NS)
        coroutine_set_trim(&a->set);
}

/* After a stop what has not begun is left; the rest comes to its end. */
static void *run_loop(void *arg)
{
    async *a = arg;
    inside here;
    inside_enter(&here, a->pool);
    a->now_ns = deja_monotonic_ns(NULL);
    while (!a->stop || a->set.live) {
        fetch_new(a);
        kill_wished(a);
        if (!a->stop)
            begin_new(a);
        expire(a);
        run_ready(a);
        wait_for_events(a);
    }
    ring(a);
    inside_leave(&here);
    return NULL;
}

static void call(async *a)
{
    if (atomic_load(&a->sleeping) && atomic_exchange(&a->sleeping, 0))
        (void)!eventfd_write(a->event_fd, 1);
}

/* ---- the backend ---- */

static int start_loop(async *a, deja_error *err)
{
    sigset_t all, old;
    if (a->is_started)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are for the program's own threads */
    int rc = pthread_create(&a->thread, NULL, run_loop, a);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    a->is_started = rc == 0;
    errno = rc;
    return rc ? deja_fail_errno(err, "start a thread") : 0;
}

static int has_tasks(const deja_pool *p)
{
    const deja_pool_function *f = p->functions;
    while (f && !(f->options.backend == DEJA_ASYNC && f->running))
        f = f->next;
    return f != NULL;
}

static int64_t look(backend *b, int64_t now_ns)
{
    async *a = (async *)b;
    int64_t again = stall_look(&a->stall, now_ns);
    a->is_watched = has_tasks(a->pool);
    return a->is_watched ? again : INT64_MAX;
}

static void watch(async *a)
{
    if (!a->is_watched)
        pool_due(a->pool, stall_look(&a->stall, deja_monotonic_ns(NULL)));
    a->is_watched = 1;
}

static int start(backend *b, task *t, const deja_value *args, size_t n, deja_error *err)
{
    (void)args, (void)n;
    async *a = (async *)b;
    int rc = start_loop(a, err);
    if (rc < 0)
        return rc;
    watch(a);
    t->next = atomic_load_explicit(&a->fresh, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&a->fresh, &t->next, t))
        continue;
    call(a);
    return 1;
}

static int cancel(backend *b, task *t, int kill)
{
    async *a = (async *)b;
    int taken = local_cancel(b, t, kill);
    kill_wish *k = !taken && kill ? deja_realloc(NULL, sizeof *k) : NULL;
    if (!k)
        return taken;
    k->number = t->outcome.task;
    k->next = atomic_load(&a->kills);
    while (!atomic_compare_exchange_weak(&a->kills, &k->next, k))
        continue;
    call(a);
    return 0;
}

static int map_begin(backend *b, deja_pool_function *f, const deja_map_task *m, deja_map_run **ret,
                     deja_error *err)
{
    (void)b;
    return local_map_begin(f, m, f->options.max_running ? f->options.max_running : map_lanes, ret, err);
}

static void free_async(async *a)
{
    for (kill_wish *next, *k = a->kills; k; k = next) {
        next = k->next;
        deja_free(k);
    }
    coroutine_set_done(&a->set);
    timer_heap_done(&a->timers);
    fd_watch_done(&a->watch);
    if (a->event_fd >= 0)
        close(a->event_fd);
    deja_free(a->of_task);
    deja_free(a);
}

static void close_async(backend *b)
{
    async *a = (async *)b;
    if (a->is_started && !pool_is_foreign(a->pool)) {
        a->stop = 1;
        call(a);
        pthread_join(a->thread, NULL);
        coroutine_set_stop(&a->set);
    }
    free_async(a);
}

static int open_descriptors(async *a, deja_error *err)
{
    a->event_fd = deja_file_above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (a->event_fd < 0 || fd_watch_init(&a->watch) < 0)
        return deja_fail_errno(err, "open the async backend");
    struct epoll_event e = {.events = EPOLLIN, .data.fd = a->event_fd};
    if (epoll_ctl(a->watch.epoll, EPOLL_CTL_ADD, a->event_fd, &e) < 0)
        return deja_fail_errno(err, "open the async backend");
    return 0;
}

backend *async_open(deja_pool *p, const deja_pool_options *options, deja_error *err)
{
    async *a = deja_calloc(1, sizeof *a);
    if (!a) {
        deja_fail(err, DEJA_ENOMEM, "open the async backend");
        return NULL;
    }
    a->ops = (backend){
        .start = start, .look = look, .cancel = cancel, .map_begin = map_begin, .close = close_async};
    a->pool = p;
    a->stage_folder = local_stage_folder(options);
    a->watch.epoll = -1;
    coroutine_set_init(&a->set, options->stack_bytes);
    if (open_descriptors(a, err) == 0)
        return &a->ops;
    free_async(a);
    return NULL;
}

void async_sleep_until(coroutine *c, int64_t at_ns)
{
    async *a = loop_of(c);
    if (at_ns > a->now_ns)
        timer_set(&a->timers, &c->wake, at_ns);
    else
        append(&a->ready, c);
    coroutine_yield(c);
}

int async_wait_fd(coroutine *c, int fd, int events, int64_t until_ns)
{
    async *a = loop_of(c);
    if (c->killed)
        return DEJA_ECANCELED;
    int rc = fd_watch_add(&a->watch, fd, events, c);
    if (rc != 0)
        return rc;
    c->fd = fd;
    if (until_ns != INT64_MAX)
        timer_set(&a->timers, &c->wake, until_ns);
    coroutine_yield(c);
    return c->result;
}

void async_deadline(coroutine *c, int64_t at_ns)
{
    timer_set(&loop_of(c)->timers, &c->deadline, at_ns);
}
