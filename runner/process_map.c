/*
 * Maps in the program: a block in the heap that says what is to be done, shares of it for workers, and what
 * became of the items. process_map_items.c hands them out.
 *
 * When all shares have ended, items without a mark are those that a dead worker had taken: they are posted
 * again, as ranges. So nothing needs to be known of what a worker was about to take when it died.
 */
#include "process_map.h"
#include "bell.h"
#include "limit.h"
#include "product.h"
#include <deja/item.h>

#include <deja/clock.h>
#include <signal.h>
#include <sys/wait.h>

enum { kills_most = 2 };

/* ---- making the block ---- */

static void *own(map_run *r, uint64_t len, int zero, deja_error *err)
{
    void **grown = deja_grow(r->owned, r->owned_len, &r->owned_cap, sizeof *grown);
    if (!grown) {
        deja_fail(err, DEJA_ENOMEM, "note a map");
        return NULL;
    }
    r->owned = grown;
    void *block = heap_alloc(r->process->shop.heap, len, zero, err);
    if (block)
        r->owned[r->owned_len++] = block;
    return block;
}

static int put_same(map_run *r, const deja_value *v, map_column *c, deja_error *err)
{
    c->form = map_same;
    c->value = *v;
    if (v->kind <= DEJA_F64)
        return 0;
    c->form = map_image;
    c->len = deja_image_size(v, &r->process->borrowed_heap);
    void *to = own(r, c->len, 0, err);
    if (!to)
        return err->code;
    deja_image_write(v, &r->process->borrowed_heap, to);
    c->data = to;
    return 0;
}

/* An array of the heap is used where it lies, any other is copied once. */
static int put_split(map_run *r, const deja_array *a, map_column *c, deja_error *err)
{
    uint64_t bytes = deja_array_bytes(a);
    c->dtype = a->dtype;
    c->ndim = a->ndim;
    memcpy(c->shape, a->shape, a->ndim * sizeof *a->shape);
    c->data = a->data;
    if (!deja_array_is_plain(a) || !heap_holds(r->process->shop.heap, a->data, bytes)) {
        void *to = own(r, bytes, 0, err);
        if (!to)
            return err->code;
        deja_array_pack(a, to);
        c->data = to;
    }
    int words = a->ndim == 1 && a->dtype >= DEJA_I64 && a->dtype <= DEJA_F64;
    c->form = words ? map_words : map_split;
    c->value = deja_value_of(a->dtype, 0);
    return 0;
}

static int put_columns(map_run *r, deja_error *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && r->m.column && i < r->m.columns; i++) {
        const deja_column *c = &r->m.column[i];
        rc = c->split ? put_split(r, c->split, &r->block->column[i], err)
                      : put_same(r, &c->same, &r->block->column[i], err);
    }
    return rc;
}

static int rows_are_plain(const deja_map_task *m)
{
    for (uint64_t i = 0; i < m->count * m->columns; i++)
        if (m->rows[i].kind > DEJA_F64)
            return 0;
    return 1;
}

/* Two numbers for each row say where its image begins and how long it is. */
static int put_row_images(map_run *r, deja_error *err)
{
    const deja_image_heap *shared = &r->process->borrowed_heap;
    uint64_t *at = own(r, 2 * r->m.count * sizeof *at, 1, err), len = 0;
    for (uint64_t i = 0; at && i < r->m.count; i++) {
        deja_value list = deja_list(r->m.rows + i * r->m.columns, r->m.columns);
        uint64_t size = deja_image_size(&list, shared);
        if (size == UINT64_MAX) {
            int rc = deja_value_check(&list, err);
            deja_fail_in(err, "item %llu", (unsigned long long)i);
            return rc < 0 ? rc : deja_fail(err, DEJA_EINVAL, "arguments that are no values");
        }
        at[2 * i] = len;
        at[2 * i + 1] = size;
        len += (size + 63) & ~UINT64_C(63);
    }
    char *images = at ? own(r, len, 0, err) : NULL;
    if (!images)
        return err->code;
    for (uint64_t i = 0; i < r->m.count; i++) {
        deja_value list = deja_list(r->m.rows + i * r->m.columns, r->m.columns);
        deja_image_write(&list, shared, images + at[2 * i]);
    }
    r->block->row_at = at;
    r->block->row_images = images;
    return 0;
}

