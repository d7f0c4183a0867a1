/*
 * One item of a map: its arguments, its call, its end.
 */
#include "invoke.h"
#include "local_run.h"

#include <deja/clock.h>
#include <stdatomic.h>

static int set_product(item *i, const deja_product *made)
{
    i->kind = made->scalar.kind;
    i->bits = made->scalar.u64;
    if (!made->len)
        return 0;
    deja_product *kept = deja_dup(made, sizeof *made);
    i->kind = item_product;
    i->bits = (uintptr_t)kept;
    return kept ? 0 : DEJA_ENOMEM;
}

static int store_into(local_run *r, uint64_t at, deja_product *made, deja_error *err)
{
    const deja_array *into = r->m->into;
    int rc;
    if (made->len)
        rc = deja_fail(err, DEJA_ETYPE, "returned no number, as 'into' wants");
    else
        rc = deja_item_store(&made->scalar, into->dtype, into->data, at, err);
    deja_product_done(made);
    return rc < 0 ? deja_fail_in(err, "'%s'", r->f->options.name) : 0;
}

static int keep(local_run *r, uint64_t at, deja_product *made, deja_error *err)
{
    if (r->m->into)
        return store_into(r, at, made, err);
    if (set_product(&r->item[at], made) == 0)
        return 0;
    deja_product_done(made);
    return deja_fail(err, DEJA_ENOMEM, "'%s': keep a result", r->f->options.name);
}

static const deja_value *arguments(const local_run *r, lane *l, uint64_t at)
{
    const deja_map_task *m = r->m;
    if (m->rows)
        return m->rows + at * m->columns;
    for (uint32_t c = 0; m->column && c < m->columns; c++)
        if (m->column[c].split)
            l->arg[c] = deja_item_value(m->column[c].split, at, l->node ? &l->node[c] : NULL);
    return l->arg;
}

/* With a timeout somebody else may have called it late meanwhile, and then it stays so. */
static int leave_running(local_run *r, uint64_t at)
{
    int32_t runs = item_runs;
    return r->f->options.timeout_ms <= 0 ||
           atomic_compare_exchange_strong(&r->item[at].code, &runs, item_waits);
}

static int end_item(local_run *r, uint64_t at, int code, deja_product *made, deja_error *err)
{
    item *i = &r->item[at];
    if (!leave_running(r, at)) {
        if (code == 0)
            deja_product_done(made);
        return 0;
    }
    if (code == 0)
        code = keep(r, at, made, err);
    if (code < 0)
        i->bits = (uintptr_t)deja_strdup(err->text);
    atomic_store_explicit(&i->code, code, memory_order_release);
    if (code < 0 && r->m->stop_at_failure)
        local_map_stop(r);
    return 1;
}

static const char *text_of(const local_run *r, int32_t code, uint64_t bits)
{
    if (bits)
        return (const char *)(uintptr_t)bits;
    return code == DEJA_ECANCELED   ? r->canceled_text
           : code == DEJA_ETIMEDOUT ? r->late_text
                                    : deja_error_meaning(code);
}

/* Moved out, once. */
static void move_product(const local_run *r, item *one, uint64_t at, deja_product *ret)
{
    *ret = (deja_product){.fd = -1};
    if (r->m->into) {
        ret->scalar = deja_item_load(r->m->into->dtype, r->m->into->data, at);
    } else if (one->kind != item_product) {
        ret->scalar = deja_value_of(one->kind, 0);
        ret->scalar.u64 = one->bits;
    } else if (one->bits) {
        *ret = *(deja_product *)(uintptr_t)one->bits;
        deja_free((void *)(uintptr_t)one->bits);
        one->bits = 0;
    }
}

void local_item_ended(local_run *r, uint64_t n)
{
    if (n && atomic_fetch_add(&r->ended, n) + n == r->m->count)
        pool_rung(r->ops.pool);
}

int local_item_late(local_run *r, uint64_t at)
{
    int32_t runs = item_runs;
    if (!atomic_compare_exchange_strong(&r->item[at].code, &runs, DEJA_ETIMEDOUT))
        return 0;
    if (r->m->stop_at_failure)
        local_map_stop(r);
    local_item_ended(r, 1);
    pool_rung(r->ops.pool);
    return 1;
}

uint64_t local_item_run(local_run *r, lane *l, uint64_t at, deja_sink *s)
{
    const deja_pool_function_options *o = &r->f->options;
    deja_product made;
    deja_error err;
    if (o->timeout_ms > 0)
        atomic_store(&r->item[at].code, item_runs);
    int code = invoke(o->function, o->name, arguments(r, l, at), r->m->columns, s, &made, &err);
    int64_t start = l->start_ns;
    if (start && deja_monotonic_ns(NULL) - start >= o->timeout_ms * DEJA_MS_NS)
        local_item_late(r, at);
    return (uint64_t)end_item(r, at, code, &made, &err);
}

void local_item_cancel(local_run *r, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        atomic_store_explicit(&r->item[i].code, DEJA_ECANCELED, memory_order_release);
    local_item_ended(r, to - from);
}

int local_item_get(local_run *r, uint64_t at, deja_product *ret_product, const char **ret_text)
{
    item *one = &r->item[at];
    int32_t code = atomic_load_explicit(&one->code, memory_order_acquire);
    if (code > 0)
        code = at >= atomic_load(&r->cut) ? DEJA_ECANCELED : DEJA_EBUSY;
    if (ret_text)
        *ret_text = code < 0 ? text_of(r, code, one->bits) : NULL;
    if (code == 0 && ret_product)
        move_product(r, one, at, ret_product);
    return code;
}

void local_item_free_all(local_run *r)
{
    for (uint64_t i = 0; r->item && i < r->m->count; i++) {
        item *one = &r->item[i];
        int32_t code = one->code;
        void *held = (void *)(uintptr_t)one->bits;
        int is_product = code == 0 && one->kind == item_product && !r->m->into;
        if (is_product)
            deja_product_done(held);
        if (is_product || code < 0)
            deja_free(held);
    }
    deja_free(r->item);
}
