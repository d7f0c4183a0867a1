/* The file of the history's records, see history_log.h. */
#include "history_log.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>

#define MAGIC  0x63657264u /* "drec" */
#define FORMAT 1

enum {
    CHUNK_BYTES = 1 << 20, /* read at a time */
    CHECKED_AT = 16,       /* first byte that the checksum covers */
    LOCK_TRIES = 100,      /* 10 ms apart: putting a large file in order takes a second */
    LOCK_WAIT_MS = 10,
    MOST_PARAMS = 1000,
};

static const char file_name[] = ".history";

/* ---- records ---- */

static void add_text(deja_buffer *b, const void *text, size_t len)
{
    deja_buffer_add_u32(b, (uint32_t)len);
    deja_buffer_add(b, text, len);
    deja_buffer_add_char(b, '\0');
}

static void put_u32(char *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(v >> (8 * i));
}

static void put_u64(char *at, uint64_t v)
{
    put_u32(at, (uint32_t)v);
    put_u32(at + 4, (uint32_t)(v >> 32));
}

void history_log_encode(deja_buffer *b, const history_record *r)
{
    const size_t start = b->len;
    const int cut = r->encoding_len > HISTORY_LOG_MOST / 2;
    deja_buffer_add_u32(b, MAGIC);
    deja_buffer_add_u32(b, 0);
    deja_buffer_add_u64(b, 0);
    deja_buffer_add_u64(b, r->item.id.job);
    deja_buffer_add_u64(b, r->item.id.params);
    deja_buffer_add_u32(b, r->item.flags | (cut ? HISTORY_CUT : 0));
    deja_buffer_add_u32(b, (uint32_t)r->exit_status);
    deja_buffer_add_u32(b, (uint32_t)r->signal);
    deja_buffer_add_u32(b, (uint32_t)r->param_count);
    deja_buffer_add_u64(b, (uint64_t)r->item.started_ns);
    deja_buffer_add_u64(b, (uint64_t)r->item.wall_ns);
    deja_buffer_add(b, r->key.byte, sizeof r->key.byte);
    add_text(b, r->job, strlen(r->job));
    add_text(b, r->run, strlen(r->run));
    add_text(b, r->reason, strlen(r->reason));
    for (size_t i = 0; i < r->param_count; i++) {
        add_text(b, r->params[i].name, strlen(r->params[i].name));
        add_text(b, r->params[i].value, strlen(r->params[i].value));
    }
    add_text(b, r->encoding, cut ? 0 : r->encoding_len);
    const size_t len = b->len - start;
    if (b->failed)
        return;
    if (len > HISTORY_LOG_MOST) { /* a reason or parameters of such a length: not remembered */
        b->len = start;
        return;
    }
    put_u32(b->data + start + 4, (uint32_t)len);
    put_u64(b->data + start + 8, deja_hash64(b->data + start + CHECKED_AT, len - CHECKED_AT));
}

/* The bytes of a record that begins there: 0 when none does. `len` bytes may be looked at. */
static uint32_t record_length(const char *data, size_t len)
{
    deja_reader r = {.data = (const unsigned char *)data, .len = len};
    uint32_t magic = deja_read_u32(&r);
    uint32_t bytes = deja_read_u32(&r);
    return !r.failed && magic == MAGIC && bytes >= HISTORY_LOG_FIXED && bytes <= HISTORY_LOG_MOST ? bytes : 0;
}

/* The fixed part of a whole record. 0 when it is damaged. */
static int read_fixed(const char *data, size_t len, history_record *ret, uint32_t *ret_count)
{
    deja_reader r = {.data = (const unsigned char *)data, .len = len, .at = 8};
    if (deja_read_u64(&r) != deja_hash64(data + CHECKED_AT, len - CHECKED_AT))
        return 0;
    ret->item.id.job = deja_read_u64(&r);
    ret->item.id.params = deja_read_u64(&r);
    ret->item.flags = deja_read_u32(&r);
    ret->item.len = (uint32_t)len;
    ret->exit_status = (int)deja_read_u32(&r);
    ret->signal = (int)deja_read_u32(&r);
    *ret_count = deja_read_u32(&r);
    ret->item.started_ns = (int64_t)deja_read_u64(&r);
    ret->item.wall_ns = (int64_t)deja_read_u64(&r);
    const void *key = deja_read_bytes(&r, sizeof ret->key.byte);
    if (key)
        memcpy(ret->key.byte, key, sizeof ret->key.byte);
    return !r.failed;
}

