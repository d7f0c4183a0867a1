/*
 * The control block. What the order of its steps is for stands with each.
 */
#include "board.h"
#include <deja/clock.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t round_up(uint64_t len)
{
    return (len + 63) & ~UINT64_C(63);
}

static void lay_out(boards *b, char *base)
{
    b->control = (control *)base;
    base += round_up(sizeof(control));
    b->ring = (_Atomic uint64_t *)base;
    base += round_up(ring_entries * sizeof *b->ring);
    b->slots = (slot *)base;
    base += slot_count * sizeof(slot);
    b->board = (board *)base;
}

/* Its room is taken at once: a store must never be a SIGBUS. */
static void *map_reserved(uint64_t bytes, deja_error *err)
{
    int fd = memfd_create("deja-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *p = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 && fallocate(fd, 0, 0, (off_t)bytes) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        deja_fail_errno(err, "make the control block of the pool");
    if (fd >= 0)
        close(fd);
    return p == MAP_FAILED ? NULL : p;
}

int boards_open(boards *b, uint32_t workers, deja_error *err)
{
    *b = (boards){.workers = workers};
    b->bytes = round_up(sizeof(control)) + round_up(ring_entries * sizeof *b->ring) +
               slot_count * sizeof(slot) + workers * sizeof(board);
    char *base = map_reserved(b->bytes, err);
    if (!base)
        return err ? err->code : DEJA_EIO;
    lay_out(b, base);
    return 0;
}

void boards_close(boards *b)
{
    if (b->control)
        munmap(b->control, b->bytes);
    b->control = NULL;
}

int boards_unmark(boards *b, uint32_t worker)
{
    uint64_t bit = UINT64_C(1) << worker % 64;
    return (atomic_fetch_and(&b->control->asleep[worker / 64], ~bit) & bit) != 0;
}

static void wake(board *w)
{
    atomic_fetch_add(&w->wake, 1);
    syscall(SYS_futex, &w->wake, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void boards_wake(boards *b, uint32_t count)
{
    for (uint32_t i = 0; i < (b->workers + 63) / 64; i++) {
        uint64_t word;
        while (count && (word = atomic_load(&b->control->asleep[i])) != 0) {
            uint32_t worker = i * 64 + (uint32_t)__builtin_ctzll(word);
            if (!boards_unmark(b, worker) || worker >= b->workers)
                continue;
            wake(&b->board[worker]);
            count--;
        }
    }
}

/* One that does look finds its mark gone and looks on. */
void boards_rouse(boards *b)
{
    for (uint32_t i = 0; i < (b->workers + 63) / 64; i++)
        atomic_store(&b->control->looking[i], 0);
    boards_wake(b, b->workers);
}

static int is_live(const boards *b, uint64_t entry)
{
    uint64_t word = atomic_load(&b->slots[(uint32_t)entry % slot_count].word);
    return word == slot_word((uint32_t)(entry >> 32), 0, slot_ready);
}

static void append(boards *b, uint64_t tail, uint64_t note)
{
    atomic_store_explicit(&b->ring[tail % ring_entries], note, memory_order_release);
    /* Sequentially consistent: a worker marks itself asleep before it looks at the tail for the last time. */
    atomic_store(&b->control->tail, tail + 1);
}

/*
 * Canceled tasks leave entries behind, and one that waits at the head keeps those behind it. So a full ring
 * is gone round once: what lives moves from the head to the tail, in its order, the rest goes. As there are
 * fewer slots than entries, room is left. A worker that takes one meanwhile leaves one entry more that nobody
 * needs.
 */
static uint64_t make_room(boards *b, uint64_t tail)
{
    uint64_t end = tail, head = atomic_load(&b->control->head);
    if (tail - head < ring_entries)
        return tail;
    while (head < end) {
        uint64_t entry = atomic_load(&b->ring[head % ring_entries]);
        int live = is_live(b, entry);
        if (!atomic_compare_exchange_strong(&b->control->head, &head, head + 1))
            continue;
        head++;
        if (live)
            append(b, tail++, entry);
    }
    return tail;
}

static uint32_t count_looking(const boards *b)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < (b->workers + 63) / 64; i++)
        count += (uint32_t)__builtin_popcountll(atomic_load(&b->control->looking[i]));
    return count;
}

void boards_push(boards *b, uint32_t generation, uint32_t number)
{
    uint64_t tail = atomic_load_explicit(&b->control->tail, memory_order_relaxed);
    append(b, make_room(b, tail), slot_note(generation, number));
    if (!count_looking(b))
        boards_wake(b, 1);
}

int boards_have_work(const boards *b)
{
    return atomic_load(&b->control->head) < atomic_load(&b->control->tail);
}

/* The note comes before the swap, so that what was taken is known of whoever dies after it. Then the head is
 * moved on, by the one that failed as well: the one that took it may be dead. */
int boards_take(boards *b, board *own, uint32_t birth, uint64_t *ret_note)
{
    for (;;) {
        uint64_t head = atomic_load(&b->control->head);
        if (head >= atomic_load(&b->control->tail))
            return 0;
        uint64_t note = atomic_load(&b->ring[head % ring_entries]);
        uint32_t generation = (uint32_t)(note >> 32);
        uint64_t ready = slot_word(generation, 0, slot_ready);
        slot *s = &b->slots[(uint32_t)note % slot_count];
        int taken = 0;
        if (atomic_load(&s->word) == ready) {
            atomic_store(&own->current, note);
            taken =
                atomic_compare_exchange_strong(&s->word, &ready, slot_word(generation, birth, slot_taken));
        }
        atomic_compare_exchange_strong(&b->control->head, &head, head + 1);
        if (taken) {
            *ret_note = note;
            return 1;
        }
    }
}

/* A few that look are enough, and leave processors to those that work. */
int boards_look(boards *b, uint32_t worker)
{
    uint64_t bit = UINT64_C(1) << worker % 64;
    if (count_looking(b) > b->workers / 4)
        return 0;
    atomic_fetch_or(&b->control->looking[worker / 64], bit);
    return 1;
}

/* The mark goes before the last look at the ring, so that a task whose program saw the mark is seen. */
void boards_look_away(boards *b, uint32_t worker)
{
    atomic_fetch_and(&b->control->looking[worker / 64], ~(UINT64_C(1) << worker % 64));
}

void boards_share(boards *b)
{
    if (boards_have_work(b))
        boards_wake(b, 1);
}

void boards_sleep(boards *b, uint32_t worker)
{
    board *own = &b->board[worker];
    uint32_t seen = atomic_load(&own->wake);
    atomic_fetch_or(&b->control->asleep[worker / 64], UINT64_C(1) << worker % 64);
    if (!boards_have_work(b))
        syscall(SYS_futex, &own->wake, FUTEX_WAIT, seen, NULL, NULL, 0);
    boards_unmark(b, worker);
}

void boards_tell(board *own, uint32_t number)
{
    uint32_t told = atomic_load_explicit(&own->told, memory_order_relaxed);
    own->done[told % slot_count] = number;
    atomic_store_explicit(&own->told, told + 1, memory_order_release);
}

int board_condemn(board *w, uint64_t turn, enum turn_state state)
{
    uint64_t running = turn;
    return (turn & 0xff) == turn_running &&
           atomic_compare_exchange_strong(&w->turn, &running, (turn & ~UINT64_C(0xff)) | state);
}

void boards_hold(boards *b, int held)
{
    int64_t now = deja_monotonic_ns(NULL), since = atomic_load(&b->control->held_ns);
    if (held && !since)
        atomic_store(&b->control->held_ns, now);
    if (held || !since)
        return;
    for (uint32_t i = 0; i < b->workers; i++) {
        int64_t deadline = atomic_load(&b->board[i].deadline_ns);
        if (deadline < INT64_MAX - (now - since))
            atomic_compare_exchange_strong(&b->board[i].deadline_ns, &deadline, deadline + now - since);
    }
    atomic_store(&b->control->held_ns, 0);
}
