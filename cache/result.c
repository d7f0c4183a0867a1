/*
 * A result on its way into the store. Sealing takes hold of all bytes: outputs are copied before they are
 * hashed, so that what is stored is what was hashed, whatever happens to the file afterwards. Committing
 * makes blobs of the large pieces and hands the record to the writer.
 */
#include "blob.h"
#include "digest.h"
#include "entry.h"
#include "writer.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define TINY_OUTPUTS                                                                                         \
    4 /* so many small outputs are sealed at once: a helper would take longer to wake (README.md) */
#define TINY_INPUTS 64
#define COPY_TRIES  3
#define RECORD_MOST ((size_t)512 << 20) /* bytes; SQLite's limit for a row is 1,000,000,000 */
#define MODE_BITS   0777u

/* One content that was taken hold of. */
typedef struct piece {
    int fd;     /* a stage with a large content, or -1 */
    void *data; /* memory with a small one, or NULL where it is borrowed */
} piece;

struct deja_pending {
    writer_item item;
    deja_result *result;
    deja_stored out, err;
    deja_buffer record;
    db_blob *blobs;
    int *blob_fds;
    size_t count; /* pieces: standard output, standard error, outputs */
    piece pieces[];
};

static int no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "keep a result: out of memory");
}

static int only_looks(const deja_result *r)
{
    return (r->flags & (DEJA_RESULT_RECORD | DEJA_RESULT_NO_KEEP)) != 0;
}

static ssize_t read_at(int fd, void *data, size_t len, off_t at)
{
    ssize_t n;
    do
        n = pread(fd, data, len, at);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Exactly `len` bytes and then the end. */
static int read_small(int fd, void *data, size_t len, const char *what, deja_error *err)
{
    char more;
    size_t done = 0;
    while (done < len) {
        ssize_t n = read_at(fd, (char *)data + done, len - done, (off_t)done);
        if (n < 0)
            return deja_fail_errno(err, "read %s", what);
        if (n == 0)
            return deja_fail(err, DEJA_ECHANGED, "%s became shorter while it was read", what);
        done += (size_t)n;
    }
    ssize_t n = read_at(fd, &more, 1, (off_t)len);
    if (n < 0)
        return deja_fail_errno(err, "read %s", what);
    return n ? deja_fail(err, DEJA_ECHANGED, "%s became longer while it was read", what) : 0;
}

/* A small content into memory. */
static int take_small(int fd, uint64_t len, const char *what, piece *p, deja_stored *ret, deja_error *err)
{
    deja_free(p->data);
    p->data = deja_realloc(NULL, len);
    if (!p->data)
        return no_memory(err);
    int r = read_small(fd, p->data, len, what, err);
    if (r)
        return r;
    *ret = (deja_stored){.content = {DEJA_CONTENT_FILE, deja_hash_bytes(p->data, len), len},
                         .where = DEJA_STORED_INLINE,
                         .data = p->data};
    return 0;
}

/* The bytes of a stage, hashed where they lie. */
static int take_stage(int fd, uint64_t len, piece *p, deja_stored *ret, deja_error *err)
{
    p->fd = fd;
    *ret = (deja_stored){.content = {.kind = DEJA_CONTENT_FILE, .size = len}, .where = DEJA_STORED_BLOB};
    return digest_fd(fd, len, &ret->content.hash, err);
}

static int take_copy(deja_cache *c, int from, uint64_t len, piece *p, deja_stored *ret, deja_error *err)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    DEJA_AUTO_CLOSE int stage = blob_stage(&c->folder, err);
    if (stage < 0)
        return stage;
    int r = deja_file_copy(from, stage, len, err);
    return r ? r : take_stage(deja_take_fd(stage), len, p, ret, err);
}

/* ---- standard output and standard error ---- */

/* A stage of ours, or as good as one: unnamed and on the blobs' file system. */
static int is_stage(const deja_cache *c, const struct stat *st)
{
    struct stat home;
    return S_ISREG(st->st_mode) && st->st_nlink == 0 && fstat(c->folder.fd, &home) == 0 &&
           home.st_dev == st->st_dev;
}

