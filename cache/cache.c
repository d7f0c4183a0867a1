/*
 * An open cache: its parts are put together, asked, and taken apart here.
 */
#include "blob.h"
#include "db.h"
#include "state.h"
#include "writer.h"

#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define INLINE_BYTES 16384 /* measured by tests/bench/inline.c */
#define HELPERS_MIN  3u    /* one for short steps only, two to keep a disk busy */
#define HELPERS_MAX  5u
#define DB_NEW       "db.new"
#define WAL_MOST     ((off_t)4 << 20) /* bytes; 1.3 ms of every process that opens the cache alone */
#define WAL_LEFT_S   10               /* a WAL of that age is nobody's: a busy writer adds to its own */

static const char *const new_files[] = {DB_NEW, DB_NEW "-wal", DB_NEW "-shm", DB_NEW "-journal"};

static unsigned db_flags(const deja_cache *c)
{
    return (c->flags & DEJA_CACHE_NO_SYNC ? DB_NO_SYNC : 0) | (c->folder.network ? DB_ROLLBACK_JOURNAL : 0) |
           (c->flags & DEJA_CACHE_READ_ONLY ? DB_READ_ONLY : 0);
}

static int remove_new(const struct folder *f, deja_error *err)
{
    for (size_t i = 0; i < sizeof new_files / sizeof *new_files; i++)
        if (unlinkat(f->fd, new_files[i], 0) && errno != ENOENT)
            return deja_fail_errno(err, "remove '%s/%s'", f->path, new_files[i]);
    return 0;
}

/* The database appears whole or not at all. Only here a descriptor of ours may be opened on a database:
   nobody else has this one open, whose locks the closing would drop. */
static int name_new(const struct folder *f, deja_error *err)
{
    DEJA_AUTO_CLOSE int fd = openat(f->fd, DB_NEW, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fchmod(fd, 0600) || fsync(fd))
        return deja_fail_errno(err, "sync '%s/%s'", f->path, DB_NEW);
    int r = folder_drop_side_files(f, err);
    if (!r && renameat(f->fd, DB_NEW, f->fd, FOLDER_DB))
        r = deja_fail_errno(err, "name '%s'", f->db);
    return r ? r : deja_file_sync_parent(f->fd, FOLDER_DB, err);
}

static int make_db(deja_cache *c, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    deja_buffer_addf(&path, "%s/%s", c->folder.path, DB_NEW);
    if (path.failed)
        return deja_fail(err, DEJA_ENOMEM, "make the cache '%s': out of memory", c->folder.path);
    int r = folder_furnish(&c->folder, err);
    if (!r)
        r = remove_new(&c->folder, err);
    if (!r)
        r = db_make(deja_buffer_string(&path), db_flags(c), err);
    if (!r)
        r = name_new(&c->folder, err);
    if (r) {
        (void)remove_new(&c->folder, NULL);
        deja_fail_in(err, "make the cache '%s'", c->folder.path);
    } else if (c->folder.network)
        cache_warn(c, CACHE_WARN_NETWORK,
                   "the cache '%s' is on a network file system: continuing with a slower kind of journal",
                   c->folder.path);
    return r;
}

static int move_aside(deja_cache *c, deja_error *err)
{
    unsigned n;
    int r = folder_move_aside(&c->folder, &n, err);
    if (!r)
        cache_warn(
            c, CACHE_WARN_DATABASE,
            "the database of the cache '%s' was damaged: moved to 'db.damaged-%u', beginning a new one",
            c->folder.path, n);
    return r;
}

static int make_under_lock(deja_cache *c, db **ret, deja_error *err)
{
    DEJA_AUTO_CLOSE int lock = folder_lock(&c->folder, err);
    if (lock < 0)
        return lock;
    int r = db_open(ret, c->folder.db, db_flags(c), err);
    if (r == DEJA_ECORRUPT)
        r = move_aside(c, err);
    else if (r != DEJA_ENOTFOUND)
        return r;
    else
        r = 0;
    if (!r)
        r = make_db(c, err);
    return r ? r : db_open(ret, c->folder.db, db_flags(c), err);
}

static int renew_under_lock(deja_cache *c, db *d, deja_error *err)
{
    DEJA_AUTO_CLOSE int lock = folder_lock(&c->folder, err);
    if (lock < 0)
        return lock;
    return db_moved(d) ? 0 : move_aside(c, err);
}

