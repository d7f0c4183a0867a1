/*
 * Paths as texts: nothing here looks at the file system. Paths are bytes, "/" separates, no byte is special
 * but it and the names "." and "..".
 */
#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>

/* Bytes up to the next "/" or the end. */
static size_t name_len(const char *s)
{
    return strcspn(s, "/");
}

static int is_name(const char *s, size_t len, const char *name)
{
    return len == strlen(name) && memcmp(s, name, len) == 0;
}

/* Takes the last name off what was appended after `start`, with the "/" before it unless that is the root's.
 */
static void drop_name(deja_buffer *b, size_t start, int absolute)
{
    size_t root = start + (absolute ? 1 : 0);
    while (b->len > root && b->data[b->len - 1] != '/')
        b->len--;
    if (b->len > root)
        b->len--;
    b->data[b->len] = '\0';
}

static void add_name(deja_buffer *b, size_t start, const char *name, size_t len)
{
    if (b->len > start && b->data[b->len - 1] != '/')
        deja_buffer_add_char(b, '/');
    deja_buffer_add(b, name, len);
}

void deja_path_normalise(deja_buffer *b, const char *path)
{
    size_t start = b->len;
    size_t names = 0; /* those that a later ".." takes away; a leading ".." is none */
    int absolute = path[0] == '/';
    if (absolute)
        deja_buffer_add_char(b, '/');
    for (const char *at = path; !b->failed && *at;) {
        size_t len = name_len(at);
        if (is_name(at, len, "..") && names) {
            drop_name(b, start, absolute);
            names--;
        } else if (is_name(at, len, "..")) {
            if (!absolute)
                add_name(b, start, at, len);
        } else if (len && !is_name(at, len, ".")) {
            add_name(b, start, at, len);
            names++;
        }
        at += len;
        at += *at == '/';
    }
    if (!b->failed && b->len == start)
        deja_buffer_add_char(b, '.');
}

void deja_path_join(deja_buffer *b, const char *base, const char *path)
{
    if (path[0] == '/') {
        deja_path_normalise(b, path);
        return;
    }
    DEJA_AUTO_BUFFER deja_buffer joined = {0};
    deja_buffer_add_string(&joined, base);
    deja_buffer_add_char(&joined, '/');
    deja_buffer_add_string(&joined, path);
    if (joined.failed)
        b->failed = 1;
    else
        deja_path_normalise(b, deja_buffer_string(&joined));
}

const char *deja_path_inside(const char *base, const char *path)
{
    size_t len = strlen(base);
    if (strcmp(base, path) == 0)
        return ".";
    if (strcmp(base, "/") == 0)
        return path[0] == '/' ? path + 1 : path;
    if (strncmp(base, path, len) == 0 && path[len] == '/')
        return path + len + 1;
    return path;
}
