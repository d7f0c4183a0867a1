/*
 * What goes wrong on the side of the cache says which one it is.
 */
#include "piece.h"
#include "blob.h"
#include "digest.h"
#include "writeback.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <fcntl.h>
#include <limits.h>

static int no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "keep a result: out of memory");
}

/* Returns `code`, and where that is a failure its text says which cache. */
static int in_cache(const deja_cache *c, int code, deja_error *err)
{
    if (code)
        deja_fail_in(err, "the cache '%s'", c->folder.path);
    return code;
}

/* Exactly `len` bytes and then the end. */
static int read_small(int fd, void *data, size_t len, const char *what, deja_error *err)
{
    char more;
    ssize_t got = deja_file_read_at(fd, data, len, 0);
    if (got < 0)
        return deja_fail_errno(err, "read '%s'", what);
    if ((size_t)got < len)
        return deja_fail(err, DEJA_ECHANGED, "'%s' became shorter while it was read", what);
    ssize_t n = deja_file_read_at(fd, &more, 1, len);
    if (n < 0)
        return deja_fail_errno(err, "read '%s'", what);
    return n ? deja_fail(err, DEJA_ECHANGED, "'%s' became longer while it was read", what) : 0;
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

/* The bytes of a stage (taken), hashed where they lie and meanwhile sent to the disk. */
static int take_stage(deja_cache *c, int fd, uint64_t len, piece *p, deja_stored *ret, deja_error *err)
{
    writeback early;
    p->fd = fd;
    *ret = (deja_stored){.content = {.kind = DEJA_CONTENT_FILE, .size = len}, .where = DEJA_STORED_BLOB};
    writeback_begin(&early, fd, c->flags & DEJA_CACHE_NO_SYNC ? 0 : len, &c->stop_all);
    int r = digest_fd(fd, len, &ret->content.hash, &c->stop_all, err);
    writeback_end(&early);
    return in_cache(c, r, err);
}

static int take_copy(deja_cache *c, int from, uint64_t len, piece *p, deja_stored *ret, deja_error *err)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    DEJA_AUTO_CLOSE int stage = blob_stage(&c->folder, err);
    if (stage < 0)
        return stage;
    int r = in_cache(c, deja_file_copy_until(&c->stop_all, from, stage, len, "blobs", err), err);
    return r ? r : take_stage(c, deja_take_fd(stage), len, p, ret, err);
}

/* A stage of ours, or as good as one: unnamed and on the blobs' file system. */
static int is_stage(const deja_cache *c, const struct stat *st)
{
    struct stat home;
    return S_ISREG(st->st_mode) && st->st_nlink == 0 && fstat(c->folder.fd, &home) == 0 &&
           home.st_dev == st->st_dev;
}

static int take_spool(deja_cache *c, int fd, const char *what, piece *p, deja_stored *ret, deja_error *err)
{
    struct stat st;
    if (fstat(fd, &st))
        return deja_fail_errno(err, "look at '%s'", what);
    uint64_t len = (uint64_t)st.st_size;
    if (len <= c->inline_bytes || !is_stage(c, &st))
        return piece_take_file(c, fd, len, what, p, ret, err);
    int stage = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (stage < 0)
        return deja_fail_errno(err, "keep '%s'", what);
    return take_stage(c, stage, len, p, ret, err);
}

static int take_memory(deja_cache *c, const deja_payload *bytes, piece *p, deja_stored *ret, deja_error *err)
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
    return in_cache(c, deja_file_write_all(p->fd, bytes->data, bytes->len, "blobs", err), err);
}

int piece_take_file(deja_cache *c, int fd, uint64_t len, const char *what, piece *p, deja_stored *ret,
                    deja_error *err)
{
    return len <= c->inline_bytes ? take_small(fd, len, what, p, ret, err)
                                  : take_copy(c, fd, len, p, ret, err);
}

int piece_take_bytes(deja_cache *c, const deja_payload *bytes, const char *what, piece *p, deja_stored *ret,
                     deja_error *err)
{
    return bytes->fd >= 0 ? take_spool(c, bytes->fd, what, p, ret, err) : take_memory(c, bytes, p, ret, err);
}

int piece_take_link(int root_fd, const char *path, piece *p, deja_stored *ret, deja_error *err)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(root_fd, path, target, sizeof target);
    if (n < 0)
        return deja_fail_errno(err, "read the link '%s'", path);
    p->data = deja_dup(target, (size_t)n);
    if (!p->data)
        return no_memory(err);
    *ret = (deja_stored){.content = {DEJA_CONTENT_LINK, deja_hash_bytes(target, (size_t)n), (uint64_t)n},
                         .where = DEJA_STORED_INLINE,
                         .data = p->data};
    return 0;
}

void piece_done(piece *p)
{
    if (p->fd >= 0)
        close(p->fd);
    deja_free(p->data);
    *p = (piece){.fd = -1};
}
