#ifndef STATTABLE_H
#define STATTABLE_H
/*
 * The table behind statmem: fixed slots in the file "stat" of the cache's folder. Two buckets of eight
 * slots are where an entry may be; when both are full an old entry gives way. Format: FORMAT.md, "stat".
 */
#include <deja/hash.h>
#include <stdatomic.h>

/* One entry, as in the file. */
typedef struct statslot {
    uint64_t check;   /* XXH3-64 of the words behind it */
    uint64_t place;   /* hash of device and inode; 0 in a slot never used */
    deja_hash id;     /* of all stat data */
    deja_hash hash;   /* of the content */
    uint64_t boot;    /* hash of the boot id at the time */
    uint32_t flags;   /* statmem.c */
    uint32_t noted_s; /* wall clock, seconds: when buckets are full the oldest gives way */
} statslot;

typedef struct stattable {
    int fd; /* -1: nothing is remembered */
    int writable;
    int full;                                  /* cannot grow (any more): not tried again */
    _Atomic uint64_t buckets;                  /* a power of two */
    _Atomic unsigned finds;                    /* until copies are worth it */
    _Atomic(struct stattable_copies *) copies; /* private: parts of the file in memory; NULL: none yet */
} stattable;

/* Never fails: without a usable file the table forgets. A file that is no table is replaced by an empty one.
 */
void stattable_open(stattable *t, int folder_fd);
void stattable_close(stattable *t);

/* A sound slot with this place. 1 or 0. Any thread, without a lock. */
int stattable_find(stattable *t, uint64_t place, statslot *ret);

/* Writes a slot, instead of the one with its place. `check` is filled in here. One thread at a time. */
void stattable_put(stattable *t, statslot *slot);

#endif
