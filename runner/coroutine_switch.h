#ifndef COROUTINE_SWITCH_H
#define COROUTINE_SWITCH_H
/*
 * Switching stacks: by hand for x86-64 and aarch64 (some 5 ns), by ucontext elsewhere (a system call for the
 * signal mask each time). What the calling conventions keep across a call is kept, the control words of the
 * floating-point units included (System V ABI for x86-64, 3.2.3; AAPCS64, 6.1).
 */
#include <stddef.h>

#if !defined(DEJA_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define DEJA_UCONTEXT
#endif

#ifdef DEJA_UCONTEXT
#include <ucontext.h>
typedef struct stack_pointer {
    ucontext_t context;
} stack_pointer;
#else
typedef struct stack_pointer {
    void *at;
} stack_pointer;
#endif

/* Saves where we are to `from`, goes on at `to`. Returns when somebody switches to `from`. */
void coroutine_switch(stack_pointer *from, stack_pointer *to);

/* A switch to it calls entry(arg), which never returns. The stack is the `len` bytes at `low`; `low` + `len`
 * is a multiple of 16. */
void coroutine_prepare(stack_pointer *ret, char *low, size_t len, void (*entry)(void *arg), void *arg);

#endif