/* A string with its NUL. `ret_len` NULL: it has no other. NULL when it is not there. */
static const char *read_text(deja_reader *r, size_t *ret_len)
{
    uint32_t len = deja_read_u32(r);
    const char *text = deja_read_bytes(r, (size_t)len + 1);
    if (!text || text[len] || (!ret_len && memchr(text, 0, len))) {
        r->failed = 1;
        return "";
    }
    if (ret_len)
        *ret_len = len;
    return text;
}

static int read_strings(history_record *ret, uint32_t param_count)
{
    deja_reader r = {
        .data = (const unsigned char *)ret->bytes.data, .len = ret->item.len, .at = HISTORY_LOG_FIXED};
    if (param_count > MOST_PARAMS)
        return 0;
    if (param_count > ret->param_cap) {
        param *more = deja_realloc_array(ret->params, param_count, sizeof *more);
        if (!more)
            return 0;
        ret->params = more;
        ret->param_cap = param_count;
    }
    ret->job = read_text(&r, NULL);
    ret->run = read_text(&r, NULL);
    ret->reason = read_text(&r, NULL);
    for (ret->param_count = 0; ret->param_count < param_count; ret->param_count++) {
        ret->params[ret->param_count].name = read_text(&r, NULL);
        ret->params[ret->param_count].value = read_text(&r, NULL);
    }
    ret->encoding = read_text(&r, &ret->encoding_len);
    if (!(ret->item.flags & HISTORY_KEYED) || (ret->item.flags & HISTORY_CUT)) {
        ret->encoding = NULL;
        ret->encoding_len = 0;
    }
    return !r.failed;
}

int history_log_load(const history_log *l, const history_item *item, history_record *ret)
{
    uint32_t param_count;
    deja_buffer_clear(&ret->bytes);
    char *data = l->fd >= 0 ? deja_buffer_reserve(&ret->bytes, item->len) : NULL;
    if (!data || deja_file_read_at(l->fd, data, item->len, item->at) != (ssize_t)item->len ||
        record_length(data, item->len) != item->len || !read_fixed(data, item->len, ret, &param_count) ||
        ret->item.id.job != item->id.job || ret->item.id.params != item->id.params)
        return 0;
    ret->item.at = item->at;
    return read_strings(ret, param_count);
}

/* ---- reading all ---- */

typedef struct scanner {
    const history_log *log;
    uint64_t at; /* of the first byte in `bytes` */
    deja_buffer bytes;
} scanner;

/* Makes `len` bytes from s->at on available, where the file has them: how many there are. */
static size_t fill(scanner *s, size_t len)
{
    if (s->bytes.len >= len || s->at >= s->log->size)
        return s->bytes.len;
    uint64_t left = s->log->size - s->at - s->bytes.len;
    size_t want = len - s->bytes.len > CHUNK_BYTES ? len - s->bytes.len : CHUNK_BYTES;
    want = want < left ? want : (size_t)left;
    char *room = deja_buffer_reserve(&s->bytes, want);
    ssize_t n = room ? deja_file_read_at(s->log->fd, room, want, s->at + s->bytes.len) : -1;
    s->bytes.len += n > 0 ? (size_t)n : 0;
    return s->bytes.len;
}

static void drop(scanner *s, size_t len)
{
    memmove(s->bytes.data, s->bytes.data + len, s->bytes.len - len);
    s->bytes.len -= len;
    s->at += len;
}

