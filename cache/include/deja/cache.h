#ifndef DEJA_CACHE_H
#define DEJA_CACHE_H
/*
 * The cache: given values, files and keys, find or keep results. It knows no jobs and no processes.
 *
 * Simple calls answer at once (deja_cache_lookup). What may take long (hashing, restoring, sealing,
 * committing) is a *step*: a struct of the caller with a deja_step in front. A call ..._begin either finishes
 * it at once and returns 1, or returns 0 and a helper thread goes on; then deja_cache_fd() becomes readable
 * and deja_cache_next() hands the finished step back. Until then the struct and all it points to belong to
 * the cache. Threads are started by the first step that needs one: a process that only has hits never makes
 * any.
 *
 * A cache is used by one thread at a time (its helpers are its own affair). Several processes may use one
 * folder.
 *
 * Format: cache/FORMAT.md.
 */
#include <deja/key.h>
#include <deja/trace.h>

typedef struct deja_cache deja_cache;

typedef struct deja_cache_options {
    uint32_t size;           /* sizeof(deja_cache_options) */
    uint32_t flags;          /* DEJA_CACHE_... */
    const char *folder;      /* where it lives; made with its parents, mode 0700, when missing */
    uint32_t helpers;        /* helper threads at most; 0: one more than CPUs, three to five */
    uint32_t inline_bytes;   /* contents up to this size live in their row; 0: the measured default */
    const deja_clock *clock; /* NULL: the system's */
    deja_trace *trace;       /* NULL: none */
} deja_cache_options;

#define DEJA_CACHE_NO_SYNC                                                                                   \
    1u /* synchronous=NORMAL and no fsync of blobs: fast, may lose results in a power cut */
#define DEJA_CACHE_READ_ONLY                                                                                 \
    2u /* answers and keeps nothing: the folder is not made (DEJA_ENOTFOUND) and need not be writable,       \
          damage is reported and left alone, commits and clearing are DEJA_EDENIED */

/*
 * Errors, each with a text that says what to do: DEJA_EDENIED (read-only, another owner, writable by others),
 * DEJA_EVERSION (written by a newer deja), DEJA_EFULL, DEJA_EIO. A damaged database is moved aside and begun
 * anew with a warning.
 */
DEJA_API int deja_cache_open(deja_cache **ret, const deja_cache_options *options, deja_error *err);

/* Waits for steps that are under way (commits included). NULL is fine. */
DEJA_API void deja_cache_close(deja_cache *c);

/* The next warning that nobody has seen yet (damage found and repaired, a blob not kept), or NULL. Free with
 * deja_free. */
DEJA_API char *deja_cache_take_warning(deja_cache *c);

/* ---- steps ---- */

typedef struct deja_step {
    void *user;                                     /* the caller's; deja never looks at it */
    int status;                                     /* when finished: 0 or a negative code */
    deja_error error;                               /* when status is negative */
    void (*work)(deja_cache *, struct deja_step *); /* private from here on */
    struct deja_step *next;
    int is_long;
} deja_step;

/* Readable when a step is finished. Polled by the caller, never read. -1 until the first step goes on later:
 * nothing is under way. */
DEJA_API int deja_cache_fd(deja_cache *c);

/* A finished step, or NULL. */
DEJA_API deja_step *deja_cache_next(deja_cache *c);

#define DEJA_CANCEL_DIGESTS 1u /* digests end; seals, restores and commits go on */
#define DEJA_CANCEL_ALL     2u /* digests, seals and restores end; commits go on */

/*
 * Ends steps that take long, those under way, those that wait and those begun from now on: each looks at its
 * next chunk (of up to 64 MB), finishes as ever, with DEJA_ECANCELED, and has changed nothing that was not
 * finished: outputs that a restore had put in place stay, no output is there in part, nothing wrong is
 * remembered. A step that does not come to reading or copying any more finishes as if nothing had been said.
 * What a seal that was canceled holds is dropped by deja_result_done; it cannot be committed.
 * `what` is one of the above; 0 takes it back for steps begun afterwards. Any thread or signal handler may
 * call.
 */
DEJA_API void deja_cache_cancel(deja_cache *c, unsigned what);

/* Nothing more is about to come: waiting commits need not wait for company. */
DEJA_API void deja_cache_hurry(deja_cache *c);

/* ---- contents of files ---- */

#define DEJA_DIGEST_NO_FOLLOW 1u /* a symbolic link counts as itself, not as its target */
#define DEJA_DIGEST_MADE                                                                                     \
    2u /* among discovered inputs: was made just before the job began, perhaps within one tick of the clock  \
        */

