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

static hit_state finish_restore(active *a)
{
    int status = a->restore.step.status;
    if (status == DEJA_ENOTFOUND || status == DEJA_ECORRUPT)
        return HIT_MISS;
    if (status < 0)
        return HIT_FAILED;
    say_restored(a);
    return HIT_ANSWERED;
}

static hit_state finish_check(active *a)
{
    if (a->restore.step.status < 0)
        return HIT_MISS;
    if (a->flow->options.dry_run || all_right(a))
        return HIT_ANSWERED;
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
    if (!job_is_ok_status(a->job.def, a->entry->exit_status) || make_room(a) < 0)
        return HIT_MISS;
    return begin(a, CHECKING, DEJA_RESTORE_CHECK_ONLY) ? finish_check(a) : HIT_PENDING;
}