static int seal_file(deja_cache *c, int fd, piece *p, deja_stored *ret, deja_error *err)
{
    struct stat st;
    if (fstat(fd, &st))
        return deja_fail_errno(err, "look at the output of a job");
    uint64_t len = (uint64_t)st.st_size;
    if (len <= c->inline_bytes)
        return take_small(fd, len, "the output of a job", p, ret, err);
    if (!is_stage(c, &st))
        return take_copy(c, fd, len, p, ret, err);
    int stage = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (stage < 0)
        return deja_fail_errno(err, "keep the output of a job");
    return take_stage(stage, len, p, ret, err);
}

static int seal_memory(deja_cache *c, const deja_bytes *bytes, piece *p, deja_stored *ret, deja_error *err)
{
    *ret = (deja_stored){.content = {DEJA_CONTENT_FILE, deja_hash_bytes(bytes->data, bytes->len), bytes->len},
                         .where = DEJA_STORED_INLINE,
                         .data = bytes->data};
    if (bytes->len <= c->inline_bytes)
        return 0;
    p->fd = blob_stage(&c->folder, err);
    if (p->fd < 0)
        return p->fd;
    ret->where = DEJA_STORED_BLOB;
    ret->data = NULL;
    return deja_file_write_all(p->fd, bytes->data, bytes->len, "a stage of the cache", err);
}

static int seal_bytes(deja_cache *c, const deja_bytes *bytes, piece *p, deja_stored *ret, deja_error *err)
{
    return bytes->fd >= 0 ? seal_file(c, bytes->fd, p, ret, err) : seal_memory(c, bytes, p, ret, err);
}

/* Nothing is kept: the hash of standard output is all that is asked for. */
static int look_at_bytes(const deja_bytes *bytes, deja_content *ret, deja_error *err)
{
    struct stat st;
    ret->kind = DEJA_CONTENT_FILE;
    ret->size = bytes->len;
    if (bytes->fd < 0) {
        ret->hash = deja_hash_bytes(bytes->data, bytes->len);
        return 0;
    }
    if (fstat(bytes->fd, &st))
        return deja_fail_errno(err, "look at the output of a job");
    ret->size = (uint64_t)st.st_size;
    return digest_fd(bytes->fd, ret->size, &ret->hash, err);
}

/* ---- outputs ---- */

static int same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
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

static int seal_link(const deja_result *r, deja_output *o, piece *p, deja_error *err)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(r->root_fd, o->path, target, sizeof target);
    if (n < 0)
        return deja_fail_errno(err, "read the link '%s'", o->path);
    p->data = deja_dup(target, (size_t)n);
    if (!p->data)
        return no_memory(err);
    o->stored = (deja_stored){.content = {DEJA_CONTENT_LINK, deja_hash_bytes(target, (size_t)n), (uint64_t)n},
                              .where = DEJA_STORED_INLINE,
                              .data = p->data};
    return 0;
}

