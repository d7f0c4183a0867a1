/*
 * The load average follows what runs by a minute: jobs started since it was read are added to it, or a second
 * would be enough to start all. GNU make does the same for its -l.
 */
#include "pressure.h"
#include "active.h"
#include <deja/clock.h>

#define LOOK_NS DEJA_S_NS
/* Not sooner than this after having asked: a look that is due would be asked for in a loop. */
#define LEAST_NS (10 * DEJA_MS_NS)

static int matters(const flow *f)
{
    return f->options.load_most > 0 || f->options.memory_free_least > 0;
}

static const deja_clock *clock_of(const flow *f)
{
    return f->options.machine ? f->options.machine->clock : NULL;
}

static void look(flow *f)
{
    int64_t now = deja_monotonic_ns(clock_of(f));
    pressure *p = &f->pressure;
    if (p->looked_ns && now - p->looked_ns < LOOK_NS)
        return;
    *p = (pressure){.looked_ns = now,
                    .load = machine_load(f->options.machine),
                    .memory_free = machine_memory_free(f->options.machine),
                    .running = f->totals.running};
}

int pressure_is_high(flow *f)
{
    const pressure *p = &f->pressure;
    if (!matters(f))
        return 0;
    look(f);
    uint64_t running = f->totals.running, more = running > p->running ? running - p->running : 0;
    if (running == 0)
        return 0;
    if (f->options.load_most > 0 && p->load >= 0 && p->load + (double)more >= f->options.load_most)
        return 1;
    return p->memory_free > 0 && p->memory_free < f->options.memory_free_least;
}

int64_t pressure_next_ns(const flow *f)
{
    if (!matters(f) || !f->pressure.looked_ns || (!f->missed.first && !f->held))
        return INT64_MAX;
    int64_t next = f->pressure.looked_ns + LOOK_NS, soon = deja_monotonic_ns(clock_of(f)) + LEAST_NS;
    return next > soon ? next : soon;
}
