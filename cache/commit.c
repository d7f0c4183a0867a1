/*
 * Committing a sealed result: its large pieces become blobs, then its record goes to the writer.
 */
#include "blob.h"
#include "entry.h"
#include "pending.h"

#include <deja/memory.h>

#define RECORD_MOST ((size_t)512 << 20) /* bytes; SQLite's limit for a row is 1,000,000,000 */

static int no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "keep a result: out of memory");
}

static size_t blobs_of(const struct deja_pending *p, uint64_t *ret_bytes)
{
    size_t n = 0;
    *ret_bytes = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (p->pieces[i].fd < 0)
            continue;
        n++;
        *ret_bytes += pending_stored(p, i)->content.size;
    }
    return n;
}

static int publish_blobs(deja_cache *c, struct deja_pending *p, deja_error *err)
{
    uint64_t bytes;
    size_t n = blobs_of(p, &bytes);
    if (!n)
        return 0;
    p->blobs = deja_calloc(n, sizeof *p->blobs);
    p->blob_fds = deja_calloc(n, sizeof *p->blob_fds);
    if (!p->blobs || !p->blob_fds)
        return no_memory(err);
    for (size_t i = 0, at = 0; i < p->count; i++) {
        const deja_content *content = &pending_stored(p, i)->content;
        if (p->pieces[i].fd < 0)
            continue;
        int r = blob_publish(c, p->pieces[i].fd, content, err);
        if (r)
            return r;
        p->blobs[at] = (db_blob){content->hash, content->size};
        p->blob_fds[at++] = p->pieces[i].fd;
    }
    p->item.put.blobs = p->blobs;
    p->item.put.blob_count = n;
    p->item.blob_fds = p->blob_fds;
    return 0;
}

static int encode(deja_cache *c, struct deja_pending *p, deja_error *err)
{
    deja_result *r = p->result;
    deja_entry e = {.key = r->key,
                    .label = r->label,
                    .encoding = r->encoding,
                    .encoding_len = r->encoding_len,
                    .exit_status = r->exit_status,
                    .created_ns = r->created_ns ? r->created_ns : deja_wall_ns(c->clock),
                    .wall_ns = r->wall_ns,
                    .cpu_ns = r->cpu_ns,
                    .peak_rss_bytes = r->peak_rss_bytes,
                    .out = p->out,
                    .err = p->err,
                    .has_value = (r->flags & DEJA_RESULT_VALUE) != 0,
                    .value = p->value,
                    .outputs = r->outputs,
                    .output_count = r->output_count};
    if (r->flags & DEJA_RESULT_DISCOVERED) {
        e.discovered = r->discovered;
        e.discovered_count = r->discovered_count;
        if (entry_variant(&e, &p->variant))
            return no_memory(err);
        p->item.put.variant = &p->variant;
    }
    deja_buffer_clear(&p->record);
    entry_encode(&p->record, &e);
    if (p->record.failed)
        return no_memory(err);
    if (p->record.len > RECORD_MOST)
        return deja_fail(err, DEJA_ELIMIT, "the fields of the key take over 512 MB");
    p->item.put.key = r->key;
    p->item.put.record = p->record.data;
    p->item.put.len = p->record.len;
    p->item.put.cost_ns = r->wall_ns;
    p->item.put.created_ns = e.created_ns;
    return 0;
}

static void commit_step(deja_cache *c, deja_step *step)
{
    deja_result *r = (deja_result *)step;
    struct deja_pending *p = r->pending;
    uint64_t bytes;
    if (blobs_of(p, &bytes) && steps_put_off(c->steps, step, bytes))
        return;
    step->status = publish_blobs(c, p, &step->error);
    if (!step->status)
        step->status = encode(c, p, &step->error);
    p->item.step = step;
    if (step->status)
        steps_finish(c->steps, step);
    else
        writer_add(c->writer, &p->item);
}

int deja_result_commit_begin(deja_cache *c, deja_result *r)
{
    writer_hurry(c->writer, 0);
    r->step.status = 0;
    if (!r->pending || r->flags & DEJA_RESULT_NO_KEEP) {
        r->step.status = deja_fail(&r->step.error, DEJA_EINVAL, "only a sealed result can be kept");
        return 1;
    }
    uint64_t bytes;
    return blobs_of(r->pending, &bytes) ? steps_begin(c->steps, &r->step, commit_step)
                                        : steps_begin_elsewhere(c->steps, &r->step, commit_step);
}
