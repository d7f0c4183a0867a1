/* The output of running jobs as it comes, see live.h. */
#include "live.h"
#include "tagged.h"
#include <deja/memory.h>
#include <string.h>

enum { LINE_BYTES = 1 << 20 };

/* A job that has written something: there are as many as run, or wait for their result to be durable. */
typedef struct live_job {
    struct live_job *next;
    uint32_t def, index;
    deja_buffer rest[2]; /* of standard output and error: a line that has not ended */
} live_job;

static live_job **find(live *l, const flow_event *e)
{
    live_job **at = &l->jobs;
    while (*at && ((*at)->def != e->def->number || (*at)->index != e->index))
        at = &(*at)->next;
    return at;
}

static void put(live *l, int stream, const flow_bytes *bytes)
{
    outbox_put(l->box, stream ? NULL : bytes, stream ? bytes : NULL);
}

static void lose(live *l, deja_buffer *b)
{
    deja_error err;
    deja_fail(&err, DEJA_ENOMEM, "--line-buffer: out of memory");
    outbox_lose(l->box, &err);
    deja_buffer_done(b);
}

/* Whole lines, or a last one that lacks its newline and gets it. */
static void write_lines(live *l, const flow_event *e, int stream, deja_buffer *b)
{
    deja_error err;
    tagged t = {.fd = -1};
    if (b->len && b->data[b->len - 1] != '\n')
        deja_buffer_add_char(b, '\n');
    const flow_bytes bytes = {.data = b->data, .len = b->len, .fd = -1};
    if (b->failed)
        lose(l, b);
    else if (!l->tag)
        put(l, stream, &bytes);
    else if (tagged_job(&t, e->name, &bytes, &err)) {
        outbox_lose(l->box, &err);
        put(l, stream, &bytes);
    } else
        put(l, stream, &t.bytes);
    tagged_done(&t);
    deja_buffer_clear(b);
}

static void add(live *l, live_job *j, const flow_event *e, int stream, const flow_bytes *bytes)
{
    deja_buffer *rest = &j->rest[stream];
    const char *end = memrchr(bytes->data, '\n', bytes->len);
    size_t whole = end ? (size_t)(end - bytes->data) + 1 : 0;
    if (whole) {
        deja_buffer_add(rest, bytes->data, whole);
        write_lines(l, e, stream, rest);
    }
    deja_buffer_add(rest, bytes->data + whole, bytes->len - whole);
    if (rest->failed || rest->len > LINE_BYTES)
        write_lines(l, e, stream, rest);
}

void live_add(live *l, const flow_event *e)
{
    live_job **at = find(l, e);
    if (!*at)
        *at = deja_calloc(1, sizeof **at);
    live_job *j = *at;
    if (!j) {
        lose(l, &(deja_buffer){0});
        return;
    }
    j->def = e->def->number;
    j->index = e->index;
    if (e->out.len && !l->only_errors)
        add(l, j, e, 0, &e->out);
    if (e->err.len)
        add(l, j, e, 1, &e->err);
}

static void free_job(live_job *j)
{
    deja_buffer_done(&j->rest[0]);
    deja_buffer_done(&j->rest[1]);
    deja_free(j);
}

int live_end(live *l, const flow_event *e)
{
    live_job **at = find(l, e), *j = *at;
    if (!j)
        return 0;
    for (int stream = 0; stream < 2; stream++)
        if (j->rest[stream].len)
            write_lines(l, e, stream, &j->rest[stream]);
    *at = j->next;
    free_job(j);
    return 1;
}

void live_done(live *l)
{
    while (l->jobs) {
        live_job *next = l->jobs->next;
        free_job(l->jobs);
        l->jobs = next;
    }
}
