/*
 * Chains of pools that are running a task: one for each thread, and one for each coroutine.
 */
#include "inside.h"
#include "coroutine.h"

/* deja_pool_is_inside has no context to say who calls. */
static _Thread_local inside *of_thread;

static inside **chain(void)
{
    coroutine *c = coroutine_current();
    return c ? &c->inside : &of_thread;
}

static int holds(const inside *i, const deja_pool *p)
{
    while (i && i->pool != p)
        i = i->outer;
    return i != NULL;
}

void inside_enter(inside *i, const deja_pool *p)
{
    inside **first = chain();
    *i = (inside){.pool = p, .outer = *first};
    *first = i;
}

void inside_leave(const inside *i)
{
    *chain() = i->outer;
}

int deja_pool_is_inside(const deja_pool *p)
{
    const coroutine *c = coroutine_current();
    return holds(of_thread, p) || (c && holds(c->inside, p));
}

int deja_pool_in_coroutine(void)
{
    return coroutine_current() != NULL;
}
