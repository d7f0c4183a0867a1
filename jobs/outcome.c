/*
 * Exit statuses, outputs, inputs after the run.
 */
#include "outcome.h"
#include "outputs.h"
#include <deja/cleanup.h>
#include <deja/image.h>
#include <deja/quantity.h>
#include <deja/text.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

/* Why a call is no success; the signal is told by itself. */
static int judge_call(const active *a, deja_error *why)
{
    if (a->outcome.signal)
        return deja_fail(why, DEJA_EKILLED, "in '%s' of library '%s'", a->job.def->symbol, a->job.library);
    return deja_fail(why, DEJA_EINVAL, "%s", a->why ? a->why : "out of memory");
}

static int judge_late(const active *a, deja_error *why)
{
    char limit[32];
    deja_show_duration(active_timeout_ns(a), limit);
    return deja_fail(why, DEJA_ETIMEDOUT, "timed out after %s%s", limit,
                     a->outcome.signal == SIGKILL ? ", and TERM did not end it" : "");
}

static int judge_limit(const active *a, deja_error *why)
{
    char limit[32];
    deja_text_bytes(a->job.def->memory_bytes, limit);
    return deja_fail(why, DEJA_EKILLED, "out of memory: the kernel's OOM killer ended it at its limit of %s",
                     limit);
}

int outcome_judge(active *a, deja_error *why)
{
    const deja_outcome *o = &a->outcome;
    *why = (deja_error){0};
    if (o->timed_out)
        return judge_late(a, why);
    if (o->oom == DEJA_OOM_LIMIT)
        return judge_limit(a, why);
    if (o->oom)
        return deja_fail(
            why, DEJA_EKILLED,
            "probably out of memory: the kernel's OOM killer has ended a process on this machine since "
            "the run began");
    if (a->job.library && (o->signal || o->status))
        return judge_call(a, why);
    if (o->exec_errno) {
        errno = o->exec_errno;
        if (o->exec_step == DEJA_EXEC_CWD) {
            a->outcome.status = -1; /* nothing ran that could have one */
            return deja_fail_errno(why, "enter its folder '%s' ('cwd')", a->job.cwd);
        }
        return deja_fail_errno(why, "execute '%s'", a->job.program ? a->job.program : a->job.shell[0]);
    }
    if (o->signal || !job_is_ok_status(a->job.def, o->status))
        return DEJA_EINVAL;
    if (o->out.lost || o->err.lost)
        return deja_fail(why, o->out.lost ? o->out.error : o->err.error, "part of its output is lost: %s",
                         strerror(o->out.lost ? o->out.sys_errno : o->err.sys_errno));
    return outputs_check(&a->job, why);
}

/* A number is no image yet. */
static deja_payload value_of(active *a)
{
    const deja_product *p = &a->product;
    if (p->len)
        return (deja_payload){.data = p->image, .len = p->len, .fd = p->fd};
    deja_image_add(&a->image, &p->scalar);
    return (deja_payload){.data = a->image.data, .len = a->image.len, .fd = -1};
}

int outcome_fill_result(active *a, uint32_t flags, deja_error *err)
{
    const deja_outcome *o = &a->outcome;
    size_t count = a->job.output_count;
    deja_output *outputs = deja_arena_alloc(&a->job.arena, (count + 1) * sizeof *outputs);
    deja_digest_item *targets =
        a->job.def->needed ? deja_arena_alloc(&a->job.arena, (count + 1) * sizeof *targets) : NULL;
    if (!outputs || (a->job.def->needed && !targets))
        return deja_fail(err, DEJA_ENOMEM, "result of the job: out of memory");
    for (size_t i = 0; i < count; i++)
        outputs[i] = (deja_output){.name = a->job.outputs[i].name, .path = a->job.outputs[i].path};
    a->result = (deja_result){
        .step = {.user = a},
        .key = a->key,
        .encoding = a->encoding.bytes.data,
        .encoding_len = a->encoding.bytes.len,
        .label = active_name(a),
        .exit_status = o->status,
        .wall_ns = o->wall_ns,
        .cpu_ns = o->cpu_ns,
        .peak_rss_bytes = o->peak_rss_bytes,
        .out = {.data = o->out.data, .len = o->out.len, .fd = o->out.fd},
        .err = {.data = o->err.data, .len = o->err.len, .fd = o->err.fd},
        .root_fd = a->flow->batch->folder_fd,
        .flags = flags,
        .inputs = a->reads.items,
        .input_count = flags & DEJA_RESULT_NO_KEEP ? 0 : a->reads.count,
        .outputs = outputs,
        .output_count = count,
        .targets = targets,
    };
    if (!a->job.library)
        return 0;
    a->result.flags |= DEJA_RESULT_VALUE;
    a->result.value = value_of(a);
    return a->image.failed ? deja_fail(err, DEJA_ENOMEM, "result of the job: out of memory") : 0;
}

/* What is not to be kept the seal does not read. */
const deja_content *outcome_value(active *a)
{
    deja_result *r = &a->result;
    if (!(r->flags & DEJA_RESULT_VALUE))
        return NULL;
    if (r->flags & DEJA_RESULT_NO_KEEP)
        r->value_content = (deja_content){.kind = DEJA_CONTENT_FILE,
                                          .size = r->value.len,
                                          .hash = deja_hash_bytes(r->value.data, r->value.len)};
    return &r->value_content;
}

int outcome_reads_same(active *a)
{
    int listed = 0;
    if (a->way != reads_way(&a->reads, a->flow->batch->folder_fd))
        return 0;
    for (size_t i = 0; i < a->job.input_count; i++)
        listed |= a->job.inputs[i].pattern | a->job.inputs[i].folder;
    if (!listed)
        return 1;
    reads now = {0};
    int same = reads_list(&now, &a->job, a->program.len ? a->program.data : NULL, NULL) == 0 &&
               reads_same_paths(&now, &a->reads);
    reads_done(&now);
    return same;
}
