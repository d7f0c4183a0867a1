/* A hash of zero stands for one that is not known: should one ever come to that, its job is merely not kept.
 */
#include "remains.h"
#include "job.h"
#include "outputs.h"
#include <deja/buffer.h>
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/memory.h>

/* Outputs of so many instances are not looked at again for each job that needs them. */
#define MANY 1000
/* The pause between two looks at these, and how often as long as the last look it is at least. */
#define LOOK_PAUSE_NS    (1 * DEJA_S_NS)
#define LOOK_PAUSE_OFTEN 4

static const deja_hash unknown;

int remains_init(remains *r, uint32_t count)
{
    size_t most = count ? count : 1;
    *r = (remains){.left = deja_calloc(most, sizeof *r->left),
                   .stamps = deja_calloc(most, sizeof *r->stamps),
                   .count = count};
    return r->left && r->stamps ? 0 : DEJA_ENOMEM;
}

void remains_done(remains *r)
{
    deja_free(r->left);
    deja_free(r->stamps);
    *r = (remains){0};
}

void remains_note(remains *r, uint32_t index, const deja_hash *left, uint64_t stamp)
{
    if (r->stamps)
        r->stamps[index] = stamp;
    if (r->left && left)
        r->left[index] = *left;
}

int remains_has(const remains *r, uint32_t index)
{
    return r->left && !deja_hash_equal(&r->left[index], &unknown);
}

void remains_fold(remains *r, int frees)
{
    if (!r->left)
        return;
    r->all_known = 1;
    for (uint32_t i = 0; i < r->count && r->all_known; i++)
        r->all_known = !deja_hash_equal(&r->left[i], &unknown);
    r->all = deja_hash_bytes(r->left, r->count * sizeof *r->left);
    r->folded = 1;
    if (!frees)
        return;
    deja_free(r->left);
    r->left = NULL;
}

int remains_hash(const remains *r, const batch_span *span, deja_hash *ret)
{
    if (!span->joint) {
        *ret = r->all;
        return r->folded && r->all_known;
    }
    DEJA_AUTO_BUFFER deja_buffer all = {0};
    for (uint32_t i = 0; i < span->count; i++) {
        const deja_hash *left = r->left ? &r->left[batch_span_at(span, i)] : &unknown;
        if (deja_hash_equal(left, &unknown))
            return 0;
        deja_buffer_add(&all, left, sizeof *left);
    }
    *ret = deja_hash_bytes(all.data, all.len);
    return !all.failed;
}

static int compare_stamps(const remains *r, const batch *b, const batch_job *def, const batch_span *span)
{
    job j = {0};
    int same = 1;
    for (uint32_t i = 0; same && i < span->count; i++) {
        uint32_t index = batch_span_at(span, i);
        same = job_render(&j, b, def, index, JOB_OUTPUTS, NULL) == 0 && outputs_stamp(&j) == r->stamps[index];
    }
    job_done(&j);
    return same;
}

static void look(const remains *r, remains_look *l, const batch *b, const batch_job *def,
                 const batch_span *span)
{
    l->looked_ns = deja_monotonic_ns(NULL);
    l->changed = !compare_stamps(r, b, def, span);
    int64_t now = deja_monotonic_ns(NULL), pause = LOOK_PAUSE_OFTEN * (now - l->looked_ns);
    l->again_ns = span->count > MANY ? now + (pause > LOOK_PAUSE_NS ? pause : LOOK_PAUSE_NS) : 0;
}

/* Of single groups only the latest look is known. */
static remains_look *look_of(remains *r, const batch_span *span)
{
    if (!span->joint)
        return &r->all_look;
    if (r->latest_look.joint != span->joint || r->latest_look.group != span->group)
        r->latest_look = (remains_look){.joint = span->joint, .group = span->group};
    return &r->latest_look;
}

remains_state remains_changed(remains *r, const batch *b, const batch_job *def, const batch_span *span,
                              int64_t since_ns, int64_t *ret_later_ns)
{
    remains_look *l = look_of(r, span);
    if (def->output_count == 0 || !r->stamps || l->changed)
        return l->changed ? REMAINS_CHANGED : REMAINS_SAME;
    if (l->looked_ns && l->looked_ns >= since_ns)
        return REMAINS_SAME;
    if (ret_later_ns && l->again_ns > deja_monotonic_ns(NULL)) {
        *ret_later_ns = l->again_ns;
        return REMAINS_LOOK_LATER;
    }
    look(r, l, b, def, span);
    return l->changed ? REMAINS_CHANGED : REMAINS_SAME;
}
