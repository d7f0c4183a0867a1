/*
 * Files that appear whole or not at all: unnamed ones that get their name when they are finished, and the
 * atomic replacement of a file. A name of ours is ".deja-" and 16 random digits: never predictable, never
 * reused.
 */
#include "parents.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>

#define TRIES 16 /* a collision of 64 random bits does not happen; a hostile folder is not tried for ever */

static int random_name(deja_buffer *b, const char *folder, deja_error *err)
{
    uint64_t id;
    ssize_t n;
    do
        n = getrandom(&id, sizeof id, 0);
    while (n < 0 && errno == EINTR);
    if (n != sizeof id)
        return deja_fail_errno(err, "random number");
    deja_buffer_clear(b);
    deja_buffer_addf(b, "%s/.deja-%016llx", folder, (unsigned long long)id);
    return b->failed ? deja_fail(err, DEJA_ENOMEM, "name a file in '%s': out of memory", folder) : 0;
}

/* A new file with a unique name in the folder; the name goes to `b`. fd or negative code. */
static int create_named(int dirfd, const char *folder, unsigned mode, deja_buffer *b, deja_error *err)
{
    for (int i = 0; i < TRIES; i++) {
        int r = random_name(b, folder, err);
        if (r)
            return r;
        int fd =
            openat(dirfd, deja_buffer_string(b), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST && errno != EINTR)
            return deja_fail_errno(err, "make a file in '%s'", folder);
    }
    return deja_fail(err, DEJA_EEXIST, "make a file in '%s': every name is taken", folder);
}

static int sync_file(int fd, const char *path, deja_error *err)
{
    int r;
    do
        r = fsync(fd);
    while (r && errno == EINTR);
    return r ? deja_fail_errno(err, "sync '%s'", path) : 0;
}

/* AT_EMPTY_PATH needs CAP_DAC_READ_SEARCH, the way over /proc needs a mounted one: open(2), O_TMPFILE. */
static int link_unnamed(int fd, int dirfd, const char *path)
{
    if (linkat(fd, "", dirfd, path, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOENT && errno != EPERM && errno != EINVAL)
        return -1;
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, dirfd, path, AT_SYMLINK_FOLLOW);
}

/* rename(2) that does not replace, where the file system has it (FAT has, and no links); else link(2), which
   leaves the first name behind. A system call, as musl has no function for it. */