/* The whole record that begins `offset` bytes into the buffer: its length, or 0. May move the buffer. */
static uint32_t record_at(scanner *s, size_t offset, history_record *ret)
{
    uint32_t param_count;
    if (fill(s, offset + HISTORY_LOG_FIXED) < offset + HISTORY_LOG_FIXED)
        return 0;
    uint32_t len = record_length(s->bytes.data + offset, s->bytes.len - offset);
    if (!len || s->at + offset + len > s->log->size || fill(s, offset + len) < offset + len ||
        !read_fixed(s->bytes.data + offset, len, ret, &param_count))
        return 0;
    ret->item.at = s->at + offset;
    return len;
}

int history_log_scan(const history_log *l, uint64_t from,
                     int (*each)(void *context, const history_item *item), void *context)
{
    scanner s = {.log = l, .at = from};
    size_t offset = 0;
    int stop = 0;
    while (!stop && fill(&s, offset + HISTORY_LOG_FIXED) >= offset + HISTORY_LOG_FIXED) {
        history_record record = {0};
        uint32_t len = record_at(&s, offset, &record);
        if (len)
            stop = each(context, &record.item);
        offset += len ? len : 1;
        if (offset >= CHUNK_BYTES) {
            drop(&s, offset);
            offset = 0;
        }
    }
    stop = s.bytes.failed ? DEJA_ENOMEM : stop;
    deja_buffer_done(&s.bytes);
    return stop;
}

/* ---- the file ---- */

static void add_header(deja_buffer *b, uint64_t generation)
{
    deja_buffer_add_string(b, "dejahist");
    deja_buffer_add_u32(b, FORMAT);
    deja_buffer_add_u32(b, 0);
    deja_buffer_add_u64(b, generation);
    deja_buffer_add_u64(b, 0);
}

static uint64_t new_generation(void)
{
    int64_t now[3] = {deja_wall_ns(NULL), deja_monotonic_ns(NULL), getpid()};
    return deja_hash64(now, sizeof now);
}

/* A file with a header, unnamed. */
static int begin_file(int runs_fd, uint64_t generation, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer header = {0};
    DEJA_AUTO_CLOSE int fd = deja_file_begin(runs_fd, file_name, 0600, err);
    add_header(&header, generation);
    if (header.failed)
        return deja_fail(err, DEJA_ENOMEM, "make '%s': out of memory", file_name);
    if (fd < 0)
        return fd;
    int status = deja_file_write_all(fd, header.data, header.len, file_name, err);
    return status ? status : deja_take_fd(fd);
}