static int put_rows(map_run *r, deja_error *err)
{
    uint64_t bytes;
    if (!r->m.rows || !r->m.columns)
        return 0;
    if (__builtin_mul_overflow(r->m.count, r->m.columns * sizeof(deja_value), &bytes))
        return deja_fail(err, DEJA_EINVAL, "too many items");
    if (!rows_are_plain(&r->m))
        return put_row_images(r, err);
    deja_value *rows = own(r, bytes, 0, err);
    if (!rows)
        return err->code;
    memcpy(rows, r->m.rows, bytes);
    r->block->row = rows;
    return 0;
}

static int put_results(map_run *r, deja_error *err)
{
    map_block *b = r->block;
    const deja_array *into = r->m.into;
    if (r->m.count > UINT64_MAX / sizeof *b->record)
        return deja_fail(err, DEJA_EINVAL, "too many items");
    b->mark = r->mark = own(r, r->m.count * sizeof *b->mark, 1, err);
    if (!r->mark)
        return err->code;
    if (!into) {
        b->record = r->record = own(r, r->m.count * sizeof *b->record, 1, err);
        return r->record ? 0 : err->code;
    }
    b->into_dtype = into->dtype;
    r->into = into->data;
    if (!heap_holds(r->process->shop.heap, into->data, deja_array_bytes(into)))
        r->into = r->copy = own(r, deja_array_bytes(into), 1, err);
    b->into = r->into;
    return r->into ? 0 : err->code;
}

static int make_block(map_run *r, deja_error *err)
{
    const deja_pool_function_options *o = &r->function->options;
    map_block *b = own(r, sizeof *b + r->m.columns * sizeof *b->column, 1, err);
    if (!b)
        return err->code;
    r->block = b;
    uint64_t shares = r->process->shop.boards.workers;
    if (o->max_running && o->max_running < shares)
        shares = o->max_running;
    if (r->m.count < shares)
        shares = r->m.count;
    b->place = r->function->place;
    b->count = r->m.count;
    b->chunk = r->m.chunk;
    b->columns = r->m.columns;
    b->shares = r->shares_most = shares;
    b->timeout_ns = r->timeout_ns = o->timeout_ms * DEJA_MS_NS;
    b->interval_ns = o->per_second > 0 ? limit_interval_ns(o->per_second) : 0;
    b->stop_at_failure = r->m.stop_at_failure;
    int rc = put_results(r, err);
    if (rc == 0)
        rc = put_columns(r, err);
    return rc == 0 ? put_rows(r, err) : rc;
}

/* ---- shares ---- */

static int add_range(map_run *r, uint64_t from, uint64_t to)
{
    map_range *grown = deja_grow(r->todo, r->todo_len, &r->todo_cap, sizeof *grown);
    if (!grown)
        return DEJA_ENOMEM;
    r->todo = grown;
    r->todo[r->todo_len++] = (map_range){from, to};
    return 0;
}

static void post(map_run *r, uint32_t i, map_range range)
{
    process *p = r->process;
    slot *s = &p->shop.boards.slots[i];
    p->side[i].run = r;
    s->kind = slot_map;
    s->place = r->function->place;
    s->args_at = r->block;
    s->from = range.from;
    s->to = range.to;
    r->shares++;
    r->function->running++;
    process_post(p, i, r->timeout_ns);
}

static void share_gone(map_run *r, uint32_t i)
{
    r->shares--;
    r->function->running--;
    process_release(r->process, i);
}

static void post_ranges(map_run *r)
{
    uint32_t most = r->function->options.max_running;
    while (r->todo_len && r->shares < r->shares_most) {
        if (most && r->function->running >= most) {
            r->process->held = 1;
            return;
        }
        uint32_t i = process_slot(r->process);
        if (i == slot_count)
            return;
        post(r, i, r->todo[--r->todo_len]);
    }
}

static void give_up(map_run *r, const deja_error *err)
{
    if (!r->error.code)
        r->error = *err;
    atomic_store(&r->block->stop, 1);
}

/* Items that a worker took with it. One range after the other: a broken map has few. */
static void add_open_ranges(map_run *r)
{
    const uint16_t *mark = r->mark;
    deja_error err;
    for (uint64_t i = 0; i < r->m.count; i++) {
        uint64_t from = i;
        while (i < r->m.count && mark[i] == map_open)
            i++;
        if (i > from && add_range(r, from, i) < 0) {
            deja_fail(&err, DEJA_ENOMEM, "note what is to be done again");
            give_up(r, &err);
            return;
        }
    }
}

