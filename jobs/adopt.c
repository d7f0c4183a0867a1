/* Outputs as they are, see adopt.h. */
#include "adopt.h"
#include "batch_join.h"
#include "history.h"
#include "outputs.h"
#include <deja/cleanup.h>
#include <fcntl.h>
#include <sys/stat.h>

/* So many instances of a needed job are looked at for each instance that needs them. */
#define MANY 1000

/* When the outputs were changed last. */
typedef struct times {
    int64_t oldest_ns, newest_ns;
} times;

static int64_t mtime_ns(const struct stat *st)
{
    return st->st_mtim.tv_sec * DEJA_S_NS + st->st_mtim.tv_nsec;
}

/* What it returned, or wrote where it has no outputs, is not there to be taken. */
static int may_be_adopted(const active *a)
{
    const flow *f = a->flow;
    return f->options.adopt && f->options.lookup && f->options.store && a->keyed && a->job.output_count > 0 &&
           !a->job.library && a->attempt == 1;
}

/* 0: one is missing. */
static int look_at_outputs(const active *a, times *ret)
{
    times t = {.oldest_ns = INT64_MAX, .newest_ns = INT64_MIN};
    if (outputs_check(&a->job, NULL) < 0)
        return 0;
    for (size_t i = 0; i < a->job.output_count; i++) {
        struct stat st;
        if (fstatat(a->flow->batch->folder_fd, a->job.outputs[i].path, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return 0;
        int64_t ns = mtime_ns(&st);
        t.oldest_ns = ns < t.oldest_ns ? ns : t.oldest_ns;
        t.newest_ns = ns > t.newest_ns ? ns : t.newest_ns;
    }
    *ret = t;
    return 1;
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
static int left_newer(const active *a, const batch_need *need, int64_t ns, deja_buffer *why)
{
    const batch *b = a->flow->batch;
    const batch_job *needed = &b->jobs[need->job];
    const batch_span span = batch_span_of(b, need, a->job.index);
    job j = {0};
    if (span.count > MANY)
        deja_buffer_addf(why, "'%s' made too much to look at", needed->name);
    else if (needed->output_count == 0 && span.count > 0)
        deja_buffer_addf(why, "when '%s' printed what it needs is not known", needed->name);
    for (uint32_t i = 0; i < span.count && !why->len; i++) {
        if (job_render(&j, b, needed, batch_span_at(&span, i), JOB_OUTPUTS, NULL) < 0)
            deja_buffer_addf(why, "what '%s' made is not known", needed->name);
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
        if (!def->needs[i].order_only && left_newer(a, &def->needs[i], ns, why))
            return 1;
    return 0;
}

/* What deja itself made, or may be making, is the result of a command or of inputs that are other ones now,
 * or no result at all. */
static int is_of_deja(const active *a, int64_t newest, deja_buffer *why)
{
    const flow *f = a->flow;
    history_item items[HISTORY_RUNS + 1];
    if (a->aside_ns || newest > f->opened_ns) {
        deja_buffer_add_string(why, "its outputs changed since this run began");
        return 1;
    }
    if (!f->options.history)
        return 0;
    const history_id id = history_id_of(f->options.history, a->job.def, a->job.index);
    if (!history_find(f->options.history, &id, items))
        return 0;
    deja_buffer_add_string(why, "an earlier run had it, and its outputs may be of that");
    return 1;
}

/* 1 when its outputs must not be taken, which `why` says then. */
static int is_refused(const active *a, const times *made, deja_buffer *why)
{
    if (a->job.def->depfile) {
        deja_buffer_add_string(why, "it has a depfile, and what that lists is not looked at");
        return 1;
    }
    return is_outdated(a, made->oldest_ns, why) || is_of_deja(a, made->newest_ns, why);
}

int adopt_take(active *a)
{
    times made;
    if (!may_be_adopted(a) || !look_at_outputs(a, &made))
        return 0;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    DEJA_AUTO_BUFFER deja_buffer why = {0};
    if (is_refused(a, &made, &why)) {
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
