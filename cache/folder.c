/*
 * The folder of a cache. Who may write to it decides what jobs' results are: so it is ours alone, or it is
 * refused.
 */
#include "folder.h"

#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>

#define LOCK_WAIT_NS    (20 * DEJA_S_NS)
#define LOCK_PAUSE_NS   (5 * DEJA_MS_NS)
#define PATH_MOST       (512 - sizeof "/db.new-journal") /* bytes; what SQLite opens: MAX_PATHNAME of os_unix.c */
#define DAMAGED_AT_MOST 10000 /* that many damaged databases are a matter for a person */

static const char *const side_files[] = {"-wal", "-shm", "-journal"};
#define SIDE_FILES (sizeof side_files / sizeof *side_files)

/* Where locks or shared memory do not reach all who may write: statfs(2), and the sources of the file
 * systems. */
static int is_network(uint64_t type)
{
    static const uint64_t types[] = {
        NFS_SUPER_MAGIC,
        SMB_SUPER_MAGIC,
        CIFS_SUPER_MAGIC,
        SMB2_SUPER_MAGIC,
        CODA_SUPER_MAGIC,
        AFS_SUPER_MAGIC,
        AFS_FS_MAGIC,
        V9FS_MAGIC,
        CEPH_SUPER_MAGIC,
        0x65735546 /* FUSE: sshfs */,
        0x0bd00bd0 /* Lustre */,
        0x47504653 /* GPFS */,
        0x786f4256 /* VirtualBox */,
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (type == types[i])
            return 1;
    return 0;
}

static int set_paths(struct folder *f, const char *path, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    if (path[0] != '/') {
        char here[PATH_MAX];
        if (!getcwd(here, sizeof here))
            return deja_fail_errno(err, "find the working directory");
        deja_buffer_addf(&b, "%s/", here);
    }
    deja_buffer_add_string(&b, path);
    f->path = deja_strdup(deja_buffer_string(&b));
    deja_buffer_add_string(&b, "/" FOLDER_DB);
    f->db = deja_buffer_take(&b);
    if (!f->path || !f->db)
        return deja_fail(err, DEJA_ENOMEM, "open the cache '%s': out of memory", path);
    size_t len = strlen(f->path);
    if (len > PATH_MOST)
        return deja_fail(
            err, DEJA_ELIMIT,
            "the path of the cache has %zu bytes, and a database can be opened with %zu: choose another "
            "folder (DEJA_CACHE), not '%s'",
            len, PATH_MOST, path);
    return 0;
}

static int fail_foreign(const struct folder *f, uid_t owner, deja_error *err)
{
    return deja_fail(
        err, DEJA_EDENIED,
        "the cache '%s' belongs to user %u, not to you (user %u): choose another folder (DEJA_CACHE)",
        f->path, (unsigned)owner, (unsigned)geteuid());
}

static int fail_open(const struct folder *f, deja_error *err)
{
    struct stat st;
    int sys_errno = errno;
    if (sys_errno == EACCES && stat(f->path, &st) == 0 && st.st_uid != geteuid())
        return fail_foreign(f, st.st_uid, err);
    errno = sys_errno;
    return deja_fail_errno(err, "open the cache '%s'", f->path);
}

static int open_folder(struct folder *f, int read_only, deja_error *err)
{
    for (int made = 0;; made = 1) {
        f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (f->fd >= 0)
            return 0;
        if (errno == ENOTDIR)
            return deja_fail(err, DEJA_EEXIST,
                             "the cache '%s' is not a folder: choose another place for the cache", f->path);
        if (errno != ENOENT || made || read_only)
            return fail_open(f, err);
        int r = deja_file_make_dirs(AT_FDCWD, f->path, 0700, err);
        if (r) {
            deja_fail_in(err, "make the cache '%s'", f->path);
            return r;
        }
        f->made = 1;
    }
}

static int check_owner(const struct folder *f, deja_error *err)
{
    struct stat st;
    if (fstat(f->fd, &st))
        return deja_fail_errno(err, "look at the cache '%s'", f->path);
    if (st.st_uid != geteuid())
        return fail_foreign(f, st.st_uid, err);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return deja_fail(
            err, DEJA_EDENIED,
            "others may write to the cache '%s': run 'chmod go-w' on it if you trust what is in it", f->path);
    return 0;
}

static int check_writable(const struct folder *f, deja_error *err)
{
    if (faccessat(f->fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
        return 0;
    if (errno == EROFS)
        return deja_fail(
            err, DEJA_EDENIED,
            "the cache '%s' is on a read-only file system: choose another folder (DEJA_CACHE), or set "
            "DEJA_MODE=readonly to use what is there",
            f->path);
    if (errno == EACCES)
        return deja_fail(err, DEJA_EDENIED,
                         "you may not write to the cache '%s': run 'chmod u+rwx' on it, or set "
                         "DEJA_MODE=readonly to use what is there",
                         f->path);
    return deja_fail_errno(err, "look at the cache '%s'", f->path);
}

static int write_once(const struct folder *f, const char *name, const char *text, deja_error *err)
{
    DEJA_AUTO_CLOSE int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : deja_fail_errno(err, "make '%s/%s'", f->path, name);
    return deja_file_write_all(fd, text, strlen(text), name, err);
}

static int make_folder(const struct folder *f, const char *name, deja_error *err)
{
    if (mkdirat(f->fd, name, 0700) == 0 || errno == EEXIST)
        return 0;
    return deja_fail_errno(err, "make '%s/%s'", f->path, name);
}

int folder_open(struct folder *f, const char *path, int read_only, deja_error *err)
{
    *f = (struct folder){.fd = -1};
    int r = path && *path ? set_paths(f, path, err) : deja_fail(err, DEJA_EINVAL, "a cache needs a folder");
    if (!r)
        r = open_folder(f, read_only, err);
    if (!r)
        r = check_owner(f, err);
    if (!r && !read_only)
        r = check_writable(f, err);
    struct statfs fs;
    if (!r && fstatfs(f->fd, &fs))
        r = deja_fail_errno(err, "look at the file system of '%s'", path);
    if (r)
        folder_close(f);
    else
        f->network = is_network((uint64_t)(uint32_t)fs.f_type);
    return r;
}

void folder_close(struct folder *f)
{
    if (f->path && f->fd >= 0)
        close(f->fd);
    deja_free(f->path);
    deja_free(f->db);
    *f = (struct folder){.fd = -1};
}

int folder_lock(const struct folder *f, deja_error *err)
{
    DEJA_AUTO_CLOSE int fd = openat(f->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return deja_fail_errno(err, "open '%s/lock'", f->path);
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    int64_t until = deja_monotonic_ns(NULL) + LOCK_WAIT_NS;
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return deja_fail_errno(err, "lock '%s/lock'", f->path);
        if (deja_monotonic_ns(NULL) > until)
            return deja_fail(err, DEJA_EBUSY, "another process has been making the cache '%s' for 20 s",
                             f->path);
        nanosleep(&pause, NULL);
    }
    return deja_take_fd(fd);
}

int folder_furnish(const struct folder *f, deja_error *err)
{
    int r = write_once(f, ".gitignore", "*\n", err);
    if (!r)
        r = write_once(f, "CACHEDIR.TAG",
                       "Signature: 8a477f597d28d172789f06886806bc55\n"
                       "# This folder is a cache of deja: it can be made again.\n"
                       "# See https://bford.info/cachedir/\n",
                       err);
    if (!r)
        r = make_folder(f, "blobs", err);
    return r ? r : make_folder(f, "claims", err);
}

int folder_move_aside(const struct folder *f, unsigned *ret_n, deja_error *err)
{
    char to[64], from[32];
    unsigned n = 1;
    for (;; n++) {
        snprintf(to, sizeof to, FOLDER_DB ".damaged-%u", n);
        if (faccessat(f->fd, to, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
            break;
        if (n == DAMAGED_AT_MOST)
            return deja_fail(err, DEJA_ELIMIT, "too many damaged databases in '%s'", f->path);
    }
    if (renameat(f->fd, FOLDER_DB, f->fd, to) && errno != ENOENT)
        return deja_fail_errno(err, "move the damaged database of '%s' aside", f->path);
    for (size_t i = 0; i < SIDE_FILES; i++) {
        snprintf(from, sizeof from, FOLDER_DB "%s", side_files[i]);
        snprintf(to, sizeof to, FOLDER_DB ".damaged-%u%s", n, side_files[i]);
        if (renameat(f->fd, from, f->fd, to) && errno != ENOENT)
            return deja_fail_errno(err, "move '%s/%s' aside", f->path, from);
    }
    *ret_n = n;
    return 0;
}

int folder_drop_side_files(const struct folder *f, deja_error *err)
{
    char name[32];
    for (size_t i = 0; i < SIDE_FILES; i++) {
        snprintf(name, sizeof name, FOLDER_DB "%s", side_files[i]);
        if (unlinkat(f->fd, name, 0) && errno != ENOENT)
            return deja_fail_errno(err, "remove '%s/%s'", f->path, name);
    }
    return 0;
}
