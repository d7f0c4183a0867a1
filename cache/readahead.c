/*
 * One thread hashes, two read. Chunks are claimed in order through one counter; the helper reads those it
 * claims into a ring, where chunk c has place c % RING.
 */
#include "readahead.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/* Fits the second-level cache of a core. read(2) of 1 GB takes 48 ms by 64 KB, 44 ms by 256 KB or 512 KB. */
#define CHUNK_BYTES (256 * 1024)
#define RING        4 /* chunks: 1 MB, so that they stay in the caches */
#define STACK_BYTES (64 * 1024)
#define SPINS       500 /* some microseconds: about the time of reading a chunk, or of being woken */

typedef struct readahead {
    int fd;
    uint64_t len, count;          /* bytes, chunks */
    _Atomic uint64_t next;        /* first chunk that nobody has claimed */
    _Atomic uint64_t at;          /* chunk to be hashed next: all before it are done with */
    _Atomic uint64_t ready[RING]; /* number plus 1 of the chunk that a place holds */
    _Atomic uint64_t wake_at;     /* the helper sleeps until `at` is this; 0 while it is awake */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    unsigned char *ring;
    const deja_stop *stop; /* looked at by the caller's thread; the helper ends with it */
} readahead;

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static size_t size_of(const readahead *r, uint64_t chunk)
{
    uint64_t left = r->len - chunk * CHUNK_BYTES;
    return left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
}

/* 0, or a negative code; then errno is that of pread, or 0 where the file ended early. */
static int read_chunk(const readahead *r, uint64_t chunk, unsigned char *to)
{
    size_t want = size_of(r, chunk);
    ssize_t got = deja_file_read_at(r->fd, to, want, chunk * CHUNK_BYTES);
    if (got < 0)
        return deja_code_of_errno(errno);
    errno = 0;
    return (size_t)got < want ? DEJA_ECHANGED : 0;
}

static unsigned char *place_of(const readahead *r, uint64_t chunk)
{
    return r->ring + chunk % RING * CHUNK_BYTES;
}

/* The helper: until the place of chunk c is free. Sleeps on until half of the ring is. */
static void wait_for_place(readahead *r, uint64_t chunk)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&r->at, memory_order_acquire) + RING > chunk)
            return;
        pause_briefly();
    }
    uint64_t wake_at = chunk - RING / 2;
    pthread_mutex_lock(&r->mutex);
    atomic_store(&r->wake_at, wake_at);
    while (atomic_load(&r->at) < wake_at)
        pthread_cond_wait(&r->wake, &r->mutex);
    atomic_store(&r->wake_at, 0);
    pthread_mutex_unlock(&r->mutex);
}

/* Sequentially consistent on both sides: either the helper sees `at` or this sees that it sleeps. */
static void advance(readahead *r, uint64_t at)
{
    atomic_store(&r->at, at);
    uint64_t wake_at = atomic_load(&r->wake_at);
    if (!wake_at || at < wake_at)
        return;
    pthread_mutex_lock(&r->mutex);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
}

/* Trouble only ends the help: the caller reads that chunk itself and sees it too. */
static void *help(void *context)
{
    readahead *r = context;
    for (;;) {
        uint64_t chunk = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
        if (chunk >= r->count)
            return NULL;
        wait_for_place(r, chunk);
        if (atomic_load_explicit(&r->at, memory_order_acquire) > chunk)
            continue;
        if (read_chunk(r, chunk, place_of(r, chunk)) < 0)
            return NULL;
        atomic_store_explicit(&r->ready[chunk % RING], chunk + 1, memory_order_release);
    }
}

static int is_ready(readahead *r, uint64_t chunk)
{
    return atomic_load_explicit(&r->ready[chunk % RING], memory_order_acquire) == chunk + 1;
}

static int becomes_ready(readahead *r, uint64_t chunk)
{
    for (int i = 0; i < SPINS; i++) {
        if (is_ready(r, chunk))
            return 1;
        pause_briefly();
    }
    return 0;
}

static int claim_it(readahead *r, uint64_t chunk)
{
    return atomic_compare_exchange_strong_explicit(&r->next, &chunk, chunk + 1, memory_order_relaxed,
                                                   memory_order_relaxed);
}

/* The caller's part. `own` has room for two chunks: one read ahead of its turn, and one that the helper is
 * late with. */
static int hash_all(readahead *r, deja_hasher *hasher, unsigned char *own)
{
    unsigned char *late = own + CHUNK_BYTES;
    uint64_t ahead = UINT64_MAX; /* the chunk in `own` */
    int code = 0;
    for (uint64_t at = 0; at < r->count && code == 0; at++) {
        const unsigned char *from = own;
        if (deja_stop_wished(r->stop)) {
            errno = ECANCELED;
            return DEJA_ECANCELED;
        }
        if (ahead != at) {
            if (claim_it(r, at)) {
                code = read_chunk(r, at, own);
                ahead = at;
            } else if (!is_ready(r, at) && (ahead == UINT64_MAX || ahead < at)) {
                /* Reads another one meanwhile. */
                ahead = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
                code = ahead < r->count ? read_chunk(r, ahead, own) : 0;
            }
        }
        if (code == 0 && ahead != at) {
            from = place_of(r, at);
            if (!becomes_ready(r, at)) {
                code = read_chunk(r, at, late);
                from = late;
            }
        }
        if (code == 0)
            deja_hasher_add(hasher, from, size_of(r, at));
        advance(r, at + 1);
    }
    return code;
}

/* A thread without signals: they are for the program's own. */
static int start(pthread_t *ret, readahead *r)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr))
        return 0;
    /* The system's minimum may be larger, with much thread-local data: then its default serves. */
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigset_t all, old;
    sigfillset(&all);
    int failed = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (!failed) {
        failed = pthread_create(ret, &attr, help, r);
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    pthread_attr_destroy(&attr);
    return !failed;
}

int readahead_hash(int fd, uint64_t len, deja_hasher *hasher, const deja_stop *stop, deja_error *err)
{
    DEJA_AUTO_FREE unsigned char *chunks = deja_realloc(NULL, (RING + 2) * (size_t)CHUNK_BYTES);
    if (!chunks)
        return deja_fail(err, DEJA_ENOMEM, "hash a large file: out of memory");
    readahead r = {
        .fd = fd, .len = len, .count = (len + CHUNK_BYTES - 1) / CHUNK_BYTES, .ring = chunks, .stop = stop};
    /* With default attributes these two allocate nothing and cannot fail (pthread_mutex_init(3)). */
    (void)pthread_mutex_init(&r.mutex, NULL);
    (void)pthread_cond_init(&r.wake, NULL);
    pthread_t thread;
    int helped = start(&thread, &r);
    int code = hash_all(&r, hasher, chunks + RING * (size_t)CHUNK_BYTES);
    int sys_errno = errno;
    if (helped) {
        atomic_store(&r.next, r.count);
        advance(&r, r.count + RING);
        pthread_join(thread, NULL);
    }
    pthread_cond_destroy(&r.wake);
    pthread_mutex_destroy(&r.mutex);
    if (code == DEJA_ECHANGED)
        return deja_fail(err, code, "hash a large file: it became shorter meanwhile");
    errno = sys_errno;
    return code < 0 ? deja_fail_errno(err, "hash a large file: read") : 0;
}
