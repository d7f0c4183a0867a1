/* What is remembered of jobs, see history.h. */
#include "history_state.h"
#include <deja/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum {
    FLUSH_BYTES = 1 << 18, /* of records that are held back for one write */
    INDEX_BYTES = 1 << 20, /* of records outside the index at least, before it is made anew: 3 ms to read */
    INDEX_PART = 4,        /* and this part of what the index covers */
    MOST_BYTES = 1 << 30,  /* of records that are kept */
};

static int open_folder(const history *h)
{
    return h->folder ? open(h->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static int add_item(void *context, const history_item *item)
{
    return history_index_add(context, item);
}

/* Reads the index, and what the log has behind it. */
static int open_index(history_index *x, int runs_fd, const history_log *log)
{
    history_index_open(x, runs_fd, log->generation, log->size);
    uint64_t from = x->covered > HISTORY_LOG_HEADER ? x->covered : HISTORY_LOG_HEADER;
    int status = history_log_scan(log, from, add_item, x);
    history_index_sort(x);
    return status;
}

int history_ready(history *h)
{
    if (!h->opened) {
        h->opened = 1;
        DEJA_AUTO_CLOSE int runs_fd = open_folder(h);
        if (runs_fd >= 0 && history_log_open(&h->log, runs_fd, 0, NULL) == 0)
            open_index(&h->index, runs_fd, &h->log);
    }
    return h->log.fd >= 0;
}

uint64_t history_job(const history *h, const batch_job *def)
{
    const uint64_t words[2] = {h->batch, deja_hash64(def->name, strlen(def->name))};
    return deja_hash64(words, sizeof words);
}

static uint64_t hash_name(const batch *b)
{
    const char *path = b->source.path;
    if (!path || !strcmp(path, "<stdin>"))
        return deja_hash64(b->folder, strlen(b->folder));
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return deja_hash64(name, strlen(name));
}

int history_open(history **ret, const history_options *options, deja_error *err)
{
    history *h = deja_calloc(1, sizeof *h);
    if (!h)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    h->folder = options->folder;
    h->batch = hash_name(options->batch);
    h->log.fd = -1;
    *ret = h;
    return 0;
}

history_id history_id_of(const history *h, const batch_job *def, uint32_t index)
{
    params p = {.count = 0};
    params_of(&p, def, index);
    history_id id = {.job = history_job(h, def), .params = params_hash(&p)};
    params_done(&p);
    return id;
}

size_t history_find(history *h, const history_id *id, history_item ret[HISTORY_RUNS + 1])
{
    return history_ready(h) ? history_index_find(&h->index, id, ret, HISTORY_RUNS + 1) : 0;
}

size_t history_of_job(history *h, const batch_job *def, history_item **ret)
{
    *ret = NULL;
    if (!history_ready(h))
        return 0;
    const history_index *x = &h->index;
    size_t tail_first, base_first;
    size_t tail = history_index_job(x->tail, x->tail_count, history_job(h, def), &tail_first);
    size_t base = history_index_job(x->base, x->base_count, history_job(h, def), &base_first);
    history_item *items = tail + base ? deja_realloc_array(NULL, tail + base, sizeof *items) : NULL;
    if (!items)
        return 0;
    if (tail)
        memcpy(items, x->tail + tail_first, tail * sizeof *items);
    if (base)
        memcpy(items + tail, x->base + base_first, base * sizeof *items);
    *ret = items;
    return tail + base;
}

int history_load(history *h, const history_item *item, history_record *ret)
{
    return history_ready(h) && history_log_load(&h->log, item, ret);
}

void history_record_done(history_record *r)
{
    deja_free(r->params);
    deja_buffer_done(&r->bytes);
    *r = (history_record){.param_count = 0};
}

/* ---- noting ---- */

static uint32_t flags_of(const flow_event *e)
{
    return (e->kind != FLOW_FINISHED ? HISTORY_FAILED : 0) | (e->keyed ? HISTORY_KEYED : 0) |
           (e->kept ? HISTORY_KEPT : 0) | (e->adopted ? HISTORY_ADOPTED : 0);
}

void history_note(history *h, const flow_event *e, const char *run)
{
    if (!h->folder || h->broken || !e->def ||
        (e->kind != FLOW_FINISHED && e->kind != FLOW_FAILED && e->kind != FLOW_SKIPPED))
        return;
    params_of(&h->params, e->def, e->index);
    const char *reason = e->reason ? e->reason : e->not_kept ? e->not_kept : "";
    history_record r = {.item = {.id = {.job = history_job(h, e->def), .params = params_hash(&h->params)},
                                 .flags = flags_of(e),
                                 .started_ns = e->started_ns ? e->started_ns : deja_wall_ns(NULL),
                                 .wall_ns = e->wall_ns},
                        .exit_status = e->exit_status,
                        .signal = e->signal,
                        .job = e->def->name,
                        .params = h->params.items,
                        .param_count = h->params.count,
                        .run = run,
                        .reason = reason};
    if (e->keyed) {
        r.key = e->key;
        r.encoding = e->encoding;
        r.encoding_len = e->encoding_len;
    }
    history_log_encode(&h->pending, &r);
    h->noted = 1;
}

static int write_pending(history *h, deja_error *err)
{
    if (h->pending.failed)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    DEJA_AUTO_CLOSE int runs_fd = open_folder(h);
    return runs_fd < 0 ? deja_fail_errno(err, "open '%s'", h->folder)
                       : history_log_append(runs_fd, &h->pending, err);
}

int history_flush(history *h, int all, deja_error *err)
{
    if (h->broken || (h->pending.len < (all ? 1 : FLUSH_BYTES) && !h->pending.failed))
        return 0;
    int status = write_pending(h, err);
    deja_buffer_clear(&h->pending);
    h->broken = status < 0;
    return status < 0 ? deja_fail_in(err, "the history of jobs in '%s'", h->folder) : 0;
}

/* ---- order ---- */

/* Makes the index anew, of a log that is locked, and the log where half of it and more is of no use. */
static int put_in_order(int runs_fd, history_log *log, deja_error *err)
{
    history_index x = {0};
    DEJA_AUTO_FREE history_item *items = NULL;
    size_t count;
    uint64_t bytes;
    int status = open_index(&x, runs_fd, log);
    if (status == 0)
        status = history_index_keep(&x, MOST_BYTES, &items, &count, &bytes);
    history_index_close(&x);
    if (status < 0)
        return deja_fail(err, status, "out of memory");
    if (log->size - bytes > bytes + INDEX_BYTES)
        status = history_log_rewrite(log, runs_fd, items, count, err);
    return status ? status : history_index_save(runs_fd, log->generation, log->size, items, count, err);
}

static int is_due(int runs_fd, const history_log *log)
{
    history_index x;
    history_index_open(&x, runs_fd, log->generation, log->size);
    uint64_t behind = log->size - x.covered;
    int due = behind > INDEX_BYTES && behind > x.covered / INDEX_PART;
    history_index_close(&x);
    return due;
}

int history_finish(history *h, deja_error *err)
{
    int status = history_flush(h, 1, err);
    if (status < 0 || h->broken || !h->noted)
        return status;
    DEJA_AUTO_CLOSE int runs_fd = open_folder(h);
    history_log log = {.fd = -1};
    if (runs_fd < 0 || history_log_open(&log, runs_fd, 1, NULL) < 0)
        return 0;
    if (is_due(runs_fd, &log) && history_log_lock(&log, runs_fd, NULL) == 0)
        status = put_in_order(runs_fd, &log, err);
    history_log_close(&log);
    if (status < 0)
        return deja_fail_in(err, "put the history of jobs in '%s' in order", h->folder);
    return status;
}

void history_close(history *h)
{
    if (!h)
        return;
    history_index_close(&h->index);
    history_log_close(&h->log);
    for (size_t i = 0; i < HISTORY_SAMPLE; i++)
        history_record_done(&h->sample.records[i]);
    params_done(&h->params);
    deja_buffer_done(&h->pending);
    deja_free(h);
}
