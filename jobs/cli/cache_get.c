/* What `deja cache get` hands out, see cache_get.h. */
#include "cache_get.h"
#include "say.h"
#include <deja/cleanup.h>
#include <deja/dump.h>
#include <deja/file.h>
#include <deja/image.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)1 << 20)
#define FILE_MODE   0666 /* less the umask, as every program's */

/* Where bytes go: a new file that gets its name at the end, or standard output. */
typedef struct target {
    const char *path; /* NULL: standard output */
    deja_buffer real; /* what `path` lies in */
    int fd;
    uint64_t at;
} target;

static int begin(target *t, const char *path, deja_error *err)
{
    *t = (target){.path = path, .fd = -1};
    if (!path)
        return 0;
    int r = deja_file_target(&t->real, path, err);
    if (r)
        return r;
    t->path = deja_buffer_string(&t->real);
    t->fd = deja_file_begin(AT_FDCWD, t->path, FILE_MODE, err);
    return t->fd < 0 ? t->fd : 0;
}

static int add(target *t, const deja_buffer *b, deja_error *err)
{
    uint64_t at = t->at;
    t->at += b->len;
    if (!t->path)
        return say_output(b);
    return b->failed ? deja_fail(err, DEJA_ENOMEM, "write '%s': out of memory", t->path)
                     : deja_file_write_at(t->fd, b->data, b->len, at, t->path, err);
}

static int publish(target *t, deja_error *err)
{
    return t->path ? deja_file_publish(t->fd, AT_FDCWD, t->path, 0, err) : 0;
}

static void done(target *t)
{
    if (t->fd >= 0)
        close(t->fd);
    deja_buffer_done(&t->real);
}

/* All of `b` at once. */
static int put(const char *path, const deja_buffer *b, deja_error *err)
{
    __attribute__((cleanup(done))) target t;
    int r = begin(&t, path, err);
    if (!r)
        r = add(&t, b, err);
    return r ? r : publish(&t, err);
}

static int copy_chunk(target *t, int from, uint64_t left, deja_buffer *b, deja_error *err)
{
    deja_buffer_clear(b);
    size_t want = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
    char *room = deja_buffer_reserve(b, want);
    ssize_t n = room ? deja_file_read_at(from, room, want, t->at) : 0;
    if (n < 0)
        return deja_fail_errno(err, "read a blob");
    if (room && (size_t)n < want)
        return deja_fail(err, DEJA_ECORRUPT, "a blob ended early");
    b->len = (size_t)n;
    return add(t, b, err);
}

static int put_blob(deja_cache *c, const deja_stored *s, const char *path, deja_error *err)
{
    __attribute__((cleanup(done))) target t = {.fd = -1};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    DEJA_AUTO_CLOSE int fd = deja_cache_open_stored(c, s, err);
    int r = fd < 0 ? fd : begin(&t, path, err);
    while (!r && t.at < s->content.size)
        r = copy_chunk(&t, fd, s->content.size - t.at, &b, err);
    return r ? r : publish(&t, err);
}

static int put_stored(deja_cache *c, const deja_stored *s, const char *path, deja_error *err)
{
    if (s->where == DEJA_STORED_RECORD)
        return deja_fail(err, DEJA_ENOTFOUND, "only the hash of this output was kept");
    if (s->where == DEJA_STORED_BLOB)
        return put_blob(c, s, path, err);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add(&b, s->data, (size_t)s->content.size);
    return put(path, &b, err);
}

static int put_output(deja_cache *c, const deja_entry *e, const cache_get *what, deja_error *err)
{
    for (size_t i = 0; i < e->output_count; i++) {
        const deja_output *o = &e->outputs[i];
        if ((*o->name && !strcmp(o->name, what->output)) || !strcmp(o->path, what->output))
            return put_stored(c, &o->stored, what->to, err);
    }
    return deja_fail(err, DEJA_ENOTFOUND, "the result has no output '%s'", what->output);
}

static int ends_with(const char *path, const char *end)
{
    size_t len = strlen(path), n = strlen(end);
    return len > n && !strcmp(path + len - n, end);
}

static int put_json(const deja_value *v, const char *path, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_value_json(&b, v, 0);
    deja_buffer_add_char(&b, '\n');
    return put(path, &b, err);
}

static int put_array(const deja_value *v, const char *path, deja_error *err)
{
    if (v->kind != DEJA_ARRAY)
        return deja_fail(err, DEJA_ETYPE, "the value is of kind '%s': .npy is for arrays, .deja for all",
                         deja_kind_name(v->kind));
    return deja_npy_save(path, v->array, err);
}

static int put_value(const deja_value *v, const char *path, deja_error *err)
{
    if (!path || ends_with(path, ".json"))
        return put_json(v, path, err);
    if (ends_with(path, ".npy"))
        return put_array(v, path, err);
    if (ends_with(path, ".deja"))
        return deja_dump(path, v, 0, err);
    return deja_fail(err, DEJA_EINVAL, "'%s' ends neither in .json nor in .npy nor in .deja", path);
}

static int get_value(deja_cache *c, const deja_entry *e, const char *path, deja_error *err)
{
    __attribute__((cleanup(deja_mapped_done))) deja_mapped m = {.map = NULL};
    DEJA_AUTO_ARENA deja_arena arena = {0};
    deja_value v;
    int r = deja_cache_map_value(c, e, &m, err);
    if (!r)
        r = deja_image_read(m.data, m.len, NULL, &arena, &v, err);
    return r ? r : put_value(&v, path, err);
}

int cache_get_entry(deja_cache *c, const deja_entry *e, const cache_get *what, deja_error *err)
{
    if (what->output)
        return put_output(c, e, what, err);
    return e->has_value ? get_value(c, e, what->to, err) : put_stored(c, &e->out, what->to, err);
}
