/*
 * Values where they lie: in the entry, or mapped from the blob that was checked.
 */
#include "blob.h"

#include <deja/cleanup.h>
#include <sys/mman.h>

/* The length was checked, and whoever holds the mapping holds the file: a blob is never written to or cut,
 * only unlinked. */
static int map_blob(deja_cache *c, const deja_stored *s, deja_mapped *ret, deja_error *err)
{
    DEJA_AUTO_CLOSE int fd = blob_open(c, &s->content, err);
    if (fd < 0)
        return fd;
    if (s->content.size != (size_t)s->content.size)
        return deja_fail(err, DEJA_ELIMIT, "map a value: it does not fit into memory");
    void *map = mmap(NULL, (size_t)s->content.size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return deja_fail_errno(err, "map a value of the cache '%s'", c->folder.path);
    *ret = (deja_mapped){.data = map, .len = s->content.size, .map = map};
    return 0;
}

int deja_cache_map_value(deja_cache *c, const deja_entry *e, deja_mapped *ret, deja_error *err)
{
    const deja_stored *s = &e->value;
    if (!e->has_value)
        return deja_fail(err, DEJA_ENOTFOUND, "the entry has no value");
    if (s->where == DEJA_STORED_BLOB)
        return map_blob(c, s, ret, err);
    *ret = (deja_mapped){.data = s->data, .len = s->content.size};
    return 0;
}

void deja_mapped_done(deja_mapped *m)
{
    if (m && m->map)
        munmap(m->map, (size_t)m->len);
    if (m)
        *m = (deja_mapped){.map = NULL};
}
