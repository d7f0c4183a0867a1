/*
 * One JSON line for each region, appended with one write(2) each, so that lines of several threads and
 * processes do not mix (O_APPEND). A line that cannot be written is lost: tracing never makes a run fail.
 */
#include <deja/cleanup.h>
#include <deja/text.h>
#include <deja/trace.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

struct deja_trace {
    int fd;
};

/* A JSON string (RFC 8259, section 7); a byte that is not UTF-8 becomes U+FFFD. */
static void add_json(deja_buffer *b, const char *text)
{
    deja_buffer_add_char(b, '"');
    for (size_t len = strlen(text); len;) {
        size_t n = deja_text_utf8(text, len);
        unsigned char c = (unsigned char)*text;
        if (n == 0)
            deja_buffer_add_string(b, "\\ufffd");
        else if (c < 0x20)
            deja_buffer_addf(b, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            deja_buffer_addf(b, "\\%c", c);
        else
            deja_buffer_add(b, text, n);
        text += n + !n;
        len -= n + !n;
    }
    deja_buffer_add_char(b, '"');
}

int deja_trace_open(deja_trace **ret, const char *path, deja_error *err)
{
    int opened;
    do
        opened = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    while (opened < 0 && errno == EINTR);
    DEJA_AUTO_CLOSE int fd = opened;
    if (fd < 0)
        return deja_fail_errno(err, "open trace '%s'", path);
    deja_trace *t = deja_calloc(1, sizeof *t);
    if (!t)
        return deja_fail(err, DEJA_ENOMEM, "open trace '%s': out of memory", path);
    t->fd = deja_take_fd(fd);
    *ret = t;
    return 0;
}

void deja_trace_close(deja_trace *t)
{
    if (!t)
        return;
    close(t->fd);
    deja_free(t);
}

void deja_trace_region(deja_trace *t, const char *name, const char *detail, int64_t start_ns)
{
    if (!t)
        return;
    int64_t ns = deja_monotonic_ns(NULL) - start_ns;
    DEJA_AUTO_BUFFER deja_buffer line = {0};
    deja_buffer_add_string(&line, "{\"region\":");
    add_json(&line, name);
    deja_buffer_add_string(&line, ",\"detail\":");
    add_json(&line, detail ? detail : "");
    deja_buffer_addf(&line, ",\"start_ns\":%" PRId64 ",\"ns\":%" PRId64 ",\"thread\":%d}\n", start_ns, ns,
                     gettid());
    if (line.failed)
        return;
    ssize_t n;
    do
        n = write(t->fd, line.data, line.len);
    while (n < 0 && errno == EINTR);
}