static int open_db(deja_cache *c, struct db **ret, unsigned flags, deja_error *err)
{
    deja_error local;
    err = err ? err : &local;
    int r = db_open(ret, c->folder.db, flags, err);
    int wanting = r == DEJA_ENOTFOUND || r == DEJA_ECORRUPT;
    return wanting && !(c->flags & DEJA_CACHE_READ_ONLY) ? make_under_lock(c, ret, err) : r;
}

int cache_open_db(deja_cache *c, struct db **ret, deja_error *err)
{
    return open_db(c, ret, db_flags(c), err);
}

/* The first look-ups need no locks where nobody writes. The times of a network file system come late. */
static int open_first_db(deja_cache *c, deja_error *err)
{
    unsigned flags = db_flags(c);
    return open_db(c, &c->db, flags & (DB_READ_ONLY | DB_ROLLBACK_JOURNAL) ? flags : flags | DB_AT_REST, err);
}

int cache_renew_db(deja_cache *c, struct db **d, deja_error *err)
{
    if (c->flags & DEJA_CACHE_READ_ONLY) {
        db_close(deja_take(*d));
        return deja_fail(err, DEJA_ECORRUPT, "the database of the cache '%s' is damaged", c->folder.path);
    }
    int r = *d ? renew_under_lock(c, *d, err) : 0;
    atomic_fetch_add(&c->replaced, 1);
    db_close(deja_take(*d));
    return r ? r : cache_open_db(c, d, err);
}

int cache_ensure_db(deja_cache *c, int look_at_file, deja_error *err)
{
    unsigned replaced = atomic_load(&c->replaced);
    if (c->db && c->db_replaced == replaced && !db_is_at_rest(c->db) && !(look_at_file && db_moved(c->db)))
        return 0;
    db_close(deja_take(c->db));
    c->db_replaced = replaced;
    c->db_sound = 0;
    return cache_open_db(c, &c->db, err);
}

/* Its content has no hash that anybody could use: only the stat data matter. */
void cache_note_db(deja_cache *c)
{
    struct stat st;
    if (fstatat(c->folder.fd, FOLDER_DB, &st, AT_SYMLINK_NOFOLLOW))
        return;
    deja_content content = {.kind = DEJA_CONTENT_FILE, .size = (uint64_t)st.st_size};
    statmem_note(c->statmem, &st, &content, statmem_now_ns(c->statmem), STATMEM_OURS);
}

int cache_db_is_ours(deja_cache *c)
{
    struct stat st;
    unsigned flags = 0;
    deja_content content;
    if (fstatat(c->folder.fd, FOLDER_DB, &st, AT_SYMLINK_NOFOLLOW))
        return 0;
    (void)statmem_find(c->statmem, &st, &content, &flags);
    return (flags & STATMEM_OURS) != 0;
}

void cache_warn(deja_cache *c, cache_warning kind, const char *format, ...)
{
    pthread_mutex_lock(&c->warning_lock);
    if (!(c->warned & 1u << kind)) {
        deja_buffer text = {0};
        va_list args;
        va_start(args, format);
        deja_buffer_vaddf(&text, format, args);
        va_end(args);
        c->warnings[kind] = deja_buffer_take(&text);
        c->warned |= 1u << kind;
        deja_buffer_done(&text);
    }
    pthread_mutex_unlock(&c->warning_lock);
}

void cache_warn_row(deja_cache *c, const deja_hash *key)
{
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(key, hex);
    atomic_store(&c->suspect, 1);
    cache_warn(c, CACHE_WARN_ROW, "entry %s of the cache '%s' was damaged: it counts as missing", hex,
               c->folder.path);
}

/* A writer that was killed leaves a WAL that each process would read again, for ever where there are only
 * hits. */
static void take_in_left_wal(deja_cache *c)
{
    struct stat st;
    if (!c->db || db_is_at_rest(c->db) || c->flags & DEJA_CACHE_READ_ONLY ||
        fstatat(c->folder.fd, FOLDER_DB "-wal", &st, AT_SYMLINK_NOFOLLOW) || st.st_size < WAL_MOST)
        return;
    int64_t age_s = deja_wall_ns(c->clock) / DEJA_S_NS - st.st_mtim.tv_sec;
    if (age_s > WAL_LEFT_S)
        (void)db_checkpoint(c->db, 1, NULL); /* not noted as ours: the next writer looks it through */
}

