/*
 * The file behind the memory of stat data: opened without reading it whole, read one bucket at a time or,
 * where many entries are looked up, by parts that stay in memory; written one slot at a time, doubled in
 * place. Every slot proves itself by its checksum, so that torn writes, a growth that was cut short and
 * damage only lose entries.
 */
#include "stattable.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define NAME            "stat"
#define BUCKET_SLOTS    8
#define BUCKET_BYTES    (BUCKET_SLOTS * sizeof(statslot))
#define HEADER_BYTES    BUCKET_BYTES
#define FIRST_BUCKETS   256       /* 2,048 slots, 128 KB: cheap to make, and growing is cheap too */
#define MOST_BUCKETS    (1 << 19) /* 4 M slots, 256 MB */
#define SAMPLE          16        /* buckets looked at to tell how full the table is */
#define VERSION         1
#define COPY_BYTES      (64 * 1024) /* of the file, read at once */
#define COPY_WORDS      (COPY_BYTES / sizeof(uint64_t))
#define MOST_COPIES     ((HEADER_BYTES + MOST_BUCKETS * BUCKET_BYTES) / COPY_BYTES + 1)
#define FEW_FINDS       64 /* so many look-ups read their bucket alone: a short run wants nothing more */
#define BYTE_ORDER_MARK UINT32_C(0x01020304)

typedef struct table_header {
    char magic[8];
    uint32_t version;
    uint32_t slot_bytes;
    uint32_t byte_order;
    uint32_t bucket_slots;
    uint64_t check; /* XXH3-64 of the bytes before it */
} table_header;

_Static_assert(sizeof(statslot) == 64, "a slot is 64 bytes without gaps");
_Static_assert(sizeof(table_header) <= HEADER_BYTES, "the header has the room of a bucket");

/* Parts of the file as they were when each was read, and what was put since. What others put is missed: it is
 * read again another time. */
typedef struct stattable_copies {
    _Atomic(_Atomic uint64_t *) parts[MOST_COPIES];
} stattable_copies;

static table_header header_now(void)
{
    table_header h = {.magic = "dejastat",
                      .version = VERSION,
                      .slot_bytes = sizeof(statslot),
                      .byte_order = BYTE_ORDER_MARK,
                      .bucket_slots = BUCKET_SLOTS};
    h.check = deja_hash64(&h, offsetof(table_header, check));
    return h;
}

static uint64_t check_of(const statslot *slot)
{
    return deja_hash64(&slot->place, sizeof *slot - sizeof slot->check);
}

/* The two buckets of a place, from different bits. */
static uint64_t bucket_of(uint64_t buckets, uint64_t place, int which)
{
    return (which ? place >> 32 : place >> 1) & (buckets - 1);
}

/* Does an entry with this place belong into this bucket? If not it is a leftover of a growth. */
static int belongs(uint64_t buckets, uint64_t place, uint64_t bucket)
{
    return bucket_of(buckets, place, 0) == bucket || bucket_of(buckets, place, 1) == bucket;
}

static uint64_t offset_of(uint64_t bucket)
{
    return HEADER_BYTES + bucket * BUCKET_BYTES;
}

static int is_sound(const statslot *slot)
{
    return slot->place && slot->check == check_of(slot);
}

/* What cannot be read, or is no longer there, is empty. */
static void read_bucket(const stattable *t, uint64_t bucket, statslot slots[BUCKET_SLOTS])
{
    ssize_t n = deja_file_read_at(t->fd, slots, BUCKET_BYTES, offset_of(bucket));
    size_t got = n > 0 ? (size_t)n : 0;
    memset((char *)slots + got, 0, BUCKET_BYTES - got);
}

/* ---- copies ---- */

static stattable_copies *copies_of(stattable *t)
{
    stattable_copies *c = atomic_load_explicit(&t->copies, memory_order_acquire);
    if (c || atomic_fetch_add_explicit(&t->finds, 1, memory_order_relaxed) != FEW_FINDS)
        return c;
    c = deja_calloc(1, sizeof *c);
    atomic_store_explicit(&t->copies, c, memory_order_release);
    return c;
}

static _Atomic uint64_t *read_part(const stattable *t, stattable_copies *c, size_t number)
{
    _Atomic uint64_t *there = NULL, *part = deja_realloc(NULL, COPY_BYTES);
    if (!part)
        return NULL;
    ssize_t n = deja_file_read_at(t->fd, part, COPY_BYTES, (uint64_t)number * COPY_BYTES);
    size_t got = n > 0 ? (size_t)n : 0;
    memset((char *)part + got, 0, COPY_BYTES - got);
    if (atomic_compare_exchange_strong_explicit(&c->parts[number], &there, part, memory_order_acq_rel,
                                                memory_order_acquire))
        return part;
    deja_free((void *)part);
    return there;
}

/* The words of a bucket in memory; NULL: it is to be read. A part that the file does not fill yet is not
 * kept. */
