/*
 * Paths as the kernel reads them: ".." behind a link leads out of the folder that the link leads to. Only
 * this file of paths looks at the file system, and only where there is a "..".
 */
#include <deja/cleanup.h>
#include <deja/file.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int is_up(const char *name, size_t len)
{
    return len == 2 && memcmp(name, "..", 2) == 0;
}

static int goes_up(const char *path)
{
    for (const char *at = path; *at; at += strcspn(at, "/"), at += *at == '/')
        if (is_up(at, strcspn(at, "/")))
            return 1;
    return 0;
}

/* What does not exist, or leads nowhere, is left as a text. */
static void leave(deja_buffer *b)
{
    char real[PATH_MAX];
    struct stat st;
    const char *path = deja_buffer_string(b);
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && realpath(path, real)) {
        deja_buffer_clear(b);
        deja_buffer_add_string(b, real);
    }
    while (b->len > 0 && b->data[b->len - 1] != '/')
        b->len--;
    b->len -= b->len > 0;
    if (b->data)
        b->data[b->len] = '\0';
}

void deja_path_follow(deja_buffer *b, const char *base, const char *path)
{
    if (!goes_up(path)) {
        deja_path_join(b, base, path);
        return;
    }
    DEJA_AUTO_BUFFER deja_buffer at = {0};
    if (path[0] != '/')
        deja_buffer_add_string(&at, base);
    for (const char *name = path; *name && !at.failed;) {
        size_t len = strcspn(name, "/");
        if (is_up(name, len)) {
            leave(&at);
        } else if (len && !(len == 1 && *name == '.')) {
            deja_buffer_add_char(&at, '/');
            deja_buffer_add(&at, name, len);
        }
        name += len;
        name += *name == '/';
    }
    if (at.failed)
        b->failed = 1;
    else
        deja_path_normalise(b, at.len ? deja_buffer_string(&at) : "/");
}
