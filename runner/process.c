/*
 * The process backend: tasks into slots, outcomes out of them. Nothing that a worker wrote is believed beyond
 * its own result: indices and lengths are checked.
 */
#include "process.h"
#include "library.h"
#include "product.h"
#include "result_sink.h"
#include "zygote.h"

#include <deja/clock.h>
#include <deja/file.h>
#include <deja/runner.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    spin_ns = 20 * 1000, /* of a worker: a task that comes within it saves a futex pair */
    close_ms = 5000,     /* beyond the grace */
};

/* ---- arguments ---- */

typedef struct packed {
    int plain;
    void *at;     /* heap block; NULL: in the room that was offered */
    uint64_t len; /* values, or bytes of the image */
} packed;

static int all_plain(const deja_value *args, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (args[i].kind > DEJA_F64)
            return 0;
    return 1;
}

static void *place_for(process *p, uint64_t bytes, void *room, packed *ret, deja_error *err)
{
    if (room && bytes <= slot_room)
        return room;
    return ret->at = heap_alloc(p->shop.heap, bytes, 0, err);
}

static int pack(process *p, const deja_value *args, size_t n, void *room, packed *ret, deja_error *err)
{
    deja_error own;
    err = err ? err : &own;
    *ret = (packed){.plain = all_plain(args, n), .len = n};
    deja_value list = deja_list(args, n);
    uint64_t bytes = n * sizeof *args;
    if (!ret->plain)
        ret->len = bytes = deja_image_size(&list, &p->image_heap);
    if (bytes == UINT64_MAX) {
        int rc = deja_value_check(&list, err);
        return rc < 0 ? rc : deja_fail(err, DEJA_EINVAL, "arguments that are no values");
    }
    void *to = place_for(p, bytes, room, ret, err);
    if (!to)
        return err->code;
    if (ret->plain && n)
        memcpy(to, args, bytes);
    else if (!ret->plain)
        deja_image_write(&list, &p->image_heap, to);
    return 0;
}

/* ---- slots ---- */

uint32_t process_slot(process *p)
{
    if (!p->free_count)
        return slot_count;
    uint32_t i = p->free_slot[--p->free_count];
    p->side[i].generation++;
    return i;
}

static void start_workers(process *p)
{
    control *c = p->shop.boards.control;
    process_watch(p);
    if (atomic_load_explicit(&c->wanted, memory_order_relaxed))
        return;
    atomic_store(&c->wanted, p->shop.boards.workers);
    zygote_say(&p->shop, zygote_look);
}

