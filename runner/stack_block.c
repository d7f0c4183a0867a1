/*
 * Blocks of stacks, see stack_block.h.
 */
#include "stack_block.h"

#include <deja/memory.h>
#include <signal.h>
#include <sys/mman.h>

enum {
    ahead_share = 4, /* one block ahead for so many in use, */
    ahead_most = 16, /* this many at most: 64 MB of memory with 16 KB a stack, a quarter of them touched */
};

static stack_block *make(size_t stack_bytes)
{
    stack_block *b = deja_calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->bytes = (block_stacks + 1) * stack_bytes;
    b->at = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (b->at == MAP_FAILED) {
        deja_free(b);
        return NULL;
    }
    madvise(b->at, b->bytes, MADV_NOHUGEPAGE); /* huge pages would give each stack its whole slice */
    return b;
}

/* The uppermost word of each: the page that the stack begins in. */
static void touch(stack_block *b, size_t stack_bytes)
{
    for (size_t i = 1; i <= block_stacks + 1; i++)
        *(volatile uint64_t *)(b->at + i * stack_bytes - sizeof(uint64_t)) = 0;
}

static void add_ready(stack_maker *m, stack_block *b)
{
    b->next = m->ready;
    m->ready = b;
    m->ready_count++;
}

static void *make_ahead(void *arg)
{
    stack_maker *m = arg;
    pthread_mutex_lock(&m->lock);
    while (!m->stop) {
        if (m->ready_count >= m->wanted) {
            pthread_cond_wait(&m->changed, &m->lock);
            continue;
        }
        pthread_mutex_unlock(&m->lock);
        stack_block *b = make(m->stack_bytes);
        if (b)
            touch(b, m->stack_bytes);
        pthread_mutex_lock(&m->lock);
        if (b)
            add_ready(m, b);
        else
            m->wanted = 0; /* who needs one finds out */
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* Without it each is made when it is needed. Signals are for the program's own threads. */
static void start(stack_maker *m)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    m->is_started = pthread_create(&m->thread, NULL, make_ahead, m) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void stack_maker_init(stack_maker *m, size_t stack_bytes)
{
    *m = (stack_maker){.stack_bytes = stack_bytes};
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->changed, NULL);
}

stack_block *stack_maker_take(stack_maker *m, size_t in_use)
{
    size_t wanted = in_use / ahead_share;
    pthread_mutex_lock(&m->lock);
    m->wanted = wanted < ahead_most ? wanted : ahead_most;
    if (m->wanted && !m->is_started)
        start(m);
    stack_block *b = m->ready;
    if (b) {
        m->ready = b->next;
        m->ready_count--;
    }
    pthread_cond_signal(&m->changed);
    pthread_mutex_unlock(&m->lock);
    return b ? b : make(m->stack_bytes);
}

void stack_block_free(stack_block *b)
{
    if (!b)
        return;
    munmap(b->at, b->bytes);
    deja_free(b);
}

static void free_all(stack_block *b)
{
    for (stack_block *next; b; b = next) {
        next = b->next;
        stack_block_free(b);
    }
}

void stack_maker_trim(stack_maker *m)
{
    pthread_mutex_lock(&m->lock);
    stack_block *ready = m->ready;
    m->ready = NULL;
    m->ready_count = m->wanted = 0;
    pthread_mutex_unlock(&m->lock);
    free_all(ready);
}

void stack_maker_stop(stack_maker *m)
{
    if (!m->is_started)
        return;
    pthread_mutex_lock(&m->lock);
    m->stop = 1;
    pthread_cond_signal(&m->changed);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    m->is_started = 0;
}

void stack_maker_done(stack_maker *m)
{
    free_all(m->ready);
    m->ready = NULL;
}
