/*
 * Putting one output in its place, atomically.
 */
#include "spot.h"
#include "blob.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define SLOTS                                                                                                \
    16 /* temporary names for one output: more processes than that do not replace it at one moment */
#define TRIES       (4 * SLOTS)
#define PARENT_MODE 0777u

/* Where one output goes. */
typedef struct spot {
    int root_fd;
    const char *path;
    deja_buffer folder;    /* that holds it */
    deja_buffer temporary; /* name in the slot that is tried */
} spot;

static int spot_init(spot *s, int root_fd, const char *path, deja_error *err)
{
    const char *slash = strrchr(path, '/');
    *s = (spot){.root_fd = root_fd, .path = path};
    if (slash)
        deja_buffer_add(&s->folder, path, slash == path ? 1 : (size_t)(slash - path));
    else
        deja_buffer_add_string(&s->folder, ".");
    return s->folder.failed ? deja_fail(err, DEJA_ENOMEM, "make '%s': out of memory", path) : 0;
}

static void spot_done(spot *s)
{
    deja_buffer_done(&s->folder);
    deja_buffer_done(&s->temporary);
}

static int use_slot(spot *s, unsigned slot, deja_error *err)
{
    const char *slash = strrchr(s->path, '/'), *name = slash ? slash + 1 : s->path;
    deja_buffer_clear(&s->temporary);
    deja_buffer_addf(&s->temporary, "%s/.deja-%016llx-%u", deja_buffer_string(&s->folder),
                     (unsigned long long)deja_hash64(name, strlen(name)), slot);
    return s->temporary.failed ? deja_fail(err, DEJA_ENOMEM, "make '%s': out of memory", s->path) : 0;
}

/* Removes the file in the slot when nobody holds it. 1 when the slot is free now. A link cannot be held: it
 * goes. */
static int free_slot(const spot *s)
{
    const char *name = deja_buffer_string(&s->temporary);
    struct stat open_st, st;
    DEJA_AUTO_CLOSE int fd = openat(s->root_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 1;
    if (fd < 0)
        return errno == ELOOP && unlinkat(s->root_fd, name, 0) == 0;
    if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &open_st) ||
        fstatat(s->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) || st.st_dev != open_st.st_dev ||
        st.st_ino != open_st.st_ino)
        return 0;
    return unlinkat(s->root_fd, name, 0) == 0;
}