static _Atomic uint64_t *bucket_in_memory(stattable *t, uint64_t bucket, uint64_t buckets)
{
    stattable_copies *c = copies_of(t);
    size_t number = offset_of(bucket) / COPY_BYTES;
    if (!c || ((uint64_t)number + 1) * COPY_BYTES > offset_of(buckets))
        return NULL;
    _Atomic uint64_t *part = atomic_load_explicit(&c->parts[number], memory_order_acquire);
    if (!part)
        part = read_part(t, c, number);
    return part ? part + offset_of(bucket) % COPY_BYTES / sizeof(uint64_t) : NULL;
}

/* Word by word: somebody may be writing. A slot that was half written proves itself wrong. */
static void find_bucket(stattable *t, uint64_t bucket, uint64_t buckets, statslot slots[BUCKET_SLOTS])
{
    _Atomic uint64_t *words = bucket_in_memory(t, bucket, buckets);
    if (!words) {
        read_bucket(t, bucket, slots);
        return;
    }
    for (size_t i = 0; i < BUCKET_BYTES / sizeof(uint64_t); i++) {
        uint64_t word = atomic_load_explicit(&words[i], memory_order_relaxed);
        memcpy((char *)slots + i * sizeof word, &word, sizeof word);
    }
}

static void put_in_memory(stattable *t, uint64_t bucket, unsigned slot, const statslot *from)
{
    stattable_copies *c = atomic_load_explicit(&t->copies, memory_order_acquire);
    _Atomic uint64_t *part =
        c ? atomic_load_explicit(&c->parts[offset_of(bucket) / COPY_BYTES], memory_order_acquire) : NULL;
    size_t first = (offset_of(bucket) % COPY_BYTES + slot * sizeof *from) / sizeof(uint64_t);
    for (size_t i = 0; part && i < sizeof *from / sizeof(uint64_t); i++) {
        uint64_t word;
        memcpy(&word, (const char *)from + i * sizeof word, sizeof word);
        atomic_store_explicit(&part[first + i], word, memory_order_relaxed);
    }
}

static void free_copies(stattable *t)
{
    stattable_copies *c = atomic_load_explicit(&t->copies, memory_order_acquire);
    for (size_t i = 0; c && i < MOST_COPIES; i++)
        deja_free((void *)atomic_load_explicit(&c->parts[i], memory_order_acquire));
    deja_free(c);
}

/* As many as a file of this size has room for; 0 is too few. */
static uint64_t buckets_in(uint64_t size)
{
    uint64_t buckets = FIRST_BUCKETS;
    if (offset_of(buckets) > size)
        return 0;
    while (buckets < MOST_BUCKETS && offset_of(2 * buckets) <= size)
        buckets *= 2;
    return buckets;
}

static int open_named(int folder_fd, int flags)
{
    int fd;
    do
        fd = openat(folder_fd, NAME, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int stat_open(int fd, struct stat *st)
{
    int failed;
    do
        failed = fstat(fd, st);
    while (failed && errno == EINTR);
    return failed;
}

/* 1 a table, 0 something else, -1 it cannot be told now. */
static int is_table(int fd, uint64_t *ret_size)
{
    struct stat st;
    if (stat_open(fd, &st))
        return -1;
    if (!S_ISREG(st.st_mode) || !buckets_in((uint64_t)st.st_size))
        return 0;
    table_header want = header_now();
    table_header have;
    ssize_t n = deja_file_read_at(fd, &have, sizeof have, 0);
    if (n < 0)
        return -1;
    *ret_size = (uint64_t)st.st_size;
    return n == (ssize_t)sizeof have && !memcmp(&have, &want, sizeof want);
}

/* Written out, not left as a hole: room that is there now may not be when a slot is written. */
static int make_empty(int folder_fd)
{
    size_t size = HEADER_BYTES + FIRST_BUCKETS * BUCKET_BYTES;
    DEJA_AUTO_FREE void *bytes = deja_calloc(1, size);
    if (!bytes)
        return DEJA_ENOMEM;
    table_header h = header_now();
    memcpy(bytes, &h, sizeof h);
    return deja_file_replace(folder_fd, NAME, bytes, size, 0600, 0, NULL);
}

/* The descriptor of a table, or -1. Lack of resources and of rights makes nothing new. */
static int open_table(int folder_fd, uint64_t *ret_size, int *ret_writable)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        *ret_writable = 1;
        DEJA_AUTO_CLOSE int fd = open_named(folder_fd, O_RDWR);
        if (fd < 0 && (errno == EACCES || errno == EROFS)) {
            *ret_writable = 0;
            fd = open_named(folder_fd, O_RDONLY);
        }
        if (fd < 0 && errno != ENOENT && errno != ELOOP && errno != ENXIO && errno != EISDIR)
            return -1;
        int good = fd < 0 ? 0 : is_table(fd, ret_size);
        if (good > 0)
            return deja_take_fd(fd);
        if (good < 0 || attempt || make_empty(folder_fd) < 0)
            return -1;
    }
    return -1;
}

/* Somebody may have doubled the file: then that is the table. 1 when it was so. */
static int follow_growth(stattable *t)
{
    struct stat st;
    uint64_t buckets = stat_open(t->fd, &st) ? 0 : buckets_in((uint64_t)st.st_size);
    if (buckets <= atomic_load_explicit(&t->buckets, memory_order_relaxed))
        return 0;
    atomic_store_explicit(&t->buckets, buckets, memory_order_relaxed);
    return 1;
}

