/* What a batch made, removed: see cleaning.h. */
#include "cleaning.h"
#include "flow.h"
#include "outputs.h"
#include <deja/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MOST_ENTRIES = HISTORY_RUNS + 1
}; /* that may tell of an output: of the present key, of the last runs */

/* An instance that the cache would answer now. */
typedef struct answer {
    uint32_t number, index;
    deja_hash key;
} answer;

typedef struct cleaning {
    const cleaning_options *options;
    answer *answers; /* sorted */
    size_t count, cap;
    int no_memory;
    job job;
    deja_entry *entries[MOST_ENTRIES]; /* of the instance that is being cleaned */
    size_t entry_count;
} cleaning;

/* ---- what would be answered ---- */

static int compare(const void *left, const void *right)
{
    const answer *a = left, *b = right;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void listen(void *context, const flow_event *e)
{
    cleaning *c = context;
    if (e->kind != FLOW_WOULD_HIT || !e->keyed)
        return;
    answer *more = deja_grow(c->answers, c->count, &c->cap, sizeof *more);
    if (!more) {
        c->no_memory = 1;
        return;
    }
    c->answers = more;
    c->answers[c->count++] = (answer){.number = e->def->number, .index = e->index, .key = e->key};
}

/* A dry run says which keys jobs have now. */
static int find_answers(cleaning *c, deja_error *err)
{
    const cleaning_options *o = c->options;
    flow *f = NULL;
    const flow_options options = {.slots = 1,
                                  .cache = o->cache,
                                  .lookup = 1,
                                  .dry_run = 1,
                                  .environment = o->environment,
                                  .run_id = "clean",
                                  .listen = listen,
                                  .context = c};
    if (!o->cache)
        return 0;
    int status = flow_open(&f, o->batch, o->plan, &options, err);
    while (status == 0 && !flow_finished(f)) {
        flow_step(f);
        flow_wait(f, NULL, 0, -1);
    }
    flow_close(f);
    if (status == 0 && c->no_memory)
        status = deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (c->count)
        qsort(c->answers, c->count, sizeof *c->answers, compare);
    return status;
}

/* ---- what made an output ---- */

static void add_entry(cleaning *c, const deja_hash *key)
{
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(key, hex);
    for (size_t i = 0; i < c->entry_count; i++)
        if (deja_hash_equal(&c->entries[i]->key, key))
            return;
    if (c->entry_count < MOST_ENTRIES &&
        deja_cache_find(c->options->cache, hex, &c->entries[c->entry_count], NULL) == 0)
        c->entry_count++;
}

static void add_last_runs(cleaning *c)
{
    history *h = c->options->history;
    const history_id id = history_id_of(h, c->job.def, c->job.index);
    history_item items[HISTORY_RUNS + 1];
    history_record record = {.param_count = 0};
    size_t count = history_find(h, &id, items);
    for (size_t i = 0; i < count; i++)
        if ((items[i].flags & HISTORY_KEYED) && history_load(h, &items[i], &record))
            add_entry(c, &record.key);
    history_record_done(&record);
}

static void find_entries(cleaning *c)
{
    const answer wanted = {.number = c->job.def->number, .index = c->job.index};
    const answer *now = c->count ? bsearch(&wanted, c->answers, c->count, sizeof wanted, compare) : NULL;
    if (now)
        add_entry(c, &now->key);
    if (c->options->history)
        add_last_runs(c);
}

static void forget_entries(cleaning *c)
{
    for (size_t i = 0; i < c->entry_count; i++)
        deja_entry_free(c->entries[i]);
    c->entry_count = 0;
}

/* Its content as it is now. */
static int read_content(cleaning *c, const char *path, deja_content *ret)
{
    deja_digest_item item = {.path = path, .flags = DEJA_DIGEST_NO_FOLLOW};
    deja_digest d = {.root_fd = c->options->batch->folder_fd, .items = &item, .count = 1};
    deja_cache *cache = c->options->cache;
    int done = deja_digest_begin(cache, &d) != 0;
    while (!done) {
        struct pollfd fd = {.fd = deja_cache_fd(cache), .events = POLLIN};
        poll(&fd, 1, -1);
        done = deja_cache_next(cache) == &d.step;
    }
    *ret = item.content;
    return d.step.status < 0 || item.sys_errno ? -1 : 0;
}

static int is_same(const deja_content *a, const deja_content *b)
{
    return a->kind == b->kind && a->size == b->size && deja_hash_equal(&a->hash, &b->hash);
}

static cleaning_fate judge(cleaning *c, const char *path)
{
    deja_content now;
    int known = 0;
    if (c->options->force)
        return CLEANING_REMOVED;
    for (size_t i = 0; i < c->entry_count; i++)
        for (size_t k = 0; k < c->entries[i]->output_count; k++) {
            const deja_output *o = &c->entries[i]->outputs[k];
            if (strcmp(o->path, path) != 0)
                continue;
            if (!known && read_content(c, path, &now) < 0)
                return CLEANING_UNKNOWN;
            known = 1;
            if (is_same(&o->stored.content, &now))
                return CLEANING_REMOVED;
        }
    return known ? CLEANING_CHANGED : CLEANING_UNKNOWN;
}

/* ---- removing ---- */

/* Of a path that is declared as an absolute one the way is the user's affair. */
static int leads_through_link(int folder_fd, const char *path)
{
    struct stat st;
    for (const char *slash = path; path[0] != '/' && (slash = strchr(slash, '/')); slash++) {
        DEJA_AUTO_FREE char *part = deja_dup(path, (size_t)(slash - path));
        if (!part || (fstatat(folder_fd, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)))
            return 1;
    }
    return 0;
}

static void remove_empty_folders(int folder_fd, const char *path)
{
    DEJA_AUTO_FREE char *folder = path[0] == '/' ? NULL : deja_strdup(path);
    for (char *slash; folder && (slash = strrchr(folder, '/'));) {
        *slash = '\0';
        if (unlinkat(folder_fd, folder, AT_REMOVEDIR) < 0)
            return;
    }
}

/* 0: somebody is making it. */
static int claim(const cleaning *c, const char *path, deja_hash *ret)
{
    *ret = outputs_claim(c->options->batch, path);
    return !c->options->output_claims || deja_claim_try(c->options->output_claims, ret, NULL) != 0;
}

static cleaning_fate remove_output(cleaning *c, const char *path, deja_error *why)
{
    const cleaning_options *o = c->options;
    deja_hash what;
    if (!claim(c, path, &what))
        return CLEANING_IN_USE;
    cleaning_fate fate = judge(c, path);
    if (fate == CLEANING_REMOVED && !o->dry_run) {
        if (unlinkat(o->batch->folder_fd, path, 0) == 0) {
            remove_empty_folders(o->batch->folder_fd, path);
        } else {
            deja_fail_errno(why, "remove '%s'", path);
            fate = CLEANING_FAILED;
        }
    }
    if (o->output_claims)
        deja_claim_release(o->output_claims, &what);
    return fate;
}

static void clean_output(cleaning *c, const char *path)
{
    const cleaning_options *o = c->options;
    deja_error why = {0};
    cleaning_fate fate = CLEANING_LINKED;
    struct stat st;
    if (fstatat(o->batch->folder_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) {
        fate = CLEANING_FAILED;
        deja_fail(&why, DEJA_ETYPE, "'%s' is neither a file nor a link", path);
    } else if (!leads_through_link(o->batch->folder_fd, path)) {
        fate = remove_output(c, path, &why);
    }
    o->tell(o->context, fate, path, why.code ? why.text : NULL);
}

/* ---- jobs ---- */

static int is_chosen(const cleaning *c, const batch_job *def)
{
    return def->output_count && selection_of(c->options->chosen, def) != SELECTION_NONE;
}

static int clean_job(cleaning *c, const batch_job *def, deja_error *err)
{
    uint32_t count = 0;
    int status = matrix_count(def->matrix, &count, err);
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        if (!selection_has(c->options->chosen, def, i))
            continue;
        status = job_render(&c->job, c->options->batch, def, i, JOB_OUTPUTS, err);
        if (status < 0)
            break;
        if (c->options->cache && !c->options->force)
            find_entries(c);
        for (size_t k = 0; k < c->job.output_count; k++)
            clean_output(c, c->job.outputs[k].path);
        forget_entries(c);
    }
    return status;
}

/* Values that are read from what jobs made: before that is removed. Where they cannot be, the job made
 * nothing that is known. */
static void expand_all(const cleaning *c)
{
    for (uint32_t i = 0; i < c->options->batch->job_count; i++) {
        batch_job *def = &c->options->batch->jobs[i];
        deja_error why;
        if (is_chosen(c, def) && !def->expanded && batch_expand(c->options->batch, def, &why) < 0)
            c->options->tell(c->options->context, CLEANING_FAILED, def->name, why.text);
    }
}

int cleaning_run(const cleaning_options *options, deja_error *err)
{
    cleaning c = {.options = options};
    int status = find_answers(&c, err);
    if (status == 0)
        expand_all(&c);
    for (uint32_t i = 0; status == 0 && i < options->batch->job_count; i++)
        if (is_chosen(&c, &options->batch->jobs[i]) && options->batch->jobs[i].expanded)
            status = clean_job(&c, &options->batch->jobs[i], err);
    job_done(&c.job);
    deja_free(c.answers);
    return status;
}
