/*
 * Reading, writing and copying whole files.
 */
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#define CHUNK      ((size_t)256 << 10) /* bytes moved at once: they stay in a second-level cache */
#define CALL_LIMIT ((size_t)1 << 30)   /* bytes asked of one call: read(2) moves at most 0x7ffff000 */
#define KERNEL_CHUNK                                                                                         \
    ((size_t)64 << 20) /* bytes copied in one call, which nothing ends: a second on a slow disk */

static ssize_t read_some(int fd, void *data, size_t len)
{
    ssize_t n;
    do
        n = read(fd, data, len < CALL_LIMIT ? len : CALL_LIMIT);
    while (n < 0 && errno == EINTR);
    return n;
}

/* A FIFO without a writer must not hang the open; a pipe that is open already (/dev/fd/N) is then read with
 * waiting. */
static int open_to_load(int dirfd, const char *path, struct stat *st, deja_error *err)
{
    int opened;
    do
        opened = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (opened < 0 && errno == EINTR);
    DEJA_AUTO_CLOSE int fd = opened;
    if (fd < 0)
        return deja_fail_errno(err, "open '%s'", path);
    if (fstat(fd, st))
        return deja_fail_errno(err, "stat '%s'", path);
    if (S_ISDIR(st->st_mode))
        return deja_fail(err, DEJA_ETYPE, "'%s' is a folder, expected a file", path);
    if (!S_ISREG(st->st_mode) && fcntl(fd, F_SETFL, 0))
        return deja_fail_errno(err, "open '%s'", path);
    return deja_take_fd(fd);
}

static int load_rest(int fd, const char *path, size_t limit, size_t hint, deja_buffer *b, deja_error *err)
{
    size_t total = 0;
    for (;;) {
        size_t room = hint > total ? hint - total : CHUNK;
        char *at = deja_buffer_reserve(b, room);
        if (!at)
            return deja_fail(err, DEJA_ENOMEM, "read '%s': out of memory", path);
        ssize_t n = read_some(fd, at, room);
        if (n < 0)
            return deja_fail_errno(err, "read '%s'", path);
        if (n == 0)
            return 0;
        b->len += (size_t)n;
        total += (size_t)n;
        if (total > limit)
            return deja_fail(err, DEJA_ELIMIT, "'%s' has more than %zu bytes", path, limit);
    }
}

/* errno values with which one way of copying hands over to the next: what it cannot do here at all. */
static int is_unsupported(int code)
{
    return code == EOPNOTSUPP || code == ENOTTY || code == EXDEV || code == EINVAL || code == ENOSYS ||
           code == EPERM || code == ETXTBSY || code == EBADF;
}

/* 1 when the whole file was cloned, 0 when another way must be tried. A clone is whole, so its length tells.
 */
static int try_clone(int from, int to, uint64_t len)
{
    struct stat st;
    if (fstat(from, &st) || (uint64_t)st.st_size != len || ioctl(to, FICLONE, from))
        return 0;
    return fstat(to, &st) == 0 && (uint64_t)st.st_size == len;
}

typedef struct copying {
    int from, to;
    uint64_t len, done;
    const char *path;
    const deja_stop *stop;
} copying;

static int is_stopped(const copying *c, deja_error *err)
{
    return deja_stop_wished(c->stop) ? deja_fail(err, DEJA_ECANCELED, "write '%s': canceled", c->path) : 0;
}

static size_t next_part(const copying *c, size_t most)
{
    return c->len - c->done < most ? (size_t)(c->len - c->done) : most;
}

/* Copies in the kernel as far as it goes; what stopped it will show again below. */
static int copy_in_kernel(copying *c, deja_error *err)
{
    int r = 0;
    while (c->done < c->len && !(r = is_stopped(c, err))) {
        off_t in = (off_t)c->done, out = (off_t)c->done;
        ssize_t n = copy_file_range(c->from, &in, c->to, &out, next_part(c, KERNEL_CHUNK), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && !is_unsupported(errno))
            return deja_fail_errno(err, "write '%s'", c->path);
        if (n <= 0)
            break;
        c->done += (uint64_t)n;
    }
    return r;
}

