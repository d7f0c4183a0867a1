/*
 * The pieces of a result between seal and commit.
 */
#include "pending.h"

#include <deja/memory.h>

struct deja_pending *pending_new(deja_result *r)
{
    size_t count = r->output_count + PENDING_OUTPUTS;
    struct deja_pending *p = deja_calloc(1, sizeof *p + count * sizeof p->pieces[0]);
    if (!p)
        return NULL;
    p->result = r;
    p->count = count;
    for (size_t i = 0; i < count; i++)
        p->pieces[i].fd = -1;
    return p;
}

const deja_stored *pending_stored(const struct deja_pending *p, size_t i)
{
    switch (i) {
    case PENDING_OUT:
        return &p->out;
    case PENDING_ERR:
        return &p->err;
    case PENDING_VALUE:
        return &p->value;
    default:
        return &p->result->outputs[i - PENDING_OUTPUTS].stored;
    }
}

void deja_result_done(deja_result *r)
{
    struct deja_pending *p = r->pending;
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        piece_done(&p->pieces[i]);
    deja_buffer_done(&p->record);
    deja_free(p->blobs);
    deja_free(p->blob_fds);
    deja_free(p);
    r->pending = NULL;
}
