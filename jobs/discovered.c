/*
 * Times decide whether what was discovered is what the job read: it was not looked at before the run.
 */
#include "discovered.h"
#include "depfile.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/file.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPFILE_MOST ((size_t)64 << 20) /* bytes */

typedef struct found {
    active *active;
    const char **paths; /* in the job's arena */
    size_t count, cap;
} found;

int64_t discovered_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec * DEJA_S_NS + now.tv_nsec;
}

int64_t discovered_since_ns(const flow *f)
{
    const struct timespec pause = {.tv_nsec = DEJA_MS_NS / 4};
    int64_t now_ns;
    while ((now_ns = discovered_now_ns()) == f->opened_ns)
        nanosleep(&pause, NULL);
    return now_ns;
}

/* The depfile's paths are the command's: relative to its folder. */
static int add_path(void *context, const char *path, deja_error *err)
{
    found *f = context;
    job *j = &f->active->job;
    DEJA_AUTO_BUFFER deja_buffer full = {0};
    DEJA_AUTO_BUFFER deja_buffer cwd = {0};
    deja_path_join(&cwd, j->batch->folder, j->cwd);
    deja_path_follow(&full, deja_buffer_string(&cwd), path);
    const char **more = deja_grow(f->paths, f->count, &f->cap, sizeof *more);
    f->paths = more ? more : f->paths;
    const char *inside = deja_path_inside(j->batch->folder, deja_buffer_string(&full));
    const char *kept = deja_arena_dup(&j->arena, inside, strlen(inside));
    if (!more || !kept || cwd.failed || full.failed)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    f->paths[f->count++] = kept;
    return 0;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int is_own(const active *a, const char *path)
{
    if (reads_content(&a->reads, path))
        return 1;
    for (size_t i = 0; i < a->job.output_count; i++)
        if (strcmp(a->job.outputs[i].path, path) == 0)
            return 1;
    return 0;
}

static int add_item(active *a, deja_digest_item *item, const char *path, deja_error *err)
{
    const batch_job *maker;
    plan_made made = plan_made_by(a->flow->plan, a->job.def, a->job.index, path, &maker);
    *item = (deja_digest_item){.path = path, .flags = made == PLAN_MADE_BEFORE ? DEJA_DIGEST_MADE : 0};
    if (made != PLAN_MADE_ANYTIME)
        return 0;
    if (!maker)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    return deja_fail(err, DEJA_EINVAL,
                     "it read '%s', which '%s' makes, and does not wait for that: add 'needs: {%s: all}'",
                     path, maker->name, maker->name);
}

static int add_items(active *a, found *f, deja_error *err)
{
    deja_digest_item *items = deja_arena_alloc(&a->job.arena, (f->count + 1) * sizeof *items);
    size_t n = 0;
    if (!items)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (f->count)
        qsort(f->paths, f->count, sizeof *f->paths, compare_paths);
    for (size_t i = 0; i < f->count; i++) {
        if ((i > 0 && strcmp(f->paths[i], f->paths[i - 1]) == 0) || is_own(a, f->paths[i]))
            continue;
        int code = add_item(a, &items[n++], f->paths[i], err);
        if (code)
            return code;
    }
    a->result.flags |= DEJA_RESULT_DISCOVERED;
    a->result.discovered = items;
    a->result.discovered_count = n;
    a->result.since_ns = a->since_ns;
    return 0;
}

int discovered_take(active *a, deja_error *err)
{
    if (!a->job.def->depfile)
        return 0;
    const char *path = a->job.outputs[a->job.output_count - 1].path;
    found f = {.active = a};
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    int code = deja_file_load(a->flow->batch->folder_fd, path, DEPFILE_MOST, &text, err);
    if (!code) {
        code = depfile_parse(text.data, text.len, add_path, &f, err);
        if (code)
            deja_fail_in(err, "depfile '%s'", path);
    }
    if (!code)
        code = add_items(a, &f, err);
    deja_free(f.paths);
    return code;
}

int discovered_begin(active *a)
{
    const deja_entry *e = a->entry;
    deja_digest_item *items = deja_arena_alloc(&a->job.arena, (e->discovered_count + 1) * sizeof *items);
    for (size_t i = 0; items && i < e->discovered_count; i++)
        items[i] = (deja_digest_item){.path = e->discovered[i].path, .flags = e->discovered[i].flags};
    a->digest = (deja_digest){.step = {.user = a},
                              .root_fd = a->flow->batch->folder_fd,
                              .items = items,
                              .count = items ? e->discovered_count : 0};
    return a->digest.count == 0 || deja_digest_begin(a->flow->options.cache, &a->digest) != 0;
}

static int is_same(const deja_digest_item *was, const deja_digest_item *is)
{
    return !is->sys_errno && was->content.kind == is->content.kind && was->content.size == is->content.size &&
           deja_hash_equal(&was->content.hash, &is->content.hash);
}

int discovered_same(const active *a)
{
    const deja_entry *e = a->entry;
    const batch_job *maker;
    if (a->digest.count != e->discovered_count) /* out of memory */
        return 0;
    for (size_t i = 0; i < e->discovered_count; i++)
        if (!is_same(&e->discovered[i], &a->digest.items[i]) ||
            plan_made_by(a->flow->plan, a->job.def, a->job.index, e->discovered[i].path, &maker) ==
                PLAN_MADE_ANYTIME)
            return 0;
    return 1;
}
