/* Needed outputs taken as they lie, see lying.h. Both walks meet the instances in the same order; what
 * another job has told the plan meanwhile is met by the second one, too. */
#include "lying.h"
#include "batch_join.h"
#include "keying.h"
#include "outputs.h"
#include <deja/cleanup.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A walk over the instances that are not run. */
typedef struct walker {
    active *a;
    int (*is_met)(const plan *p, uint32_t number, uint32_t maker);
    int (*visit)(struct walker *w, job *maker, deja_error *err);
    size_t at; /* of their items */
} walker;

static int each_maker(walker *w, const batch_need *need, deja_error *err)
{
    const batch *b = w->a->flow->batch;
    batch_span span = batch_span_of(b, need, w->a->job.index);
    job maker = {0};
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < span.count; i++) {
        uint32_t index = batch_span_at(&span, i);
        if (!w->is_met(w->a->flow->plan, need->job, index))
            continue;
        status = job_render(&maker, b, &b->jobs[need->job], index, JOB_OUTPUTS, err);
        if (status == 0)
            status = w->visit(w, &maker, err);
    }
    job_done(&maker);
    return status;
}

static int each_need(walker *w, deja_error *err)
{
    const batch_job *def = w->a->job.def;
    int status = 0;
    for (size_t i = 0; status == 0 && plan_is_only(w->a->flow->plan) && i < def->need_count; i++)
        if (!def->needs[i].order_only)
            status = each_maker(w, &def->needs[i], err);
    return status;
}

static int is_link(const active *a, const char *path)
{
    struct stat st;
    return fstatat(a->flow->batch->folder_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

static int list_one(walker *w, job *maker, deja_error *err)
{
    active *a = w->a;
    int status = 0;
    for (size_t i = 0; status == 0 && i < batch_listed_outputs(maker->def); i++) {
        const char *path =
            deja_arena_dup(&a->job.arena, maker->outputs[i].path, strlen(maker->outputs[i].path));
        if (!path)
            return deja_fail(err, DEJA_ENOMEM, "list of needed outputs: out of memory");
        status = reads_add_lying(&a->reads, path, DEJA_DIGEST_NO_FOLLOW, err);
        if (status == 0 && is_link(a, path))
            status = reads_add_lying(&a->reads, path, 0, err);
    }
    return status;
}

int lying_list(active *a, deja_error *err)
{
    walker w = {.a = a, .is_met = plan_is_lying, .visit = list_one};
    return each_need(&w, err);
}

static int note_one(walker *w, job *maker, deja_error *err)
{
    active *a = w->a;
    size_t count = batch_listed_outputs(maker->def);
    if (count == 0 || w->at >= a->reads.count ||
        strcmp(a->reads.items[w->at].path, maker->outputs[0].path) != 0)
        return 0; /* it was known when they were listed */
    deja_output *outputs = deja_arena_alloc(&maker->arena, (count + 1) * sizeof *outputs);
    deja_digest_item *targets = deja_arena_alloc(&maker->arena, (count + 1) * sizeof *targets);
    if (!outputs || !targets)
        return deja_fail(err, DEJA_ENOMEM, "needed outputs: out of memory");
    for (size_t i = 0; i < count; i++) {
        const deja_digest_item *item = &a->reads.items[w->at++], *next = &a->reads.items[w->at];
        outputs[i] = (deja_output){
            .path = maker->outputs[i].path, .stored.content = item->content, .mode = item->mode};
        targets[i] = (deja_digest_item){0};
        if (w->at < a->reads.count && !(next->flags & DEJA_DIGEST_NO_FOLLOW) &&
            strcmp(next->path, item->path) == 0)
            targets[i] = a->reads.items[w->at++];
    }
    deja_hash left;
    if (keying_left(outputs, count, targets, NULL, NULL, &left))
        plan_note(a->flow->plan, maker->def->number, maker->index, &left, outputs_stamp(maker));
    return 0;
}

static int is_not_run(const plan *p, uint32_t number, uint32_t maker)
{
    return !plan_has(p, number, maker);
}

int lying_note(active *a, deja_error *err)
{
    walker w = {.a = a, .is_met = is_not_run, .visit = note_one, .at = a->reads.count - a->reads.lying};
    return a->reads.lying ? each_need(&w, err) : 0;
}
