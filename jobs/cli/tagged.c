/* The output of a job with a tag before each line, see tagged.h. */
#include "tagged.h"
#include "held.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/text.h>
#include <string.h>

enum {
    CHUNK_BYTES = 1 << 16,
    MEMORY_BYTES = 1 << 20,
};

typedef struct tagging {
    tagged *to;
    const char *tag;
    size_t tag_len;
    int mid_line; /* the last byte was no newline */
} tagging;

/* What is in memory goes behind what is in the file. */
static int spill(tagged *t, deja_error *err)
{
    if (t->text.failed)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (t->fd < 0)
        t->fd = held_unnamed(NULL, err);
    if (t->fd < 0)
        return t->fd;
    int code =
        deja_file_write_at(t->fd, deja_buffer_string(&t->text), t->text.len, t->len, "output put aside", err);
    t->len += t->text.len;
    deja_buffer_clear(&t->text);
    return code;
}

static int add_chunk(tagging *g, const char *data, size_t len, deja_error *err)
{
    deja_buffer *b = &g->to->text;
    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) + 1 : len;
        if (!g->mid_line)
            deja_buffer_add(b, g->tag, g->tag_len);
        deja_buffer_add(b, data, n);
        g->mid_line = !end;
        data += n;
        len -= n;
        int code = b->len > MEMORY_BYTES ? spill(g->to, err) : 0;
        if (code)
            return code;
    }
    return 0;
}

static int add_memory(tagging *g, const flow_bytes *bytes, deja_error *err)
{
    int code = 0;
    for (uint64_t at = 0; !code && at < bytes->len; at += CHUNK_BYTES) {
        uint64_t left = bytes->len - at;
        code = add_chunk(g, bytes->data + at, left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES, err);
    }
    return code;
}

static int add_file(tagging *g, const flow_bytes *bytes, deja_error *err)
{
    DEJA_AUTO_FREE char *chunk = deja_realloc(NULL, CHUNK_BYTES);
    int code = chunk ? 0 : deja_fail(err, DEJA_ENOMEM, "out of memory");
    for (uint64_t at = 0; !code && at < bytes->len; at += CHUNK_BYTES) {
        uint64_t left = bytes->len - at;
        size_t n = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        ssize_t got = deja_file_read_at(bytes->fd, chunk, n, at);
        if (got < 0)
            code = deja_fail_errno(err, "read the output of a job");
        else if ((size_t)got < n)
            code = deja_fail(err, DEJA_EIO, "the output of a job ended early");
        else
            code = add_chunk(g, chunk, n, err);
    }
    return code;
}

int tagged_make(tagged *t, const char *tag, const flow_bytes *bytes, deja_error *err)
{
    tagging g = {.to = t, .tag = tag, .tag_len = strlen(tag)};
    int code = 0;
    t->bytes = (flow_bytes){.fd = -1};
    if (bytes->fd >= 0)
        code = add_file(&g, bytes, err);
    else if (bytes->data)
        code = add_memory(&g, bytes, err);
    if (!code && g.mid_line)
        deja_buffer_add_char(&t->text, '\n');
    if (!code && t->fd >= 0)
        code = spill(t, err);
    if (!code && t->text.failed)
        code = deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (code)
        return code;
    t->bytes =
        (flow_bytes){.data = t->text.data, .len = t->fd >= 0 ? t->len : (uint64_t)t->text.len, .fd = t->fd};
    return 0;
}

int tagged_job(tagged *t, const char *name, const flow_bytes *bytes, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer tag = {0};
    deja_text_escape(&tag, name, strlen(name));
    deja_buffer_add_char(&tag, '\t');
    int code =
        tag.failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : tagged_make(t, tag.data, bytes, err);
    return code ? deja_fail_in(err, "--tag: %s", name) : 0;
}

void tagged_done(tagged *t)
{
    if (t->fd >= 0)
        close(t->fd);
    deja_buffer_done(&t->text);
    *t = (tagged){.fd = -1};
}
