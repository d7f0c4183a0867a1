/*
 * A share of a map in a worker. The loop over short items is what its speed depends on: per item one store
 * that says which it is, the arguments, the call, the result; clock and marks once for a block of items that
 * lasts some 20 us.
 */
#include "invoke.h"
#include "limit.h"
#include "map_block.h"
#include "wire.h"
#include "worker.h"
#include <deja/item.h>

#include <deja/clock.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    block_ns = 20 * 1000,
    nap_ns = 20 * 1000 * 1000, /* between looks for a stop while a start is not due */
    block_most = 4096,         /* items */
    guided_parts = 4,          /* a chunk is this part of what is left for each share */
};

/* A column as the loop wants it. */
typedef struct feed {
    const uint64_t *words; /* map_words; else NULL */
    int is_split;
    deja_array array;
    deja_item_node node;
} feed;

typedef struct share {
    worker *w;
    const map_block *m; /* read-only */
    map_block *shared;  /* the same, writable */
    uint16_t *mark;
    map_record *record;
    uint64_t *words; /* `into`, but for DEJA_BOOL */
    void *into;
    _Atomic int64_t *next_start_ns; /* of the function */
    deja_job_fn function;
    deja_value *args;
    feed *feed;
    uint64_t note, block;
    int64_t now_ns;
    int quick;  /* numbers of eight bytes only */
    int stream; /* memfd; -1: none yet */
    uint32_t stream_number;
    uint64_t stream_len;
    deja_arena row; /* of one row */
} share;

/* ---- arguments ---- */

static int open_image(share *s, const map_column *c, deja_value *ret)
{
    return deja_image_read(c->data, c->len, &s->w->heap, &s->w->arena, ret, &s->w->err);
}

static void open_split(const map_column *c, feed *f)
{
    f->is_split = 1;
    f->array = (deja_array){.data = (void *)c->data, .dtype = c->dtype, .ndim = c->ndim, .shape = c->shape};
    deja_item_node_init(&f->array, &f->node);
}

static int open_columns(share *s)
{
    uint64_t n = s->m->columns;
    s->args = deja_arena_alloc(&s->w->arena, n * sizeof *s->args + 1);
    s->feed = deja_arena_alloc(&s->w->arena, n * sizeof *s->feed + 1);
    if (!s->args || !s->feed)
        return deja_fail(&s->w->err, DEJA_ENOMEM, "arguments of a map");
    memset(s->feed, 0, n * sizeof *s->feed);
    for (uint64_t i = 0; i < n && !s->m->row && !s->m->row_at; i++) {
        const map_column *c = &s->m->column[i];
        s->args[i] = c->value;
        if (c->form == map_words)
            s->feed[i].words = c->data;
        else if (c->form == map_split)
            open_split(c, &s->feed[i]);
        else if (c->form == map_image && open_image(s, c, &s->args[i]) < 0)
            return s->w->err.code;
    }
    return 0;
}

static const deja_value *row_of_image(share *s, uint64_t i)
{
    deja_value list;
    const uint64_t *at = s->m->row_at + 2 * i;
    deja_arena_reset(&s->row);
    if (deja_image_read(s->m->row_images + at[0], at[1], &s->w->heap, &s->row, &list, &s->w->err) < 0)
        return NULL;
    return list.list;
}

static inline const deja_value *args_of(share *s, uint64_t i)
{
    const map_block *m = s->m;
    if (m->row)
        return m->row + i * m->columns;
    if (m->row_at)
        return row_of_image(s, i);
    for (uint64_t c = 0; c < m->columns; c++) {
        feed *f = &s->feed[c];
        if (f->words)
            s->args[c].u64 = f->words[i];
        else if (f->is_split)
            s->args[c] = deja_item_value(&f->array, i, &f->node);
    }
    return s->args;
}

/* ---- results ---- */

static void open_stream(share *s)
{
    if (s->stream >= 0)
        return;
    s->stream = memfd_create("deja-map", MFD_CLOEXEC);
    if (s->stream < 0)
        worker_leave(s->w);
    s->stream_number = atomic_fetch_add(&s->shared->streams, 1);
    worker_send(s->w, wire_stream, s->note, 0, s->stream_number, s->stream);
}

/* Complete before anything refers to it. A worker that cannot write it ends: its item is told as lost. */
static uint64_t add_entry(share *s, uint64_t item, int32_t code, const void *data, uint64_t len)
{
    map_entry e = {.item = item, .len = len, .code = code};
    uint64_t at = s->stream_len;
    struct iovec io[] = {{&e, sizeof e}, {(void *)data, len}};
    open_stream(s);
    while (pwritev(s->stream, io, 2, (off_t)at) != (ssize_t)(sizeof e + len))
        if (errno != EINTR)
            worker_leave(s->w);
    s->stream_len = (at + sizeof e + len + 63) & ~UINT64_C(63);
    return at;
}