typedef struct deja_digest_item {
    const char *path;     /* relative to root_fd, or absolute */
    uint32_t flags;       /* DEJA_DIGEST_... */
    int32_t sys_errno;    /* why it could not be read; 0 when `content` is good. ENOENT leaves kind ABSENT. */
    deja_content content; /* result. A folder is EISDIR, a socket, device or fifo EINVAL. */
    uint64_t stamp; /* result, in memory only: differs when the file was replaced, written to, renamed or
                       linked, be it with the same content and times */
    uint32_t mode;  /* result: permission bits */
} deja_digest_item;

/* The contents of some paths, from memory (by device, inode, mode, size, times and boot) where the file is
 * unchanged. */
typedef struct deja_digest {
    deja_step step;
    int root_fd;
    deja_digest_item *items;
    size_t count;
} deja_digest;

/* 1 finished at once (all remembered, or all small), 0 later. Trouble with single paths is in the items, not
 * in the step. status after: 0, or DEJA_ECANCELED (deja_cache_cancel); then items that were not read have
 * sys_errno ECANCELED, and the others are good. */
DEJA_API int deja_digest_begin(deja_cache *c, deja_digest *d);

/* ---- results ---- */

/* Where the bytes of a stored content are. */
typedef enum deja_stored_where {
    DEJA_STORED_INLINE = 0, /* `data` */
    DEJA_STORED_BLOB = 1,   /* a blob file, see deja_cache_open_stored */
    DEJA_STORED_RECORD = 2, /* nowhere: only the hash was kept */
} deja_stored_where;

typedef struct deja_stored {
    deja_content content;
    uint8_t where;    /* deja_stored_where */
    const void *data; /* for INLINE, content.size bytes, borrowed from the entry */
} deja_stored;

typedef struct deja_output {
    const char *name;   /* "" without one */
    const char *path;   /* as in the key: relative to the root, or absolute */
    uint32_t mode;      /* permission bits */
    deja_stored stored; /* for a LINK the bytes are the target's text */
} deja_output;

/* A kept result, in one allocation. */
typedef struct deja_entry {
    deja_hash key;
    const char *label; /* for people: job and parameters */
    const void
        *encoding; /* the fields of the key, see deja_field_next; they list every input seen with its hash */
    size_t encoding_len;
    int32_t exit_status;
    int64_t created_ns; /* wall clock */
    int64_t wall_ns, cpu_ns;
    uint64_t peak_rss_bytes;
    deja_stored out, err; /* standard output and standard error */
    int has_value;        /* 1: `value` is what a function returned; see deja_cache_map_value */
    deja_stored value;    /* INLINE data is aligned to 64 bytes */
    deja_output *outputs;
    size_t output_count;
    deja_digest_item *discovered; /* inputs seen beyond the declared ones: path, flags, content */
    size_t discovered_count;
    struct deja_entry *next; /* another result of the same key, older, with other discovered inputs */
} deja_entry;

/* With all behind it. NULL is fine. */
DEJA_API void deja_entry_free(deja_entry *e);

typedef struct deja_lookup {
    deja_hash key;
    const void *encoding; /* compared byte for byte with the stored one */
    size_t encoding_len;
    int discovered;    /* 1: results with discovered inputs, newest first; 0: the one without */
    deja_entry *entry; /* result: NULL is a miss; the caller's, deja_entry_free */
} deja_lookup;

/* Looks many keys up in one read transaction. A damaged row is a miss and a warning; so is a
 * database that another program keeps to itself for over 100 ms. 0, or negative when nothing could be read.
 */
DEJA_API int deja_cache_lookup(deja_cache *c, deja_lookup *items, size_t count, deja_error *err);

/* What happened to an output in a restore. */
typedef enum deja_restored {
    DEJA_RESTORED_LEFT = 0,     /* was right already: same inode, same times */
    DEJA_RESTORED_MADE = 1,     /* was missing, or was what deja had put there before */
    DEJA_RESTORED_REPLACED = 2, /* somebody had changed it by hand */
    DEJA_RESTORED_KEPT = 3,     /* somebody had changed it by hand, and KEEP_EDITED left it */
} deja_restored;

#define DEJA_RESTORE_KEEP_EDITED 1u
#define DEJA_RESTORE_CHECK_ONLY                                                                              \
    2u /* change nothing: status 0 when a restore would succeed (blobs there and sound) */

