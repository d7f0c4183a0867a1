/*
 * The heap of timers. Timers of one duration come in order and are pushed in constant time.
 */
#include "timer_heap.h"

#include <deja/memory.h>

enum { children = 4 };

static void put(timer_heap *h, size_t at, timer_entry e)
{
    h->entry[at] = e;
    e.timer->place = (uint32_t)at + 1;
}

static void move_up(timer_heap *h, size_t at, timer_entry e)
{
    while (at > 0) {
        size_t parent = (at - 1) / children;
        if (h->entry[parent].at_ns <= e.at_ns)
            break;
        put(h, at, h->entry[parent]);
        at = parent;
    }
    put(h, at, e);
}

static size_t least_child(const timer_heap *h, size_t at)
{
    size_t first = at * children + 1, end = first + children < h->len ? first + children : h->len;
    size_t least = first;
    for (size_t i = first + 1; i < end; i++)
        if (h->entry[i].at_ns < h->entry[least].at_ns)
            least = i;
    return least;
}

static void move_down(timer_heap *h, size_t at, timer_entry e)
{
    while (at * children + 1 < h->len) {
        size_t least = least_child(h, at);
        if (h->entry[least].at_ns >= e.at_ns)
            break;
        put(h, at, h->entry[least]);
        at = least;
    }
    put(h, at, e);
}

/* At a place whose entry may be overwritten. */
static void settle(timer_heap *h, size_t at, timer_entry e)
{
    if (at > 0 && h->entry[(at - 1) / children].at_ns > e.at_ns)
        move_up(h, at, e);
    else
        move_down(h, at, e);
}

int timer_heap_reserve(timer_heap *h, size_t count)
{
    if (count <= h->cap)
        return 0;
    size_t cap = h->cap ? h->cap : 64;
    while (cap < count)
        cap *= 2;
    timer_entry *entry = deja_realloc_array(h->entry, cap, sizeof *entry);
    if (!entry)
        return -1;
    h->entry = entry;
    h->cap = cap;
    return 0;
}

void timer_set(timer_heap *h, timer *t, int64_t at_ns)
{
    timer_entry e = {at_ns, t};
    if (t->place)
        settle(h, t->place - 1, e);
    else
        move_up(h, h->len++, e);
}

void timer_clear(timer_heap *h, timer *t)
{
    if (!t->place)
        return;
    size_t at = t->place - 1;
    timer_entry last = h->entry[--h->len];
    t->place = 0;
    if (at < h->len)
        settle(h, at, last);
}

int64_t timer_heap_next_ns(const timer_heap *h)
{
    return h->len ? h->entry[0].at_ns : INT64_MAX;
}

timer *timer_heap_pop(timer_heap *h, int64_t now_ns)
{
    if (!h->len || h->entry[0].at_ns > now_ns)
        return NULL;
    timer *first = h->entry[0].timer;
    timer_clear(h, first);
    return first;
}

void timer_heap_done(timer_heap *h)
{
    deja_free(h->entry);
    *h = (timer_heap){0};
}
