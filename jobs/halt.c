/* The end of a run by failures, see halt.h. */
#include "halt.h"
#include "functions.h"
#include <deja/cleanup.h>
#include <inttypes.h>
#include <signal.h>

/* Of a percentage only when it is known how many jobs there are. */
static int is_enough(const flow *f, uint64_t failed)
{
    const flow_options *o = &f->options;
    flow_totals t;
    if (o->failures_most && failed >= o->failures_most)
        return 1;
    if (o->failures_percent <= 0)
        return 0;
    flow_totals_of(f, &t);
    return !t.unexpanded && (double)failed * 100 >= o->failures_percent * (double)t.total;
}

static void say(flow *f, uint64_t failed)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_addf(&text, "%" PRIu64 " jobs failed: no more are started", failed);
    active_tell(f, &(flow_event){.kind = FLOW_NOTE, .reason = text.data, .out.fd = -1, .err.fd = -1});
}

void halt_look(flow *f)
{
    uint64_t failed = f->totals.failed - f->totals.allowed;
    if (f->failed || f->stopping || failed == 0 || !is_enough(f, failed))
        return;
    f->failed = 1;
    if (failed > 1)
        say(f, failed);
    if (f->options.end_at_failure)
        halt_running(f, 0);
}

void halt_running(flow *f, int now)
{
    f->ending = 1 + (now != 0);
    if (f->runner && now)
        deja_runner_kill(f->runner);
    else if (f->runner)
        deja_runner_terminate(f->runner, SIGTERM);
    if (f->functions)
        functions_stop(f->functions, now);
}
