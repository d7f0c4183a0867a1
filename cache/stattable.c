/*
 * The file behind the memory of stat data: opened without reading it whole, read through a mapping, written
 * with pwrite, doubled in place. Every slot proves itself by its checksum, so that torn writes, a growth that
 * was cut short and damage only lose entries.
 */
#include "stattable.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define NAME            "stat"
#define BUCKET_SLOTS    8
#define BUCKET_BYTES    (BUCKET_SLOTS * sizeof(statslot))
#define HEADER_BYTES    BUCKET_BYTES
#define FIRST_BUCKETS   256       /* 2,048 slots, 128 KB: cheap to make, and growing is cheap too */
#define MOST_BUCKETS    (1 << 19) /* 4 M slots, 256 MB */
#define SAMPLE          16        /* buckets looked at to tell how full the table is */
#define VERSION         1
#define BYTE_ORDER_MARK UINT32_C(0x01020304)

typedef struct table_header {
    char magic[8];
    uint32_t version;
    uint32_t slot_bytes;
    uint32_t byte_order;
    uint32_t bucket_slots;
    uint64_t check; /* XXH3-64 of the bytes before it */
} table_header;

_Static_assert(sizeof(statslot) == STATSLOT_WORDS * sizeof(uint64_t), "a slot is 64 bytes without gaps");
_Static_assert(sizeof(table_header) <= HEADER_BYTES, "the header has the room of a bucket");

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
static uint64_t bucket_of(const statmap *map, uint64_t place, int which)
{
    return (which ? place >> 32 : place >> 1) & (map->buckets - 1);
}

static uint64_t offset_of(uint64_t bucket, unsigned slot)
{
    return HEADER_BYTES + bucket * BUCKET_BYTES + slot * sizeof(statslot);
}

/* Others may write the slot meanwhile: word by word, and what is torn fails its check. */
static const uint64_t *words_at(const statmap *map, uint64_t bucket, unsigned slot)
{
    return (const uint64_t *)(const void *)(map->bytes + offset_of(bucket, slot));
}

static uint64_t place_at(const statmap *map, uint64_t bucket, unsigned slot)
{
    return __atomic_load_n(words_at(map, bucket, slot) + 1, __ATOMIC_RELAXED);
}

static int slot_at(const statmap *map, uint64_t bucket, unsigned slot, statslot *ret)
{
    const uint64_t *from = words_at(map, bucket, slot);
    uint64_t words[STATSLOT_WORDS];
    for (int i = 0; i < STATSLOT_WORDS; i++)
        words[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
    memcpy(ret, words, sizeof *ret);
    return ret->place && ret->check == check_of(ret);
}

/* Maps as many buckets as the file's size has room for. */
static statmap *map_file(int fd, uint64_t size)
{
    uint64_t buckets = FIRST_BUCKETS;
    while (buckets < MOST_BUCKETS && HEADER_BYTES + 2 * buckets * BUCKET_BYTES <= size)
        buckets *= 2;
    if (HEADER_BYTES + buckets * BUCKET_BYTES > size)
        return NULL;
    statmap *map = deja_calloc(1, sizeof *map);
    if (!map)
        return NULL;
    void *bytes = mmap(NULL, HEADER_BYTES + buckets * BUCKET_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        deja_free(map);
        return NULL;
    }
    map->bytes = bytes;
    map->buckets = buckets;
    return map;
}

static void unmap(statmap *map)
{
    /* The kernel only refuses addresses that were never mapped. */
    (void)munmap((void *)(uintptr_t)map->bytes, HEADER_BYTES + map->buckets * BUCKET_BYTES);
    deja_free(map);
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
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < HEADER_BYTES + FIRST_BUCKETS * BUCKET_BYTES)
        return 0;
    table_header want = header_now();
    table_header have;
    ssize_t n = deja_file_read_at(fd, &have, sizeof have, 0);
    if (n < 0)
        return -1;
    *ret_size = (uint64_t)st.st_size;
    return n == (ssize_t)sizeof have && !memcmp(&have, &want, sizeof want);
}

/* Written out, not left as a hole: reading a hole needs space on tmpfs, and its lack would be a SIGBUS. */
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

/* The descriptor of a table that can be mapped, or -1. Lack of resources and of rights makes nothing new. */
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
    statmap *map = atomic_load_explicit(&t->map, memory_order_relaxed);
    struct stat st;
    if (stat_open(t->fd, &st) || (uint64_t)st.st_size < HEADER_BYTES + 2 * map->buckets * BUCKET_BYTES)
        return 0;
    statmap *longer = map_file(t->fd, (uint64_t)st.st_size);
    if (!longer)
        return 0;
    if (longer->buckets <= map->buckets) {
        unmap(longer);
        return 0;
    }
    longer->older = map;
    atomic_store_explicit(&t->map, longer, memory_order_release);
    return 1;
}

