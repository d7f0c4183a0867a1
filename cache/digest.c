/*
 * Contents of files: remembered, or read. A file is judged by its stat data before and after the reading; one
 * that moved under the reader is read again.
 */
#include "digest.h"
#include "readahead.h"
#include "state.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define BUFFER_BYTES (64 * 1024) /* on the stack; a file up to this size takes one read(2) */
#define ATTEMPTS     4           /* readings of a file that goes on changing */
#define INLINE_BYTES (64 * 1024) /* to read in the caller: some 20 us from the page cache */
#define MODE_BITS    0777u
#define OPEN_BYTES   4096 /* what opening a file costs, in bytes read instead */

/* With the inode's own time: a file that was changed and put back, its mtime too, has another one. */
static uint64_t stamp_of(const struct stat *st)
{
    uint64_t values[] = {(uint64_t)st->st_dev,          (uint64_t)st->st_ino,
                         (uint64_t)st->st_size,         (uint64_t)st->st_mtim.tv_sec,
                         (uint64_t)st->st_mtim.tv_nsec, (uint64_t)st->st_ctim.tv_sec,
                         (uint64_t)st->st_ctim.tv_nsec};
    return deja_hash64(values, sizeof values);
}

static int fail_item(deja_digest_item *item, int sys_errno)
{
    memset(&item->content, 0, sizeof item->content);
    item->stamp = 0;
    item->mode = 0;
    item->sys_errno = sys_errno;
    return sys_errno;
}

static int stat_item(int root_fd, const deja_digest_item *item, struct stat *st)
{
    int flags = item->flags & DEJA_DIGEST_NO_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
    int failed;
    do
        failed = fstatat(root_fd, item->path, st, flags);
    while (failed && errno == EINTR);
    return failed ? errno : 0;
}

/* What can be said without reading: trouble, or what memory has. 1 when the item is done. */
static int answer(statmem *m, int root_fd, deja_digest_item *item, struct stat *st)
{
    int sys_errno = stat_item(root_fd, item, st);
    if (!sys_errno && !S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
        sys_errno = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
    if (sys_errno) {
        fail_item(item, sys_errno);
        return 1;
    }
    item->sys_errno = 0;
    item->stamp = stamp_of(st);
    item->mode = (uint32_t)st->st_mode & MODE_BITS;
    return statmem_find(m, st, &item->content, NULL);
}

/* 0 or errno. */
static int stat_open(int fd, struct stat *st)
{
    int failed;
    do
        failed = fstat(fd, st);
    while (failed && errno == EINTR);
    return failed ? errno : 0;
}

/*
 * Hashes in this thread, up to the end of the file or `limit` bytes. The first read may be all: `expected` is
 * the size that stat gave, and a file of that length needs no second look for its end. 0 or errno.
 */
static int hash_alone(int fd, uint64_t expected, uint64_t limit, deja_content *ret, const deja_stop *stop)
{
    unsigned char buffer[BUFFER_BYTES];
    deja_hasher *hasher = NULL;
    uint64_t size = 0;
    int sys_errno = 0;
    for (;;) {
        size_t want = limit - size < sizeof buffer ? (size_t)(limit - size) : sizeof buffer;
        if (deja_stop_wished(stop)) {
            sys_errno = ECANCELED;
            break;
        }
        ssize_t n = deja_file_read_at(fd, buffer, want, size);
        if (n < 0)
            sys_errno = errno;
        int whole = n >= 0 && !size && (uint64_t)n == expected && n < (ssize_t)sizeof buffer;
        if (whole || (!n && !size)) {
            ret->hash = deja_hash_bytes(buffer, (size_t)n);
            ret->size = (uint64_t)n;
            return 0;
        }
        if (n > 0 && !hasher && !(hasher = deja_hasher_new()))
            sys_errno = ENOMEM;
        if (n <= 0 || sys_errno)
            break;
        deja_hasher_add(hasher, buffer, (size_t)n);
        size += (uint64_t)n;
    }
    if (!sys_errno) {
        ret->hash = deja_hasher_result(hasher);
        ret->size = size;
    }
    deja_hasher_free(hasher);
    return sys_errno;
}

static int errno_of(const deja_error *e)
{
    if (e->sys_errno)
        return e->sys_errno;
    return e->code == DEJA_ENOMEM ? ENOMEM : e->code == DEJA_ECHANGED ? EAGAIN : EIO;
}

/* One reading of a regular file. 0, EAGAIN when it changed under us, or another errno. */
static int read_once(statmem *m, int fd, deja_digest_item *item, const deja_stop *stop)
{
    struct stat before, after;
    int sys_errno = stat_open(fd, &before);
    if (sys_errno)
        return sys_errno;
    int64_t began_ns = statmem_now_ns(m);
    if (!S_ISREG(before.st_mode))
        return EAGAIN;
    deja_content content = {.kind = DEJA_CONTENT_FILE, .size = (uint64_t)before.st_size};
    if (content.size >= READAHEAD_WORTH_BYTES) {
        deja_error e;
        sys_errno = digest_fd(fd, content.size, &content.hash, stop, &e) < 0 ? errno_of(&e) : 0;
    } else {
        sys_errno = hash_alone(fd, content.size, UINT64_MAX, &content, stop);
    }
    if (!sys_errno)
        sys_errno = stat_open(fd, &after);
    if (sys_errno)
        return sys_errno;
    if (!deja_file_same(&before, &after))
        return EAGAIN;
    item->content = content;
    item->stamp = stamp_of(&before);
    item->mode = (uint32_t)before.st_mode & MODE_BITS;
    statmem_note(m, &before, &content, began_ns, 0);
    return 0;
}

static int open_item(int root_fd, const deja_digest_item *item)
{
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    if (item->flags & DEJA_DIGEST_NO_FOLLOW)
        flags |= O_NOFOLLOW;
    int fd;
    do
        fd = openat(root_fd, item->path, flags);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int read_file(statmem *m, int root_fd, deja_digest_item *item, const deja_stop *stop)
{
    DEJA_AUTO_CLOSE int fd = open_item(root_fd, item);
    if (fd < 0)
        /* It was a plain file a moment ago. */
        return errno == ELOOP || errno == ENXIO ? EAGAIN : errno;
    return read_once(m, fd, item, stop);
}

/* A link's text does not change in its life: a new text is a new inode. */
static int read_link(statmem *m, int root_fd, deja_digest_item *item, const struct stat *st)
{
    char target[PATH_MAX];
    int64_t began_ns = statmem_now_ns(m);
    ssize_t n;
    do
        n = readlinkat(root_fd, item->path, target, sizeof target);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EINVAL ? EAGAIN : errno;
    struct stat after;
    int sys_errno = stat_item(root_fd, item, &after);
    if (sys_errno || !deja_file_same(st, &after))
        return sys_errno ? sys_errno : EAGAIN;
    item->content.kind = DEJA_CONTENT_LINK;
    item->content.size = (uint64_t)n;
    item->content.hash = deja_hash_bytes(target, (size_t)n);
    statmem_note(m, st, &item->content, began_ns, 0);
    return 0;
}

/* Marks what is still to be done, here and for the helper. */
static void set_waiting(deja_digest_item *item, uint64_t size)
{
    item->sys_errno = EINPROGRESS;
    item->content.size = size;
}

/* Work that waits, in bytes to be read. */
static uint64_t waiting_bytes(const deja_digest *d)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < d->count; i++)
        if (d->items[i].sys_errno == EINPROGRESS &&
            __builtin_add_overflow(sum, d->items[i].content.size + OPEN_BYTES, &sum))
            return UINT64_MAX;
    return sum;
}

