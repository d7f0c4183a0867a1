/*
 * Restoring: every output is judged and every content checked before anything is changed. What is right
 * already is left alone; when the memory of stat data knows that of all outputs, no thread is involved and no
 * file opened.
 */
#include "blob.h"
#include "digest.h"
#include "spot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define TINY_OUTPUTS 4 /* so many small ones may be read at once: waking a helper takes longer */
#define MODE_BITS    0777u

/* Answers of compare() and judge(), beside negative codes. */
enum { DIFFERS = 0, SAME = 1, UNKNOWN = 2 /* not to be told without reading */ };

typedef enum reading {
    READ_NOTHING,
    READ_TINY, /* up to the size that fits into a row */
    READ_ALL,
} reading;

static int is_same(const deja_content *a, const deja_content *b)
{
    return a->kind == b->kind && a->size == b->size && deja_hash_equal(&a->hash, &b->hash);
}

static int read_and_compare(deja_cache *c, const deja_restore *r, const deja_output *o, deja_error *err)
{
    deja_digest_item item = {.path = o->path, .flags = DEJA_DIGEST_NO_FOLLOW};
    digest_item(c->statmem, r->root_fd, &item, &c->stop_all);
    if (!item.sys_errno)
        return is_same(&item.content, &o->stored.content) ? SAME : DIFFERS;
    /* One that we may not read, or that does not hold still, can be replaced all the same. */
    if (item.sys_errno == ENOENT || item.sys_errno == EACCES || item.sys_errno == EAGAIN)
        return DIFFERS;
    errno = item.sys_errno;
    return deja_fail_errno(err, "read output '%s'", o->path);
}

/* A hash alone brings no file back, so of an output that was only recorded the content decides, as with make.
 */
static int is_right_mode(const deja_output *o, const struct stat *st)
{
    return !S_ISREG(st->st_mode) || o->stored.where == DEJA_STORED_RECORD ||
           (st->st_mode & MODE_BITS) == o->mode;
}

static int compare(deja_cache *c, const deja_restore *r, const deja_output *o, const struct stat *st,
                   reading how, unsigned *ret_flags, deja_error *err)
{
    deja_content known;
    int kind = S_ISLNK(st->st_mode) ? DEJA_CONTENT_LINK : DEJA_CONTENT_FILE;
    int found = statmem_find(c->statmem, st, &known, ret_flags);
    if (kind != o->stored.content.kind || (uint64_t)st->st_size != o->stored.content.size ||
        !is_right_mode(o, st))
        return DIFFERS;
    if (found)
        return is_same(&known, &o->stored.content) ? SAME : DIFFERS;
    if (how == READ_NOTHING || (how == READ_TINY && st->st_size > c->inline_bytes))
        return UNKNOWN;
    return read_and_compare(c, r, o, err);
}

static int stat_output(const deja_restore *r, const deja_output *o, struct stat *st, deja_error *err)
{
    if (fstatat(r->root_fd, o->path, st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT || errno == ENOTDIR ? DEJA_ENOTFOUND
                                                   : deja_fail_errno(err, "look at output '%s'", o->path);
    if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode))
        return 0;
    return deja_fail(err, DEJA_EEXIST, "%s is in the way of output '%s'",
                     S_ISDIR(st->st_mode) ? "a folder" : "a special file", o->path);
}

/* What is to be done with output `i` goes to r->results. 0, UNKNOWN, or negative. */
static int judge(deja_cache *c, deja_restore *r, size_t i, reading how, deja_error *err)
{
    const deja_output *o = &r->entry->outputs[i];
    struct stat st;
    unsigned flags = 0;
    int code = stat_output(r, o, &st, err);
    int missing = code == DEJA_ENOTFOUND;
    if (code && !missing)
        return code;
    code = missing ? DIFFERS : compare(c, r, o, &st, how, &flags, err);
    if (code < 0 || code == UNKNOWN)
        return code;
    if (code == SAME)
        r->results[i] = DEJA_RESTORED_LEFT;
    else if (o->stored.where == DEJA_STORED_RECORD)
        return deja_fail(err, DEJA_ENOTFOUND, "output '%s' is not in place and only its hash was kept",
                         o->path);
    else if (missing || flags & STATMEM_OURS)
        r->results[i] = DEJA_RESTORED_MADE;
    else
        r->results[i] = r->flags & DEJA_RESTORE_KEEP_EDITED ? DEJA_RESTORED_KEPT : DEJA_RESTORED_REPLACED;
    return 0;
}

static int is_to_be_made(const deja_restore *r, size_t i)
{
    return r->results[i] == DEJA_RESTORED_MADE || r->results[i] == DEJA_RESTORED_REPLACED;
}

