/*
 * Folders: making them with their parents, and syncing the one that holds a file.
 */
#include "parents.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int is_folder(int dirfd, const char *path)
{
    struct stat st;
    return fstatat(dirfd, path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static int is_dangling(int dirfd, const char *path)
{
    struct stat st;
    return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
           fstatat(dirfd, path, &st, 0) < 0;
}

/* As mkdir -p does it: what exists already needs no right to write beside it. */
static int make_folder(int dirfd, const char *path, unsigned mode, deja_error *err)
{
    if (mkdirat(dirfd, path, (mode_t)mode) == 0)
        return 0;
    int sys_errno = errno;
    if (is_folder(dirfd, path))
        return 0;
    if (sys_errno == EEXIST && is_dangling(dirfd, path))
        return deja_fail(err, DEJA_EEXIST, "make folder '%s': it is a link that leads to nothing", path);
    errno = sys_errno;
    return deja_fail_errno(err, "make folder '%s'", path);
}

char *parents_folder(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    if (!len)
        return deja_strdup(".");
    while (len > 1 && path[len - 1] == '/')
        len--;
    return deja_dup(path, len);
}

int deja_file_make_dirs(int dirfd, const char *path, unsigned mode, deja_error *err)
{
    if (is_folder(dirfd, path))
        return 0;
    DEJA_AUTO_FREE char *part = deja_strdup(path);
    if (!part)
        return deja_fail(err, DEJA_ENOMEM, "make folder '%s': out of memory", path);
    for (size_t at = 1; part[0] && part[at]; at++) {
        if (part[at] != '/' || part[at - 1] == '/')
            continue;
        part[at] = '\0';
        int r = make_folder(dirfd, part, mode, err);
        part[at] = '/';
        if (r)
            return r;
    }
    return make_folder(dirfd, part, mode, err);
}

int deja_file_make_parents(int dirfd, const char *path, unsigned mode, deja_error *err)
{
    DEJA_AUTO_FREE char *folder = parents_folder(path);
    if (!folder)
        return deja_fail(err, DEJA_ENOMEM, "make the folder of '%s': out of memory", path);
    return deja_file_make_dirs(dirfd, folder, mode, err);
}

int deja_file_sync_parent(int dirfd, const char *path, deja_error *err)
{
    DEJA_AUTO_FREE char *folder = parents_folder(path);
    if (!folder)
        return deja_fail(err, DEJA_ENOMEM, "sync the folder of '%s': out of memory", path);
    int opened;
    do
        opened = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (opened < 0 && errno == EINTR);
    DEJA_AUTO_CLOSE int fd = opened;
    if (fd < 0)
        return deja_fail_errno(err, "open folder '%s'", folder);
    int r;
    do
        r = fsync(fd);
    while (r && errno == EINTR);
    /* EINVAL: a file system that has no way to sync a folder (fsync(2)); there is nothing more to be had. */
    if (r && errno != EINVAL)
        return deja_fail_errno(err, "sync folder '%s'", folder);
    return 0;
}