static int copy_buckets(const stattable *t, uint64_t buckets)
{
    statslot slots[BUCKET_SLOTS];
    int failed = 0;
    for (uint64_t i = 0; !failed && i < buckets; i++) {
        read_bucket(t, i, slots);
        failed = deja_file_write_at(t->fd, slots, BUCKET_BYTES, offset_of(buckets + i), "stat", NULL);
    }
    return failed;
}

/*
 * Doubles the table: its second half becomes a copy of the first. An entry is then in the bucket that the
 * longer mask asks for as well as in its old one, where it counts as free.
 */
static int grow(stattable *t)
{
    uint64_t buckets = atomic_load_explicit(&t->buckets, memory_order_relaxed);
    t->full = buckets >= MOST_BUCKETS || copy_buckets(t, buckets) || !follow_growth(t);
    return !t->full;
}

static int mostly_full(const stattable *t, uint64_t buckets, uint64_t place)
{
    unsigned used = 0;
    for (uint64_t i = 0; i < SAMPLE; i++) {
        statslot slots[BUCKET_SLOTS];
        uint64_t bucket = (place + i * (buckets / SAMPLE)) & (buckets - 1);
        read_bucket(t, bucket, slots);
        for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++)
            used += slots[slot].place && belongs(buckets, slots[slot].place, bucket);
    }
    return 4 * used >= 3 * SAMPLE * BUCKET_SLOTS;
}

/* Where a new entry goes. */
typedef struct spot {
    uint64_t bucket;
    unsigned slot;
    unsigned free;    /* slots of the bucket that are; with 0 the entry in `slot` gives way */
    uint32_t noted_s; /* of that entry */
    int same;         /* `slot` holds the same place */
} spot;

/* Of one bucket: the slot with this place, else a free or damaged one, else the oldest. */
static spot choose_in(const stattable *t, uint64_t buckets, uint64_t bucket, uint64_t place)
{
    spot best = {.bucket = bucket, .noted_s = UINT32_MAX};
    statslot slots[BUCKET_SLOTS];
    read_bucket(t, bucket, slots);
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        int sound = is_sound(&slots[i]);
        if (sound && slots[i].place == place) {
            best.slot = i;
            best.same = 1;
            break;
        }
        if (!sound || !belongs(buckets, slots[i].place, bucket)) {
            best.slot = i;
            best.free++;
        } else if (!best.free && slots[i].noted_s < best.noted_s) {
            best.slot = i;
            best.noted_s = slots[i].noted_s;
        }
    }
    return best;
}

/* The emptier of two buckets: so both are full only when nearly all are (Azar, Broder et al., "Balanced
 * allocations"). */
static spot choose(const stattable *t, uint64_t place)
{
    uint64_t buckets = atomic_load_explicit(&t->buckets, memory_order_relaxed);
    spot first = choose_in(t, buckets, bucket_of(buckets, place, 0), place);
    if (first.same)
        return first;
    spot second = choose_in(t, buckets, bucket_of(buckets, place, 1), place);
    if (second.same || second.free > first.free)
        return second;
    return first.free || first.noted_s <= second.noted_s ? first : second;
}

void stattable_open(stattable *t, int folder_fd)
{
    uint64_t size = 0;
    *t = (stattable){.fd = -1};
    t->fd = open_table(folder_fd, &size, &t->writable);
    atomic_init(&t->buckets, buckets_in(size));
}

void stattable_close(stattable *t)
{
    free_copies(t);
    if (t->fd >= 0)
        close(t->fd);
}

int stattable_find(stattable *t, uint64_t place, statslot *ret)
{
    uint64_t buckets = atomic_load_explicit(&t->buckets, memory_order_relaxed);
    if (t->fd < 0)
        return 0;
    for (int which = 0; which < 2; which++) {
        statslot slots[BUCKET_SLOTS];
        find_bucket(t, bucket_of(buckets, place, which), buckets, slots);
        for (unsigned i = 0; i < BUCKET_SLOTS; i++)
            if (slots[i].place == place && is_sound(&slots[i])) {
                *ret = slots[i];
                return 1;
            }
    }
    return 0;
}

void stattable_put(stattable *t, statslot *slot)
{
    if (t->fd < 0 || !t->writable)
        return;
    /* Others may have doubled the file; with the shorter mask what they moved would be missed. */
    (void)follow_growth(t);
    spot where = choose(t, slot->place);
    uint64_t buckets = atomic_load_explicit(&t->buckets, memory_order_relaxed);
    int crowded =
        !t->full && !where.same && (!where.free || (where.free <= 2 && mostly_full(t, buckets, slot->place)));
    if (crowded && grow(t))
        where = choose(t, slot->place);
    slot->check = check_of(slot);
    /* A memory: what could not be written is read again another time. */
    if (deja_file_write_at(t->fd, slot, sizeof *slot, offset_of(where.bucket) + where.slot * sizeof *slot,
                           "stat", NULL) == 0)
        put_in_memory(t, where.bucket, where.slot, slot);
}
