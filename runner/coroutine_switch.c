/*
 * The switch itself.
 */
#include "coroutine_switch.h"

#include <stdint.h>
#include <string.h>

#ifdef DEJA_UCONTEXT

/* makecontext passes ints only: a pointer goes as two of them. */
static void enter(unsigned entry_high, unsigned entry_low, unsigned arg_high, unsigned arg_low)
{
    uintptr_t entry = (uintptr_t)((uint64_t)entry_high << 32 | entry_low);
    ((void (*)(void *))entry)((void *)(uintptr_t)((uint64_t)arg_high << 32 | arg_low));
}

void coroutine_switch(stack_pointer *from, stack_pointer *to)
{
    swapcontext(&from->context, &to->context);
}

void coroutine_prepare(stack_pointer *ret, char *low, size_t len, void (*entry)(void *arg), void *arg)
{
    uint64_t e = (uintptr_t)entry, a = (uintptr_t)arg;
    getcontext(&ret->context);
    ret->context.uc_stack.ss_sp = low;
    ret->context.uc_stack.ss_size = len;
    ret->context.uc_link = NULL;
    makecontext(&ret->context, (void (*)(void))enter, 4, (unsigned)(e >> 32), (unsigned)e,
                (unsigned)(a >> 32), (unsigned)a);
}

#else

void coroutine_switch_stack(void **from, void *to) __attribute__((visibility("hidden")));
void coroutine_trampoline(void) __attribute__((visibility("hidden")));

#if defined(__x86_64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".globl coroutine_switch_stack\n"
        ".hidden coroutine_switch_stack\n"
        ".type coroutine_switch_stack, @function\n"
        "coroutine_switch_stack:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 4(%rsp)\n"
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size coroutine_switch_stack, . - coroutine_switch_stack\n"
        ".globl coroutine_trampoline\n"
        ".hidden coroutine_trampoline\n"
        ".type coroutine_trampoline, @function\n"
        "coroutine_trampoline:\n"
        "    .cfi_startproc\n"
        "    .cfi_undefined rip\n" /* here a backtrace ends */
        "    movq %r12, %rdi\n"
        "    call *%r13\n"
        "    ud2\n"
        "    .cfi_endproc\n"
        ".size coroutine_trampoline, . - coroutine_trampoline\n");

typedef struct frame {
    uint32_t mxcsr;
    uint32_t fpu_control;
    void *r15, *r14, *entry, *arg, *rbx, *rbp; /* entry: r13, arg: r12 */
    void (*ret)(void);
    void *none[2]; /* the stack pointer after `ret` is a multiple of 16 */
} frame;

static void set_controls(frame *f)
{
    uint16_t control;
    __asm__ volatile("stmxcsr %0" : "=m"(f->mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(control));
    f->fpu_control = control;
}
#else
__asm__(".text\n"
        ".p2align 4\n"
        ".globl coroutine_switch_stack\n"
        ".hidden coroutine_switch_stack\n"
        ".type coroutine_switch_stack, %function\n"
        "coroutine_switch_stack:\n"
        "    sub sp, sp, #176\n"
        "    stp x19, x20, [sp, #0]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mrs x9, fpcr\n"
        "    str x9, [sp, #160]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldr x9, [sp, #160]\n"
        "    msr fpcr, x9\n"
        "    ldp x19, x20, [sp, #0]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #176\n"
        "    ret\n"
        ".size coroutine_switch_stack, . - coroutine_switch_stack\n"
        ".globl coroutine_trampoline\n"
        ".hidden coroutine_trampoline\n"
        ".type coroutine_trampoline, %function\n"
        "coroutine_trampoline:\n"
        "    .cfi_startproc\n"
        "    .cfi_undefined x30\n" /* here a backtrace ends */
        "    mov x0, x20\n"
        "    blr x19\n"
        "    brk #0\n"
        "    .cfi_endproc\n"
        ".size coroutine_trampoline, . - coroutine_trampoline\n");

typedef struct frame {
    void *entry, *arg; /* x19, x20 */
    void *x21_x28[8];
    void *x29;
    void (*ret)(void); /* x30 */
    double d8_d15[8];
    uint64_t fpcr;
    uint64_t none[1];
} frame;

static void set_controls(frame *f)
{
    __asm__ volatile("mrs %0, fpcr" : "=r"(f->fpcr));
}
#endif

void coroutine_switch(stack_pointer *from, stack_pointer *to)
{
    coroutine_switch_stack(&from->at, to->at);
}

void coroutine_prepare(stack_pointer *ret, char *low, size_t len, void (*entry)(void *arg), void *arg)
{
    frame *f = (frame *)(low + len) - 1;
    memset(f, 0, sizeof *f);
    set_controls(f);
    f->entry = (void *)entry;
    f->arg = arg;
    f->ret = coroutine_trampoline;
    ret->at = f;
}

#endif
