/*
 * Mappings of files to be read and of files to be written.
 */
#include "mapped.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FILE_MODE 0666 /* less the umask, as for every file that a program makes */

/* Room now, rather than a SIGBUS later. */
static int reserve(int fd, uint64_t len, const char *path, deja_error *err)
{
    int code;
    if (len > INT64_MAX)
        return deja_fail(err, DEJA_EFULL, "write '%s': too large for a file", path);
    do
        code = posix_fallocate(fd, 0, (off_t)len);
    while (code == EINTR);
    if (code == EOPNOTSUPP) /* musl does not make up for a file system that cannot */
        code = ftruncate(fd, (off_t)len) ? errno : 0;
    errno = code;
    return code ? deja_fail_errno(err, "write '%s'", path) : 0;
}

static int map(mapped *m, uint64_t len, int protection, int flags, int fd)
{
    void *data = mmap(NULL, len, protection, flags, fd, 0);
    if (data == MAP_FAILED)
        return -1;
    m->data = data;
    m->len = len;
    return 0;
}

int mapped_open_regular(const char *path, struct stat *ret, deja_error *err)
{
    int opened;
    do
        opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (opened < 0 && errno == EINTR);
    DEJA_AUTO_CLOSE int fd = opened;
    if (fd < 0)
        return deja_fail_errno(err, "open '%s'", path);
    if (fstat(fd, ret))
        return deja_fail_errno(err, "stat '%s'", path);
    if (!S_ISREG(ret->st_mode))
        return deja_fail(err, DEJA_ETYPE, "'%s' is no regular file", path);
    return deja_take_fd(fd);
}

int mapped_open(mapped *m, const char *path, deja_error *err)
{
    struct stat st;
    *m = MAPPED_NONE;
    DEJA_AUTO_CLOSE int fd = mapped_open_regular(path, &st, err);
    if (fd < 0)
        return fd;
    if (st.st_size > 0 && map(m, (uint64_t)st.st_size, PROT_READ, MAP_PRIVATE, fd))
        return deja_fail_errno(err, "map '%s'", path);
    return 0;
}

int mapped_draft(mapped *m, const char *path, uint64_t len, deja_error *err)
{
    *m = MAPPED_NONE;
    DEJA_AUTO_CLOSE int fd = deja_file_begin(AT_FDCWD, path, FILE_MODE, err);
    if (fd < 0)
        return fd;
    int r = reserve(fd, len, path, err);
    if (r)
        return r;
    if (map(m, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd))
        return deja_fail_errno(err, "map '%s'", path);
    m->fd = deja_take_fd(fd);
    return 0;
}

int mapped_publish_file(int fd, const char *path, deja_error *err)
{
    struct stat old, new;
    if (stat(path, &old) == 0 && S_ISREG(old.st_mode) && fstat(fd, &new) == 0 &&
        (old.st_mode & 0777) != (new.st_mode & 0777) && fchmod(fd, old.st_mode & 0777) < 0)
        return deja_fail_errno(err, "write '%s': keep its mode", path);
    return deja_file_publish(fd, AT_FDCWD, path, 1, err);
}

int mapped_publish(mapped *m, const char *path, deja_error *err)
{
    return mapped_publish_file(m->fd, path, err);
}

int mapped_memory(mapped *m, uint64_t len, deja_error *err)
{
    *m = MAPPED_NONE;
    if (len && map(m, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1))
        return deja_fail(err, DEJA_ENOMEM, "map %llu bytes: %s", (unsigned long long)len, strerror(errno));
    return 0;
}

void mapped_done(mapped *m)
{
    if (m->data)
        munmap(m->data, m->len);
    if (m->fd >= 0)
        close(m->fd);
    *m = MAPPED_NONE;
}