static void fail_item(share *s, uint64_t i, int code)
{
    deja_error *err = &s->w->err;
    invoke_fail(s->m->place->name, code, err);
    add_entry(s, i, err->code, err->text, strlen(err->text));
    s->mark[i] = map_failed;
    if (s->m->stop_at_failure)
        atomic_store(&s->shared->stop, 1);
}

static int keep_scalar(share *s, uint64_t i, const deja_value *v)
{
    if (s->record) {
        s->record[i] = (map_record){.bits = v->u64, .kind = v->kind};
        return 0;
    }
    if (s->words && v->kind == s->m->into_dtype) {
        s->words[i] = v->u64;
        return 0;
    }
    return deja_item_store(v, s->m->into_dtype, s->into, i, &s->w->err);
}

static int keep_product(share *s, uint64_t i, const deja_product *p)
{
    if (!p->len)
        return keep_scalar(s, i, &p->scalar);
    if (!s->record)
        return deja_fail(&s->w->err, DEJA_ETYPE, "returned no number, which 'into' wants");
    if (p->fd < 0) {
        uint64_t at = add_entry(s, i, 0, p->image, p->len);
        s->record[i] = (map_record){.bits = at, .kind = map_record_stream, .stream = s->stream_number};
        return 0;
    }
    worker_send(s->w, wire_item, s->note, p->len, i, p->fd);
    s->record[i] = (map_record){.kind = map_record_file};
    return 0;
}

/* All that is no number. */
static void end_item(share *s, uint64_t i, int rc, const deja_out *out)
{
    deja_product made = {.fd = -1};
    if (rc == 0 || s->w->sink.failed.code)
        rc = sink_take(&s->w->sink, out, &made, &s->w->err);
    sink_clear(&s->w->sink);
    if (rc == 0)
        rc = keep_product(s, i, &made);
    deja_product_done(&made);
    if (rc)
        fail_item(s, i, rc);
}

/* ---- items ---- */

static inline void run_item(share *s, uint64_t i)
{
    deja_error *err = &s->w->err;
    deja_out out;
    out.value = deja_null();
    out.sink = &s->w->sink;
    atomic_store_explicit(&s->w->board->item, i, memory_order_release);
    err->code = err->sys_errno = 0;
    err->text[0] = '\0';
    const deja_value *args = args_of(s, i);
    if (!args) {
        fail_item(s, i, err->code);
        return;
    }
    int rc = s->function(args, s->m->columns, &out, err);
    worker_check_self(s->w);
    if (__builtin_expect(
            rc == 0 && out.value.kind <= DEJA_F64 && !s->w->sink.made.len && !s->w->sink.failed.code, 1))
        rc = keep_scalar(s, i, &out.value);
    else {
        end_item(s, i, rc, &out);
        return;
    }
    if (__builtin_expect(rc != 0, 0))
        fail_item(s, i, rc);
}

static inline int stopped(const share *s)
{
    return atomic_load_explicit(&s->shared->stop, memory_order_relaxed) != 0;
}

/* Not what the quick loop is for: the whole way. */
__attribute__((noinline)) static void end_slowly(share *s, uint64_t i, int rc, deja_out *out)
{
    worker_check_self(s->w);
    if (out->value.kind == DEJA_NULL)
        out->value = deja_null();
    end_item(s, i, rc, out);
}

/*
 * Numbers of eight bytes in and out: what run_item does, without a step that such items do not need. 6 ns an
 * item where that takes 12.
 */
static uint64_t run_quickly(share *s, uint64_t from, uint64_t to)
{
    worker *w = s->w;
    const deja_job_fn function = s->function;
    const uint64_t columns = s->m->columns;
    const uint32_t dtype = s->m->into_dtype;
    deja_value *args = s->args;
    const feed *feeds = s->feed;
    const uint64_t *first = columns ? feeds[0].words : NULL;
    uint64_t *words = s->words;
    deja_error *err = &w->err;
    deja_out out = {.value = deja_null(), .sink = &w->sink};
    for (uint64_t i = from; i < to; i++) {
        if (stopped(s))
            return i;
        atomic_store_explicit(&w->board->item, i, memory_order_release);
        err->code = err->sys_errno = 0;
        err->text[0] = '\0';
        out.value.kind = DEJA_NULL;
        if (first)
            args[0].u64 = first[i];
        for (uint64_t c = 1; c < columns; c++)
            if (feeds[c].words)
                args[c].u64 = feeds[c].words[i];
        int rc = function(args, columns, &out, err);
        if (__builtin_expect(rc != 0 || out.value.kind != dtype || !*w->own || w->sink.failed.code, 0))
            end_slowly(s, i, rc, &out);
        else
            words[i] = out.value.u64;
    }
    return to;
}

static int is_quick(const share *s)
{
    int quick = s->words && !s->m->row && !s->m->row_at;
    for (uint64_t c = 0; quick && c < s->m->columns; c++)
        quick = !s->feed[c].is_split;
    return quick;
}

