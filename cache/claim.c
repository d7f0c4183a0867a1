/*
 * Claims: open-file-description locks (fcntl(2), "Open file description locks"), one byte a claim, in 64
 * files, since the kernel walks one list of locks a file (10,000 claims in one file: 446 us each). More files
 * would be more descriptors; where these are few, a file without claims is closed. A description does not
 * exclude itself, so a small set of what this process holds does that.
 */
#include <deja/claim.h>
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILES      64
#define PLENTY     1024 /* descriptors: with fewer a file without claims is closed */
#define FIRST_HELD 64   /* slots of the first table, a power of two */

typedef struct claim {
    uint64_t offset; /* of the byte, plus 1, so that 0 marks a free slot */
    uint32_t file;
} claim;

struct deja_claims {
    pthread_mutex_t mutex;
    int folder;            /* descriptor */
    int fds[FILES];        /* -1 until needed */
    size_t held_in[FILES]; /* claims in each file */
    int frugal;            /* descriptors are few */
    pid_t owner;           /* a forked child shares the locks but may not use them */
    claim *held;           /* open addressing, linear probing; at most half full */
    size_t held_count, held_size;
    char *path; /* of the folder, for messages */
};

/* The file from the last byte, the offset from the first eight: 62 bits, so that it is a valid off_t. */
static claim claim_of(const deja_hash *what)
{
    uint64_t offset = 0;
    for (int i = 0; i < 8; i++)
        offset = offset << 8 | what->byte[i];
    return (claim){.offset = (offset >> 2) + 1, .file = what->byte[15] % FILES};
}

static size_t home_of(const deja_claims *c, claim k)
{
    return (size_t)((k.offset * UINT64_C(0x9e3779b97f4a7c15)) >> 32 ^ k.file) & (c->held_size - 1);
}

/* The slot that holds `k`, or the free one where it belongs. There is always a free one. */
static size_t slot_of(const deja_claims *c, claim k)
{
    size_t i = home_of(c, k);
    while (c->held[i].offset && (c->held[i].offset != k.offset || c->held[i].file != k.file))
        i = (i + 1) & (c->held_size - 1);
    return i;
}

/* Room for one more, so that nothing can fail once the lock is ours. */
static int reserve(deja_claims *c, deja_error *err)
{
    if (2 * (c->held_count + 1) <= c->held_size)
        return 0;
    deja_claims bigger = {.held_size = c->held_size ? 2 * c->held_size : FIRST_HELD};
    bigger.held = deja_calloc(bigger.held_size, sizeof *bigger.held);
    if (!bigger.held)
        return deja_fail(err, DEJA_ENOMEM, "claim in '%s': out of memory", c->path);
    for (size_t i = 0; i < c->held_size; i++)
        if (c->held[i].offset)
            bigger.held[slot_of(&bigger, c->held[i])] = c->held[i];
    deja_free(c->held);
    c->held = bigger.held;
    c->held_size = bigger.held_size;
    return 0;
}

/* Takes a slot out and moves up those behind it that linear probing would no longer find (Knuth 6.4,
 * algorithm R). */
static void forget(deja_claims *c, size_t gap)
{
    size_t mask = c->held_size - 1;
    for (size_t i = (gap + 1) & mask; c->held[i].offset; i = (i + 1) & mask) {
        size_t home = home_of(c, c->held[i]);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            c->held[gap] = c->held[i];
            gap = i;
        }
    }
    c->held[gap].offset = 0;
    c->held_count--;
}

static int open_file(deja_claims *c, uint32_t file, deja_error *err)
{
    if (c->fds[file] >= 0)
        return 0;
    char name[8];
    snprintf(name, sizeof name, "%02x", (unsigned)file);
    int fd;
    do
        fd = openat(c->folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return deja_fail_errno(err, "open '%s/%s'", c->path, name);
    c->fds[file] = fd;
    return 0;
}

/* fcntl(2) F_OFD_SETLK on one byte, or on all (len 0). 1 done, 0 somebody else has it, -1 errno. */
static int lock_bytes(int fd, short type, off_t start, off_t len)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    int failed;
    do
        failed = fcntl(fd, F_OFD_SETLK, &lock);
    while (failed && errno == EINTR);
    if (!failed)
        return 1;
    return errno == EAGAIN || errno == EACCES ? 0 : -1;
}

