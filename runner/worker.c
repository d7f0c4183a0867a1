/*
 * The loop of a worker, and what it does between tasks.
 */
#include "worker.h"
#include "bell.h"
#include "wire.h"

#include <deja/clock.h>
#include <deja/file.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    spin_least_ns = 1000,
    no_memory = 12, /* exit status of a worker that cannot begin */
};

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int spin(const worker *w)
{
    int64_t end = deja_monotonic_ns(NULL) + w->spin_ns;
    do {
        for (int i = 0; i < 16; i++) {
            if (boards_have_work(&w->shop->boards))
                return 1;
            pause_cpu();
        }
        sched_yield(); /* who is to submit may have been put on this very processor */
    } while (deja_monotonic_ns(NULL) < end);
    return 0;
}

/* Spinning pays where the next task comes soon: its time grows when a sleep turns out to have been short, and
 * shrinks when spinning was in vain. */
static void wait_for_work(worker *w)
{
    boards *b = (boards *)&w->shop->boards;
    int found = 0;
    if (w->spin_ns && boards_look(b, w->index)) {
        found = spin(w);
        boards_look_away(b, w->index);
    }
    if (found)
        return;
    int64_t begin = deja_monotonic_ns(NULL), most = w->shop->spin_ns;
    boards_sleep(b, w->index);
    int brief = deja_monotonic_ns(NULL) - begin < most;
    int64_t next = brief ? 4 * w->spin_ns + spin_least_ns : w->spin_ns / 2;
    w->spin_ns = next < spin_least_ns ? 0 : next < most ? next : most;
}

/* A function may have closed it, and something else may have its number by now. */
static int socket_is_ours(const worker *w)
{
    struct stat st;
    return fstat(w->socket, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == w->socket_inode;
}

static int is_spent(const worker *w)
{
    const deja_pool_options *o = &w->shop->options;
    struct rusage usage;
    if (!socket_is_ours(w) || (o->max_tasks && w->tasks >= o->max_tasks))
        return 1;
    return o->max_rss_bytes && getrusage(RUSAGE_SELF, &usage) == 0 &&
           (uint64_t)usage.ru_maxrss * 1024 > o->max_rss_bytes;
}

static void open_own_page(worker *w)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        _exit(no_memory);
    madvise(p, page, MADV_WIPEONFORK);
    w->own = p;
    *w->own = 1;
}

static void initialise(worker *w, const char *failure)
{
    const deja_pool_options *o = &w->shop->options;
    deja_error *err = &w->init;
    int rc = 0;
    if (failure)
        rc = deja_fail(err, DEJA_EKILLED, "%s", failure);
    else if (o->init && o->init_each)
        rc = o->init(o->init_arg, err);
    if (rc > 0)
        rc = deja_fail(err, DEJA_EINVAL, "returned %d: 0 or a negative code is wanted", rc);
    if (rc < 0 && !err->text[0])
        deja_fail(err, rc, "%s", deja_error_meaning(rc));
    err->code = rc;
    if (rc < 0 && !failure)
        deja_fail_in(err, "initialiser");
    fflush(stdout);
}

static void settle(worker *w, const char *init_failure)
{
    const shop *s = w->shop;
    struct stat st;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_NAME, "deja-worker", 0, 0, 0);
    for (uint32_t i = 0; i < s->boards.workers; i++)
        if (i != w->index)
            close(s->worker_ends[i]);
    w->socket_inode = fstat(w->socket, &st) == 0 ? st.st_ino : 0;
    w->heap = (deja_image_heap){.base = heap_base(s->heap), .len = heap_len(s->heap)};
    sink_init(&w->sink, s->options.stage_folder);
    open_own_page(w);
    initialise(w, init_failure);
}

_Noreturn void worker_run(const shop *s, uint32_t index, uint32_t birth, const char *init_failure)
{
    worker w = {.shop = s,
                .board = &s->boards.board[index],
                .index = index,
                .birth = birth,
                .socket = s->worker_ends[index],
                .spin_ns = s->spin_ns,
                .streams = {-1, -1}};
    settle(&w, init_failure);
    for (;;) {
        uint64_t note;
        if (!boards_take((boards *)&s->boards, w.board, birth, &note)) {
            wait_for_work(&w);
            continue;
        }
        boards_share((boards *)&s->boards);
        slot *done = &s->boards.slots[(uint32_t)note % slot_count];
        if (done->kind == slot_map)
            worker_map(&w, note);
        else
            worker_call(&w, note);
        atomic_store(&done->word, slot_word((uint32_t)(note >> 32), birth, slot_done));
        boards_tell(w.board, (uint32_t)note);
        bell_ring(s->bell);
        w.tasks++;
        if (is_spent(&w))
            worker_leave(&w);
    }
}

_Noreturn void worker_leave(worker *w)
{
    atomic_store(&w->board->turn, (atomic_load(&w->board->turn) & ~UINT64_C(0xff)) | turn_leaving);
    _exit(0);
}

deja_job_fn worker_function(worker *w, const function_place *p)
{
    if (p->number >= w->function_cap) {
        size_t cap = p->number + 16;
        deja_job_fn *grown = deja_realloc_array(w->function, cap, sizeof *grown);
        if (!grown) {
            deja_fail(&w->err, DEJA_ENOMEM, "note a function");
            return NULL;
        }
        memset(grown + w->function_cap, 0, (cap - w->function_cap) * sizeof *grown);
        w->function = grown;
        w->function_cap = cap;
    }
    if (!w->function[p->number])
        w->function[p->number] =
            p->symbol ? library_function(&w->loaded, p, &w->err) : function_place_open(p, &w->err);
    return w->function[p->number];
}

void worker_begin_turn(worker *w, int64_t deadline_ns)
{
    board *b = w->board;
    uint64_t turn = atomic_load_explicit(&b->turn, memory_order_relaxed);
    atomic_store_explicit(&b->deadline_ns, deadline_ns, memory_order_relaxed);
    turn = (turn & ~UINT64_C(0xff)) + 256;
    atomic_store_explicit(&b->turn, turn | turn_running, memory_order_release);
}

void worker_end_turn(worker *w)
{
    uint64_t turn = atomic_load_explicit(&w->board->turn, memory_order_relaxed);
    uint64_t running = (turn & ~UINT64_C(0xff)) | turn_running;
    if (!atomic_compare_exchange_strong(&w->board->turn, &running, turn & ~UINT64_C(0xff)))
        _exit(0); /* what it returned comes too late */
}

void worker_send(worker *w, uint32_t kind, uint64_t note, uint64_t len, uint64_t item, int fd)
{
    wire_message m = {.kind = kind, .note = note, .len = len, .item = item};
    for (;;) {
        if (!socket_is_ours(w))
            worker_leave(w);
        int rc = wire_send(w->socket, &m, fd);
        if (rc == 0)
            break;
        bell_ring(w->shop->bell);
        if (rc < 0 || wire_wait(w->socket) < 0)
            worker_leave(w);
    }
    atomic_fetch_add(&w->board->sent, 1);
}
