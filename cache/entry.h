#ifndef ENTRY_H
#define ENTRY_H
/*
 * The record of a kept result, as it lies in its row: a versioned binary encoding with a checksum
 * (FORMAT.md).
 */
#include <deja/buffer.h>
#include <deja/cache.h>

/* What can be said of a record without an allocation. Borrowed from the record. */
typedef struct entry_head {
    deja_hash key;
    const void *encoding;
    size_t encoding_len;
    const char *label;
    int32_t exit_status;
    int64_t created_ns, wall_ns, cpu_ns;
    uint64_t peak_rss_bytes;
    uint32_t output_count, discovered_count;
    int has_value;
    deja_stored value; /* its data too, where it is INLINE */
} entry_head;

/* Appends the record of `e`; stored contents with `where` INLINE need their `data`. Sticky as the buffer is.
 */
void entry_encode(deja_buffer *b, const deja_entry *e);

/* A hash of its discovered inputs, their contents included. DEJA_ENOMEM. */
int entry_variant(const deja_entry *e, deja_hash *ret);

/* Checks the checksum and reads the head. `key` (may be NULL): the one it must have. 0, DEJA_ECORRUPT, or
 * DEJA_EVERSION: sound, of this key, and of a format of later times. */
int entry_look(const void *record, size_t len, const deja_hash *key, entry_head *ret);

/* The whole, in one allocation that borrows nothing, an INLINE value aligned to ENTRY_VALUE_ALIGN. `head` is
 * what entry_look said. 0, DEJA_ECORRUPT, DEJA_ENOMEM. */
#define ENTRY_VALUE_ALIGN 64 /* bytes: what arrays in an image want (deja/image.h) */
int entry_decode(const void *record, size_t len, const entry_head *head, deja_entry **ret);

#endif
