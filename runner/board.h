#ifndef BOARD_H
#define BOARD_H
/*
 * The control block of the process backend: memory that the program, the zygote and the workers share, and
 * the steps on it that must hold when a worker dies between any two instructions. No locks.
 *
 * A task is a slot. Its word holds a generation, which no two uses of a slot share, the birth number of the
 * worker that took it, and a state:
 *
 *     free -> ready (program) -> taken (worker, compare-and-swap) -> done (worker) -> free (program)
 *
 * The ring lists slots that became ready; it only hints: the swap of the word decides who has a task. A
 * worker notes on its board what it is about to take before it takes it. Of a dead one the zygote copies the
 * board into the list of deaths, so the program can tell from note and word whether a task was lost.
 */
#include "heap.h"

#include <stdatomic.h>

enum {
    slot_count = 2048,
    slot_room = 512,     /* bytes for small arguments, then for a small result or a text */
    ring_entries = 4096, /* more than slots: canceled ones stay in it for a while */
    most_workers = 256,  /* 64 for each word of `asleep` */
    deaths_kept = 64,    /* of which the program has not heard; the zygote waits when it is full */
    plain_most = slot_room / sizeof(deja_value), /* arguments as they are */
};

enum slot_state { slot_free, slot_ready, slot_taken, slot_done };
enum slot_kind { slot_call, slot_map };
enum slot_args { args_plain, args_image }; /* deja_values, or the image of a list */
enum slot_result { result_scalar, result_image, result_file, result_text };

typedef struct slot {
    _Alignas(64) _Atomic uint64_t word; /* generation 32 | birth 24 | state 8 */
    /* written by the program before `ready` */
    uint32_t kind, args;
    const void *place;   /* struct function_place, in the heap */
    const void *args_at; /* in the heap; NULL: in `room` */
    uint64_t args_len;   /* values, or bytes of the image */
    int64_t timeout_ns;  /* 0: none */
    uint64_t from, to;   /* map: items to do; from UINT64_MAX: as the run deals them out */
    /* written by the worker before `done` */
    int64_t end_ns, wall_ns, cpu_ns;
    int32_t code;
    uint32_t result;
    uint64_t result_len;
    _Alignas(64) char room[slot_room];
} slot;

/* What a worker is doing: its birth number 24 | a count of its turns 32 | a state 8. Whoever ends it early
 * swaps `running` for `late` or `canceled`; a worker whose own swap back to `idle` fails ends itself. */
enum turn_state { turn_idle, turn_running, turn_late, turn_canceled, turn_leaving };

typedef struct board {
    _Alignas(64) _Atomic uint32_t wake; /* futex */
    _Atomic uint32_t birth;
    _Atomic int32_t pid;   /* 0: not there */
    _Atomic uint32_t told; /* entries of `done`, ever */
    _Atomic uint64_t sent; /* messages on its socket, ever */
    _Alignas(64) _Atomic uint64_t turn;
    _Atomic uint64_t current;     /* generation 32 | slot 32 */
    _Atomic int64_t deadline_ns;  /* of this turn; INT64_MAX: none */
    _Atomic uint64_t item, block; /* map: the item that runs, the first that is not marked as ended */
    _Atomic uint64_t begin, end;  /* map: the chunk */
    uint32_t done[slot_count];    /* slots, in the order in which they ended */
} board;

/* A copy of the board of a worker that is dead. */
typedef struct death {
    uint32_t worker, birth;
    int32_t pid, status; /* of waitpid */
    uint64_t turn, current, item, block;
} death;

typedef struct control {
    _Alignas(64) _Atomic uint64_t head; /* of the ring, moved on by whoever sees that it may be */
    _Alignas(64) _Atomic uint64_t tail; /* the program's */
    _Alignas(64) _Atomic uint64_t asleep[most_workers / 64];
    _Alignas(64) _Atomic uint64_t looking[most_workers / 64]; /* awake, without a task */
    _Alignas(64) _Atomic uint32_t wanted;                     /* workers */
    _Atomic uint32_t timed;                                   /* tasks under way that may need ending */
    _Atomic int64_t held_ns;                                  /* since when no deadline passes; 0: they do */
    _Atomic uint64_t deaths, deaths_read;                     /* ever */
    death death[deaths_kept];
    _Alignas(64) int32_t init_code; /* zygote: of the initialiser; its text */
    char init_text[1016];
} control;

/* All parts of it. */
typedef struct boards {
    control *control;
    _Atomic uint64_t *ring;
    slot *slots;
    board *board;
    uint32_t workers;
    uint64_t bytes;
} boards;

int boards_open(boards *b, uint32_t workers, deja_error *err);
void boards_close(boards *b);

static inline uint64_t slot_word(uint32_t generation, uint32_t birth, enum slot_state state)
{
    return (uint64_t)generation << 32 | (uint64_t)(birth & 0xffffff) << 8 | state;
}

static inline uint64_t slot_note(uint32_t generation, uint32_t number)
{
    return (uint64_t)generation << 32 | number;
}

/* The program: lists a slot whose word is `ready`, and wakes a worker where all that have nothing to do
 * sleep. Whoever looks for work will find it; where it took something else it wakes another (boards_share).
 */
void boards_push(boards *b, uint32_t generation, uint32_t number);

/* Wakes up to `count` sleepers. */
void boards_wake(boards *b, uint32_t count);

/* The program: no deadline of a turn passes from `held` 1 to 0. */
void boards_hold(boards *b, int held);

/* A task waits and nobody takes it: those that are asleep are woken, and who is said to be looking is not
 * relied upon. */
void boards_rouse(boards *b);

/* A worker: takes the next task. 1 and its note, or 0. */
int boards_take(boards *b, board *own, uint32_t birth, uint64_t *ret_note);
int boards_have_work(const boards *b);

/* A worker: sleeps until there is work or it is woken. */
void boards_sleep(boards *b, uint32_t worker);

/* Its mark as a sleeper goes. 1: it was there. */
int boards_unmark(boards *b, uint32_t worker);

/* A worker begins to look for work instead of sleeping: 1, or 0 where enough do. Then it looks away. */
int boards_look(boards *b, uint32_t worker);
void boards_look_away(boards *b, uint32_t worker);

/* A worker that has taken a task: another is woken for what is left. */
void boards_share(boards *b);

/* A worker: the task of its current turn is done; tells the program. */
void boards_tell(board *own, uint32_t number);

/* Swaps a turn that runs for `state`. 1: it did, the worker will not go on. */
int board_condemn(board *w, uint64_t turn, enum turn_state state);

#endif