/*
 * Puts the outputs of an entry in place and makes sure that its standard output and error can be read.
 * Parents are made. status: 0; DEJA_ENOTFOUND or DEJA_ECORRUPT when the entry turns out unusable (evicted,
 * damaged, a RECORD output not in place): treat it as a miss; others (DEJA_EFULL, DEJA_EDENIED, DEJA_EEXIST a
 * folder is in the way) are the user's trouble.
 */
typedef struct deja_restore {
    deja_step step;
    const deja_entry *entry;
    int root_fd;
    uint32_t flags;              /* DEJA_RESTORE_... */
    uint8_t *results;            /* entry->output_count of deja_restored; the caller's memory */
    uint64_t out_seen, err_seen; /* private: which files were found sound */
} deja_restore;

/* 1 finished at once (no outputs, or all right by the memory of stat data), 0 later. */
DEJA_API int deja_restore_begin(deja_cache *c, deja_restore *r);

/* After a restore or a check with status 0: a descriptor for entry->out or entry->err where that is a BLOB,
 * the very file that was checked. Reads nothing. The caller closes it. DEJA_ENOTFOUND: it went or changed
 * since, treat the entry as a miss. */
DEJA_API int deja_restore_open(deja_cache *c, const deja_restore *r, const deja_stored *s, deja_error *err);

/* A descriptor for reading a BLOB's bytes, checked: that may read all of it, here and now. The caller closes
 * it. Negative code otherwise. */
DEJA_API int deja_cache_open_stored(deja_cache *c, const deja_stored *s, deja_error *err);

/* An unnamed file on the blobs' file system, for large results. The caller owns it. Any thread may call. */
DEJA_API int deja_cache_stage(deja_cache *c, deja_error *err);

/* The folder in which unnamed files (open(2), O_TMPFILE) are as good as stages: a descriptor, borrowed until
 * deja_cache_close. */
DEJA_API int deja_cache_stage_folder(const deja_cache *c);

/* The value of an entry where it lies. */
typedef struct deja_mapped {
    const void *data; /* read-only, aligned to 64 bytes */
    uint64_t len;     /* bytes */
    void *map;        /* private: a mapping of `len` bytes, or NULL */
} deja_mapped;

/*
 * The value of an entry. An INLINE one is borrowed from the entry. A BLOB is mapped from its file, whose
 * content was checked by the rule for blobs: at its first use after boot (or within 2 s of being stored) and
 * when its stat data differ it is read through, here and now; afterwards nothing is read. A mapping outlives
 * the entry, eviction, deja_cache_clear and deja_cache_close, until deja_mapped_done.
 *
 * 0; DEJA_ENOTFOUND (evicted, or the entry has no value) or DEJA_ECORRUPT (with a warning; the next commit of
 * this content replaces it): treat the entry as a miss; DEJA_ERESOURCE, DEJA_ENOMEM.
 */
DEJA_API int deja_cache_map_value(deja_cache *c, const deja_entry *e, deja_mapped *ret, deja_error *err);

/* Gives back the mapping. Zeroed memory and NULL are fine; needs no cache. Any thread. */
DEJA_API void deja_mapped_done(deja_mapped *m);

/* Bytes to be stored: `data`, or, when fd >= 0, all of that file (best a stage: then it becomes the blob
 * itself). */
typedef struct deja_payload {
    const void *data;
    uint64_t len;
    int fd; /* -1: none. Stays the caller's. */
} deja_payload;

/*
 * A result on its way into the store: sealed first (outputs read into stages and hashed, inputs looked at
 * again), then committed (row durable). Jobs that need it may start after the seal; it is acknowledged after
 * the commit.
 */
typedef struct deja_result {
    deja_step step;
    /* filled in by the caller, borrowed until freed */
    deja_hash key;
    const void *encoding;
    size_t encoding_len;
    const char *label;
    int32_t exit_status;
    int64_t created_ns; /* wall clock; 0: when it is committed */
    int64_t wall_ns, cpu_ns;
    uint64_t peak_rss_bytes;
    deja_payload out, err;
    deja_payload value; /* with DEJA_RESULT_VALUE; else not looked at */
    int root_fd;
    uint32_t flags;                 /* DEJA_RESULT_... */
    const deja_digest_item *inputs; /* as seen before the run */
    size_t input_count;
    deja_output *outputs; /* name and path given; mode and stored are results of the seal */
    size_t output_count;
    deja_digest_item *targets; /* NULL, or room for output_count: filled in by the seal with what each output
                                  that is a link leads to; path NULL for one that is none */
    deja_digest_item *discovered; /* with DEJA_RESULT_DISCOVERED: path and flags given, content is a result of
                                     the seal. They were not looked at before the run: one whose times say
                                     that it changed since it began is `changed_input` */
    size_t discovered_count;
    int64_t since_ns; /* then: wall clock when it began, of the kernel's coarse clock, which stamps files */
    /* results of the seal */
    deja_content out_content;   /* of standard output */
    deja_content value_content; /* of the value, where there is one */
    const char *changed_input;  /* points into `inputs` or `discovered`: this one is not as it was, the result
                                   is unfit to keep */
    int input_errno;            /* not 0: whether it is as it was cannot be said, for this reason */
    struct deja_pending *pending; /* private */
} deja_result;

