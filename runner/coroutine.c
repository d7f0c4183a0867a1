/*
 * Coroutines and their stacks.
 */
#include "coroutine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif

#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HAS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum {
    slab_coroutines = block_stacks,
    canary_words = 8,
    colours = 8, /* stacks begin at different places of their page, else they meet in the same cache sets */
    colour_bytes = 128,
    least_stack_bytes = 8 * 1024,
    prefetch_lines = 5, /* of 64 bytes: the frames of a sleep */
#if defined(HAS_ASAN) || defined(HAS_TSAN)
    sanitizer_factor = 8, /* frames are so much larger */
#else
    sanitizer_factor = 1,
#endif
};

#ifndef DEJA_UCONTEXT
_Static_assert(offsetof(coroutine, body) <= 64 && sizeof(coroutine) == 128, "a wake-up touches one line");
#endif

static const uint64_t canary = 0x64656a61a5c3f00d;

typedef struct coroutine_slab {
    struct coroutine_slab *next;
    stack_block *stacks; /* the first has nobody but the lowest canary */
    _Alignas(64) coroutine coroutine[slab_coroutines];
} coroutine_slab;

/* deja_sleep_ms has no context to say which coroutine calls. */
static _Thread_local coroutine *current;

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static uint64_t *canary_of(const coroutine *c)
{
    return (uint64_t *)c->low - canary_words;
}

static void set_canary(const coroutine *c)
{
    for (int i = 0; i < canary_words; i++)
        canary_of(c)[i] = canary;
}

__attribute__((noreturn)) static void die_of_overflow(const coroutine *c)
{
    char text[256];
    int len = snprintf(
        text, sizeof text,
        "deja: coroutine '%s' overflowed its stack of %zu bytes: memory is damaged, raise stack_bytes\n",
        c->task ? c->task->function->options.name : "?", c->set->stack_bytes);
    if (write(STDERR_FILENO, text, (size_t)len) < 0)
        abort();
    abort();
}

static void check_canary(const coroutine *c)
{
    uint64_t differs = 0;
    for (int i = 0; i < canary_words; i++)
        differs |= canary_of(c)[i] ^ canary;
    if (differs)
        die_of_overflow(c);
}

/* ---- what sanitizers want to know ---- */

static void leave_home(coroutine *c)
{
#ifdef HAS_ASAN
    __sanitizer_start_switch_fiber(&c->set->home_fake_stack, c->low, c->set->stack_bytes);
#endif
#ifdef HAS_TSAN
    c->set->home_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(c->fiber, 0);
#endif
    (void)c;
}

static void arrive_home(coroutine *c)
{
#ifdef HAS_ASAN
    __sanitizer_finish_switch_fiber(c->set->home_fake_stack, NULL, NULL);
#endif
    (void)c;
}

static void arrive(coroutine *c)
{
#ifdef HAS_ASAN
    __sanitizer_finish_switch_fiber(c->fake_stack, &c->set->home_low, &c->set->home_bytes);
    c->fake_stack = NULL;
#endif
    (void)c;
}

static void leave(coroutine *c)
{
#ifdef HAS_ASAN
    __sanitizer_start_switch_fiber(c->is_over ? NULL : &c->fake_stack, c->set->home_low, c->set->home_bytes);
#endif
#ifdef HAS_TSAN
    __tsan_switch_to_fiber(c->set->home_fiber, 0);
#endif
    (void)c;
}

static void prepare_sanitizers(coroutine *c)
{
#ifdef HAS_ASAN
    ASAN_UNPOISON_MEMORY_REGION(c->low, c->set->stack_bytes);
    c->fake_stack = NULL;
#endif
#ifdef HAS_TSAN
    if (!c->fiber)
        c->fiber = __tsan_create_fiber(0);
#endif
    (void)c;
}

static void forget_fibers(coroutine_slab *slab)
{
#ifdef HAS_TSAN
    for (int i = 0; i < slab_coroutines; i++)
        if (slab->coroutine[i].fiber)
            __tsan_destroy_fiber(slab->coroutine[i].fiber);
#endif
    (void)slab;
}

