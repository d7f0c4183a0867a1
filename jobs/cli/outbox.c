/* What goes to standard output and standard error, see outbox.h. */
#include "outbox.h"
#include "held.h"
#include "sink.h"
#include <deja/cleanup.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    COLUMNS = 80,            /* of a terminal that does not say */
    MEMORY_LIMIT = 64 << 20, /* bytes held in memory for the whole run */
    GATHER_BYTES = 1 << 16,  /* small outputs are gathered into pieces of this size */
    SMALL_BYTES = 1 << 14,   /* outputs up to this size are gathered */
    PUMP_BYTES = 16 << 20,   /* written in one go, so that a huge output does not stop the run for long */
};

struct outbox {
    sink out, err;
    int same; /* both are one file */
    held_pool pool;
    held *head, *tail;
    int started;       /* a part of what is at the front is written: nothing else may come between */
    deja_buffer lines; /* of ours */
    size_t lines_at;   /* bytes of them that are written */
    deja_buffer status;
    int shown;  /* the status line is on the terminal */
    int redraw; /* and not as it should be */
    int lost;   /* output of a job could not be read: `trouble` */
    deja_error trouble;
    char *buffer; /* SINK_CHUNK bytes, apart: who writes nothing never touches them */
};

static const flow_bytes nothing = {.fd = -1};

/* 1 when the terminal shows no status line (any more). */
static int hide_status(outbox *o)
{
    static const char clear[] = "\r\033[K";
    if (!o->shown)
        return 1;
    if (!sink_write(&o->err, clear, sizeof clear - 1))
        return 0;
    o->shown = 0;
    o->out.mid_line = o->err.mid_line = 0;
    return 1;
}

static size_t write_output(outbox *o, sink *s, const char *data, size_t len)
{
    if (s->terminal && !hide_status(o))
        return 0;
    return sink_write(s, data, len);
}

/* 1 when a line of ours would go on where a job's output ended without a newline. */
static int is_mid_line(const outbox *o)
{
    return o->err.mid_line || (o->out.mid_line && (o->same || (o->out.terminal && o->err.terminal)));
}

/* 1 when a line of ours may be written now: it begins at the start of a line. */
static int begin_lines(outbox *o)
{
    if (o->lines_at)
        return 1;
    if (!hide_status(o))
        return 0;
    if (is_mid_line(o) && !sink_write(&o->err, "\n", 1))
        return 0;
    o->out.mid_line = o->err.mid_line = 0;
    return 1;
}

/* Lines of ours as far as possible. 1 when some went out. */
static int write_lines(outbox *o)
{
    if (!begin_lines(o))
        return 0;
    size_t n = write_output(o, &o->err, o->lines.data + o->lines_at, o->lines.len - o->lines_at);
    o->lines_at += n;
    if (o->lines_at == o->lines.len) {
        deja_buffer_clear(&o->lines);
        o->lines_at = 0;
    }
    return n > 0;
}

/* They may go between streams only, or beside one that goes elsewhere; a line once begun is finished first.
 */
static int lines_may_go(const outbox *o)
{
    if (!o->lines.len)
        return 0;
    return o->lines_at || !o->started || (!o->same && (!o->head || held_stream(o->head) == 0));
}

static void pop(outbox *o)
{
    held *h = o->head;
    o->head = h->next;
    if (!o->head)
        o->tail = NULL;
    o->started = h->more;
    held_free(&o->pool, h);
}

/* A part of the front piece: bytes written, 0 when it would block. */
static size_t write_front(outbox *o)
{
    held *h = o->head;
    sink *s = held_stream(h) ? &o->err : &o->out;
    if (o->lines_at && (o->same || s == &o->err))
        return 0;
    if (h->fd >= 0 && !sink_is_ready(s))
        return 0; /* nothing is read that cannot be written */
    size_t len;
    deja_error err;
    const char *data = held_peek(h, o->buffer, sink_most(s), &len, &err);
    if (!data) {
        outbox_lose(o, &err);
        pop(o);
        return 1;
    }
    size_t n = write_output(o, s, data, len);
    if (!n)
        return 0;
    o->started = 1;
    held_skip(h, n);
    if (!h->len[0] && !h->len[1])
        pop(o);
    return n;
}