/* Results, and nothing where an item failed. */
static void copy_back(map_run *r)
{
    uint64_t size = deja_dtype_size(r->m.into->dtype), count = r->m.count;
    for (uint64_t i = 0, from; i < count; i++) {
        for (from = i; i < count && r->mark[i] >= map_marks; i++)
            ;
        memcpy((char *)r->m.into->data + from * size, (char *)r->copy + from * size, (i - from) * size);
    }
}

static void finish(map_run *r)
{
    r->finished = 1;
    if (r->copy)
        copy_back(r);
    pool_rung(r->process->pool);
}

static void advance(map_run *r)
{
    int stop = atomic_load(&r->block->stop) != 0;
    if (stop)
        r->todo_len = 0;
    if (!r->finished && !r->shares && !r->todo_len) {
        if (!stop)
            add_open_ranges(r);
        if (!r->todo_len)
            finish(r);
    }
    post_ranges(r);
}

static void share_over(process *p, uint32_t i)
{
    map_run *r = p->side[i].run;
    share_gone(r, i);
    advance(r);
}

void process_map_share_done(process *p, uint32_t i)
{
    deja_error err;
    if (process_failure(p, i, &err) < 0)
        give_up(p->side[i].run, &err);
    share_over(p, i);
}

/* ---- deaths ---- */

static map_loss *loss_of(map_run *r, uint64_t item)
{
    for (size_t i = 0; i < r->losses_len; i++)
        if (r->losses[i].item == item)
            return &r->losses[i];
    map_loss *grown = deja_grow(r->losses, r->losses_len, &r->losses_cap, sizeof *grown);
    if (!grown)
        return NULL;
    r->losses = grown;
    grown[r->losses_len] = (map_loss){.item = item};
    return &grown[r->losses_len++];
}

/* The item that ran is lost, or tried again; those before it have ended, though not all are marked. */
static void lose_item(map_run *r, const death *d)
{
    const deja_pool_function_options *o = &r->function->options;
    enum turn_state turn = d->turn & 0xff;
    map_loss *loss = loss_of(r, d->item);
    deja_error err;
    if (!loss) {
        deja_fail(&err, DEJA_ENOMEM, "note a lost item");
        give_up(r, &err);
        return;
    }
    loss->kills++;
    if ((turn == turn_running || turn == turn_idle) && loss->kills <= o->retries && loss->kills < kills_most)
        return; /* without a mark it will be done again */
    loss->code = process_cause(d, o->name, o->timeout_ms, &err);
    loss->text = deja_strdup(err.text);
    r->mark[d->item] = map_failed;
    if (r->m.stop_at_failure)
        atomic_store(&r->block->stop, 1);
}

/* No item is to blame where the worker dies before its first one, as in the constructor of a library; so the
 * share would be tried for ever. */
static void lose_share(map_run *r, const death *d)
{
    const deja_pool_function_options *o = &r->function->options;
    uint64_t ended = atomic_load(&r->block->ended);
    deja_error err;
    r->vain_deaths = ended == r->ended_before ? r->vain_deaths + 1 : 1;
    r->ended_before = ended;
    if (r->vain_deaths < kills_most)
        return;
    process_cause(d, o->name, o->timeout_ms, &err);
    deja_fail_in(&err, "before any item");
    give_up(r, &err);
}

void process_map_share_died(process *p, uint32_t i, const death *d)
{
    map_run *r = p->side[i].run;
    uint16_t *mark = r->mark;
    process_receive(p);
    if (d->item < r->m.count && d->block <= d->item && mark[d->item] == map_open) {
        for (uint64_t j = d->block; j < d->item; j++)
            if (mark[j] == map_open)
                mark[j] = map_mark_of(0);
        lose_item(r, d);
    } else {
        lose_share(r, d);
    }
    uint64_t taken = p->shop.boards.slots[i].from;
    if (taken == UINT64_MAX && atomic_load(&r->block->next) < r->m.count)
        (void)add_range(r, UINT64_MAX, 0); /* the share goes on in another worker */
    share_over(p, i);
}