/* ---- life ---- */

static void enter(void *arg)
{
    coroutine *c = arg;
    arrive(c);
    errno = 0;
    c->body(c);
    c->is_over = 1;
    coroutine_yield(c);
}

static coroutine_slab *map_slab(void)
{
    void *at = mmap(NULL, sizeof(coroutine_slab), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static int add_slab(coroutine_set *s)
{
    coroutine_slab *slab = map_slab();
    if (!slab)
        return -1;
    slab->stacks = stack_maker_take(&s->maker, s->total / slab_coroutines);
    if (!slab->stacks) {
        munmap(slab, sizeof *slab);
        return -1;
    }
    slab->next = s->slab;
    s->slab = slab;
    s->total += slab_coroutines;
    for (size_t i = slab_coroutines; i-- > 0;) {
        coroutine *c = &slab->coroutine[i];
        c->set = s;
        c->low = slab->stacks->at + (i + 1) * s->stack_bytes;
        c->next = s->free;
        s->free = c;
    }
    return 0;
}

/* The uppermost words are the canary of the upper neighbour. */
static size_t usable_bytes(const coroutine *c)
{
    size_t index = (uintptr_t)c->low / c->set->stack_bytes;
    return c->set->stack_bytes - canary_words * sizeof canary - index % colours * colour_bytes;
}

void coroutine_set_init(coroutine_set *s, size_t stack_bytes)
{
    size_t page = page_bytes();
    if (stack_bytes < least_stack_bytes)
        stack_bytes = least_stack_bytes;
    *s = (coroutine_set){.stack_bytes = (stack_bytes * sanitizer_factor + page - 1) / page * page};
    stack_maker_init(&s->maker, s->stack_bytes);
}

coroutine *coroutine_new(coroutine_set *s, void (*body)(coroutine *c))
{
    if (!s->free && add_slab(s) < 0)
        return NULL;
    coroutine *c = s->free;
    s->free = c->next;
    s->live++;
    s->is_trimmed = 0;
    c->next = NULL;
    c->body = body;
    c->is_over = 0;
    prepare_sanitizers(c);
    set_canary(c);
    coroutine_prepare(&c->sp, c->low, usable_bytes(c), enter, c);
    return c;
}

void coroutine_prefetch(const coroutine *c)
{
#ifndef DEJA_UCONTEXT
    for (int line = 0; line < prefetch_lines; line++)
        __builtin_prefetch((char *)c->sp.at + line * 64);
    __builtin_prefetch(canary_of(c));
#endif
    (void)c;
}

int coroutine_resume(coroutine *c)
{
    int kept = errno;
    current = c;
    leave_home(c);
    coroutine_switch(&c->set->home, &c->sp);
    arrive_home(c);
    current = NULL;
    check_canary(c);
    errno = kept;
    return c->is_over;
}

void coroutine_free(coroutine *c)
{
    c->next = c->set->free;
    c->set->free = c;
    c->set->live--;
}

void coroutine_yield(coroutine *c)
{
    c->saved_errno = errno;
    leave(c);
    coroutine_switch(&c->sp, &c->set->home);
    arrive(c);
    errno = c->saved_errno;
}

coroutine *coroutine_current(void)
{
    return current;
}

void coroutine_set_trim(coroutine_set *s)
{
    if (s->live || s->is_trimmed)
        return;
    for (coroutine_slab *slab = s->slab; slab; slab = slab->next)
        madvise(slab->stacks->at, slab->stacks->bytes, MADV_DONTNEED);
    stack_maker_trim(&s->maker);
    s->is_trimmed = 1;
}

void coroutine_set_stop(coroutine_set *s)
{
    stack_maker_stop(&s->maker);
}

void coroutine_set_done(coroutine_set *s)
{
    for (coroutine_slab *next, *slab = s->slab; slab; slab = next) {
        next = slab->next;
        forget_fibers(slab);
        stack_block_free(slab->stacks);
        munmap(slab, sizeof *slab);
    }
    stack_maker_done(&s->maker);
    s->slab = NULL;
}