static unsigned helper_count(const deja_cache_options *o)
{
    if (o->helpers)
        return o->helpers;
    cpu_set_t set;
    unsigned n = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) + 1 : HELPERS_MIN;
    return n < HELPERS_MIN ? HELPERS_MIN : n > HELPERS_MAX ? HELPERS_MAX : n;
}

static int open_parts(deja_cache *c, const deja_cache_options *o, deja_error *err)
{
    int r = folder_open(&c->folder, o->folder, (c->flags & DEJA_CACHE_READ_ONLY) != 0, err);
    if (!r)
        r = open_first_db(c, err);
    if (!r)
        r = statmem_open(&c->statmem, c->folder.fd, c->clock, err);
    if (!r)
        r = steps_open(&c->steps, c, helper_count(o), err);
    return r ? r : writer_open(&c->writer, c, err);
}

int deja_cache_open(deja_cache **ret, const deja_cache_options *options, deja_error *err)
{
    if (options->size != sizeof *options)
        return deja_fail(err, DEJA_EINVAL, "open the cache: options of another size");
    deja_cache *c = deja_calloc(1, sizeof *c);
    if (!c)
        return deja_fail(err, DEJA_ENOMEM, "open the cache: out of memory");
    c->folder.fd = -1;
    c->flags = options->flags;
    c->inline_bytes = options->inline_bytes ? options->inline_bytes : INLINE_BYTES;
    c->clock = options->clock;
    c->trace = options->trace;
    (void)pthread_mutex_init(&c->warning_lock, NULL); /* default attributes: cannot fail */
    int r = open_parts(c, options, err);
    if (r)
        deja_cache_close(c);
    else
        *ret = c;
    return r;
}

void deja_cache_close(deja_cache *c)
{
    if (!c)
        return;
    if (c->writer)
        writer_hurry(c->writer, 1);
    steps_close(c->steps);
    writer_close(c->writer);
    take_in_left_wal(c);
    db_close(c->db);
    statmem_close(c->statmem);
    folder_close(&c->folder);
    for (int i = 0; i < CACHE_WARN_COUNT; i++)
        deja_free(c->warnings[i]);
    pthread_mutex_destroy(&c->warning_lock);
    deja_free(c);
}

char *deja_cache_take_warning(deja_cache *c)
{
    char *text = NULL;
    pthread_mutex_lock(&c->warning_lock);
    for (int i = 0; i < CACHE_WARN_COUNT && !text; i++)
        text = deja_take(c->warnings[i]);
    pthread_mutex_unlock(&c->warning_lock);
    return text;
}

int deja_cache_fd(deja_cache *c)
{
    return steps_fd(c->steps);
}

deja_step *deja_cache_next(deja_cache *c)
{
    return steps_next(c->steps);
}

void deja_cache_hurry(deja_cache *c)
{
    writer_hurry(c->writer, 1);
}

int cache_go_on(const deja_cache *c, deja_error *err)
{
    return deja_stop_wished(&c->stop_all) ? deja_fail(err, DEJA_ECANCELED, "canceled") : 0;
}

void deja_cache_cancel(deja_cache *c, unsigned what)
{
    deja_stop_set(&c->stop_digests, what >= DEJA_CANCEL_DIGESTS);
    deja_stop_set(&c->stop_all, what >= DEJA_CANCEL_ALL);
}

int deja_cache_stage(deja_cache *c, deja_error *err)
{
    return blob_stage(&c->folder, err);
}

int deja_cache_stage_folder(const deja_cache *c)
{
    return c->folder.fd;
}

int deja_cache_open_stored(deja_cache *c, const deja_stored *s, deja_error *err)
{
    if (s->where != DEJA_STORED_BLOB)
        return deja_fail(err, DEJA_EINVAL, "this content is no blob");
    return blob_open(c, &s->content, err);
}

void deja_entry_free(deja_entry *e)
{
    while (e) {
        deja_entry *next = e->next;
        deja_free(e);
        e = next;
    }
}
