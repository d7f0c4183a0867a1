/*
 * Sealing a result: all its bytes are taken hold of, and the inputs are looked at again. A copy counts when
 * the file was the same before and after.
 */
#include "digest.h"
#include "pending.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* So many small outputs are sealed at once: a helper would take longer to wake (README.md). */
#define TINY_OUTPUTS 4
#define TINY_INPUTS  64
#define COPY_TRIES   3
#define MODE_BITS    0777u
#define TICK_NS      (10 * DEJA_MS_NS) /* at CONFIG_HZ=100, the coarsest there is */

static int only_looks(const deja_result *r)
{
    return (r->flags & (DEJA_RESULT_RECORD | DEJA_RESULT_NO_KEEP)) != 0;
}

static int has_value(const deja_result *r)
{
    return (r->flags & (DEJA_RESULT_VALUE | DEJA_RESULT_NO_KEEP)) == DEJA_RESULT_VALUE;
}

/* Nothing is kept: the hash of standard output is all that is asked for. */
static int look_at_bytes(deja_cache *c, const deja_payload *bytes, deja_content *ret, deja_error *err)
{
    struct stat st;
    ret->kind = DEJA_CONTENT_FILE;
    ret->size = bytes->len;
    if (bytes->fd < 0) {
        ret->hash = deja_hash_bytes(bytes->data, bytes->len);
        return 0;
    }
    if (fstat(bytes->fd, &st))
        return deja_fail_errno(err, "look at the output of the job");
    ret->size = (uint64_t)st.st_size;
    return digest_fd(bytes->fd, ret->size, &ret->hash, &c->stop_all, err);
}

static int stat_output(const deja_result *r, const deja_output *o, struct stat *st, deja_error *err)
{
    if (fstatat(r->root_fd, o->path, st, AT_SYMLINK_NOFOLLOW)) {
        if (errno == ENOENT || errno == ENOTDIR)
            return deja_fail(err, DEJA_ENOTFOUND, "output '%s' is missing", o->path);
        return deja_fail_errno(err, "look at output '%s'", o->path);
    }
    if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode))
        return 0;
    return deja_fail(err, DEJA_ETYPE, "output '%s' is %s, expected a file", o->path,
                     S_ISDIR(st->st_mode) ? "a folder" : "a special file");
}

/* A process that the job left behind may still be writing: a copy counts when the file was the same before
 * and after. */
