#ifndef JOB_FIXTURE_H
#define JOB_FIXTURE_H
/*
 * Instances of jobs, rendered, for the tests of what is done with them.
 */
#include "batch_fixture.h"
#include "job.h"

/* Instance `index` of the job `name`. To be ended with job_done. */
static inline job render(const batch *b, const char *name, uint32_t index)
{
    job j = {0};
    deja_error err;
    if (job_render(&j, b, batch_find(b, name, strlen(name)), index, JOB_ALL, &err) < 0)
        fail_msg("%s", err.text);
    return j;
}

#endif
