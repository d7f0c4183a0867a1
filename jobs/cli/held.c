/* Output that waits to be written, see held.h. */
#include "held.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum {
    LARGE = 1 << 20, /* bytes; a file of more is kept as a descriptor, not copied */
    MOST_FILES = 64, /* such descriptors: a small part of the usual limit of 1024 */
    COPY_BYTES = 1 << 16,
};

static int read_at(int fd, void *data, size_t len, uint64_t off, deja_error *err)
{
    ssize_t n = deja_file_read_at(fd, data, len, off);
    if (n < 0)
        return deja_fail_errno(err, "read the output of a job");
    return (size_t)n < len ? deja_fail(err, DEJA_EIO, "read the output of a job: it ended early") : 0;
}

static void lose(held_pool *p, const deja_error *err)
{
    if (!p->lost)
        p->trouble = *err;
    p->lost = 1;
}

/* A piece in memory, the limit aside. */
static held *allocate(held_pool *p, uint64_t cap)
{
    held *h = cap > UINT32_MAX ? NULL : deja_realloc(NULL, sizeof *h + (size_t)cap);
    if (!h)
        return NULL;
    *h = (held){.fd = -1, .cap = (uint32_t)cap};
    p->memory += sizeof *h + cap;
    return h;
}

static held *keep_in_memory(held_pool *p, const held_span spans[2], deja_error *err)
{
    held *h = allocate(p, spans[0].len + spans[1].len);
    if (!h) {
        deja_fail(err, DEJA_ENOMEM, "put output aside: out of memory");
        return NULL;
    }
    uint64_t at = 0;
    for (int i = 0; i < 2; i++) {
        if (spans[i].fd < 0 && spans[i].len)
            memcpy(h->data + at, spans[i].data, spans[i].len);
        else if (spans[i].fd >= 0 && read_at(spans[i].fd, h->data + at, spans[i].len, spans[i].off, err)) {
            held_free(p, h);
            return NULL;
        }
        h->len[i] = spans[i].len;
        at += spans[i].len;
    }
    return h;
}

int held_unnamed(const char *folder, deja_error *err)
{
    const char *const folders[] = {folder ? folder : getenv("TMPDIR"), "/var/tmp", "/tmp"};
    int fd = DEJA_EIO;
    for (size_t i = 0; i < 3 && fd < 0; i++)
        if (folders[i] && *folders[i])
            fd = deja_file_unnamed(AT_FDCWD, folders[i], err);
    return fd;
}

static int open_spool(held_pool *p, deja_error *err)
{
    if (p->spool_fd < 0)
        p->spool_fd = held_unnamed(p->folder, err);
    return p->spool_fd < 0 ? p->spool_fd : 0;
}

static int copy_to_spool(held_pool *p, const held_span *s, uint64_t off, deja_error *err)
{
    if (s->fd < 0)
        return deja_file_write_at(p->spool_fd, s->data, s->len, off, "output put aside", err);
    DEJA_AUTO_FREE char *buffer = deja_realloc(NULL, COPY_BYTES);
    if (!buffer)
        return deja_fail(err, DEJA_ENOMEM, "put output aside: out of memory");
    for (uint64_t done = 0; done < s->len;) {
        size_t n = s->len - done < COPY_BYTES ? (size_t)(s->len - done) : COPY_BYTES;
        if (read_at(s->fd, buffer, n, s->off + done, err) ||
            deja_file_write_at(p->spool_fd, buffer, n, off + done, "output put aside", err))
            return err->code;
        done += n;
    }
    return 0;
}

static held *keep_in_spool(held_pool *p, const held_span spans[2], deja_error *err)
{
    if (open_spool(p, err) || copy_to_spool(p, &spans[0], p->spool_end, err) ||
        copy_to_spool(p, &spans[1], p->spool_end + spans[0].len, err))
        return NULL;
    held *h = allocate(p, 0);
    if (!h) {
        deja_fail(err, DEJA_ENOMEM, "put output aside: out of memory");
        return NULL;
    }
    h->fd = p->spool_fd;
    h->off = p->spool_end;
    h->len[0] = spans[0].len;
    h->len[1] = spans[1].len;
    p->spool_end += spans[0].len + spans[1].len;
    p->spool_pieces++;
    return h;
}