static uint64_t run_block(share *s, uint64_t from, uint64_t to)
{
    if (s->quick)
        return run_quickly(s, from, to);
    for (uint64_t i = from; i < to; i++) {
        if (stopped(s))
            return i;
        run_item(s, i);
    }
    return to;
}

/* In short sleeps: a stop is heeded. */
static void wait_turn(const share *s)
{
    for (int64_t at, now; !stopped(s);) {
        now = deja_monotonic_ns(NULL);
        at = limit_claim_word(s->next_start_ns, s->m->interval_ns, now);
        if (!at)
            return;
        int64_t until = at < now + nap_ns ? at : now + nap_ns;
        struct timespec t = {.tv_sec = until / DEJA_S_NS, .tv_nsec = until % DEJA_S_NS};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    }
}

/* With a limit of time or of starts each item is a turn of its own. */
static uint64_t run_limited(share *s, uint64_t i)
{
    if (s->m->interval_ns)
        wait_turn(s);
    if (stopped(s))
        return i;
    s->now_ns = deja_monotonic_ns(NULL);
    worker_begin_turn(s->w, s->m->timeout_ns ? s->now_ns + s->m->timeout_ns : INT64_MAX);
    run_item(s, i);
    worker_end_turn(s->w);
    return i + 1;
}

static void mark(share *s, uint64_t from, uint64_t to, int64_t ns)
{
    uint16_t how_long = map_mark_of(ns / (int64_t)(to - from));
    uint16_t *at = s->mark;
    for (uint64_t i = from; i < to; i++)
        at[i] = at[i] == map_failed ? map_failed : how_long;
    atomic_fetch_add(&s->shared->ended, to - from);
}

static void adapt(share *s, int64_t ns)
{
    if (ns < block_ns && s->block < block_most)
        s->block *= 2;
    else if (ns > 2 * block_ns && s->block > 1)
        s->block /= 2;
}

static void run_chunk(share *s, uint64_t from, uint64_t to)
{
    int limited = s->m->timeout_ns || s->m->interval_ns;
    while (from < to && !stopped(s)) {
        uint64_t most = to - from < s->block ? to : from + s->block;
        atomic_store_explicit(&s->w->board->block, from, memory_order_release);
        uint64_t end = limited ? run_limited(s, from) : run_block(s, from, most);
        int64_t now = deja_monotonic_ns(NULL);
        if (end > from)
            mark(s, from, end, now - s->now_ns);
        adapt(s, now - s->now_ns);
        s->now_ns = now;
        from = end;
    }
}

static uint64_t chunk_size(const map_block *m, uint64_t taken)
{
    uint64_t left = m->count - taken, part = left / (m->shares * guided_parts);
    return m->chunk ? m->chunk : part ? part : 1;
}

static void run_chunks(share *s)
{
    const map_block *m = s->m;
    for (;;) {
        uint64_t from = atomic_load_explicit(&s->shared->next, memory_order_relaxed);
        if (from >= m->count || stopped(s))
            return;
        uint64_t size = chunk_size(m, from);
        from = atomic_fetch_add(&s->shared->next, size);
        if (from >= m->count)
            return;
        run_chunk(s, from, m->count - from < size ? m->count : from + size);
        fflush(stdout);
    }
}

static int open_share(share *s, const slot *of)
{
    worker *w = s->w;
    const map_block *m = s->m;
    s->shared = heap_writable(w->shop->heap, m);
    s->mark = heap_writable(w->shop->heap, m->mark);
    s->next_start_ns = &((function_place *)heap_writable(w->shop->heap, m->place))->next_start_ns;
    s->record = m->record ? heap_writable(w->shop->heap, m->record) : NULL;
    s->into = m->into ? heap_writable(w->shop->heap, m->into) : NULL;
    s->words = m->into_dtype == DEJA_BOOL ? NULL : s->into;
    s->function = w->init.code ? NULL : worker_function(w, of->place);
    if (w->init.code)
        w->err = w->init;
    return s->function ? open_columns(s) : w->err.code;
}

void worker_map(worker *w, uint64_t note)
{
    slot *of = &w->shop->boards.slots[(uint32_t)note % slot_count];
    share s = {.w = w, .m = of->args_at, .note = note, .block = 1, .stream = -1};
    int limited = s.m->timeout_ns || s.m->interval_ns;
    atomic_store(&w->board->item, UINT64_MAX);
    int rc = open_share(&s, of);
    of->result = result_scalar;
    of->code = 0;
    s.now_ns = deja_monotonic_ns(NULL);
    if (!limited)
        worker_begin_turn(w, INT64_MAX);
    s.quick = rc == 0 && is_quick(&s);
    if (rc < 0)
        worker_put_text(of, &w->err);
    else if (of->from == UINT64_MAX)
        run_chunks(&s);
    else
        run_chunk(&s, of->from, of->to);
    fflush(stdout);
    if (!limited)
        worker_end_turn(w);
    of->end_ns = s.now_ns;
    if (s.stream >= 0)
        close(s.stream);
    deja_arena_done(&s.row);
    deja_arena_reset(&w->arena);
}