static int open_or_make(int runs_fd, int write, deja_error *err)
{
    const int flags = (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    for (int attempt = 0;; attempt++) {
        int fd = openat(runs_fd, file_name, flags);
        if (fd >= 0)
            return fd;
        if (!write || errno != ENOENT || attempt > 0)
            return deja_fail_errno(err, "open '%s'", file_name);
        DEJA_AUTO_CLOSE int made = begin_file(runs_fd, new_generation(), err);
        int status = made < 0 ? made : deja_file_link(made, runs_fd, file_name, err);
        if (status < 0 && status != DEJA_EEXIST)
            return status;
    }
}

static int read_header(history_log *l, deja_error *err)
{
    char data[HISTORY_LOG_HEADER];
    struct stat st;
    if (fstat(l->fd, &st))
        return deja_fail_errno(err, "read '%s'", file_name);
    if (!S_ISREG(st.st_mode))
        return deja_fail(err, DEJA_ETYPE, "'%s' is no file", file_name);
    deja_reader r = {.data = (const unsigned char *)data, .len = sizeof data, .at = 8};
    if (deja_file_read_at(l->fd, data, sizeof data, 0) != (ssize_t)sizeof data ||
        memcmp(data, "dejahist", 8) != 0)
        return deja_fail(err, DEJA_ECORRUPT, "'%s' is damaged: remove it", file_name);
    if (deja_read_u32(&r) > FORMAT)
        return deja_fail(err, DEJA_EVERSION, "'%s' was written by a newer deja", file_name);
    deja_read_u32(&r);
    l->generation = deja_read_u64(&r);
    l->size = (uint64_t)st.st_size;
    return 0;
}

int history_log_open(history_log *ret, int runs_fd, int write, deja_error *err)
{
    history_log l = {.fd = open_or_make(runs_fd, write, err)};
    int status = l.fd < 0 ? l.fd : read_header(&l, err);
    if (status < 0)
        history_log_close(&l);
    else
        *ret = l;
    return status;
}

void history_log_close(history_log *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* 1 when the folder still has this file. */
static int is_current(history_log *l, int runs_fd)
{
    struct stat mine, there;
    if (fstat(l->fd, &mine) || fstatat(runs_fd, file_name, &there, AT_SYMLINK_NOFOLLOW))
        return 0;
    l->size = (uint64_t)mine.st_size;
    return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

int history_log_lock(history_log *l, int runs_fd, deja_error *err)
{
    for (int i = 0; flock(l->fd, LOCK_EX | LOCK_NB); i++) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return deja_fail_errno(err, "lock '%s'", file_name);
        if (i == LOCK_TRIES)
            return deja_fail(err, DEJA_EBUSY, "'%s' is locked by another process", file_name);
        poll(NULL, 0, LOCK_WAIT_MS);
    }
    return is_current(l, runs_fd) ? 0 : deja_fail(err, DEJA_ECHANGED, "'%s' was replaced", file_name);
}

/* Opens and locks the file that is there; one that is replaced meanwhile is left for its successor. */
static int open_locked(history_log *ret, int runs_fd, deja_error *err)
{
    for (int i = 0;; i++) {
        int status = history_log_open(ret, runs_fd, 1, err);
        if (status < 0)
            return status;
        status = history_log_lock(ret, runs_fd, err);
        if (status == 0)
            return 0;
        history_log_close(ret);
        if (status != DEJA_ECHANGED || i == LOCK_TRIES)
            return status;
    }
}

int history_log_append(int runs_fd, const deja_buffer *records, deja_error *err)
{
    history_log l = {.fd = -1};
    int status = open_locked(&l, runs_fd, err);
    if (status < 0)
        return status;
    status = deja_file_write_at(l.fd, records->data, records->len, l.size, file_name, err);
    if (status < 0 && ftruncate(l.fd, (off_t)l.size))
        l.size = 0; /* a part stays: readers skip it */
    history_log_close(&l);
    return status;
}

/* Copies the records one after the other and puts their new places into the items. */
static int copy_records(const history_log *from, int to, history_item *items, size_t count, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    uint64_t at = HISTORY_LOG_HEADER;
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        char *room = deja_buffer_reserve(&b, items[i].len);
        if (!room)
            return deja_fail(err, DEJA_ENOMEM, "write '%s': out of memory", file_name);
        if (deja_file_read_at(from->fd, room, items[i].len, items[i].at) != (ssize_t)items[i].len)
            return deja_fail(err, DEJA_EIO, "read '%s': ended early", file_name);
        b.len += items[i].len;
        items[i].at = at;
        at += items[i].len;
        if (b.len < CHUNK_BYTES && i + 1 < count)
            continue;
        status = deja_file_write_all(to, b.data, b.len, file_name, err);
        deja_buffer_clear(&b);
    }
    return status;
}

int history_log_rewrite(history_log *l, int runs_fd, history_item *items, size_t count, deja_error *err)
{
    history_log fresh = {.generation = new_generation()};
    struct stat st;
    fresh.fd = begin_file(runs_fd, fresh.generation, err);
    int status = fresh.fd < 0 ? fresh.fd : copy_records(l, fresh.fd, items, count, err);
    if (status == 0 && (flock(fresh.fd, LOCK_EX | LOCK_NB) || fstat(fresh.fd, &st)))
        status = deja_fail_errno(err, "lock the new '%s'", file_name);
    if (status == 0)
        status = deja_file_publish(fresh.fd, runs_fd, file_name, 0, err);
    if (status < 0) {
        history_log_close(&fresh);
        return status;
    }
    fresh.size = (uint64_t)st.st_size;
    history_log_close(l);
    *l = fresh;
    return 0;
}