#define DEJA_RESULT_RECORD  1u /* keep only the hashes of the outputs */
#define DEJA_RESULT_NO_KEEP 2u /* only look at the outputs: nothing is staged, commit must not follow */
#define DEJA_RESULT_VALUE   4u /* there is a value. A large one in a stage becomes the blob without a copy */
#define DEJA_RESULT_DISCOVERED                                                                               \
    8u /* kept beside others of the key that were made of other discovered inputs (the newest eight) */

/* status after: 0 (look at changed_input), DEJA_ENOTFOUND when an output is missing, DEJA_ETYPE when it is a
 * folder or special. */
DEJA_API int deja_result_seal_begin(deja_cache *c, deja_result *r);

/* 0, or why the inputs make what was sealed unfit to keep: DEJA_ECHANGED, or the trouble with looking at one.
 */
DEJA_API int deja_result_check_inputs(const deja_result *r, deja_error *err);

/* Stores what was sealed, replacing what the key had before. status after: 0 durable; else not kept, error
 * says why. */
DEJA_API int deja_result_commit_begin(deja_cache *c, deja_result *r);

/* Drops what a seal holds (stages). Safe on zeroed memory and after a commit. The struct itself is the
 * caller's. */
DEJA_API void deja_result_done(deja_result *r);

/* ---- looking in ---- */

typedef struct deja_cache_numbers {
    uint64_t entries;
    uint64_t row_bytes; /* all rows */
    uint64_t blobs;     /* blob files */
    uint64_t blob_bytes;
    int64_t saved_ns_per_hit; /* sum of the recorded wall times of all entries: what running them all again
                                 would cost */
} deja_cache_numbers;
DEJA_API int deja_cache_stats(deja_cache *c, deja_cache_numbers *ret, deja_error *err);

/* One line of a listing. Borrowed during the call. */
typedef struct deja_listed {
    deja_hash key;
    const char *label;
    int64_t created_ns, wall_ns;
    int32_t exit_status;
    uint64_t bytes; /* row and blobs */
} deja_listed;

/* Calls `each` for every entry, newest first, until it returns non-zero (which is returned). `each` may not
 * enter the cache. */
DEJA_API int deja_cache_list(deja_cache *c, int (*each)(void *context, const deja_listed *entry),
                             void *context, deja_error *err);

/* The entry whose key begins with these hexadecimal digits (at least 4). DEJA_ENOTFOUND, or DEJA_EINVAL when
 * several do. */
DEJA_API int deja_cache_find(deja_cache *c, const char *hex, deja_entry **ret, deja_error *err);

/* Forgets what is kept of this key. 1 it is forgotten, 0 there was nothing, negative. What is committed
 * meanwhile may be there again; so may, after a kill or a power cut before the return, the old. */
DEJA_API int deja_cache_forget(deja_cache *c, const deja_hash *key, deja_error *err);

/*
 * Forgets the entries of which `which` says 1; 0 keeps one, and a negative code ends the walk and is
 * returned. `encoding` are the fields of the key (deja_field_next), all borrowed during the call; `which`
 * holds no lock and may not enter the cache. What is stored during the walk may be missed. Entries go in
 * transactions of a few hundred, so others are never kept waiting; who is killed in between has forgotten a
 * part. The file of the database keeps its size, its room is used again. `*ret_count` (may be NULL) is how
 * many went, after a failure too.
 */
DEJA_API int deja_cache_forget_where(deja_cache *c,
                                     int (*which)(void *context, const deja_listed *entry,
                                                  const void *encoding, size_t len),
                                     void *context, uint64_t *ret_count, deja_error *err);

/* Forgets all entries and removes their blobs; reports how many entries there were. */
DEJA_API int deja_cache_clear(deja_cache *c, uint64_t *ret_entries, deja_error *err);

#endif