/* What a killed process may have left of this output. */
static void remove_leftover(spot *s)
{
    if (use_slot(s, 0, NULL) == 0 &&
        faccessat(s->root_fd, deja_buffer_string(&s->temporary), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        (void)free_slot(s);
}

static int fail_in_the_way(const spot *s, deja_error *err)
{
    if (errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST)
        return deja_fail(err, DEJA_EEXIST, "a folder is in the way of output '%s'", s->path);
    return deja_fail_errno(err, "replace '%s'", s->path);
}

/*
 * Calls `make` to make the temporary name in the first slot that is free, and renames it to the place. `make`
 * returns DEJA_EEXIST when the name is taken.
 */
static int replace(spot *s, int (*make)(const void *what, const spot *s, deja_error *err), const void *what,
                   deja_error *err)
{
    unsigned slot = 0;
    for (int i = 0; i < TRIES; i++) {
        int r = use_slot(s, slot, err);
        if (!r)
            r = make(what, s, err);
        if (r == DEJA_EEXIST) {
            if (!free_slot(s))
                slot = (slot + 1) % SLOTS;
            continue;
        }
        if (r)
            return r;
        const char *name = deja_buffer_string(&s->temporary);
        if (renameat(s->root_fd, name, s->root_fd, s->path) == 0)
            return 0;
        if (errno == ENOENT)
            continue; /* somebody took it for a leftover */
        r = fail_in_the_way(s, err);
        unlinkat(s->root_fd, name, 0);
        return r;
    }
    return deja_fail(err, DEJA_EBUSY, "replace '%s': too many others do so", s->path);
}

static int open_beside(const spot *s, deja_error *err)
{
    deja_error local;
    err = err ? err : &local;
    int fd = deja_file_unnamed(s->root_fd, deja_buffer_string(&s->folder), err);
    if (fd != DEJA_ENOTFOUND)
        return fd;
    int r = deja_file_make_parents(s->root_fd, s->path, PARENT_MODE, err);
    return r ? r : deja_file_unnamed(s->root_fd, deja_buffer_string(&s->folder), err);
}

static int fill(deja_cache *c, int fd, const deja_output *o, deja_error *err)
{
    const deja_stored *stored = &o->stored;
    if (stored->where == DEJA_STORED_INLINE)
        return deja_file_write_all(fd, stored->data, stored->content.size, o->path, err);
    if (stored->where != DEJA_STORED_BLOB)
        return deja_fail(err, DEJA_ENOTFOUND, "output '%s' was not kept", o->path);
    return blob_copy(c, &stored->content, fd, o->path, err);
}

static int make_file(const void *what, const spot *s, deja_error *err)
{
    return deja_file_link(*(const int *)what, s->root_fd, deja_buffer_string(&s->temporary), err);
}

static int make_link(const void *what, const spot *s, deja_error *err)
{
    if (symlinkat(what, s->root_fd, deja_buffer_string(&s->temporary)) == 0)
        return 0;
    return errno == EEXIST ? DEJA_EEXIST : deja_fail_errno(err, "make the link '%s'", s->path);
}

static int name_file(spot *s, int fd, deja_error *err)
{
    deja_error local;
    err = err ? err : &local;
    int r = deja_file_link(fd, s->root_fd, s->path, err);
    if (r != DEJA_EEXIST) {
        remove_leftover(s);
        return r;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) && errno != EOPNOTSUPP && errno != ENOLCK)
        return deja_fail_errno(err, "hold '%s'", s->path);
    return replace(s, make_file, &fd, err);
}

static int place_file(deja_cache *c, spot *s, const deja_output *o, deja_error *err)
{
    struct stat st;
    DEJA_AUTO_CLOSE int fd = open_beside(s, err);
    if (fd < 0)
        return fd;
    int r = fill(c, fd, o, err);
    if (!r && fchmod(fd, (mode_t)o->mode))
        r = deja_fail_errno(err, "set the mode of '%s'", o->path);
    if (!r)
        r = name_file(s, fd, err);
    if (!r && fstat(fd, &st) == 0)
        statmem_note(c->statmem, &st, &o->stored.content, statmem_now_ns(c->statmem), STATMEM_OURS);
    return r;
}

static int place_link(deja_cache *c, spot *s, const deja_output *o, deja_error *err)
{
    char target[PATH_MAX];
    struct stat st;
    size_t len = (size_t)o->stored.content.size;
    if (o->stored.where != DEJA_STORED_INLINE)
        return deja_fail(err, DEJA_ENOTFOUND, "output '%s' was not kept", o->path);
    if (len == 0 || o->stored.content.size >= sizeof target || memchr(o->stored.data, 0, len))
        return deja_fail(err, DEJA_ECORRUPT, "the stored link '%s' is none", o->path);
    memcpy(target, o->stored.data, len);
    target[len] = 0;
    int r = deja_file_make_parents(s->root_fd, o->path, PARENT_MODE, err);
    if (!r && symlinkat(target, s->root_fd, o->path))
        r = errno == EEXIST ? replace(s, make_link, target, err)
                            : deja_fail_errno(err, "make the link '%s'", o->path);
    if (!r && fstatat(s->root_fd, o->path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        statmem_note(c->statmem, &st, &o->stored.content, statmem_now_ns(c->statmem), STATMEM_OURS);
    return r;
}

int spot_put(deja_cache *c, int root_fd, const deja_output *o, deja_error *err)
{
    spot s;
    int r = spot_init(&s, root_fd, o->path, err);
    if (!r)
        r = o->stored.content.kind == DEJA_CONTENT_LINK ? place_link(c, &s, o, err)
                                                        : place_file(c, &s, o, err);
    spot_done(&s);
    return r;
}
