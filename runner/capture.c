/*
 * One stream of a job, in memory or in a file. Writes go to explicit offsets, so that a write that failed
 * half-way leaves nothing inside the first `len` bytes.
 */
#include "capture.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum {
    memory_factor = 16,    /* times the limit may stay in memory when no file can be had */
    copy_bytes = 64 * 1024 /* moved at a time from a spool that failed */
};

static void note_error(capture *c, int code, int sys_errno)
{
    if (c->error)
        return;
    c->error = code;
    c->sys_errno = sys_errno;
}

/* 0 or errno. */
static int write_at(int fd, const char *data, size_t len, uint64_t offset)
{
    deja_error err;
    return deja_file_write_at(fd, data, len, offset, "spool", &err) ? err.sys_errno : 0;
}

static int copy_file(int from, int to, uint64_t len)
{
    DEJA_AUTO_FREE char *block = deja_realloc(NULL, copy_bytes);
    if (!block)
        return ENOMEM;
    for (uint64_t at = 0; at < len;) {
        uint64_t want = len - at < copy_bytes ? len - at : copy_bytes;
        ssize_t n = deja_file_read_at(from, block, want, at);
        if (n <= 0)
            return n < 0 ? errno : EIO;
        int failed = write_at(to, block, (size_t)n, at);
        if (failed)
            return failed;
        at += (uint64_t)n;
    }
    return 0;
}

static int open_memfd(void)
{
    /* Descriptors below 3 are never ours: a child gets its standard streams there, and zeroed memory says 0.
     */
    return deja_file_above_standard(memfd_create("deja-output", MFD_CLOEXEC));
}

static int open_given(capture *c, const capture_store *store)
{
    deja_error err = {0};
    int fd = store->spool(store->context, &err);
    if (fd < 0) {
        note_error(c, fd, err.sys_errno);
        return -1;
    }
    return deja_file_above_standard(fd);
}

/* Moves what is in memory to `fd` (taken). */
static int move_to(capture *c, int fd, int given)
{
    if (fd < 0)
        return -1;
    int failed = write_at(fd, c->memory.data, c->memory.len, 0);
    if (failed) {
        note_error(c, deja_code_of_errno(failed), failed);
        close(fd);
        return -1;
    }
    deja_buffer_done(&c->memory);
    c->fd = fd;
    c->given = given;
    return 0;
}

static int move_to_file(capture *c, const capture_store *store)
{
    if (store->spool && !c->error && move_to(c, open_given(c, store), 1) == 0)
        return 0;
    int fd = open_memfd();
    if (fd < 0)
        note_error(c, deja_code_of_errno(errno), errno);
    return move_to(c, fd, 0);
}

/* The spool that was given is full or broken: goes on in a memfd that holds the same. */
static int leave_given(capture *c)
{
    DEJA_AUTO_CLOSE int fd = open_memfd();
    if (fd < 0 || copy_file(c->fd, fd, c->len) != 0)
        return -1;
    close(c->fd);
    c->fd = deja_take_fd(fd);
    c->given = 0;
    return 0;
}

static int add_to_file(capture *c, const char *data, size_t len)
{
    int failed = write_at(c->fd, data, len, c->len);
    if (failed)
        note_error(c, deja_code_of_errno(failed), failed);
    if (failed && c->given && leave_given(c) == 0)
        failed = write_at(c->fd, data, len, c->len);
    return failed ? -1 : 0;
}

static int add_to_memory(capture *c, const char *data, size_t len, uint64_t limit)
{
    if (c->len + len > limit || c->memory.failed)
        return -1;
    deja_buffer_add(&c->memory, data, len);
    return c->memory.failed ? -1 : 0;
}

static int add(capture *c, const capture_store *store, const char *data, size_t len)
{
    if (c->fd < 0 && add_to_memory(c, data, len, store->limit) == 0)
        return 0;
    if (c->fd < 0 && move_to_file(c, store) < 0)
        return add_to_memory(c, data, len, store->limit * memory_factor);
    return add_to_file(c, data, len);
}

void capture_init(capture *c)
{
    *c = (capture){.fd = -1};
}

void capture_add(capture *c, const capture_store *store, const char *data, size_t len)
{
    if (c->lost == 0 && add(c, store, data, len) == 0) {
        c->len += len;
        return;
    }
    note_error(c, DEJA_ENOMEM, ENOMEM);
    c->lost += len;
}

void capture_take(capture *c, deja_captured *ret)
{
    *ret = (deja_captured){
        .len = c->len, .fd = c->fd, .error = c->error, .sys_errno = c->sys_errno, .lost = c->lost};
    ret->data = c->memory.data;
    c->memory = (deja_buffer){0};
    capture_init(c);
}

void capture_done(capture *c)
{
    deja_captured all;
    capture_take(c, &all);
    captured_done(&all);
}

void captured_done(deja_captured *c)
{
    deja_free(c->data);
    if (c->fd > 2)
        close(c->fd);
    *c = (deja_captured){.fd = -1};
}