static void draw_status(outbox *o)
{
    if (!o->redraw || o->lines.len || o->started)
        return;
    if (!o->status.len || o->status.failed) {
        hide_status(o);
        return;
    }
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, o->shown || !is_mid_line(o) ? "\r" : "\n\r");
    deja_buffer_add(&b, o->status.data, o->status.len);
    deja_buffer_add_string(&b, "\033[K");
    if (b.failed || !sink_write(&o->err, b.data, b.len))
        return;
    o->shown = 1;
    o->redraw = 0;
}

static held_span span_of(const flow_bytes *bytes)
{
    if (!bytes->len || (bytes->fd < 0 && !bytes->data))
        return (held_span){.fd = -1};
    return (held_span){.data = bytes->data, .fd = bytes->fd, .len = bytes->len};
}

static void enqueue(outbox *o, held *chain)
{
    if (!chain)
        return;
    if (o->tail)
        o->tail->next = chain;
    else
        o->head = chain;
    o->tail = chain;
    while (o->tail->next)
        o->tail = o->tail->next;
}

/* Small outputs, copied together. 0 when that is not possible. */
static int gather(outbox *o, const held_span *out, const held_span *err)
{
    if (out->fd >= 0 || err->fd >= 0 || out->len + err->len > SMALL_BYTES)
        return 0;
    held *h = o->tail;
    uint64_t used = h ? h->off + h->len[0] + h->len[1] : 0;
    int fits = h && h->fd < 0 && used + out->len + err->len <= h->cap && (!h->len[1] || !out->len);
    if (!fits) {
        if (h && h->cap >= GATHER_BYTES)
            outbox_pump(o);
        h = held_new(&o->pool, GATHER_BYTES);
        if (!h)
            return 0;
        enqueue(o, h);
    }
    return held_append(h, 0, out->data, out->len) && held_append(h, 1, err->data, err->len);
}

/* Writes what goes at once without copying it. Only while nothing else waits. */
static void write_through(outbox *o, sink *s, held_span *span)
{
    while (span->fd < 0 && span->len && !o->head && !o->lines.len) {
        size_t n = write_output(o, s, span->data, span->len);
        if (!n)
            return;
        span->data += n;
        span->len -= n;
    }
}

void outbox_close(outbox *o)
{
    if (!o)
        return;
    while (o->head)
        pop(o);
    held_pool_done(&o->pool);
    deja_buffer_done(&o->lines);
    deja_buffer_done(&o->status);
    deja_free(o->buffer);
    deja_free(o);
}

int outbox_open(outbox **ret, const outbox_options *options, deja_error *err)
{
    outbox *o = deja_calloc(1, sizeof *o);
    if (o)
        o->buffer = deja_realloc(NULL, SINK_CHUNK);
    if (!o || !o->buffer) {
        outbox_close(o);
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    }
    sink_begin(&o->out, options->out_fd, "standard output");
    sink_begin(&o->err, options->err_fd, "standard error");
    o->same = sink_is_same(&o->out, &o->err);
    o->pool = (held_pool){.limit = options->memory_limit ? options->memory_limit : MEMORY_LIMIT,
                          .folder = options->folder,
                          .spool_fd = -1};
    *ret = o;
    return 0;
}

outbox_held *outbox_hold(outbox *o, const flow_bytes *out, const flow_bytes *err)
{
    held_span spans[2] = {span_of(out ? out : &nothing), span_of(err ? err : &nothing)};
    return (outbox_held *)held_keep(&o->pool, &spans[0], &spans[1]);
}

void outbox_release(outbox *o, outbox_held *held_output)
{
    held *h = (held *)held_output;
    if (!h)
        return;
    held_span out = {.data = h->data + h->off, .fd = h->fd, .len = h->len[0]};
    held_span err = {.data = h->data + h->off + h->len[0], .fd = h->fd, .len = h->len[1]};
    if (!h->next && gather(o, &out, &err))
        held_free(&o->pool, h);
    else
        enqueue(o, h);
}

