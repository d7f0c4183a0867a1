/*
 * The inline backend, see inline.h. Several threads may run tasks at a time; each has its work in its frame.
 */
#include "inline.h"
#include "inside.h"
#include "local.h"
#include "local_map.h"
#include "pool_state.h"

#include <pthread.h>

typedef struct inline_backend {
    backend ops;
    deja_pool *pool;
    int stage_folder;
    task_list queue;
    pthread_mutex_t lock;    /* of `running` */
    deja_pool_work *running; /* who looks for late ones reads it */
} inline_backend;

/* A pool whose inline tasks are run apart tells nobody that a take has something to run. */
static void count(inline_backend *i, int more)
{
    if (!pool_options(i->pool)->inline_apart)
        i->pool->inline_work += (uint32_t)more;
}

static int start(backend *b, task *t, const deja_value *args, size_t n, deja_error *err)
{
    (void)args, (void)n, (void)err;
    inline_backend *i = (inline_backend *)b;
    list_append(&i->queue, t);
    t->is_queued = 1;
    count(i, 1);
    pool_rung(i->pool);
    return 1;
}

static void remove_queued(inline_backend *i, task *t)
{
    list_remove(&i->queue, t);
    t->is_queued = 0;
    count(i, -1);
}

static task *take(inline_backend *i, int is_inside)
{
    for (task *t; (t = i->queue.first) && (t->is_first || !is_inside);) {
        remove_queued(i, t);
        if (t->state == task_given)
            return t;
        pool_finished(i->pool, t); /* canceled */
    }
    return NULL;
}

static void link_running(inline_backend *i, deja_pool_work *w)
{
    pthread_mutex_lock(&i->lock);
    w->next = i->running;
    i->running = w;
    pthread_mutex_unlock(&i->lock);
}

static void unlink_running(inline_backend *i, const deja_pool_work *w)
{
    pthread_mutex_lock(&i->lock);
    deja_pool_work **at = &i->running;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    pthread_mutex_unlock(&i->lock);
}

static int64_t look(backend *b, int64_t now_ns)
{
    inline_backend *i = (inline_backend *)b;
    int64_t again = INT64_MAX;
    pthread_mutex_lock(&i->lock);
    for (const deja_pool_work *w = i->running; w; w = w->next) {
        int64_t at = local_look(w->task, now_ns);
        again = at < again ? at : again;
    }
    pthread_mutex_unlock(&i->lock);
    return again;
}

static int map_begin(backend *b, deja_pool_function *f, const deja_map_task *m, deja_map_run **ret,
                     deja_error *err)
{
    (void)b;
    return local_map_begin(f, m, 1, ret, err);
}

static void close_inline(backend *b)
{
    inline_backend *i = (inline_backend *)b;
    if (!pool_is_foreign(i->pool))
        pthread_mutex_destroy(&i->lock);
    deja_free(i);
}

void inline_put_first(backend *b, task *t)
{
    inline_backend *i = (inline_backend *)b;
    t->is_first = 1;
    list_prepend(&i->queue, t);
    t->is_queued = 1;
    count(i, 1);
    pool_rung(i->pool);
}

int inline_hurry(backend *b, task *t)
{
    inline_backend *i = (inline_backend *)b;
    if (!t->is_queued || t->state != task_given)
        return 0;
    remove_queued(i, t);
    inline_put_first(b, t);
    return 1;
}

int inline_take(backend *b, deja_pool_work *ret)
{
    inline_backend *i = (inline_backend *)b;
    task *t = take(i, deja_pool_is_inside(i->pool));
    if (!t)
        return 0;
    *ret = (deja_pool_work){.task = t, .user = t->outcome.user};
    link_running(i, ret);
    return 1;
}

void inline_run(backend *b, deja_pool_work *w)
{
    inline_backend *i = (inline_backend *)b;
    deja_sink sink;
    inside here;
    sink_init(&sink, i->stage_folder);
    inside_enter(&here, i->pool);
    local_execute(w->task, &sink);
    inside_leave(&here);
    sink_done(&sink);
    unlink_running(i, w);
    pool_finished(i->pool, w->task);
}

backend *inline_open(deja_pool *p, const deja_pool_options *options, deja_error *err)
{
    inline_backend *i = deja_calloc(1, sizeof *i);
    if (!i) {
        deja_fail(err, DEJA_ENOMEM, "open the inline backend");
        return NULL;
    }
    i->ops = (backend){
        .start = start, .look = look, .cancel = local_cancel, .map_begin = map_begin, .close = close_inline};
    i->pool = p;
    i->stage_folder = local_stage_folder(options);
    pthread_mutex_init(&i->lock, NULL);
    return &i->ops;
}
