/* A stream cut into blocks, see blocks.h. */
#include "blocks.h"
#include <deja/file.h>
#include <deja/memory.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CHUNK_LEAST = 4096, CHUNK_MOST = 262144 };

/* 1: read something, or the end; 0: nothing there. */
static int fill(blocks *b, deja_error *err)
{
    struct pollfd p = {.fd = b->fd, .events = POLLIN};
    if (poll(&p, 1, 0) <= 0)
        return 0;
    size_t chunk = b->size < CHUNK_LEAST ? CHUNK_LEAST : b->size < CHUNK_MOST ? b->size : CHUNK_MOST;
    char *room = deja_buffer_reserve(&b->data, chunk);
    if (!room)
        return deja_fail(err, DEJA_ENOMEM, "read standard input: out of memory");
    ssize_t n = read(b->fd, room, chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0)
        return deja_fail_errno(err, "read standard input");
    b->data.len += (size_t)n;
    b->ended = n == 0;
    return 1;
}

/* Behind the last end of a record in the first `len` bytes; 0: there is none. */
static size_t last_end(const blocks *b, size_t len)
{
    size_t n = strlen(b->record_end);
    for (size_t at = len; at >= n; at--) {
        const char *last = memrchr(b->data.data, b->record_end[n - 1], at);
        if (!last)
            return 0;
        at = (size_t)(last - b->data.data) + 1;
        if (at >= n && memcmp(b->data.data + at - n, b->record_end, n) == 0)
            return at;
    }
    return 0;
}

/* Behind the first end of a record that ends behind b->seen; 0: there is none. */
static size_t next_end(const blocks *b)
{
    size_t n = strlen(b->record_end);
    size_t from = b->seen >= n ? b->seen - n + 1 : 0;
    const char *end = memmem(b->data.data + from, b->data.len - from, b->record_end, n);
    return end ? (size_t)(end - b->data.data) + n : 0;
}

/* Where the block ends; 0: not known yet. A record longer than a block is a block of its own. */
static size_t find_cut(blocks *b)
{
    if (b->data.len <= b->size)
        return b->ended ? b->data.len : 0;
    size_t cut = b->seen ? 0 : last_end(b, b->size);
    if (!cut) {
        b->seen = b->seen > b->size ? b->seen : b->size;
        cut = next_end(b);
        b->seen = b->data.len;
    }
    return cut ? cut : b->ended ? b->data.len : 0;
}

static int write_block(int fd, const char *data, size_t len, deja_error *err)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return deja_fail_errno(err, "hold a block of standard input");
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int make_row(const blocks *b, size_t len, feed_row **ret, deja_error *err)
{
    feed_row *row = feed_row_new(NULL, NULL, 0);
    if (!row)
        return deja_fail(err, DEJA_ENOMEM, "read standard input: out of memory");
    row->bytes += len;
    row->content =
        (deja_content){.kind = DEJA_CONTENT_FILE, .size = len, .hash = deja_hash_bytes(b->data.data, len)};
    row->fd = memfd_create("deja-block", MFD_CLOEXEC);
    int code = row->fd < 0 ? deja_fail_errno(err, "hold a block of standard input")
                           : write_block(row->fd, b->data.data, len, err);
    if (code)
        feed_row_free(row);
    else
        *ret = row;
    return code ? code : 1;
}

int blocks_next(void *context, feed_row **ret, deja_error *err)
{
    blocks *b = context;
    size_t cut;
    while (!(cut = find_cut(b))) {
        if (b->ended)
            return FEED_END;
        int status = fill(b, err);
        if (status <= 0)
            return status;
    }
    int code = make_row(b, cut, ret, err);
    if (code != 1)
        return code;
    b->data.len -= cut;
    memmove(b->data.data, b->data.data + cut, b->data.len);
    b->seen = 0;
    return 1;
}

int blocks_fd(void *context)
{
    const blocks *b = context;
    return b->fd;
}

void blocks_done(blocks *b)
{
    deja_buffer_done(&b->data);
    *b = (blocks){0};
}