/* Memory within the limit, else the file, else memory all the same: output is not given up for a limit. */
static held *keep_copy(held_pool *p, const held_span spans[2])
{
    deja_error err;
    uint64_t size = sizeof(held) + spans[0].len + spans[1].len;
    held *h = NULL;
    if (size == sizeof(held))
        return NULL;
    if (p->memory + size <= p->limit)
        h = keep_in_memory(p, spans, &err);
    if (!h)
        h = keep_in_spool(p, spans, &err);
    if (!h)
        h = keep_in_memory(p, spans, &err);
    if (!h)
        lose(p, &err);
    return h;
}

static int is_large(const held_pool *p, const held_span *s)
{
    return s->fd >= 0 && s->len > LARGE && p->files < MOST_FILES;
}

/* A large file as a descriptor, NULL when there is none left. */
static held *keep_file(held_pool *p, const held_span *s, int stream)
{
    int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return NULL;
    held *h = allocate(p, 0);
    if (!h) {
        close(fd);
        return NULL;
    }
    h->fd = fd;
    h->off = s->off;
    h->len[stream] = s->len;
    p->files++;
    return h;
}

held *held_new(held_pool *p, uint32_t cap)
{
    return p->memory + sizeof(held) + cap <= p->limit ? allocate(p, cap) : NULL;
}

held *held_keep(held_pool *p, const held_span *out, const held_span *err)
{
    const held_span none = {.fd = -1};
    const held_span both[2] = {*out, *err};
    if (!is_large(p, out) && !is_large(p, err))
        return keep_copy(p, both);
    held *pieces[2];
    for (int i = 0; i < 2; i++) {
        const held_span one[2] = {i == 0 ? *out : none, i == 1 ? *err : none};
        pieces[i] = is_large(p, &both[i]) ? keep_file(p, &both[i], i) : NULL;
        if (!pieces[i])
            pieces[i] = keep_copy(p, one);
    }
    if (!pieces[0])
        return pieces[1];
    pieces[0]->next = pieces[1];
    return pieces[0];
}

int held_append(held *h, int stream, const char *data, size_t len)
{
    uint64_t end = h->off + h->len[0] + h->len[1];
    if (h->fd >= 0 || end + len > h->cap || (stream == 0 && h->len[1]))
        return 0;
    if (len)
        memcpy(h->data + end, data, len);
    h->len[stream] += len;
    return 1;
}

int held_stream(const held *h)
{
    return h->len[0] ? 0 : 1;
}

const char *held_peek(const held *h, char *buffer, size_t most, size_t *ret_len, deja_error *err)
{
    uint64_t left = h->len[held_stream(h)];
    size_t len = left < most ? (size_t)left : most;
    *ret_len = len;
    if (h->fd < 0)
        return h->data + h->off;
    return read_at(h->fd, buffer, len, h->off, err) ? NULL : buffer;
}

void held_skip(held *h, size_t len)
{
    h->len[held_stream(h)] -= len;
    h->off += len;
}

void held_free(held_pool *p, held *h)
{
    if (!h)
        return;
    if (h->fd >= 0 && h->fd == p->spool_fd) {
        if (--p->spool_pieces == 0 && ftruncate(p->spool_fd, 0) == 0)
            p->spool_end = 0;
    } else if (h->fd >= 0) {
        close(h->fd);
        p->files--;
    }
    p->memory -= sizeof *h + h->cap;
    deja_free(h);
}

void held_pool_done(held_pool *p)
{
    if (p->spool_fd >= 0)
        close(p->spool_fd);
    p->spool_fd = -1;
}
