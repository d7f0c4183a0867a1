/* The paths that jobs make, see made.h. */
#include "made.h"
#include <deja/memory.h>
#include <string.h>

enum { LEAST_SLOTS = 64 }; /* a power of two, as all capacities are */

static int is_free(const deja_hash *slot)
{
    static const deja_hash none;
    return memcmp(slot, &none, sizeof none) == 0;
}

/* The slot of `hash`, or the free one where it belongs. */
static deja_hash *find(const made *m, const deja_hash *hash)
{
    size_t at;
    memcpy(&at, hash->byte, sizeof at);
    for (;; at++) {
        deja_hash *slot = &m->slots[at & (m->cap - 1)];
        if (is_free(slot) || memcmp(slot, hash, sizeof *hash) == 0)
            return slot;
    }
}

static int widen(made *m)
{
    made wider = {.cap = m->cap ? 2 * m->cap : LEAST_SLOTS, .count = m->count};
    wider.slots = deja_calloc(wider.cap, sizeof *wider.slots);
    if (!wider.slots)
        return 0;
    for (size_t i = 0; i < m->cap; i++)
        if (!is_free(&m->slots[i]))
            *find(&wider, &m->slots[i]) = m->slots[i];
    deja_free(m->slots);
    *m = wider;
    return 1;
}

int made_add(made *m, const char *path, deja_error *err)
{
    deja_hash hash = deja_hash_bytes(path, strlen(path));
    if (2 * (m->count + 1) > m->cap && !widen(m))
        return deja_fail(err, DEJA_ENOMEM, "paths of outputs: out of memory");
    deja_hash *slot = find(m, &hash);
    if (!is_free(slot))
        return 0;
    *slot = hash;
    m->count++;
    return 1;
}

void made_done(made *m)
{
    deja_free(m->slots);
    *m = (made){0};
}
