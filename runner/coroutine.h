#ifndef COROUTINE_H
#define COROUTINE_H
/*
 * Coroutines of one thread, and their stacks: slices of large mappings, without a guard mapping each (Linux
 * allows 65,530 mappings). Instead some words below each stack, in the memory of its lower neighbour, are
 * looked at whenever its coroutine stops: an overflow ends the program with a text that names the function.
 * Those words cost no page: the neighbour's uppermost one is in use.
 */
#include "backend.h"
#include "coroutine_switch.h"
#include "stack_block.h"
#include "timer_heap.h"

typedef struct coroutine {
    /* One cache line: all that a wake-up touches. */
    stack_pointer sp;
    struct coroutine *next; /* of the list it is in */
    struct coroutine_set *set;
    char *low;  /* of its stack */
    timer wake; /* async.c, as are fd, result and killed */
    int fd;     /* it waits for; -1 */
    int result;
    int saved_errno;
    uint8_t is_over, killed;
    /* The rest. */
    void (*body)(struct coroutine *c);
    task *task;      /* async.c, as are number and deadline */
    uint64_t number; /* of the task */
    timer deadline;
    struct inside *inside; /* inside.c */
    void *fiber;           /* ThreadSanitizer's */
    void *fake_stack;      /* AddressSanitizer's */
} __attribute__((aligned(64))) coroutine;

typedef struct coroutine_set {
    size_t stack_bytes;
    stack_maker maker;
    coroutine *free;
    size_t live;
    struct coroutine_slab *slab; /* newest first */
    size_t total;
    stack_pointer home; /* of the thread */
    void *home_fiber, *home_fake_stack;
    const void *home_low;
    size_t home_bytes;
    int is_trimmed;
} coroutine_set;

void coroutine_set_init(coroutine_set *s, size_t stack_bytes);

/* One that is free; body(c) runs at the first coroutine_resume. NULL: out of memory. */
coroutine *coroutine_new(coroutine_set *s, void (*body)(coroutine *c));

/* It is to be resumed soon: its stack is fetched into the cache meanwhile. */
void coroutine_prefetch(const coroutine *c);

/* Runs it until it waits or ends. Returns 1 when it has ended: then coroutine_free takes it back. */
int coroutine_resume(coroutine *c);
void coroutine_free(coroutine *c);

/* Within a coroutine: back to who resumed it. errno is kept. */
void coroutine_yield(coroutine *c);

/* The one that runs in this thread, NULL for none. */
coroutine *coroutine_current(void);

/* Gives the memory of all stacks back; nothing lives. */
void coroutine_set_trim(coroutine_set *s);

/* Before coroutine_set_done, but not in a forked child: ends its thread. */
void coroutine_set_stop(coroutine_set *s);
void coroutine_set_done(coroutine_set *s);

#endif