void process_map_fail(map_run *r)
{
    deja_error err;
    deja_fail(&err, DEJA_EKILLED, "'%s' was lost: the processes of the pool were ended",
              r->function->options.name);
    give_up(r, &err);
    for (uint32_t i = 0; i < slot_count; i++)
        if (r->process->side[i].run == r)
            share_gone(r, i);
    advance(r);
}

/* ---- the calls of a run ---- */

static uint64_t done(deja_map_run *run)
{
    const map_run *r = (const map_run *)run;
    uint64_t ended = atomic_load(&r->block->ended);
    if (r->finished)
        return r->m.count;
    return ended < r->m.count ? ended : r->m.count - 1;
}

/* What nobody has taken is taken back. */
static void take_back(map_run *r)
{
    process *p = r->process;
    for (uint32_t i = 0; i < slot_count && r->shares; i++) {
        side *d = &p->side[i];
        uint64_t ready = slot_word(d->generation, 0, slot_ready);
        uint64_t gone = slot_word(d->generation, 0, slot_free);
        if (d->run != r || !atomic_compare_exchange_strong(&p->shop.boards.slots[i].word, &ready, gone))
            continue;
        share_gone(r, i);
    }
}

static void stop(deja_map_run *run)
{
    map_run *r = (map_run *)run;
    atomic_store(&r->block->stop, 1);
    take_back(r);
    advance(r);
}

static void unlink_run(map_run *r)
{
    map_run **at = &r->process->runs;
    while (*at && *at != r)
        at = &(*at)->next;
    if (*at)
        *at = r->next;
}

static void free_parts(map_run *r)
{
    for (size_t i = r->owned_len; i-- > 0;)
        heap_free(r->process->shop.heap, r->owned[i]);
    for (size_t i = 0; i < r->losses_len; i++)
        deja_free(r->losses[i].text);
    process_map_items_done(r);
    deja_free(r->owned);
    deja_free(r->todo);
    deja_free(r->losses);
    deja_free(r);
}

static void free_run(deja_map_run *run)
{
    map_run *r = (map_run *)run;
    process *p = r->process;
    if (!pool_is_foreign(p->pool)) {
        stop(run);
        while (r->shares) {
            uint32_t seen = __atomic_load_n(p->shop.bell, __ATOMIC_ACQUIRE);
            p->base.look(&p->base, deja_monotonic_ns(NULL));
            process_collect(&p->base);
            if (r->shares)
                bell_wait(p->shop.bell, seen, deja_monotonic_ns(NULL) + 100 * DEJA_MS_NS, 0);
        }
    }
    unlink_run(r);
    free_parts(r);
}

void process_map_pump(process *p)
{
    for (map_run *r = p->runs; r; r = r->next)
        if (!r->finished)
            advance(r);
}

void process_map_resume(backend *b)
{
    process *p = (process *)b;
    if (!p->held)
        return;
    p->held = 0;
    process_map_pump(p);
}

map_run *process_map_next(map_run *r)
{
    return r->next;
}

int process_map_begin(backend *b, deja_pool_function *f, const deja_map_task *m, deja_map_run **ret,
                      deja_error *err)
{
    process *p = (process *)b;
    deja_error own_err;
    err = err ? err : &own_err;
    if (p->lost)
        return deja_fail(err, DEJA_EKILLED, "'%s': the processes of the pool were ended", f->options.name);
    int rc = deja_items_check(m, f->options.name, err);
    map_run *r = rc == 0 ? deja_calloc(1, sizeof *r) : NULL;
    if (!r)
        return rc < 0 ? rc : deja_fail(err, DEJA_ENOMEM, "'%s': a map", f->options.name);
    r->base = (deja_map_run){.pool = p->pool,
                             .done = done,
                             .item = process_map_item,
                             .wall_ns = process_map_wall_ns,
                             .times = process_map_times,
                             .stop = stop,
                             .free = free_run};
    r->process = p;
    r->function = f;
    r->m = *m;
    rc = make_block(r, err);
    for (uint64_t i = 0; rc == 0 && i < r->shares_most; i++)
        rc = add_range(r, UINT64_MAX, 0);
    if (rc < 0) {
        deja_fail_in(err, "'%s'", f->options.name);
        free_parts(r);
        return rc;
    }
    r->next = p->runs;
    p->runs = r;
    advance(r);
    *ret = &r->base;
    return 0;
}