/*
 * Doubles the table: its second half becomes a copy of the first. An entry is then in the bucket that the
 * longer mask asks for as well as in its old one, where it counts as free.
 */
static int grow(stattable *t)
{
    statmap *map = atomic_load_explicit(&t->map, memory_order_relaxed);
    if (map->buckets >= MOST_BUCKETS) {
        t->full = 1;
        return 0;
    }
    uint64_t len = map->buckets * BUCKET_BYTES, middle = HEADER_BYTES + len,
             step = FIRST_BUCKETS * BUCKET_BYTES;
    int failed = 0;
    for (uint64_t done = 0; !failed && done < len; done += step)
        failed = deja_file_write_at(t->fd, map->bytes + HEADER_BYTES + done, step, middle + done);
    t->full = failed || !follow_growth(t);
    return !t->full;
}

/* Does an entry with this place belong into this bucket? If not it is a leftover of a growth. */
static int belongs(const statmap *map, uint64_t place, uint64_t bucket)
{
    return bucket_of(map, place, 0) == bucket || bucket_of(map, place, 1) == bucket;
}

static int mostly_full(const statmap *map, uint64_t place)
{
    unsigned used = 0;
    for (uint64_t i = 0; i < SAMPLE; i++) {
        uint64_t bucket = (place + i * (map->buckets / SAMPLE)) & (map->buckets - 1);
        for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
            uint64_t there = place_at(map, bucket, slot);
            used += there && belongs(map, there, bucket);
        }
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
static spot choose_in(const statmap *map, uint64_t bucket, uint64_t place)
{
    spot best = {.bucket = bucket, .noted_s = UINT32_MAX};
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        statslot there;
        int sound = slot_at(map, bucket, i, &there);
        if (sound && there.place == place) {
            best.slot = i;
            best.same = 1;
            break;
        }
        if (!sound || !belongs(map, there.place, bucket)) {
            best.slot = i;
            best.free++;
        } else if (!best.free && there.noted_s < best.noted_s) {
            best.slot = i;
            best.noted_s = there.noted_s;
        }
    }
    return best;
}

/* The emptier of two buckets: so both are full only when nearly all are (Azar, Broder et al., "Balanced
 * allocations"). */
static spot choose(const statmap *map, uint64_t place)
{
    spot first = choose_in(map, bucket_of(map, place, 0), place);
    if (first.same)
        return first;
    spot second = choose_in(map, bucket_of(map, place, 1), place);
    if (second.same || second.free > first.free)
        return second;
    return first.free || first.noted_s <= second.noted_s ? first : second;
}

void stattable_open(stattable *t, int folder_fd)
{
    *t = (stattable){.fd = -1};
    uint64_t size = 0;
    int writable = 0;
    DEJA_AUTO_CLOSE int fd = open_table(folder_fd, &size, &writable);
    if (fd < 0)
        return;
    statmap *map = map_file(fd, size);
    atomic_init(&t->map, map);
    if (map && writable)
        t->fd = deja_take_fd(fd);
}

void stattable_close(stattable *t)
{
    statmap *map = atomic_load_explicit(&t->map, memory_order_relaxed);
    while (map) {
        statmap *older = map->older;
        unmap(map);
        map = older;
    }
    if (t->fd >= 0)
        close(t->fd);
}

int stattable_find(const stattable *t, uint64_t place, statslot *ret)
{
    const statmap *map = atomic_load_explicit(&t->map, memory_order_acquire);
    if (!map)
        return 0;
    for (int which = 0; which < 2; which++) {
        uint64_t bucket = bucket_of(map, place, which);
        for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
            uint64_t there = place_at(map, bucket, i);
            if (there == place && slot_at(map, bucket, i, ret) && ret->place == place)
                return 1;
        }
    }
    return 0;
}

void stattable_put(stattable *t, statslot *slot)
{
    if (!atomic_load_explicit(&t->map, memory_order_relaxed) || t->fd < 0)
        return;
    /* Others may have doubled the file; with the shorter mapping what they moved would be missed. */
    (void)follow_growth(t);
    const statmap *map = atomic_load_explicit(&t->map, memory_order_relaxed);
    spot where = choose(map, slot->place);
    int crowded =
        !t->full && !where.same && (!where.free || (where.free <= 2 && mostly_full(map, slot->place)));
    if (crowded && grow(t)) {
        map = atomic_load_explicit(&t->map, memory_order_relaxed);
        where = choose(map, slot->place);
    }
    slot->check = check_of(slot);
    /* A memory: what could not be written is read again another time. */
    (void)deja_file_write_at(t->fd, slot, sizeof *slot, offset_of(where.bucket, where.slot));
}
