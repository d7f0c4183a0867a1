/*
 * The memory of stat data: where a file's entry is looked for, what makes it trusted, what gives way to a new
 * one. The table itself, its file and its growth are in stattable.c.
 */
#include "statmem.h"
#include "stattable.h"
#include <deja/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define BOOT_ID_FILE  "/proc/sys/kernel/random/boot_id" /* random(4) */
#define BOOT_ID_BYTES 36
#define SETTLED_NS                                                                                           \
    (2 * DEJA_S_NS) /* a younger file may still change within one tick of its clock (ccache's rule) */

#define FLAG_OURS    STATMEM_OURS
#define FLAG_SETTLED 2u /* the timestamps were old enough when it was read */

struct statmem {
    stattable table;
    pthread_mutex_t mutex; /* writers of this process; readers need none */
    const deja_clock *clock;
    uint64_t boot; /* hash of the boot id, 0 when unknown: then nothing is trusted */
};

/* What makes a file the same one, unchanged. */
typedef struct identity {
    uint64_t place; /* of device and inode: where to look, never 0 */
    deja_hash id;   /* of all stat data */
} identity;

static identity identity_of(const struct stat *st)
{
    uint64_t words[8] = {
        (uint64_t)st->st_dev,         (uint64_t)st->st_ino,          (uint64_t)st->st_mode,
        (uint64_t)st->st_size,        (uint64_t)st->st_mtim.tv_sec,  (uint64_t)st->st_mtim.tv_nsec,
        (uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec,
    };
    identity who = {.id = deja_hash_bytes(words, sizeof words)};
    who.place = deja_hash64(words, 2 * sizeof words[0]) | 1;
    return who;
}

static int settled(const struct timespec *t, int64_t read_began_ns)
{
    int64_t ns;
    if (__builtin_mul_overflow((int64_t)t->tv_sec, DEJA_S_NS, &ns) ||
        __builtin_add_overflow(ns, t->tv_nsec, &ns) || __builtin_add_overflow(ns, SETTLED_NS, &ns))
        return 0;
    return ns <= read_began_ns;
}

static uint64_t boot_now(void)
{
    char id[BOOT_ID_BYTES];
    int fd;
    do
        fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return 0;
    ssize_t n;
    do
        n = read(fd, id, sizeof id);
    while (n < 0 && errno == EINTR);
    close(fd);
    return n == (ssize_t)sizeof id ? deja_hash64(id, sizeof id) | 1 : 0;
}

static int kind_fits(const struct stat *st, const deja_content *content)
{
    if ((uint64_t)st->st_size != content->size)
        return 0;
    return (content->kind == DEJA_CONTENT_FILE && S_ISREG(st->st_mode)) ||
           (content->kind == DEJA_CONTENT_LINK && S_ISLNK(st->st_mode));
}

int statmem_open(statmem **ret, int folder_fd, const deja_clock *clock, deja_error *err)
{
    statmem *m = deja_calloc(1, sizeof *m);
    if (!m)
        return deja_fail(err, DEJA_ENOMEM, "open the memory of stat data: out of memory");
    m->clock = clock;
    m->boot = boot_now();
    /* With default attributes this allocates nothing and cannot fail (pthread_mutex_init(3)). */
    (void)pthread_mutex_init(&m->mutex, NULL);
    stattable_open(&m->table, folder_fd);
    *ret = m;
    return 0;
}

void statmem_close(statmem *m)
{
    if (!m)
        return;
    stattable_close(&m->table);
    pthread_mutex_destroy(&m->mutex);
    deja_free(m);
}

int64_t statmem_now_ns(const statmem *m)
{
    return deja_wall_ns(m->clock);
}

int statmem_find(statmem *m, const struct stat *st, deja_content *ret, unsigned *ret_flags)
{
    if (ret_flags)
        *ret_flags = 0;
    if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
        return 0;
    identity who = identity_of(st);
    statslot slot;
    if (!stattable_find(&m->table, who.place, &slot) || !deja_hash_equal(&slot.id, &who.id))
        return 0;
    if (ret_flags)
        *ret_flags = slot.flags & FLAG_OURS;
    if (!(slot.flags & FLAG_SETTLED) || !m->boot || slot.boot != m->boot)
        return 0;
    ret->kind = S_ISREG(st->st_mode) ? DEJA_CONTENT_FILE : DEJA_CONTENT_LINK;
    ret->hash = slot.hash;
    ret->size = (uint64_t)st->st_size;
    return 1;
}

void statmem_note(statmem *m, const struct stat *st, const deja_content *content, int64_t read_began_ns,
                  unsigned flags)
{
    if (!kind_fits(st, content))
        return;
    identity who = identity_of(st);
    statslot slot = {.place = who.place, .id = who.id, .hash = content->hash, .boot = m->boot};
    slot.noted_s = (uint32_t)(read_began_ns / DEJA_S_NS);
    slot.flags = flags & FLAG_OURS;
    if (settled(&st->st_mtim, read_began_ns) && settled(&st->st_ctim, read_began_ns))
        slot.flags |= FLAG_SETTLED;
    pthread_mutex_lock(&m->mutex);
    statslot old;
    if (stattable_find(&m->table, who.place, &old) && deja_hash_equal(&old.id, &slot.id) &&
        deja_hash_equal(&old.hash, &slot.hash))
        slot.flags |= old.flags & FLAG_OURS;
    stattable_put(&m->table, &slot);
    pthread_mutex_unlock(&m->mutex);
}