static int copy_output(deja_cache *c, int fd, const struct stat *st, deja_output *o, piece *p,
                       deja_error *err)
{
    uint64_t len = (uint64_t)st->st_size;
    return len <= c->inline_bytes ? take_small(fd, len, o->path, p, &o->stored, err)
                                  : take_copy(c, fd, len, p, &o->stored, err);
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
        int code = copy_output(c, fd, &before, o, p, err);
        if (code && code != DEJA_ECHANGED)
            return code;
        if (fstat(fd, &after))
            return deja_fail_errno(err, "look at output '%s'", o->path);
        if (!code && same_file(&before, &after)) {
            statmem_note(c->statmem, &after, &o->stored.content, began, STATMEM_OURS);
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
    digest_item(c->statmem, r->root_fd, &item);
    if (item.sys_errno) {
        errno = item.sys_errno;
        return deja_fail_errno(err, "read output '%s'", o->path);
    }
    o->stored = (deja_stored){.content = item.content, .where = DEJA_STORED_RECORD};
    if (fstatat(r->root_fd, o->path, &after, AT_SYMLINK_NOFOLLOW) == 0 && same_file(before, &after))
        statmem_note(c->statmem, &after, &item.content, began, STATMEM_OURS);
    return 0;
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
        return seal_link(r, o, p, err);
    code = seal_regular(c, r, o, p, err);
    return code;
}

/* ---- inputs ---- */

static int is_changed(const deja_digest_item *was, const deja_digest_item *is)
{
    return was->sys_errno != is->sys_errno || was->stamp != is->stamp ||
           was->content.kind != is->content.kind || was->content.size != is->content.size ||
           !deja_hash_equal(&was->content.hash, &is->content.hash);
}

/* Finds the first input that is not as it was. 1 all were looked at, 0 one would have to be read and may not
 * (`tiny`). */
static int check_inputs(deja_cache *c, deja_result *r, int tiny)
{
    r->changed_input = NULL;
    for (size_t i = 0; i < r->input_count && !r->changed_input; i++) {
        deja_digest_item item = {.path = r->inputs[i].path, .flags = r->inputs[i].flags};
        if (!digest_remembered(c->statmem, r->root_fd, &item, NULL)) {
            if (tiny)
                return 0;
            digest_item(c->statmem, r->root_fd, &item);
        }
        if (is_changed(&r->inputs[i], &item))
            r->changed_input = r->inputs[i].path;
    }
    return 1;
}

/* ---- seal ---- */

static struct deja_pending *pending_new(deja_result *r)
{
    size_t count = r->output_count + 2;
    struct deja_pending *p = deja_calloc(1, sizeof *p + count * sizeof p->pieces[0]);
    if (!p)
        return NULL;
    p->result = r;
    p->count = count;
    for (size_t i = 0; i < count; i++)
        p->pieces[i].fd = -1;
    return p;
}

static int seal(deja_cache *c, deja_result *r, deja_error *err)
{
    struct deja_pending *p = r->pending;
    int code = 0;
    for (size_t i = 0; !code && i < r->output_count; i++)
        code = seal_output(c, r, &r->outputs[i], &p->pieces[i + 2], err);
    if (code)
        return code;
    if (r->flags & DEJA_RESULT_NO_KEEP)
        return look_at_bytes(&r->out, &r->out_content, err);
    code = seal_bytes(c, &r->out, &p->pieces[0], &p->out, err);
    r->out_content = p->out.content;
    return code ? code : seal_bytes(c, &r->err, &p->pieces[1], &p->err, err);
}

static uint64_t size_of_bytes(const deja_bytes *bytes)
{
    struct stat st;
    return bytes->fd < 0 ? bytes->len : fstat(bytes->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* What a seal is going to read and write, told without reading: only whether it is much matters. */
static uint64_t bytes_to_move(deja_cache *c, const deja_result *r)
{
    struct stat st;
    uint64_t sum = size_of_bytes(&r->out) + size_of_bytes(&r->err);
    for (size_t i = 0; sum <= STEP_LONG_BYTES && i < r->output_count; i++)
        if (fstatat(r->root_fd, r->outputs[i].path, &st, AT_SYMLINK_NOFOLLOW) == 0)
            sum += (uint64_t)st.st_size;
    for (size_t i = 0; sum <= STEP_LONG_BYTES && i < r->input_count; i++) {
        uint64_t size;
        deja_digest_item item = {.path = r->inputs[i].path, .flags = r->inputs[i].flags};
        if (!digest_remembered(c->statmem, r->root_fd, &item, &size))
            sum += size;
    }
    return sum;
}

static void seal_step(deja_cache *c, deja_step *step)
{
    deja_result *r = (deja_result *)step;
    if (steps_put_off(c->steps, step, bytes_to_move(c, r)))
        return;
    int64_t began = c->trace ? deja_monotonic_ns(NULL) : 0;
    step->status = seal(c, r, &step->error);
    if (!step->status)
        (void)check_inputs(c, r, 0);
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
        if (fstatat(r->root_fd, r->outputs[i].path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_size > c->inline_bytes)
            return 0;
    return 1;
}

static int is_tiny_bytes(const deja_cache *c, const deja_bytes *bytes)
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
    deja_result_done(r);
    r->pending = pending_new(r);
    if (!r->pending) {
        r->step.status = no_memory(&r->step.error);
        return 1;
    }
    if (is_tiny_bytes(c, &r->out) && is_tiny_bytes(c, &r->err) && is_tiny_output(c, r) &&
        r->input_count <= TINY_INPUTS && check_inputs(c, r, 1)) {
        r->step.status = seal(c, r, &r->step.error);
        return 1;
    }
    return steps_begin(c->steps, &r->step, seal_step);
}

/* ---- commit ---- */

static const deja_stored *stored_of(const struct deja_pending *p, size_t i)
{
    return i == 0 ? &p->out : i == 1 ? &p->err : &p->result->outputs[i - 2].stored;
}

static size_t blobs_of(const struct deja_pending *p, uint64_t *ret_bytes)
{
    size_t n = 0;
    *ret_bytes = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (p->pieces[i].fd < 0)
            continue;
        n++;
        *ret_bytes += stored_of(p, i)->content.size;
    }
    return n;
}

static int publish_blobs(deja_cache *c, struct deja_pending *p, deja_error *err)
{
    uint64_t bytes;
    size_t n = blobs_of(p, &bytes);
    if (!n)
        return 0;
    p->blobs = deja_calloc(n, sizeof *p->blobs);
    p->blob_fds = deja_calloc(n, sizeof *p->blob_fds);
    if (!p->blobs || !p->blob_fds)
        return no_memory(err);
    for (size_t i = 0, at = 0; i < p->count; i++) {
        const deja_content *content = &stored_of(p, i)->content;
        if (p->pieces[i].fd < 0)
            continue;
        int r = blob_publish(c, p->pieces[i].fd, content, err);
        if (r)
            return r;
        p->blobs[at] = (db_blob){content->hash, content->size};
        p->blob_fds[at++] = p->pieces[i].fd;
    }
    p->item.put.blobs = p->blobs;
    p->item.put.blob_count = n;
    p->item.blob_fds = p->blob_fds;
    return 0;
}

static int encode(deja_cache *c, struct deja_pending *p, deja_error *err)
{
    deja_result *r = p->result;
    deja_entry e = {.key = r->key,
                    .label = r->label,
                    .encoding = r->encoding,
                    .encoding_len = r->encoding_len,
                    .exit_status = r->exit_status,
                    .created_ns = deja_wall_ns(c->clock),
                    .wall_ns = r->wall_ns,
                    .cpu_ns = r->cpu_ns,
                    .peak_rss_bytes = r->peak_rss_bytes,
                    .out = p->out,
                    .err = p->err,
                    .outputs = r->outputs,
                    .output_count = r->output_count};
    deja_buffer_clear(&p->record);
    entry_encode(&p->record, &e);
    if (p->record.failed)
        return no_memory(err);
    if (p->record.len > RECORD_MOST)
        return deja_fail(err, DEJA_ELIMIT, "the fields of the key take over 512 MB");
    p->item.put.key = r->key;
    p->item.put.record = p->record.data;
    p->item.put.len = p->record.len;
    p->item.put.cost_ns = r->wall_ns;
    p->item.put.created_ns = e.created_ns;
    return 0;
}

static void commit_step(deja_cache *c, deja_step *step)
{
    deja_result *r = (deja_result *)step;
    struct deja_pending *p = r->pending;
    uint64_t bytes;
    if (blobs_of(p, &bytes) && steps_put_off(c->steps, step, bytes))
        return;
    step->status = publish_blobs(c, p, &step->error);
    if (!step->status)
        step->status = encode(c, p, &step->error);
    p->item.step = step;
    if (step->status)
        steps_finish(c->steps, step);
    else
        writer_add(c->writer, &p->item);
}

int deja_result_commit_begin(deja_cache *c, deja_result *r)
{
    writer_hurry(c->writer, 0);
    r->step.status = 0;
    if (!r->pending || r->flags & DEJA_RESULT_NO_KEEP) {
        r->step.status = deja_fail(&r->step.error, DEJA_EINVAL, "only a sealed result can be kept");
        return 1;
    }
    uint64_t bytes;
    return blobs_of(r->pending, &bytes) ? steps_begin(c->steps, &r->step, commit_step)
                                        : steps_begin_elsewhere(c->steps, &r->step, commit_step);
}

void deja_result_done(deja_result *r)
{
    struct deja_pending *p = r->pending;
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++) {
        if (p->pieces[i].fd >= 0)
            close(p->pieces[i].fd);
        deja_free(p->pieces[i].data);
    }
    deja_buffer_done(&p->record);
    deja_free(p->blobs);
    deja_free(p->blob_fds);
    deja_free(p);
    r->pending = NULL;
}