static void digest_all(deja_cache *c, deja_digest *d)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->items[i].sys_errno != EINPROGRESS)
            continue;
        if (deja_stop_wished(&c->stop_digests))
            fail_item(&d->items[i], ECANCELED);
        else
            digest_item(c->statmem, d->root_fd, &d->items[i], &c->stop_digests);
        if (d->items[i].sys_errno == ECANCELED)
            d->step.status =
                deja_fail(&d->step.error, DEJA_ECANCELED, "hash '%s': canceled", d->items[i].path);
    }
}

static void digest_work(deja_cache *c, deja_step *step)
{
    deja_digest *d = (deja_digest *)step;
    if (steps_put_off(c->steps, step, waiting_bytes(d)))
        return;
    digest_all(c, d);
    steps_finish(c->steps, step);
}

void digest_item(statmem *m, int root_fd, deja_digest_item *item, const deja_stop *stop)
{
    int sys_errno = EAGAIN;
    for (int i = 0; i < ATTEMPTS && sys_errno == EAGAIN; i++) {
        struct stat st;
        if (answer(m, root_fd, item, &st))
            return;
        sys_errno = deja_stop_wished(stop) ? ECANCELED
                    : S_ISLNK(st.st_mode)  ? read_link(m, root_fd, item, &st)
                                           : read_file(m, root_fd, item, stop);
    }
    if (sys_errno)
        fail_item(item, sys_errno);
}

int digest_remembered(statmem *m, int root_fd, deja_digest_item *item, uint64_t *ret_size)
{
    struct stat st;
    if (answer(m, root_fd, item, &st))
        return 1;
    if (ret_size)
        *ret_size = (uint64_t)st.st_size;
    return 0;
}

int digest_fd(int fd, uint64_t len, deja_hash *ret, const deja_stop *stop, deja_error *err)
{
    if (len >= READAHEAD_WORTH_BYTES) {
        deja_hasher *hasher = deja_hasher_new();
        if (!hasher)
            return deja_fail(err, DEJA_ENOMEM, "hash a large file: out of memory");
        int code = readahead_hash(fd, len, hasher, stop, err);
        if (code == 0)
            *ret = deja_hasher_result(hasher);
        deja_hasher_free(hasher);
        if (code != DEJA_ERESOURCE)
            return code;
    }
    deja_content content;
    int sys_errno = hash_alone(fd, len, len, &content, stop);
    if (sys_errno) {
        errno = sys_errno;
        return deja_fail_errno(err, "hash a file: read");
    }
    if (content.size != len)
        return deja_fail(err, DEJA_ECHANGED, "hash a file: it became shorter meanwhile");
    *ret = content.hash;
    return 0;
}

int deja_digest_begin(deja_cache *c, deja_digest *d)
{
    d->step.status = 0;
    for (size_t i = 0; i < d->count; i++) {
        uint64_t size = 0;
        if (!digest_remembered(c->statmem, d->root_fd, &d->items[i], &size))
            set_waiting(&d->items[i], size);
    }
    if (waiting_bytes(d) > INLINE_BYTES + OPEN_BYTES)
        return steps_begin(c->steps, &d->step, digest_work);
    digest_all(c, d);
    return 1;
}
