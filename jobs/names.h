#ifndef NAMES_H
#define NAMES_H
/*
 * A table from names to numbers, so that a batch of a hundred thousand jobs, or a map of a million keys, is
 * checked in linear time. Zeroed memory is an empty table. Names are borrowed. One thread.
 */
#include <stddef.h>
#include <stdint.h>

typedef struct name_slot {
    const char *name; /* NULL: free */
    uint32_t len;
    uint32_t value;
} name_slot;

typedef struct name_table {
    name_slot *slots;
    size_t size; /* of slots, a power of two */
    size_t count;
} name_table;

/* The value of a name, NULL when it is not in the table. Borrowed until the next put. */
const uint32_t *name_table_get(const name_table *t, const char *name, size_t len);

/* Adds a name, or gives it a new value. 0 or DEJA_ENOMEM. */
int name_table_put(name_table *t, const char *name, size_t len, uint32_t value);

/* Forgets all names, keeps the memory. */
void name_table_clear(name_table *t);

void name_table_done(name_table *t);

#endif
