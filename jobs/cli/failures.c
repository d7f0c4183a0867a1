/* The jobs that failed, see failures.h. */
#include "failures.h"
#include <ctype.h>
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/text.h>
#include <inttypes.h>
#include <string.h>

enum {
    TAIL_LINES = 10,
    TAIL_BYTES = 8192, /* looked at for them */
    LINE_BYTES = 400,  /* of a line that are shown */
};

static void add_signal(deja_buffer *b, int sig)
{
    const char *words = strsignal(sig);
    deja_buffer_addf(b, "killed by signal %d", sig);
    if (!words)
        return;
    deja_buffer_add_string(b, " (");
    for (; *words; words++)
        deja_buffer_add_char(b, (char)tolower((unsigned char)*words));
    deja_buffer_add_char(b, ')');
}

/* All of them failed; told of the last. */
static void add_attempts(deja_buffer *b, const flow_event *event)
{
    if (event->attempt > 1 && event->kind == FLOW_FAILED)
        deja_buffer_addf(b, ", at attempt %u of %u", event->attempt, event->attempts);
}

void failures_outcome(deja_buffer *b, const flow_event *event)
{
    size_t start = b->len;
    if (event->timed_out) /* the signal is ours */
        ;
    else if (event->signal > 0)
        add_signal(b, event->signal);
    else if (event->exit_status > 0)
        deja_buffer_addf(b, "exit status %d", event->exit_status);
    if (event->reason && b->len > start)
        deja_buffer_add_string(b, ": ");
    for (const char *p = event->reason ? event->reason : ""; *p;) {
        size_t len = strcspn(p, "\n");
        deja_text_escape(b, p, len);
        p += len + (p[len] == '\n');
        if (*p)
            deja_buffer_add_string(b, "\n    ");
    }
    add_attempts(b, event);
}

/* The last bytes of a stream, into `buffer`. */
static const char *last_bytes(const flow_bytes *bytes, char buffer[TAIL_BYTES], size_t *ret_len)
{
    size_t len = bytes->len < TAIL_BYTES ? (size_t)bytes->len : TAIL_BYTES;
    uint64_t off = bytes->len - len;
    *ret_len = len;
    if (bytes->fd < 0)
        return bytes->data ? bytes->data + off : NULL;
    ssize_t n = deja_file_read_at(bytes->fd, buffer, len, off);
    *ret_len = n > 0 ? (size_t)n : 0;
    return buffer;
}

/* Where the last lines begin. */
static size_t last_lines(const char *data, size_t len)
{
    size_t at = len && data[len - 1] == '\n' ? len - 1 : len;
    for (int lines = 0; at > 0; at--)
        if (data[at - 1] == '\n' && ++lines == TAIL_LINES)
            return at;
    return 0;
}

static void add_tail(deja_buffer *b, const flow_bytes *bytes)
{
    char buffer[TAIL_BYTES];
    size_t len;
    const char *data = last_bytes(bytes, buffer, &len);
    if (!data || !len)
        return;
    for (size_t at = last_lines(data, len); at < len;) {
        const char *end = memchr(data + at, '\n', len - at);
        size_t n = end ? (size_t)(end - data) - at : len - at;
        deja_buffer_add_string(b, "    ");
        deja_text_escape(b, data + at, n < LINE_BYTES ? n : LINE_BYTES);
        deja_buffer_add_string(b, n > LINE_BYTES ? "...\n" : "\n");
        at += n + 1;
    }
}

static void describe(deja_buffer *b, const flow_event *event, const char *log)
{
    deja_buffer_addf(b, "deja: failed%s: ", event->allowed ? ", as allowed" : "");
    deja_text_escape(b, event->name, strlen(event->name));
    deja_buffer_add_string(b, ": ");
    failures_outcome(b, event);
    deja_buffer_add_char(b, '\n');
    add_tail(b, &event->err);
    if (!log)
        return;
    deja_buffer_add_string(b, "    log: ");
    deja_text_escape(b, log, strlen(log));
    deja_buffer_add_char(b, '\n');
}

static size_t shown(const failures *f)
{
    return f->count < FAILURES_SHOWN ? (size_t)f->count : FAILURES_SHOWN;
}

void failures_add(failures *f, const flow_event *event, const char *log)
{
    const uint64_t place = (uint64_t)event->def->number << 32 | event->index;
    const size_t count = shown(f);
    size_t at = count;
    f->count++;
    while (at > 0 && f->first[at - 1].place > place)
        at--;
    if (at == FAILURES_SHOWN)
        return;
    failure one = {.place = place};
    describe(&one.text, event, log);
    size_t last = count;
    if (count == FAILURES_SHOWN)
        deja_buffer_done(&f->first[--last].text);
    memmove(f->first + at + 1, f->first + at, (last - at) * sizeof one);
    f->first[at] = one;
}

void failures_report(const failures *f, const char *run, deja_buffer *b)
{
    for (size_t i = 0; i < shown(f); i++)
        deja_buffer_add_string(b, deja_buffer_string(&f->first[i].text));
    if (f->count <= FAILURES_SHOWN)
        return;
    deja_buffer_addf(b, "deja: and %" PRIu64 " more failed", f->count - FAILURES_SHOWN);
    if (run) {
        deja_buffer_add_string(b, ", see ");
        deja_text_escape(b, run, strlen(run));
        deja_buffer_add_string(b, "/jobs.jsonl");
    }
    deja_buffer_add_char(b, '\n');
}

void failures_done(failures *f)
{
    for (size_t i = 0; i < FAILURES_SHOWN; i++)
        deja_buffer_done(&f->first[i].text);
    f->count = 0;
}
