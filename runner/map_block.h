#ifndef MAP_BLOCK_H
#define MAP_BLOCK_H
/*
 * A map under way, as it lies in the heap: what it is (written by the program before the first share of it is
 * posted, never changed) and what becomes of its items (written by workers).
 *
 * Up to `shares` workers take chunks of items by one atomic add. An item has a mark: 0 until it has ended,
 * map_failed, or from map_marks on, how long it took. Marks are what counts: after a death the program looks
 * which items have none.
 */
#include "function_place.h"

#include <stdatomic.h>

enum map_mark { map_open = 0, map_failed = 1, map_marks = 2 };

enum map_form {
    map_same,  /* `value`, a scalar */
    map_image, /* `len` bytes at `data`, the image of a value */
    map_words, /* an array of I64, U64 or F64 without gaps at `data` */
    map_split, /* any other array */
};

typedef struct map_column {
    uint32_t form, dtype, ndim;
    const void *data; /* in the heap */
    uint64_t len;
    deja_value value;
    int64_t shape[DEJA_NDIM_MAX];
} map_column;

enum map_record_kind { map_record_stream = 32, map_record_file }; /* below: a scalar of this kind */

typedef struct map_record {
    uint64_t bits; /* of a scalar; or where its entry in the stream begins */
    uint32_t kind, stream;
} map_record;

/* In a stream, at a multiple of 64, followed by the bytes: an image or (code < 0) a text. */
typedef struct map_entry {
    uint64_t item, len;
    int32_t code;
    uint32_t reserved[11];
} map_entry;

typedef struct map_block {
    _Alignas(64) _Atomic uint64_t next;  /* item that nobody has taken */
    _Alignas(64) _Atomic uint64_t ended; /* marks that workers have made */
    _Atomic uint32_t stop, streams;      /* streams: numbers that were given out */
    _Alignas(64) const function_place *place;
    uint64_t count, chunk, columns, shares;
    int64_t timeout_ns, interval_ns;
    uint32_t stop_at_failure, into_dtype;
    uint16_t *mark;
    map_record *record;     /* NULL with ... */
    void *into;             /* ... results as numbers of into_dtype */
    const deja_value *row;  /* NULL, or count * columns scalars */
    const uint64_t *row_at; /* NULL, or where the image of each row begins, and its length ... */
    const char *row_images; /* ... from here */
    map_column column[];
} map_block;

_Static_assert(sizeof(map_entry) == 64, "entries keep images at multiples of 64");

/* A time as a mark: exact below 1024 ns, else to a part in 512. */
static inline uint16_t map_mark_of(int64_t ns)
{
    uint64_t x = ns > 0 ? (uint64_t)ns : 0;
    if (x < 1024)
        return (uint16_t)(map_marks + x);
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(x) - 9;
    return (uint16_t)(map_marks + shift * 512 + (x >> shift));
}

static inline int64_t map_mark_ns(uint16_t mark)
{
    uint64_t x = mark < map_marks ? 0 : (uint64_t)mark - map_marks;
    if (x < 1024)
        return (int64_t)x;
    uint32_t shift = (uint32_t)(x / 512 - 1);
    return (int64_t)((x - shift * 512) << shift);
}

#endif
