/*
 * Maps in this process: begun, asked, stopped, freed.
 */
#include "local_map.h"

#include "local.h"
#include "local_run.h"
#include "pool_state.h"

#include <deja/buffer.h>
#include <stdatomic.h>

static uint64_t done(deja_map_run *run)
{
    local_run *r = (local_run *)run;
    if (!pool_is_foreign(r->ops.pool))
        pool_work(r->ops.pool);
    return atomic_load(&r->ended);
}

static int get_item(deja_map_run *run, uint64_t i, deja_product *ret_product, const char **ret_text)
{
    return local_item_get((local_run *)run, i, ret_product, ret_text);
}

static int64_t wall_of(const deja_map_run *run, uint64_t i)
{
    return (int64_t)((const local_run *)run)->wall_ns[i];
}

static void stop(deja_map_run *run)
{
    local_map_stop((local_run *)run);
}

/* Lanes that have not begun need not: they would wait behind the tasks of others. */
static void cancel_lanes(local_run *r)
{
    for (uint32_t i = 0; i < r->lanes; i++) {
        task *t = r->lane[i].task;
        int given = task_given;
        if (!t)
            continue;
        if (t->state == task_waiting) {
            pool_unqueue(t);
            local_map_lane_over(t);
            pool_over(r->ops.pool, t);
        } else if (atomic_compare_exchange_strong(&t->state, &given, task_canceled)) {
            local_map_lane_over(t);
        }
    }
}

static void wait_for_lanes(local_run *r)
{
    deja_pool *p = r->ops.pool;
    while (r->lanes_left) {
        uint32_t seen = deja_pool_seen(p);
        pool_pump(p);
        if (r->lanes_left)
            bell_wait(p->bell, seen, INT64_MAX, 0);
    }
}

static void free_memory(local_run *r)
{
    local_item_free_all(r);
    for (uint32_t i = 0; i < r->lanes && r->lane; i++)
        local_lane_done(&r->lane[i]);
    deja_free(r->lane);
    deja_free(r->wall_ns);
    deja_free(r->late_text);
    deja_free(r->canceled_text);
    deja_free(r);
}

static void free_run(deja_map_run *run)
{
    local_run *r = (local_run *)run;
    stop(run);
    if (!pool_is_foreign(r->ops.pool)) {
        cancel_lanes(r);
        wait_for_lanes(r);
    }
    free_memory(r);
}

static char *make_text(const deja_pool_function *f, int code)
{
    deja_buffer b = {0};
    deja_buffer_addf(&b, "'%s': %s", f->options.name, deja_error_meaning(code));
    if (code == DEJA_ETIMEDOUT)
        deja_buffer_addf(&b, " after %lld ms", (long long)f->options.timeout_ms);
    return deja_buffer_take(&b);
}

static int alloc_run(local_run *r)
{
    uint64_t count = r->m->count;
    r->item = deja_calloc(count, sizeof *r->item);
    r->wall_ns = deja_calloc(count, sizeof *r->wall_ns);
    r->lane = deja_calloc(r->lanes, sizeof *r->lane);
    r->late_text = make_text(r->f, DEJA_ETIMEDOUT);
    r->canceled_text = make_text(r->f, DEJA_ECANCELED);
    int rc = r->item && r->wall_ns && r->lane && r->late_text && r->canceled_text ? 0 : -1;
    for (uint64_t i = 0; rc == 0 && i < count; i++)
        atomic_init(&r->item[i].code, item_waits);
    for (uint32_t i = 0; rc == 0 && i < r->lanes; i++)
        rc = local_lane_init(r, &r->lane[i]);
    return rc;
}

static int start_lane(local_run *r, lane *l, deja_error *err)
{
    deja_pool *p = r->ops.pool;
    task *t = task_table_new(&p->tasks);
    if (!t)
        return deja_fail(err, DEJA_ENOMEM, "'%s': start a map", r->f->options.name);
    t->lane = l;
    t->marks |= task_delivered; /* it has no outcome that anybody wants */
    l->task = t;
    r->lanes_left++;
    int rc =
        deja_pool_is_inside(p) ? pool_put_here(p, r->f, t, NULL, 0, err) : pool_put(p, r->f, t, NULL, 0, err);
    if (rc < 0) {
        local_map_lane_over(t);
        task_table_free(&p->tasks, t);
    }
    return rc;
}

/* One lane is enough. */
static int start_lanes(local_run *r, deja_error *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < r->lanes; i++)
        rc = start_lane(r, &r->lane[i], err);
    return r->lanes_left ? 0 : rc;
}

static uint32_t lanes_for(const deja_pool_function *f, const deja_map_task *m, uint32_t lanes)
{
    if (deja_pool_is_inside(f->pool))
        lanes = 1;
    if (f->options.max_running && f->options.max_running < lanes)
        lanes = f->options.max_running;
    return m->count < lanes ? (uint32_t)m->count : lanes;
}

static void init_run(local_run *r, deja_pool_function *f, const deja_map_task *m, uint32_t lanes)
{
    r->ops = (deja_map_run){
        .pool = f->pool, .done = done, .item = get_item, .wall_ns = wall_of, .stop = stop, .free = free_run};
    r->f = f;
    r->m = m;
    r->cut = UINT64_MAX;
    r->lanes = lanes_for(f, m, lanes);
}

int local_map_begin(deja_pool_function *f, const deja_map_task *m, uint32_t lanes, deja_map_run **ret,
                    deja_error *err)
{
    int rc = deja_items_check(m, f->options.name, err);
    if (rc < 0)
        return rc;
    local_run *r = deja_calloc(1, sizeof *r);
    if (!r)
        return deja_fail(err, DEJA_ENOMEM, "'%s': a map", f->options.name);
    init_run(r, f, m, lanes);
    if (alloc_run(r) < 0)
        rc = deja_fail(err, DEJA_ENOMEM, "'%s': a map of %llu items", f->options.name,
                       (unsigned long long)m->count);
    else
        rc = start_lanes(r, err);
    if (rc < 0) {
        free_memory(r);
        return rc;
    }
    if (m->count == 0)
        pool_rung(f->pool);
    *ret = &r->ops;
    return 0;
}

void local_map_stop(local_run *r)
{
    if (atomic_exchange(&r->stopped, 1))
        return;
    uint64_t from = atomic_exchange(&r->next, r->m->count);
    if (from >= r->m->count)
        return;
    atomic_store(&r->cut, from);
    local_item_ended(r, r->m->count - from);
}

void local_map_lane_over(task *t)
{
    lane *l = t->lane;
    if (!l)
        return;
    l->task = NULL;
    l->run->lanes_left--;
    t->lane = NULL;
}
