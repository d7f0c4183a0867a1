/* Outputs as they are, see adopt.h. */
#include "adopt.h"
#include "outputs.h"
#include <deja/cleanup.h>
#include <fcntl.h>
#include <sys/stat.h>

/* The outputs of so many instances of a needed job are looked at for each job. */
#define MANY 1000

static int64_t mtime_ns(const struct stat *st)
{
    return st->st_mtim.tv_sec * DEJA_S_NS + st->st_mtim.tv_nsec;
}

/* What it returned, or wrote where it has no outputs, is not there to be taken. */
static int may_be_adopted(const active *a)
{
    const flow *f = a->flow;
    return f->options.adopt && f->options.lookup && f->options.store && a->keyed && a->job.output_count > 0 &&
           !a->job.library;
}

/* INT64_MIN when one is missing. */
static int64_t oldest_output(const active *a)
{
    int64_t oldest = INT64_MAX;
    if (outputs_check(&a->job, NULL) < 0)
        return INT64_MIN;
    for (size_t i = 0; i < a->job.output_count; i++) {
        struct stat st;
        if (fstatat(a->flow->batch->folder_fd, a->job.outputs[i].path, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return INT64_MIN;
        oldest = mtime_ns(&st) < oldest ? mtime_ns(&st) : oldest;
    }
    return oldest;
}

/* 1 when the file was changed after `ns`, which `why` says then. */
static int is_newer(const active *a, const char *path, int flags, int64_t ns, deja_buffer *why)
{
    struct stat st;
    if (fstatat(a->flow->batch->folder_fd, path, &st, flags) < 0 || mtime_ns(&st) <= ns)
        return 0;
    deja_buffer_addf(why, "'%s' is newer than its outputs", path);
    return 1;
}

static int reads_newer(const active *a, int64_t ns, deja_buffer *why)
{
    for (size_t i = 0; i < a->reads.count; i++)
        if (is_newer(a, a->reads.items[i].path, 0, ns, why))
            return 1;
    return 0;
}

/* What a needed job left need not be among the inputs. */
static int left_newer(const active *a, const batch_job *needed, int64_t ns, deja_buffer *why)
{
    uint32_t count = 0;
    job j = {0};
    if (needed->output_count == 0 || matrix_count(needed->matrix, &count, NULL) < 0 || count > MANY) {
        deja_buffer_addf(why,
                         needed->output_count ? "'%s' made too much to look at"
                                              : "when '%s' printed what it needs is not known",
                         needed->name);
        return 1;
    }
    for (uint32_t i = 0; i < count && !why->len; i++) {
        if (job_render(&j, a->flow->batch, needed, i, JOB_OUTPUTS, NULL) < 0)
            break;
        for (size_t k = 0; k < j.output_count && !why->len; k++)
            is_newer(a, j.outputs[k].path, AT_SYMLINK_NOFOLLOW, ns, why);
    }
    job_done(&j);
    return why->len > 0;
}

static int is_outdated(const active *a, int64_t ns, deja_buffer *why)
{
    const batch_job *def = a->job.def;
    if (reads_newer(a, ns, why))
        return 1;
    for (size_t i = 0; i < def->need_count; i++)
        if (!def->needs[i].order_only && left_newer(a, &a->flow->batch->jobs[def->needs[i].job], ns, why))
            return 1;
    return 0;
}

int adopt_take(active *a)
{
    int64_t oldest = may_be_adopted(a) ? oldest_output(a) : INT64_MIN;
    if (oldest == INT64_MIN)
        return 0;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    DEJA_AUTO_BUFFER deja_buffer why = {0};
    if (is_outdated(a, oldest, &why)) {
        deja_buffer_addf(&text, "not adopted: %s", deja_buffer_string(&why));
        active_note(a, deja_buffer_string(&text));
        return 0;
    }
    active_note(a, "adopted: its outputs are taken as they are");
    a->adopted = 1;
    a->started_ns = deja_wall_ns(NULL);
    a->ended_ns = deja_monotonic_ns(NULL);
    a->way = reads_way(&a->reads, a->flow->batch->folder_fd);
    a->outcome.user = a;
    a->outcome.status = a->job.def->ok_status[0];
    active_enter(a, ADOPTED);
    a->flow->adopted++;
    return 1;
}

active *adopt_next(flow *f)
{
    active *a = f->adopted ? f->busy.first : NULL;
    while (a && a->stage != ADOPTED)
        a = a->next;
    f->adopted -= a != NULL;
    return a;
}
