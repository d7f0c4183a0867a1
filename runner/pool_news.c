/*
 * What happened in other threads: a stack that any thread pushes to and the owner takes whole. A task stands
 * in it once, whatever happened to it: its bits say what.
 */
#include "pool_state.h"

#include <deja/buffer.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "local_map.h"

enum news {
    news_late = 1,
    news_end = 2,
};

void list_append(task_list *l, task *t)
{
    t->next = NULL;
    t->prev = l->last;
    if (l->last)
        l->last->next = t;
    else
        l->first = t;
    l->last = t;
}

void list_prepend(task_list *l, task *t)
{
    t->prev = NULL;
    t->next = l->first;
    if (l->first)
        l->first->prev = t;
    else
        l->last = t;
    l->first = t;
}

void list_remove(task_list *l, task *t)
{
    if (t->prev)
        t->prev->next = t->next;
    else
        l->first = t->next;
    if (t->next)
        t->next->prev = t->prev;
    else
        l->last = t->prev;
    t->next = t->prev = NULL;
}

static void push(deja_pool *p, task *t, uint32_t what)
{
    if (atomic_fetch_or(&t->news, what) == 0) {
        task *head = atomic_load_explicit(&p->news, memory_order_relaxed);
        do
            t->news_next = head;
        while (!atomic_compare_exchange_weak(&p->news, &head, t));
    }
}

static task *take_in_order(deja_pool *p)
{
    task *first = NULL;
    if (!atomic_load_explicit(&p->news, memory_order_relaxed))
        return NULL;
    for (task *next, *t = atomic_exchange(&p->news, NULL); t; t = next) {
        next = t->news_next;
        t->news_next = first;
        first = t;
    }
    return first;
}

static void free_task(deja_pool *p, task *t)
{
    backend *b = p->backend[t->function->options.backend];
    if (b->free_task)
        b->free_task(b, t);
    task_table_free(&p->tasks, t);
}

static void end(deja_pool *p, task *t)
{
    t->function->running--;
    if (t->lane)
        local_map_lane_over(t);
    else if (t->state == task_ended)
        pool_report(p, t, t->outcome.code);
    pool_over(p, t);
}

/* "'f': timed out after 100 ms", where nobody said it better. */
static char *text_of(const task *t)
{
    deja_buffer b = {0};
    const deja_pool_function_options *o = &t->function->options;
    deja_buffer_addf(&b, "'%s': %s", o->name, deja_error_meaning(t->outcome.code));
    if (t->outcome.code == DEJA_ETIMEDOUT && o->timeout_ms > 0)
        deja_buffer_addf(&b, " after %lld ms", (long long)o->timeout_ms);
    return deja_buffer_take(&b);
}

static void tell_warnings(deja_pool *p)
{
    pool_warning *next, *first = NULL, *w = atomic_exchange(&p->warnings, NULL);
    for (; w; w = next) {
        next = w->next;
        w->next = first;
        first = w;
    }
    for (w = first; w; w = next) {
        next = w->next;
        if (p->options.warn)
            p->options.warn(p->options.warn_context, w->text);
        deja_free(w);
    }
}

void pool_deliver(deja_pool *p, task *t)
{
    t->marks |= task_delivered;
    if (t->marks & task_over)
        free_task(p, t);
}

void pool_over(deja_pool *p, task *t)
{
    t->marks |= task_over;
    if (t->marks & task_delivered)
        free_task(p, t);
}

void pool_report(deja_pool *p, task *t, int code)
{
    t->outcome.code = code;
    if (code < 0 && !t->outcome.text)
        t->outcome.text = text_of(t);
    t->ready_next = NULL;
    if (p->ready)
        p->ready_last->ready_next = t;
    else
        p->ready = t;
    p->ready_last = t;
}

void pool_absorb(deja_pool *p)
{
    for (task *next, *t = take_in_order(p); t; t = next) {
        next = t->news_next;
        uint32_t what = atomic_exchange(&t->news, 0);
        if (what & news_late)
            pool_report(p, t, DEJA_ETIMEDOUT);
        if (what & news_end)
            end(p, t);
    }
    if (atomic_load_explicit(&p->warnings, memory_order_relaxed))
        tell_warnings(p);
}

void pool_drop_warnings(deja_pool *p)
{
    p->options.warn = NULL;
    tell_warnings(p);
}

void pool_finished(deja_pool *p, task *t)
{
    push(p, t, news_end);
    pool_rung(p);
}

void pool_ended(deja_pool *p, task *t)
{
    push(p, t, news_end);
}

int pool_late(deja_pool *p, task *t)
{
    int expected = task_running;
    if (!atomic_compare_exchange_strong(&t->state, &expected, task_late))
        return 0;
    push(p, t, news_late);
    pool_rung(p);
    return 1;
}

void pool_rung(deja_pool *p)
{
    bell_ring(p->bell);
}

/* A sleeper computed when to wake up without knowing this one: it is woken when this one is earlier. */
void pool_due(deja_pool *p, int64_t at_ns)
{
    int64_t due = atomic_load(&p->due_ns);
    while (at_ns < due)
        if (atomic_compare_exchange_weak(&p->due_ns, &due, at_ns)) {
            pool_rung(p);
            return;
        }
}

void pool_warn(deja_pool *p, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t len = strlen(text) + 1;
    pool_warning *w = deja_realloc(NULL, sizeof *w + len);
    if (!w)
        return;
    memcpy(w->text, text, len);
    w->next = atomic_load(&p->warnings);
    while (!atomic_compare_exchange_weak(&p->warnings, &w->next, w))
        continue;
    pool_rung(p);
}
