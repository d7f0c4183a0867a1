/* What happens as JSON, see events.h. */
#include "events.h"
#include "fields.h"
#include "json.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/text.h>

enum { CHUNK_BYTES = 65535 }; /* of a long stream; a multiple of three, for base64 */

const char *events_kind(flow_event_kind kind)
{
    switch (kind) {
    case FLOW_STARTED:
        return "started";
    case FLOW_HIT:
        return "hit";
    case FLOW_FINISHED:
        return "finished";
    case FLOW_FAILED:
        return "failed";
    case FLOW_SKIPPED:
        return "skipped";
    case FLOW_RETRYING:
        return "retrying";
    case FLOW_WAITING:
        return "waiting";
    case FLOW_WOULD_RUN:
        return "would-run";
    case FLOW_WOULD_HIT:
        return "would-hit";
    case FLOW_NOTE:
    case FLOW_OUTPUT: /* it is no event of --json */
        return "note";
    }
    return "note";
}

static void lose(events *e, int code, const char *why)
{
    deja_error err;
    deja_fail(&err, code, "write an event: %s", why);
    outbox_lose(e->box, &err);
}

/* Hands the line so far to the outbox. `more` of it follows. */
static void flush(events *e, int more)
{
    flow_bytes bytes = {.data = e->line.data, .len = e->line.len, .fd = -1};
    if (e->line.failed)
        lose(e, DEJA_ENOMEM, "out of memory");
    else
        outbox_put_part(e->box, &bytes, more);
    deja_buffer_clear(&e->line);
}

/* A chunk of a file: bytes read, 0 at the end or on failure. */
static size_t read_chunk(int fd, char *data, uint64_t off, uint64_t len)
{
    size_t want = len - off < CHUNK_BYTES ? (size_t)(len - off) : CHUNK_BYTES;
    ssize_t n = deja_file_read_at(fd, data, want, off);
    return n > 0 ? (size_t)n : 0;
}

/* `len` without a character at the end that goes on in the next chunk. */
static size_t whole_characters(const char *data, size_t len)
{
    for (size_t back = 1; back <= 3 && back < len; back++) {
        unsigned char c = (unsigned char)data[len - back];
        size_t needs = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        if (c >= 0x80 && c < 0xc0)
            continue;
        return needs > back ? len - back : len;
    }
    return len;
}

/* A chunk of whole characters: bytes read, 0 at the end, on failure, and where it is no UTF-8. */
static size_t read_text(const flow_bytes *bytes, char *chunk, uint64_t off)
{
    size_t n = read_chunk(bytes->fd, chunk, off, bytes->len);
    if (off + n < bytes->len)
        n = whole_characters(chunk, n);
    return deja_text_is_utf8(chunk, n) ? n : 0;
}

static int file_is_utf8(const flow_bytes *bytes, char *chunk)
{
    uint64_t off = 0;
    for (size_t n; off < bytes->len && (n = read_text(bytes, chunk, off)) > 0;)
        off += n;
    return off == bytes->len;
}

/* A stream in a file, a chunk at a time: it may be larger than memory. Read twice, as the name of the member
 * says which kind of bytes follow; a file that changes meanwhile is output that is lost. */
static void add_file(events *e, const char *name, const flow_bytes *bytes)
{
    DEJA_AUTO_FREE char *chunk = deja_realloc(NULL, CHUNK_BYTES);
    if (!chunk) {
        e->line.failed = 1;
        return;
    }
    const int text = file_is_utf8(bytes, chunk);
    uint64_t off = 0;
    deja_buffer_addf(&e->line, ",\"%s%s\":\"", name, text ? "" : "_base64");
    while (off < bytes->len) {
        size_t n = text ? read_text(bytes, chunk, off) : read_chunk(bytes->fd, chunk, off, bytes->len);
        if (!n)
            break;
        if (text)
            json_escape(&e->line, chunk, n);
        else
            json_base64(&e->line, chunk, n);
        off += n;
        flush(e, 1);
    }
    deja_buffer_add_char(&e->line, '"');
    if (off == bytes->len)
        return;
    lose(e, DEJA_EIO, "the output of a job ended early");
    deja_buffer_addf(&e->line, ",\"%s_cut\":true", name);
}

