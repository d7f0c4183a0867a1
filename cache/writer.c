/*
 * Group commit. The thread sleeps until there is a result, waits for company, and commits all that came in
 * one transaction. While it waits for the disk the next group gathers.
 */
#include "writer.h"
#include "blob.h"
#include "repair.h"
#include "unused.h"

#include <deja/cleanup.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

#define GROUP_WAIT_NS   (20 * DEJA_MS_NS)
#define GROUP_ROWS      1000
#define IDLE_NS         (200 * DEJA_MS_NS)
#define IDLE_WAL_FRAMES 1000 /* 4 MB: idle time is used to move that much into the database */
#define BUSY_WAL_FRAMES 8192 /* 32 MB: not even a busy writer lets the WAL grow further */

struct writer {
    deja_cache *cache;
    db *db; /* the thread's */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    writer_item *first, *last;
    size_t count;
    int64_t first_ns; /* when the first of those waiting came, monotonic */
    int hurry, closing, running;
    int checked; /* the connection's database was found sound */
};

static struct timespec at_ns(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / DEJA_S_NS, .tv_nsec = ns % DEJA_S_NS};
}

/* A blob may have gone since it was published, with the last row that knew it: under the write lock that is
 * settled. */
static int keep_blobs(writer *w, const writer_item *item, deja_error *err)
{
    for (size_t i = 0; i < item->put.blob_count; i++) {
        const db_blob *blob = &item->put.blobs[i];
        if (blob_present(&w->cache->folder, &blob->hash, blob->size))
            continue;
        deja_content content = {.kind = DEJA_CONTENT_FILE, .hash = blob->hash, .size = blob->size};
        int r = blob_publish(w->cache, item->blob_fds[i], &content, err);
        if (r)
            return r;
    }
    return 0;
}

/* An item whose blobs cannot be kept fails alone: nothing of it is in the transaction yet. What SQLite does
 * not take is trouble of the database (how large a row may be was looked at before), and of the group. */
static int put_all(writer *w, writer_item *group, deja_error *err)
{
    int r = db_write_begin(w->db, err);
    for (writer_item *item = group; !r && item; item = item->next) {
        item->step->status = keep_blobs(w, item, &item->step->error);
        if (!item->step->status)
            r = db_put(w->db, &item->put, err);
    }
    if (!r)
        r = db_commit(w->db, err);
    if (r)
        db_rollback(w->db);
    return r;
}

static int ensure_db(writer *w, deja_error *err)
{
    if (w->db && !db_moved(w->db))
        return 0;
    if (w->db)
        atomic_fetch_add(&w->cache->replaced, 1);
    db_close(deja_take(w->db));
    w->checked = 0;
    return cache_open_db(w->cache, &w->db, err);
}

static int commit(writer *w, writer_item *group, deja_error *err)
{
    int r = ensure_db(w, err);
    if (!r)
        r = repair_before_writing(w->cache, w->db, &w->checked, err);
    if (!r)
        r = put_all(w, group, err);
    if (r == DEJA_ECORRUPT) {
        r = cache_renew_db(w->cache, &w->db, err);
        if (!r)
            r = put_all(w, group, err);
    }
    return r;
}

/* Failing costs room and time, not results. */
static void checkpoint(writer *w, int whole)
{
    if (db_checkpoint(w->db, whole, NULL) == 0)
        cache_note_db(w->cache);
}

/* What is left to do after a commit; failing costs room, not results, and is tried again by a later clear. */
static void tidy(writer *w)
{
    if (!w->db)
        return;
    (void)unused_remove(w->cache, w->db, NULL);
    if (w->cache->folder.network)
        cache_note_db(w->cache); /* without a WAL every commit writes to the database itself */
    if (db_wal_frames(w->db) > BUSY_WAL_FRAMES)
        checkpoint(w, 0);
}

