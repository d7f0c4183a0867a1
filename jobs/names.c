/*
 * Open addressing with linear probing, at most half full.
 */
#include "names.h"
#include <deja/error.h>
#include <deja/hash.h>
#include <deja/memory.h>
#include <string.h>

#define FIRST_SLOTS 16

/* The slot of the name, or the free one where it belongs. */
static name_slot *find(const name_table *t, const char *name, size_t len)
{
    for (size_t i = (size_t)deja_hash64(name, len);; i++) {
        name_slot *slot = &t->slots[i & (t->size - 1)];
        if (!slot->name || (slot->len == len && memcmp(slot->name, name, len) == 0))
            return slot;
    }
}

static int grow(name_table *t)
{
    name_table bigger = {.size = t->size ? t->size * 2 : FIRST_SLOTS, .count = t->count};
    bigger.slots = deja_calloc(bigger.size, sizeof *bigger.slots);
    if (!bigger.slots)
        return DEJA_ENOMEM;
    for (size_t i = 0; i < t->size; i++)
        if (t->slots[i].name)
            *find(&bigger, t->slots[i].name, t->slots[i].len) = t->slots[i];
    deja_free(t->slots);
    *t = bigger;
    return 0;
}

const uint32_t *name_table_get(const name_table *t, const char *name, size_t len)
{
    const name_slot *slot = t->count ? find(t, name, len) : NULL;
    return slot && slot->name ? &slot->value : NULL;
}

int name_table_put(name_table *t, const char *name, size_t len, uint32_t value)
{
    if (t->count * 2 >= t->size && grow(t))
        return DEJA_ENOMEM;
    name_slot *slot = find(t, name, len);
    t->count += slot->name == NULL;
    *slot = (name_slot){.name = name, .len = (uint32_t)len, .value = value};
    return 0;
}

void name_table_clear(name_table *t)
{
    if (t->count)
        memset(t->slots, 0, t->size * sizeof *t->slots);
    t->count = 0;
}

void name_table_done(name_table *t)
{
    deja_free(t->slots);
    *t = (name_table){0};
}
