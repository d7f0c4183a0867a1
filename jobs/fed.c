/* The plan of a job whose instances come from a feed, see fed.h. */
#include "fed.h"

void fed_init(fed *f, batch *b)
{
    *f = (fed){.batch = b, .def = &b->jobs[0], .feed = b->jobs[0].feed};
}

/* Another one may be making it now. */
static int check_outputs(fed *f, uint32_t index, deja_error *err)
{
    job j = {0};
    int code = job_render(&j, f->batch, f->def, index, JOB_OUTPUTS, err);
    for (size_t i = 0; code == 0 && i < j.output_count; i++) {
        int added = made_add(&f->made, j.outputs[i].path, err);
        code = added < 0    ? added
               : added == 0 ? deja_fail(err, DEJA_EINVAL, "its output '%s' is that of an earlier job, too",
                                        j.outputs[i].path)
                            : 0;
    }
    job_done(&j);
    return code;
}

int fed_next(fed *f, plan_ready *ret)
{
    *ret = (plan_ready){.def = f->def};
    if (!feed_next(f->feed, &ret->index, &ret->error))
        return 0;
    deja_error err;
    if (!ret->error && f->def->output_count && check_outputs(f, ret->index, &err) < 0)
        ret->error = feed_refuse(f->feed, ret->index, &err);
    return 1;
}

void fed_done(fed *f)
{
    made_done(&f->made);
    *f = (fed){0};
}
