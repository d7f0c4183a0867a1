/*
 * Many calls of one function. With a cache: keys, look-ups in groups, and a flight for each miss, so many at
 * a time. Without: all of it is the pool's, which spreads items in chunks.
 */
#include "flight.h"
#include "results.h"
#include "shared.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/item.h>
#include <string.h>

/* Misses under way at most: enough to keep workers and groups of commits full. */
#define WINDOW 4096

/* The arguments of all items. */
typedef struct rows {
    const deja_value *rows;
    const deja_column *columns;
    size_t width, count;
} rows;

typedef struct mapping {
    deja_fn *function;
    rows in;
    deja_map_options options;
    deja_results *results;
    future_list answered;
    size_t refused;   /* rows that hold what is no value */
    deja_value *good; /* without a cache, the other rows where some were refused */
    size_t *numbers;  /* and which items they are */
    size_t waiting;   /* futures begun and not drained */
    int stopped;      /* after a failure */
    flight_request requests[FLIGHT_GROUP];
    answer answers[FLIGHT_GROUP];
    uint8_t found[FLIGHT_GROUP];
    deja_value *values;    /* FLIGHT_GROUP rows, where columns are split */
    deja_item_node *nodes; /* of sub-arrays, one for each of them */
} mapping;

/* ---- rows ---- */

static deja_value value_of(const deja_column *c, size_t i, deja_item_node *node)
{
    if (!c->split)
        return c->same;
    if (deja_item_is_nested(c->split))
        deja_item_node_init(c->split, node);
    return deja_item_value(c->split, i, node);
}

static const deja_value *row_of(mapping *m, size_t slot, size_t i)
{
    size_t width = m->in.width;
    if (m->in.rows)
        return m->in.rows + i * width;
    for (size_t c = 0; c < width; c++)
        m->values[slot * width + c] = value_of(&m->in.columns[c], i, &m->nodes[slot * width + c]);
    return m->values + slot * width;
}

static void put_error(mapping *m, size_t i, const deja_error *err)
{
    deja_error named = *err;
    deja_fail_in(&named, "item %zu", i);
    results_put(m->results, i, answer_of_error(&named));
}

static void put(mapping *m, size_t i, answer a)
{
    m->stopped |= a.code < 0 && m->options.stop_at_failure;
    if (a.text) {
        deja_error err;
        deja_fail(&err, a.code, "%s", a.text);
        answer_done(&a);
        put_error(m, i, &err);
        return;
    }
    results_put(m->results, i, a);
}

/* ---- with a cache ---- */

static void drain(mapping *m)
{
    while (m->answered.first) {
        size_t i = m->answered.first->number;
        put(m, i, future_take(m->answered.first));
        m->waiting--;
    }
}

/* 0: there is no memory, and the item has failed. */
static int expect(mapping *m, size_t i, deja_future **ret)
{
    deja_error err;
    deja_future *future = future_new(m->function, &m->answered);
    if (!future) {
        deja_fail(&err, DEJA_ENOMEM, "'%s': out of memory", m->function->name);
        put_error(m, i, &err);
        return 0;
    }
    future->number = i;
    m->waiting++;
    *ret = future;
    return 1;
}

/* Keys of a group, without the lock. Where one cannot be made its item has failed. */
static void make_keys(mapping *m, size_t first, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        deja_error err;
        flight_request *q = &m->requests[k];
        const deja_value *row = row_of(m, k, first + k);
        q->function = m->function;
        q->args = row;
        q->n = m->in.width;
        q->flags = m->options.flags;
        q->keyed = shared_freeze(m->function->d, row, q->n, &err) == 0 &&
                   function_key(m->function, row, q->n, &q->key, &err) == 0;
        if (!q->keyed) {
            m->stopped |= (int)m->options.stop_at_failure;
            put_error(m, first + k, &err);
        }
    }
}

static void do_group(mapping *m, size_t first, size_t n)
{
    flight_request *missed[FLIGHT_GROUP];
    deja_future *futures[FLIGHT_GROUP];
    size_t count = 0;
    deja_progress *p = &m->function->d->progress;
    flight_look_up(m->requests, n, m->answers, m->found);
    for (size_t k = 0; k < n; k++) {
        if (m->requests[k].keyed && m->found[k]) {
            p->calls++;
            p->done++;
            p->hits++;
            put(m, first + k, m->answers[k]);
        } else if (m->requests[k].keyed && expect(m, first + k, &futures[count])) {
            missed[count++] = &m->requests[k];
        }
    }
    flight_join_or_start(missed, futures, count);
    context_collect(m->function->d);
    drain(m);
}