static void add_stream(events *e, const char *name, const flow_bytes *bytes)
{
    if (bytes->len && bytes->fd >= 0)
        add_file(e, name, bytes);
    else if (bytes->len && bytes->data)
        json_bytes(&e->line, name, bytes->data, (size_t)bytes->len);
}

static int has_outcome(flow_event_kind kind)
{
    return kind == FLOW_HIT || kind == FLOW_FINISHED || kind == FLOW_FAILED || kind == FLOW_RETRYING;
}

int events_ends(flow_event_kind kind)
{
    return kind == FLOW_HIT || kind == FLOW_FINISHED || kind == FLOW_FAILED || kind == FLOW_SKIPPED;
}

static void add_outcome(deja_buffer *b, const flow_event *event)
{
    if (event->exit_status >= 0)
        json_int(b, "status", event->exit_status);
    else
        json_null(b, "status");
    if (event->signal > 0)
        json_int(b, "signal", event->signal);
    if (event->timed_out)
        json_bool(b, "timed_out", 1);
    if (event->allowed)
        json_bool(b, "allowed", 1);
    json_seconds(b, "wall_s", event->wall_ns);
    json_seconds(b, "cpu_s", event->cpu_ns);
    json_int(b, "peak_rss_bytes", (int64_t)event->peak_rss_bytes);
    if (event->kind == FLOW_FINISHED)
        json_bool(b, "kept", event->kept);
    if (event->adopted)
        json_bool(b, "adopted", 1);
    if (event->not_kept)
        json_string(b, "not_kept", event->not_kept);
}

static void add_attempt(deja_buffer *b, const flow_event *event)
{
    json_int(b, "attempt", event->attempt);
    json_int(b, "attempts", event->attempts);
    if (event->kind == FLOW_RETRYING)
        json_seconds(b, "retry_s", event->retry_ns);
}

void events_describe(deja_buffer *b, const flow_event *event)
{
    json_word(b, "event", events_kind(event->kind));
    if (event->def) {
        json_string(b, "job", event->def->name);
        fields_params(b, "params", event->def, event->index);
    }
    if (event->def && event->def->symbol) {
        json_string(b, "function", event->def->symbol);
        json_string(b, "library", event->def->library);
    }
    if (event->keyed)
        json_hash(b, "key", &event->key);
    if (event->reason)
        json_string(b, event->kind == FLOW_NOTE ? "text" : "reason", event->reason);
    if (event->attempt > 1 || event->kind == FLOW_RETRYING)
        add_attempt(b, event);
    if (has_outcome(event->kind))
        add_outcome(b, event);
}

void events_job(events *e, const flow_event *event)
{
    deja_buffer *b = &e->line;
    deja_buffer_clear(b);
    json_open(b, NULL, '{');
    events_describe(b, event);
    if (has_outcome(event->kind)) {
        add_stream(e, "stdout", &event->out);
        add_stream(e, "stderr", &event->err);
    }
    deja_buffer_add_string(b, "}\n");
    flush(e, 0);
}

void events_note(events *e, const char *text)
{
    deja_buffer *b = &e->line;
    deja_buffer_clear(b);
    json_open(b, NULL, '{');
    json_word(b, "event", "note");
    json_string(b, "text", text);
    deja_buffer_add_string(b, "}\n");
    flush(e, 0);
}

void events_summary(events *e, const flow_totals *t, int64_t elapsed_ns, int64_t estimate_ns, int exit_status)
{
    deja_buffer *b = &e->line;
    deja_buffer_clear(b);
    json_open(b, NULL, '{');
    json_word(b, "event", "summary");
    json_int(b, "total", (int64_t)t->total);
    json_int(b, "done", (int64_t)t->done);
    json_int(b, "hits", (int64_t)t->hits);
    json_int(b, "ran", (int64_t)t->ran);
    json_int(b, "failed", (int64_t)t->failed);
    if (t->allowed)
        json_int(b, "allowed", (int64_t)t->allowed);
    json_int(b, "skipped", (int64_t)t->skipped);
    json_int(b, "not_kept", (int64_t)t->not_kept);
    json_seconds(b, "wall_s", elapsed_ns);
    json_seconds(b, "saved_s", t->saved_ns);
    if (estimate_ns >= 0)
        json_seconds(b, "estimate_s", estimate_ns);
    json_int(b, "exit_status", exit_status);
    deja_buffer_add_string(b, "}\n");
    flush(e, 0);
}

void events_done(events *e)
{
    deja_buffer_done(&e->line);
}
