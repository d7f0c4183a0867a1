#ifndef STATE_H
#define STATE_H
/*
 * What an open cache is made of. Only the files of this folder look inside.
 *
 * Threads: `db` belongs to the thread that uses the cache; helpers and the writer thread may use folder,
 * statmem, steps, writer, the options and cache_warn().
 */
#include "folder.h"
#include "statmem.h"
#include "step.h"
#include <deja/cache.h>
#include <deja/stop.h>
#include <pthread.h>
#include <stdatomic.h>

struct db;
struct writer;

/* Kinds of warnings: of each kind the first one is told, so that a thousand damaged rows are one line. */
typedef enum cache_warning {
    CACHE_WARN_DATABASE = 0, /* moved aside */
    CACHE_WARN_ROW = 1,
    CACHE_WARN_BLOB = 2,
    CACHE_WARN_NETWORK = 3,
    CACHE_WARN_BUSY = 4,
    CACHE_WARN_COUNT
} cache_warning;

struct deja_cache {
    struct steps *steps;
    struct statmem *statmem;
    struct folder folder;
    struct db *db;         /* the connection of the caller's thread; NULL after it could not be reopened */
    struct writer *writer; /* its thread and connection come with the first commit */
    uint32_t flags;        /* DEJA_CACHE_... */
    uint32_t inline_bytes;
    const deja_clock *clock;
    deja_trace *trace;
    deja_stop stop_digests; /* of digest steps */
    deja_stop stop_all;     /* of seals and restores; never looked at on behalf of a commit */
    atomic_uint replaced;   /* counts how often this process found the database to be another file */
    unsigned db_replaced;   /* that count when `db` was opened */
    int db_sound;           /* it was found fit to be written to (repair_before_writing) */
    unsigned lookups;       /* calls so far */
    _Atomic uint64_t lasting_folders[4]; /* bit per folder of blobs: its name is known to be on the disk */
    atomic_int suspect;                  /* a damaged row was seen: to be repaired before the next commit */
    pthread_mutex_t warning_lock;
    char *warnings[CACHE_WARN_COUNT]; /* texts nobody has seen yet */
    unsigned warned;                  /* bit per kind: was told in this life of the cache */
};

/* Any thread. Lack of memory drops the warning. */
void cache_warn(deja_cache *c, cache_warning kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says that the row of `key` is damaged, and has the database repaired before the next commit. Any thread. */
void cache_warn_row(deja_cache *c, const deja_hash *key);

/* 0, or DEJA_ECANCELED when everything is (deja_cache_cancel). Any thread. */
int cache_go_on(const deja_cache *c, deja_error *err);

/* A connection to the database of this cache, which is made when it is missing and replaced when its header
   is damaged. Any thread. */
int cache_open_db(deja_cache *c, struct db **ret, deja_error *err);

/* After DEJA_ECORRUPT: moves the database aside, unless another process was quicker, and opens the new one.
   `*d` is closed in any case and NULL after a failure; NULL is opened. Of a cache that is only read
   nothing is moved: DEJA_ECORRUPT. Any thread. */
int cache_renew_db(deja_cache *c, struct db **d, deja_error *err);

/* Sees to it that c->db is open, with locks, on the file that is there now. The caller's thread. */
int cache_ensure_db(deja_cache *c, int look_at_file, deja_error *err);

/* Remembers the database file as deja left it, after a checkpoint; and whether it still is. Any thread. */
void cache_note_db(deja_cache *c);
int cache_db_is_ours(deja_cache *c);

#endif
