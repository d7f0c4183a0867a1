/*
 * Blobs: contents named by their hash. Publishing is sync, link, sync of the folder; checking is hashing,
 * remembered by stat data.
 */
#include "blob.h"
#include "digest.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define FOLDER_DIGITS 2
#define HEX_DIGITS    (DEJA_HASH_HEX - 1)
#define FOLDERS       256
#define FOLDER_PATH   sizeof "blobs/ab"
#define TRIES         8 /* rounds of finding a blob that is gone, or there, a moment later */

/* Returns `code`, and where that is a failure its text says which cache. */
static int in_cache(const struct folder *f, int code, deja_error *err)
{
    if (code < 0)
        deja_fail_in(err, "the cache '%s'", f->path);
    return code;
}

static int open_blob(const struct folder *f, const char *path)
{
    int fd;
    do
        fd = openat(f->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int sync_fd(int fd, const char *path, deja_error *err)
{
    int r;
    do
        r = fsync(fd);
    while (r && errno == EINTR);
    return r ? deja_fail_errno(err, "sync '%s'", path) : 0;
}

static int is_blob(const struct stat *st, uint64_t size)
{
    return S_ISREG(st->st_mode) && (uint64_t)st->st_size == size;
}

static int is_same(const deja_content *a, const deja_content *b)
{
    return a->kind == b->kind && a->size == b->size && deja_hash_equal(&a->hash, &b->hash);
}

/* What tells this file, as it is, from others and from itself later. */
static uint64_t mark_of(const struct stat *st)
{
    uint64_t values[] = {(uint64_t)st->st_dev,         (uint64_t)st->st_ino,
                         (uint64_t)st->st_mode,        (uint64_t)st->st_size,
                         (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
                         (uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec};
    return deja_hash64(values, sizeof values);
}

/* Damage is the code for everything that reading the file again would not mend: a bad sector is as good as a
 * wrong byte. */
static int read_whole(deja_cache *c, int fd, const struct stat *st, const deja_content *content,
                      const char *path, const deja_stop *stop, deja_error *err)
{
    deja_content found = {.kind = DEJA_CONTENT_FILE, .size = content->size};
    int64_t began = statmem_now_ns(c->statmem);
    int r = digest_fd(fd, content->size, &found.hash, stop, err);
    if (r == DEJA_EIO || r == DEJA_ECHANGED)
        return deja_fail(err, DEJA_ECORRUPT, "blob '%s' cannot be read", path);
    if (r)
        return r;
    if (!is_same(&found, content))
        return deja_fail(err, DEJA_ECORRUPT, "blob '%s' is damaged", path);
    statmem_note(c->statmem, st, &found, began, STATMEM_OURS);
    return 0;
}

static int check_open(deja_cache *c, int fd, const deja_content *content, const char *path,
                      uint64_t *ret_seen, const deja_stop *stop, deja_error *err)
{
    struct stat st;
    deja_content known;
    if (fstat(fd, &st))
        return deja_fail_errno(err, "look at blob '%s'", path);
    *ret_seen = mark_of(&st);
    if (!is_blob(&st, content->size))
        return deja_fail(err, DEJA_ECORRUPT, "blob '%s' has the wrong length", path);
    if (statmem_find(c->statmem, &st, &known, NULL) && is_same(&known, content))
        return 0;
    return read_whole(c, fd, &st, content, path, stop, err);
}

/* What stands in the place of a blob and cannot be opened (a link, a socket, a file without permissions in a
   folder that is ours alone) is damage; lack of something is not. */
static int fail_to_open(const char *path, deja_error *err)
{
    int sys_errno = errno;
    int code = deja_fail_errno(err, "open blob '%s'", path);
    if (code == DEJA_ENOTFOUND || code == DEJA_ERESOURCE || code == DEJA_ENOMEM)
        return code;
    return deja_fail(err, DEJA_ECORRUPT, "blob '%s' cannot be opened: %s", path,
                     deja_error_meaning(deja_code_of_errno(sys_errno)));
}

/* As open_checked, without a warning. */
static int open_sound(deja_cache *c, const deja_content *content, const char *path, uint64_t *ret_seen,
                      const deja_stop *stop, deja_error *err)
{
    DEJA_AUTO_CLOSE int fd = open_blob(&c->folder, path);
    if (fd < 0)
        return fail_to_open(path, err);
    int r = check_open(c, fd, content, path, ret_seen, stop, err);
    return r ? r : deja_take_fd(fd);
}

static int open_checked(deja_cache *c, const deja_content *content, uint64_t *ret_seen, const deja_stop *stop,
                        deja_error *err)
{
    char path[BLOB_PATH];
    blob_path(&content->hash, path);
    int fd = open_sound(c, content, path, ret_seen, stop, err);
    if (fd == DEJA_ECORRUPT)
        cache_warn(c, CACHE_WARN_BLOB, "'%s/%s' is damaged: what it holds will be made again", c->folder.path,
                   path);
    return in_cache(&c->folder, fd, err);
}

static int sync_parent(deja_cache *c, const char *path, deja_error *err)
{
    return c->flags & DEJA_CACHE_NO_SYNC ? 0 : deja_file_sync_parent(c->folder.fd, path, err);
}

/* 1 made, 0 was there already. */
static int make_folder(deja_cache *c, const char *name, deja_error *err)
{
    if (mkdirat(c->folder.fd, name, 0700) == 0)
        return 1;
    return errno == EEXIST ? 0 : deja_fail_errno(err, "make '%s'", name);
}

/* Every folder that is there before "blobs" is synced is known to stay. */
static int sync_folders(deja_cache *c, deja_error *err)
{
    uint64_t there[FOLDERS / 64] = {0};
    for (unsigned n = 0; n < FOLDERS; n++) {
        char name[FOLDER_PATH];
        snprintf(name, sizeof name, "blobs/%02x", n & 0xffu);
        if (faccessat(c->folder.fd, name, F_OK, 0) == 0)
            there[n / 64] |= UINT64_C(1) << n % 64;
    }
    int r = sync_parent(c, "blobs/ab", err);
    for (unsigned i = 0; !r && i < FOLDERS / 64; i++)
        atomic_fetch_or(&c->lasting_folders[i], there[i]);
    return r;
}

/*
 * The folder of blob `path` is there, and will be after a power cut: another process that has made it may not
 * have come to syncing the one above. Costs one sync in the life of a process, and one for each folder it
 * makes.
 */
static int settle_folder(deja_cache *c, const deja_hash *hash, const char *path, deja_error *err)
{
    char name[FOLDER_PATH];
    unsigned n = hash->byte[0];
    snprintf(name, sizeof name, "%.*s", (int)sizeof name - 1, path);
    if (atomic_load(&c->lasting_folders[n / 64]) >> n % 64 & 1 && faccessat(c->folder.fd, name, F_OK, 0) == 0)
        return 0;
    int r = make_folder(c, "blobs", err);
    if (r > 0)
        r = sync_parent(c, "blobs", err);
    if (!r)
        r = make_folder(c, name, err);
    return r < 0 ? r : sync_folders(c, err);
}

/* The stage gets the name. DEJA_EEXIST when another process was quicker. */
static int name_stage(deja_cache *c, int fd, const deja_content *content, const char *path, deja_error *err)
{
    struct stat st;
    int r = settle_folder(c, &content->hash, path, err);
    if (!r && fchmod(fd, 0444))
        r = deja_fail_errno(err, "protect blob '%s'", path);
    if (!r && !(c->flags & DEJA_CACHE_NO_SYNC))
        r = sync_fd(fd, path, err);
    if (!r)
        r = deja_file_link(fd, c->folder.fd, path, err);
    if (!r)
        r = sync_parent(c, path, err);
    if (!r && fstat(fd, &st) == 0 && st.st_nlink == 1)
        statmem_note(c->statmem, &st, content, statmem_now_ns(c->statmem), STATMEM_OURS);
    return r;
}

static int remove_blob(const struct folder *f, const char *path, deja_error *err)
{
    return unlinkat(f->fd, path, 0) && errno != ENOENT ? deja_fail_errno(err, "remove '%s'", path) : 0;
}

static int publish(deja_cache *c, int fd, const deja_content *content, deja_error *err)
{
    char path[BLOB_PATH];
    uint64_t seen;
    blob_path(&content->hash, path);
    for (int i = 0; i < TRIES; i++) {
        DEJA_AUTO_CLOSE int there = open_sound(c, content, path, &seen, NULL, err);
        if (there >= 0) {
            /* Its maker may not have come to that yet. */
            int r = settle_folder(c, &content->hash, path, err);
            return r ? r : sync_parent(c, path, err);
        }
        if (there == DEJA_ECORRUPT) {
            cache_warn(c, CACHE_WARN_BLOB, "'%s/%s' was damaged and is replaced", c->folder.path, path);
            int r = remove_blob(&c->folder, path, err);
            if (r)
                return r;
        } else if (there != DEJA_ENOTFOUND) {
            return there;
        }
        int r = name_stage(c, fd, content, path, err);
        if (r != DEJA_EEXIST)
            return r;
    }
    return deja_fail(err, DEJA_EBUSY, "blob '%s' comes and goes", path);
}

static int read_folder(DIR *dir, unsigned n, int (*each)(void *context, const deja_hash *hash), void *context)
{
    struct dirent *entry;
    int r = 0;
    while (!r && (entry = readdir(dir))) {
        char hex[DEJA_HASH_HEX];
        deja_hash hash;
        if (strlen(entry->d_name) != HEX_DIGITS - FOLDER_DIGITS)
            continue;
        snprintf(hex, sizeof hex, "%02x%.30s", n & 0xffu, entry->d_name);
        if (deja_hash_parse(&hash, hex) == 0)
            r = each(context, &hash);
    }
    return r;
}

void blob_path(const deja_hash *hash, char path[BLOB_PATH])
{
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(hash, hex);
    snprintf(path, BLOB_PATH, "blobs/%.2s/%s", hex, hex + FOLDER_DIGITS);
}

int blob_stage(const struct folder *f, deja_error *err)
{
    deja_error local;
    err = err ? err : &local;
    int fd = deja_file_unnamed(f->fd, "blobs", err);
    if (fd == DEJA_ENOTFOUND) {
        if (mkdirat(f->fd, "blobs", 0700) && errno != EEXIST)
            fd = deja_fail_errno(err, "make 'blobs'");
        else
            fd = deja_file_unnamed(f->fd, "blobs", err);
    }
    return in_cache(f, fd, err);
}

int blob_present(const struct folder *f, const deja_hash *hash, uint64_t size)
{
    char path[BLOB_PATH];
    struct stat st;
    blob_path(hash, path);
    return fstatat(f->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_blob(&st, size);
}

int blob_open(deja_cache *c, const deja_content *content, deja_error *err)
{
    uint64_t seen;
    return open_checked(c, content, &seen, NULL, err);
}

int blob_remembered(deja_cache *c, const deja_content *content, uint64_t *ret_seen)
{
    char path[BLOB_PATH];
    struct stat st;
    deja_content known;
    blob_path(&content->hash, path);
    if (fstatat(c->folder.fd, path, &st, AT_SYMLINK_NOFOLLOW) || !is_blob(&st, content->size) ||
        !statmem_find(c->statmem, &st, &known, NULL) || !is_same(&known, content))
        return 0;
    if (ret_seen)
        *ret_seen = mark_of(&st);
    return 1;
}

int blob_check(deja_cache *c, const deja_content *content, uint64_t *ret_seen, deja_error *err)
{
    uint64_t unused;
    if (blob_remembered(c, content, ret_seen))
        return 0;
    DEJA_AUTO_CLOSE int fd = open_checked(c, content, ret_seen ? ret_seen : &unused, &c->stop_all, err);
    return fd < 0 ? fd : 0;
}

int blob_open_seen(deja_cache *c, const deja_content *content, uint64_t seen, deja_error *err)
{
    char path[BLOB_PATH];
    struct stat st;
    blob_path(&content->hash, path);
    DEJA_AUTO_CLOSE int fd = open_blob(&c->folder, path);
    if (fd < 0 || fstat(fd, &st))
        return in_cache(&c->folder, deja_fail_errno(err, "open blob '%s'", path), err);
    if (mark_of(&st) != seen)
        return in_cache(&c->folder, deja_fail(err, DEJA_ENOTFOUND, "blob '%s' is another one by now", path),
                        err);
    return deja_take_fd(fd);
}

int blob_copy(deja_cache *c, const deja_content *content, int to, const char *path, deja_error *err)
{
    struct stat st;
    uint64_t seen;
    DEJA_AUTO_CLOSE int fd = open_checked(c, content, &seen, &c->stop_all, err);
    if (fd < 0)
        return fd;
    int r = deja_file_copy_until(&c->stop_all, fd, to, content->size, path, err);
    if (r && r != DEJA_ECHANGED)
        return r;
    if (r || fstat(fd, &st) || mark_of(&st) != seen)
        return deja_fail(err, DEJA_ENOTFOUND, "the blob of '%s' changed while it was copied", path);
    return 0;
}

int blob_publish(deja_cache *c, int fd, const deja_content *content, deja_error *err)
{
    deja_error local;
    err = err ? err : &local;
    return in_cache(&c->folder, publish(c, fd, content, err), err);
}

int blob_remove(const struct folder *f, const deja_hash *hash, deja_error *err)
{
    char path[BLOB_PATH];
    blob_path(hash, path);
    return in_cache(f, remove_blob(f, path, err), err);
}

int blob_each(const struct folder *f, unsigned n, int (*each)(void *context, const deja_hash *hash),
              void *context, deja_error *err)
{
    char name[BLOB_PATH];
    snprintf(name, sizeof name, "blobs/%02x", n & 0xffu);
    int fd = openat(f->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : deja_fail_errno(err, "open '%s/%s'", f->path, name);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int r = deja_fail_errno(err, "open '%s/%s'", f->path, name);
        close(fd);
        return r;
    }
    int r = read_folder(dir, n, each, context);
    closedir(dir);
    return r;
}
