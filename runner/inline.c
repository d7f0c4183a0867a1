/*
 * The inline backend: tasks run in the thread that takes outcomes, one for each look.
 */
#include "inside.h"
#include "local.h"
#include "local_map.h"
#include "pool_state.h"

typedef struct inline_backend {
    backend ops;
    deja_pool *pool;
    task *first, *last;
    deja_sink sink;
} inline_backend;

static int start(backend *b, task *t, const deja_value *args, size_t n, deja_error *err)
{
    (void)args, (void)n, (void)err;
    inline_backend *i = (inline_backend *)b;
    t->next = NULL;
    if (i->last)
        i->last->next = t;
    else
        i->first = t;
    i->last = t;
    i->pool->inline_work++;
    pool_rung(i->pool);
    return 1;
}

static void collect(backend *b)
{
    inline_backend *i = (inline_backend *)b;
    task *t = i->first;
    if (!t)
        return;
    i->first = t->next;
    if (!i->first)
        i->last = NULL;
    inside here;
    inside_enter(&here, i->pool);
    local_execute(t, &i->sink);
    inside_leave(&here);
    i->pool->inline_work--;
    pool_finished(i->pool, t);
}

static int map_begin(backend *b, deja_pool_function *f, const deja_map_task *m, deja_map_run **ret,
                     deja_error *err)
{
    (void)b;
    return local_map_begin(f, m, 0, ret, err);
}

static void close_inline(backend *b)
{
    inline_backend *i = (inline_backend *)b;
    sink_done(&i->sink);
    deja_free(i);
}

backend *inline_open(deja_pool *p, const deja_pool_options *options, deja_error *err)
{
    inline_backend *i = deja_calloc(1, sizeof *i);
    if (!i) {
        deja_fail(err, DEJA_ENOMEM, "open the inline backend");
        return NULL;
    }
    i->ops = (backend){.start = start,
                       .collect = collect,
                       .cancel = local_cancel,
                       .map_begin = map_begin,
                       .close = close_inline};
    i->pool = p;
    sink_init(&i->sink, local_stage_folder(options));
    return &i->ops;
}
