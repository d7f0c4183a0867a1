/*
 * Blobs go last, under the write lock: there nobody can be about to refer to one again (writer.c,
 * keep_blobs).
 */
#include "unused.h"
#include "blob.h"

#include <deja/cleanup.h>
#include <string.h>

static int remove_all(deja_cache *c, db *d, const deja_buffer *hashes, deja_error *err)
{
    deja_hash hash;
    int r = 0;
    for (size_t at = 0; r >= 0 && at + sizeof hash.byte <= hashes->len; at += sizeof hash.byte) {
        memcpy(hash.byte, hashes->data + at, sizeof hash.byte);
        r = db_blob_forget(d, &hash, err);
        if (r > 0)
            r = blob_remove(&c->folder, &hash, err);
    }
    return r < 0 ? r : 0;
}

int unused_remove(deja_cache *c, db *d, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer hashes = {0};
    db_take_unused(d, &hashes);
    if (!hashes.len)
        return 0;
    int r = db_write_begin(d, err);
    if (!r)
        r = remove_all(c, d, &hashes, err);
    if (!r)
        r = db_commit(d, err);
    if (r)
        db_rollback(d);
    return r;
}