static int try_locked(deja_claims *c, claim k, deja_error *err)
{
    int code = reserve(c, err);
    if (code < 0)
        return code;
    size_t slot = slot_of(c, k);
    if (c->held[slot].offset)
        return 0;
    code = open_file(c, k.file, err);
    if (code < 0)
        return code;
    int got = lock_bytes(c->fds[k.file], F_WRLCK, (off_t)(k.offset - 1), 1);
    if (got < 0)
        return deja_fail_errno(err, "lock '%s/%02x'", c->path, (unsigned)k.file);
    if (!got)
        return 0;
    c->held[slot] = k;
    c->held_count++;
    c->held_in[k.file]++;
    return 1;
}

/* Closing a file gives back all of its bytes: right when no other claim is in it. When the kernel will not
   give back one byte (ENOLCK: splitting a range needs memory) and others are in the file, it stays locked
   until the last of them goes. */
static void unlock(deja_claims *c, claim k)
{
    int last = --c->held_in[k.file] == 0;
    if (!(last && c->frugal) && lock_bytes(c->fds[k.file], F_UNLCK, (off_t)(k.offset - 1), 1) == 1)
        return;
    if (!last)
        return;
    close(c->fds[k.file]);
    c->fds[k.file] = -1;
}

static int descriptors_are_few(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < PLENTY;
}

int deja_claims_open(deja_claims **ret, const char *folder, deja_error *err)
{
    int code = deja_file_make_dirs(AT_FDCWD, folder, 0700, err);
    if (code < 0)
        return code;
    DEJA_AUTO_FREE char *path = deja_strdup(folder);
    DEJA_AUTO_FREE deja_claims *c = deja_calloc(1, sizeof *c);
    if (!path || !c)
        return deja_fail(err, DEJA_ENOMEM, "open claims in '%s': out of memory", folder);
    do
        c->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (c->folder < 0 && errno == EINTR);
    if (c->folder < 0)
        return deja_fail_errno(err, "open '%s'", folder);
    for (int i = 0; i < FILES; i++)
        c->fds[i] = -1;
    c->frugal = descriptors_are_few();
    c->owner = getpid();
    c->path = deja_take(path);
    /* With default attributes this allocates nothing and cannot fail (pthread_mutex_init(3)). */
    (void)pthread_mutex_init(&c->mutex, NULL);
    *ret = deja_take(c);
    return 0;
}

int deja_claim_try(deja_claims *c, const deja_hash *what, deja_error *err)
{
    if (getpid() != c->owner)
        return deja_fail(err, DEJA_EFORK, "claim in '%s': not usable in a forked child", c->path);
    pthread_mutex_lock(&c->mutex);
    int code = try_locked(c, claim_of(what), err);
    pthread_mutex_unlock(&c->mutex);
    return code;
}

void deja_claim_release(deja_claims *c, const deja_hash *what)
{
    if (getpid() != c->owner)
        return;
    claim k = claim_of(what);
    pthread_mutex_lock(&c->mutex);
    if (c->held_count) {
        size_t slot = slot_of(c, k);
        if (c->held[slot].offset) {
            forget(c, slot);
            unlock(c, k);
        }
    }
    pthread_mutex_unlock(&c->mutex);
}

void deja_claims_close(deja_claims *c)
{
    if (!c)
        return;
    for (int i = 0; i < FILES; i++) {
        if (c->fds[i] < 0)
            continue;
        /* Said aloud, for a forked child may have the same description open; but not by such a child. */
        if (getpid() == c->owner)
            (void)lock_bytes(c->fds[i], F_UNLCK, 0, 0);
        close(c->fds[i]);
    }
    close(c->folder);
    pthread_mutex_destroy(&c->mutex);
    deja_free(c->held);
    deja_free(c->path);
    deja_free(c);
}
