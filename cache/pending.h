#ifndef PENDING_H
#define PENDING_H
/*
 * What a sealed result holds until it is committed or dropped.
 */
#include "piece.h"
#include "writer.h"

/* Which piece is what. */
enum { PENDING_OUT, PENDING_ERR, PENDING_VALUE, PENDING_OUTPUTS /* and from here on */ };

struct deja_pending {
    writer_item item; /* for the commit */
    deja_result *result;
    deja_stored out, err, value;
    deja_buffer record;
    deja_hash variant; /* of the discovered inputs, where there may be some */
    db_blob *blobs;
    int *blob_fds;
    size_t count; /* pieces; that of the value is empty where there is none */
    piece pieces[];
};

/* For r->pending; deja_result_done frees it. NULL when out of memory. */
struct deja_pending *pending_new(deja_result *r);

/* What piece `i` is, where and with which content. */
const deja_stored *pending_stored(const struct deja_pending *p, size_t i);

#endif