static int seal_regular(deja_cache *c, const deja_result *r, deja_output *o, piece *p, deja_error *err)
{
    DEJA_AUTO_CLOSE int fd =
        openat(r->root_fd, o->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return deja_fail_errno(err, "read output '%s'", o->path);
    for (int i = 0; i < COPY_TRIES; i++) {
        struct stat before, after;
        int64_t began = statmem_now_ns(c->statmem);
        if (fstat(fd, &before))
            return deja_fail_errno(err, "look at output '%s'", o->path);
        if (!S_ISREG(before.st_mode))
            return deja_fail(err, DEJA_ETYPE, "output '%s' is a special file, expected a file", o->path);
        int code = piece_take_file(c, fd, (uint64_t)before.st_size, o->path, p, &o->stored, err);
        if (code && code != DEJA_ECHANGED)
            return code;
        if (fstat(fd, &after))
            return deja_fail_errno(err, "look at output '%s'", o->path);
        if (!code && deja_file_same(&before, &after)) {
            statmem_note(c->statmem, &after, &o->stored.content, began, STATMEM_OURS);
            o->mode = (uint32_t)after.st_mode & MODE_BITS;
            return 0;
        }
    }
    return deja_fail(err, DEJA_ECHANGED, "output '%s' is still being written", o->path);
}

static int look_at_output(deja_cache *c, const deja_result *r, deja_output *o, const struct stat *before,
                          deja_error *err)
{
    struct stat after;
    deja_digest_item item = {.path = o->path, .flags = DEJA_DIGEST_NO_FOLLOW};
    int64_t began = statmem_now_ns(c->statmem);
    digest_item(c->statmem, r->root_fd, &item, &c->stop_all);
    if (item.sys_errno) {
        errno = item.sys_errno;
        return deja_fail_errno(err, "read output '%s'", o->path);
    }
    o->stored = (deja_stored){.content = item.content, .where = DEJA_STORED_RECORD};
    if (fstatat(r->root_fd, o->path, &after, AT_SYMLINK_NOFOLLOW) == 0 && deja_file_same(before, &after))
        statmem_note(c->statmem, &after, &item.content, began, STATMEM_OURS);
    return 0;
}

static int follow_output(deja_cache *c, const deja_result *r, size_t i, deja_error *err)
{
    deja_digest_item *target = &r->targets[i];
    *target = (deja_digest_item){0};
    if (r->outputs[i].stored.content.kind != DEJA_CONTENT_LINK)
        return 0;
    target->path = r->outputs[i].path;
    digest_item(c->statmem, r->root_fd, target, &c->stop_all);
    return target->sys_errno == ECANCELED
               ? deja_fail(err, DEJA_ECANCELED, "hash '%s': canceled", target->path)
               : 0;
}

static int seal_output(deja_cache *c, const deja_result *r, deja_output *o, piece *p, deja_error *err)
{
    struct stat st;
    int code = stat_output(r, o, &st, err);
    if (code)
        return code;
    o->mode = (uint32_t)st.st_mode & MODE_BITS;
    if (only_looks(r))
        return look_at_output(c, r, o, &st, err);
    if (S_ISLNK(st.st_mode))
        return piece_take_link(r->root_fd, o->path, p, &o->stored, err);
    return seal_regular(c, r, o, p, err);
}

/* ---- inputs ---- */

static int is_changed(const deja_digest_item *was, const deja_digest_item *is)
{
    return was->sys_errno != is->sys_errno || was->stamp != is->stamp ||
           was->content.kind != is->content.kind || was->content.size != is->content.size ||
           !deja_hash_equal(&was->content.hash, &is->content.hash);
}

/* Trouble with looking says nothing of the input. */
static int is_trouble(int sys_errno)
{
    static const int tells[] = {0, ENOENT, ENOTDIR, ELOOP, EISDIR, EINVAL, EAGAIN};
    for (size_t i = 0; i < sizeof tells / sizeof *tells; i++)
        if (sys_errno == tells[i])
            return 0;
    return 1;
}

/* Finds the first input that is not as it was. 1 all were looked at, 0 one would have to be read and may not
 * (`tiny`), or DEJA_ECANCELED. */
static int check_inputs(deja_cache *c, deja_result *r, int tiny, deja_error *err)
{
    r->changed_input = NULL;
    r->input_errno = 0;
    for (size_t i = 0; i < r->input_count && !r->changed_input; i++) {
        deja_digest_item item = {.path = r->inputs[i].path, .flags = r->inputs[i].flags};
        if (!digest_remembered(c->statmem, r->root_fd, &item, NULL)) {
            if (tiny)
                return 0;
            digest_item(c->statmem, r->root_fd, &item, &c->stop_all);
            if (item.sys_errno == ECANCELED)
                return deja_fail(err, DEJA_ECANCELED, "look at '%s' again: canceled", item.path);
        }
        if (is_changed(&r->inputs[i], &item))
            r->changed_input = r->inputs[i].path;
        if (r->changed_input)
            r->input_errno = is_trouble(item.sys_errno) ? item.sys_errno : 0;
    }
    return 1;
}

/* A link that was switched since then, or a folder that was renamed: that changes its ctime alone, where a
 * file that comes or goes in it changes both times. */
static int is_moved(const struct stat *st, int64_t since_ns)
{
    if (st->st_ctim.tv_sec * DEJA_S_NS + st->st_ctim.tv_nsec < since_ns)
        return 0;
    return S_ISLNK(st->st_mode) || (S_ISDIR(st->st_mode) && (st->st_ctim.tv_sec != st->st_mtim.tv_sec ||
                                                             st->st_ctim.tv_nsec != st->st_mtim.tv_nsec));
}

/* What lies on the way to a file was another file's way perhaps. */
static int is_way_moved(const deja_result *r, const char *path, int64_t since_ns)
{
    struct stat st;
    int moved = fstatat(r->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_moved(&st, since_ns);
    for (const char *slash = strchr(path + 1, '/'); slash && !moved; slash = strchr(slash + 1, '/')) {
        DEJA_AUTO_FREE char *part = deja_dup(path, (size_t)(slash - path));
        moved =
            !part || (fstatat(r->root_fd, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_moved(&st, since_ns));
    }
    return moved;
}

/*
 * What was discovered is first looked at now. Its times tell whether it is what the job read: the kernel
 * stamps files by a clock that stands still for one tick, 10 ms at most (time(7)).
 */
static int look_at_discovered(deja_cache *c, deja_result *r, deja_digest_item *item, deja_error *err)
{
    struct stat st;
    int64_t since_ns = r->since_ns + (item->flags & DEJA_DIGEST_MADE ? TICK_NS : 0);
    item->flags &= ~DEJA_DIGEST_MADE;
    digest_item(c->statmem, r->root_fd, item, &c->stop_all);
    if (item->sys_errno && item->sys_errno != ENOENT) {
        errno = item->sys_errno;
        return deja_fail_errno(err, "look at '%s', which it read", item->path);
    }
    int changed = item->sys_errno || fstatat(r->root_fd, item->path, &st, 0) ||
                  st.st_ctim.tv_sec * DEJA_S_NS + st.st_ctim.tv_nsec >= since_ns ||
                  is_way_moved(r, item->path, since_ns);
    if (changed && !r->changed_input)
        r->changed_input = item->path;
    return 0;
}

static int look_at_all_discovered(deja_cache *c, deja_result *r, deja_error *err)
{
    int code = 0;
    for (size_t i = 0; !code && r->flags & DEJA_RESULT_DISCOVERED && i < r->discovered_count; i++)
        code = look_at_discovered(c, r, &r->discovered[i], err);
    return code;
}

/* ---- seal ---- */

static int seal(deja_cache *c, deja_result *r, deja_error *err)
{
    struct deja_pending *p = r->pending;
    int code = 0;
    for (size_t i = 0; !code && i < r->output_count; i++) {
        code = cache_go_on(c, err);
        if (!code)
            code = seal_output(c, r, &r->outputs[i], &p->pieces[PENDING_OUTPUTS + i], err);
        if (!code && r->targets)
            code = follow_output(c, r, i, err);
    }
    if (code)
        return code;
    if (r->flags & DEJA_RESULT_NO_KEEP)
        return look_at_bytes(c, &r->out, &r->out_content, err);
    code = piece_take_bytes(c, &r->out, "standard output", &p->pieces[PENDING_OUT], &p->out, err);
    r->out_content = p->out.content;
    if (!code)
        code = piece_take_bytes(c, &r->err, "standard error", &p->pieces[PENDING_ERR], &p->err, err);
    if (!code && has_value(r))
        code = piece_take_bytes(c, &r->value, "the value", &p->pieces[PENDING_VALUE], &p->value, err);
    r->value_content = p->value.content;
    return code;
}

static uint64_t size_of_bytes(const deja_payload *bytes)
{
    struct stat st;
    return bytes->fd < 0 ? bytes->len : fstat(bytes->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* What a seal is going to read and write, told without reading: only whether it is much matters. */
static uint64_t bytes_to_move(deja_cache *c, const deja_result *r)
{
    struct stat st;
    uint64_t sum = size_of_bytes(&r->out) + size_of_bytes(&r->err);
    if (has_value(r))
        sum += size_of_bytes(&r->value);
    for (size_t i = 0; sum <= STEP_LONG_BYTES && i < r->output_count; i++)
        if (fstatat(r->root_fd, r->outputs[i].path, &st, r->targets ? 0 : AT_SYMLINK_NOFOLLOW) == 0)
            sum += (uint64_t)st.st_size;
    for (size_t i = 0; sum <= STEP_LONG_BYTES && i < r->input_count; i++) {
        uint64_t size;
        deja_digest_item item = {.path = r->inputs[i].path, .flags = r->inputs[i].flags};
        if (!digest_remembered(c->statmem, r->root_fd, &item, &size))
            sum += size;
    }
    for (size_t i = 0; sum <= STEP_LONG_BYTES && i < r->discovered_count; i++)
        if (r->flags & DEJA_RESULT_DISCOVERED && fstatat(r->root_fd, r->discovered[i].path, &st, 0) == 0)
            sum += (uint64_t)st.st_size;
    return sum;
}

static void seal_step(deja_cache *c, deja_step *step)
{
    deja_result *r = (deja_result *)step;
    if (steps_put_off(c->steps, step, bytes_to_move(c, r)))
        return;
    int64_t began = c->trace ? deja_monotonic_ns(NULL) : 0;
    step->status = seal(c, r, &step->error);
    if (!step->status && check_inputs(c, r, 0, &step->error) < 0)
        step->status = step->error.code;
    if (!step->status)
        step->status = look_at_all_discovered(c, r, &step->error);
    if (c->trace)
        deja_trace_region(c->trace, "seal", r->label, began);
    steps_finish(c->steps, step);
}

static int is_tiny_output(const deja_cache *c, const deja_result *r)
{
    struct stat st;
    if (r->output_count > TINY_OUTPUTS)
        return 0;
    for (size_t i = 0; i < r->output_count; i++)
        if (fstatat(r->root_fd, r->outputs[i].path, &st, r->targets ? 0 : AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_size > c->inline_bytes)
            return 0;
    return 1;
}

static int is_tiny_bytes(const deja_cache *c, const deja_payload *bytes)
{
    struct stat st;
    if (bytes->fd < 0)
        return bytes->len <= c->inline_bytes;
    return fstat(bytes->fd, &st) == 0 && st.st_size <= c->inline_bytes;
}

int deja_result_seal_begin(deja_cache *c, deja_result *r)
{
    r->step.status = 0;
    r->changed_input = NULL;
    r->input_errno = 0;
    deja_result_done(r);
    r->pending = pending_new(r);
    if (!r->pending) {
        r->step.status = deja_fail(&r->step.error, DEJA_ENOMEM, "keep a result: out of memory");
        return 1;
    }
    if (!(r->flags & DEJA_RESULT_DISCOVERED) && is_tiny_bytes(c, &r->out) && is_tiny_bytes(c, &r->err) &&
        (!has_value(r) || is_tiny_bytes(c, &r->value)) && is_tiny_output(c, r) &&
        r->input_count <= TINY_INPUTS && check_inputs(c, r, 1, NULL)) {
        r->step.status = seal(c, r, &r->step.error);
        return 1;
    }
    return steps_begin(c->steps, &r->step, seal_step);
}

int deja_result_check_inputs(const deja_result *r, deja_error *err)
{
    if (!r->changed_input)
        return 0;
    if (!r->input_errno)
        return deja_fail(err, DEJA_ECHANGED, "file '%s' changed while it was used", r->changed_input);
    errno = r->input_errno;
    return deja_fail_errno(err, "look at file '%s' again", r->changed_input);
}
