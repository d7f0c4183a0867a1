/*
 * A file is ours when we have its lock and it is still the one that has the name: its last user removes it
 * while nobody else can have the lock.
 */
#include "held_list.h"
#include "job_list.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A list that others remove each time before we have its lock is given up. */
#define TRIES 100

typedef struct held_list {
    const char *path;
    int fd;
} held_list;

static int make_folders(int root)
{
    if ((mkdirat(root, ".deja", 0700) < 0 && errno != EEXIST) ||
        (mkdirat(root, JOB_LIST_FOLDER, 0700) < 0 && errno != EEXIST))
        return -1;
    return 0;
}

static int is_in_place(int root, const char *path, int fd)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && fstatat(root, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static int is_right(int root, const job_list *l)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    return deja_file_load(root, l->path, l->len, &b, NULL) == 0 && b.len == l->len &&
           (l->len == 0 || memcmp(b.data, l->data, l->len) == 0);
}

/* The descriptor that holds it, or -1: it went, or is not there, or is not what it should be. */
static int take(int root, const job_list *l)
{
    DEJA_AUTO_CLOSE int fd = openat(root, l->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || flock(fd, LOCK_SH) < 0 || !is_in_place(root, l->path, fd) || !is_right(root, l))
        return -1;
    return deja_take_fd(fd);
}

static int write_one(int root, const job_list *l, held_list *ret, deja_error *err)
{
    int status = 0;
    *ret = (held_list){.path = l->path, .fd = take(root, l)};
    for (int i = 0; ret->fd < 0 && status == 0 && i < TRIES; i++) {
        if (make_folders(root) < 0)
            return deja_fail_errno(err, "make folder '%s' for a list of paths", JOB_LIST_FOLDER);
        status = deja_file_replace(root, l->path, l->data, l->len, 0600, 0, err);
        ret->fd = status < 0 ? -1 : take(root, l);
    }
    if (status == 0 && ret->fd < 0)
        status = deja_fail(err, DEJA_EIO, "list of paths '%s' does not stay in place", l->path);
    return status;
}

int held_lists_write(active *a, deja_error *err)
{
    int status = 0;
    held_lists_release(a);
    if (a->job.list_count == 0)
        return 0;
    a->held_lists = deja_calloc(a->job.list_count, sizeof *a->held_lists);
    if (!a->held_lists)
        return deja_fail(err, DEJA_ENOMEM, "list of paths: out of memory");
    for (size_t i = 0; status == 0 && i < a->job.list_count; i++) {
        status = write_one(a->flow->batch->folder_fd, &a->job.lists[i], &a->held_lists[i], err);
        a->held_list_count += status == 0;
    }
    return status;
}

void held_lists_release(active *a)
{
    int root = a->flow->batch->folder_fd;
    for (size_t i = 0; i < a->held_list_count; i++) {
        held_list *h = &a->held_lists[i];
        if (flock(h->fd, LOCK_EX | LOCK_NB) == 0 && is_in_place(root, h->path, h->fd))
            (void)unlinkat(root, h->path, 0);
        close(h->fd);
    }
    deja_free(a->held_lists);
    a->held_lists = NULL;
    a->held_list_count = 0;
}
