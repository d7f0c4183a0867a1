/*
 * One call of a function in the calling thread, outside of the queues of a pool.
 */
#include "backend.h"
#include "inside.h"
#include "invoke.h"
#include "pool_state.h"
#include "product.h"

#include <deja/clock.h>
#include <string.h>
#include <time.h>

static int64_t thread_cpu_ns(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) < 0 ? -1 : (int64_t)t.tv_sec * DEJA_S_NS + t.tv_nsec;
}

void deja_pool_call_here(deja_pool_function *f, const deja_value *args, size_t n, deja_task_outcome *ret)
{
    deja_sink sink;
    deja_error err;
    inside here;
    int64_t began = deja_monotonic_ns(NULL), cpu = thread_cpu_ns();
    const deja_error *init = &f->pool->init_error;
    *ret = (deja_task_outcome){.product.fd = -1, .out_fd = -1, .err_fd = -1};
    if (!f->options.function) {
        ret->code =
            deja_fail(&err, DEJA_EINVAL, "'%s' is of a library that only workers load", f->options.name);
        ret->text = deja_strdup(err.text);
        return;
    }
    if (f->options.backend != DEJA_PROCESS && init->code) {
        ret->code = init->code;
        ret->text = deja_strdup(init->text);
        return;
    }
    sink_init(&sink, pool_options(f->pool)->stage_folder);
    inside_enter(&here, f->pool);
    ret->code = invoke(f->options.function, f->options.name, args, n, &sink, &ret->product, &err);
    inside_leave(&here);
    sink_done(&sink);
    ret->wall_ns = deja_monotonic_ns(NULL) - began;
    ret->cpu_ns = cpu < 0 ? -1 : thread_cpu_ns() - cpu;
    if (ret->code < 0)
        ret->text = deja_strdup(err.text);
}