void process_post(process *p, uint32_t i, int64_t timeout_ns)
{
    slot *s = &p->shop.boards.slots[i];
    side *d = &p->side[i];
    s->timeout_ns = timeout_ns;
    d->timed = timeout_ns != 0;
    if (d->timed && atomic_fetch_add(&p->shop.boards.control->timed, 1) == 0)
        zygote_say(&p->shop, zygote_look);
    atomic_store(&s->word, slot_word(d->generation, 0, slot_ready));
    boards_push(&p->shop.boards, d->generation, i);
    start_workers(p);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void process_release(process *p, uint32_t i)
{
    side *d = &p->side[i];
    atomic_store(&p->shop.boards.slots[i].word, slot_word(d->generation, 0, slot_free));
    if (d->timed)
        atomic_fetch_sub(&p->shop.boards.control->timed, 1);
    p->kills -= d->kill != 0;
    close_fd(&d->fd);
    close_fd(&d->out_fd);
    close_fd(&d->err_fd);
    deja_product_done(&d->made);
    heap_free(p->shop.heap, d->args);
    *d = (side){.generation = d->generation, .fd = -1, .out_fd = -1, .err_fd = -1};
    p->free_slot[p->free_count++] = i;
}

/* ---- results ---- */

/* Only as long as it is small: a large one is mapped when its length is known from the slot. */
static void receive_result(side *d, const wire_message *m, int fd)
{
    close_fd(&d->fd);
    if (fd < 0 || m->len >= sink_file_bytes || d->made.len) {
        d->fd = fd;
        return;
    }
    d->made_code = product_of_file(fd, m->len, &d->made, NULL);
}

static void dispatch(process *p, const wire_message *m, int fd)
{
    uint32_t i = (uint32_t)m->note;
    side *d = i < slot_count ? &p->side[i] : NULL;
    int *to = NULL;
    if (d && d->generation == (uint32_t)(m->note >> 32)) {
        if (d->run && (m->kind == wire_stream || m->kind == wire_item)) {
            process_map_received(d->run, m, fd);
            return;
        }
        if (d->task && m->kind == wire_result) {
            receive_result(d, m, fd);
            return;
        }
        if (d->task)
            to = m->kind == wire_out ? &d->out_fd : m->kind == wire_err ? &d->err_fd : NULL;
    }
    if (!to) {
        close_fd(&fd);
        return;
    }
    close_fd(to);
    *to = fd;
}

/* The count is read first: what is sent meanwhile is found the next time. */
void process_receive(process *p)
{
    for (uint32_t w = 0; w < p->shop.boards.workers; w++) {
        uint64_t sent = atomic_load(&p->shop.boards.board[w].sent);
        wire_message m;
        int fd;
        if (sent == p->received[w])
            continue;
        while (wire_receive(p->shop.program_ends[w], &m, &fd))
            dispatch(p, &m, fd);
        p->received[w] = sent;
    }
}

/* A slot as its worker left it, read once: what was checked must not change. */
typedef struct answer {
    uint32_t result;
    int32_t code;
    uint64_t len;
    const char *room;
} answer;

static answer answer_of(const slot *s)
{
    const volatile slot *v = s;
    return (answer){.result = v->result, .code = v->code, .len = v->result_len, .room = s->room};
}

static int read_scalar(const answer *s, deja_product *ret, deja_error *err)
{
    deja_value v;
    memcpy(&v, s->room, sizeof v);
    if (v.kind > DEJA_F64)
        return deja_fail(err, DEJA_ECORRUPT, "a worker returned nonsense");
    deja_value clean = deja_value_of(v.kind, 0);
    clean.u64 = v.kind == DEJA_NULL ? 0 : v.u64;
    *ret = product_of_scalar(&clean);
    return 0;
}

static int read_result(const answer *s, side *d, deja_product *ret, deja_error *err)
{
    if (s->result == result_scalar)
        return read_scalar(s, ret, err);
    if (s->result == result_image && s->len <= slot_room)
        return product_of_bytes(s->room, s->len, ret) < 0 ? deja_fail(err, DEJA_ENOMEM, "take a result") : 0;
    if (s->result == result_text && s->len < slot_room && s->code < 0)
        return deja_fail(err, s->code, "%.*s", (int)s->len, s->room);
    if (s->result != result_file)
        return deja_fail(err, DEJA_ECORRUPT, "a worker returned nonsense");
    if (d->made.len && d->made.len == s->len) {
        *ret = d->made;
        d->made = (deja_product){.fd = -1};
        return 0;
    }
    int fd = d->fd;
    d->fd = -1;
    if (d->made_code < 0)
        return deja_fail(err, d->made_code, "take a result");
    if (fd < 0)
        return deja_fail(err, DEJA_ERESOURCE, "no descriptor was left for the result");
    return product_of_file(fd, s->len, ret, err);
}

static void take_output(side *d, deja_task_outcome *o)
{
    o->out_fd = d->out_fd;
    o->err_fd = d->err_fd;
    d->out_fd = d->err_fd = -1;
    if (o->out_fd >= 0)
        lseek(o->out_fd, 0, SEEK_SET);
    if (o->err_fd >= 0)
        lseek(o->err_fd, 0, SEEK_SET);
}

static void end_task(process *p, uint32_t i, int code, const char *text)
{
    task *t = p->side[i].task;
    take_output(&p->side[i], &t->outcome);
    t->outcome.code = code;
    t->outcome.text = code < 0 ? deja_strdup(text) : NULL;
    t->state = task_ended;
    process_release(p, i);
    pool_finished(p->pool, t);
}

void process_fail(process *p, uint32_t i, const deja_error *err, int signal)
{
    task *t = p->side[i].task;
    t->outcome.signal = signal;
    t->outcome.cpu_ns = -1;
    end_task(p, i, err->code, err->text);
}

void process_finish(process *p, uint32_t i)
{
    const slot *s = &p->shop.boards.slots[i];
    side *d = &p->side[i];
    if (d->run) {
        process_receive(p);
        process_map_share_done(p, i);
        return;
    }
    answer a = answer_of(s);
    if (a.result == result_file || d->task->function->options.capture)
        process_receive(p);
    deja_error err;
    deja_task_outcome *o = &d->task->outcome;
    o->wall_ns = s->wall_ns;
    o->cpu_ns = s->cpu_ns;
    d->task->start_ns = s->end_ns - o->wall_ns;
    int rc = read_result(&a, d, &o->product, &err);
    end_task(p, i, rc, rc < 0 ? err.text : NULL);
}

int process_failure(const process *p, uint32_t i, deja_error *err)
{
    answer a = answer_of(&p->shop.boards.slots[i]);
    if (a.code >= 0 || a.result != result_text || a.len >= slot_room)
        return 0;
    return deja_fail(err, a.code, "%.*s", (int)a.len, a.room);
}

/* A worker's ring says that a slot is done; only its word proves it. */
static int is_done(const process *p, uint32_t i)
{
    const side *d = &p->side[i];
    uint64_t word = atomic_load(&p->shop.boards.slots[i].word);
    return (d->task || d->run) && (word & 0xff) == slot_done && (uint32_t)(word >> 32) == d->generation;
}

/* The next of one worker's ring, slot_count: none. What is nonsense is passed over. */
static uint32_t next_told(process *p, uint32_t w)
{
    const board *b = &p->shop.boards.board[w];
    uint32_t told = atomic_load_explicit(&b->told, memory_order_acquire);
    while (p->heard[w] != told) {
        uint32_t i = __atomic_load_n(&b->done[p->heard[w] % slot_count], __ATOMIC_RELAXED);
        if (i < slot_count && is_done(p, i))
            return i;
        p->heard[w]++;
    }
    return slot_count;
}

/* In the order in which they ended, over all rings. */
static void hear(process *p)
{
    for (;;) {
        uint32_t first = slot_count, from = 0;
        for (uint32_t w = 0; w < p->shop.boards.workers; w++) {
            uint32_t i = next_told(p, w);
            if (i == slot_count ||
                (first != slot_count && p->shop.boards.slots[i].end_ns >= p->shop.boards.slots[first].end_ns))
                continue;
            first = i;
            from = w;
        }
        if (first == slot_count)
            return;
        p->heard[from]++;
        process_finish(p, first);
    }
}

/* ---- tasks that are ended ---- */

/* The turn is read before the note: while the turn is the same the note is. 1: its worker will not go on. */
static int kill_running(process *p, uint32_t i)
{
    uint64_t word = atomic_load(&p->shop.boards.slots[i].word), birth = word >> 8 & 0xffffff;
    for (uint32_t w = 0; (word & 0xff) == slot_taken && w < p->shop.boards.workers; w++) {
        board *b = &p->shop.boards.board[w];
        uint64_t turn = atomic_load(&b->turn);
        if (turn >> 40 != birth || atomic_load(&b->current) != slot_note(p->side[i].generation, i) ||
            !board_condemn(b, turn, turn_canceled))
            continue;
        zygote_say(&p->shop, zygote_look);
        return 1;
    }
    return 0;
}

/* One that is between taking a task and beginning it cannot be condemned yet. */
static void kill_later(process *p, uint32_t i)
{
    side *d = &p->side[i];
    p->kills += !d->kill;
    d->kill = 1;
    pool_due(p->pool, deja_monotonic_ns(NULL) + process_kill_again_ns);
}

static void kill_wished(process *p)
{
    uint32_t left = p->kills;
    for (uint32_t i = 0; left && i < slot_count; i++) {
        side *d = &p->side[i];
        if (!d->kill)
            continue;
        left--;
        if (kill_running(p, i)) {
            d->kill = 0;
            p->kills--;
        }
    }
    if (p->kills)
        pool_due(p->pool, deja_monotonic_ns(NULL) + process_kill_again_ns);
}

/* What a dead worker told was told before its death was noted, so the deaths are counted first. */
void process_collect(backend *b)
{
    process *p = (process *)b;
    uint64_t deaths = atomic_load(&p->shop.boards.control->deaths);
    process_receive(p);
    hear(p);
    if (deaths != atomic_load_explicit(&p->shop.boards.control->deaths_read, memory_order_relaxed))
        process_bury(p, deaths);
    if (p->kills)
        kill_wished(p);
    if (p->runs)
        process_map_pump(p);
}

/* ---- the calls of pool.c ---- */

static int is_lost(const process *p, deja_error *err)
{
    return p->lost ? deja_fail(
                         err, DEJA_EKILLED,
                         "the process that workers are made from was ended: close this one and open another")
                   : 0;
}

static int fill(process *p, uint32_t i, task *t, const deja_value *args, size_t n, deja_error *err)
{
    slot *s = &p->shop.boards.slots[i];
    packed a = {.plain = t->kept_plain, .at = t->kept, .len = t->kept_len};
    /* One that may run again needs its arguments again: not where its result goes. */
    int rc = t->kept ? 0 : pack(p, args, n, t->function->options.retries ? NULL : s->room, &a, err);
    if (rc < 0)
        return rc;
    t->kept = NULL;
    p->side[i].args = a.at;
    s->kind = slot_call;
    s->args = a.plain ? args_plain : args_image;
    s->args_at = a.at;
    s->args_len = a.len;
    s->place = t->function->place;
    return 0;
}

static int start(backend *b, task *t, const deja_value *args, size_t n, deja_error *err)
{
    process *p = (process *)b;
    int rc = is_lost(p, err);
    if (rc < 0)
        return rc;
    uint32_t i = process_slot(p);
    if (i == slot_count)
        return 0;
    rc = fill(p, i, t, args, n, err);
    if (rc < 0) {
        process_release(p, i);
        return rc;
    }
    p->side[i].task = t;
    t->slot = i;
    process_post(p, i, t->function->options.timeout_ms * DEJA_MS_NS);
    return 1;
}

static int prepare(backend *b, task *t, const deja_value *args, size_t n, deja_error *err)
{
    packed a;
    int rc = pack((process *)b, args, n, NULL, &a, err);
    if (rc < 0)
        return rc;
    t->kept = a.at;
    t->kept_len = a.len;
    t->kept_plain = a.plain;
    return 0;
}

static void free_task(backend *b, task *t)
{
    heap_free(((process *)b)->shop.heap, t->kept);
    t->kept = NULL;
}

static int define(backend *b, deja_pool_function *f, deja_error *err)
{
    process *p = (process *)b;
    const deja_pool_function_options *o = &f->options;
    function_place *place = heap_alloc(
        p->shop.heap, o->library ? library_place_size(o->symbol, o->name) : function_place_size(o->name), 1,
        err);
    if (!place)
        return err ? err->code : DEJA_EFULL;
    int rc = o->library ? library_place(o->library, o->symbol, o->name, place, err)
                        : function_place_find(o->function, o->name, place, err);
    if (rc < 0) {
        heap_free(p->shop.heap, place);
        return rc;
    }
    place->number = f->number;
    place->capture = f->options.capture;
    f->place = place;
    f->shared_start_ns = &place->next_start_ns;
    return 0;
}

static int cancel(backend *b, task *t, int kill)
{
    process *p = (process *)b;
    side *d = &p->side[t->slot];
    if (d->task != t)
        return 0;
    uint64_t ready = slot_word(d->generation, 0, slot_ready);
    uint64_t gone = slot_word(d->generation, 0, slot_free);
    if (atomic_compare_exchange_strong(&p->shop.boards.slots[t->slot].word, &ready, gone)) {
        process_release(p, t->slot);
        return 1;
    }
    if (kill && !kill_running(p, t->slot))
        kill_later(p, t->slot);
    return 0;
}

static void hold(backend *b, int held)
{
    boards_hold(&((process *)b)->shop.boards, held);
}

static void free_all(process *p)
{
    close_fd(&p->zygote_fd);
    close_fd(&p->shop.zygote_program);
    close_fd(&p->shop.zygote_end);
    close_fd(&p->shop.program);
    for (uint32_t w = 0; w < p->shop.boards.workers && p->shop.program_ends; w++) {
        close_fd(&p->shop.program_ends[w]);
        close_fd(&p->shop.worker_ends[w]);
    }
    for (uint32_t i = 0; i < slot_count && p->side; i++) {
        close_fd(&p->side[i].fd);
        close_fd(&p->side[i].out_fd);
        close_fd(&p->side[i].err_fd);
        deja_product_done(&p->side[i].made);
    }
    deja_free(p->shop.program_ends);
    deja_free(p->side);
    deja_free(p->free_slot);
    deja_free(p->heard);
    deja_free(p->received);
    boards_close(&p->shop.boards);
    heap_close(p->shop.heap);
    deja_free(p);
}

static void close_backend(backend *b)
{
    process *p = (process *)b;
    int64_t grace_ms = p->shop.options.grace_ms ? p->shop.options.grace_ms : 1000;
    if (p->zygote && getpid() == p->shop.program_pid && zygote_say(&p->shop, zygote_quit) == 0) {
        process_continue_zygote(p);
        zygote_ended(&p->shop, (int)grace_ms + close_ms);
    }
    free_all(p);
}

/* ---- opening ---- */

/* A pool within a worker runs one function at a time: the outer pool has a worker for each processor already.
 * A worker is known by the name of its process. */
static int is_in_worker(void)
{
    char name[16] = "";
    int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof name - 1);
    close_fd(&fd);
    return n > 0 && strncmp(name, "deja-worker\n", 12) == 0;
}