static int copy_by_hand(copying *c, deja_error *err)
{
    DEJA_AUTO_FREE char *chunk = deja_realloc(NULL, CHUNK);
    if (!chunk)
        return deja_fail(err, DEJA_ENOMEM, "write '%s': out of memory", c->path);
    int r = 0;
    while (c->done < c->len && !(r = is_stopped(c, err))) {
        ssize_t n = deja_file_read_at(c->from, chunk, next_part(c, CHUNK), c->done);
        if (n < 0)
            return deja_fail_errno(err, "write '%s': read what it is copied from", c->path);
        if (n == 0)
            return deja_fail(err, DEJA_ECHANGED, "write '%s': what it is copied from became shorter",
                             c->path);
        r = deja_file_write_at(c->to, chunk, (size_t)n, c->done, c->path, err);
        if (r)
            break;
        c->done += (uint64_t)n;
    }
    return r;
}

static int same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

int deja_file_read_all(int fd, void *data, size_t len, const char *path, deja_error *err)
{
    for (char *at = data; len;) {
        ssize_t n = read_some(fd, at, len);
        if (n < 0)
            return deja_fail_errno(err, "read '%s'", path);
        if (n == 0)
            return deja_fail(err, DEJA_EIO, "read '%s': ended early, %zu bytes are missing", path, len);
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int deja_file_write_all(int fd, const void *data, size_t len, const char *path, deja_error *err)
{
    for (const char *at = data; len;) {
        ssize_t n = write(fd, at, len < CALL_LIMIT ? len : CALL_LIMIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return deja_fail_errno(err, "write '%s'", path);
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

ssize_t deja_file_read_at(int fd, void *data, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        size_t want = len - done < CALL_LIMIT ? len - done : CALL_LIMIT;
        ssize_t n = pread(fd, (char *)data + done, want, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int deja_file_write_at(int fd, const void *data, size_t len, uint64_t offset, const char *path,
                       deja_error *err)
{
    for (const char *at = data; len;) {
        ssize_t n = pwrite(fd, at, len < CALL_LIMIT ? len : CALL_LIMIT, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return deja_fail_errno(err, "write '%s'", path);
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int deja_file_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode &&
           a->st_size == b->st_size && same_time(&a->st_mtim, &b->st_mtim) &&
           same_time(&a->st_ctim, &b->st_ctim);
}

int deja_file_above_standard(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int sys_errno = errno;
    close(fd);
    errno = sys_errno;
    return moved;
}

int deja_file_load(int dirfd, const char *path, size_t limit, deja_buffer *b, deja_error *err)
{
    struct stat st;
    DEJA_AUTO_CLOSE int fd = open_to_load(dirfd, path, &st, err);
    if (fd < 0)
        return fd;
    if (st.st_size > 0 && (uintmax_t)st.st_size > limit)
        return deja_fail(err, DEJA_ELIMIT, "'%s' has more than %zu bytes", path, limit);
    /* One byte more than the size: the read that fills it all is followed by one that sees the end. */
    size_t hint = st.st_size > 0 ? (size_t)st.st_size + 1 : 0;
    return load_rest(fd, path, limit, hint, b, err);
}

int deja_file_copy_until(const deja_stop *stop, int from, int to, uint64_t len, const char *path,
                         deja_error *err)
{
    copying c = {.from = from, .to = to, .len = len, .path = path, .stop = stop};
    int r = is_stopped(&c, err);
    if (r || (len && try_clone(from, to, len)))
        return r;
    r = copy_in_kernel(&c, err);
    return r || c.done == len ? r : copy_by_hand(&c, err);
}

int deja_file_copy(int from, int to, uint64_t len, const char *path, deja_error *err)
{
    return deja_file_copy_until(NULL, from, to, len, path, err);
}