/* What is not begun is canceled; what runs is waited for. */
static void leave_unbegun(mapping *m)
{
    deja *d = m->function->d;
    for (deja_future *future = d->waiting.first, *next; future; future = next) {
        next = future->next;
        size_t i = future->number;
        if (future->home != &m->answered || !flight_leave_unbegun(future))
            continue;
        deja_error err;
        deja_fail(&err, DEJA_ECANCELED, "not begun after an earlier failure");
        put_error(m, i, &err);
        m->waiting--;
    }
}

static void cancel_rest(mapping *m, size_t from)
{
    deja_error err;
    deja_fail(&err, DEJA_ECANCELED, "not begun after an earlier failure");
    for (size_t i = from; i < m->in.count; i++)
        put_error(m, i, &err);
}

/* Flights that are being kept hold memory and claims, too; the kernel walks over a list of those. */
static int is_full(const mapping *m)
{
    return m->waiting > WINDOW || m->function->d->storing_count > WINDOW;
}

static void wait_for_room(mapping *m)
{
    while (is_full(m) && !m->stopped) {
        context_turn(m->function->d, INT64_MAX);
        drain(m);
    }
}

static void wait_for_all(mapping *m)
{
    while (m->waiting > 0) {
        if (m->stopped)
            leave_unbegun(m);
        if (m->waiting == 0)
            break;
        context_turn(m->function->d, INT64_MAX);
        drain(m);
    }
}

static int map_cached(mapping *m, deja_error *err)
{
    deja *d = m->function->d;
    size_t i = 0, n;
    for (; i < m->in.count && !m->stopped; i += n) {
        n = m->in.count - i < FLIGHT_GROUP ? m->in.count - i : FLIGHT_GROUP;
        make_keys(m, i, n);
        int rc = context_enter(d, err);
        if (rc < 0)
            return rc;
        do_group(m, i, n);
        wait_for_room(m);
        context_leave(d);
    }
    int rc = context_enter(d, err);
    if (rc < 0)
        return rc;
    wait_for_all(m);
    context_leave(d);
    cancel_rest(m, i < m->in.count ? i : m->in.count);
    return 0;
}

/* ---- without ---- */

static int freeze_all(mapping *m, deja_error *err)
{
    deja *d = m->function->d;
    int rc = 0;
    for (size_t c = 0; rc == 0 && m->in.columns && c < m->in.width; c++) {
        const deja_column *column = &m->in.columns[c];
        const deja_value v = column->split ? deja_of_array(column->split) : column->same;
        rc = shared_freeze(d, &v, 1, err);
    }
    return m->in.rows ? shared_freeze(d, m->in.rows, m->in.count * m->in.width, err) : rc;
}

static int check_row(const mapping *m, size_t i, deja_error *err)
{
    return function_check(m->function, m->in.rows + i * m->in.width, m->in.width, err);
}

static size_t count_refused(const mapping *m)
{
    size_t count = 0;
    for (size_t i = 0; m->in.rows && i < m->in.count; i++)
        count += check_row(m, i, NULL) < 0;
    return count;
}

/* The good rows. Results in `into` would lie elsewhere: they become answers of their own, which are stored
 * there at the end. */
static int make_good(mapping *m, deja_error *err)
{
    size_t most = m->in.count - m->refused;
    m->good = deja_calloc(most * m->in.width + 1, sizeof *m->good);
    m->numbers = deja_calloc(most + 1, sizeof *m->numbers);
    deja_results *own = results_new(m->in.count);
    if (!m->good || !m->numbers || !own) {
        deja_results_free(own);
        return deja_fail(err, DEJA_ENOMEM, "map '%s': out of memory", m->function->name);
    }
    deja_results_free(m->results);
    m->results = own;
    return 0;
}

