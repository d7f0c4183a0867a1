/*
 * A walk as the kernel does it (path_resolution(7)), link by link. The folder of the path before is not
 * walked again, nor is what both have in common as long as there is no link in it.
 */
#include "way.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/hash.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MOST = 40 }; /* path_resolution(7) */

static void add_place(way *w, const struct stat *st)
{
    int is_link = S_ISLNK(st->st_mode);
    if (!is_link && !S_ISDIR(st->st_mode))
        return;
    uint64_t values[] = {w->hash, (uint64_t)st->st_dev, (uint64_t)st->st_ino,
                         is_link ? (uint64_t)st->st_ctim.tv_sec : 0,
                         is_link ? (uint64_t)st->st_ctim.tv_nsec : 0};
    w->hash = deja_hash64(values, sizeof values);
}

static void cut(deja_buffer *b, size_t len)
{
    if (!b->failed && b->len > len)
        b->data[b->len = len] = '\0';
}

/* What is to be walked next: where the link w->here leads to, and behind that `rest`. */
static const char *follow(way *w, const char *rest)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(w->dirfd, deja_buffer_string(&w->here), target, sizeof target);
    if (len <= 0 || len == (ssize_t)sizeof target)
        return NULL;
    deja_buffer_clear(&w->text);
    deja_buffer_add(&w->text, target, (size_t)len);
    deja_buffer_add_string(&w->text, rest);
    deja_buffer swap = w->rest;
    w->rest = w->text;
    w->text = swap;
    return deja_buffer_string(&w->rest);
}

/* Walks from the folder w->here, in which there is no link, along `rest`; ends in w->here. */
static void walk(way *w, const char *rest)
{
    for (int links = 0; rest && *rest;) {
        size_t start = w->here.len, len = strcspn(rest, "/");
        struct stat st = {0};
        deja_buffer_add(&w->here, rest, len);
        rest += len;
        if (len && fstatat(w->dirfd, deja_buffer_string(&w->here), &st, AT_SYMLINK_NOFOLLOW) < 0)
            w->lost |= errno == ENOMEM || errno == ENAMETOOLONG;
        add_place(w, &st);
        if (S_ISLNK(st.st_mode)) {
            w->linked = 1;
            rest = ++links > LINKS_MOST ? NULL : follow(w, rest);
            cut(&w->here, rest && *rest == '/' ? 0 : start);
        } else if (*rest == '/') {
            deja_buffer_add_char(&w->here, '/');
            rest += strspn(rest, "/");
        }
        w->lost |= w->here.failed | w->rest.failed;
    }
}

/* How much of `folder` lies in the same folder as the one before. */
static size_t common_folder(const way *w, const char *folder, size_t len)
{
    size_t common = 0;
    for (size_t i = 0; i < len && i < w->folder_len && folder[i] == w->before[i]; i++)
        if (folder[i] == '/')
            common = i + 1;
    return common;
}

/* The first `len` bytes of `path` become the folder at hand. */
static void enter_folder(way *w, const char *path, size_t len)
{
    size_t common = w->before ? common_folder(w, path, len) : 0;
    if (w->before && common == len && len == w->folder_len)
        return;
    if (w->linked)
        common = 0;
    DEJA_AUTO_BUFFER deja_buffer folder = {0};
    deja_buffer_add(&folder, path + common, len - common);
    w->linked = 0;
    deja_buffer_clear(&w->here);
    deja_buffer_add(&w->here, path, common);
    walk(w, deja_buffer_string(&folder));
    deja_buffer_clear(&w->folder);
    deja_buffer_add(&w->folder, w->here.data, w->here.len);
    w->lost |= folder.failed | w->folder.failed;
    w->folder_len = len;
}

void way_add(way *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + 1 : 0;
    enter_folder(w, path, len);
    w->before = path;
    int linked = w->linked;
    deja_buffer_clear(&w->here);
    deja_buffer_add(&w->here, w->folder.data, w->folder.len);
    walk(w, path + len);
    w->linked = linked;
}

uint64_t way_end(way *w)
{
    uint64_t lost[] = {w->hash, (uint64_t)deja_monotonic_ns(NULL)};
    uint64_t hash = w->lost ? deja_hash64(lost, sizeof lost) : w->hash;
    deja_buffer_done(&w->folder);
    deja_buffer_done(&w->here);
    deja_buffer_done(&w->rest);
    deja_buffer_done(&w->text);
    *w = (way){.dirfd = w->dirfd};
    return hash;
}