static int rename_once(int dirfd, const char *from, const char *path)
{
    if (syscall(SYS_renameat2, dirfd, from, dirfd, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    return linkat(dirfd, from, dirfd, path, 0);
}

static int fill_copy(int from, int to, const char *path, deja_error *err)
{
    struct stat st;
    if (fstat(from, &st))
        return deja_fail_errno(err, "stat '%s'", path);
    int r = deja_file_copy(from, to, (uint64_t)st.st_size, path, err);
    if (r)
        return r;
    if (fchmod(to, st.st_mode & 07777))
        return deja_fail_errno(err, "set the mode of '%s'", path);
    return sync_file(to, path, err);
}

/* For a file that was unlinked, or lies on another file system: no link leads to it, so a copy gets the name.
 */
static int link_copy(int from, int dirfd, const char *path, deja_error *err)
{
    DEJA_AUTO_FREE char *folder = parents_folder(path);
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    if (!folder)
        return deja_fail(err, DEJA_ENOMEM, "name '%s': out of memory", path);
    DEJA_AUTO_CLOSE int to = create_named(dirfd, folder, 0600, &name, err);
    if (to < 0)
        return to;
    int r = fill_copy(from, to, path, err);
    if (!r && rename_once(dirfd, deja_buffer_string(&name), path))
        r = deja_fail_errno(err, "name '%s'", path);
    unlinkat(dirfd, deja_buffer_string(&name), 0);
    return r;
}

static int fill(int fd, const char *path, const void *data, size_t len, unsigned mode, deja_error *err)
{
    int r = deja_file_write_all(fd, data, len, path, err);
    if (r)
        return r;
    return fchmod(fd, (mode_t)mode) ? deja_fail_errno(err, "set the mode of '%s'", path) : 0;
}

/* Names the unnamed file beside `path` and renames it over it: link(2) alone does not replace. */
static int rename_over(int fd, int dirfd, const char *folder, const char *path, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    int r = random_name(&name, folder, err);
    if (!r)
        r = deja_file_link(fd, dirfd, deja_buffer_string(&name), err);
    if (r)
        return r;
    if (renameat(dirfd, deja_buffer_string(&name), dirfd, path) == 0)
        return 0;
    r = deja_fail_errno(err, "replace '%s'", path);
    unlinkat(dirfd, deja_buffer_string(&name), 0);
    return r;
}

static int make_unnamed(int dirfd, const char *folder, unsigned mode, deja_error *err)
{
    int fd;
    do
        fd = openat(dirfd, folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0)
        return fd;
    /* EISDIR and EOPNOTSUPP say that the file system has no O_TMPFILE; EINVAL is seen from FUSE. */
    if (errno != EISDIR && errno != EOPNOTSUPP && errno != EINVAL)
        return deja_fail_errno(err, "make a file in '%s'", folder);
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    fd = create_named(dirfd, folder, mode, &name, err);
    if (fd >= 0)
        unlinkat(dirfd, deja_buffer_string(&name), 0);
    return fd;
}

int deja_file_unnamed(int dirfd, const char *folder, deja_error *err)
{
    return make_unnamed(dirfd, folder, 0600, err);
}

int deja_file_link(int fd, int dirfd, const char *path, deja_error *err)
{
    if (link_unnamed(fd, dirfd, path) == 0)
        return 0;
    if (errno == ENOENT || errno == EXDEV || errno == EPERM || errno == EOPNOTSUPP)
        return link_copy(fd, dirfd, path, err);
    return deja_fail_errno(err, "name '%s'", path);
}

int deja_file_target(deja_buffer *b, const char *path, deja_error *err)
{
    struct stat at, to;
    if (lstat(path, &at) < 0) { /* what is wrong, whoever makes it tells */
        deja_buffer_add_string(b, path);
    } else if (stat(path, &to) < 0) {
        return deja_fail_errno(err, "write '%s': follow the link", path);
    } else if (!S_ISREG(to.st_mode)) {
        return deja_fail(err, DEJA_ETYPE, "write '%s': it is there and is no regular file", path);
    } else {
        DEJA_AUTO_FREE char *real = S_ISLNK(at.st_mode) ? realpath(path, NULL) : NULL;
        if (S_ISLNK(at.st_mode) && !real)
            return deja_fail_errno(err, "write '%s': follow the link", path);
        deja_buffer_add_string(b, real ? real : path);
    }
    return b->failed ? deja_fail(err, DEJA_ENOMEM, "write '%s': out of memory", path) : 0;
}

int deja_file_begin(int dirfd, const char *path, unsigned mode, deja_error *err)
{
    DEJA_AUTO_FREE char *folder = parents_folder(path);
    if (!folder)
        return deja_fail(err, DEJA_ENOMEM, "write '%s': out of memory", path);
    int fd = make_unnamed(dirfd, folder, mode, err);
    if (fd < 0)
        deja_fail_in(err, "write '%s'", path);
    return fd;
}

int deja_file_publish(int fd, int dirfd, const char *path, int sync, deja_error *err)
{
    DEJA_AUTO_FREE char *folder = parents_folder(path);
    if (!folder)
        return deja_fail(err, DEJA_ENOMEM, "write '%s': out of memory", path);
    int r = sync ? sync_file(fd, path, err) : 0;
    if (!r)
        r = rename_over(fd, dirfd, folder, path, err);
    if (!r && sync)
        r = deja_file_sync_parent(dirfd, path, err);
    return r;
}

int deja_file_replace(int dirfd, const char *path, const void *data, size_t len, unsigned mode, int sync,
                      deja_error *err)
{
    DEJA_AUTO_CLOSE int fd = deja_file_begin(dirfd, path, 0600, err);
    if (fd < 0)
        return fd;
    int r = fill(fd, path, data, len, mode, err);
    return r ? r : deja_file_publish(fd, dirfd, path, sync, err);
}