/* What the pool gets: all items, or the good ones; after a failure that stops the map, those before it. */
static int choose_rows(mapping *m, rows *ret, deja_error *err)
{
    size_t count = 0, width = m->in.width;
    *ret = m->in;
    m->refused = count_refused(m);
    if (m->refused == 0)
        return 0;
    if (make_good(m, err) < 0)
        return DEJA_ENOMEM;
    for (size_t i = 0; i < m->in.count && !m->stopped; i++) {
        deja_error why;
        if (check_row(m, i, &why) < 0) {
            put_error(m, i, &why);
            m->stopped = (int)m->options.stop_at_failure;
            if (m->stopped)
                cancel_rest(m, i + 1);
            continue;
        }
        memcpy(m->good + count * width, m->in.rows + i * width, width * sizeof *m->good);
        m->numbers[count++] = i;
    }
    *ret = (rows){.rows = m->good, .width = width, .count = count};
    return 0;
}

/* Where results go at once. */
static deja_array *pool_into(const mapping *m)
{
    return m->refused ? NULL : m->options.into;
}

static void take_item(mapping *m, deja_map_run *run, size_t i)
{
    deja_task_outcome o = {.product.fd = -1};
    const char *text = NULL;
    o.code = deja_map_run_item(run, i, pool_into(m) ? NULL : &o.product, &text);
    o.wall_ns = deja_map_run_wall_ns(run, i);
    o.text = o.code < 0 && text ? deja_strdup(text) : NULL;
    m->function->d->progress.failed += o.code < 0;
    put(m, m->numbers ? m->numbers[i] : i, answer_of_outcome(&o));
    deja_product_done(&o.product);
}

/* Of results that lie in `into` only failures are looked at: a million answers would take as long as the map.
 */
static void take_items(mapping *m, deja_map_run *run, size_t count)
{
    uint16_t *times = results_times(m->results);
    uint64_t left = times ? deja_map_run_times(run, times) : count;
    for (size_t i = 0; i < count && left; i++)
        if (!times || !times[i]) {
            take_item(m, run, i);
            left--;
        }
    m->function->d->progress.done += count;
}

static int map_by_pool(mapping *m, const rows *in, deja_error *err)
{
    deja *d = m->function->d;
    deja_map_run *run;
    const deja_map_task task = {.size = sizeof task,
                                .columns = (uint32_t)in->width,
                                .count = in->count,
                                .column = in->columns,
                                .rows = in->rows,
                                .into = pool_into(m),
                                .stop_at_failure = m->options.stop_at_failure};
    int rc = context_enter(d, err);
    if (rc < 0)
        return rc;
    rc = deja_pool_map_begin(d->pool, m->function->pooled, &task, &run, err);
    if (rc == 0) {
        d->progress.calls += in->count;
        while (deja_map_run_done(run) < in->count)
            context_turn(d, INT64_MAX);
        take_items(m, run, in->count);
        deja_map_run_free(run);
    }
    context_leave(d);
    return rc;
}

/* ---- the calls ---- */

/* Numbers into the caller's array; what is none is a failure of its item. */
static void put_into(mapping *m)
{
    for (size_t i = 0; m->options.into && i < m->in.count; i++) {
        deja_error err;
        const deja_value *v = deja_results_at(m->results, i);
        if (v && deja_item_store(v, m->options.into->dtype, m->options.into->data, i, &err) < 0) {
            deja_fail_in(&err, "'%s'", m->function->name);
            put_error(m, i, &err);
        }
    }
}

static int map_uncached(mapping *m, deja_error *err)
{
    rows in;
    int rc = choose_rows(m, &in, err);
    if (rc == 0 && in.count > 0)
        rc = map_by_pool(m, &in, err);
    if (rc == 0 && m->refused)
        put_into(m);
    return rc;
}

/* What is passed becomes read-only; results cannot go there. */
static int freeze_and_check(mapping *m, deja_error *err)
{
    const deja_fn *f = m->function;
    int rc = freeze_all(m, err);
    if (rc == 0 && m->options.into && shared_is_frozen(f->d, m->options.into))
        rc = deja_fail(err, DEJA_EINVAL,
                       "map '%s': `into` is read-only since a call got it: deja_array_edit gives a copy",
                       f->name);
    return rc;
}

static int run(mapping *m, deja_error *err)
{
    const deja_fn *f = m->function;
    int frozen = freeze_and_check(m, err);
    if (m->in.count == 0 || frozen < 0)
        return frozen;
    if (!function_is_cached(f))
        return map_uncached(m, err);
    int rc = map_cached(m, err);
    if (rc == 0)
        put_into(m);
    return rc;
}

