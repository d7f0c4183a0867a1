/*
 * Outputs that are right already need no claim: only what will be written is claimed.
 */
#include "hit.h"
#include "discovered.h"
#include <deja/cleanup.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

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
            deja_buffer_addf(&line, "output '%s' was changed since: %s (--keep-edited leaves it)", path,
                             a->flow->options.dry_run ? "it would be replaced" : "replaced");
        else if (a->restored[i] == DEJA_RESTORED_KEPT)
            deja_buffer_addf(&line, "output '%s' was changed since: left as it is", path);
        if (line.len)
            active_note(a, deja_buffer_string(&line));
    }
}

/* The entry does not say what is there: it was edited, or only its hash was kept and its mode may be another
 * one. */
static int is_to_be_read(const active *a, size_t i)
{
    return a->restored[i] == DEJA_RESTORED_KEPT || a->entry->outputs[i].stored.where == DEJA_STORED_RECORD;
}

static int is_link(const active *a, size_t i)
{
    struct stat st;
    if (a->restored[i] != DEJA_RESTORED_KEPT)
        return a->entry->outputs[i].stored.content.kind == DEJA_CONTENT_LINK;
    return fstatat(a->flow->batch->folder_fd, a->entry->outputs[i].path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISLNK(st.st_mode);
}

/* Where a link leads that may not be in place yet (a dry run). NULL: out of memory. */
static const char *target_path(active *a, size_t i)
{
    const deja_output *o = &a->entry->outputs[i];
    if (a->restored[i] == DEJA_RESTORED_LEFT || a->restored[i] == DEJA_RESTORED_KEPT ||
        o->stored.where != DEJA_STORED_INLINE)
        return o->path;
    const char *slash = strrchr(o->path, '/');
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    if (slash && *(const char *)o->stored.data != '/')
        deja_buffer_add(&path, o->path, (size_t)(slash + 1 - o->path));
    deja_buffer_add(&path, o->stored.data, o->stored.content.size);
    return path.failed ? NULL : deja_arena_dup(&a->job.arena, deja_buffer_string(&path), path.len);
}

/* The items are those of begin_rereading, in its order. */
static hit_state finish_rereading(active *a)
{
    const deja_digest_item *item = a->digest.items;
    for (size_t i = 0; i < a->entry->output_count; i++) {
        deja_output *o = &a->entry->outputs[i];
        deja_digest_item *target = &a->targets[i];
        if (is_to_be_read(a, i)) {
            a->left_unknown |= item->sys_errno != 0;
            o->stored.content = item->content;
            o->mode = item++->mode;
        }
        if (target->path) {
            const char *path = target->path;
            *target = *item++;
            target->path = path;
        }
    }
    a->left_unknown |= a->digest.step.status < 0;
    return HIT_ANSWERED;
}

/* 0: out of memory. */
static int list_rereading(active *a)
{
    size_t n = 0, count = a->entry->output_count;
    deja_digest_item *items = deja_arena_alloc(&a->job.arena, 2 * count * sizeof *items);
    a->targets = deja_arena_alloc(&a->job.arena, count * sizeof *a->targets);
    for (size_t i = 0; items && a->targets && i < count; i++) {
        const char *path = a->entry->outputs[i].path;
        a->targets[i] = (deja_digest_item){.path = is_link(a, i) ? path : NULL};
        if (is_to_be_read(a, i))
            items[n++] = (deja_digest_item){.path = path, .flags = DEJA_DIGEST_NO_FOLLOW};
        if (a->targets[i].path && !(items[n++] = (deja_digest_item){.path = target_path(a, i)}).path)
            return 0;
    }
    a->digest =
        (deja_digest){.step = {.user = a}, .root_fd = a->flow->batch->folder_fd, .items = items, .count = n};
    return items && a->targets;
}

static int is_told_by_its_entry(const active *a)
{
    for (size_t i = 0; i < a->entry->output_count; i++)
        if (is_to_be_read(a, i) || is_link(a, i))
            return 0;
    return 1;
}

/* Its outputs are in place. Where the entry does not tell what jobs that need it find there, that is read. */
static hit_state answered(active *a)
{
    a->targets = NULL;
    if (!a->job.def->needed || is_told_by_its_entry(a))
        return HIT_ANSWERED;
    if (!list_rereading(a)) {
        a->left_unknown = 1;
        a->targets = NULL;
        return HIT_ANSWERED;
    }
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
    if (a->flow->options.dry_run)
        say_restored(a);
    if (a->flow->options.dry_run || all_right(a))
        return answered(a);
    if (!a->claimed && !active_claim(a))
        return HIT_HELD;
    return begin(a, RESTORING, 0) ? finish_restore(a) : HIT_PENDING;
}

/* Its outputs are looked at. */
static hit_state check(active *a)
{
    if (!job_is_ok_status(a->job.def, a->entry->exit_status) || make_room(a) < 0)
        return HIT_MISS;
    return begin(a, CHECKING, DEJA_RESTORE_CHECK_ONLY) ? finish_check(a) : HIT_PENDING;
}

/* The newest of its entries that was made of what lies there now. */
static hit_state examine(active *a)
{
    for (int done = a->stage == EXAMINING;; done = 1) {
        if (done && a->digest.step.status == DEJA_ECANCELED)
            return HIT_CANCELED;
        if (done && discovered_same(a))
            return check(a);
        if (done) {
            deja_entry *next = a->entry->next;
            a->entry->next = NULL;
            deja_entry_free(a->entry);
            a->entry = next;
        }
        if (!a->entry)
            return HIT_MISS;
        active_enter(a, EXAMINING);
        if (!discovered_begin(a))
            return HIT_PENDING;
    }
}

hit_state hit_advance(active *a)
{
    if (a->stage == EXAMINING)
        return examine(a);
    if (a->stage == CHECKING)
        return finish_check(a);
    if (a->stage == RESTORING)
        return finish_restore(a);
    if (a->stage == REREADING)
        return finish_rereading(a);
    return a->job.def->depfile ? examine(a) : check(a);
}
