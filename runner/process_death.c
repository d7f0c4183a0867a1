/*
 * Workers that died. What one was doing is told by its board, of which the zygote made a copy, and by the
 * word of the slot that it names.
 */
#include "process.h"

#include <deja/clock.h>
#include <signal.h>
#include <sys/wait.h>

enum { kills_most = 2 }; /* quarantine: a task that ended so many workers is not tried again */

int process_cause(const death *d, const char *name, int64_t timeout_ms, deja_error *err)
{
    enum turn_state turn = d->turn & 0xff;
    if (turn == turn_late)
        return deja_fail(err, DEJA_ETIMEDOUT, "'%s' was ended after its limit of %lld ms", name,
                         (long long)timeout_ms);
    if (turn == turn_canceled)
        return deja_fail(err, DEJA_ECANCELED, "'%s' was ended: canceled", name);
    if (turn == turn_leaving)
        return deja_fail(err, DEJA_EKILLED, "'%s' closed the descriptors of its worker: its result is lost",
                         name);
    if (WIFSIGNALED(d->status))
        return deja_fail(err, DEJA_EKILLED, "'%s' ended its worker by signal %d (%s)", name,
                         WTERMSIG(d->status), strsignal(WTERMSIG(d->status)));
    return deja_fail(err, DEJA_EKILLED, "'%s' ended its worker by exit(3) with status %d", name,
                     WEXITSTATUS(d->status));
}

static void post_again(process *p, uint32_t i)
{
    side *d = &p->side[i];
    const deja_pool_function_options *o = &d->task->function->options;
    if (d->timed)
        atomic_fetch_sub(&p->shop.boards.control->timed, 1);
    d->generation++;
    process_post(p, i, o->timeout_ms * DEJA_MS_NS);
}

static void call_died(process *p, uint32_t i, const death *d)
{
    task *t = p->side[i].task;
    const deja_pool_function_options *o = &t->function->options;
    enum turn_state turn = d->turn & 0xff;
    deja_error err;
    if (turn == turn_running || turn == turn_idle) {
        t->kills++;
        if (!p->side[i].kill && t->kills <= o->retries && t->kills < kills_most) {
            post_again(p, i);
            return;
        }
    }
    process_cause(d, o->name, o->timeout_ms, &err);
    process_fail(p, i, &err, WIFSIGNALED(d->status) ? WTERMSIG(d->status) : 0);
}

static void idle_died(process *p, const death *d)
{
    if ((d->turn & 0xff) != turn_idle)
        return;
    if (WIFSIGNALED(d->status))
        pool_warn(p->pool, "a worker was lost while idle: signal %d (%s)", WTERMSIG(d->status),
                  strsignal(WTERMSIG(d->status)));
    else
        pool_warn(p->pool, "a worker was lost while idle: status %d", WEXITSTATUS(d->status));
}

static void bury_one(process *p, const death *d)
{
    uint32_t i = (uint32_t)d->current, generation = (uint32_t)(d->current >> 32);
    const side *of = i < slot_count ? &p->side[i] : NULL;
    if (!of || (!of->task && !of->run) || of->generation != generation) {
        idle_died(p, d);
        return;
    }
    uint64_t word = atomic_load(&p->shop.boards.slots[i].word);
    if (word == slot_word(generation, d->birth, slot_done))
        process_finish(p, i); /* it died before it could tell */
    else if (word != slot_word(generation, d->birth, slot_taken))
        idle_died(p, d); /* it died before it took it, or another was faster */
    else if (of->run)
        process_map_share_died(p, i, d);
    else
        call_died(p, i, d);
}

void process_bury(process *p, uint64_t deaths)
{
    control *c = p->shop.boards.control;
    for (uint64_t n = atomic_load(&c->deaths_read); n < deaths; n++) {
        death d = c->death[n % deaths_kept];
        atomic_store(&c->deaths_read, n + 1);
        bury_one(p, &d);
    }
}

void process_fail_all(process *p)
{
    deja_error err;
    for (uint32_t i = 0; i < slot_count; i++) {
        if (!p->side[i].task)
            continue;
        deja_fail(&err, DEJA_EKILLED, "'%s' was lost: the processes of the pool were ended",
                  p->side[i].task->function->options.name);
        process_fail(p, i, &err, SIGKILL);
    }
    for (map_run *r = p->runs, *next; r; r = next) {
        next = process_map_next(r);
        process_map_fail(r);
    }
}
