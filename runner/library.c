/*
 * What the head of an ELF file tells (elf(5)), and who may write where it lies.
 */
#include "library.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/memory.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Our own head, by the linker: what a library for this program must look like. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static int check_head(const char *path, int fd, deja_error *err)
{
    ElfW(Ehdr) head;
    const ElfW(Ehdr) *own = &__ehdr_start;
    ssize_t n = deja_file_read_at(fd, &head, sizeof head, 0);
    if (n < 0)
        return deja_fail_errno(err, "read library '%s'", path);
    if (n < EI_NIDENT || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return deja_fail(err, DEJA_ETYPE, "'%s' is no shared library", path);
    if (head.e_ident[EI_CLASS] != own->e_ident[EI_CLASS] || head.e_ident[EI_DATA] != own->e_ident[EI_DATA] ||
        n < (ssize_t)sizeof head || head.e_machine != own->e_machine)
        return deja_fail(err, DEJA_ETYPE,
                         "library '%s' is for another kind of machine: build it for this one", path);
    if (head.e_type != ET_DYN)
        return deja_fail(err, DEJA_ETYPE, "'%s' is no shared library: link it with -shared", path);
    return 0;
}

/* The group that the user's own files have is the user's own on most systems (umask 002). */
static int others_may_write(const struct stat *st)
{
    return (st->st_mode & S_IWOTH) != 0 || ((st->st_mode & S_IWGRP) != 0 && st->st_gid != getegid());
}

static int is_owned(const struct stat *st)
{
    return st->st_uid == geteuid() || st->st_uid == 0;
}

/* With the sticky bit only owners rename and remove what lies in it. */
static int check_folder(const char *path, deja_error *err)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    DEJA_AUTO_FREE char *folder = deja_strdup(path);
    if (!folder || !slash)
        return deja_fail(err, folder ? DEJA_EINVAL : DEJA_ENOMEM, "look at library '%s'", path);
    folder[slash > path ? slash - path : 1] = '\0';
    if (stat(folder, &st) < 0)
        return deja_fail_errno(err, "look at folder '%s'", folder);
    if (is_owned(&st) && (!others_may_write(&st) || (st.st_mode & S_ISVTX)))
        return 0;
    return deja_fail(err, DEJA_EDENIED,
                     "library '%s' is not loaded: others may replace it in its folder: chmod go-w '%s'", path,
                     folder);
}

static int check_file(const char *path, const struct stat *st, deja_error *err)
{
    if (!S_ISREG(st->st_mode))
        return deja_fail(err, DEJA_ETYPE, "'%s' is no shared library", path);
    if (!is_owned(st))
        return deja_fail(err, DEJA_EDENIED, "library '%s' is not loaded: it belongs to user %u", path,
                         (unsigned)st->st_uid);
    if (others_may_write(st))
        return deja_fail(err, DEJA_EDENIED,
                         "library '%s' is not loaded: others may write to it: chmod go-w '%s'", path, path);
    return 0;
}

/* The folder that the name stands in, and that of the file where the name is a link. */
static int check_folders(const char *path, deja_error *err)
{
    char real[PATH_MAX];
    int rc = check_folder(path, err);
    if (rc < 0)
        return rc;
    if (!realpath(path, real))
        return deja_fail_errno(err, "look at library '%s'", path);
    return strcmp(real, path) != 0 ? check_folder(real, err) : 0;
}

int library_check(const char *path, object_id *ret, deja_error *err)
{
    struct stat st;
    DEJA_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return deja_fail(err, DEJA_ENOTFOUND, "library '%s' does not exist", path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return deja_fail_errno(err, "open library '%s'", path);
    int rc = check_file(path, &st, err);
    if (rc == 0)
        rc = check_folders(path, err);
    if (rc == 0)
        rc = check_head(path, fd, err);
    if (rc == 0)
        object_of_file(&st, ret);
    return rc;
}

int library_is(const char *path, const object_id *id)
{
    struct stat st;
    object_id now;
    if (stat(path, &st) < 0)
        return 0;
    object_of_file(&st, &now);
    return object_is_same(&now, id);
}