void outbox_drop(outbox *o, outbox_held *held_output)
{
    for (held *h = (held *)held_output; h;) {
        held *next = h->next;
        held_free(&o->pool, h);
        h = next;
    }
}

void outbox_put(outbox *o, const flow_bytes *out, const flow_bytes *err)
{
    held_span spans[2] = {span_of(out ? out : &nothing), span_of(err ? err : &nothing)};
    if ((!spans[0].len && !spans[1].len) || gather(o, &spans[0], &spans[1]))
        return;
    outbox_pump(o);
    uint64_t total = spans[0].len + spans[1].len;
    write_through(o, &o->out, &spans[0]);
    if (!spans[0].len)
        write_through(o, &o->err, &spans[1]);
    int begun = !o->head && spans[0].len + spans[1].len < total;
    enqueue(o, held_keep(&o->pool, &spans[0], &spans[1]));
    o->started |= begun && o->head;
}

void outbox_put_part(outbox *o, const flow_bytes *out, int more)
{
    outbox_put(o, out, NULL);
    if (o->tail)
        o->tail->more = more;
    else
        o->started = more;
}

void outbox_line(outbox *o, const char *text, size_t len)
{
    deja_buffer_add(&o->lines, text, len);
    if (o->lines.failed)
        deja_buffer_done(&o->lines);
}

int outbox_terminal(const outbox *o)
{
    return o->err.terminal;
}

int outbox_foreground(const outbox *o)
{
    pid_t group = tcgetpgrp(o->err.fd);
    return group < 0 || group == getpgrp(); /* negative: not the terminal that controls us */
}

size_t outbox_columns(const outbox *o)
{
    struct winsize size;
    if (ioctl(o->err.fd, TIOCGWINSZ, &size) || size.ws_col == 0)
        return COLUMNS;
    return size.ws_col;
}

void outbox_status(outbox *o, const char *line)
{
    deja_buffer_clear(&o->status);
    if (line)
        deja_buffer_add_string(&o->status, line);
    o->redraw = 1;
}

void outbox_clear_status(outbox *o)
{
    deja_buffer_clear(&o->status);
    hide_status(o);
}

void outbox_pump(outbox *o)
{
    size_t budget = PUMP_BYTES;
    while (o->head || o->lines.len) {
        if (lines_may_go(o) && write_lines(o))
            continue;
        size_t n = o->head ? write_front(o) : 0;
        if (!n || n >= budget)
            break;
        budget -= n;
    }
    draw_status(o);
}

size_t outbox_poll(const outbox *o, struct pollfd fds[2])
{
    size_t n = 0;
    if (o->head && !(o->lines_at && (o->same || held_stream(o->head) == 1)))
        fds[n++] = (struct pollfd){.fd = held_stream(o->head) ? o->err.fd : o->out.fd, .events = POLLOUT};
    if (lines_may_go(o))
        fds[n++] = (struct pollfd){.fd = o->err.fd, .events = POLLOUT};
    return n;
}

int outbox_empty(const outbox *o)
{
    return !o->head && !o->lines.len;
}

int outbox_unread(const outbox *o)
{
    return o->out.unread;
}

void outbox_lose(outbox *o, const deja_error *err)
{
    if (!o->lost)
        o->trouble = *err;
    o->lost = 1;
}

int outbox_trouble(const outbox *o, deja_error *ret)
{
    const deja_error *found = NULL;
    if (o->out.error.code)
        found = &o->out.error;
    else if (o->err.error.code &&
             o->err.error.sys_errno != EBADF) /* one that was closed on purpose is nobody's trouble */
        found = &o->err.error;
    else if (o->lost)
        found = &o->trouble;
    else if (o->pool.lost)
        found = &o->pool.trouble;
    if (found)
        *ret = *found;
    return found != NULL;
}