static int check_stored(deja_cache *c, const deja_stored *s, uint64_t *ret_seen, deja_error *err)
{
    return s->where == DEJA_STORED_BLOB ? blob_check(c, &s->content, ret_seen, err) : 0;
}

static int check_contents(deja_cache *c, deja_restore *r, deja_error *err)
{
    int code = check_stored(c, &r->entry->out, &r->out_seen, err);
    if (!code)
        code = check_stored(c, &r->entry->err, &r->err_seen, err);
    for (size_t i = 0; !code && i < r->entry->output_count; i++)
        if (is_to_be_made(r, i))
            code = check_stored(c, &r->entry->outputs[i].stored, NULL, err);
    return code;
}

static int put_in_place(deja_cache *c, const deja_restore *r, deja_error *err)
{
    int code = 0;
    for (size_t i = 0; !code && i < r->entry->output_count; i++) {
        if (!is_to_be_made(r, i))
            continue;
        code = cache_go_on(c, err);
        if (!code)
            code = spot_put(c, r->root_fd, &r->entry->outputs[i], err);
    }
    return code;
}

static int restore(deja_cache *c, deja_restore *r, deja_error *err)
{
    int code = 0;
    for (size_t i = 0; !code && i < r->entry->output_count; i++)
        code = judge(c, r, i, READ_ALL, err);
    if (!code)
        code = check_contents(c, r, err);
    if (!code && !(r->flags & DEJA_RESTORE_CHECK_ONLY))
        code = put_in_place(c, r, err);
    return code;
}

static int is_at_hand(deja_cache *c, const deja_stored *s, uint64_t *ret_seen)
{
    return s->where != DEJA_STORED_BLOB || blob_remembered(c, &s->content, ret_seen);
}

static uint64_t bytes_of_output(deja_cache *c, deja_restore *r, size_t i)
{
    const deja_stored *s = &r->entry->outputs[i].stored;
    int code = judge(c, r, i, READ_NOTHING, NULL);
    if (code == UNKNOWN)
        return s->content.size;
    if (code || !is_to_be_made(r, i) || (r->flags & DEJA_RESTORE_CHECK_ONLY && is_at_hand(c, s, NULL)))
        return 0;
    return s->content.size;
}

/* What a restore is going to read and write, told without reading: only whether it is much matters. */
static uint64_t bytes_to_move(deja_cache *c, deja_restore *r)
{
    const deja_entry *e = r->entry;
    uint64_t sum = (is_at_hand(c, &e->out, NULL) ? 0 : e->out.content.size) +
                   (is_at_hand(c, &e->err, NULL) ? 0 : e->err.content.size);
    for (size_t i = 0; sum <= STEP_LONG_BYTES && i < e->output_count; i++)
        sum += bytes_of_output(c, r, i);
    return sum;
}

static void restore_step(deja_cache *c, deja_step *step)
{
    deja_restore *r = (deja_restore *)step;
    if (steps_put_off(c->steps, step, bytes_to_move(c, r)))
        return;
    int64_t began = c->trace ? deja_monotonic_ns(NULL) : 0;
    step->status = restore(c, r, &step->error);
    if (c->trace)
        deja_trace_region(c->trace, "restore", r->entry->label, began);
    steps_finish(c->steps, step);
}

/* 1 when nothing is to be done, or nothing can be: step.status says which. 0 when it takes reading or
 * writing. */
static int finish_at_once(deja_cache *c, deja_restore *r)
{
    const deja_entry *e = r->entry;
    reading how = e->output_count <= TINY_OUTPUTS ? READ_TINY : READ_NOTHING;
    if (!is_at_hand(c, &e->out, &r->out_seen) || !is_at_hand(c, &e->err, &r->err_seen))
        return 0;
    for (size_t i = 0; i < e->output_count; i++) {
        int code = judge(c, r, i, how, &r->step.error);
        if (code < 0) {
            r->step.status = code;
            return 1;
        }
        if (code == UNKNOWN || is_to_be_made(r, i))
            return 0;
    }
    return 1;
}

int deja_restore_begin(deja_cache *c, deja_restore *r)
{
    r->step.status = 0;
    return finish_at_once(c, r) ? 1 : steps_begin(c->steps, &r->step, restore_step);
}

int deja_restore_open(deja_cache *c, const deja_restore *r, const deja_stored *s, deja_error *err)
{
    if (s->where != DEJA_STORED_BLOB || (s != &r->entry->out && s != &r->entry->err))
        return deja_fail(err, DEJA_EINVAL, "this content is no large stream of the entry");
    return blob_open_seen(c, &s->content, s == &r->entry->out ? r->out_seen : r->err_seen, err);
}