static void commit_group(writer *w, writer_item *group)
{
    deja_error error = {0};
    int64_t began = w->cache->trace ? deja_monotonic_ns(NULL) : 0;
    int r = commit(w, group, &error);
    if (r)
        deja_fail_in(&error, "the cache '%s'", w->cache->folder.path);
    if (w->cache->trace)
        deja_trace_region(w->cache->trace, "commit", w->cache->folder.path, began);
    while (group) {
        writer_item *item = group;
        group = item->next; /* a finished step belongs to its owner again */
        deja_step *step = item->step;
        if (r) {
            step->status = r;
            step->error = error;
        }
        steps_finish(w->cache->steps, step);
    }
    tidy(w);
}

/* Detaches up to GROUP_ROWS items. */
static writer_item *take_group(writer *w)
{
    writer_item *group = w->first, *end = group;
    size_t n = 1;
    for (; n < GROUP_ROWS && end->next; n++)
        end = end->next;
    w->first = end->next;
    w->count -= n;
    if (!w->first)
        w->last = NULL;
    end->next = NULL;
    return group;
}

static void wait_for_company(writer *w)
{
    int64_t until = w->first_ns + GROUP_WAIT_NS;
    struct timespec deadline = at_ns(until);
    while (w->count < GROUP_ROWS && !w->hurry && !w->closing && deja_monotonic_ns(NULL) < until)
        pthread_cond_timedwait(&w->wake, &w->mutex, &deadline);
}

static void wait_for_work(writer *w)
{
    int idle_pays = w->db && db_wal_frames(w->db) > IDLE_WAL_FRAMES;
    if (!idle_pays) {
        pthread_cond_wait(&w->wake, &w->mutex);
        return;
    }
    struct timespec deadline = at_ns(deja_monotonic_ns(NULL) + IDLE_NS);
    if (pthread_cond_timedwait(&w->wake, &w->mutex, &deadline) != ETIMEDOUT || w->first)
        return;
    pthread_mutex_unlock(&w->mutex);
    checkpoint(w, 0);
    pthread_mutex_lock(&w->mutex);
}

static void *work(void *context)
{
    writer *w = context;
    pthread_mutex_lock(&w->mutex);
    while (w->first || !w->closing) {
        if (!w->first) {
            wait_for_work(w);
            continue;
        }
        wait_for_company(w);
        writer_item *group = take_group(w);
        pthread_mutex_unlock(&w->mutex);
        commit_group(w, group);
        pthread_mutex_lock(&w->mutex);
        w->first_ns = deja_monotonic_ns(NULL);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start(writer *w)
{
    sigset_t all, old;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &old))
        return DEJA_ERESOURCE;
    w->running = pthread_create(&w->thread, NULL, work, w) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return w->running ? 0 : DEJA_ERESOURCE;
}

int writer_open(writer **ret, deja_cache *c, deja_error *err)
{
    writer *w = deja_calloc(1, sizeof *w);
    if (!w)
        return deja_fail(err, DEJA_ENOMEM, "open the cache: out of memory");
    w->cache = c;
    /* With these attributes none of the following allocates or fails (pthread_cond_init(3)). */
    pthread_condattr_t attr;
    (void)pthread_mutex_init(&w->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    *ret = w;
    return 0;
}

void writer_add(writer *w, writer_item *item)
{
    item->next = NULL;
    pthread_mutex_lock(&w->mutex);
    if (!w->running && start(w)) {
        commit_group(w, item); /* no thread to be had: slower, and under the lock, but kept */
        pthread_mutex_unlock(&w->mutex);
        return;
    }
    if (w->last)
        w->last->next = item;
    else
        w->first = item;
    w->last = item;
    w->count++;
    if (w->count == 1)
        w->first_ns = deja_monotonic_ns(NULL);
    if (w->count == 1 || w->count >= GROUP_ROWS)
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
}

void writer_hurry(writer *w, int hurry)
{
    pthread_mutex_lock(&w->mutex);
    if (hurry && !w->hurry && w->first)
        pthread_cond_signal(&w->wake);
    w->hurry = hurry;
    pthread_mutex_unlock(&w->mutex);
}

void writer_close(writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->mutex);
    w->closing = 1;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    if (w->running)
        pthread_join(w->thread, NULL);
    if (w->db && db_wal_left(w->db))
        checkpoint(w, 1); /* leaves the database at rest for those who only look up */
    db_close(w->db);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    deja_free(w);
}