static uint32_t count_workers(const deja_pool_options *o)
{
    uint32_t workers = o->workers ? o->workers : (uint32_t)deja_cpu_count();
    if (is_in_worker())
        workers = 1;
    return workers < most_workers ? workers : most_workers;
}

static int make_tables(process *p, deja_error *err)
{
    uint32_t workers = p->shop.boards.workers;
    p->side = deja_calloc(slot_count, sizeof *p->side);
    p->free_slot = deja_calloc(slot_count, sizeof *p->free_slot);
    p->heard = deja_calloc(workers, sizeof *p->heard);
    p->received = deja_calloc(workers, sizeof *p->received);
    p->shop.program_ends = deja_calloc(workers, 2 * sizeof(int));
    if (!p->side || !p->free_slot || !p->heard || !p->received || !p->shop.program_ends)
        return deja_fail(err, DEJA_ENOMEM, "open a pool");
    p->shop.worker_ends = p->shop.program_ends + workers;
    for (uint32_t i = 0; i < 2 * workers; i++)
        p->shop.program_ends[i] = -1;
    for (uint32_t i = 0; i < slot_count; i++) {
        p->side[i] = (side){.fd = -1, .out_fd = -1, .err_fd = -1};
        p->free_slot[p->free_count++] = slot_count - 1 - i;
    }
    return 0;
}