static int check_into(const deja_fn *f, const deja_array *into, size_t count, deja_error *err)
{
    if (!into)
        return 0;
    int is_number = into->dtype >= DEJA_BOOL && into->dtype <= DEJA_F64;
    if (into->ndim == 1 && into->shape && into->shape[0] == (int64_t)count && is_number && into->data &&
        deja_array_is_plain(into))
        return 0;
    return deja_fail(err, DEJA_EINVAL,
                     "map '%s': `into` is one axis of %zu numbers (bool, i64, u64 or f64) without gaps",
                     f->name, count);
}

static int check_columns(const deja_fn *f, const rows *in, deja_error *err)
{
    int rc = 0;
    for (size_t c = 0; rc == 0 && in->columns && c < in->width; c++) {
        const deja_column *column = &in->columns[c];
        const deja_value v = column->split ? deja_of_array(column->split) : column->same;
        rc = deja_value_check(&v, err);
        if (rc < 0)
            deja_fail_in(err, "map '%s': column %zu", f->name, c + 1);
    }
    return rc;
}

static mapping *prepare(deja_fn *f, const rows *in, const deja_map_options *given, deja_error *err)
{
    deja_map_options o = {0};
    if (context_check(err) < 0 || context_options(&o, sizeof o, given, "DEJA_MAP_OPTIONS", err) < 0 ||
        check_columns(f, in, err) < 0 || check_into(f, o.into, in->count, err) < 0)
        return NULL;
    mapping *m = deja_calloc(1, sizeof *m);
    if (m) {
        m->function = f;
        m->in = *in;
        m->options = o;
        m->results = m->options.into && !function_is_cached(f) ? results_new_elsewhere(in->count)
                                                               : results_new(in->count);
        m->values = in->rows ? NULL : deja_calloc(FLIGHT_GROUP * in->width, sizeof *m->values);
        m->nodes = in->rows ? NULL : deja_calloc(FLIGHT_GROUP * in->width, sizeof *m->nodes);
    }
    if (!m || !m->results || (!in->rows && (!m->values || !m->nodes)))
        deja_fail(err, DEJA_ENOMEM, "map '%s': out of memory", f->name);
    return m;
}

static deja_results *map(deja_fn *f, const rows *in, const deja_map_options *options, deja_error *err)
{
    deja_results *r = NULL;
    mapping *m = prepare(f, in, options, err);
    if (!m)
        return NULL;
    if (m->results && (in->rows || (m->values && m->nodes)) && run(m, err) == 0)
        r = deja_take(m->results);
    deja_results_free(m->results);
    for (size_t k = 0; k < FLIGHT_GROUP; k++)
        call_key_done(&m->requests[k].key);
    deja_free(m->values);
    deja_free(m->nodes);
    deja_free(m->good);
    deja_free(m->numbers);
    deja_free(m);
    return r;
}

deja_results *deja_map(deja_fn *f, const deja_value *values, size_t count, size_t columns,
                       const deja_map_options *options, deja_error *err)
{
    static const deja_value none;
    if (!f)
        return NULL;
    if (!values && count * columns > 0) {
        deja_fail(err, DEJA_EINVAL, "map '%s': no rows", f->name);
        return NULL;
    }
    return map(f, &(rows){.rows = values ? values : &none, .width = columns, .count = count}, options, err);
}

/* Items of the split columns. */
static int count_items(const deja_fn *f, const deja_column *columns, size_t n, size_t *ret, deja_error *err)
{
    int64_t count = -1;
    for (size_t c = 0; c < n; c++) {
        const deja_array *a = columns[c].split;
        if (!a)
            continue;
        if (a->ndim == 0)
            return deja_fail(err, DEJA_EINVAL, "map '%s': column %zu has no axis to be split along", f->name,
                             c + 1);
        if (count >= 0 && a->shape[0] != count)
            return deja_fail(err, DEJA_EINVAL, "map '%s': column %zu has %lld items, an earlier one %lld",
                             f->name, c + 1, (long long)a->shape[0], (long long)count);
        count = a->shape[0];
    }
    if (count < 0)
        return deja_fail(err, DEJA_EINVAL, "map '%s': no column is an array to be split", f->name);
    *ret = (size_t)count;
    return 0;
}

deja_results *deja_map_columns(deja_fn *f, const deja_column *columns, size_t count,
                               const deja_map_options *options, deja_error *err)
{
    size_t items = 0;
    if (!f || count_items(f, columns, count, &items, err) < 0)
        return NULL;
    return map(f, &(rows){.columns = columns, .width = count, .count = items}, options, err);
}
