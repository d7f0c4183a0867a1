/*
 * Outputs that are right already need no claim: only what will be written is claimed.
 */
#include "hit.h"
#include <deja/cleanup.h>

static int make_room(active *a)
{
    if (a->restored_cap >= a->entry->output_count)
        return 0;
    uint8_t *more = deja_realloc(a->restored, a->entry->output_count);
    if (!more)
        return DEJA_ENOMEM;
    a->restored = more;
    a->restored_cap = a->entry->output_count;
    return 0;
}

/* 1 when it finished at once. */
static int begin(active *a, stage s, uint32_t flags)
{
    active_enter(a, s);
    a->restore = (deja_restore){
        .entry = a->entry, .root_fd = a->flow->batch->folder_fd, .flags = flags, .results = a->restored};
    if (a->flow->options.keep_edited)
        a->restore.flags |= DEJA_RESTORE_KEEP_EDITED;
    a->restore.step.user = a;
    return deja_restore_begin(a->flow->options.cache, &a->restore) != 0;
}

static int all_right(const active *a)
{
    for (size_t i = 0; i < a->entry->output_count; i++)
        if (a->restored[i] != DEJA_RESTORED_LEFT)
            return 0;
    return 1;
}

static void say_restored(active *a)
{
    for (size_t i = 0; i < a->entry->output_count; i++) {
        DEJA_AUTO_BUFFER deja_buffer line = {0};
        const char *path = a->entry->outputs[i].path;
        if (a->restored[i] == DEJA_RESTORED_REPLACED)
            deja_buffer_addf(
                &line, "output '%s' had been changed by hand: replaced (--keep-edited leaves it)", path);
        else if (a->restored[i] == DEJA_RESTORED_KEPT)
            deja_buffer_addf(&line, "output '%s' had been changed by hand: left as it is", path);
        if (line.len)
            active_note(a, deja_buffer_string(&line));
    }
}

static int has_kept(const active *a)
{
    for (size_t i = 0; i < a->entry->output_count; i++)
        if (a->restored[i] == DEJA_RESTORED_KEPT)
            return 1;
    return 0;
}

static hit_state finish_rereading(active *a)
{
    for (size_t i = 0; i < a->entry->output_count; i++) {
        a->left_unknown |= a->digest.items[i].sys_errno != 0;
        a->entry->outputs[i].stored.content = a->digest.items[i].content;
    }
    a->left_unknown |= a->digest.step.status < 0;
    return HIT_ANSWERED;
}

/* Its outputs are in place. Where edited ones stay, jobs that need it depend on these, not on the entry. */
static hit_state answered(active *a)
{
    size_t count = a->entry->output_count;
    if (!a->job.def->needed || !has_kept(a))
        return HIT_ANSWERED;
    deja_digest_item *items = deja_arena_alloc(&a->job.arena, count * sizeof *items);
    if (!items) {
        a->left_unknown = 1;
        return HIT_ANSWERED;
    }
    for (size_t i = 0; i < count; i++)
        items[i] = (deja_digest_item){.path = a->entry->outputs[i].path, .flags = DEJA_DIGEST_NO_FOLLOW};
    a->digest = (deja_digest){
        .step = {.user = a}, .root_fd = a->flow->batch->folder_fd, .items = items, .count = count};
    active_enter(a, REREADING);
    return deja_digest_begin(a->flow->options.cache, &a->digest) != 0 ? finish_rereading(a) : HIT_PENDING;
}

static hit_state finish_restore(active *a)
{
    int status = a->restore.step.status;
    if (status == DEJA_ECANCELED)
        return HIT_CANCELED;
    if (status == DEJA_ENOTFOUND || status == DEJA_ECORRUPT || status == DEJA_ERESOURCE)
        return HIT_MISS;
    if (status < 0)
        return HIT_FAILED;
    say_restored(a);
    return answered(a);
}

static hit_state finish_check(active *a)
{
    if (a->restore.step.status < 0)
        return a->restore.step.status == DEJA_ECANCELED ? HIT_CANCELED : HIT_MISS;
    if (a->flow->options.dry_run || all_right(a))
        return answered(a);
    if (!a->claimed && !active_claim(a))
        return HIT_HELD;
    return begin(a, RESTORING, 0) ? finish_restore(a) : HIT_PENDING;
}

hit_state hit_advance(active *a)
{
    if (a->stage == CHECKING)
        return finish_check(a);
    if (a->stage == RESTORING)
        return finish_restore(a);
    if (a->stage == REREADING)
        return finish_rereading(a);
    if (!job_is_ok_status(a->job.def, a->entry->exit_status) || make_room(a) < 0)
        return HIT_MISS;
    return begin(a, CHECKING, DEJA_RESTORE_CHECK_ONLY) ? finish_check(a) : HIT_PENDING;
}