static int make_sockets(process *p, deja_error *err)
{
    shop *s = &p->shop;
    int rc = wire_pair(&s->zygote_program, &s->zygote_end, err);
    for (uint32_t w = 0; rc == 0 && w < s->boards.workers; w++)
        rc = wire_pair(&s->program_ends[w], &s->worker_ends[w], err);
    if (rc < 0)
        return rc;
    s->program = deja_file_above_standard((int)syscall(SYS_pidfd_open, s->program_pid, 0));
    return s->program < 0 ? deja_fail_errno(err, "watch this process") : 0;
}

static int is_fixed(const void *context, const void *data, uint64_t len)
{
    return heap_is_frozen(context, data, len);
}

static int open_parts(process *p, deja_error *err)
{
    shop *s = &p->shop;
    int rc = boards_open(&s->boards, count_workers(&s->options), err);
    if (rc == 0)
        rc = make_tables(p, err);
    if (rc == 0)
        rc = heap_open(&s->heap, s->options.heap_bytes, err);
    if (rc == 0)
        rc = make_sockets(p, err);
    if (rc < 0)
        return rc;
    p->borrowed_heap = (deja_image_heap){.base = heap_base(s->heap), .len = heap_len(s->heap)};
    p->image_heap = p->borrowed_heap;
    p->image_heap.is_fixed = is_fixed;
    p->image_heap.context = s->heap;
    rc = zygote_start(s, &p->zygote, err);
    if (rc == 0)
        p->zygote_fd = deja_file_above_standard((int)syscall(SYS_pidfd_open, p->zygote, 0));
    heap_leave_children(s->heap);
    for (uint32_t w = 0; w < s->boards.workers; w++)
        close_fd(&s->worker_ends[w]);
    close_fd(&s->program);
    return rc;
}

