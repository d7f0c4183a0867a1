#ifndef STACK_BLOCK_H
#define STACK_BLOCK_H
/*
 * Blocks of stacks: a mapping for many. The first touch of a stack takes as long as all else that beginning a
 * coroutine takes; so where many are wanted a thread of its own makes blocks ahead, touched where each stack
 * begins.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum { block_stacks = 1024 };

typedef struct stack_block {
    struct stack_block *next;
    char *at; /* one that nobody has, then block_stacks */
    size_t bytes;
} stack_block;

typedef struct stack_maker {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    size_t stack_bytes;
    stack_block *ready; /* made ahead, */
    size_t ready_count, wanted;
    int is_started, stop;
} stack_maker;

void stack_maker_init(stack_maker *m, size_t stack_bytes);

/* `in_use`: how many blocks the caller has, after which more or fewer are made ahead. NULL: out of memory. */
stack_block *stack_maker_take(stack_maker *m, size_t in_use);
void stack_block_free(stack_block *b);

/* Gives back what was made ahead. */
void stack_maker_trim(stack_maker *m);

/* Ends the thread. Not in a forked child, which has none. */
void stack_maker_stop(stack_maker *m);
void stack_maker_done(stack_maker *m);

#endif