backend *process_open(deja_pool *pool, const deja_pool_options *options, uint32_t *bell, deja_error *err)
{
    process *p = deja_calloc(1, sizeof *p);
    if (!p) {
        deja_fail(err, DEJA_ENOMEM, "open a pool");
        return NULL;
    }
    p->base = (backend){.start = start,
                        .prepare = prepare,
                        .define = define,
                        .collect = process_collect,
                        .resume = process_map_resume,
                        .look = process_look,
                        .cancel = cancel,
                        .free_task = free_task,
                        .map_begin = process_map_begin,
                        .pids = process_pids,
                        .hold = hold,
                        .close = close_backend};
    p->pool = pool;
    p->zygote_fd = -1;
    p->shop = (shop){.options = *options,
                     .bell = bell,
                     .spin_ns = deja_cpu_count() > 1 ? spin_ns : 0,
                     .zygote_program = -1,
                     .zygote_end = -1,
                     .program = -1,
                     .program_pid = getpid()};
    if (open_parts(p, err) == 0)
        return &p->base;
    p->zygote = 0;
    free_all(p);
    return NULL;
}

heap *process_heap(backend *b)
{
    return ((process *)b)->shop.heap;
}

size_t process_pids(backend *b, int64_t *ret, size_t most)
{
    const process *p = (const process *)b;
    size_t n = 0;
    if (p->lost)
        return 0;
    if (n++ < most)
        ret[0] = p->zygote;
    for (uint32_t w = 0; w < p->shop.boards.workers; w++) {
        int32_t pid = atomic_load(&p->shop.boards.board[w].pid);
        if (pid && n++ < most)
            ret[n - 1] = pid;
    }
    return n;
}
